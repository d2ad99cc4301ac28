//! The job in one language, in a process of its own: JSON in, JSON out, through the real pipeline.
//!
//! `languages serve DIR ROW` and `languages serve dump DIR CASE ROW`, as the programs in `tests/peers`.

use super::through::{Through, records};
use engine::{Engine, Settings};
use pipeline::{Asset, Assets};
use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use tests::conformance::{Guest, LANGUAGES};
use toolchain::{Language, MAIN};

/// Leaves a plugin in a folder, compiled, for the processes that run it.
pub(crate) fn put(language: Language, guest: &Guest, folder: &Path) {
    let artifact = engine().precompile(&guest.wasm).expect("it is a plugin");
    std::fs::write(folder.join(language.id()), artifact).expect("a folder of our own");
    if let Some(script) = guest.assets.get(MAIN) {
        std::fs::write(folder.join(format!("{}.script", language.id())), &script.bytes).expect("the same");
    }
}

pub(crate) fn engine() -> Engine {
    Engine::new(&Settings::default()).expect("an engine")
}

/// Does what the arguments say, until its input ends.
pub(crate) fn serve(arguments: &[String]) {
    match arguments {
        [dump, folder, _, language] if dump == "dump" => {
            let mut out = std::io::stdout().lock();
            job(folder, language).run(|document| {
                out.write_all(&document).and_then(|()| out.write_all(b"\n")).expect("somebody reads");
            });
        }
        [folder, language] => {
            let mut job = job(folder, language);
            for line in std::io::stdin().lock().lines() {
                let line = line.expect("a line");
                let (_, runs) = line.split_once(' ').expect("CASE N");
                println!("{}", job.timed(runs.parse().expect("a number")).as_nanos());
            }
        }
        other => panic!("unexpected arguments: {other:?}"),
    }
}

fn job(folder: &str, language: &str) -> Through {
    let folder = Path::new(folder);
    let language = LANGUAGES.into_iter().find(|known| known.id() == language).expect("one of the rows");
    let assets = match std::fs::read(folder.join(format!("{}.script", language.id()))) {
        Ok(script) => BTreeMap::from([(MAIN.to_owned(), Asset { source: "plugin".to_owned(), bytes: script.into() })]),
        Err(_) => BTreeMap::new(),
    };
    let guest =
        Guest { language, systemless: false, wasm: Vec::new(), assets: Assets::new(assets).expect("one, and small") };
    let artifact = std::fs::read(folder.join(language.id())).expect("it was put there");
    let engine = engine();
    let code = engine.load_precompiled(&artifact).expect("of this very engine");
    let runner = guest.start(&engine, &code, "").unwrap_or_else(|error| panic!("{error}"));
    let event = std::fs::read(folder.join("s419.json")).expect("an event");
    Through::new(records(event.into()), runner)
}
