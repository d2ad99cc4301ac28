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
        ("[document]\nrelease_field = \"_r\"", &["release_field", "letters"]),
        ("[document]\nid_field = \"a\"\nrelease_field = \"a\"", &["each needs its own"]),
        ("[document]\nid_field = true", &["line 2", "the name of a field, or false"]),
        ("[document]\nforbid = [\"phone\"]", &["phone", "email", "iban"]),
        ("[[step]]\nplugin = \"x\"\nlimits = { time_ms = 0 }", &["step `x`", "time_ms = 0", "1 to 60000"]),
        ("[[step]]\nplugin = \"x\"\nreads = [\"a[0]\"]", &["reads", "a[0]", "[*]"]),
        ("[[step]]\nplugin = \"x\"\n[[step]]\nplugin = \"./x.wasm\"", &["two steps are called `x`"]),
        ("[[step]]\nplugin = \"redact\"\non_failure = \"pass\"", &["required", "pass"]),
        ("[pipeline]\nrequires = \">=9.0\"", &["requires paddle >=9.0"]),
        ("[pipeline]\nname = \"a b\"", &["a b", "letters"]),
        ("[routes]\ndefault = \"no spaces here\"", &["default", "no spaces here", "64"]),
    ] {
        let told = mistake(text);
        for part in parts {
            assert!(told.contains(part), "{part:?} is not in:\n{told}");
        }
    }
}
