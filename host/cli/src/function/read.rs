//! Asking AWS for the facts.

use super::facts::{Concurrency, Configuration, DeliveryStream, Described, Facts, MappingPage};
use super::{Finding, Level};
use crate::aws::api::{Api, Call, Refused, Service};
use crate::error::Error;
use anyhow::Context as _;
use serde::de::DeserializeOwned;
use serde_json::json;

/// Pages of mappings that are read: a function has one or a few.
const PAGES_MAX: usize = 20;

/// Reads all there is about a function.
///
/// # Errors
/// [`Error::Outside`] when the function or its mappings cannot be read; what else cannot be is told among the facts.
pub(super) async fn facts(api: &Api, named: &str) -> Result<Facts, Error> {
    let configuration = get(api, &format!("/2015-03-31/functions/{}/configuration", encoded(named))).await?;
    let configuration: Configuration = configuration.map_err(|no| no.error(&format!("read the function `{named}`")))?;
    let mut facts = Facts { configuration, ..Facts::default() };
    match get::<Concurrency>(api, &format!("/2019-09-30/functions/{}/concurrency", encoded(named))).await? {
        Ok(concurrency) => facts.concurrency = concurrency.reserved_concurrent_executions,
        Err(refused) => facts.not_checked.push(not_checked("function", "reserved concurrency", &refused)),
    }
    let mut marker = String::new();
    for _ in 0..PAGES_MAX {
        let path = format!("/2015-03-31/event-source-mappings?FunctionName={}{marker}", encoded(named));
        let page: Result<MappingPage, Refused> = get(api, &path).await?;
        let page = page.map_err(|no| no.error(&format!("list the event source mappings of `{named}`")))?;
        facts.mappings.extend(page.event_source_mappings);
        match page.next_marker.filter(|next| !next.is_empty()) {
            Some(next) => marker = format!("&Marker={}", encoded(&next)),
            None => break,
        }
    }
    delivery_streams(api, &mut facts).await?;
    Ok(facts)
}

async fn delivery_streams(api: &Api, facts: &mut Facts) -> Result<(), Error> {
    let routes = facts.configuration.environment.variables.get("PADDLE_ROUTES").cloned().unwrap_or_default();
    // What is wrong with the variable is told elsewhere.
    let names = routes.split(',').filter_map(|entry| Some(entry.split_once('=')?.1.trim().to_owned()));
    let mut names: Vec<String> = names.filter(|name| !name.is_empty()).collect();
    names.sort();
    names.dedup();
    for name in names {
        match describe(api, &name).await? {
            Ok(stream) => {
                facts.streams.insert(name, Some(stream));
            }
            Err(refused) if refused.is_not_found() => {
                facts.streams.insert(name, None);
            }
            Err(refused) => {
                facts.not_checked.push(not_checked(&format!("delivery stream {name}"), "anything of it", &refused));
            }
        }
    }
    Ok(())
}

async fn describe(api: &Api, name: &str) -> Result<Result<DeliveryStream, Refused>, Error> {
    let headers = vec![
        ("content-type", "application/x-amz-json-1.1".to_owned()),
        ("x-amz-target", "Firehose_20150804.DescribeDeliveryStream".to_owned()),
    ];
    let body = json!({"DeliveryStreamName": name}).to_string();
    let call = Call { service: Service::Firehose, path: "/".into(), post: Some((headers, body)) };
    let described: Result<Described, Refused> = ask(api, &call).await?;
    Ok(described.map(|described| described.delivery_stream_description))
}

async fn get<T: DeserializeOwned>(api: &Api, path: &str) -> Result<Result<T, Refused>, Error> {
    ask(api, &Call { service: Service::Lambda, path: path.to_owned(), post: None }).await
}

async fn ask<T: DeserializeOwned>(api: &Api, call: &Call) -> Result<Result<T, Refused>, Error> {
    let text = match api.call(call).await? {
        Ok(text) => text,
        Err(refused) => return Ok(Err(refused)),
    };
    let read = serde_json::from_str(&text).with_context(|| format!("read AWS's answer to {}", call.path));
    read.map(Ok).map_err(Error::Outside)
}

/// What the caller may not ask.
pub(super) fn not_checked(about: &str, what: &str, refused: &Refused) -> Finding {
    let problem = format!("{what} could not be read: {} ({})", refused.code, refused.message);
    Finding::new(Level::NotChecked, about, problem, "allow these credentials to ask it")
}

/// A part of a path or a query, for a URL.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let encode = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect()
}
