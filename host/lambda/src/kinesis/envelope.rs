//! The event as it is written: the fields we use, each of any type; all others are passed over.

use document::Cursor;

/// One of its records. What is missing, or null, is none.
#[derive(Default)]
pub(super) struct RawRecord<'a> {
    pub(super) event_id: Option<Cursor<'a>>,
    pub(super) event_source: Option<Cursor<'a>>,
    pub(super) event_source_arn: Option<Cursor<'a>>,
    pub(super) partition_key: Option<Cursor<'a>>,
    pub(super) sequence_number: Option<Cursor<'a>>,
    pub(super) data: Option<Cursor<'a>>,
    pub(super) arrived_at: Option<Cursor<'a>>,
}

impl<'a> RawRecord<'a> {
    pub(super) fn of(record: Cursor<'a>) -> RawRecord<'a> {
        let mut raw = RawRecord::default();
        for (key, value) in record.members() {
            match &*key {
                b"eventID" => raw.event_id = Some(value),
                b"eventSource" => raw.event_source = Some(value),
                b"eventSourceARN" => raw.event_source_arn = Some(value),
                b"kinesis" => raw.kinesis(value),
                _ => {}
            }
        }
        raw
    }

    fn kinesis(&mut self, kinesis: Cursor<'a>) {
        for (key, value) in kinesis.members() {
            match &*key {
                b"partitionKey" => self.partition_key = Some(value),
                b"sequenceNumber" => self.sequence_number = Some(value),
                b"data" => self.data = Some(value),
                b"approximateArrivalTimestamp" => self.arrived_at = Some(value),
                _ => {}
            }
        }
    }
}

/// Seconds, whole or not, as milliseconds; 0 for anything that is no time.
pub(super) fn seconds_as_ms(value: Option<Cursor<'_>>) -> u64 {
    // The cast saturates; NaN and what lies before 1970 become 0.
    value.and_then(Cursor::number).map_or(0, |seconds| (seconds * 1e3).round() as u64)
}
