//! Dates as text, and text as dates. RFC 3339, UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// A point in time as people type it: a date, a date and a time (UTC without a zone), or how long ago, such as `2h`.
pub(crate) fn point(typed: &str, now_ms: u64) -> Option<u64> {
    if let Some(ago) = duration(typed.strip_suffix(" ago").unwrap_or(typed).trim()) {
        return Some(now_ms.saturating_sub(u64::try_from(ago.as_millis()).ok()?));
    }
    let date = typed.get(..10)?;
    match typed.get(11..).unwrap_or_default() {
        "" => parse(&format!("{date}T00:00:00Z")),
        minutes if minutes.len() == 5 => parse(&format!("{date}T{minutes}:00Z")),
        clock => parse(&format!("{date}T{clock}")),
    }
}

/// `60s`, `5m`, `2h`, `3d`, or a number of seconds.
pub(crate) fn duration(typed: &str) -> Option<Duration> {
    let digits = typed.trim_end_matches(|char: char| !char.is_ascii_digit());
    let unit = match &typed[digits.len()..] {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(digits.parse::<u64>().ok()?.checked_mul(unit)?))
}

/// `2026-03-02 09:15`: a date to the minute.
pub(crate) fn minute(ms: u64) -> String {
    text(ms).get(..16).unwrap_or_default().replace('T', " ")
}

/// `2026-03-02 09:15:01`.
pub(crate) fn second(ms: u64) -> String {
    text(ms).get(..19).unwrap_or_default().replace('T', " ")
}

/// How long ago something was, in one unit.
pub(crate) fn ago(ms: u64, now_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(ms) / 1_000;
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        7_200..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::{ago, duration, parse, point, text};
    use std::time::Duration;

    #[test]
    fn points_in_time_are_read_as_people_type_them() {
        let midnight = parse("2026-03-02T00:00:00Z");
        assert_eq!(point("2026-03-02", 0), midnight);
        assert_eq!(point("2026-03-02 09:15", 0), parse("2026-03-02T09:15:00Z"));
        assert_eq!(point("2026-03-02T09:15:01+01:00", 0), parse("2026-03-02T08:15:01Z"));
        assert_eq!([point("2h", 7_300_000), point("10s ago", 30_000)], [Some(100_000), Some(20_000)]);
        assert_eq!([point("yesterday", 0), point("", 0), point("2026-99-02", 0)], [None; 3]);
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!([duration("m"), duration("2y"), duration("99999999999999999d")], [None; 3]);
        assert_eq!([ago(0, 5_000), ago(0, 600_000), ago(0, 90_000_000)], ["5 s ago", "10 min ago", "25 h ago"]);
    }

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
