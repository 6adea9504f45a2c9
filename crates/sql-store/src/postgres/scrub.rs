//! What a connection sheds, and is checked for, before it serves somebody else.
//!
//! Statements prepared by SQL share one namespace with the driver's, and outlive COMMIT: a statement
//! planted by one tenant over a name of the driver's would run on the next tenant's rows. So a
//! planted statement, a missing one, a session that is not ours or an open transaction closes the
//! connection.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};

use super::connect::Conn;
use super::failure;
use crate::DbError;

/// Ends whatever is open and returns every setting to the start-up options. Not DISCARD ALL, which
/// would take the driver's prepared statements away.
const SCRUB: &str = include_str!("../../sql/postgres/scrub_session.sql");

/// What the check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// As it was opened.
    Clean,
    /// Something was left.
    Unclean,
}

/// Scrubs, then checks.
pub(super) async fn scrub(conn: &mut Conn) -> Result<State, DbError> {
    conn.raw
        .execute(SCRUB)
        .await
        .map_err(|error| failure::db_error(&error))?;
    check(conn).await
}

/// Checks, in a message of its own: its first term is true only outside a transaction.
pub(super) async fn check(conn: &mut Conn) -> Result<State, DbError> {
    // the nonce is 32 hexadecimal digits of ours
    let sql = format!(
        "SELECT coalesce(now() = statement_timestamp() \
         AND coalesce(current_setting('covenant.scope', true), '') = '' \
         AND NOT EXISTS (SELECT FROM pg_prepared_statements WHERE from_sql) \
         AND current_setting('covenant.session', true) = '{}', false) AS clean, \
         (SELECT count(*) FROM pg_prepared_statements) AS prepared, \
         (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS micros",
        conn.nonce
    );
    let row = conn.raw.fetch_one(AssertSqlSafe(sql)).await;
    let row = row.map_err(|error| failure::db_error(&error))?;
    let clean: bool = row
        .try_get("clean")
        .map_err(|error| failure::db_error(&error))?;
    let prepared: i64 = row
        .try_get("prepared")
        .map_err(|error| failure::db_error(&error))?;
    let micros: i64 = row
        .try_get("micros")
        .map_err(|error| failure::db_error(&error))?;
    let cached = i64::try_from(conn.raw.cached_statements_size()).unwrap_or(i64::MAX);
    conn.saw(micros);
    if clean && prepared == cached {
        Ok(State::Clean)
    } else {
        Ok(State::Unclean)
    }
}
