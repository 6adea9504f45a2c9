//! From sqlx's errors on SQLite to ours, without content.

use sqlx::Error;

use crate::error::Cause;
use crate::{Constraint, DbError};

/// How messages begin that name nothing but schema objects and our own SQL.
const SAFE_MESSAGES: [&str; 17] = [
    "ambiguous column",
    "cannot ",
    "duplicate column",
    "foreign key mismatch",
    "incomplete input",
    "index ",
    "misuse of aggregate",
    "near ",
    "no such ",
    "not authorized",
    "table ",
    "there is already",
    "too many ",
    "trigger ",
    "unrecognized token",
    "view ",
    "wrong number",
];

/// The error by what the caller can do.
pub(super) fn db_error(error: &Error) -> DbError {
    match error {
        Error::Database(database) => {
            let text = database.code().unwrap_or_default();
            let code = text.parse::<i32>().unwrap_or(0);
            let message = database.message();
            let safe = SAFE_MESSAGES.iter().any(|start| message.starts_with(start));
            let cause = Cause::coded(&text, if safe { message } else { "" });
            by_code(code, cause)
        }
        Error::Io(error) => DbError::Unavailable(Cause::new(format!("i/o: {}", error.kind()))),
        Error::WorkerCrashed => DbError::Unavailable(Cause::new("the connection's thread is gone")),
        _ => DbError::Rejected(Cause::new("the driver refused the call")),
    }
}

/// By SQLite's extended result code, whose low byte is the primary one.
pub(super) fn by_code(code: i32, cause: Cause) -> DbError {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const READONLY: i32 = 8;
    const INTERRUPT: i32 = 9;
    const IOERR: i32 = 10;
    const CORRUPT: i32 = 11;
    const FULL: i32 = 13;
    const CANTOPEN: i32 = 14;
    const CONSTRAINT: i32 = 19;
    const NOTADB: i32 = 26;
    const BUSY_SNAPSHOT: i32 = 517;
    match code & 0xff {
        BUSY if code == BUSY_SNAPSHOT => DbError::Serialization(cause),
        BUSY | LOCKED => DbError::Busy(cause),
        READONLY => DbError::ReadOnly,
        INTERRUPT => DbError::Cancelled(cause),
        IOERR | CORRUPT | CANTOPEN | NOTADB => DbError::Unavailable(cause),
        FULL => DbError::Full(cause),
        CONSTRAINT => DbError::Constraint {
            kind: constraint(code),
            cause,
        },
        _ => DbError::Rejected(cause),
    }
}

const fn constraint(code: i32) -> Constraint {
    match code {
        275 => Constraint::Check,
        787 => Constraint::ForeignKey,
        1299 => Constraint::NotNull,
        1555 | 2067 | 2579 => Constraint::Unique,
        _ => Constraint::Other,
    }
}
