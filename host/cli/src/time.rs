//! Dates as text, and text as dates. RFC 3339, UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// The machine's clock, in milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `2026-03-02T09:15:01.204Z`.
pub(crate) fn text(ms: u64) -> String {
    // Years are counted from March on, so that leap days end them; 400 of them have 146,097 days.
    let days = ms / DAY_MS + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, over) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let (hour, minute, second) = (ms / 3_600_000 % 24, ms / 60_000 % 60, ms / 1_000 % 60);
    let year = era * 400 + year + over;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000)
}

/// Milliseconds since the Unix epoch, of what `aws kinesis get-records` prints: `2026-03-02T10:15:01.204000+01:00`.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !(1..=12).contains(&month) || !(1970..=9999).contains(&year) {
        return None;
    }
    let rest = text.get(19..)?;
    let (fraction, zone) = rest.split_at(rest.find(['Z', '+', '-']).unwrap_or(rest.len()));
    let ms = fraction.strip_prefix('.').map_or(0.0, |digits| format!("0.{digits}").parse::<f64>().unwrap_or(0.0) * 1e3);
    let offset_minutes = match zone.split_at_checked(1) {
        None | Some(("Z", _)) => 0,
        Some((sign, clock)) => {
            let minutes =
                clock.get(..2)?.parse::<i64>().ok()? * 60 + clock.get(clock.len() - 2..)?.parse::<i64>().ok()?;
            if sign == "-" { -minutes } else { minutes }
        }
    };
    let (from_march, year) = if month > 2 { (month - 3, year) } else { (month + 9, year - 1) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * from_march + 2) / 5 + day - 1 - 719_468;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset_minutes * 60;
    u64::try_from(seconds * 1_000 + ms.round() as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::{parse, text};

    #[test]
    fn dates_go_both_ways() {
        for ms in [0, 951_827_696_789, 1_545_084_650_987, 1_798_761_599_999, 4_107_542_399_999] {
            assert_eq!(parse(&text(ms)), Some(ms), "{}", text(ms));
        }
    }

    #[test]
    fn zones_and_missing_fractions_are_read() {
        let noon = parse("2026-03-02T12:00:00Z");
        assert!(noon.is_some());
        for same in ["2026-03-02T13:00:00+01:00", "2026-03-02T06:30:00.000000-05:30", "2026-03-02 12:00:00"] {
            assert_eq!(parse(same), noon, "{same}");
        }
        for other in ["", "soon", "2026-13-02T12:00:00Z", "2026-03-02"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
