//! The clock that is passed in, and dates as AWS writes them.

use std::sync::Arc;
use std::time::SystemTime;

/// Tells the time, in milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The machine's clock.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    })
}

/// `2026-11-24T00:38:06.021Z`.
pub(crate) fn iso8601(at_ms: u64) -> String {
    let (year, month, day) = date(at_ms);
    let (hour, minute, second) = (at_ms / 3_600_000 % 24, at_ms / 60_000 % 60, at_ms / 1000 % 60);
    let milliseconds = at_ms % 1000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

/// `2026/11/24`: the beginning of a log stream's name.
pub(crate) fn day_path(at_ms: u64) -> String {
    let (year, month, day) = date(at_ms);
    format!("{year:04}/{month:02}/{day:02}")
}

/// `2026/11/24/00`: the folders in which Firehose puts backups.
pub(crate) fn hour_path(at_ms: u64) -> String {
    let (year, month, day) = date(at_ms);
    format!("{year:04}/{month:02}/{day:02}/{:02}", at_ms / 3_600_000 % 24)
}

/// Year, month and day of the Gregorian calendar. Counts from 1 March of year 0, so that leap days end their year.
fn date(at_ms: u64) -> (u64, u64, u64) {
    const DAYS_FROM_MARCH_0_TO_1970: u64 = 719_468;
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let days = at_ms / 86_400_000 + DAYS_FROM_MARCH_0_TO_1970;
    let (era, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next_year, month, day)
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
        assert_eq!(hour_path(1_573_691_886_021), "2019/11/14/00");
        assert_eq!(day_path(1_573_691_886_021), "2019/11/14");
    }
}
