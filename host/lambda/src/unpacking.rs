//! `unpack` in the pipeline's words: its settings, what it noticed, and what it refused. For the handler and for
//! `paddle`.

use bytes::Bytes;
use pipeline::settings::Unpack;
use pipeline::{Failure, FailureKind, InputNotes, Pipeline};
use unpack::{RefusalKind, Unpacked};

/// How a pipeline wants its records taken apart.
pub fn settings(pipeline: &Pipeline) -> unpack::Settings {
    let format = |unpack: &Unpack| match unpack {
        Unpack::Kpl => unpack::Format::Kpl,
        Unpack::Gzip => unpack::Format::Gzip,
        Unpack::CloudwatchLogs => unpack::Format::CloudwatchLogs,
    };
    let cloudwatch_message = match pipeline.input.cloudwatch_message_json {
        true => unpack::CloudwatchMessage::Json,
        false => unpack::CloudwatchMessage::Text,
    };
    let formats = pipeline.input.unpack.iter().map(format).collect();
    unpack::Settings { formats, cloudwatch_message, limits: unpack::Limits::default() }
}

/// Takes a record apart and counts what was noticed.
///
/// # Errors
/// The failure of a record that cannot be taken apart.
pub fn unpack(data: &Bytes, settings: &unpack::Settings, counted: &mut InputNotes) -> Result<Unpacked, Failure> {
    let (unpacked, notes) = unpack::unpack(data, settings);
    counted.kpl += u64::from(notes.kpl_aggregates);
    counted.kpl_bad_digest += u64::from(notes.kpl_bad_md5);
    counted.gzip += u64::from(notes.gzip_streams);
    counted.cloudwatch_logs += u64::from(notes.cloudwatch_envelopes);
    counted.control_messages += u64::from(notes.control_messages);
    let empty = matches!(&unpacked, Ok(Unpacked::Parts(parts)) if parts.is_empty());
    counted.empty += u64::from(empty && notes.control_messages == 0);
    unpacked.map_err(|refusal| {
        counted.oversize += u64::from(refusal.kind == RefusalKind::Oversize);
        let kind = match refusal.kind {
            RefusalKind::Oversize => FailureKind::Oversize,
            RefusalKind::Kpl | RefusalKind::Gzip => FailureKind::Unpack,
        };
        Failure::new(kind, refusal.message)
    })
}
