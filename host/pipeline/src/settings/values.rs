//! Values of `paddle.toml` that may be of more than one kind. Written out by hand: `serde(untagged)` would hide which
//! value was wrong, and where.

use super::Policy;
use crate::failure::FailureKind;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use toml::Spanned;

/// One policy for all, or one by kind.
pub(super) enum OnFailure {
    All(Policy),
    ByKind(BTreeMap<Spanned<FailureKind>, Policy>),
}

impl<'de> Deserialize<'de> for OnFailure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OnFailure, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = OnFailure;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a policy (dead-letter, drop, pass, retry) or a table of policies by failure kind")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<OnFailure, E> {
                Policy::deserialize(StrDeserializer::new(text)).map(OnFailure::All)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OnFailure, A::Error> {
                BTreeMap::deserialize(MapAccessDeserializer::new(map)).map(OnFailure::ByKind)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A field's name, or `false`.
pub(super) enum IdField {
    Name(String),
    Off,
}

impl<'de> Deserialize<'de> for IdField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<IdField, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = IdField;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field, or false")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<IdField, E> {
                Ok(IdField::Name(text.to_owned()))
            }

            fn visit_bool<E: Error>(self, on: bool) -> Result<IdField, E> {
                if on { Err(E::invalid_value(serde::de::Unexpected::Bool(true), &self)) } else { Ok(IdField::Off) }
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// What a plugin's `init` is given: any value that JSON has too.
pub(super) struct Config(pub(super) serde_json::Value);

/// The name under which the toml crate hands out a date.
const DATE_KEY: &str = "$__toml_private_datetime";

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Config, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Config;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value that JSON has too")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Config, E> {
                Ok(Config(value.into()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Config, E> {
                Ok(Config(value.into()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Config, E> {
                Ok(Config(value.into()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Config, E> {
                let number = serde_json::Number::from_f64(value);
                let refused = || {
                    E::custom(format!("a config is handed on as JSON, which has no {value}: write a text in quotes"))
                };
                number.map(|number| Config(number.into())).ok_or_else(refused)
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Config, E> {
                Ok(Config(value.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Config, A::Error> {
                let mut list = Vec::new();
                while let Some(Config(item)) = items.next_element()? {
                    list.push(item);
                }
                Ok(Config(list.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Config, A::Error> {
                let mut table = serde_json::Map::new();
                while let Some(key) = members.next_key::<String>()? {
                    if key == DATE_KEY {
                        let reason = "a config is handed on as JSON, which has no dates: write a text in quotes";
                        return Err(A::Error::custom(reason));
                    }
                    let Config(value) = members.next_value()?;
                    table.insert(key, value);
                }
                Ok(Config(table.into()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
