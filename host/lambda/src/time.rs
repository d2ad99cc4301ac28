//! Time as the host sees it: a clock that is passed in, and dates as text.

use chrono::{DateTime, SecondsFormat, Utc};
use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What time it is. Passed in, so that tests say.
#[derive(Clone)]
pub struct Clock {
    /// Milliseconds since the Unix epoch: for what is written down.
    pub wall_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// For deadlines. Asked by the workers' threads too.
    pub now: Arc<dyn Fn() -> Instant + Send + Sync>,
}

impl Clock {
    /// The machine's clock. Deadlines follow tokio's, which a test may pause.
    pub fn system() -> Clock {
        Clock { wall_ms: Arc::new(now_ms), now: Arc::new(|| tokio::time::Instant::now().into_std()) }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// The machine's clock, in milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The last millisecond of the year 9999, which is as far as RFC 3339 goes.
const DATE_MS_MAX: u64 = 253_402_300_799_999;

/// A moment that is so many milliseconds behind the Unix epoch.
pub(crate) fn utc(ms: u64) -> DateTime<Utc> {
    let ms = i64::try_from(ms.min(DATE_MS_MAX)).expect("it is far below 2^63");
    DateTime::from_timestamp_millis(ms).expect("chrono goes beyond the year 9999")
}

/// The same as text, in RFC 3339: `2026-03-02T09:15:01.204Z`.
pub fn date(ms: u64) -> String {
    utc(ms).to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates_end_with_the_year_9999() {
        assert_eq!(date(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(date(1_798_761_599_999), "2026-12-31T23:59:59.999Z");
        assert_eq!(date(u64::MAX), "9999-12-31T23:59:59.999Z");
    }
}
