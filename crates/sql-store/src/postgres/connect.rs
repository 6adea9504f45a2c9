//! Opening a connection with the serving profile, and beginning a transaction on it.

use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::Duration;

use covenant_core::{BoxFuture, Clock, Monotonic, Random, TxTag, canon};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, Row as _,
};
use time::UtcDateTime;

use super::{PostgresOptions, failure};
use crate::codec;
use crate::error::Cause;
use crate::pool::Connect;
use crate::{DbError, Mode, OpenError};

/// The oldest minor versions without the leaks of statistics and plans that are known; older major
/// versions are no longer corrected.
const NEEDED: &str = "15.14, 16.10, 17.6, 18.0 or later";

/// Opens connections to one database.
pub(super) struct Opener {
    options: PostgresOptions,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// A connection, its nonce, and the server's time when it was last checked.
pub(super) struct Conn {
    pub(super) raw: PgConnection,
    pub(super) nonce: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) seen: Option<(UtcDateTime, Monotonic)>,
    /// How long an answer may take before the client closes the connection.
    pub(super) deadline: Duration,
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connect = &self.options.connect;
        f.debug_struct("Opener")
            .field("host", &connect.get_host())
            .field("port", &connect.get_port())
            .field("database", &connect.get_database())
            .field("schema", &self.options.schema)
            .finish_non_exhaustive()
    }
}

impl Opener {
    pub(super) fn new(
        options: PostgresOptions,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            options,
            clock,
            random,
        }
    }

    /// Opens a connection, and verifies the version and that the profile arrived.
    pub(super) async fn open(&self) -> Result<Conn, OpenError> {
        let mut bytes = [0_u8; 16];
        let unavailable = Err(DbError::Unavailable(Cause::new("no randomness available")));
        self.random.fill(&mut bytes).or(unavailable)?;
        let nonce = canon::hex(&bytes);
        let profile = self.options.profile();
        let options = self
            .options
            .connect
            .clone()
            .options(profile.iter().map(|(k, v)| (*k, v)));
        let options = options.options([("covenant.session", &nonce)]);
        let mut raw = options
            .connect()
            .await
            .map_err(|error| failure::db_error(&error))?;
        let found = raw.server_version_num().unwrap_or(0);
        if !is_new_enough(found) {
            return Err(OpenError::Version {
                found,
                needed: NEEDED,
            });
        }
        read_back(&mut raw, &profile, &nonce).await?;
        // sqlx counts transactions itself. Its count stays above zero for the life of the connection,
        // as this one never ends for sqlx, so that lent code that calls `begin` gets a savepoint
        // inside our transaction.
        let counted = raw
            .begin()
            .await
            .map_err(|error| failure::db_error(&error))?;
        let _kept = ManuallyDrop::new(counted);
        raw.execute("ROLLBACK")
            .await
            .map_err(|error| failure::db_error(&error))?;
        let clock = Arc::clone(&self.clock);
        // longer than the server's own, so that it speaks first
        let deadline = self.options.statement_wait.saturating_mul(2);
        let deadline = deadline.saturating_add(Duration::from_secs(1));
        let mut conn = Conn {
            raw,
            nonce,
            clock,
            seen: None,
            deadline,
        };
        match super::scrub::check(&mut conn).await? {
            super::scrub::State::Clean => Ok(conn),
            super::scrub::State::Unclean => Err(OpenError::Database(DbError::Unavailable(
                Cause::new("a new session is unclean"),
            ))),
        }
    }
}

impl Connect for Opener {
    type Conn = Conn;

    fn connect(&self) -> BoxFuture<'_, Result<Conn, DbError>> {
        Box::pin(async move {
            self.open().await.map_err(|error| match error {
                OpenError::Database(error) => error,
                other => DbError::Unavailable(Cause::new(other.to_string())),
            })
        })
    }

    fn close(conn: Conn) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            // a connection that cannot be closed in good order is closed by being dropped
            drop(conn.raw.close().await);
        })
    }
}

impl Conn {
    /// The server's time, carried forward from when it was last seen.
    pub(super) fn now(&self) -> Option<UtcDateTime> {
        let (at, when) = self.seen?;
        let passed = self.clock.monotonic().checked_sub(when)?;
        at.checked_add(time::Duration::try_from(passed).ok()?)
    }

    /// Notes the server's time, in microseconds.
    pub(super) fn saw(&mut self, micros: i64) {
        self.seen = codec::instant(micros).map(|at| (at, self.clock.monotonic()));
    }
}

/// Begins, and has the server prove that this very message began the transaction; a transaction that
/// was open already is an error here. The id of the business transaction is set for audit triggers,
/// and so that COMMIT finds whether its transaction was ended behind its back.
pub(super) async fn begin(conn: &mut Conn, mode: Mode, tag: TxTag) -> Result<(), DbError> {
    let mode = match mode {
        Mode::ReadOnly => "READ ONLY",
        Mode::ReadWrite => "READ WRITE",
    };
    let sql = format!(
        "BEGIN {mode}; SELECT 1 / (now() = statement_timestamp())::int; \
         SET LOCAL covenant.txn = '{}'",
        tag.txn
    );
    let begun = within(conn.deadline, conn.raw.execute(AssertSqlSafe(sql))).await?;
    begun.map(drop).map_err(|error| failure::db_error(&error))
}

/// The future's output, or an error when it takes longer.
pub(super) async fn within<T>(
    deadline: Duration,
    future: impl Future<Output = T>,
) -> Result<T, DbError> {
    let late = Err(DbError::Unavailable(Cause::new("no answer in time")));
    tokio::time::timeout(deadline, future).await.or(late)
}

/// Compares what the session has with what was asked for.
async fn read_back(
    raw: &mut PgConnection,
    profile: &[(&'static str, String)],
    nonce: &str,
) -> Result<(), OpenError> {
    let nonce = ("covenant.session", nonce.to_owned());
    for (name, expected) in profile.iter().chain([&nonce]) {
        let sql = if name.ends_with("timeout") {
            // these read back in a unit of the server's choice
            format!("SELECT setting || 'ms' AS value FROM pg_settings WHERE name = '{name}'")
        } else {
            format!("SELECT current_setting('{name}', true) AS value")
        };
        let row = raw.fetch_one(AssertSqlSafe(sql)).await;
        let row = row.map_err(|error| failure::db_error(&error))?;
        let found: Option<String> = row
            .try_get("value")
            .map_err(|error| failure::db_error(&error))?;
        if found.as_ref() != Some(expected) {
            let found = found.unwrap_or_else(|| "nothing".to_owned());
            return Err(OpenError::Setting {
                name,
                expected: expected.clone(),
                found,
            });
        }
    }
    Ok(())
}

const fn is_new_enough(version: u32) -> bool {
    let (major, minor) = (version / 10_000, version % 10_000);
    match major {
        15 => minor >= 14,
        16 => minor >= 10,
        17 => minor >= 6,
        _ => major >= 18,
    }
}

#[cfg(test)]
mod tests {
    use super::is_new_enough;

    #[test]
    fn versions_with_known_leaks_are_refused() {
        for old in [0, 90_624, 140_999, 150_013, 160_009, 170_005] {
            assert!(!is_new_enough(old), "{old}");
        }
        for new in [150_014, 150_018, 160_010, 170_006, 180_000, 190_001] {
            assert!(is_new_enough(new), "{new}");
        }
    }
}
