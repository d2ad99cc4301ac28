//! JSON numbers: which of them a plugin gets as an integer, which as a double, and which only as text.

use crate::read::Value;

/// A number that JSON cannot hold: NaN or an infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFinite;

/// The value of a number's text: an integer literal within a signed 64-bit is [`Value::Integer`]; one with a point, an
/// exponent or a minus zero is [`Value::Number`] when finite; everything else stays text.
pub(crate) fn value(raw: &str) -> Value<'_> {
    if raw != "-0" && raw.bytes().all(|b| b == b'-' || b.is_ascii_digit()) {
        return raw.parse().map_or(Value::Json(raw.into()), Value::Integer);
    }
    match raw.parse::<f64>() {
        Ok(number) if number.is_finite() => Value::Number(number),
        _ => Value::Json(raw.into()),
    }
}

/// Appends the shortest text that reads back as the same double.
pub(crate) fn write(out: &mut Vec<u8>, number: f64) -> Result<(), NotFinite> {
    if !number.is_finite() {
        return Err(NotFinite);
    }
    // Debug, unlike Display, writes 1e300 and 1.0, so that a double stays one for whoever reads it next.
    out.extend_from_slice(format!("{number:?}").as_bytes());
    Ok(())
}
