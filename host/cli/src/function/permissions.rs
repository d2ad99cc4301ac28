//! What the function's role may do, by IAM's own simulation of its policies.

use super::facts::Facts;
use super::read::{encoded, not_checked};
use super::{Finding, Findings};
use crate::aws::api::{Api, Call, Service, element};
use crate::error::Error;
use lambda::Settings;

/// What a batch needs of its stream.
const OF_STREAM: [&str; 5] = [
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:ListShards",
];

/// Actions on one resource that the role needs, and what happens without.
struct Need {
    actions: Vec<&'static str>,
    resource: String,
    /// `true`: data is lost without them; else it does not flow.
    loses: bool,
    without: &'static str,
}

pub(super) async fn check(
    api: &Api,
    facts: &Facts,
    settings: Option<&Settings>,
    all: &mut Vec<Finding>,
) -> Result<(), Error> {
    let role = &facts.configuration.role;
    for need in needs(facts, settings) {
        let denied = match api.call(&simulate(role, &need)).await? {
            Ok(answer) => denied(&answer),
            Err(refused) => {
                all.push(not_checked("role", "what it may do", &refused));
                return Ok(());
            }
        };
        if denied.is_empty() {
            continue;
        }
        let mut found = Findings { about: "role".to_owned(), all };
        let problem = format!("{} is not allowed on {}: {}", denied.join(", "), need.resource, need.without);
        let todo = "allow it (deploy/iam/function.json has all that is needed)";
        if need.loses { found.loses(problem, todo) } else { found.blocks(problem, todo) }
    }
    Ok(())
}

fn needs(facts: &Facts, settings: Option<&Settings>) -> Vec<Need> {
    let mut needs = Vec::new();
    let mut need = |actions: &[&'static str], resource: String, loses: bool, without: &'static str| {
        needs.push(Need { actions: actions.to_vec(), resource, loses, without });
    };
    for mapping in facts.mappings.iter().filter(|mapping| mapping.is_kinesis()) {
        need(&OF_STREAM, mapping.event_source_arn.clone(), false, "nothing is read");
        if let Some(destination) = mapping.on_failure() {
            match destination.split(':').nth(2) {
                Some("s3") => need(&["s3:PutObject"], format!("{destination}/*"), true, "what is given up is gone"),
                Some("sqs") => {
                    need(&["sqs:SendMessage"], destination.to_owned(), true, "nobody learns what is given up")
                }
                Some("sns") => need(&["sns:Publish"], destination.to_owned(), true, "nobody learns what is given up"),
                _ => {}
            }
        }
    }
    for stream in facts.streams.values().flatten() {
        need(&["firehose:PutRecordBatch"], stream.arn.clone(), false, "nothing is delivered");
    }
    let partition = facts.configuration.function_arn.split(':').nth(1).filter(|name| !name.is_empty()).unwrap_or("aws");
    let object = |url: &str, below: &str| Some(format!("arn:{partition}:s3:::{}{below}", url.strip_prefix("s3://")?));
    if let Some(letters) = settings.and_then(|settings| object(settings.dead_letters.as_deref()?, "/*")) {
        need(&["s3:PutObject"], letters, false, "a record that cannot be processed blocks its shard");
    }
    if let Some(store) = settings.and_then(|settings| settings.store.as_ref()) {
        if let Some(all) = object(&store.url, "/*") {
            need(&["s3:GetObject"], all, false, "no release is taken");
        }
        if let Some(hosts) = object(&store.url, &format!("/pipelines/{}/hosts/*", store.pipeline)) {
            need(&["s3:PutObject"], hosts, false, "paddle status and --wait know nothing of its hosts");
        }
    }
    needs
}

fn simulate(role: &str, need: &Need) -> Call {
    let mut body = format!("Action=SimulatePrincipalPolicy&Version=2010-05-08&PolicySourceArn={}", encoded(role));
    for (at, action) in need.actions.iter().enumerate() {
        body.push_str(&format!("&ActionNames.member.{}={}", at + 1, encoded(action)));
    }
    body.push_str(&format!("&ResourceArns.member.1={}", encoded(&need.resource)));
    let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
    Call { service: Service::Iam, path: "/".into(), post: Some((headers, body)) }
}

/// The actions that are not allowed.
fn denied(answer: &str) -> Vec<String> {
    let results = answer.split("<EvalActionName>").skip(1);
    let denied = results.filter_map(|result| {
        let (action, rest) = result.split_once("</EvalActionName>")?;
        (element(rest, "EvalDecision") != Some("allowed")).then(|| action.to_owned())
    });
    denied.collect()
}
