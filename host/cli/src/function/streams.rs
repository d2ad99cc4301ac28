//! The delivery streams: whether they take documents, bring them to OpenSearch, and keep what OpenSearch refuses.

use super::facts::{DeliveryStream, Facts, OpenSearch};
use super::{Finding, Findings};

/// In seconds: shorter than a restart of a domain's nodes.
const RETRY_MIN: u64 = 60;

/// How a destination in OpenSearch is called: a domain's, its old name, a collection's.
const OPENSEARCH: [&str; 3] = [
    "AmazonopensearchserviceDestinationDescription",
    "ElasticsearchDestinationDescription",
    "AmazonOpenSearchServerlessDestinationDescription",
];

pub(super) fn check(facts: &Facts, all: &mut Vec<Finding>) {
    for (name, stream) in &facts.streams {
        let mut found = Findings { about: format!("delivery stream {name}"), all };
        match stream {
            Some(stream) => of_stream(stream, &mut found),
            None => found.blocks("it does not exist in this region", "make it, or correct PADDLE_ROUTES"),
        }
    }
}

fn of_stream(stream: &DeliveryStream, found: &mut Findings<'_>) {
    if stream.delivery_stream_status != "ACTIVE" {
        found.blocks(format!("its status is {}", stream.delivery_stream_status), "wait for ACTIVE, or make it anew");
    }
    if stream.delivery_stream_type != "DirectPut" {
        found.blocks(
            format!("its source is {}: it takes no documents", stream.delivery_stream_type),
            "use one with DirectPut",
        );
    }
    let opensearch = stream.destinations.iter().find_map(|destination| {
        let found = OPENSEARCH.iter().find_map(|kind| destination.get(*kind))?;
        serde_json::from_value::<OpenSearch>(found.clone()).ok()
    });
    let Some(opensearch) = opensearch else {
        let kinds = stream.destinations.iter().flat_map(|destination| destination.keys());
        let kinds: Vec<&str> = kinds.filter_map(|kind| kind.strip_suffix("DestinationDescription")).collect();
        let kinds = if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") };
        return found.look(
            format!("its destination is not OpenSearch ({kinds}): documents are checked for OpenSearch"),
            "make sure that this is meant",
        );
    };
    of_opensearch(&opensearch, found);
}

fn of_opensearch(destination: &OpenSearch, found: &mut Findings<'_>) {
    let backs_up = matches!(destination.s3_backup_mode.as_str(), "FailedDocumentsOnly" | "AllDocuments");
    if !backs_up || destination.s3_destination_description.is_none() {
        found.loses(
            "it keeps no copy of documents that OpenSearch refuses: they are gone",
            "set S3BackupMode to FailedDocumentsOnly, with a bucket",
        );
    }
    // AWS's default is 300.
    let retry = destination.retry_options.duration_in_seconds.unwrap_or(300);
    if retry < RETRY_MIN {
        found.loses(
            format!("it tries for {retry} s only: documents miss the index in any restart of the domain"),
            "set RetryOptions.DurationInSeconds to 300",
        );
    }
    if destination.processing_configuration.enabled {
        found.look("it processes records once more: what it makes of them is not checked", "switch that off");
    }
    if !destination.type_name.is_empty() {
        found.look(
            format!("TypeName is `{}`: OpenSearch 2 and later refuse types", destination.type_name),
            "leave it empty",
        );
    }
    if !destination.cloud_watch_logging_options.enabled {
        found.look("its error log is off: nobody sees what OpenSearch refuses", "switch CloudWatchLoggingOptions on");
    }
}
