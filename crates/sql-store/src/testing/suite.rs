//! The laws of [`Db`], each a function; [`all`] runs every one.
//!
//! The database must be one that nobody else uses, with at least two connections; only
//! [`cancelled_calls_leave_nothing_open`] is also for a pool of one.

use covenant_core::{OutboxError, OutboxTx as _, TxTag, TxnId};
use time::UtcDateTime;
use uuid::Uuid;

use crate::{Args, Constraint, Db, DbError, MigrateError, Migrations, Mode, OUTBOX, Row, Tx};
use crate::{due, lease};

mod cancelled;
mod tables;

pub use cancelled::cancelled_calls_leave_nothing_open;
pub use tables::{
    one_worker_holds_a_lease, outbox_rows_commit_with_their_transaction,
    the_queue_gives_what_is_due_in_order,
};

use tables::outbox_row;

/// A law that does not hold.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SuiteError {
    /// The database did something else than the law says.
    #[error("law broken: {0}")]
    Broken(String),
    /// The database failed where it must not.
    #[error("the database failed")]
    Database(#[from] DbError),
    /// A migration failed where it must not.
    #[error("a migration failed")]
    Migrate(#[from] MigrateError),
    /// The outbox failed where it must not.
    #[error("the outbox failed")]
    Outbox(#[from] OutboxError),
}

type Outcome = Result<(), SuiteError>;

/// What must be true, and the words for it when it is not.
macro_rules! law {
    ($holds:expr, $text:literal $(,)?) => {
        if $holds { Ok(()) } else { Err(broken($text)) }
    };
}
use law;

const TABLES: Migrations = Migrations {
    crate_name: "suite",
    steps: &[(
        "0001_tables",
        "CREATE TABLE suite_row (id BIGINT NOT NULL PRIMARY KEY, body TEXT, \
         CONSTRAINT suite_positive CHECK (id >= 0)); \
         CREATE TABLE suite_child (id BIGINT NOT NULL PRIMARY KEY, \
         parent BIGINT NOT NULL REFERENCES suite_row (id)); \
         CREATE TABLE suite_value (id BIGINT NOT NULL PRIMARY KEY, i BIGINT, t TEXT, b BYTEA, \
         u UUID, at BIGINT)",
    )],
};
const PUT: &str = "INSERT INTO suite_row (id, body) VALUES ($1, $2)";
const COUNT: &str = "SELECT count(*) AS n FROM suite_row WHERE id = $1";

/// Runs every law.
///
/// # Errors
/// The first law that does not hold.
pub async fn all(db: &Db) -> Outcome {
    migrations_are_applied_once_and_verified(db).await?;
    for tables in [TABLES, OUTBOX, due::DUE, lease::LEASE] {
        db.migrate(&tables).await?;
    }
    a_transaction_is_all_or_nothing(db).await?;
    uncommitted_writes_are_not_seen(db).await?;
    a_read_only_transaction_writes_nothing(db).await?;
    values_come_back_as_they_were_bound(db).await?;
    wrong_calls_are_told_apart(db).await?;
    outbox_rows_commit_with_their_transaction(db).await?;
    the_queue_gives_what_is_due_in_order(db).await?;
    one_worker_holds_a_lease(db).await?;
    cancelled_calls_leave_nothing_open(db).await
}

/// A tag with this transaction id, and no tenant.
#[must_use]
pub fn tag(txn: u128) -> TxTag {
    TxTag {
        txn: TxnId::from_uuid(Uuid::from_u128(txn)),
        tenant: None,
        decision: None,
    }
}

/// Steps are applied once, in one transaction; a changed step, or one that this build does not know,
/// is refused.
///
/// # Errors
/// [`SuiteError`].
pub async fn migrations_are_applied_once_and_verified(db: &Db) -> Outcome {
    const FIRST: (&str, &str) = ("0001", "CREATE TABLE suite_migrated (id BIGINT NOT NULL)");
    const SECOND: (&str, &str) = ("0002", "INSERT INTO suite_migrated (id) VALUES (1)");
    const FAILS: (&str, &str) = ("0003", "DELETE FROM suite_migrated; SELECT suite_no_such");
    const OTHER: (&str, &str) = ("0002", "INSERT INTO suite_migrated (id) VALUES (2)");
    let crate_name = "suite-migrated";
    let one = Migrations {
        crate_name,
        steps: &[FIRST],
    };
    let two = Migrations {
        crate_name,
        steps: &[FIRST, SECOND],
    };
    let three = Migrations {
        crate_name,
        steps: &[FIRST, SECOND, FAILS],
    };
    let other = Migrations {
        crate_name,
        steps: &[FIRST, OTHER],
    };
    for migrations in [one, two, two] {
        db.migrate(&migrations).await?;
    }
    let refused = db.migrate(&three).await;
    law!(
        matches!(refused, Err(MigrateError::Database(_))),
        "a step that fails is an error",
    )?;
    let refused = db.migrate(&other).await;
    law!(
        matches!(refused, Err(MigrateError::Changed { .. })),
        "a changed step is refused",
    )?;
    let refused = db.migrate(&one).await;
    law!(
        matches!(refused, Err(MigrateError::Unknown { .. })),
        "a newer database is refused",
    )?;
    let refused = db
        .migrate(&Migrations {
            crate_name: "Bad Name",
            steps: &[],
        })
        .await;
    law!(
        matches!(refused, Err(MigrateError::Name)),
        "a name that is no table name is refused",
    )?;
    let mut tx = db.begin_with(Mode::ReadOnly, tag(1)).await?;
    let rows = tx
        .rows("SELECT id FROM suite_migrated", Args::new())
        .await?;
    let ids = rows
        .iter()
        .map(|row| row.int("id"))
        .collect::<Result<Vec<_>, _>>()?;
    law!(
        ids == [1],
        "a step that failed left nothing, and none was applied twice",
    )
}

/// What is committed is there; what is rolled back, dropped or failed is not.
///
/// # Errors
/// [`SuiteError`].
pub async fn a_transaction_is_all_or_nothing(db: &Db) -> Outcome {
    let put = |id: i64| Args::new().bind(id).bind("body");
    let mut tx = db.begin_with(Mode::ReadWrite, tag(1)).await?;
    law!(tx.execute(PUT, put(100)).await? == 1, "one row was changed")?;
    tx.commit().await?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag(2)).await?;
    tx.execute(PUT, put(101)).await?;
    tx.rollback().await?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag(3)).await?;
    tx.execute(PUT, put(102)).await?;
    drop(tx);
    let mut tx = db.begin_with(Mode::ReadWrite, tag(4)).await?;
    tx.execute(PUT, put(103)).await?;
    let failed = tx.execute(PUT, put(100)).await;
    law!(failed.is_err(), "a key that is there is refused")?;
    drop(tx);
    for (id, expected) in [(100, 1), (101, 0), (102, 0), (103, 0)] {
        law!(
            count(db, id).await? == expected,
            "only what was committed is there",
        )?;
    }
    Ok(())
}

/// A reader sees what was committed before it read, and nothing else.
///
/// # Errors
/// [`SuiteError`].
pub async fn uncommitted_writes_are_not_seen(db: &Db) -> Outcome {
    let mut writer = db.begin_with(Mode::ReadWrite, tag(1)).await?;
    writer
        .execute(PUT, Args::new().bind(200_i64).bind(None::<&str>))
        .await?;
    law!(count(db, 200).await? == 0, "an uncommitted row is not seen")?;
    writer.commit().await?;
    law!(count(db, 200).await? == 1, "a committed row is seen")
}

/// The database itself refuses to write in a read-only transaction.
///
/// # Errors
/// [`SuiteError`].
pub async fn a_read_only_transaction_writes_nothing(db: &Db) -> Outcome {
    let mut tx = db.begin_with(Mode::ReadOnly, tag(1)).await?;
    let refused = tx.execute(PUT, Args::new().bind(300_i64).bind("x")).await;
    law!(
        matches!(refused, Err(DbError::ReadOnly)),
        "a write is refused as such",
    )?;
    drop(tx);
    let mut tx = db.begin_with(Mode::ReadOnly, tag(1)).await?;
    let refused = tx.put(outbox_row(1)).await;
    law!(
        matches!(refused, Err(OutboxError::ReadOnly)),
        "so is an outbox row",
    )?;
    drop(tx);
    law!(count(db, 300).await? == 0, "nothing was written")?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag(1)).await?;
    tx.execute(PUT, Args::new().bind(300_i64).bind("x")).await?;
    tx.commit().await?;
    law!(
        count(db, 300).await? == 1,
        "the same write is taken where writing is allowed",
    )
}

/// Every kind of value comes back as it was bound, at its extremes and as null.
///
/// # Errors
/// [`SuiteError`].
pub async fn values_come_back_as_they_were_bound(db: &Db) -> Outcome {
    const WRITE: &str = "INSERT INTO suite_value (id, i, t, b, u, at) \
                         VALUES ($1, $2, $3, $4, $5, $6)";
    const READ: &str = "SELECT i, t, b, u, at FROM suite_value WHERE id = $1";
    const FIND: &str = "SELECT id FROM suite_value WHERE i = $1 AND t = $2 AND b = $3 AND u = $4 \
                        AND at = $5";
    let late = UtcDateTime::from_unix_timestamp(253_402_300_799).unwrap_or(UtcDateTime::MAX);
    let instants = [UtcDateTime::UNIX_EPOCH, late];
    let mut tx = db.begin_with(Mode::ReadWrite, tag(1)).await?;
    // null first: the statement that is prepared then must take other values later
    let nulls = Args::new().bind(0_i64).bind(None::<i64>).bind(None::<&str>);
    let nulls = nulls
        .bind(None::<Vec<u8>>)
        .bind(None::<Uuid>)
        .bind(None::<UtcDateTime>);
    tx.execute(WRITE, nulls).await?;
    for (id, at) in (1_i64..).zip(instants) {
        let number = if id == 1 { i64::MIN } else { i64::MAX };
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        let uuid = Uuid::from_u128(u128::MAX >> (id & 7));
        let text = "'; DROP TABLE suite_value; -- \u{1f512} $1";
        let args = Args::new()
            .bind(number)
            .bind(text)
            .bind(&bytes)
            .bind(uuid)
            .bind(at);
        let write = Args::new()
            .bind(id)
            .bind(number)
            .bind(text)
            .bind(&bytes)
            .bind(uuid)
            .bind(at);
        tx.execute(WRITE, write).await?;
        let row = one(tx.row(READ, Args::new().bind(id)).await?)?;
        law!(row.int("i")? == number, "an integer")?;
        law!(row.text("t")? == text, "a text")?;
        law!(row.bytes("b")? == bytes, "bytes")?;
        law!(row.uuid("u")? == uuid, "a UUID")?;
        law!(row.instant("at")? == at, "an instant")?;
        let found = one(tx.row(FIND, args).await?)?;
        law!(found.int("id")? == id, "equal values are found")?;
    }
    let row = one(tx.row(READ, Args::new().bind(0_i64)).await?)?;
    let none = row.opt_int("i")?.is_none()
        && row.opt_text("t")?.is_none()
        && row.opt_bytes("b")?.is_none()
        && row.opt_uuid("u")?.is_none()
        && row.opt_instant("at")?.is_none();
    law!(none, "null")?;
    law!(
        matches!(row.int("i"), Err(DbError::Column { .. })),
        "null is no integer",
    )?;
    law!(
        matches!(row.text("none"), Err(DbError::Column { .. })),
        "an absent column is an error",
    )?;
    tx.commit().await?;
    Ok(())
}

/// Each kind of mistake is an error of its own, and none of them spoils the next transaction.
///
/// # Errors
/// [`SuiteError`].
pub async fn wrong_calls_are_told_apart(db: &Db) -> Outcome {
    const CHILD: &str = "INSERT INTO suite_child (id, parent) VALUES ($1, $2)";
    let put = |id: i64| Args::new().bind(id).bind("x");
    let mut tx = db.begin_with(Mode::ReadWrite, tag(1)).await?;
    tx.execute(PUT, put(400)).await?;
    tx.commit().await?;
    let cases = [
        (PUT, put(400), Constraint::Unique),
        (PUT, put(-1), Constraint::Check),
        (
            PUT,
            Args::new().bind(None::<i64>).bind("x"),
            Constraint::NotNull,
        ),
        (
            CHILD,
            Args::new().bind(1_i64).bind(499_i64),
            Constraint::ForeignKey,
        ),
    ];
    for (sql, args, expected) in cases {
        let mut tx = db.begin_with(Mode::ReadWrite, tag(2)).await?;
        let refused = tx.execute(sql, args).await;
        let as_expected =
            matches!(refused, Err(DbError::Constraint { kind, .. }) if kind == expected);
        law!(as_expected, "a constraint is told by its kind")?;
    }
    let mut tx = db.begin_with(Mode::ReadWrite, tag(3)).await?;
    for args in [Args::new(), put(401).bind(1_i64)] {
        let refused = tx.execute(PUT, args).await;
        law!(
            matches!(refused, Err(DbError::Arguments { .. })),
            "values are counted",
        )?;
    }
    tx.execute(PUT, put(401)).await?;
    let refused = tx
        .rows("SELECT suite_no_such FROM suite_row", Args::new())
        .await;
    law!(
        matches!(refused, Err(DbError::Rejected(_))),
        "a mistake in the statement is told",
    )?;
    drop(tx);
    law!(
        count(db, 401).await? == 0,
        "a failed transaction leaves nothing",
    )
}

async fn count(db: &Db, id: i64) -> Result<i64, SuiteError> {
    let mut tx = db.begin_with(Mode::ReadOnly, tag(9)).await?;
    let found = read(&mut tx, id).await?;
    tx.commit().await?;
    Ok(found)
}

async fn read(tx: &mut Tx, id: i64) -> Result<i64, SuiteError> {
    Ok(one(tx.row(COUNT, Args::new().bind(id)).await?)?.int("n")?)
}

fn one(row: Option<Row>) -> Result<Row, SuiteError> {
    row.ok_or_else(|| broken("a row is there"))
}

fn broken(text: &str) -> SuiteError {
    SuiteError::Broken(text.to_owned())
}
