//! Instants as leaves spell them: RFC 3339, UTC, exactly six fraction digits, `Z`.
#![deny(clippy::arithmetic_side_effects)]

use time::{Date, Month, PrimitiveDateTime, Time, UtcDateTime};

/// The text of an instant, its fraction cut to microseconds; `None` outside the years 0 to 9999.
pub(crate) fn print(at: UtcDateTime) -> Option<String> {
    if !(0..=9999).contains(&at.year()) {
        return None;
    }
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    let (hour, minute, second, micro) = (at.hour(), at.minute(), at.second(), at.microsecond());
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micro:06}Z"
    ))
}

/// The instant of such a text; `None` for any other text.
pub(crate) fn parse(text: &str) -> Option<UtcDateTime> {
    let number = |from: usize, to: usize| -> Option<u32> {
        let digits = text.get(from..to)?;
        digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| digits.parse().ok())?
    };
    let small = |from: usize, to: usize| number(from, to).and_then(|n| u8::try_from(n).ok());
    let month = Month::try_from(small(5, 7)?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(number(0, 4)?).ok()?, month, small(8, 10)?);
    let time = Time::from_hms_micro(
        small(11, 13)?,
        small(14, 16)?,
        small(17, 19)?,
        number(20, 26)?,
    );
    let at = PrimitiveDateTime::new(date.ok()?, time.ok()?)
        .assume_utc()
        .to_utc();
    (print(at)? == text).then_some(at)
}

/// The instant without what a leaf cannot hold.
pub(crate) fn to_micros(at: UtcDateTime) -> UtcDateTime {
    let micro = at.microsecond().saturating_mul(1_000);
    at.replace_nanosecond(micro).unwrap_or(at)
}
