//! Reads a step's config, with messages that name the key.

use serde::de::DeserializeOwned;

/// Reads a config from JSON. [`crate::plugin!`] does this; it is public for a plugin's own tests.
///
/// # Errors
///
/// What is wrong and where, such as ``fields[0]: the path `a..b` has an empty name``.
pub fn read<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let place = error.path().to_string();
        let message = without_position(&error.inner().to_string());
        if place == "." { format!("config: {message}") } else { format!("config: {place}: {message}") }
    })
}

/// The author wrote TOML: a line and column of the JSON made from it would mislead.
fn without_position(message: &str) -> String {
    message.rfind(" at line ").map_or(message, |end| &message[..end]).to_owned()
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::Path;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors are looked at")]
    struct Config {
        fields: Vec<Path>,
        limit: Option<u32>,
    }

    fn message(json: &str) -> String {
        read::<Config>(json).expect_err("the config is wrong")
    }

    #[test]
    fn unknown_keys_are_refused_and_known_ones_listed() {
        let expected = "config: feilds: unknown field `feilds`, expected `fields` or `limit`";
        assert_eq!(message(r#"{"feilds":[]}"#), expected);
    }

    #[test]
    fn the_place_is_named() {
        let message = message(r#"{"fields":["a","b..c"]}"#);
        assert_eq!(message, "config: fields[1]: the path `b..c` has an empty name");
    }
}
