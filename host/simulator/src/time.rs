//! The clock that is passed in, and dates as AWS writes them.

use chrono::{DateTime, SecondsFormat, Utc};
use std::sync::Arc;
use std::time::SystemTime;

pub use destination::Clock;

/// The machine's clock.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    })
}

/// `2026-11-24T00:38:06.021Z`.
pub(crate) fn iso8601(at_ms: u64) -> String {
    utc(at_ms).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `2026/11/24`: the beginning of a log stream's name.
pub(crate) fn day_path(at_ms: u64) -> String {
    utc(at_ms).format("%Y/%m/%d").to_string()
}

/// What lies beyond chrono's calendar, some 260,000 years from now, is its last moment.
fn utc(at_ms: u64) -> DateTime<Utc> {
    i64::try_from(at_ms).ok().and_then(DateTime::from_timestamp_millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_573_691_886_021, "2019-11-14T00:38:06.021Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ];
        for (at_ms, text) in cases {
            assert_eq!(iso8601(at_ms), text);
        }
        assert_eq!(day_path(1_573_691_886_021), "2019/11/14");
    }
}
