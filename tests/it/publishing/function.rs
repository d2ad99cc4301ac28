//! `check --function` against recorded answers of AWS's APIs, in `tests/data/aws`.

use super::Desk;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Answers to requests: a status, headers and a body. By the method and path, or the target of a JSON call.
type Answers = BTreeMap<&'static str, (u16, &'static str, String)>;

/// A server that gives recorded answers for as long as the process lives, and keeps what was asked.
struct Aws {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

fn recorded(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/aws").join(name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

const CONFIGURATION: &str = "GET /2015-03-31/functions/clicks/configuration";
const CONCURRENCY: &str = "GET /2019-09-30/functions/clicks/concurrency";
const MAPPINGS: &str = "GET /2015-03-31/event-source-mappings?FunctionName=clicks";
const DESCRIBE: &str = "Firehose_20150804.DescribeDeliveryStream";
const SIMULATE: &str = "Action=SimulatePrincipalPolicy";

fn healthy() -> Answers {
    [
        (CONFIGURATION, "configuration.json"),
        (CONCURRENCY, "concurrency.json"),
        (MAPPINGS, "mappings.json"),
        (DESCRIBE, "delivery-stream.json"),
        (SIMULATE, "permissions.xml"),
    ]
    .into_iter()
    .map(|(asked, file)| (asked, (200, "", recorded(file))))
    .collect()
}

impl Aws {
    fn start(answers: Answers) -> Aws {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let _ = connection.map(|connection| serve(connection, &answers, &kept));
            }
        });
        Aws { url, asked }
    }

    fn desk(&self) -> Desk {
        let mut desk = Desk::without_key();
        for (name, value) in [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_ENDPOINT_URL", &self.url),
        ] {
            desk.set(name, value);
        }
        desk
    }
}

/// One request a connection.
fn serve(mut connection: TcpStream, answers: &Answers, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let (mut head, mut line) = (Vec::new(), String::new());
    while reader.read_line(&mut line)? > 2 {
        head.push(std::mem::take(&mut line).trim_end().to_owned());
    }
    let header = |name: &str| {
        let named = |line: &&String| line.to_ascii_lowercase().starts_with(&format!("{name}: "));
        head.iter().find(named).map(|line| line[name.len() + 2..].to_owned())
    };
    let mut body = vec![0; header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let path = head.first().and_then(|first| first.rsplit_once(" HTTP")).map_or("", |(path, _)| path).to_owned();
    let key = header("x-amz-target")
        .unwrap_or_else(|| body.split('&').next().filter(|first| !first.is_empty()).unwrap_or(&path).to_owned());
    let signature = header("authorization").unwrap_or_default();
    asked.lock().expect("no test panics here").push(format!("{key} {signature} {body}"));
    let missing = (
        404,
        "x-amzn-errortype: ResourceNotFoundException:http://x/\r\n",
        "{\"Type\":\"User\",\"Message\":\"Function not found\"}".to_owned(),
    );
    let (status, headers, text) = answers.get(key.as_str()).unwrap_or(&missing);
    let length = text.len();
    write!(connection, "HTTP/1.1 {status} x\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{text}")
}

fn findings(told: &Value) -> Vec<String> {
    let findings = told["findings"].as_array().expect("a list");
    findings
        .iter()
        .map(|finding| format!("{} {}: {}", finding["level"], finding["about"], finding["problem"]))
        .collect()
}

#[test]
fn a_healthy_function_is_said_to_be_one() {
    let aws = Aws::start(healthy());
    let desk = aws.desk();
    let told = desk.json(&["check", "--function", "clicks", "--strict"]);
    assert_eq!(findings(&told), [""; 0]);
    assert_eq!(told["delivery_streams"], serde_json::json!(["audit-prod", "clicks-prod"]));
    let text = desk.ok(&["check", "--function", "clicks"]);
    assert!(text.contains("clicks: provided.al2023, x86_64, 60 s, 1769 MB, 1 mapping, 2 delivery streams"), "{text}");
    assert!(text.contains("nothing here loses or blocks data"), "{text}");
    let asked = aws.asked.lock().expect("no test panics here").join("\n");
    for words in [
        "Credential=AKIDEXAMPLE/",
        "/eu-central-1/lambda/aws4_request",
        "/eu-central-1/firehose/aws4_request",
        "/us-east-1/iam/aws4_request",
        "x-amz-security-token",
        "PolicySourceArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fclicks",
        "ActionNames.member.1=kinesis%3AGetRecords",
        "ResourceArns.member.1=arn%3Aaws%3As3%3A%3A%3Ateam-dead-letters%2Fdead-letters%2F%2A",
        "{\"DeliveryStreamName\":\"clicks-prod\"}",
    ] {
        assert!(asked.contains(words), "{words}: {asked}");
    }
    assert!(!asked.contains("secret"), "the secret leaves the machine");
}

#[test]
fn what_loses_or_blocks_data_is_named() {
    let mut answers = healthy();
    let mappings = recorded("mappings.json")
        .replace("[\"ReportBatchItemFailures\"]", "[]")
        .replace("\"MaximumRetryAttempts\": 100", "\"MaximumRetryAttempts\": -1");
    answers.insert(MAPPINGS, (200, "", mappings));
    answers.insert(DESCRIBE, (400, "", "{\"__type\":\"ResourceNotFoundException\",\"message\":\"Firehose clicks-prod under account 123456789012 not found.\"}".into()));
    let denied = recorded("permissions.xml").replace("<EvalDecision>allowed", "<EvalDecision>implicitDeny");
    answers.insert(SIMULATE, (200, "", denied));
    let aws = Aws::start(answers);
    let desk = aws.desk();
    let ran = desk.run(&["check", "--function", "clicks", "--format", "json"]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    let found = findings(&serde_json::from_str(&ran.out).expect("JSON"));
    for words in [
        "\"loses-data\" \"mapping of clicks\": \"it lacks ReportBatchItemFailures",
        "\"look\" \"mapping of clicks\": \"a batch that always fails",
        "\"blocks-data\" \"delivery stream clicks-prod\": \"it does not exist",
        "is not allowed on arn:aws:kinesis:eu-central-1:123456789012:stream/clicks",
    ] {
        assert!(found.iter().any(|finding| finding.contains(words)), "{words}: {found:#?}");
    }
    assert!(found[0].starts_with("\"loses-data\""), "the worst comes first: {found:#?}");
    let text = desk.run(&["check", "--function", "clicks"]).out;
    assert!(
        text.contains("loses data   mapping of clicks: it lacks") && text.contains("set FunctionResponseTypes to"),
        "{text}"
    );
}

#[test]
fn what_may_not_be_asked_is_told() {
    let denied = "{\"__type\":\"AccessDeniedException\",\"message\":\"User is not authorized to perform: firehose:DescribeDeliveryStream\"}";
    let mut answers = healthy();
    answers.insert(DESCRIBE, (400, "", denied.into()));
    answers.insert(
        SIMULATE,
        (
            403,
            "",
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>".into(),
        ),
    );
    let aws = Aws::start(answers.clone());
    let told = aws.desk().json(&["check", "--function", "clicks"]);
    let found = findings(&told);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found.iter().all(|finding| finding.starts_with("\"not-checked\"")), "{found:#?}");

    // Without the function itself there is nothing to say.
    answers.insert(CONFIGURATION, (403, "x-amzn-errortype: AccessDeniedException\r\n", "{\"Message\":\"no\"}".into()));
    Aws::start(answers.clone()).desk().fails(
        &["check", "--function", "clicks"],
        4,
        "allow these credentials to ask it",
    );
    answers.insert(CONFIGURATION, (403, "x-amzn-errortype: ExpiredTokenException\r\n", "{\"message\":\"old\"}".into()));
    Aws::start(answers.clone()).desk().fails(&["check", "--function", "clicks"], 4, "expired: sign in again");
    let desk = Aws::start(answers).desk();
    desk.fails(
        &["check", "--function", "other"],
        4,
        "read the function `other`: AWS answers ResourceNotFoundException",
    );
}

#[test]
fn the_function_s_own_store_is_read_with_its_own_keys() {
    let publisher = Desk::new();
    publisher.publish();
    let mut configuration: Value = serde_json::from_str(&recorded("configuration.json")).expect("JSON");
    let variables = &mut configuration["Environment"]["Variables"];
    variables["PADDLE_STORE"] = format!("file://{}", publisher.store().display()).into();
    variables["PADDLE_PIPELINE"] = "clickstream".into();
    variables["PADDLE_TRUSTED_KEYS"] = publisher.public.clone().into();
    variables["PADDLE_ROUTES"] = "default=clicks-prod".into();
    let mut answers = healthy();
    answers.insert(CONFIGURATION, (200, "", configuration.to_string()));
    let ran = Aws::start(answers.clone()).desk().run(&["check", "--function", "clicks"]);
    assert!(
        ran.code == 1 && ran.out.contains("PADDLE_ROUTES does not bind the route `audit` of pipeline `clickstream`"),
        "{ran:#?}"
    );
    assert!(ran.out.contains("PADDLE_STORE is file:///"), "{ran:#?}");
    // Another key than the one that signed.
    configuration["Environment"]["Variables"]["PADDLE_TRUSTED_KEYS"] = Desk::new().public.into();
    answers.insert(CONFIGURATION, (200, "", configuration.to_string()));
    let ran = Aws::start(answers).desk().run(&["check", "--function", "clicks"]);
    assert!(ran.code == 1 && ran.out.contains("blocks data  channel live: "), "{ran:#?}");
    assert!(ran.out.contains("add the key to PADDLE_TRUSTED_KEYS"), "{ran:#?}");
}
