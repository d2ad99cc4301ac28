//! runtime COMPONENT [SCRIPT]...: what a ready-made runtime costs: mask job in CPU time an event, start, memory. Interleaved.
#[path = "../benches/data.rs"]
#[allow(dead_code)]
mod data;
#[path = "../benches/through.rs"]
#[allow(dead_code)]
mod through;
use engine::{Engine, Settings};
use pipeline::{Asset, Assets};
use std::collections::BTreeMap;
use tests::conformance::Guest;
use toolchain::{Language, MAIN};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn guest(component: &str, script: Option<&str>) -> Guest {
    let mut assets = BTreeMap::new();
    if let Some(script) = script {
        let bytes = std::fs::read(script).expect("a script");
        assets.insert(MAIN.to_owned(), Asset { source: "plugin.py".to_owned(), bytes: bytes.into() });
    }
    Guest { language: Language::Python, wasm: std::fs::read(component).expect("a component"), assets: Assets::new(assets).expect("small") }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments[0] == "cases" {
        return cases(&arguments[1], &arguments[2]);
    }
    let fast = Engine::new(&Settings::default()).expect("an engine");
    let slow = Engine::new(&Settings { flat: false, ..Settings::default() }).expect("an engine");
    let mut rows = Vec::new();
    for row in &arguments {
        let (engine, row) = row.strip_prefix("slow=").map_or((&fast, row.as_str()), |row| (&slow, row));
        let (component, script) = row.split_once(':').map_or((row, None), |(c, s)| (c, Some(s)));
        let guest = guest(component, script);
        let before = through::cpu();
        let artifact = engine.precompile(&guest.wasm).expect("it is a plugin");
        let compile = through::cpu() - before;
        let before = through::cpu();
        let code = engine.load_precompiled(&artifact).expect("it loads");
        let load = through::cpu() - before;
        let runner = guest.start(engine, &code, "").unwrap_or_else(|error| panic!("{error}"));
        let mut starts = Vec::new();
        for _ in 0..9 {
            let before = through::cpu();
            guest.start(engine, &code, "").unwrap_or_else(|error| panic!("{error}"));
            starts.push(through::cpu() - before);
        }
        starts.sort();
        println!("{row}: wasm {} KiB, artifact {} KiB, compile {compile:?}, load {load:?}, start {:?}", guest.wasm.len() >> 10, artifact.len() >> 10, starts[4]);
        let event = data::event(1_000, None);
        rows.push((format!("{}{row}", if std::ptr::eq(engine, &slow) { "slow=" } else { "" }), through::Through::new(through::records(event.into()), runner), Vec::new()));
    }
    let sums: Vec<u64> = rows.iter_mut().map(|(_, through, _)| {
        let mut sum = 0u64;
        through.run(|document| sum = document.iter().fold(sum, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte))));
        sum
    }).collect();
    println!("documents: {sums:?}");
    for _ in 0..15 {
        for (_, through, times) in &mut rows {
            times.push(through.timed(5).as_nanos() as f64 / 5_000_000.0);
        }
    }
    for (row, _, times) in &mut rows {
        times.sort_by(f64::total_cmp);
        println!("{row}: {:.2} µs an event", times[times.len() / 2]);
    }
}

fn cases(component: &str, script: &str) {
    let guest = guest(component, Some(script));
    let settings = Settings { clock: engine::Clock::Fixed(tests::conformance::NOW_MS), ..Settings::default() };
    let engine = Engine::new(&settings).expect("an engine");
    let code = engine.load_precompiled(&engine.precompile(&guest.wasm).expect("it is a plugin")).expect("it loads");
    let (mut passed, mut all) = (0, 0);
    for case in tests::conformance::cases() {
        all += 1;
        match tests::conformance::run(&case, &guest, &engine, &code) {
            Ok(()) => passed += 1,
            Err(wrong) => println!("{}:\n{wrong}", case.name),
        }
    }
    println!("{passed} of {all}");
}
