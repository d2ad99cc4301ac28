//! AWS's answers, as far as they matter here. What is missing in an answer has the value that AWS means by that.

use super::Finding;
use serde::Deserialize;
use std::collections::BTreeMap;

/// All that was read.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) configuration: Configuration,
    /// `ReservedConcurrentExecutions`; none without a reservation.
    pub(super) concurrency: Option<u64>,
    pub(super) mappings: Vec<Mapping>,
    /// By name; none for one that does not exist.
    pub(super) streams: BTreeMap<String, Option<DeliveryStream>>,
    /// What could not be read.
    pub(super) not_checked: Vec<Finding>,
}

/// Of `GetFunctionConfiguration`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Configuration {
    pub(super) function_name: String,
    pub(super) function_arn: String,
    pub(super) runtime: String,
    pub(super) package_type: String,
    pub(super) role: String,
    /// In seconds.
    pub(super) timeout: u64,
    /// In MB.
    pub(super) memory_size: u64,
    pub(super) architectures: Vec<String>,
    pub(super) state: String,
    pub(super) state_reason: String,
    pub(super) last_update_status: String,
    pub(super) last_update_status_reason: String,
    pub(super) environment: Environment,
    pub(super) logging_config: Logging,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Environment {
    pub(super) variables: BTreeMap<String, String>,
    /// Why they cannot be shown.
    pub(super) error: Option<Problem>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Problem {
    pub(super) error_code: String,
    pub(super) message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Logging {
    pub(super) log_format: String,
    pub(super) log_group: String,
}

/// Of `GetFunctionConcurrency`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Concurrency {
    pub(super) reserved_concurrent_executions: Option<u64>,
}

/// Of `ListEventSourceMappings`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct MappingPage {
    pub(super) event_source_mappings: Vec<Mapping>,
    pub(super) next_marker: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Mapping {
    #[serde(rename = "UUID")]
    pub(super) uuid: String,
    pub(super) event_source_arn: String,
    pub(super) state: String,
    pub(super) state_transition_reason: String,
    pub(super) last_processing_result: String,
    pub(super) starting_position: String,
    pub(super) parallelization_factor: Option<u64>,
    pub(super) filter_criteria: Option<Filters>,
    pub(super) destination_config: Option<Destinations>,
    pub(super) maximum_record_age_in_seconds: Option<i64>,
    pub(super) maximum_retry_attempts: Option<i64>,
    pub(super) bisect_batch_on_function_error: Option<bool>,
    pub(super) tumbling_window_in_seconds: Option<u64>,
    pub(super) function_response_types: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Filters {
    pub(super) filters: Vec<Filter>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Filter {
    pub(super) pattern: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Destinations {
    pub(super) on_failure: Option<Destination>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Destination {
    pub(super) destination: Option<String>,
}

/// Of `DescribeDeliveryStream`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Described {
    pub(super) delivery_stream_description: DeliveryStream,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct DeliveryStream {
    #[serde(rename = "DeliveryStreamARN")]
    pub(super) arn: String,
    pub(super) delivery_stream_status: String,
    pub(super) delivery_stream_type: String,
    /// Each under the name of its kind, such as `AmazonopensearchserviceDestinationDescription`.
    pub(super) destinations: Vec<BTreeMap<String, serde_json::Value>>,
}

/// A destination in OpenSearch, of either kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct OpenSearch {
    pub(super) type_name: String,
    pub(super) retry_options: Retries,
    /// `FailedDocumentsOnly` or `AllDocuments`.
    pub(super) s3_backup_mode: String,
    pub(super) s3_destination_description: Option<serde_json::Value>,
    pub(super) processing_configuration: Enabled,
    pub(super) cloud_watch_logging_options: Enabled,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Retries {
    pub(super) duration_in_seconds: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Enabled {
    pub(super) enabled: bool,
}

impl Configuration {
    pub(super) fn architecture(&self) -> &str {
        self.architectures.first().map_or("x86_64", String::as_str)
    }
}

impl Mapping {
    /// For people: the stream's name.
    pub(super) fn stream(&self) -> &str {
        self.event_source_arn.rsplit('/').next().unwrap_or_default()
    }

    pub(super) fn is_kinesis(&self) -> bool {
        self.event_source_arn.split(':').nth(2) == Some("kinesis")
    }

    /// Where batches go that Lambda gives up on.
    pub(super) fn on_failure(&self) -> Option<&str> {
        let destination = self.destination_config.as_ref()?.on_failure.as_ref()?.destination.as_deref();
        destination.filter(|arn| !arn.is_empty())
    }
}
