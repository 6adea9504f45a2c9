//! Leases: which of many workers does a periodic piece of work, for how long.
//!
//! A lease spares double work; correctness rests on the fence. Every acquisition raises the fence
//! number of its name, so whoever lost a lease without noticing is told by [`verify`] in the same
//! transaction as its work, and nobody else can acquire until that transaction ends.
//!
//! No wall clock is asked. On PostgreSQL a lease ends by the server's own time. On SQLite, where all
//! workers are of one process, it ends by monotonic time; monotonic times of two processes cannot be
//! compared, so a lease that was left by an earlier life of the process is honoured for its whole
//! length from when this life first sees it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::{Args, DbError, Dialect, Migrations, Row, Tx};

/// Makes the table of leases.
pub const LEASE: Migrations = Migrations {
    crate_name: "sql-store-lease",
    steps: &[("0001_lease", include_str!("../migrations/0001_lease.sql"))],
};

/// Longest name in bytes: a bound of ours; names are words of the code.
pub const NAME_LEN_BYTES_MAX: usize = 128;

const SEED: &str = include_str!("../sql/seed_lease.sql");
const UPDATE: &str = include_str!("../sql/update_lease.sql");
const LOCK_SQLITE: &str = include_str!("../sql/sqlite/lock_lease.sql");
const LOCK_POSTGRES: &str = include_str!("../sql/postgres/lock_lease.sql");
const TIME_POSTGRES: &str = include_str!("../sql/postgres/read_time.sql");

/// A lease that was acquired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    name: String,
    holder: Uuid,
    fence: u64,
}

impl Lease {
    /// The piece of work.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who holds it.
    #[must_use]
    pub const fn holder(&self) -> Uuid {
        self.holder
    }

    /// The number of this acquisition: larger than that of every earlier one of the same name.
    #[must_use]
    pub const fn fence(&self) -> u64 {
        self.fence
    }
}

/// What one life of a process knows of leases that earlier ones left.
#[derive(Debug)]
pub(crate) struct Life {
    id: Uuid,
    seen: Mutex<HashMap<String, Left>>,
}

/// A lease left by another life, and when this one first saw it.
#[derive(Debug, Clone, Copy)]
struct Left {
    life: Uuid,
    fence: i64,
    since: i64,
}

impl Life {
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn new(id: Uuid) -> Self {
        Self {
            id,
            seen: Mutex::new(HashMap::new()),
        }
    }

    /// When a lease of another life was first seen: now, if it is new.
    fn since(&self, name: &str, life: Uuid, fence: i64, now: i64) -> i64 {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Left {
            life,
            fence,
            since: now,
        };
        let left = seen.entry(name.to_owned()).or_insert(new);
        if left.life != life || left.fence != fence {
            *left = new;
        }
        left.since
    }
}

/// The row of a name.
struct State {
    holder: Option<Uuid>,
    fence: i64,
    life: Uuid,
    expires_at: i64,
    length: i64,
}

/// Acquires the lease for this long; `None` while somebody else, or an earlier acquisition of the
/// same holder, has it. It takes effect when the transaction commits.
///
/// # Errors
/// [`DbError::TooLong`] for the name, or as the database answers.
pub async fn acquire(
    tx: &mut Tx,
    name: &str,
    holder: Uuid,
    length: Duration,
) -> Result<Option<Lease>, DbError> {
    if name.len() > NAME_LEN_BYTES_MAX {
        return Err(DbError::TooLong {
            what: "lease name",
            max: NAME_LEN_BYTES_MAX,
        });
    }
    tx.execute(SEED, Args::new().bind(name).bind(tx.life().id))
        .await?;
    let Some(state) = lock(tx, name).await? else {
        return Ok(None);
    };
    let now = now(tx).await?;
    if is_held(tx, name, &state, now) {
        return Ok(None);
    }
    let fence = state.fence.saturating_add(1);
    write(tx, name, Some(holder), fence, now, length).await?;
    let fence = u64::try_from(fence).unwrap_or(0);
    Ok(Some(Lease {
        name: name.to_owned(),
        holder,
        fence,
    }))
}

/// Prolongs the lease, to this long from now. False when it was acquired anew since, or released:
/// the holder must stop.
///
/// # Errors
/// As the database answers.
pub async fn renew(tx: &mut Tx, lease: &Lease, length: Duration) -> Result<bool, DbError> {
    let Some(state) = lock(tx, &lease.name).await? else {
        return Ok(false);
    };
    if !is_same(lease, &state) {
        return Ok(false);
    }
    let now = now(tx).await?;
    write(
        tx,
        &lease.name,
        Some(lease.holder),
        state.fence,
        now,
        length,
    )
    .await?;
    Ok(true)
}

/// Whether nobody has acquired the lease since; nobody can before this transaction ends.
///
/// # Errors
/// As the database answers.
pub async fn verify(tx: &mut Tx, lease: &Lease) -> Result<bool, DbError> {
    Ok(lock(tx, &lease.name)
        .await?
        .is_some_and(|state| is_same(lease, &state)))
}

/// Gives the lease back before its end; one that was acquired anew since is left alone.
///
/// # Errors
/// As the database answers.
pub async fn release(tx: &mut Tx, lease: &Lease) -> Result<(), DbError> {
    match lock(tx, &lease.name).await? {
        Some(state) if is_same(lease, &state) => {
            write(tx, &lease.name, None, state.fence, 0, Duration::ZERO).await
        }
        _ => Ok(()),
    }
}

/// Reads and locks the row; on PostgreSQL `None` also while another transaction has it locked.
async fn lock(tx: &mut Tx, name: &str) -> Result<Option<State>, DbError> {
    let sql = match tx.dialect() {
        Dialect::Postgres => LOCK_POSTGRES,
        Dialect::Sqlite => LOCK_SQLITE,
    };
    tx.row(sql, Args::new().bind(name))
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

fn read(row: &Row) -> Result<State, DbError> {
    Ok(State {
        holder: row.opt_uuid("holder")?,
        fence: row.int("fence")?,
        life: row.uuid("life")?,
        expires_at: row.int("expires_at")?,
        length: row.int("length")?,
    })
}

async fn write(
    tx: &mut Tx,
    name: &str,
    holder: Option<Uuid>,
    fence: i64,
    now: i64,
    length: Duration,
) -> Result<(), DbError> {
    let length = micros(length);
    let args = Args::new()
        .bind(name)
        .bind(holder)
        .bind(fence)
        .bind(tx.life().id)
        .bind(now.saturating_add(length))
        .bind(length);
    tx.execute(UPDATE, args).await.map(drop)
}

/// Microseconds of the time by which leases of this database end.
async fn now(tx: &mut Tx) -> Result<i64, DbError> {
    match tx.dialect() {
        Dialect::Postgres => tx
            .row(TIME_POSTGRES, Args::new())
            .await?
            .map_or(Ok(0), |row| row.int("now")),
        Dialect::Sqlite => Ok(micros(tx.monotonic())),
    }
}

fn is_held(tx: &Tx, name: &str, state: &State, now: i64) -> bool {
    let ends_at = if state.life == tx.life().id {
        state.expires_at
    } else {
        let since = tx.life().since(name, state.life, state.fence, now);
        since.saturating_add(state.length)
    };
    state.holder.is_some() && now < ends_at
}

fn is_same(lease: &Lease, state: &State) -> bool {
    state.holder == Some(lease.holder) && u64::try_from(state.fence) == Ok(lease.fence)
}

fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}
