//! The runtime of Python scripts (`plugins/python`): what a script sees, through the real engine.

use crate::support::{NOW_MS, WAYS, Way, engine, event, grows_nothing};
use engine::Code;
use pipeline::settings::Pipeline;
use pipeline::{Asset, Assets, Outcome, Runner};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use tests::conformance::python_runtime;

mod packages;

const RECURSIONS: &str = include_str!("python/recursions.py");

/// The runtime, compiled for each way.
fn code(way: Way) -> &'static Code {
    static CODES: LazyLock<[Code; 2]> = LazyLock::new(|| {
        let wasm = python_runtime();
        WAYS.map(|way| engine(way).compile(&wasm).expect("it is a plugin"))
    });
    &CODES[WAYS.iter().position(|known| *known == way).expect("one of both")]
}

/// A runner of a step with these files, the first of which is the main script.
fn started(code: &Code, way: Way, files: &[(&str, &str)], step: &str) -> Result<Runner, String> {
    let asset = |source: &str, text: &str| Asset { source: source.to_owned(), bytes: text.to_owned().into() };
    let named = |(k, (source, text)): (usize, &(&str, &str))| {
        (if k == 0 { "script" } else { source }.to_owned(), asset(source, text))
    };
    with_files(code, way, files.iter().enumerate().map(named).collect(), step)
}

fn with_files(code: &Code, way: Way, files: BTreeMap<String, Asset>, step: &str) -> Result<Runner, String> {
    let pipeline = Pipeline::parse(&format!("[[step]]\nplugin = \"./python.wasm\"\n{step}")).expect("settings");
    let settings = &pipeline.steps[0];
    let assets = Assets::new(files).expect("few and small");
    let loaded = engine(way).load(code, settings, &tests::filled(settings), &assets);
    let plugin = loaded.map_err(|error| error.to_string())?.plugin();
    Ok(Runner::new(Arc::new(pipeline), vec![plugin], crate::support::STREAM))
}

/// Runs a check on a runner of these files, both ways.
fn both_ways(files: &[(&str, &str)], check: impl Fn(Result<Runner, String>)) {
    for way in WAYS {
        check(started(code(way), way, files, ""));
    }
}

fn told(runner: &mut Runner, record: &str) -> String {
    match runner.process(event(0, record.to_owned()), NOW_MS, None) {
        Outcome::DeadLetter(failed) => format!("{}: {}", failed.failure.kind, failed.failure.message()),
        Outcome::Emit(documents) => String::from_utf8_lossy(&documents[0].bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

/// Making it takes minutes, so that is not done here.
#[test]
fn what_make_python_made_here_is_what_is_checked_in() {
    let program = std::env::current_exe().expect("this program is a file");
    // <target>/<profile>/deps/<program>
    let made = program.ancestors().nth(3).expect("it is in the target folder").join("python/python.wasm");
    // Where nobody made it there is nothing to compare.
    if let Ok(made) = std::fs::read(made) {
        assert!(made == python_runtime(), "`make python` makes another: check in what it packs");
    }
}

#[test]
fn it_runs_flat() {
    assert!(code(Way::Flat).is_flat());
}

#[test]
fn modules_come_from_the_steps_files_and_the_standard_library() {
    let script = "import table\nfrom shop.prices import price\nimport datetime, zlib\nfrom paddlewheel import asset\n\
        def transform(event):\n    event.set('price', price(table.RATE))\n    event.set('asset', asset('a.txt').decode())\n\
        \x20   event.set('day', datetime.date(2026, 1, 2).isoformat())\n    event.set('packed', zlib.decompress(zlib.compress(b'x' * 9)).decode())";
    let files = [
        ("script.py", script),
        ("table.py", "RATE = 3"),
        ("shop/prices.py", "def price(rate):\n    return rate * 2"),
        ("a.txt", "hällo"),
    ];
    both_ways(&files, |runner| {
        let said = told(&mut runner.expect("it starts"), "{}");
        assert!(said.starts_with(r#"{"price":6,"asset":"hällo","day":"2026-01-02","packed":"xxxxxxxxx","#), "{said}");
    });
}

#[test]
fn the_event_has_what_the_library_for_editors_says() {
    let library = include_str!("../../plugins/sdk/python/paddlewheel/_event.py");
    let class = library.split_once("\nclass Event:").map(|(_, class)| class);
    let methods = class.expect("the class is there").lines().filter_map(|line| line.strip_prefix("    def "));
    let names: Vec<&str> = methods.filter_map(|line| line.split_once('(').map(|(name, _)| name)).collect();
    assert!(names.len() > 15, "{names:?}");
    let script = format!(
        "from paddlewheel import *\ndef transform(event):\n    event.set('missing', [name for name in {names:?} if not hasattr(event, name)])"
    );
    both_ways(&[("a.py", &script)], |runner| {
        let said = told(&mut runner.expect("it starts"), "{}");
        assert!(said.starts_with(r#"{"missing":[],"#), "{said}");
    });
}

#[test]
fn arguments_go_by_position_or_by_name() {
    let script = "def transform(event):\n    wrong = []\n\
        \x20   for call in (lambda: event.text(), lambda: event.text('a', 'b'), lambda: event.text('a', path='a'), lambda: event.set('a', x=1),\n\
        \x20                lambda: event.text(1), lambda: event.get(default=1), lambda: event.set(value=1, path='\\ud800')):\n\
        \x20       try:\n            call()\n        except (TypeError, UnicodeEncodeError) as why:\n            wrong.append(str(why).split(':')[-1])\n\
        \x20   event.set(value=event.get(path='b', default=7), path='b')\n    event.rename('b', to='c')\n    event.set('wrong', wrong)";
    both_ways(&[("a.py", script)], |runner| {
        let said = told(&mut runner.expect("it starts"), "{}");
        let expected = [
            r#"{"c":7,"wrong":[" the argument 'path' is missing","Event.text takes 1 arguments, not 2"," the argument 'path' is given twice","#,
            r#"" the argument 'x' is none of its own","the path is a str, not int"," the argument 'path' is missing"," surrogates not allowed"],"#,
        ];
        assert!(said.starts_with(&expected.concat()), "{said}");
    });
}

#[test]
fn what_is_no_answer_is_said() {
    for (answer, expected) in [
        ("'x'", "TypeError: transform returned a str: it is an event, a list of events, or None"),
        ("1", "TypeError: transform returned a int: it is an event, a list of events, or None"),
        ("[1]", "TypeError: transform returned a list with a int in it: it takes events"),
        ("[event, event]", "an event was returned twice: return a copy as the second"),
        ("(1 / 0 for _ in 'x')", "ZeroDivisionError: division by zero\n  at <genexpr> (plugins/a.py:2)"),
    ] {
        let script = format!("def transform(event):\n    return {answer}");
        both_ways(&[("plugins/a.py", &script)], |runner| {
            let said = told(&mut runner.expect("it starts"), "{}");
            assert!(said.contains(expected), "{said}");
        });
    }
}

#[test]
fn a_mistake_says_where_it_is() {
    for (script, expected) in [
        ("def transform(event)\n    pass", "SyntaxError: expected ':'"),
        ("x = 1", "plugins/a.py: there is no function transform(event)"),
        ("def transform(a, b): pass", "plugins/a.py: transform takes one argument, the event"),
        (
            "import nothing\ndef transform(e): pass",
            "ModuleNotFoundError: No module named 'nothing'\n  at <module> (plugins/a.py:1)",
        ),
    ] {
        both_ways(&[("plugins/a.py", script)], |runner| {
            let said = runner.err().expect("it is refused");
            assert!(said.contains("the script cannot be loaded: ") && said.contains(expected), "{said}");
        });
    }
    let script = "def f(x):\n    return x['ö']\n\ndef transform(event):\n    f({})";
    both_ways(&[("plugins/a.py", script)], |runner| {
        let said = told(&mut runner.expect("it starts"), "{}");
        assert!(said.contains("KeyError: 'ö'\n  at f (plugins/a.py:2)\n  at transform (plugins/a.py:5)"), "{said}");
    });
}

#[test]
fn what_a_plugin_has_not_raises_an_exception() {
    let script = r#"
import os, random, sys, threading, time
def attempt(what):
    try:
        return repr(what())
    except BaseException as error:
        return type(error).__name__
ways = {
    "open": lambda: open("/etc/passwd"), "write": lambda: open("/tmp/x", "w"), "list": lambda: os.listdir("/"), "mkdir": lambda: os.mkdir("x"),
    "environment": lambda: dict(os.environ), "input": lambda: input(), "thread": lambda: threading.Thread(target=print).start(),
    "exit": lambda: sys.exit(1), "sleep": lambda: time.sleep(1000), "connect": lambda: __import__("socket").create_connection(("localhost", 80)), "fork": lambda: os.fork(),
    "run": lambda: __import__("subprocess").run(["ls"]), "remove": lambda: os.remove("/script"), "await": lambda: __import__("asyncio").run(print()), "random": lambda: len(os.urandom(33)), "close": lambda: os.close(0),
    "pipe": lambda: os.write(1, b"a line"), "argv": lambda: sys.argv, "cwd": lambda: os.getcwd(), "digits": lambda: len(str(10 ** 5000)),
}
def transform(event):
    for name, way in ways.items():
        event.set(name, attempt(way))
"#;
    both_ways(&[("a.py", script)], |runner| {
        let said = told(&mut runner.expect("it starts"), "{}");
        let expected = [
            r#""open":"FileNotFoundError","write":"OSError","list":"['script']","mkdir":"OSError","#,
            r#""environment":"{}","input":"EOFError","thread":"RuntimeError","exit":"SystemExit","sleep":"None","#,
            r#""connect":"gaierror","fork":"AttributeError","run":"OSError","remove":"OSError","await":"OSError","random":"33","#,
            r#""close":"OSError","pipe":"6","argv":"['']","cwd":"'/'","digits":"5001","#,
        ];
        assert!(said.starts_with(&format!("{{{}", expected.concat())), "{said}");
    });
}

#[test]
fn an_event_is_gone_when_its_call_is_over() {
    let script = "kept = []\ndef transform(event):\n    kept.append(event)\n    try:\n        kept[0].set('a', 1)\n\
        \x20   except RuntimeError as why:\n        event.set('why', str(why))";
    both_ways(&[("a.py", script)], |runner| {
        let mut runner = runner.expect("it starts");
        assert!(told(&mut runner, "{}").starts_with("{\"a\":1,"));
        let said = told(&mut runner, "{}");
        assert!(said.starts_with("{\"why\":\"this event's call is over"), "{said}");
    });
}

#[test]
fn recursion_ends_in_an_exception() {
    let ways =
        RECURSIONS.lines().filter_map(|line| line.strip_prefix("    \"")?.split_once("\": ").map(|(name, _)| name));
    let ways: Vec<&str> = ways.collect();
    assert!(ways.len() > 60, "{ways:?}");
    for way in WAYS {
        // What ends a recursion is its depth: on a busy machine it may take longer than an event usually has.
        let runner = started(code(way), way, &[("a.py", RECURSIONS)], "limits = { time_ms = 10_000 }\n");
        let mut runner = runner.expect("it starts");
        let mut wrong = Vec::new();
        for way in &ways {
            let said = told(&mut runner, &format!("{{\"way\":\"{way}\"}}"));
            println!("{way}: {said}");
            if !said.contains("\"r\":\"") {
                wrong.push(format!("{way}: {}", said.lines().next().unwrap_or_default()));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn a_document_may_be_as_deep_as_the_host_takes_it() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    let script = "import json\ndef transform(event):\n    all = event.get('')\n    event.set('', all)\n\
        \x20   return event.derive(json.dumps({'same': json.loads(event.json()) == all}).encode())";
    both_ways(&[("a.py", script)], |runner| {
        let said = told(&mut runner.expect("it starts"), &deep);
        assert!(said.contains("\"same\": true"), "{said}");
    });
}

#[test]
fn many_events_grow_nothing() {
    let script = "def transform(event):\n    all = event.get('')\n    all['list'].append({'n': all['n']})\n    event.set('', all)\n\
        \x20   try:\n        event.set('n.x', 1)\n    except Exception:\n        pass\n    event.copy().set('y', [1])\n\
        \x20   event.expand('list[*]')\n    print('x', event.id)\n    ring = []\n    ring.append(ring)";
    both_ways(&[("a.py", script)], |runner| {
        grows_nothing(&mut runner.expect("it starts"), 10_000, 20_000);
    });
}
