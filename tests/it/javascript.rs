//! The ready-made plugin `javascript`: what a script sees, word by word, through the real engine. Each test runs it
//! both ways.

mod differential;

use crate::support::{NOW_MS, WAYS, Way, code, engine, event, failure, grows_nothing, settle};
use engine::{Clock, Code, Engine, Mode, Settings};
use pipeline::settings::Pipeline;
use pipeline::{Asset, Assets, FailureKind, Outcome, Runner};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use toolchain::{Adapter, Encoding, Wit, componentize};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn runtime() -> String {
    root().join("plugins/javascript/javascript.wasm").to_str().expect("a path in UTF-8").to_owned()
}

/// A runner of a step with these files, the first of which is the main script.
fn started(way: Way, files: &[(&str, &str)], step: &str) -> Result<Runner, String> {
    started_on(engine(way), &code(way, &runtime()), files, step)
}

fn started_on(engine: &Engine, code: &Code, files: &[(&str, &str)], step: &str) -> Result<Runner, String> {
    let name = |k: usize, name: &str| if k == 0 { "script".to_owned() } else { name.to_owned() };
    let asset = |source: &str, text: &str| Asset { source: source.to_owned(), bytes: text.to_owned().into() };
    let files: BTreeMap<String, Asset> =
        files.iter().enumerate().map(|(k, (source, text))| (name(k, source), asset(source, text))).collect();
    let assets = Assets::new(files).expect("few and small");
    let pipeline = Pipeline::parse(&format!("[[step]]\nplugin = \"javascript\"\n{step}")).expect("settings");
    let settings = &pipeline.steps[0];
    let loaded = engine.load(code, settings, &tests::filled(settings), &assets);
    let plugin = loaded.map_err(|error| error.to_string())?.plugin();
    Ok(Runner::new(Arc::new(pipeline), vec![plugin], crate::support::STREAM))
}

fn script(way: Way, text: &str) -> Runner {
    started(way, &[("plugins/a.js", text)], "").unwrap_or_else(|error| panic!("{error}"))
}

/// What becomes of a record, both ways: a document, who dropped it, or the kind of the failure and why.
#[track_caller]
fn comes_to(text: &str, record: &str, expected: &str) {
    for way in WAYS {
        assert_eq!(told(&mut script(way, text), record), expected, "{way:?}: {text}");
    }
}

fn told(runner: &mut Runner, record: &str) -> String {
    match runner.process(event(0, record.to_owned()), NOW_MS, None) {
        Outcome::DeadLetter(failed) => format!("{}: {}", failed.failure.kind, failed.failure.message()),
        Outcome::Retry(failed) => format!("retry: {}", failed.failure.message()),
        Outcome::Drop(_) => "dropped".to_owned(),
        Outcome::Emit(documents) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            documents.iter().map(|document| without_id(&text(&document.bytes))).collect::<Vec<_>>().join(" ")
        }
        Outcome::Unsettled(why) => why.to_string(),
    }
}

/// A document as it is spelled, without the id that the host puts at its end.
fn without_id(document: &str) -> String {
    let end = document.rfind("\"paddle_id\"").expect("the host gives each document an id");
    format!("{}}}", document[..end].trim_end_matches(','))
}

/// The body of a `transform`.
#[track_caller]
fn body(body: &str, record: &str, expected: &str) {
    let text = format!(
        "import {{ reject, retry, send }} from 'paddlewheel';\nexport function transform(event) {{\n{body}\n}}"
    );
    comes_to(&text, record, expected);
}

#[test]
fn the_runtime_runs_flat() {
    assert!(code(Way::Flat, &runtime()).is_flat());
}

#[test]
fn reads_give_plain_values() {
    let record = r#"{"n":null,"t":true,"i":42,"f":1.5,"w":1.0,"s":"ä€","big":9007199254740993,"max":9007199254740991,"far":123456789012345678901234567890,"z":-0,"o":{"a":[1,9007199254740993,{"b":-0}]},"h":"\ud800"}"#;
    for (read, expected) in [
        ("event.get('n') === null", "true"),
        ("event.get('t') === true", "true"),
        ("event.get('i') === 42 && event.get('w') === 1 && event.get('f') === 1.5", "true"),
        ("event.get('s') === 'ä€' && event.text('s') === 'ä€'", "true"),
        ("event.get('nobody') === undefined && event.text('i') === undefined", "true"),
        ("event.get('big') === 9007199254740993n && event.get('max') === 9007199254740991", "true"),
        ("event.get('far') === 123456789012345678901234567890n", "true"),
        ("Object.is(event.get('z'), -0)", "true"),
        ("event.get('o').a[1] === 9007199254740993n && Object.is(event.get('o.a[2]').b, -0)", "true"),
        ("event.get('h') === '\\ud800' && event.get('h').length === 1", "true"),
        ("event.get().o.a[0] === event.get('').o.a[0]", "true"),
        ("Object.keys(event.get()).join()", r#""n,t,i,f,w,s,big,max,far,z,o,h""#),
        ("event.has('n') && !event.has('x') && event.has()", "true"),
        ("event.keys('o').join() + event.keys('i').length", r#""a0""#),
        ("[event.length('o'), event.length('o.a'), event.length('s'), event.length('i')].join()", r#""1,3,2,""#),
        ("event.expand('o.a[*]').join()", r#""o.a[0],o.a[1],o.a[2]""#),
        ("JSON.parse(event.json()).i", "42"),
        ("new TextDecoder().decode(event.data()) === event.json()", "true"),
        ("event.id + ' ' + event.partitionKey", r#""shardId-000000000000:1000 key-0""#),
        ("event.arrivedAtMs", "1795341600000"),
        ("Object.prototype.toString.call(event)", r#""[object Event]""#),
    ] {
        let text = format!("return event.derive({{ r: {read} }});");
        body(&text, record, &format!("{{\"r\":{expected}}}"));
    }
}

#[test]
fn writes_take_plain_values() {
    for (write, expected) in [
        ("event.set('a', null)", r#"{"a":null}"#),
        ("event.set('a', true)", r#"{"a":true}"#),
        ("event.set('a', 1)", r#"{"a":1}"#),
        ("event.set('a', -0)", r#"{"a":-0.0}"#),
        ("event.set('a', 2 ** 31)", r#"{"a":2147483648}"#),
        ("event.set('a', 9007199254740991)", r#"{"a":9007199254740991}"#),
        ("event.set('a', 9223372036854775807n)", r#"{"a":9223372036854775807}"#),
        ("event.set('a', 12345678901234567890123n)", r#"{"a":12345678901234567890123}"#),
        ("event.set('a', 1.5)", r#"{"a":1.5}"#),
        ("event.set('a', 'ä😀')", r#"{"a":"ä😀"}"#),
        ("event.set('a', [1, 'x', { b: 2n, c: -0, d: [] }])", r#"{"a":[1,"x",{"b":2,"c":-0,"d":[]}]}"#),
        ("event.set('a', { b: 2 ** 53 })", r#"{"a":{"b":9007199254740992.0}}"#),
        ("event.set('a', new Date(0))", r#"{"a":"1970-01-01T00:00:00.000Z"}"#),
        ("event.set('a.b.c', 1); event.set('a.d[0]', 2); event.set('a.d[1]', 3)", r#"{"a":{"b":{"c":1},"d":[2,3]}}"#),
        ("event.set('a', { __proto__: null, x: 1 })", r#"{"a":{"x":1}}"#),
        ("event.set('', { a: 1 })", r#"{"a":1}"#),
        ("event.set('a', 1); event.rename('a', 'b.c')", r#"{"b":{"c":1}}"#),
        (
            "event.set('a', ['x', 'y']); event.set('n', event.replaceText('a[*]', '***'))",
            r#"{"a":["***","***"],"n":2}"#,
        ),
        ("event.set('a', [{ b: 1 }, { b: 2 }]); event.set('n', event.remove('a[*].b'))", r#"{"a":[{},{}],"n":2}"#),
        ("return event.derive('{\"a\":1}')", r#"{"a":1}"#),
        ("return event.derive(new TextEncoder().encode('{\"a\":1}'))", r#"{"a":1}"#),
        ("return event.derive({ a: 1n })", r#"{"a":1}"#),
    ] {
        body(write, "{}", expected);
    }
    // Half of a surrogate pair travels; the check on the way out repairs it.
    let text = "event.set('a', event.get('h').length + event.get('h').charCodeAt(0))";
    body(text, r#"{"h":"\ud800"}"#, r#"{"h":"\ufffd","a":55297}"#);
    let text = "const h = '\\udc00'; event.set('a', h); event.set('same', event.get('a') === h)";
    body(text, "{}", r#"{"a":"\ufffd","same":true}"#);
}

#[test]
fn what_has_no_json_is_refused_with_its_path() {
    for (write, expected) in [
        ("event.set('a.b', NaN)", "`a.b`: NaN is no JSON number"),
        ("event.set('a', -Infinity)", "`a`: -Infinity is no JSON number"),
        ("event.set('a', undefined)", "`a`: undefined is no JSON value"),
        ("event.set('a', () => 1)", "`a`: a function is no JSON value"),
        ("event.set('a', { b: [1, { 'x.y': NaN }] })", "`a.b[1].\"x.y\"`: NaN is no JSON number"),
        ("event.set('', { b: undefined })", "`b`: undefined is no JSON value"),
        ("event.set('a', { b: Symbol('s') })", "`a.b`: a symbol is no JSON value"),
        ("event.set('a', new Map())", "`a`: a Map is no JSON value"),
        ("event.set('a', { e: event })", "`a.e`: an event is no JSON value"),
        ("const o = {}; o.o = [o]; event.set('a', o)", "`a.o[0]`: an object that holds itself is no JSON value"),
        ("event.set(1, 1)", "event.set: the path is a string, not a number"),
        ("event.get(null)", "event.get: the path is a string, not null"),
        ("event.text()", "event.text: the path is missing"),
        ("event.replaceText('a')", "event.replaceText: the text is a string, not undefined"),
        ("event.set('\\ud800', 1)", "event.set: the path holds half of a surrogate pair"),
        (
            "const { get } = event; get('a')",
            "this is no event but undefined: call the method on the event, as in event.get(\"a\")",
        ),
    ] {
        let text = format!(
            "try {{ {write} }} catch (error) {{ return event.derive({{ r: `${{error.name}}: ${{error.message}}` }}); }}"
        );
        let told = serde_json::to_string(&format!("TypeError: {expected}")).expect("a text");
        body(&text, "{}", &format!("{{\"r\":{told}}}"));
    }
}

#[test]
fn answers_are_native() {
    body("", r#"{"a":1}"#, r#"{"a":1}"#);
    body("event.set('b', 2); return event", r#"{"a":1}"#, r#"{"a":1,"b":2}"#);
    body("return []", "{}", "dropped");
    body("const c = event.copy(); c.set('b', 1); return [event, c]", r#"{"a":1}"#, r#"{"a":1} {"a":1,"b":1}"#);
    body("return event.copy()", r#"{"a":1}"#, r#"{"a":1}"#);
    body("throw reject('nö')", "{}", "reject: nö");
    body("throw reject()", "{}", "reject: no reason was given");
    body("throw retry('später')", "{}", "retry: später");
    body("event.set('a.b', 1)", r#"{"a":1}"#, "reject: the path leads through a value that holds no fields");
    body("event.set('a', 1)", "no JSON", "reject: the event is not JSON: derive one that is");
    body(
        "try { event.set('a.b', 1) } catch (e) { event.set('why', e.name + '/' + (e instanceof Error)) }",
        r#"{"a":1}"#,
        r#"{"a":1,"why":"Reject/true"}"#,
    );
    body(
        "let a = 1; for (let i = 0; i < 600; i++) a = [a]; event.set('a', a)",
        "{}",
        "reject: the event would be nested deeper than 512 levels",
    );
    body(
        "return send(event, 'nowhere')",
        "{}",
        "invalid-output: there is no route `nowhere`; the pipeline has default",
    );
}

#[test]
fn a_route_is_taken() {
    for way in WAYS {
        let toml = "may = [\"route\", \"fan-out\"]
[routes]
audit = \"audit\"
";
        let text =
            "import { send } from 'paddlewheel'; export default (event) => [send(event.copy(), 'audit'), event];";
        let made = started(way, &[("a.js", text)], toml);
        let mut runner = made.unwrap_or_else(|error| panic!("{error}"));
        let Outcome::Emit(documents) = runner.process(event(0, "{}"), NOW_MS, None) else { panic!("two documents") };
        assert_eq!(documents.len(), 2);
        assert_ne!(documents[0].route, documents[1].route);
    }
}

#[test]
fn wrong_answers_are_told_in_words() {
    let expected = "expected is nothing, an event, send(event, \"route\"), or a list of these";
    for (answer, what) in [
        ("return null", "`transform` returned null"),
        ("return true", "`transform` returned true"),
        ("return 'text'", "`transform` returned a string"),
        ("return {}", "`transform` returned an object"),
        ("return reject('x')", "`transform` returned reject(…): it must be thrown"),
        ("return [event, 1]", "`transform` returned a list with a number at [1]"),
        ("return [event.get('x')]", "`transform` returned a list with undefined at [0]"),
    ] {
        body(answer, "{}", &format!("error: {what}: {expected}"));
    }
    body("return [event, event]", "{}", "error: an event was returned twice: return a copy as the second");
}

#[test]
fn exceptions_come_with_their_stack() {
    comes_to(
        "function höhe(x) {\n  return x.länge.y;\n}\nexport function transform(event) {\n  höhe({});\n}",
        "{}",
        "error: TypeError: cannot read property 'y' of undefined\n    at höhe (plugins/a.js:2:10)\n    at transform (plugins/a.js:5:3)",
    );
    body(
        "throw new RangeError('ä😀\\ud800')",
        "{}",
        "error: RangeError: ä😀\u{fffd}\n    at transform (plugins/a.js:3:11)",
    );
    body("throw 'näh'", "{}", "error: uncaught \"näh\"");
    body("throw null", "{}", "error: uncaught null");
    body("throw { a: 1 }", "{}", "error: uncaught an object");
    body("throw Object.create(null)", "{}", "error: uncaught an object");
}

#[test]
fn promises_are_waited_for() {
    let answer = "await null; await Promise.all([1, 2]); event.set('a', 1);";
    comes_to(&format!("export async function transform(event) {{ {answer} }}"), "{}", r#"{"a":1}"#);
    body("return Promise.resolve([event.copy(), event])", r#"{"a":1}"#, r#"{"a":1} {"a":1}"#);
    body("return Promise.reject(reject('no'))", "{}", "reject: no");
    body("Promise.resolve().then(() => event.set('late', 1))", "{}", r#"{"late":1}"#);
    body(
        "return new Promise(() => {})",
        "{}",
        "error: TypeError: the promise that `transform` returned never settles: nothing is left to run that could settle it (there are no timers and no network)",
    );
    body("(async () => { throw 'lost' })()", "{}", "error: uncaught \"lost\"");
    body("(async () => { throw 'lost' })().catch(() => event.set('caught', 1))", "{}", r#"{"caught":1}"#);
    body("(async () => { throw 'lost' })(); throw reject('first')", "{}", "reject: first");
}

#[test]
fn an_event_lives_as_long_as_its_call() {
    let text = "let kept; export function transform(event) {\n\
                try { kept?.get('a'); } catch (error) { event.set('why', error.message); }\n\
                kept = event; }";
    for way in WAYS {
        let mut runner = script(way, text);
        assert_eq!(told(&mut runner, r#"{"a":1}"#), r#"{"a":1}"#);
        let expected = r#"{"why":"this event's call is over: an event lives as long as the call that got it"}"#;
        assert_eq!(told(&mut runner, "{}"), expected);
    }
}

#[test]
fn forgotten_copies_are_given_back() {
    for way in WAYS {
        let text = "let n = 0; const kept = []; export function transform(event) {\n\
                    for (let i = 0; i < 50; i++) kept[i] = event.copy().derive('{}'); event.set('n', ++n); }";
        let mut runner = script(way, text);
        for k in 1..=100 {
            assert_eq!(told(&mut runner, "{}"), format!("{{\"n\":{k}}}"), "the instance was replaced");
        }
    }
}

#[test]
fn init_is_given_the_config_and_may_refuse_it() {
    let text = "let c; export function init(config) { if (config.no) throw new Error(config.no); if (config.bug) config.bug.x.y; c = config; }\n\
                export function transform(event) { event.set('c', c); }";
    for way in WAYS {
        let mut runner =
            started(way, &[("a.js", text)], "config = { a = [1, 9007199254740993], b = \"ä\" }").expect("it starts");
        assert_eq!(told(&mut runner, "{}"), r#"{"c":{"a":[1,9007199254740993],"b":"ä"}}"#);
    }
    refused(&[("a.js", text)], "config = { no = \"`limit` is missing\" }", "`limit` is missing");
    refused(
        &[("a.js", text)],
        "config = { bug = { } }",
        "TypeError: cannot read property 'y' of undefined\n    at init (a.js:1:98)",
    );
    let by = |init: &str| format!("import {{ reject }} from 'paddlewheel'; export {init}; export default (e) => e;");
    refused(&[("a.js", &by("function init() { throw reject('no') }"))], "", "no");
    refused(&[("a.js", &by("function init() { throw 'nein' }"))], "", "nein");
    refused(&[("a.js", &by("async function init() { throw new Error('late') }"))], "", "late");
    refused(
        &[("a.js", &by("async function init() { await new Promise(() => {}) }"))],
        "",
        "TypeError: the promise that `init` returned never settles: nothing is left to run that could settle it (there are no timers and no network)",
    );
    unloadable(&[("a.js", &by("const init = 1"))], "", "a.js: `init` is a number, not a function");
}

/// Checks why a script is refused, both ways.
#[track_caller]
fn refused(files: &[(&str, &str)], step: &str, expected: &str) {
    for way in WAYS {
        let said = started(way, files, step).err().unwrap_or_else(|| panic!("{files:?} was taken"));
        assert_eq!(said, format!("its `init` refused the config: {expected}"), "{way:?}");
    }
}

/// Checks why a script is no plugin, whatever the config.
#[track_caller]
fn unloadable(files: &[(&str, &str)], step: &str, expected: &str) {
    refused(files, step, &format!("the script cannot be loaded: {expected}"));
}

#[test]
fn mistakes_in_a_script_are_told_with_their_place() {
    unloadable(
        &[("p/a.js", "export function transform(event) {\n  const = 1;\n}")],
        "",
        "SyntaxError: variable name expected\n    at p/a.js:2:9",
    );
    unloadable(
        &[("a.js", "export function transform(event) {")],
        "",
        "SyntaxError: unexpected token in expression: ''\n    at a.js:1:35",
    );
    unloadable(
        &[("a.js", "")],
        "",
        "a.js: there is no `transform`: the script exports nothing; write `export function transform(event) { … }`",
    );
    unloadable(
        &[("a.js", "export const trasnform = () => {}; export let ä;")],
        "",
        "a.js: there is no `transform`: the script exports only `trasnform`, `ä`; write `export function transform(event) { … }`",
    );
    unloadable(&[("a.js", "export const transform = {}")], "", "a.js: `transform` is an object, not a function");
    unloadable(&[("a.js", "export default 7")], "", "a.js: `default` is a number, not a function");
    unloadable(&[("a.js", "\nthrow new Error('at once')")], "", "Error: at once\n    at <anonymous> (a.js:2:11)");
    unloadable(&[("a.js", "nobody();")], "", "ReferenceError: nobody is not defined\n    at <anonymous> (a.js:1:1)");
    unloadable(
        &[("a.js", "await new Promise(() => {});")],
        "",
        "TypeError: what the script awaits never settles: nothing is left to run that could settle it (there are no timers and no network)",
    );
    unloadable(
        &[],
        "",
        "TypeError: there is no script: the step needs `assets = { script = \"enrich.js\" }`, or the script as its `plugin`",
    );
}

#[test]
fn modules_are_files_beside_the_script() {
    let main = "import { tier } from './lib/tier.js';\nimport table from './table.json' with { type: 'json' };\n\
                export function transform(event) { event.set('t', tier(table.gold)); }";
    let tier = "import { up } from '../util.js';\nexport const tier = (x) => up(x);";
    let files = [
        ("a.js", main),
        ("lib/tier.js", tier),
        ("util.js", "export const up = (x) => x + 1;"),
        ("table.json", r#"{"gold":1}"#),
    ];
    for way in WAYS {
        let mut runner = started(way, &files, "").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(told(&mut runner, "{}"), r#"{"t":2}"#);
        let late = "export async function transform(event) { const { up } = await import('./util.js'); event.set('t', up(1)); }";
        let mut runner = started(way, &[("a.js", late), files[2]], "").unwrap_or_else(|error| panic!("{error}"));
        for _ in 0..3 {
            assert_eq!(told(&mut runner, "{}"), r#"{"t":2}"#);
        }
    }
}

#[test]
fn a_module_that_is_not_there_is_told_with_those_that_are() {
    let importing = |name: &str| format!("import '{name}';\nexport function transform() {{}}");
    let told = |name: &str, why: &str| {
        let main = importing(name);
        let said =
            started(Way::Flat, &[("p/a.js", &main), ("util.js", ""), ("x.json", "{")], "").err().expect("refused");
        let expected = format!(
            "its `init` refused the config: the script cannot be loaded: TypeError: p/a.js imports \"{name}\"{why}"
        );
        assert!(said.starts_with(&expected), "{said}");
    };
    told("./utils.js", ": there is no such file; there are: util.js, x.json");
    told("../x.js", ", which leads out of the script's folder");
    told("lodash", ": only \"paddlewheel\" and files (\"./util.js\") can be imported; bundle packages into the script");
    told("https://example.com/x.js", ": only \"paddlewheel\" and files");
    let main = importing("./x.json");
    let said = started(Way::Flat, &[("p/a.js", &main), ("x.json", "{")], "").err().expect("refused");
    assert!(said.contains("SyntaxError: ") && said.contains("x.json:1:"), "{said}");
    let main = "import { rejct } from 'paddlewheel';\nexport function transform() {}";
    let said = started(Way::Flat, &[("p/a.js", main)], "").err().expect("refused");
    assert!(said.contains("SyntaxError: ") && said.contains("rejct"), "{said}");
}

#[test]
fn the_console_is_the_log() {
    let text = "export function transform(event) { console.debug('d'); console.log('a', 1, { b: [1n] }, [undefined, 1], null, undefined, 2n, -0);\n\
                console.warn(new Error('é')); console.error('\\ud800', Symbol('s'), () => 1); console.info(); throw 'end'; }";
    for way in WAYS {
        let Outcome::DeadLetter(failed) = script(way, text).process(event(0, "{}"), NOW_MS, None) else {
            panic!("it fails")
        };
        let lines: Vec<String> = failed.log.iter().map(|line| format!("{:?} {}", line.level, line.message)).collect();
        let expected = [
            "Debug d",
            "Info a 1 {\"b\":[1]} ,1 null undefined 2n 0",
            "Warn Error: é\n    at transform (plugins/a.js:2:18)",
            "Error \u{fffd} an object [function]",
            "Info ",
        ];
        assert_eq!(lines[..2], expected[..2], "{way:?}");
        assert_eq!(lines[2], expected[2]);
    }
}

#[test]
fn what_scripts_expect_is_there() {
    for (expression, expected) in [
        ("atob(btoa('hi'))", r#""hi""#),
        ("Array.from(new TextEncoder().encode('ä€😀\\ud800'))", "[195,164,226,130,172,240,159,152,128,239,191,189]"),
        (
            "new TextDecoder().decode(new Uint8Array([0xEF, 0xBB, 0xBF, 0x61, 0xFF, 0xE2, 0x82, 0x62]))",
            "\"a\u{fffd}\u{fffd}b\"",
        ),
        ("new TextDecoder('utf-8', { ignoreBOM: true }).decode(new Uint8Array([0xEF, 0xBB, 0xBF])).length", "1"),
        (
            "(() => { try { new TextDecoder('utf8', { fatal: true }).decode(new Uint8Array([0xC0, 0x80])) } catch (e) { return e.message } })()",
            r#""TextDecoder.decode: the bytes are not UTF-8""#,
        ),
        ("(() => { try { new TextDecoder('latin1') } catch (e) { return e.name } })()", r#""RangeError""#),
        ("new TextDecoder().decode(new Uint16Array([0x6161]).buffer)", r#""aa""#),
        ("structuredClone({ a: [1, new Date(0)] })", r#"{"a":[1,"1970-01-01T00:00:00.000Z"]}"#),
        ("'2026-11-27'.replace(/(?<y>\\d+)-(\\d+)/, '$<y>/$2')", r#""2026/11-27""#),
        ("new Date(Date.now()).toISOString()", r#""2026-11-22T10:00:00.000Z""#),
        ("new Date(0).getTimezoneOffset()", "0"),
        ("typeof performance.now()", r#""number""#),
        (
            "[typeof setTimeout, typeof fetch, typeof require, typeof process].join()",
            r#""undefined,undefined,undefined,undefined""#,
        ),
    ] {
        body(&format!("event.set('', {{ r: {expression} }})"), "{}", &format!("{{\"r\":{expected}}}"));
    }
}

#[test]
fn the_same_event_meets_the_same_chance() {
    for way in WAYS {
        let text = "export function transform(event) { event.set('r', [Math.random(), Math.random()]); }";
        let first = told(&mut script(way, text), "{}");
        assert_eq!(told(&mut script(way, text), "{}"), first);
        let mut runner = script(way, text);
        let other = settle(&mut runner, event(7, "{}"));
        assert_ne!(other, first);
        // Not where an instance is, but which event it has, decides.
        assert_eq!(told(&mut runner, "{}"), first);
    }
}

#[test]
fn limits_are_the_engines() {
    for (text, kind) in [
        ("for (;;);", FailureKind::Timeout),
        ("const f = () => Promise.resolve().then(f); return f();", FailureKind::Timeout),
        ("/^(a+)+$/.test('a'.repeat(40) + 'b')", FailureKind::Timeout),
        ("try { const a = []; for (;;) a.push(new Uint8Array(1 << 20)); } catch { return [] }", FailureKind::Memory),
        ("try { new ArrayBuffer(2 ** 31 - 1) } catch { return [] }", FailureKind::Memory),
        (
            "try { let s = 'x'; for (;;) s = [s, s].join('') } catch (e) { event.set('e', 1); const a = []; for (;;) a.push(s) }",
            FailureKind::Memory,
        ),
    ] {
        for way in WAYS {
            let mut runner =
                script(way, &format!("export function transform(event) {{ if (event.has('ok')) return; {text} }}"));
            assert_eq!(failure(&mut runner, event(0, "{}")).kind, kind, "{text}, {way:?}");
            assert_eq!(told(&mut runner, r#"{"ok":1}"#), r#"{"ok":1}"#, "the event after {text}");
        }
    }
}

/// Ways to recurse without end: through the script, through built-in functions, through parsers and through the event.
const RECURSIONS: &str = include_str!("javascript/recursions.js");

#[test]
fn recursion_ends_in_an_exception() {
    let names: Vec<&str> =
        RECURSIONS.lines().filter_map(|line| Some(line.strip_prefix("  ")?.split_once('(')?.0)).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric())).collect();
    assert!(names.len() > 100, "{} ways to recurse", names.len());
    // Where instructions are counted, functions take more of the host's stack.
    let counting = Settings { mode: Mode::Fuel, clock: Clock::Fixed(NOW_MS), instances: 4, flat: true };
    let counting = Engine::new(&counting).expect("an engine");
    let wasm = std::fs::read(runtime()).expect("the runtime");
    let counted = counting.compile(&wasm).expect("a plugin");
    let flat = code(Way::Flat, &runtime());
    let component = code(Way::Component, &runtime());
    for (engine, code) in [(engine(Way::Flat), &flat), (engine(Way::Component), &component), (&counting, &counted)] {
        let limits = "limits = { time_ms = 10000, memory_mib = 256 }";
        let mut runner = started_on(engine, code, &[("a.js", RECURSIONS)], limits).expect("it starts");
        for name in &names {
            for depth in [0, 300] {
                let said = told(&mut runner, &format!("{{\"way\":\"{name}\",\"depth\":{depth}}}"));
                assert!(said.contains("\"r\":\""), "{name} at {depth}: {said}");
            }
        }
    }
}

#[test]
fn a_document_may_be_as_deep_as_the_host_takes_it() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    let text = "const all = event.get(); event.set('', JSON.parse(event.json())); event.set('', all);\n\
                return event.derive({ same: JSON.stringify(all) === event.json() });";
    body(text, &deep, r#"{"same":true}"#);
}

#[test]
fn many_events_grow_nothing() {
    let text = "export function transform(event) { const all = event.get(); all.list.push({ n: all.n }); event.set('', all);\n\
                try { event.set('n.x', 1) } catch {} event.copy().set('y', [1]); event.expand('list[*]'); console.log('x', event.id); }";
    grows_nothing(&mut script(Way::Flat, text), 1_000, 20_000);
}

#[test]
fn a_rebuild_gives_the_same_bytes() {
    let clang = Command::new("clang-19").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !clang.is_ok_and(|status| status.success()) || !Path::new("/usr/lib/wasm32-wasi/libc.a").exists() {
        tests::skip("a rebuild of the JavaScript runtime", "clang-19 with wasi-libc", "apt");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let script = root().join("plugins/javascript/build.sh");
    let built = Command::new(script).arg("--core").arg(folder.path()).output().expect("the script runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let text = std::fs::read_to_string(folder.path().join("world.wit")).expect("the world");
    let world = Wit { text: &text, world: "paddlewheel:javascript/runtime@0.1.0" };
    let core = std::fs::read(folder.path().join("core.wasm")).expect("the module");
    let theirs = componentize(&core, &Encoding { wasi: Adapter::None, wit: Some(world) }).expect("it is encoded");
    let ours = std::fs::read(runtime()).expect("ours");
    assert!(ours == theirs, "plugins/javascript/javascript.wasm is not what its sources give: run `make javascript`");
}
