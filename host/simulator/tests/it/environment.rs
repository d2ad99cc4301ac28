//! One environment: what a function is told, and what becomes of one that fails, hangs, dies or is frozen.

use crate::support::*;
use serde_json::{Value, json};
use simulator::runtime::{Environment, FailureKind, Freeze, Function, Invoked, PAYLOAD_BYTES_MAX, Source, Start};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

async fn ask(environment: &mut Environment, event: Value) -> Invoked {
    environment.invoke(event.to_string().as_bytes()).await.unwrap()
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

#[tokio::test]
async fn an_event_is_answered_by_a_process_that_stays() {
    let mut environment = start(&probe(&[])).await;
    let before_ms = now_ms();
    let first = echo(&mut environment).await;
    let after_ms = now_ms();
    let body = response(&first);
    assert_eq!(body["event"], json!({"do": "echo"}));
    let headers = &body["headers"];
    assert_eq!(headers["lambda-runtime-aws-request-id"], json!(first.request_id));
    assert_eq!(
        headers["lambda-runtime-invoked-function-arn"],
        "arn:aws:lambda:us-east-1:123456789012:function:function"
    );
    let deadline: u64 = headers["lambda-runtime-deadline-ms"].as_str().unwrap().parse().unwrap();
    let timeout_ms = LONG.as_millis() as u64;
    assert!((before_ms + timeout_ms..=after_ms + timeout_ms).contains(&deadline), "{deadline}");
    assert!(headers["lambda-runtime-trace-id"].as_str().unwrap().starts_with("Root=1-"));
    assert_eq!(first.start, Start::Cold { init: environment.init().duration });
    assert_eq!(lines(&first, Source::Stdout), ["init", "do \"echo\""]);
    assert!(first.duration > Duration::ZERO && first.duration < LONG);

    let second = echo(&mut environment).await;
    assert_eq!((second.start, second.process), (Start::Warm, 1));
    assert_ne!(second.request_id, first.request_id);
    assert_eq!(response(&second)["process"], body["process"]);
    assert_eq!(body["process"], json!(environment.process_id()));
    assert_eq!(lines(&second, Source::Stdout), ["do \"echo\""]);
    let memory = environment.memory().unwrap();
    assert!(memory.resident_bytes > 0 && memory.peak_bytes >= memory.resident_bytes);
    environment.shutdown().await;
}

#[tokio::test]
async fn a_function_sees_lambdas_variables_and_its_own_only() {
    let folder = Folder::new("variables");
    let mut function = probe(&[("PATH", "/opt/mine"), ("COLOUR", "blue")]);
    function.name = "clicks".to_owned();
    function.scratch = Some(folder.0.clone());
    let mut environment = start(&function).await;
    let seen = response(&ask(&mut environment, json!({"do": "env"})).await);
    let names: Vec<_> = seen.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "COLOUR",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "LANG",
        "PATH",
        "TMPDIR",
        "TZ",
        "_HANDLER",
    ];
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    assert_eq!([&seen["PATH"], &seen["COLOUR"]], ["/opt/mine", "blue"]);
    assert_eq!(seen["AWS_LAMBDA_LOG_GROUP_NAME"], "/aws/lambda/clicks");
    assert_eq!(seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "1769");
    assert_eq!(seen["TMPDIR"], json!(folder.0.join("1")));
    let stream = seen["AWS_LAMBDA_LOG_STREAM_NAME"].as_str().unwrap();
    assert!(stream.contains("/[$LATEST]") && stream.len() == "2026/12/31/[$LATEST]".len() + 32, "{stream}");
}

#[tokio::test]
async fn what_lambda_refuses_to_configure_is_refused() {
    let refused = async |function: Function| match Environment::start(&function).await {
        Ok(_) => panic!("started"),
        Err(error) => format!("{error:#}"),
    };
    let long = "x".repeat(4096);
    assert!(refused(probe(&[("AWS_REGION", "eu-west-1")])).await.contains("AWS_REGION"));
    assert!(refused(probe(&[("A", &long)])).await.contains("4097 bytes"));
    assert!(refused(Function { timeout: Duration::from_secs(901), ..probe(&[]) }).await.contains("900 seconds"));
    assert!(refused(Function::new("/no/such/program")).await.contains("/no/such/program"));
    let mut environment = start(&probe(&[])).await;
    let error = environment.invoke(&vec![b' '; PAYLOAD_BYTES_MAX + 1]).await.unwrap_err();
    assert!(error.to_string().contains("6291557 bytes"), "{error}");
}

#[tokio::test]
async fn a_reported_error_is_passed_on_and_the_process_stays() {
    let mut environment = start(&probe(&[])).await;
    let invoked = ask(&mut environment, json!({"do": "fail"})).await;
    let failure = failure(&invoked);
    assert_eq!((failure.kind, failure.during_init), (FailureKind::Reported, false));
    assert_eq!((failure.error_type.as_str(), failure.message.as_str()), ("Probe.Asked", "as asked"));
    assert!(invoked.outcome.clone().into_result().unwrap_err().contains("stackTrace"));
    assert_eq!(lines(&invoked, Source::Stdout), ["init", "do \"fail\"", "error: 202"]);
    assert_eq!(echo(&mut environment).await.start, Start::Warm);
}

#[tokio::test]
async fn a_process_that_ends_fails_its_invocation_and_the_next_one_starts_another() {
    let mut environment = start(&probe(&[])).await;
    let ends = [
        (json!({"do": "exit", "code": 7}), "Runtime exited with error: exit status 7"),
        (json!({"do": "exit", "code": 0}), "Runtime exited without providing a reason"),
        (json!({"do": "abort"}), "Runtime exited with error: signal: aborted"),
        (json!({"do": "exit-after"}), "Runtime exited without providing a reason"),
    ];
    for (process, (event, how)) in (1..).zip(ends) {
        let invoked = ask(&mut environment, event).await;
        let failure = failure(&invoked);
        assert_eq!((failure.kind, failure.error_type.as_str()), (FailureKind::Exited, "Runtime.ExitError"));
        let message = format!("RequestId: {} Error: {how}", invoked.request_id);
        assert_eq!(failure.message, message);
        assert_eq!((lines(&invoked, Source::Platform), invoked.process), (vec![message.as_str()], process));
        assert_eq!(environment.process_id(), None);
        if process > 1 {
            assert!(matches!(invoked.start, Start::InInvocation { init } if init <= invoked.duration));
        }
    }
    assert!(matches!(echo(&mut environment).await.start, Start::InInvocation { .. }));
    assert_eq!(echo(&mut environment).await.start, Start::Warm);
    assert_eq!(environment.processes(), 5);
}

#[tokio::test]
async fn a_process_past_its_deadline_is_killed_with_its_children() {
    let mut environment = start(&probe(&[])).await;
    let child = response(&ask(&mut environment, json!({"do": "child"})).await).as_u64().unwrap() as u32;
    let process = environment.process_id().unwrap();
    assert!(lives(process) && lives(child));
    for event in [br#"{"do":"hang"}"#.as_slice(), br#"{"do":"hang-after"}"#] {
        let invoked = environment.invoke_within(event, SHORT).await.unwrap();
        let failure = failure(&invoked);
        assert_eq!((failure.kind, failure.error_type.as_str()), (FailureKind::TimedOut, "Sandbox.Timedout"));
        assert!(failure.message.ends_with("Error: Task timed out after 0.30 seconds"), "{}", failure.message);
        let platform = lines(&invoked, Source::Platform);
        assert!(platform.len() == 1 && platform[0].ends_with("Task timed out after 0.30 seconds"), "{platform:?}");
        assert!(invoked.duration >= SHORT);
    }
    assert!(!lives(process));
    eventually(|| !lives(child));
    assert!(matches!(echo(&mut environment).await.start, Start::InInvocation { .. }));
}

#[tokio::test]
async fn an_invocation_that_is_given_up_ends_its_process() {
    let mut environment = start(&probe(&[])).await;
    let process = environment.process_id().unwrap();
    let hanging = environment.invoke(br#"{"do":"hang"}"#);
    assert!(tokio::time::timeout(SHORT, hanging).await.is_err());
    assert!(matches!(echo(&mut environment).await.start, Start::InInvocation { .. }));
    assert!(!lives(process));
    environment.crash().await;
    assert_eq!(environment.process_id(), None);
    assert!(matches!(echo(&mut environment).await.start, Start::InInvocation { .. }));
}

#[tokio::test]
async fn an_init_error_is_reported_and_init_repeated_inside_the_first_invocation() {
    for (mode, kind, error_type) in
        [("error", FailureKind::Reported, "Probe.Init"), ("exit", FailureKind::Exited, "Runtime.ExitError")]
    {
        let mut environment = start(&probe(&[("PROBE_INIT", mode)])).await;
        let first = environment.init().failure.clone().unwrap();
        assert_eq!((first.kind, first.during_init, first.error_type.as_str()), (kind, true, error_type));
        let log: Vec<_> = environment.log().into_iter().map(|line| line.text).collect();
        let report = log.last().unwrap();
        assert!(report.starts_with("INIT_REPORT Init Duration: "), "{log:?}");
        assert!(report.ends_with(&format!("Phase: init\tStatus: error\tError Type: {error_type}")), "{log:?}");

        let invoked = echo(&mut environment).await;
        let failure = failure(&invoked);
        assert_eq!((failure.kind, failure.during_init), (kind, true));
        assert!(matches!(invoked.start, Start::InInvocation { .. }));
        assert_eq!((invoked.process, environment.process_id()), (2, None));
        assert_eq!(mode == "error", lines(&invoked, Source::Stdout).contains(&"init error: 202"));
    }
}

#[tokio::test]
async fn an_init_over_the_limit_is_repeated_with_the_functions_timeout() {
    let folder = Folder::new("init-limit");
    let mut function = probe(&[("PROBE_INIT", "hang-once")]);
    function.init_limit = SHORT;
    function.scratch = Some(folder.0.clone());
    // The first process may be slow to come to its hanging; its mark tells that it did.
    let mut environment = start(&function).await;
    let init = environment.init().clone();
    assert_eq!(init.failure.map(|failure| failure.kind), Some(FailureKind::TimedOut));
    assert!(init.duration >= SHORT);
    assert!(environment.log().last().unwrap().text.ends_with("Phase: init\tStatus: timeout"));
    std::fs::write(folder.0.join("1/hung"), "").unwrap();
    let invoked = echo(&mut environment).await;
    response(&invoked);
    assert!(matches!(invoked.start, Start::InInvocation { init } if init <= invoked.duration));

    let mut environment = start(&Function { init_limit: SHORT, ..probe(&[("PROBE_INIT", "hang")]) }).await;
    let invoked = environment.invoke_within(b"{}", SHORT).await.unwrap();
    let failure = failure(&invoked);
    assert_eq!((failure.kind, failure.during_init), (FailureKind::TimedOut, true));
    assert!(invoked.duration >= SHORT);
}

#[tokio::test]
async fn a_frozen_process_does_nothing_at_all() {
    for freeze in [Freeze::AfterNext, Freeze::AfterResponse] {
        let mut environment = start(&Function { freeze, ..probe(&[("PROBE_TICKS", "1")]) }).await;
        for invocation in 0..3 {
            let invoked = echo(&mut environment).await;
            assert_eq!(invoked.start.is_cold(), invocation == 0);
            let ticks = environment.log().len();
            environment.idle(SHORT).await;
            assert_eq!(environment.log().len(), ticks, "{freeze:?}");
        }
        let process = environment.process_id().unwrap();
        drop(environment);
        eventually(|| !lives(process));
    }
}

#[tokio::test]
async fn a_process_that_is_never_frozen_goes_on() {
    let mut environment = start(&Function { freeze: Freeze::Never, ..probe(&[("PROBE_TICKS", "1")]) }).await;
    echo(&mut environment).await;
    let ticks = environment.log().len();
    eventually(|| environment.log().len() > ticks);
    assert_eq!(echo(&mut environment).await.start, Start::Warm);
}

#[tokio::test]
async fn responses_up_to_6_mb_are_taken() {
    let mut environment = start(&probe(&[])).await;
    let invoked = ask(&mut environment, json!({"do": "large", "bytes": PAYLOAD_BYTES_MAX})).await;
    assert_eq!(invoked.outcome.clone().into_result().unwrap().len(), PAYLOAD_BYTES_MAX);
    for bytes in [PAYLOAD_BYTES_MAX + 1, 8 << 20] {
        let invoked = ask(&mut environment, json!({"do": "large", "bytes": bytes})).await;
        let failure = failure(&invoked);
        assert_eq!(failure.kind, FailureKind::ResponseTooLarge);
        let message = "exceeded maximum allowed payload size (6291556 bytes).";
        assert!(failure.message.starts_with(&format!("Response payload size ({bytes} bytes)")), "{}", failure.message);
        assert!(failure.message.ends_with(message));
        let answer = r#"large: 413 {"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}"#;
        assert_eq!(lines(&invoked, Source::Stdout).last(), Some(&answer));
    }
    assert_eq!(echo(&mut environment).await.start, Start::Warm);
}

#[tokio::test]
async fn a_runtime_that_breaks_the_rules_is_told_so() {
    let mut environment = start(&probe(&[])).await;
    let not_allowed = |from: &str, to: &str| {
        format!("State transition from {from} to {to} failed for runtime. Error: State transition is not allowed")
    };
    let invoked = ask(&mut environment, json!({"do": "break-rules", "twice": true})).await;
    assert_eq!(
        response(&invoked),
        json!([
            [403, "InvalidStateTransition", not_allowed("Running", "InitError")],
            [400, "InvalidRequestID", "Invalid request ID"],
            [404, null, null],
            [405, null, null],
            [200, true],
        ])
    );
    assert_eq!(lines(&invoked, Source::Stdout).last(), Some(&"twice: 403"));
}

#[tokio::test]
async fn every_line_before_the_response_is_there() {
    let mut environment = start(&probe(&[])).await;
    for _ in 0..5 {
        let invoked = ask(&mut environment, json!({"do": "say", "lines": 20_000})).await;
        let said = lines(&invoked, Source::Stdout);
        let begin = said.iter().position(|line| *line == "line 0").unwrap();
        assert_eq!(said.len(), begin + 20_000);
        assert_eq!(said.last(), Some(&"line 19999"));
        // A line that has not ended is none.
        assert_eq!(lines(&invoked, Source::Stderr), Vec::<&str>::new());
    }
    let ended = ask(&mut environment, json!({"do": "exit", "code": 1})).await;
    assert_eq!(lines(&ended, Source::Stderr), ["no newline".repeat(5)]);
}

/// Names the freezing for the process in which [`holds_an_environment`] is to do something.
const INNER: &str = "SIMULATOR_TEST_INNER";

#[tokio::test]
async fn holds_an_environment() {
    let freeze = match std::env::var(INNER).as_deref() {
        Ok("frozen") => Freeze::AfterNext,
        Ok("running") => Freeze::Never,
        _ => return,
    };
    let environment = start(&Function { freeze, ..probe(&[]) }).await;
    // Not by a macro: those are captured.
    writeln!(std::io::stderr(), "process {}", environment.process_id().unwrap()).unwrap();
    std::future::pending::<()>().await;
}

#[test]
fn no_process_outlives_a_simulator_that_was_killed() {
    for inner in ["frozen", "running"] {
        let mut simulator = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "environment::holds_an_environment", "--nocapture"])
            .env(INNER, inner)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(simulator.stderr.take().unwrap()).lines().map(Result::unwrap);
        let process = lines.find_map(|line| line.strip_prefix("process ")?.parse().ok()).unwrap();
        assert!(lives(process));
        simulator.kill().unwrap();
        simulator.wait().unwrap();
        eventually(|| !lives(process));
    }
}
