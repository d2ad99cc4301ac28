//! What fits into one `PutRecordBatch`.

/// Records of one request (AWS).
pub(crate) const RECORDS_MAX: usize = 500;

/// Bytes of one request: AWS says 4 MB and not of what; counting base64 and the JSON around it is right under any
/// reading.
pub(crate) const REQUEST_BYTES_MAX: usize = 4 << 20;

/// `{"DeliveryStreamName":"…","Records":[…]}` with the longest name that AWS allows.
const ENVELOPE_BYTES: usize = 40 + 64;

/// `{"Data":"…"},`.
const ENTRY_BYTES: usize = 12;

/// Room left in a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    records: usize,
    bytes: usize,
}

impl Room {
    pub(crate) fn of_a_request() -> Room {
        Room { records: RECORDS_MAX, bytes: REQUEST_BYTES_MAX - ENVELOPE_BYTES }
    }

    /// Takes the room of a document. False when it does not fit; the first document always does, since the pipeline
    /// lets none pass that is larger than a record may be.
    pub(crate) fn take(&mut self, document_bytes: usize) -> bool {
        let needed = ENTRY_BYTES + document_bytes.div_ceil(3) * 4;
        if self.records == 0 || needed > self.bytes {
            return false;
        }
        self.records -= 1;
        self.bytes -= needed;
        true
    }
}
