//! Findings from AWS's answers: those of a healthy function, with one thing changed at a time.

use super::facts::{Concurrency, Configuration, Described, Facts, MappingPage};
use super::{Level, configuration, mappings, streams, variables};
use pipeline::Pipeline;
use serde_json::{Value, json};

/// AWS's answers about a healthy function, as JSON that a test may change.
struct Answers {
    configuration: Value,
    concurrency: Value,
    mappings: Value,
    stream: Value,
}

fn healthy() -> Answers {
    let read = |text: &str| serde_json::from_str(text).expect("it is JSON");
    Answers {
        configuration: read(include_str!("../../../../tests/data/aws/configuration.json")),
        concurrency: read(include_str!("../../../../tests/data/aws/concurrency.json")),
        mappings: read(include_str!("../../../../tests/data/aws/mappings.json")),
        stream: read(include_str!("../../../../tests/data/aws/delivery-stream.json")),
    }
}

impl Answers {
    fn variable(&mut self, name: &str, value: Option<&str>) {
        let variables = self.configuration["Environment"]["Variables"].as_object_mut().expect("variables");
        match value {
            Some(value) => variables.insert(name.to_owned(), value.into()),
            None => variables.remove(name),
        };
    }

    fn mapping(&mut self) -> &mut Value {
        &mut self.mappings["EventSourceMappings"][0]
    }

    fn destination(&mut self) -> &mut Value {
        &mut self.stream["DeliveryStreamDescription"]["Destinations"][0]["AmazonopensearchserviceDestinationDescription"]
    }

    /// `level about: problem`, without what to do.
    fn findings(&self, pipeline: Option<&Pipeline>) -> Vec<String> {
        fn of<T: serde::de::DeserializeOwned>(answer: &Value) -> T {
            serde_json::from_value(answer.clone()).expect("AWS's shape")
        }
        let mut facts = Facts {
            configuration: of::<Configuration>(&self.configuration),
            concurrency: of::<Concurrency>(&self.concurrency).reserved_concurrent_executions,
            mappings: of::<MappingPage>(&self.mappings).event_source_mappings,
            ..Facts::default()
        };
        let stream = (!self.stream.is_null()).then(|| of::<Described>(&self.stream).delivery_stream_description);
        facts.streams.insert("clicks-prod".into(), stream);
        let mut all = Vec::new();
        configuration::check(&facts, &mut all);
        let settings = variables::check(&facts, &mut all);
        if let (Some(settings), Some(pipeline)) = (&settings, pipeline) {
            variables::check_pipeline(settings, pipeline, &mut all);
        }
        mappings::check(&facts, settings.as_ref(), pipeline, &mut all);
        streams::check(&facts, &mut all);
        let level = |level: Level| match level {
            Level::LosesData => "loses",
            Level::BlocksData => "blocks",
            Level::Look => "look",
            Level::NotChecked => "not checked",
        };
        all.iter().map(|finding| format!("{} {}: {}", level(finding.level), finding.about, finding.problem)).collect()
    }
}

/// One change, and the one finding that it makes.
fn check(change: impl FnOnce(&mut Answers), expected: &str) {
    let mut answers = healthy();
    change(&mut answers);
    let found = answers.findings(None);
    assert!(found.len() == 1 && found[0].contains(expected), "{expected}: {found:#?}");
}

#[test]
fn a_healthy_function_has_no_findings() {
    assert_eq!(healthy().findings(None), [""; 0]);
}

#[test]
fn the_function_is_looked_at() {
    check(|a| a.configuration["Timeout"] = 3.into(), "blocks function: its timeout is 3 s");
    check(|a| a.configuration["Timeout"] = 900.into(), "look function: its timeout is 900 s");
    check(|a| a.configuration["MemorySize"] = 128.into(), "blocks function: it has 128 MB");
    check(|a| a.configuration["Runtime"] = "provided.al2".into(), "its runtime is `provided.al2`");
    check(|a| a.configuration["State"] = "Failed".into(), "its state is Failed");
    check(|a| a.configuration["LastUpdateStatus"] = "Failed".into(), "its last update failed");
    check(|a| a.configuration["LoggingConfig"]["LogFormat"] = "Text".into(), "plain text");
    check(|a| a.concurrency = json!({"ReservedConcurrentExecutions": 0}), "never invoked");
}

#[test]
fn the_mapping_is_looked_at() {
    check(
        |a| a.mapping()["FunctionResponseTypes"] = json!([]),
        "loses mapping of clicks: it lacks ReportBatchItemFailures",
    );
    check(|a| a.mapping()["FunctionResponseTypes"] = Value::Null, "AWS takes that for success");
    check(
        |a| a.mapping()["DestinationConfig"] = Value::Null,
        "loses mapping of clicks: it has no on-failure destination",
    );
    check(
        |a| a.mapping()["DestinationConfig"] = json!({"OnSuccess": {}, "OnFailure": {}}),
        "no on-failure destination",
    );
    check(
        |a| a.mapping()["DestinationConfig"]["OnFailure"]["Destination"] = "arn:aws:sqs:eu-central-1:1:q".into(),
        "look mapping of clicks: arn:aws:sqs:eu-central-1:1:q is notified of what it gives up, without the records",
    );
    check(
        |a| {
            a.mapping()["MaximumRetryAttempts"] = (-1).into();
            a.mapping()["MaximumRecordAgeInSeconds"] = (-1).into();
        },
        "blocks mapping of clicks: it retries for ever",
    );
    check(|a| a.mapping()["MaximumRetryAttempts"] = (-1).into(), "look mapping of clicks: a batch that always fails");
    check(|a| a.mapping()["MaximumRetryAttempts"] = 0.into(), "loses mapping of clicks: it gives up after 0 retries");
    check(|a| a.mapping()["MaximumRecordAgeInSeconds"] = 60.into(), "loses mapping of clicks: it gives up records");
    check(|a| a.mapping()["BisectBatchOnFunctionError"] = false.into(), "BisectBatchOnFunctionError is off");
    check(|a| a.mapping()["TumblingWindowInSeconds"] = 30.into(), "blocks mapping of clicks: it has a tumbling window");
    check(|a| a.mapping()["StartingPosition"] = "LATEST".into(), "started at LATEST");
    check(|a| a.mapping()["ParallelizationFactor"] = 10.into(), "ParallelizationFactor is 10");
    check(|a| a.mapping()["State"] = "Disabled".into(), "blocks mapping of clicks: its state is Disabled");
    check(
        |a| a.mapping()["LastProcessingResult"] = "PROBLEM: Function call failed".into(),
        "it says PROBLEM: Function call failed",
    );
    check(|a| a.mappings["EventSourceMappings"] = json!([]), "blocks function: no event source mapping");
    check(
        |a| {
            let mut other = a.mapping().clone();
            other["EventSourceArn"] = "arn:aws:sqs:eu-central-1:123456789012:queue".into();
            a.mappings["EventSourceMappings"].as_array_mut().expect("mappings").push(other);
        },
        "is not a Kinesis stream",
    );
}

#[test]
fn a_data_filter_is_dangerous_where_records_are_packed() {
    let filtered = |answers: &mut Answers| {
        answers.mapping()["FilterCriteria"] = json!({"Filters": [{"Pattern": "{\"data\":{\"level\":[\"INFO\"]}}"}]});
    };
    check(filtered, "loses mapping of clicks: it filters by `data`");
    let mut answers = healthy();
    filtered(&mut answers);
    let plain = Pipeline::parse("[input]\nunpack = []").expect("a pipeline");
    let found = answers.findings(Some(&plain));
    assert!(found.len() == 1 && found[0].starts_with("look mapping of clicks: it filters by `data`"), "{found:?}");
}

#[test]
fn the_delivery_stream_is_looked_at() {
    check(|a| a.stream = Value::Null, "blocks delivery stream clicks-prod: it does not exist");
    let description = "DeliveryStreamDescription";
    check(|a| a.stream[description]["DeliveryStreamStatus"] = "CREATING".into(), "its status is CREATING");
    check(|a| a.stream[description]["DeliveryStreamType"] = "KinesisStreamAsSource".into(), "it takes no documents");
    check(
        |a| {
            a.stream[description]["Destinations"] =
                json!([{"DestinationId": "1", "ExtendedS3DestinationDescription": {}}])
        },
        "look delivery stream clicks-prod: its destination is not OpenSearch (ExtendedS3)",
    );
    check(
        |a| a.destination()["S3BackupMode"] = Value::String("".into()),
        "loses delivery stream clicks-prod: it keeps no copy",
    );
    check(|a| a.destination()["RetryOptions"]["DurationInSeconds"] = 0.into(), "it tries for 0 s only");
    check(|a| a.destination()["TypeName"] = "_doc".into(), "TypeName is `_doc`");
    check(|a| a.destination()["ProcessingConfiguration"]["Enabled"] = true.into(), "processes records once more");
    check(|a| a.destination()["CloudWatchLoggingOptions"]["Enabled"] = false.into(), "its error log is off");
}

#[test]
fn the_variables_are_read_as_the_function_reads_them() {
    check(
        |a| a.variable("PADDLE_DEAD_LETTERS", None),
        "the function does not start with them: PADDLE_DEAD_LETTERS is not set",
    );
    check(|a| a.variable("PADDLE_ROUTE", Some("x")), "there is no setting PADDLE_ROUTE");
    check(|a| a.variable("PADDLE_DEAD_LETTERS", Some("file:///tmp/x")), "loses variables: PADDLE_DEAD_LETTERS");
    check(
        |a| a.variable("PADDLE_PARTIAL_FAILURES", None),
        "blocks mapping of clicks: PADDLE_PARTIAL_FAILURES is not set",
    );
    check(|a| a.variable("PADDLE_DEADLINE_RESERVE_MS", Some("50000")), "PADDLE_DEADLINE_RESERVE_MS is 50000, of 60000");
    check(|a| a.variable("PADDLE_ROUTES", None), "blocks variables: PADDLE_ROUTES binds no delivery stream");
    let store = |answers: &mut Answers, url| {
        answers.variable("PADDLE_STORE", Some(url));
        answers.variable("PADDLE_PIPELINE", Some("clickstream"));
        answers.variable("PADDLE_ALLOW_UNSIGNED", Some("1"));
    };
    check(|a| store(a, "s3://team-releases/x"), "look variables: PADDLE_ALLOW_UNSIGNED");
    let mut answers = healthy();
    store(&mut answers, "s3://team-dead-letters/x");
    assert_eq!(answers.findings(None).len(), 2);
    check(
        |a| a.configuration["Environment"] = json!({"Error": {"ErrorCode": "AccessDeniedException", "Message": "kms"}}),
        "not checked variables: they cannot be read",
    );
}

#[test]
fn what_the_pipeline_asks_for_must_be_there() {
    let text = "[[step]]\nplugin = \"redact\"\nconfig = { key = { secret = \"salt\" } }\n[routes]\ndefault = \"a\"\nbilling = \"b\"";
    let pipeline = Pipeline::parse(text).expect("a pipeline");
    let mut answers = healthy();
    let found = answers.findings(Some(&pipeline));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].contains("does not bind the route `billing`") && found[1].contains("the secret `salt`"),
        "{found:?}"
    );
    answers.variable("PADDLE_SECRET_SALT", Some("pepper"));
    answers.variable("PADDLE_ROUTES", Some("default=clicks-prod,billing=b"));
    assert_eq!(answers.findings(Some(&pipeline)), [""; 0]);
}
