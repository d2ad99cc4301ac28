//! `paddle.toml`: what it means, and how mistakes in it are told.

use super::{Isolation, Pipeline, Policy};
use crate::failure::FailureKind;

fn mistake(text: &str) -> String {
    Pipeline::parse(text).expect_err("a mistake").to_string()
}

#[test]
fn everything_the_design_shows_is_read() {
    let pipeline = Pipeline::parse(
        r#"
        [pipeline]
        name = "clickstream"
        requires = ">=0.1"
        [[step]]
        name = "mask"
        plugin = "redact"
        config = { fields = ["user.email"], hash_key = { secret = "redact-key" } }
        required = true
        [[step]]
        plugin = "./plugins/enrich"
        on_failure = { timeout = "retry", reject = "drop" }
        reads = ["level", "user.*"]
        writes = ["user.segment"]
        may = ["drop"]
        retry_for_s = 60
        isolation = "event"
        limits = { time_ms = 50, memory_mib = 32, output_bytes = 1000, outputs = 2, log_lines = 0 }
        [routes]
        default = "clickstream"
        audit = "audit-stream"
        [input]
        unpack = ["gzip", "kpl"]
        cloudwatch_message = "json"
        on_failure = "drop"
        [document]
        on_failure = "drop"
        id_field = false
        strict = true
        forbid = ["email", "card"]
        [release]
        store = "s3://bucket/prefix"
        channel = "live"
        test_records = false
        "#,
    )
    .expect("it stands in the design");
    let enrich = &pipeline.steps[1];
    assert_eq!((pipeline.steps[0].name.as_str(), enrich.name.as_str()), ("mask", "enrich"));
    assert_eq!(enrich.on_failure.of(FailureKind::Timeout), Policy::Retry);
    assert_eq!(enrich.on_failure.of(FailureKind::Trap), Policy::DeadLetter);
    assert_eq!((enrich.may.drop, enrich.may.route, enrich.isolation), (true, false, Isolation::Event));
    assert_eq!(pipeline.routes[0].stream, "clickstream");
    assert_eq!(pipeline.route("audit"), Some(1));
    assert!(pipeline.document.rules.id_field.is_none() && pipeline.document.rules.strict);
    assert_eq!(pipeline.release.channel.as_deref(), Some("live"));
    assert!(!pipeline.release.test_records);
}

#[test]
fn an_empty_file_is_the_identity() {
    let pipeline = Pipeline::parse("").expect("empty");
    assert!(pipeline.steps.is_empty());
    assert_eq!(pipeline.routes.len(), 1);
    assert_eq!(pipeline.document.rules.id_field.as_deref(), Some("paddle_id"));
    assert!(pipeline.release.test_records);
}

/// A mistake: its line, what is marked there, and the sentence below.
fn told(text: &str) -> (usize, String, String) {
    let told = mistake(text);
    let mut lines = told.lines();
    let mut next = || lines.next().unwrap_or_else(|| panic!("no place in:\n{told}")).to_owned();
    let (place, _, shown, marks) = (next(), next(), next(), next());
    let line = place.strip_prefix("line ").and_then(|rest| rest.split(',').next()?.parse().ok());
    let column = marks.chars().take_while(|&mark| mark != '^').count();
    let marked = shown.chars().skip(column).take(marks.matches('^').count()).collect();
    (line.unwrap_or_else(|| panic!("no line in:\n{told}")), marked, lines.collect::<Vec<_>>().join("\n"))
}

const STEP: &str = "[[step]]\nplugin = \"x\"\n";

#[test]
fn a_mistake_in_a_step_is_told_with_its_line() {
    for (rest, marked, message) in [
        ("limits = { time_ms = 0 }", "0", "time_ms is a number from 1 to 60000"),
        ("limits = { memory_mib = 4097 }", "4097", "memory_mib is a number from 1 to 4096"),
        ("limits = { log_lines = -1 }", "-1", "a whole number, 0 or more is expected, not the number `-1`"),
        ("limits = { outputs = 1.5 }", "1.5", "a whole number, 0 or more is expected, not the number `1.5`"),
        ("limits = { outputs = \"5\" }", "\"5\"", "a whole number, 0 or more is expected, not the text \"5\""),
        ("limits = 5", "5", "a table is expected, not the number `5`"),
        ("retry_for_s = 40000000", "40000000", "retry_for_s is a number from 0 to 31536000"),
        (
            "name = \"\"",
            "\"\"",
            "a step's name must be 1 to 128 printable characters; without one, the plugin's name is used",
        ),
        ("name = 3", "3", "a text in quotes is expected, not the number `3`"),
        ("reads = \"a\"", "\"a\"", "a list in brackets is expected, not the text \"a\""),
        ("reads = [\"ok\", \"a[0]\"]", "\"a[0]\"", "permissions speak of all elements: write [*], not an index"),
        ("writes = [\"a..b\"]", "\"a..b\"", "a part of the path is empty"),
        (
            "writes = [\"a\", \"@partition-key\"]",
            "\"@partition-key\"",
            "the partition key cannot be written: `@partition-key` may stand in `reads` alone",
        ),
        ("may = [\"fly\"]", "\"fly\"", "unknown variant `fly`, expected one of `drop`, `route`, `fan-out`"),
        ("required = \"yes\"", "\"yes\"", "true or false is expected, not the text \"yes\""),
        (
            "required = true\non_failure = \"pass\"",
            "\"pass\"",
            "step `x` is required, so on_failure = \"pass\" would let events by unchanged: choose another policy, or say required = false",
        ),
        (
            "on_failure = { trap = \"drop\", unpack = \"drop\" }",
            "unpack",
            "no step fails with `unpack`: on_failure under [input] decides about it",
        ),
        (
            "on_failure = { forbidden = \"pass\" }",
            "forbidden",
            "no step fails with `forbidden`: on_failure under [document] decides about it",
        ),
        (
            "on_failure = 3",
            "3",
            "a policy (dead-letter, drop, pass, retry) or a table of policies by failure kind is expected, not the number `3`",
        ),
        ("isolation = 3", "3", "a text in quotes is expected"),
        (
            "config = { a = [1, { b = inf }] }",
            "inf",
            "a config is handed on as JSON, which has no inf: write a text in quotes",
        ),
        ("config = { a = -nan }", "-nan", "a config is handed on as JSON, which has no NaN: write a text in quotes"),
        (
            "config = { since = 2026-11-22 }",
            "2026-11-22",
            "a config is handed on as JSON, which has no dates: write a text in quotes",
        ),
        (
            "config = { at = [10:00:00] }",
            "10:00:00",
            "a config is handed on as JSON, which has no dates: write a text in quotes",
        ),
        ("name = 2026-11-22", "2026-11-22", "a text in quotes is expected, not a date or time"),
        ("name = { a = 1 }", "{ a = 1 }", "a text in quotes is expected, not a table"),
    ] {
        told_in_a_step(rest, marked, message);
    }
}

/// Checks what is told of a mistake in the last of some lines of a step.
fn told_in_a_step(rest: &str, marked: &str, message: &str) {
    let line = 2 + rest.lines().count();
    assert_eq!(told(&format!("{STEP}{rest}\n")), (line, marked.into(), message.into()), "{rest}");
}

#[test]
fn files_of_a_step_are_texts_with_names() {
    told_in_a_step("assets = { words = 3 }", "3", "a text in quotes is expected, not the number `3`");
    told_in_a_step("assets = { words = \"\" }", "\"\"", "the path of a file is expected");
    let named = "the name that a file has for the plugin is expected";
    told_in_a_step("assets = { \"\" = \"./words.txt\" }", "\"\"", named);
}

#[test]
fn a_mistake_elsewhere_is_told_with_its_line() {
    let stream = "a delivery stream's name has 1 to 64 letters, digits, `_`, `.` or `-`";
    let route = "a route's name has 1 to 128 characters, none of them `=`, `,` or a blank";
    let field = "a field's name of 1 to 256 letters, digits, `_`, `-` or `@`, no `_` in front, is expected";
    for (text, line, marked, message) in [
        ("[pipeline]\nname = \"a b\"", 2, "\"a b\"", "a pipeline's name has 1 to 128 letters, digits, `-`, `_` or `.`"),
        ("[pipeline]\nrequires = \"0.1\"", 2, "\"0.1\"", "something like \">=0.1\" is expected"),
        ("[pipeline]\nrequires = \">=9.0\"", 2, "\">=9.0\"", "this pipeline requires paddle >=9.0; this is 0.1"),
        ("[[step]]\nplugin = \"\"", 2, "\"\"", "the name of a plugin or the path of one is expected"),
        (
            "[[step]]\nplugin = \"x\"\n[[step]]\nplugin = \"./x.wasm\"",
            4,
            "\"./x.wasm\"",
            "two steps are called `x`: give one of them another `name`",
        ),
        ("[routes]\na = \"x\"\ndefault = \"no spaces\"", 3, "\"no spaces\"", stream),
        ("[routes]\n\"\" = \"x\"", 2, "\"\"", route),
        ("[routes]\n\"a=b\" = \"x\"", 2, "\"a=b\"", route),
        ("[routes]\n\"a,b\" = \"x\"", 2, "\"a,b\"", route),
        ("[routes]\n\"a b\" = \"x\"", 2, "\"a b\"", route),
        ("[routes]\na = 1", 2, "1", "a text in quotes is expected, not the number `1`"),
        (
            "[input]\nunpack = [\"kpl\", \"gzip\", \"kpl\"]",
            2,
            "\"kpl\"",
            "this packing stands in the list already: each is looked for once",
        ),
        ("[document]\nid_field = \"a.b\"", 2, "\"a.b\"", field),
        ("[document]\nrelease_field = \"_r\"", 2, "\"_r\"", field),
        ("[document]\nid_field = true", 2, "true", "the name of a field, or false is expected, not `true`"),
        (
            "[document]\nid_field = \"a\"\nrelease_field = \"a\"",
            3,
            "\"a\"",
            "id_field and release_field are the same field: each needs its own",
        ),
        (
            "[document]\nrelease_field = \"paddle_id\"",
            2,
            "\"paddle_id\"",
            "id_field and release_field are the same field: each needs its own",
        ),
        ("\n\n# ä\n[document]\nid_field = \"ä\"", 5, "\"ä\"", field),
    ] {
        assert_eq!(told(text), (line, marked.into(), message.into()), "{text}");
    }
}

#[test]
fn of_a_long_line_a_part_is_shown() {
    let padding = "p".repeat(5_000);
    let (line, marked, _) = told(&format!("{STEP}config = {{ a = \"{padding}\", b = inf, c = \"{padding}\" }}"));
    assert_eq!((line, marked.as_str()), (3, "inf"));
    assert!(mistake(&format!("{STEP}config = {{ a = \"{padding}\", b = inf }}")).len() < 1_000);
    let (_, marked, _) = told(&format!("{STEP}name = \"{padding}\""));
    assert!(marked.starts_with("\"pp") && marked.len() < 300, "{marked}");
}

#[test]
fn a_config_is_handed_on_as_it_is_written() {
    let text = format!("{STEP}config = {{ a = [1, -2, 1.5, 1.0], b = true, c = {{ d = \"e\" }} }}");
    let pipeline = Pipeline::parse(&text).expect("it is right");
    let expected = serde_json::json!({"a": [1, -2, 1.5, 1.0], "b": true, "c": {"d": "e"}});
    assert_eq!(pipeline.steps[0].config, expected);
}

#[test]
fn any_of_the_three_lists_restricts_a_step() {
    for (rest, restricted, sees_key, drops) in [
        ("", false, true, true),
        ("reads = [\"a\"]", true, false, false),
        ("reads = [\"@partition-key\"]", true, true, false),
        ("writes = [\"a\"]", true, false, false),
        ("may = []", true, false, false),
        ("may = [\"drop\"]", true, false, true),
        ("reads = [\"a\"]\nmay = [\"drop\"]", true, false, true),
    ] {
        let pipeline = Pipeline::parse(&format!("{STEP}{rest}")).unwrap_or_else(|error| panic!("{error}"));
        let step = &pipeline.steps[0];
        let sees = step.scope.as_ref().is_none_or(|scope| scope.sees_partition_key());
        assert_eq!((step.is_restricted(), sees, step.may.drop), (restricted, sees_key, drops), "{rest}");
    }
}

#[test]
fn a_mistake_is_told_with_its_line_and_what_is_known() {
    for (text, parts) in [
        ("[pipline]\nname = 1", &["line 1", "pipline", "pipeline"][..]),
        ("[[step]]\nplugin = \"x\"\nlimit = {}", &["line 3", "unknown field `limit`", "limits"]),
        ("[[step]]\nplugin = \"x\"\non_failure = \"ignore\"", &["line 3", "ignore", "dead-letter"]),
        ("[[step]]\nplugin = \"x\"\non_failure = { timeot = \"drop\" }", &["line 3", "timeot", "timeout"]),
        ("[[step]]\nplugin = \"x\"\non_failure = 3", &["line 3", "a policy"]),
        ("[[step]]\nname = \"x\"", &["line 1", "plugin"]),
        ("[input]\nunpack = [\"zip\"]", &["line 2", "zip", "gzip"]),
        ("[document]\nforbid = [\"phone\"]", &["phone", "email", "iban"]),
    ] {
        let told = mistake(text);
        for part in parts {
            assert!(told.contains(part), "{part:?} is not in:\n{told}");
        }
    }
}

#[test]
fn a_step_with_a_script_says_so_and_files_have_names() {
    let text = "[[step]]\nplugin = \"./plugins/enrich.js\"\nassets = { words = \"./data/words.txt\" }\n\
                [[step]]\nplugin = \"./plugins/score/\"\n[[step]]\nplugin = \"javascript\"\nassets = { script = \"a.js\" }";
    let pipeline = Pipeline::parse(text).expect("a pipeline");
    let [script, folder, runtime] = &pipeline.steps[..] else { panic!("three steps") };
    assert_eq!((script.script(), folder.script(), runtime.script()), (Some("./plugins/enrich.js"), None, None));
    assert_eq!(script.assets["words"], "./data/words.txt");
    assert_eq!(runtime.assets["script"], "a.js");
}
