//! Times on the wire: RFC 3339, UTC, milliseconds.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Unix milliseconds as text, such as `2026-05-28T09:30:00.125Z`. A time outside of the years 0 to 9999 is shown as the
/// nearest one inside.
pub fn rfc3339_ms(unix_ms: i64) -> String {
    const FIRST: i64 = -62_167_219_200_000;
    const LAST: i64 = 253_402_300_799_999;
    let unix_ms = unix_ms.clamp(FIRST, LAST);
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, clock) = (time.date(), time.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second(),
        clock.millisecond()
    )
}

/// The unix milliseconds of an RFC 3339 text, in any offset.
pub fn parse_rfc3339_ms(text: &str) -> Option<i64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_survive_the_text() {
        assert_eq!(rfc3339_ms(1_700_000_000_007), "2023-11-14T22:13:20.007Z");
        for ms in [0, 1, 1_700_000_000_999, -1] {
            assert_eq!(parse_rfc3339_ms(&rfc3339_ms(ms)), Some(ms));
        }
        assert_eq!(parse_rfc3339_ms("2023-11-14T23:13:20.007+01:00"), Some(1_700_000_000_007));
        assert_eq!(parse_rfc3339_ms("yesterday"), None);
        assert!(rfc3339_ms(i64::MAX).starts_with("9999-12-31"));
    }
}
