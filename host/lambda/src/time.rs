//! Time as the host sees it: a clock that is passed in, and dates as text.

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
        Clock { wall_ms: Arc::new(wall_ms), now: Arc::new(|| tokio::time::Instant::now().into_std()) }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A moment in UTC, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Utc {
    pub(crate) year: u64,
    pub(crate) month: u64,
    pub(crate) day: u64,
    pub(crate) hour: u64,
    minute: u64,
    second: u64,
    millisecond: u64,
}

impl Utc {
    /// From milliseconds since the Unix epoch. Howard Hinnant's `civil_from_days`, for years from 1970 on.
    pub(crate) fn from_ms(ms: u64) -> Utc {
        // The year 9999 is as far as RFC 3339 goes.
        let ms = ms.min(253_402_300_799_999);
        let (days, in_day) = (ms / 86_400_000, ms % 86_400_000);
        let from_march_0000 = days + 719_468;
        let (era, day_of_era) = (from_march_0000 / 146_097, from_march_0000 % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Utc {
            year: year_of_era + era * 400 + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * from_march + 2) / 5 + 1,
            hour: in_day / 3_600_000,
            minute: in_day / 60_000 % 60,
            second: in_day / 1_000 % 60,
            millisecond: in_day % 1_000,
        }
    }
}

impl fmt::Display for Utc {
    /// RFC 3339.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Utc { year, month, day, hour, minute, second, millisecond } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::Utc;

    #[test]
    fn known_moments_are_written_as_everyone_writes_them() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_827_696_789, "2000-02-29T12:34:56.789Z"),
            (1_545_084_650_987, "2018-12-17T22:10:50.987Z"),
            (1_798_761_599_999, "2026-12-31T23:59:59.999Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Utc::from_ms(ms).to_string(), text);
        }
    }
}
