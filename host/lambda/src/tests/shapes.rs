//! What may come back for one `PutRecordBatch`: from Firehose, from a proxy on the way, or from neither.

use serde_json::{Value, json};

/// How a request ends for its client. Places are those of entries, modulo the request's length.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// Everything is taken, and each entry has an id.
    Take,
    /// The same, with an `ErrorCode` that says nothing: null, or an empty text.
    TakeWithEmptyCodes,
    /// Everything is taken, and there is an entry too many, which says that it failed.
    TooLong,
    /// Everything is taken, and the answer has this many entries less.
    TooShort(usize),
    /// Everything is taken; `FailedPutCount` says that something failed.
    CountTooHigh,
    /// The entries at these places are not taken, and look like that.
    Failed(Vec<usize>, Entry),
    /// The same, and `FailedPutCount` is 0.
    FailedUncounted(Vec<usize>, Entry),
    /// An answer that says nothing of any entry. True if everything was taken all the same.
    Silent(Silence, bool),
    /// An HTTP error, as a page of a proxy. True if everything was taken all the same.
    Page(u16, bool),
    /// An error of the service, with its HTTP status and message. Nothing is taken.
    Error(u16, &'static str, &'static str),
    /// No answer ever comes. True if everything was taken all the same.
    Hang(bool),
    /// The connection breaks. True if everything was taken all the same.
    Break(bool),
}

/// An entry of what was not taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Entry {
    Throttled,
    Empty,
    EmptyId,
    NullId,
    Message,
    IdAndCode,
    EmptyIdAndCode,
}

impl Entry {
    pub(crate) const ALL: [Entry; 7] = [
        Entry::Throttled,
        Entry::Empty,
        Entry::EmptyId,
        Entry::NullId,
        Entry::Message,
        Entry::IdAndCode,
        Entry::EmptyIdAndCode,
    ];

    fn json(self) -> Value {
        match self {
            Entry::Throttled => json!({"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}),
            Entry::Empty => json!({}),
            Entry::EmptyId => json!({"RecordId": ""}),
            Entry::NullId => json!({"RecordId": null, "ErrorCode": null, "ErrorMessage": null}),
            Entry::Message => json!({"ErrorMessage": "Internal service failure."}),
            Entry::IdAndCode => json!({"RecordId": "r", "ErrorCode": "InternalFailure"}),
            Entry::EmptyIdAndCode => json!({"RecordId": "", "ErrorCode": "InternalFailure", "ErrorMessage": "m"}),
        }
    }
}

/// Answers with status 200 that say nothing of any entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Silence {
    NoBody,
    EmptyObject,
    EmptyList,
    NullList,
    NullEntries,
    OneNullEntry,
    WrongTypes,
    ListOfTexts,
    Array,
    Text,
    Page,
    ErrorBody,
    OtherOperation,
    CutInList,
    CutInEntry,
    JunkBehind,
    NotUtf8,
}

impl Silence {
    pub(crate) const ALL: [Silence; 17] = [
        Silence::NoBody,
        Silence::EmptyObject,
        Silence::EmptyList,
        Silence::NullList,
        Silence::NullEntries,
        Silence::OneNullEntry,
        Silence::WrongTypes,
        Silence::ListOfTexts,
        Silence::Array,
        Silence::Text,
        Silence::Page,
        Silence::ErrorBody,
        Silence::OtherOperation,
        Silence::CutInList,
        Silence::CutInEntry,
        Silence::JunkBehind,
        Silence::NotUtf8,
    ];

    /// Whether AWS's client can read it as an answer to `PutRecordBatch`, if one without entries.
    fn is_an_answer(self) -> bool {
        use Silence::{EmptyList, EmptyObject, ErrorBody, NoBody, NullList, OtherOperation};
        matches!(self, NoBody | EmptyObject | EmptyList | NullList | ErrorBody | OtherOperation)
    }

    fn body(self, count: usize) -> Vec<u8> {
        let all = list(0, ids(count));
        let text = match self {
            Silence::NoBody => String::new(),
            Silence::EmptyObject => "{}".into(),
            Silence::EmptyList => list(0, Vec::new()),
            Silence::NullList => r#"{"FailedPutCount":0,"RequestResponses":null}"#.into(),
            Silence::NullEntries => list(count, vec![Value::Null; count]),
            Silence::OneNullEntry => list(0, [vec![Value::Null], ids(count - 1)].concat()),
            Silence::WrongTypes => list(0, vec![json!({"RecordId": 7}); count]),
            Silence::ListOfTexts => list(0, vec![json!("r"); count]),
            Silence::Array => Value::from(ids(count)).to_string(),
            Silence::Text => "\"ok\"".into(),
            Silence::Page => "<html><body>Signed in.</body></html>".into(),
            Silence::ErrorBody => r#"{"__type":"ServiceUnavailableException","message":"Slow down."}"#.into(),
            Silence::OtherOperation => r#"{"Encrypted":false,"RecordId":"r"}"#.into(),
            Silence::CutInList => all[..all.len() - 2].into(),
            Silence::CutInEntry => all[..all.len() - 5].into(),
            Silence::JunkBehind => format!("{all}{all}"),
            Silence::NotUtf8 => {
                return all.into_bytes().into_iter().map(|byte| if byte == b'r' { 0xff } else { byte }).collect();
            }
        };
        text.into_bytes()
    }
}

fn ids(count: usize) -> Vec<Value> {
    vec![json!({"RecordId": "r"}); count]
}

fn list(failed: usize, entries: Vec<Value>) -> String {
    json!({"Encrypted": false, "FailedPutCount": failed, "RequestResponses": entries}).to_string()
}

/// What a client gets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wire {
    Http(u16, Vec<u8>),
    Hang,
    Break,
}

/// How a request ended, seen from above.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) wire: Wire,
    /// For each record, whether the service has it.
    pub(crate) taken: Vec<bool>,
    /// For each record, whether whoever reads the answer has to believe that.
    pub(crate) acknowledged: Vec<bool>,
    /// The whole request is refused, because of its size.
    pub(crate) is_refused: bool,
    /// AWS's client is through with the request, whichever of its attempts it was.
    pub(crate) is_final: bool,
}

impl Shape {
    /// All of them, for the entries at these places.
    pub(crate) fn all(places: &[usize]) -> Vec<Shape> {
        let mut all = vec![Shape::Take, Shape::TakeWithEmptyCodes, Shape::TooLong, Shape::CountTooHigh];
        all.extend([1, 2, 500].map(Shape::TooShort));
        for entry in Entry::ALL {
            all.push(Shape::Failed(places.to_vec(), entry));
            all.push(Shape::FailedUncounted(places.to_vec(), entry));
        }
        for taken in [false, true] {
            all.extend(Silence::ALL.map(|silence| Shape::Silent(silence, taken)));
            all.extend([408, 429, 500, 502, 503, 504].map(|status| Shape::Page(status, taken)));
            all.extend([Shape::Hang(taken), Shape::Break(taken)]);
        }
        all.extend([204, 302, 400, 403, 404, 407, 413].map(|status| Shape::Page(status, false)));
        all.extend([
            Shape::Error(400, "ThrottlingException", "Rate exceeded"),
            Shape::Error(400, "InvalidArgumentException", "Records size exceeds 4 MB limit"),
            Shape::Error(400, "ResourceNotFoundException", "Firehose s under account 1 not found."),
            Shape::Error(403, "AccessDeniedException", "no"),
            Shape::Error(500, "ServiceUnavailableException", "Slow down."),
            Shape::Error(500, "InternalFailure", "Internal service failure."),
        ]);
        all
    }

    /// Whether a person must act before anything can be delivered.
    pub(crate) fn is_configuration(&self) -> bool {
        matches!(self, Shape::Page(302 | 400 | 403 | 404 | 407, _))
            || matches!(self, Shape::Error(_, "ResourceNotFoundException" | "AccessDeniedException", _))
    }

    /// How a request with this many records ends.
    pub(crate) fn end(&self, count: usize) -> Ended {
        let all = |is: bool| vec![is; count];
        let http = |status, body: String| Wire::Http(status, body.into_bytes());
        let taken_all = |body: String| (http(200, body), all(true), all(true));
        let (wire, taken, acknowledged) = match self {
            Shape::Take => taken_all(list(0, ids(count))),
            Shape::TakeWithEmptyCodes => {
                let entry = |at| if at % 2 == 0 { json!("") } else { Value::Null };
                let entry = |at: usize| json!({"RecordId": "r", "ErrorCode": entry(at), "ErrorMessage": entry(at + 1)});
                taken_all(list(0, (0..count).map(entry).collect()))
            }
            Shape::TooLong => taken_all(list(1, [ids(count), vec![Entry::Throttled.json()]].concat())),
            Shape::CountTooHigh => taken_all(list(count + 3, ids(count))),
            Shape::TooShort(less) => {
                let answered = count.saturating_sub(*less);
                (http(200, list(0, ids(answered))), all(true), (0..count).map(|at| at < answered).collect())
            }
            Shape::Failed(places, entry) | Shape::FailedUncounted(places, entry) => {
                let taken: Vec<bool> = (0..count).map(|at| !places.iter().any(|place| place % count == at)).collect();
                let entries = taken.iter().map(|&taken| if taken { json!({"RecordId": "r"}) } else { entry.json() });
                let is_counted = matches!(self, Shape::Failed(..));
                let failed = if is_counted { taken.iter().filter(|taken| !**taken).count() } else { 0 };
                (http(200, list(failed, entries.collect())), taken.clone(), taken)
            }
            Shape::Silent(silence, taken) => (Wire::Http(200, silence.body(count)), all(*taken), all(false)),
            Shape::Page(204, taken) => (http(204, String::new()), all(*taken), all(false)),
            Shape::Page(status, taken) => {
                let page = format!("<html><head><title>{status}</title></head></html>");
                (http(*status, page), all(*taken), all(false))
            }
            Shape::Error(status, code, message) => {
                let body = json!({"__type": code, "message": message}).to_string();
                (http(*status, body), all(false), all(false))
            }
            Shape::Hang(taken) => (Wire::Hang, all(*taken), all(false)),
            Shape::Break(taken) => (Wire::Break, all(*taken), all(false)),
        };
        let is_refused = matches!(self, Shape::Page(413, _) | Shape::Error(_, "InvalidArgumentException", _));
        let is_final = match self {
            Shape::Silent(silence, _) => silence.is_an_answer(),
            Shape::Page(..) | Shape::Error(..) => is_refused,
            Shape::Hang(_) | Shape::Break(_) => false,
            _ => true,
        };
        Ended { wire, taken, acknowledged, is_refused, is_final }
    }
}
