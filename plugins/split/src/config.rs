//! The step's config, read and checked.

use paddlewheel::prelude::*;

/// How many elements an array may have unless the config says otherwise: the outputs that a step may have by default.
const MAX_DEFAULT: u32 = 1_000;

/// Where an element goes unless the config says otherwise.
const INTO_DEFAULT: &str = "item";

/// The config, resolved.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct Split {
    /// The array.
    pub(crate) path: Path,
    /// Where each element goes.
    pub(crate) place: Place,
    /// What each part has besides its element.
    pub(crate) keep: Keep,
    /// The field that gets the element's index.
    pub(crate) index_field: Option<Path>,
    /// How many elements an array may have.
    pub(crate) max: u32,
    /// What becomes of an event without elements.
    pub(crate) on_missing: OnMissing,
}

/// Where an element goes.
#[derive(Debug)]
pub(crate) enum Place {
    /// To this field.
    Into(Path),
    /// Its fields become the event's own.
    Merged,
}

/// What each part has besides its element.
#[derive(Debug)]
pub(crate) enum Keep {
    /// All other fields of the event.
    All,
    /// These fields.
    Fields(Vec<Path>),
}

/// What becomes of an event without elements.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnMissing {
    /// It goes on as it is.
    #[default]
    Keep,
    /// It is dropped.
    Drop,
    /// It is rejected.
    Reject,
}

/// The config as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    path: Path,
    into: Option<Path>,
    #[serde(default)]
    merge: bool,
    #[serde(default)]
    keep: KeepWritten,
    index_field: Option<Path>,
    max: Option<u32>,
    #[serde(default)]
    on_missing: OnMissing,
}

/// `"all"` or a list of fields.
#[derive(Default)]
struct KeepWritten(Option<Vec<Path>>);

impl<'de> Deserialize<'de> for KeepWritten {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeepVisitor)
    }
}

struct KeepVisitor;

impl<'de> serde::de::Visitor<'de> for KeepVisitor {
    type Value = KeepWritten;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("\"all\" or a list of fields")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<KeepWritten, E> {
        if text == "all" {
            return Ok(KeepWritten(None));
        }
        Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, list: A) -> Result<KeepWritten, A::Error> {
        Vec::deserialize(serde::de::value::SeqAccessDeserializer::new(list)).map(|fields| KeepWritten(Some(fields)))
    }
}

impl TryFrom<Written> for Split {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { path, into, merge, keep, index_field, max, on_missing } = written;
        let place = match (into, merge) {
            (Some(_), true) => return Err("into and merge exclude each other".to_owned()),
            (Some(field), false) => Place::Into(field),
            (None, true) => Place::Merged,
            (None, false) => Place::Into(Path::try_from(INTO_DEFAULT.to_owned())?),
        };
        let max = max.unwrap_or(MAX_DEFAULT);
        if max == 0 {
            return Err("max is 0, so that no array could be split".to_owned());
        }
        let keep = keep.0.map_or(Keep::All, Keep::Fields);
        if let Keep::Fields(fields) = &keep
            && let Some(index) = fields.iter().find(|field| field.contains('['))
        {
            return Err(format!("keep names {index}: an element of an array cannot be kept by itself"));
        }
        Ok(Split { path, place, keep, index_field, max, on_missing })
    }
}
