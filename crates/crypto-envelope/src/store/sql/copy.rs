//! The transactions about copies of the store, and the events that wait for the log.

use std::collections::BTreeMap;

use covenant_core::EventId;
use sql_store::{Args, Mode};

use super::burial::{add_erasure, with_keys};
use super::change::tell;
use super::rows;
use super::{Failed, SqlStore};
use crate::journal::KeyEvent;
use crate::store::{Changes, StoreError, StoreStanding, in_order};

impl SqlStore {
    pub(super) async fn read_standing(&self) -> Result<StoreStanding, Failed> {
        let sql = include_str!("../../../sql/read_store.sql");
        let found = self.read(sql, Args::new()).await?;
        rows::standing(found.first().ok_or(rows::damaged("store"))?)
    }

    pub(super) async fn write(&self, sql: &'static str, args: Args) -> Result<(), Failed> {
        let mut tx = self.begin(Mode::ReadWrite).await?;
        tx.execute(sql, args).await?;
        Ok(tx.commit().await?)
    }

    pub(super) async fn read_changes(&self, after: u64) -> Result<Changes, Failed> {
        let mut tx = self.begin(Mode::ReadWrite).await?;
        tx.execute(include_str!("../../../sql/lock_store.sql"), Args::new())
            .await?;
        let sql = include_str!("../../../sql/read_store.sql");
        let row = tx.row(sql, Args::new()).await?;
        let revision = rows::standing(&row.ok_or(rows::damaged("store"))?)?.revision;
        let since = Args::new().bind(rows::int(after)?);
        let sql = include_str!("../../../sql/list_changed_keks.sql");
        let keks = tx.rows(sql, since.clone()).await?;
        let sql = include_str!("../../../sql/list_changed_roots.sql");
        let roots = tx.rows(sql, since.clone()).await?;
        let sql = include_str!("../../../sql/list_changed_erasures.sql");
        let mut erasures = Vec::new();
        for row in tx.rows(sql, since).await? {
            erasures.push(with_keys(&mut tx, rows::erasure(&row)?).await?);
        }
        tx.rollback().await?;
        let keks: Result<_, _> = keks.iter().map(rows::kek).collect();
        let roots: Result<_, _> = roots.iter().map(rows::root).collect();
        Ok(Changes {
            after,
            revision,
            keks: keks?,
            roots: roots?,
            erasures,
        })
    }

    pub(super) async fn write_restored(&self, copies: &[Changes]) -> Result<(), Failed> {
        let copies = in_order(copies)?;
        let mut tx = self.begin(Mode::ReadWrite).await?;
        tx.execute(include_str!("../../../sql/lock_store.sql"), Args::new())
            .await?;
        for sql in [
            include_str!("../../../sql/list_keks.sql"),
            include_str!("../../../sql/list_roots.sql"),
        ] {
            if !tx.rows(sql, Args::new()).await?.is_empty() {
                return Err(Failed::Store(StoreError::NotEmpty));
            }
        }
        let keks = copies.iter().flat_map(|copy| &copy.keks);
        let keks: BTreeMap<_, _> = keks.map(|kek| (kek.id, kek)).collect();
        for kek in keks.values() {
            let sql = include_str!("../../../sql/add_kek.sql");
            if tx.execute(sql, rows::kek_args(kek)?).await? == 0 {
                return Err(Failed::Store(StoreError::Taken(kek.id)));
            }
        }
        let roots = copies.iter().flat_map(|copy| &copy.roots);
        let roots: BTreeMap<_, _> = roots.map(|root| (root.id, root)).collect();
        for root in roots.values() {
            let sql = include_str!("../../../sql/add_root.sql");
            if tx.execute(sql, rows::root_args(root)?).await? == 0 {
                return Err(Failed::Store(StoreError::Taken(root.id)));
            }
        }
        let erasures = copies.iter().flat_map(|copy| &copy.erasures);
        let erasures: BTreeMap<_, _> = erasures.map(|e| (e.order, e)).collect();
        for erasure in erasures.values() {
            add_erasure(&mut tx, erasure).await?;
        }
        let revision = copies.last().map_or(0, |copy| copy.revision);
        let args = Args::new().bind(rows::int(revision)?);
        tx.execute(include_str!("../../../sql/set_revision.sql"), args)
            .await?;
        let args = Args::new().bind(rows::gate_name(crate::store::Gate::Shut));
        tx.execute(include_str!("../../../sql/set_gate.sql"), args)
            .await?;
        Ok(tx.commit().await?)
    }

    pub(super) async fn write_event(&self, event: &KeyEvent) -> Result<(), Failed> {
        let mut tx = self.begin(Mode::ReadWrite).await?;
        tell(&mut tx, event).await?;
        Ok(tx.commit().await?)
    }

    pub(super) async fn read_events(&self, limit: u32) -> Result<Vec<KeyEvent>, Failed> {
        let sql = include_str!("../../../sql/list_events.sql");
        let found = self.read(sql, Args::new().bind(limit)).await?;
        let event = |row: &sql_store::Row| {
            let event = KeyEvent::decode(row.bytes("body")?);
            event.ok_or(rows::damaged("event"))
        };
        found.iter().map(event).collect()
    }

    pub(super) async fn write_settled_events(&self, ids: &[EventId]) -> Result<(), Failed> {
        let mut tx = self.begin(Mode::ReadWrite).await?;
        for id in ids {
            let sql = include_str!("../../../sql/forget_event.sql");
            tx.execute(sql, Args::new().bind(*id)).await?;
        }
        Ok(tx.commit().await?)
    }
}
