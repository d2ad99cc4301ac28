//! Settings: defaults that fit the function, and mistakes told with what to do.

use super::{Secrets, Settings};
use crate::log::{Format, Level};
use std::collections::BTreeMap;
use std::time::Duration;

fn read(variables: &[(&str, &str)]) -> anyhow::Result<Settings> {
    let variables: BTreeMap<_, _> =
        variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Settings::read(&variables)
}

#[test]
fn defaults_follow_the_memory() {
    for (mib, workers, window_mib) in
        [("128", 1, 32), ("1769", 1, 442), ("1770", 2, 442), ("10240", 6, 2560), ("x", 1, 442)]
    {
        let settings = read(&[("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", mib)]).unwrap();
        assert_eq!((settings.workers, settings.window_bytes >> 20), (workers, window_mib), "{mib}");
    }
    let settings = Settings::default();
    assert!(!settings.partial_failures && !settings.on_lambda && settings.dead_letters.is_none());
    assert_eq!((settings.log_format, settings.log_level), (Format::Text, Level::Info));
}

#[test]
fn everything_set_is_read() {
    let settings = read(&[
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_LOG_LEVEL", "warn"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("PADDLE_ROUTES", "default=clicks-prod, audit = audit-prod,"),
        ("PADDLE_DEAD_LETTERS", "s3://bucket/dead/"),
        ("PADDLE_WORKERS", "3"),
        ("PADDLE_DEADLINE_RESERVE_MS", "250"),
        ("PADDLE_DELIVERY_CONCURRENCY", "1"),
        ("PADDLE_PARTIAL_FAILURES", "reported"),
        ("PADDLE_WINDOW_MIB", "16"),
        ("PADDLE_LOG_GUEST_TEXT", "0"),
        ("PADDLE_SECRET_REDACT_KEY", "hush"),
    ])
    .unwrap();
    assert_eq!(settings.config.to_str(), Some("/var/task/paddle.toml"));
    assert_eq!(settings.routes["audit"], "audit-prod");
    assert_eq!(settings.dead_letters.as_deref(), Some("s3://bucket/dead"));
    assert_eq!((settings.workers, settings.delivery_concurrency, settings.log_guest_text), (3, 1, 0));
    assert_eq!((settings.deadline_reserve, settings.window_bytes), (Duration::from_millis(250), 16 << 20));
    assert!(settings.partial_failures && settings.on_lambda);
    assert_eq!((settings.log_format, settings.log_level), (Format::Json, Level::Warn));
    assert_eq!(settings.secrets.get("redact-key").as_deref(), Ok("hush"));
    assert!(!format!("{settings:?}").contains("hush"));
}

#[test]
fn the_journal_of_one_function_is_found_again_and_of_no_other() {
    let lambda = [("AWS_LAMBDA_RUNTIME_API", "x"), ("PADDLE_DEAD_LETTERS", "file:///a"), ("TMPDIR", "/scratch")];
    let folder = |more: &[(&str, &str)]| read(&[&lambda[..], more].concat()).unwrap().journal;
    let own = folder(&[("AWS_LAMBDA_FUNCTION_NAME", "one"), ("AWS_LAMBDA_LOG_STREAM_NAME", "a")]).unwrap();
    assert!(own.parent().unwrap().ends_with("scratch"), "{}", own.display());
    for (more, is_same) in [
        (&[("AWS_LAMBDA_FUNCTION_NAME", "one"), ("AWS_LAMBDA_LOG_STREAM_NAME", "b")][..], true),
        (&[("AWS_LAMBDA_FUNCTION_NAME", "other")], false),
        (&[("AWS_LAMBDA_FUNCTION_NAME", "one"), ("PADDLE_DEAD_LETTERS", "file:///b")], false),
        (&[("AWS_LAMBDA_FUNCTION_NAME", "one"), ("LAMBDA_TASK_ROOT", "/elsewhere")], false),
    ] {
        assert_eq!(folder(more).unwrap() == own, is_same, "{more:?}");
    }
    assert_eq!(folder(&[("PADDLE_JOURNAL", "off")]), None);
    assert_eq!(folder(&[("PADDLE_JOURNAL", "/a folder")]), Some("/a folder".into()));
    assert_eq!(read(&[]).unwrap().journal, None, "nobody starts another process on a laptop");
}

#[test]
fn a_mistake_is_told_with_what_to_do() {
    for (variables, parts) in [
        (&[("PADDLE_WORKER", "1")][..], &["PADDLE_WORKER;", "PADDLE_WORKERS"][..]),
        (&[("PADDLE_WORKERS", "0")], &["PADDLE_WORKERS", "`0`", "1 to 64"]),
        (&[("PADDLE_JOURNAL", "on")], &["PADDLE_JOURNAL", "`on`", "`off`"]),
        (&[("PADDLE_WINDOW_MIB", "much")], &["`much`", "number"]),
        (&[("PADDLE_STORE", "s3://x")], &["PADDLE_STORE", "name the pipeline in PADDLE_PIPELINE"]),
        (&[("PADDLE_PIPELINE", "clicks")], &["without PADDLE_STORE"]),
        (&[("PADDLE_PARTIAL_FAILURES", "yes")], &["`reported`", "ReportBatchItemFailures"]),
        (&[("PADDLE_ROUTES", "clicks")], &["`clicks`", "route=delivery-stream"]),
        (&[("PADDLE_ROUTES", "default=arn:aws:firehose:x")], &["no ARN"]),
        (&[("PADDLE_ROUTES", "a=b,a=c")], &["`a` twice"]),
        (&[("PADDLE_DEAD_LETTERS", "/tmp/x")], &["s3://bucket/prefix", "file:///"]),
        (&[("AWS_LAMBDA_RUNTIME_API", "x")], &["PADDLE_DEAD_LETTERS", "not set"]),
    ] {
        let told = read(variables).expect_err("a mistake").to_string();
        for part in parts {
            assert!(told.contains(part), "{part:?} is not in {told:?}");
        }
    }
}

#[test]
fn a_missing_secret_names_its_variable_and_nothing_else() {
    let arn = "arn:aws:secretsmanager:eu-west-1:1:secret:x";
    let settings = read(&[("PADDLE_SECRET_B", arn)]).unwrap();
    assert_eq!(settings.secrets.get("a.b-c").unwrap_err(), "set PADDLE_SECRET_A_B_C to its value");
    assert!(settings.secrets.get("b").unwrap_err().contains("only the function reads"));
    assert!(settings.secrets.is_elsewhere("b") && !settings.secrets.is_elsewhere("a.b-c"));
    assert_eq!(Secrets::variable("redact-key"), "PADDLE_SECRET_REDACT_KEY");
}
