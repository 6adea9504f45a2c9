//! How instants are stored in both databases.

use time::UtcDateTime;

/// Whole microseconds since 1970, as both databases store an instant; a fraction is rounded down.
/// Saturates outside the range of `i64`, which lies beyond the year 9999.
#[must_use]
pub fn micros(at: UtcDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000)).unwrap_or(i64::MAX)
}

/// The instant of these microseconds since 1970; `None` outside the years -9999 to 9999.
#[must_use]
pub fn instant(micros: i64) -> Option<UtcDateTime> {
    UtcDateTime::from_unix_timestamp_nanos(i128::from(micros).checked_mul(1_000)?).ok()
}
