//! The backstop under the change log: triggers that see every row change of a SQLite database, those
//! of bulk statements, `REPLACE`, cascades and a shell too, and note the transaction that was
//! announced for it. [`crate::coverage`] compares them with the events.

use covenant_core::canon::unhex;
use covenant_core::event::Datum;
use covenant_core::{
    Action, ActorContext, Event, EventId, EventSink, ItemId, LogId, OutboxTx as _, Outcome,
    SinkError, Target, TxnId,
};
use sql_store::{Args, Db, DbError, MigrateError, Migrations, Mode, Tx};
use time::UtcDateTime;
use uuid::Uuid;

use crate::action::Op;
use crate::coverage::{Account, Coverage, Touch, measure};
use crate::error::LogError;
use crate::names::tenant_of;
use crate::store::sql::{store, unsigned};
use crate::store::{AuditLog, entries_from};

/// Makes the tables that triggers write to.
pub const TOUCHES: Migrations = Migrations {
    crate_name: "audit-log-touch",
    steps: &[(
        "0001_touch",
        include_str!("../migrations/sqlite/0001_touch.sql"),
    )],
};

/// Tables that hold no business rows, beside those that end in `_migrations`.
const OWN_TABLES: [&str; 4] = ["audit_ctx", "audit_touch", "outbox", "sqlite_sequence"];

/// A business table under watch, and its triggers. Made by [`watched!`](crate::watched).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watched {
    #[doc(hidden)]
    pub table: &'static str,
    #[doc(hidden)]
    pub triggers: [Trigger; 3],
}

/// One trigger: its name and its whole statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trigger {
    #[doc(hidden)]
    pub name: &'static str,
    #[doc(hidden)]
    pub sql: &'static str,
}

/// Names a table and the column that holds the row's [`ItemId`], and makes the triggers' text while
/// compiling, so that no SQL is put together at run time.
///
/// `bytes` is for keys that are blobs or texts and `integer` for those that are integers, whose item
/// id is `ItemId::from(i64)`.
///
/// ```
/// use audit_log::changes::Watched;
/// const TABLES: &[Watched] = &[
///     audit_log::watched!("record", bytes "id"),
///     audit_log::watched!("remark", integer "id"),
/// ];
/// ```
#[macro_export]
macro_rules! watched {
    ($table:literal, bytes $key:literal) => {
        $crate::watched!(@ $table, $key, "lower(hex(", "))")
    };
    ($table:literal, integer $key:literal) => {
        $crate::watched!(@ $table, $key, "printf('%016x', ", ")")
    };
    (@ $table:literal, $key:literal, $before:literal, $after:literal) => {
        $crate::changes::Watched {
            table: $table,
            triggers: [
                $crate::watched!(@ $table, $key, $before, $after, "insert", "INSERT", "NEW", ""),
                $crate::watched!(@ $table, $key, $before, $after, "update", "UPDATE", "NEW", concat!(
                    "INSERT INTO audit_touch (txn, tbl, op, row_key) ",
                    "SELECT (SELECT txn FROM audit_ctx), '", $table, "', 'update', ",
                    $before, "OLD.\"", $key, "\"", $after,
                    " WHERE OLD.\"", $key, "\" IS NOT NEW.\"", $key, "\"; ",
                )),
                $crate::watched!(@ $table, $key, $before, $after, "delete", "DELETE", "OLD", ""),
            ],
        }
    };
    (@ $table:literal, $key:literal, $before:literal, $after:literal,
        $op:literal, $when:literal, $row:literal, $more:expr) => {
        $crate::changes::Trigger {
            name: concat!("audit_touch_", $table, "_", $op),
            sql: concat!(
                "CREATE TRIGGER \"audit_touch_", $table, "_", $op, "\" AFTER ", $when,
                " ON \"", $table, "\" BEGIN ", $more,
                "INSERT INTO audit_touch (txn, tbl, op, row_key) ",
                "VALUES ((SELECT txn FROM audit_ctx), '", $table, "', '", $op, "', ",
                $before, $row, ".\"", $key, "\"", $after, "); END"
            ),
        }
    };
}

/// What is wrong with the watch over a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchFindings {
    /// Triggers that are missing or have another text.
    pub triggers: Vec<&'static str>,
    /// Tables that are neither watched nor exempt.
    pub tables: Vec<String>,
}

impl WatchFindings {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.triggers.is_empty() && self.tables.is_empty()
    }
}

/// Makes the tables of the backstop, and the triggers that are missing. Repeatable.
///
/// # Errors
/// [`MigrateError`]; the triggers are made in one transaction.
// clause: R-20
pub async fn install_triggers(db: &Db, tables: &[Watched]) -> Result<(), MigrateError> {
    db.migrate(&TOUCHES).await?;
    let tag = covenant_core::TxTag {
        txn: TxnId::from_bytes([0; 16]),
        tenant: None,
        decision: None,
    };
    let mut tx = db.begin_with(Mode::ReadWrite, tag).await?;
    let present = schema(&mut tx).await?;
    for Trigger { name, sql } in tables.iter().flat_map(|watched| watched.triggers) {
        if !present
            .iter()
            .any(|object| object.is_trigger && object.name == name)
        {
            tx.execute(sql, Args::new()).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

/// Compares triggers and tables with what must be there: at start-up and at every sweep.
///
/// # Errors
/// [`DbError`].
pub async fn check_triggers(
    tx: &mut Tx,
    tables: &[Watched],
    exempt: &[&str],
) -> Result<WatchFindings, DbError> {
    let present = schema(tx).await?;
    let mut findings = WatchFindings::default();
    for Trigger { name, sql } in tables.iter().flat_map(|watched| watched.triggers) {
        let same = |o: &SchemaObject| o.is_trigger && o.name == name && o.sql == sql;
        if !present.iter().any(same) {
            findings.triggers.push(name);
        }
    }
    for object in present.into_iter().filter(|object| !object.is_trigger) {
        let name = object.name.as_str();
        let own = OWN_TABLES.contains(&name) || name.ends_with("_migrations");
        let watched = tables.iter().any(|watched| watched.table == name);
        if !own && !watched && !exempt.contains(&name) {
            findings.tables.push(object.name);
        }
    }
    Ok(findings)
}

struct SchemaObject {
    is_trigger: bool,
    name: String,
    sql: String,
}

async fn schema(tx: &mut Tx) -> Result<Vec<SchemaObject>, DbError> {
    let rows = tx
        .rows(include_str!("../sql/sqlite/list_schema.sql"), Args::new())
        .await?;
    let object = |row: &sql_store::Row| {
        Ok(SchemaObject {
            is_trigger: row.text("type")? == "trigger",
            name: row.text("name")?.to_owned(),
            sql: row.opt_text("sql")?.unwrap_or_default().to_owned(),
        })
    };
    rows.iter().map(object).collect()
}

/// Announces the transaction, so that the triggers note it with each row change.
///
/// # Errors
/// [`DbError`].
pub async fn begin_change(tx: &mut Tx) -> Result<(), DbError> {
    let txn = tx.tag().txn;
    tx.execute(
        include_str!("../sql/set_context.sql"),
        Args::new().bind(txn),
    )
    .await
    .map(drop)
}

/// Takes the announcement back: to be called before the transaction commits, else the next change
/// by anybody would pass for one of this transaction.
///
/// # Errors
/// [`DbError`].
pub async fn end_change(tx: &mut Tx) -> Result<(), DbError> {
    tx.execute(include_str!("../sql/clear_context.sql"), Args::new())
        .await
        .map(drop)
}

/// Every row change that the triggers of this database noted and that is not settled.
///
/// # Errors
/// [`LogError`]; an unreadable note is damage.
pub async fn touches(tx: &mut Tx, log: LogId) -> Result<Vec<Touch>, LogError> {
    let rows = tx
        .rows(include_str!("../sql/read_touches.sql"), Args::new())
        .await;
    let touch = |row: &sql_store::Row| {
        let seq = unsigned(log, row.int("seq"))?;
        let unreadable = LogError::Damaged {
            log,
            index: seq,
            source: None,
        };
        let op = Op::named(row.text("op").map_err(store)?);
        let key = unhex(row.text("row_key").map_err(store)?);
        let key = key.and_then(|key| ItemId::try_from(key.as_slice()).ok());
        let (Some(op), Some(key)) = (op, key) else {
            return Err(unreadable);
        };
        let table = row.text("tbl").map_err(store)?.to_owned();
        Ok(Touch {
            seq,
            txn: row.opt_id("txn").map_err(store)?,
            table,
            op,
            key,
        })
    };
    rows.map_err(store)?.iter().map(touch).collect()
}

/// Measures how many of the noted row changes an event of this log accounts for; events count from
/// leaf `from` on, once they are sequenced.
///
/// # Errors
/// [`LogError`].
pub async fn coverage(
    tx: &mut Tx,
    audit: &dyn AuditLog,
    log: LogId,
    from: u64,
) -> Result<Coverage, LogError> {
    let touches = touches(tx, log).await?;
    let entries = entries_from(audit, log, from).await?;
    let accounts: Vec<_> = entries
        .iter()
        .filter_map(|entry| Account::of(&entry.leaf))
        .collect();
    Ok(measure(&touches, &accounts))
}

/// Settling changes failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettleError {
    /// The log did not answer.
    #[error("the log cannot be read")]
    Log(#[from] LogError),
    /// What nobody accounts for cannot be recorded; nothing was forgotten.
    #[error("the change cannot be recorded")]
    Sink(#[from] SinkError),
    /// The database with the notes failed; repeating settles it.
    #[error("the notes of the triggers are not available")]
    Store(#[from] DbError),
}

/// Measures coverage, records a `change.unattributed` for every row change that no event accounts
/// for, and forgets what was measured. Repeatable.
///
/// # Errors
/// [`SettleError`].
// clause: R-20
pub async fn settle(
    tx: &mut Tx,
    audit: &dyn AuditLog,
    log: LogId,
    from: u64,
    sink: &dyn EventSink,
    now: UtcDateTime,
    tables: &[Watched],
) -> Result<Coverage, SettleError> {
    let coverage = coverage(tx, audit, log, from).await?;
    let last = touches(tx, log).await?.iter().map(|touch| touch.seq).max();
    for touch in &coverage.unattributed {
        let watched = tables.iter().find(|watched| watched.table == touch.table);
        let event = unattributed(log, touch, watched, now);
        match sink.emit(event).await {
            // recorded by an earlier try, at its own time
            Ok(_) | Err(SinkError::Taken(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(last) = last {
        let last = i64::try_from(last).unwrap_or(i64::MAX);
        tx.execute(
            include_str!("../sql/delete_touches.sql"),
            Args::new().bind(last),
        )
        .await?;
    }
    Ok(coverage)
}

fn unattributed(log: LogId, touch: &Touch, watched: Option<&Watched>, now: UtcDateTime) -> Event {
    let Touch {
        seq,
        txn,
        table,
        op,
        key,
    } = touch;
    let txn_text = txn.map(|txn| txn.to_string()).unwrap_or_default();
    let name = format!("touch/{seq}/{txn_text}/{table}/{}/{}", op.name(), key.hex());
    let id = EventId::from_uuid(Uuid::new_v5(&log.as_uuid(), name.as_bytes()));
    let target = Target {
        tenant: tenant_of(log),
        kind: "row",
        table: watched.map(|watched| watched.table),
        id: Some(key.clone()),
    };
    let action = Action::ChangeUnattributed;
    let event = Event::new(id, now, ActorContext::system(), action, target, Outcome::Ok);
    let event = event.with("op", Datum::Token(op.name()));
    match txn {
        Some(txn) => event.with("announced", Datum::Id(txn.as_uuid())),
        None => event,
    }
}
