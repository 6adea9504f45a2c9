//! An integrator's own rows, in SQLite or PostgreSQL, disposed of by plan where they lie.
//!
//! The integrator says in SQL what its rows are, by three views (or tables) of these names:
//!
//! | name | columns |
//! |---|---|
//! | `retention_item` | `tenant`, `store`, `class`, `id`: text; `bytes`, `made_at`: integers or null |
//! | `retention_event` | `tenant`, `class`, `id`, `name`: text; `happened_at`: an integer |
//! | `retention_probe` | `tenant`, `class`, `id`: text; `probe`: 24 bytes |
//!
//! Instants are microseconds since 1970; a tenant is its UUID in lower case. Deleting from
//! `retention_item` deletes the row and what belongs to it, by an `INSTEAD OF DELETE` trigger where
//! the view does not do it by itself. Probes are the salts of the row's sealed values, or any 24
//! bytes that are in no other row: with none, a deletion is read back and not looked for in files.
//!
//! [`Rows`] reads them and keeps orders, [`RowDisposer`] deletes, flushes and looks, [`carry_out`]
//! drives an order, [`catch_up`] brings holds back that a restored store has lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use covenant_core::digest::Digest;
use covenant_core::{ItemId, OrderId, TenantId, TxTag, TxnId};
use sql_store::{Args, Db, DbError, MigrateError, Migrations, Mode, Row, Tx};
use time::UtcDateTime;
use uuid::Uuid;

use crate::ledger::Head;
use crate::{
    Disposal, HoldView, Items, OwnedItem, PROBE_LEN_BYTES, PlanItem, Population, Probe, hold,
};

mod catch_up;
mod dispose;
mod order;

pub use catch_up::{CatchUpError, CaughtUp, catch_up};
pub use dispose::{RowDisposer, RowsUnder, StillThere, Underneath};
pub use order::{Order, RowJournal, carry_out};

/// The tables of orders over rows.
pub const MIGRATIONS: Migrations = Migrations {
    crate_name: "retention-rows",
    steps: &[("rows", include_str!("../migrations/0003_rows.sql"))],
};

/// Most items of one tenant: a bound of ours, for they are judged in memory.
pub const ROWS_MAX: usize = 1_000_000;
/// Most events, and most probes, of one tenant's items: four an item, a bound of ours.
pub const ROW_FACTS_MAX: usize = 4_000_000;

/// Rows cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RowsError {
    /// The holds cannot be read.
    #[error("the holds cannot be read")]
    Holds(#[from] crate::HoldError),
    /// A view says what cannot be: an id, a name or a probe of a wrong shape.
    #[error("{view}: {what}")]
    Malformed {
        /// The view.
        view: &'static str,
        /// What it says.
        what: &'static str,
    },
    /// The views are not there, or lack a column.
    #[error(
        "the store does not say what its rows are by the views retention_item, retention_event and \
         retention_probe"
    )]
    Shape(#[source] DbError),
    /// The tables of orders are not those of this build.
    #[error("the tables of orders cannot be made")]
    Tables(#[source] MigrateError),
    /// More than a bound.
    #[error("{view}: more than {max} rows of one tenant")]
    TooMany {
        /// The view.
        view: &'static str,
        /// The bound.
        max: usize,
    },
    /// The database cannot be used now.
    #[error("the store is not available")]
    Unavailable(#[source] DbError),
}

impl From<DbError> for RowsError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Rejected(_) | DbError::Column { .. } => Self::Shape(error),
            error => Self::Unavailable(error),
        }
    }
}

/// A tenant's items and holds, as one transaction saw them.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The items, with their events.
    pub items: Items,
    /// The holds.
    pub holds: HoldView,
}

impl Seen {
    /// How many items there are of each class.
    #[must_use]
    pub fn population(&self) -> Population {
        let mut population = Population::new();
        for item in self.items.as_slice() {
            let count = population.entry((item.tenant, item.class.clone()));
            let count = count.or_default();
            *count = count.saturating_add(1);
        }
        population
    }
}

/// What a store remembers of the ledger and of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// How much of the ledger this store has seen.
    pub ledger: Head,
    /// The last time that a deletion was allowed to use; `None` before the first.
    pub accepted_at: Option<UtcDateTime>,
}

/// A database whose views say what its rows are.
#[derive(Debug, Clone)]
pub struct Rows {
    db: Db,
}

impl Rows {
    /// The rows of this database, in which the tables of holds, orders and the outbox are made
    /// unless they are there.
    ///
    /// # Errors
    /// [`RowsError::Tables`].
    pub async fn open(db: Db) -> Result<Self, RowsError> {
        for migrations in [&sql_store::OUTBOX, &hold::sql::MIGRATIONS, &MIGRATIONS] {
            db.migrate(migrations).await.map_err(RowsError::Tables)?;
        }
        Ok(Self { db })
    }

    /// The database.
    #[must_use]
    pub const fn db(&self) -> &Db {
        &self.db
    }

    /// What there is of the tenant now.
    ///
    /// # Errors
    /// [`RowsError`].
    pub async fn seen(&self, tenant: TenantId) -> Result<Seen, RowsError> {
        let mut tx = self.begin(tenant, Mode::ReadOnly).await?;
        let of = tenant.to_string();
        let mut events = events(&mut tx, &of).await?;
        let sql = include_str!("../sql/list_row_items.sql");
        let mut items = Vec::new();
        for row in bounded(&mut tx, sql, &of, "retention_item", ROWS_MAX).await? {
            let id = id(&row, "retention_item")?;
            let class = row.text("class")?.to_owned();
            items.push(OwnedItem {
                events: events
                    .get_mut(&(class.clone(), id.clone()))
                    .map(|events| events.clone())
                    .unwrap_or_default(),
                id,
                tenant,
                class,
                store: row.text("store")?.to_owned(),
                bytes: u64::try_from(row.opt_int("bytes")?.unwrap_or(0)).unwrap_or(0),
                made_at: row.opt_instant("made_at")?,
            });
        }
        let holds = hold::sql::view(&mut tx, tenant, Mode::ReadOnly).await?;
        Ok(Seen {
            items: Items { items },
            holds,
        })
    }

    /// Every hold of the tenant, those that have ended too.
    ///
    /// # Errors
    /// [`RowsError`].
    pub async fn holds(&self, tenant: TenantId) -> Result<Vec<crate::HoldRecord>, RowsError> {
        let mut tx = self.begin(tenant, Mode::ReadOnly).await?;
        Ok(hold::sql::list(&mut tx, tenant).await?)
    }

    /// By which bytes items are found in files: those of the plan, others are left out.
    ///
    /// # Errors
    /// [`RowsError`].
    pub async fn probes(
        &self,
        tenant: TenantId,
        wanted: &[PlanItem],
    ) -> Result<BTreeMap<(Arc<str>, ItemId), Vec<Probe>>, RowsError> {
        let view = "retention_probe";
        let mut probes: BTreeMap<(Arc<str>, ItemId), Vec<Probe>> = wanted
            .iter()
            .map(|item| ((item.class.clone(), item.id.clone()), Vec::new()))
            .collect();
        let mut tx = self.begin(tenant, Mode::ReadOnly).await?;
        let sql = include_str!("../sql/list_row_probes.sql");
        for row in bounded(&mut tx, sql, &tenant.to_string(), view, ROW_FACTS_MAX).await? {
            let key = (Arc::from(row.text("class")?), id(&row, view)?);
            if let Some(probes) = probes.get_mut(&key) {
                let bytes = <[u8; PROBE_LEN_BYTES]>::try_from(row.bytes("probe")?);
                probes.push(Probe::new(bytes.or(Err(RowsError::Malformed {
                    view,
                    what: "a probe has 24 bytes",
                }))?));
            }
        }
        Ok(probes)
    }

    /// What the store remembers; the empty ledger before the first mark.
    ///
    /// # Errors
    /// [`RowsError`].
    pub async fn mark(&self, tenant: TenantId) -> Result<Mark, RowsError> {
        let mut tx = self.begin(tenant, Mode::ReadOnly).await?;
        Ok(catch_up::mark(&mut tx, tenant).await?)
    }

    /// Remembers the time that a deletion was allowed to use.
    ///
    /// # Errors
    /// [`RowsError`].
    pub async fn accept(&self, tenant: TenantId, at: UtcDateTime) -> Result<(), RowsError> {
        let mut tx = self.begin(tenant, Mode::ReadWrite).await?;
        let mark = catch_up::mark(&mut tx, tenant).await?;
        let accepted_at = Some(mark.accepted_at.map_or(at, |before| before.max(at)));
        let mark = Mark {
            accepted_at,
            ..mark
        };
        catch_up::put_mark(&mut tx, tenant, &mark).await?;
        Ok(tx.commit().await?)
    }

    /// A person has looked at the clock: remembers this time, also where it is before the one that was
    /// accepted.
    ///
    /// # Errors
    /// [`RowsError`].
    pub async fn confirm(&self, tenant: TenantId, at: UtcDateTime) -> Result<(), RowsError> {
        let mut tx = self.begin(tenant, Mode::ReadWrite).await?;
        let mark = Mark {
            accepted_at: Some(at),
            ..catch_up::mark(&mut tx, tenant).await?
        };
        catch_up::put_mark(&mut tx, tenant, &mark).await?;
        Ok(tx.commit().await?)
    }

    /// The order with what was done for it so far; `None` for one that was not admitted.
    ///
    /// # Errors
    /// [`RowsError`].
    pub async fn order(
        &self,
        tenant: TenantId,
        id: OrderId,
    ) -> Result<Option<(Order, Vec<Disposal>)>, RowsError> {
        let mut tx = self.begin(tenant, Mode::ReadOnly).await?;
        let Some(order) = order::read(&mut tx, tenant, id).await? else {
            return Ok(None);
        };
        let disposals = order::disposals(&mut tx, tenant, id).await?;
        Ok(Some((order, disposals)))
    }

    /// Writes the order down, with all its disposals, before its first effect.
    ///
    /// # Errors
    /// [`RowsError`]; nothing was written.
    pub async fn admit(
        &self,
        order: &Order,
        disposals: &[Disposal],
        at: UtcDateTime,
    ) -> Result<(), RowsError> {
        let mut tx = self.begin(order.tenant(), Mode::ReadWrite).await?;
        order::write(&mut tx, order, disposals, at).await?;
        Ok(tx.commit().await?)
    }

    pub(crate) async fn begin(&self, tenant: TenantId, mode: Mode) -> Result<Tx, DbError> {
        begin(&self.db, tenant, mode).await
    }
}

pub(crate) async fn begin(db: &Db, tenant: TenantId, mode: Mode) -> Result<Tx, DbError> {
    let tag = TxTag {
        txn: TxnId::from_bytes(*tenant.as_bytes()),
        tenant: Some(tenant),
        decision: None,
    };
    db.begin_with(mode, tag).await
}

/// The order of this plan for this tenant: the same plan is the same order.
#[must_use]
pub fn order_of(tenant: TenantId, plan: &Digest) -> OrderId {
    OrderId::from_uuid(Uuid::new_v5(&tenant.as_uuid(), plan.as_bytes()))
}

/// Names and instants.
type Events = Vec<(String, UtcDateTime)>;

async fn events(
    tx: &mut Tx,
    tenant: &str,
) -> Result<BTreeMap<(String, ItemId), Events>, RowsError> {
    let sql = include_str!("../sql/list_row_events.sql");
    let mut events: BTreeMap<(String, ItemId), Events> = BTreeMap::new();
    for row in bounded(tx, sql, tenant, "retention_event", ROW_FACTS_MAX).await? {
        let key = (row.text("class")?.to_owned(), id(&row, "retention_event")?);
        events.entry(key).or_default().push(event(&row)?);
    }
    Ok(events)
}

fn event(row: &Row) -> Result<(String, UtcDateTime), DbError> {
    Ok((row.text("name")?.to_owned(), row.instant("happened_at")?))
}

fn id(row: &Row, view: &'static str) -> Result<ItemId, RowsError> {
    ItemId::try_from(row.text("id")?).or(Err(RowsError::Malformed {
        view,
        what: "an id has 1 to 64 bytes",
    }))
}

/// The rows of a statement whose second value is how many at most.
async fn bounded(
    tx: &mut Tx,
    sql: &'static str,
    tenant: &str,
    view: &'static str,
    max: usize,
) -> Result<Vec<Row>, RowsError> {
    let limit = i64::try_from(max.saturating_add(1)).unwrap_or(i64::MAX);
    let rows = tx.rows(sql, Args::new().bind(tenant).bind(limit)).await?;
    if rows.len() > max {
        return Err(RowsError::TooMany { view, max });
    }
    Ok(rows)
}
