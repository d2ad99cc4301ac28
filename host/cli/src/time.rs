//! Dates as text, and text as dates. RFC 3339, UTC.

use chrono::{DateTime, NaiveDateTime};
use lambda::date;
use std::time::Duration;

pub(crate) use lambda::now_ms;

/// Milliseconds since the Unix epoch, of what `aws kinesis get-records` prints, `2026-03-02T10:15:01.204000+01:00`, or
/// of the same without a zone, which is UTC. None for what is not a date from 1970 on.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let text = text.replacen(' ', "T", 1);
    let utc = |date: NaiveDateTime| date.and_utc().fixed_offset();
    let date = DateTime::parse_from_rfc3339(&text).or_else(|_| text.parse().map(utc)).ok()?;
    u64::try_from(date.timestamp_millis()).ok()
}

/// A point in time as people type it: a date, a date and a time (UTC without a zone), or how long ago, such as `2h`.
pub(crate) fn point(typed: &str, now_ms: u64) -> Option<u64> {
    if let Some(ago) = duration(typed.strip_suffix(" ago").unwrap_or(typed).trim()) {
        return Some(now_ms.saturating_sub(u64::try_from(ago.as_millis()).ok()?));
    }
    match typed.get(10..).unwrap_or_default() {
        "" => parse(&format!("{typed}T00:00:00")),
        minutes if minutes.len() == "T09:15".len() => parse(&format!("{typed}:00")),
        _ => parse(typed),
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
    date(ms).get(..16).unwrap_or_default().replace('T', " ")
}

/// `2026-03-02 09:15:01`.
pub(crate) fn second(ms: u64) -> String {
    date(ms).get(..19).unwrap_or_default().replace('T', " ")
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
    use super::{ago, duration, parse, point};
    use lambda::date;
    use std::time::Duration;

    #[test]
    fn points_in_time_are_read_as_people_type_them() {
        let midnight = parse("2026-03-02T00:00:00Z");
        assert_eq!(point("2026-03-02", 0), midnight);
        assert_eq!(point("2026-03-02 09:15", 0), parse("2026-03-02T09:15:00Z"));
        assert_eq!(point("2026-03-02T09:15:01+01:00", 0), parse("2026-03-02T08:15:01Z"));
        assert_eq!([point("2h", 7_300_000), point("10s ago", 30_000)], [Some(100_000), Some(20_000)]);
        for wrong in ["yesterday", "", "2026-99-02", "2026-02-30", "2026-03-02 99:99", "2026-03-02 24:00", "é026-03-02"]
        {
            assert_eq!(point(wrong, 0), None, "{wrong}");
        }
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!([duration("m"), duration("2y"), duration("99999999999999999d")], [None; 3]);
        assert_eq!([ago(0, 5_000), ago(0, 600_000), ago(0, 90_000_000)], ["5 s ago", "10 min ago", "25 h ago"]);
    }

    #[test]
    fn dates_go_both_ways() {
        for ms in [0, 951_827_696_789, 1_545_084_650_987, 1_798_761_599_999, 4_107_542_399_999] {
            assert_eq!(parse(&date(ms)), Some(ms), "{}", date(ms));
        }
    }

    #[test]
    fn zones_and_missing_fractions_are_read() {
        let noon = parse("2026-03-02T12:00:00Z");
        assert!(noon.is_some());
        for same in ["2026-03-02T13:00:00+01:00", "2026-03-02T06:30:00.000000-05:30", "2026-03-02 12:00:00"] {
            assert_eq!(parse(same), noon, "{same}");
        }
        for other in
            ["", "soon", "2026-13-02T12:00:00Z", "2026-03-02", "2026-03-02T12:00:00+02", "1969-12-31T23:59:59Z"]
        {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
