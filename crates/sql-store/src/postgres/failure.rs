//! From sqlx's errors on PostgreSQL to ours, without content.

use sqlx::Error;

use crate::error::Cause;
use crate::{Constraint, DbError};

/// The error by what the caller can do.
pub(super) fn db_error(error: &Error) -> DbError {
    match error {
        Error::Database(database) => {
            let state = database.code().unwrap_or_default();
            // messages of this class name schema objects and our own SQL; others may quote a value
            let text = match database.constraint() {
                Some(constraint) => format!("constraint {constraint}"),
                None if state.starts_with("42") => database.message().to_owned(),
                None => String::new(),
            };
            by_state(&state, Cause::coded(&state, text))
        }
        Error::Io(error) => DbError::Unavailable(Cause::new(format!("i/o: {}", error.kind()))),
        Error::Tls(_) => DbError::Unavailable(Cause::new("no TLS session")),
        Error::Protocol(_) => DbError::Unavailable(Cause::new("the protocol was broken")),
        Error::WorkerCrashed | Error::PoolClosed | Error::PoolTimedOut => {
            DbError::Unavailable(Cause::new("the connection is gone"))
        }
        _ => DbError::Rejected(Cause::new("the driver refused the call")),
    }
}

fn by_state(state: &str, cause: Cause) -> DbError {
    match state {
        "25006" => DbError::ReadOnly,
        "25P02" => DbError::Aborted,
        "40001" | "40P01" => DbError::Serialization(cause),
        "53100" => DbError::Full(cause),
        "53300" | "55P03" => DbError::Busy(cause),
        "57014" => DbError::Cancelled(cause),
        "23502" => DbError::Constraint {
            kind: Constraint::NotNull,
            cause,
        },
        "23503" => DbError::Constraint {
            kind: Constraint::ForeignKey,
            cause,
        },
        "23505" => DbError::Constraint {
            kind: Constraint::Unique,
            cause,
        },
        "23514" => DbError::Constraint {
            kind: Constraint::Check,
            cause,
        },
        _ if state.starts_with("23") => DbError::Constraint {
            kind: Constraint::Other,
            cause,
        },
        "25P03" | "40003" => DbError::Unavailable(cause),
        _ if ["08", "53", "57", "58", "XX"]
            .iter()
            .any(|class| state.starts_with(class)) =>
        {
            DbError::Unavailable(cause)
        }
        _ => DbError::Rejected(cause),
    }
}
