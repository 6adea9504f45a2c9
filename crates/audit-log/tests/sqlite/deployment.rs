//! A deployment in a temporary folder: an audit database, one store for each tenant, and a sink.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use audit_log::sequencer::{Drained, Serves};
use audit_log::store::sql::{Feed, SqlLog};
use audit_log::store::{AuditLog, Entry, entries_from};
use audit_log::testing::{End, EscrowSealer, Rig, SuiteError};
use audit_log::{Inbox, Sink};
use covenant_core::event::{Event, EventSink, Prepared};
use covenant_core::testing::SeededRandom;
use covenant_core::{
    Action, ActorContext, BoxFuture, Clock, EventId, Id, ItemId, LogId, ManualClock, Outcome,
    Random, Target, TenantId, TxTag, TxnId,
};
use sql_store::{Args, Db, Durability, Mode, OUTBOX, SqliteOptions, SqliteProfile, Tx};
use time::UtcDateTime;
use uuid::Uuid;

/// One file of the deployment, made where it is missing.
pub(crate) async fn database(folder: &std::path::Path, name: &str, clock: &Arc<dyn Clock>) -> Db {
    let path = folder.join(name);
    let exists = path.exists();
    let options = SqliteOptions::new(path, SqliteProfile::Control).durability(Durability::Off);
    let db = if exists {
        Db::open_sqlite(options, Arc::clone(clock)).await
    } else {
        Db::create_sqlite(options, Arc::clone(clock)).await
    };
    db.unwrap()
}

/// A deployment with two tenants.
#[derive(Debug)]
pub(crate) struct Deployment {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) sealer: Arc<EscrowSealer>,
    pub(crate) log: SqlLog,
    pub(crate) sink: Sink,
    pub(crate) stores: Vec<(TenantId, Db)>,
}

pub(crate) fn tenant(n: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(n))
}

pub(crate) fn event(tenant: TenantId, n: u64, action: Action, item: i64) -> Event {
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77));
    let actor = ActorContext::member(Uuid::from_u128(7), address);
    let target = Target::row(tenant, "record", "records", ItemId::from(item));
    let id = EventId::from_uuid(Uuid::from_u128(u128::from(n)));
    Event::new(
        id,
        UtcDateTime::UNIX_EPOCH,
        actor,
        action,
        target,
        Outcome::Ok,
    )
}

impl Deployment {
    pub(crate) async fn new(tenants: u128) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(UtcDateTime::UNIX_EPOCH));
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(1));
        let time: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
        let db = database(folder.path(), "audit.db", &time).await;
        let log = SqlLog::open(db, Arc::clone(&random)).await.unwrap();
        let sealer = Arc::new(EscrowSealer::new());
        let inbox: Arc<dyn Inbox> = Arc::new(log.clone());
        let sink = Sink::new(Arc::clone(&sealer) as _, Arc::clone(&random), inbox);
        let mut stores = Vec::new();
        for n in 1..=tenants {
            let db = database(folder.path(), &format!("{n}.db"), &time).await;
            db.migrate(&OUTBOX).await.unwrap();
            stores.push((tenant(n), db));
        }
        Self {
            folder,
            clock,
            random,
            sealer,
            log,
            sink,
            stores,
        }
    }

    pub(crate) fn feeds(&self) -> Vec<Feed> {
        let feed = |(tenant, db): &(TenantId, Db)| Feed::new(db.clone(), Serves::Tenant(*tenant));
        self.stores.iter().map(feed).collect()
    }

    pub(crate) async fn drain(&self) -> Drained {
        self.log.drain(&self.feeds()).await.unwrap()
    }

    pub(crate) async fn begin(&self, tenant: TenantId) -> Tx {
        let (_, db) = self.stores.iter().find(|(t, _)| *t == tenant).unwrap();
        let txn: TxnId = Id::mint(&*self.clock, &*self.random).unwrap();
        let tag = TxTag {
            txn,
            tenant: Some(tenant),
            decision: None,
        };
        db.begin_with(Mode::ReadWrite, tag).await.unwrap()
    }

    pub(crate) async fn record(&self, tenant: TenantId, events: Vec<Event>) {
        let mut prepared = Vec::new();
        for event in events {
            prepared.push(self.sink.prepare(event).await.unwrap());
        }
        let mut tx = self.begin(tenant).await;
        for prepared in prepared {
            self.sink.record(&mut tx, prepared).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Runs SQL in a database with a transaction of its own, as a shell does.
    pub(crate) async fn shell(&self, db: &Db, sql: &'static str, args: Args) -> u64 {
        let txn: TxnId = Id::mint(&*self.clock, &*self.random).unwrap();
        let tag = TxTag {
            txn,
            tenant: None,
            decision: None,
        };
        let mut tx = db.begin_with(Mode::ReadWrite, tag).await.unwrap();
        let changed = tx.execute(sql, args).await.unwrap();
        tx.commit().await.unwrap();
        changed
    }

    /// All leaves of a log.
    pub(crate) async fn entries(&self, log: LogId) -> Vec<Entry> {
        entries_from(&self.log, log, 0).await.unwrap()
    }
}

impl Rig for Deployment {
    fn sink(&self) -> Arc<dyn EventSink> {
        Arc::new(self.sink.clone())
    }

    fn log(&self) -> Arc<dyn AuditLog> {
        Arc::new(self.log.clone())
    }

    fn transact(
        &self,
        tenant: TenantId,
        events: Vec<Prepared>,
        end: End,
    ) -> BoxFuture<'_, Result<TxnId, SuiteError>> {
        Box::pin(async move {
            let mut tx = self.begin(tenant).await;
            let txn = covenant_core::OutboxTx::tag(&tx).txn;
            for prepared in events {
                self.sink.record(&mut tx, prepared).await.unwrap();
            }
            match end {
                End::Commit => tx.commit().await.unwrap(),
                End::Rollback => tx.rollback().await.unwrap(),
            }
            Ok(txn)
        })
    }

    fn drain(&self) -> BoxFuture<'_, Result<Drained, SuiteError>> {
        Box::pin(async move { Ok(Self::drain(self).await) })
    }
}
