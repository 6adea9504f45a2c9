//! What may appear in logs, metrics and error messages: ids and figures yes, content no.

use std::fmt;

/// Marks a type whose `Display` may be logged: it holds ids or figures, never customer content.
pub trait LogSafe: fmt::Display {}

macro_rules! log_safe { ($($t:ty),*) => { $(impl LogSafe for $t {})* } }
log_safe!(
    bool,
    u8,
    u16,
    u32,
    u64,
    usize,
    i64,
    time::UtcDateTime,
    uuid::Uuid
);

/// Keeps a value out of logs: `Debug` and `Display` print `[redacted]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Redacted<T>(pub T);

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
impl<T> LogSafe for Redacted<T> {}
