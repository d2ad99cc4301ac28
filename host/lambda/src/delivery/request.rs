//! What fits into one `PutRecordBatch`, and the request as text.

use bytes::Bytes;

/// Records of one request (AWS).
pub(crate) const RECORDS_MAX: usize = 500;

/// Bytes of one request: AWS says 4 MB and not of what; counting base64 and the JSON around it is right under any reading.
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

    /// Takes the room of a document. False when it does not fit; the first document always does, since the pipeline lets
    /// none pass that is larger than a record may be.
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

/// The bodies of the requests that these documents of one stream would be sent in: what the SDK makes of them, for the
/// benchmark.
pub(crate) fn bodies(stream: &str, documents: &[Bytes]) -> Vec<String> {
    let mut bodies = Vec::new();
    let mut rest = documents;
    while !rest.is_empty() {
        let mut room = Room::of_a_request();
        let count = rest.iter().take_while(|document| room.take(document.len())).count().max(1);
        let (request, later) = rest.split_at(count);
        let bytes: usize = request.iter().map(|document| ENTRY_BYTES + document.len().div_ceil(3) * 4).sum();
        let mut body = String::with_capacity(ENVELOPE_BYTES + bytes);
        body.push_str("{\"DeliveryStreamName\":\"");
        body.push_str(stream);
        body.push_str("\",\"Records\":[");
        for (at, document) in request.iter().enumerate() {
            body.push_str(if at == 0 { "{\"Data\":\"" } else { ",{\"Data\":\"" });
            base64_simd::STANDARD.encode_append(document, &mut body);
            body.push_str("\"}");
        }
        body.push_str("]}");
        bodies.push(body);
        rest = later;
    }
    bodies
}
