//! The sweep: all background work that is due, each piece idempotent, so that any number of workers
//! may sweep, late or twice. What fails is tried again later and holds nobody else up.

use covenant_core::{Action, Event, ItemId, Outcome, Target, TenantId, TxTag};
use retention_policy::Trust;
use sql_store::due::{self, Due};
use sql_store::{Mode, Tx};
use tenant_isolation::TenantState;
use time::{Duration, UtcDateTime};

use crate::assembly::{Covenant, lock};
use crate::error::Error;

/// What falls due.
pub(crate) mod kind {
    /// A tenant's next backup.
    pub(crate) const BACKUP: &str = "backup";
    /// A tenant's next purge of its bin.
    pub(crate) const BIN: &str = "bin";
    /// The purge of a deleted database.
    pub(crate) const DATABASE: &str = "database";
    /// The death of a backup epoch.
    pub(crate) const EPOCH: &str = "epoch";
}

/// How long a piece of work that failed waits before it is tried again; ours.
const RETRY: Duration = Duration::minutes(15);
/// Pieces of work that one sweep takes out of the queue at a time.
const BATCH: u32 = 256;

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Backups completed.
    pub backups: u64,
    /// Records purged.
    pub purged: u64,
    /// Databases purged.
    pub databases: u64,
    /// Epochs whose rest was removed.
    pub epochs: u64,
    /// Keys destroyed.
    pub keys: u64,
    /// Pieces of work that failed, and are tried again later.
    pub failed: u64,
    /// Whether deletions waited because the clock is in doubt.
    pub in_doubt: bool,
}

impl Covenant {
    /// Does all that is due now. What deletes waits while the clock is in doubt; the rest goes on.
    ///
    /// # Errors
    /// [`Error`] when the queue or the log cannot be used; the failure of one piece of work is
    /// counted and tried again later.
    // clause: P-51, P-52
    pub async fn sweep(&self) -> Result<Swept, Error> {
        let parts = self.parts();
        let (wall, monotonic) = (parts.clock.now(), parts.clock.monotonic());
        let trust = lock(&parts.clock_guard).observe(wall, monotonic);
        let mut swept = Swept::default();
        self.sequence().await?;
        let trusted = match trust {
            Trust::Trusted(now) => Some(now),
            Trust::Doubt(_) => None,
        };
        swept.in_doubt = trusted.is_none();
        if let Some(now) = trusted {
            // clause: P-18, R-23
            swept.keys = u64::try_from(self.destroy_due(now).await?).unwrap_or(u64::MAX);
        }
        let mut skipped: Vec<Due> = Vec::new();
        loop {
            let due: Vec<Due> = self.due_now(wall).await?;
            let Some(next) = due.into_iter().find(|due| !skipped.contains(due)) else {
                break;
            };
            let deletes = next.kind != kind::BACKUP;
            match trusted {
                None if deletes => skipped.push(next),
                _ => match self.work(&next, trusted.unwrap_or(wall), &mut swept).await {
                    Ok(()) => {}
                    Err(_failed) => {
                        swept.failed = swept.failed.saturating_add(1);
                        self.tell_failed(&next).await?;
                        let due_at = wall.saturating_add(RETRY);
                        self.put_due(&Due { due_at, ..next }).await?;
                    }
                },
            }
        }
        self.sequence().await?;
        Ok(swept)
    }

    /// When the next sweep has something to do; `None` when nothing is planned.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn next_due(&self) -> Result<Option<UtcDateTime>, Error> {
        let parts = self.parts();
        let (wall, monotonic) = (parts.clock.now(), parts.clock.monotonic());
        let mut tx = self.control(Mode::ReadOnly).await?;
        let queued = due::next(&mut tx).await?;
        drop(tx);
        let keys = parts.keys.next_due().await?;
        let next = queued.into_iter().chain(keys).min();
        let trust = lock(&parts.clock_guard).clone().observe(wall, monotonic);
        match (trust, next) {
            (Trust::Doubt(_), Some(next)) if next <= wall => Ok(Some(wall.saturating_add(RETRY))),
            _ => Ok(next),
        }
    }

    /// A person has looked at the clock: deletions trust it again, and what is due is planned anew.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn confirm_clock(&self) -> Result<(), Error> {
        let parts = self.parts();
        let (wall, monotonic) = (parts.clock.now(), parts.clock.monotonic());
        lock(&parts.clock_guard).confirm(wall, monotonic);
        self.rebuild_due().await
    }

    /// Plans everything anew from the facts: after a start, a restore, or a wrong clock.
    ///
    /// # Errors
    /// [`Error`]; what was planned before the failure stays.
    pub async fn rebuild_due(&self) -> Result<(), Error> {
        for (tenant, record) in self.parts().registry.tenants().await? {
            let domain = Self::domain(tenant).map_err(Error::unavailable)?;
            for item in self.parts().backups.items(&domain).await? {
                let key = item.epoch.to_string().into_bytes();
                let due_at = item.destroy_at;
                self.put_due(&Due {
                    due_at,
                    kind: kind::EPOCH.to_owned(),
                    tenant,
                    key,
                })
                .await?;
            }
            if record.state == TenantState::Active {
                let backup = self.backup_due(tenant).await?;
                self.put_due(&backup).await?;
                self.plan_bin(tenant).await?;
            }
        }
        Ok(())
    }

    async fn work(&self, due: &Due, now: UtcDateTime, swept: &mut Swept) -> Result<(), Error> {
        let add = |count: &mut u64, by: u64| *count = count.saturating_add(by);
        match due.kind.as_str() {
            kind::BACKUP => {
                if self.is_active(due.tenant).await? {
                    self.back_up(due.tenant).await?;
                    add(&mut swept.backups, 1);
                    let next = self.backup_due(due.tenant).await?;
                    return self.put_due(&next).await;
                }
            }
            kind::BIN => {
                if self.is_active(due.tenant).await? {
                    let purged = self.purge_bin(due.tenant, now).await?;
                    add(&mut swept.purged, purged);
                    // purge_bin has planned the next one, or taken this row out.
                    return self.drop_if_unmoved(due).await;
                }
            }
            kind::DATABASE => {
                self.purge_database(due.tenant).await?;
                add(&mut swept.databases, 1);
            }
            kind::EPOCH => {
                let epoch = std::str::from_utf8(&due.key)
                    .ok()
                    .and_then(|text| text.parse().ok());
                if let Some(epoch) = epoch {
                    let domain = Self::domain(due.tenant).map_err(Error::unavailable)?;
                    self.parts().backups.expire(&domain, epoch).await?;
                    add(&mut swept.epochs, 1);
                }
            }
            // A row of a newer program: it stays for whoever understands it.
            _ => return Err(Error::NotFound),
        }
        self.cancel_due(due.tenant, &due.kind, &due.key).await
    }

    /// Destroys the keys that are due, and tells the log of each.
    async fn destroy_due(&self, now: UtcDateTime) -> Result<usize, Error> {
        let destroyed = self.parts().keys.destroy_due(now).await?;
        let count = destroyed.len();
        for key in destroyed {
            let target = Target {
                tenant: None,
                kind: "key",
                table: None,
                id: Some(ItemId::from(key.key.as_uuid())),
            };
            let event = Event::new(
                covenant_core::EventId::from_uuid(uuid::Uuid::new_v5(
                    &key.key.as_uuid(),
                    Action::KeyDestroyed.name().as_bytes(),
                )),
                now,
                covenant_core::ActorContext::service("keys"),
                Action::KeyDestroyed,
                target,
                Outcome::Ok,
            );
            self.parts().sink.emit(event).await?;
        }
        Ok(count)
    }

    /// Tells the log that a backup failed; other work is silent, since nothing was promised of it
    /// until its deadline.
    async fn tell_failed(&self, due: &Due) -> Result<(), Error> {
        if due.kind != kind::BACKUP {
            return Ok(());
        }
        let id = ItemId::from(due.tenant.as_uuid());
        let event = Event::new(
            self.mint()?,
            self.parts().clock.now(),
            covenant_core::ActorContext::service("backup"),
            Action::BackupFailed,
            Target::of(due.tenant, "backup", id),
            Outcome::Error,
        );
        self.parts().sink.emit(event).await?;
        Ok(())
    }

    async fn is_active(&self, tenant: TenantId) -> Result<bool, Error> {
        let facts = self.parts().registry.snapshot(tenant, None).await?;
        let state = facts.record.map(|record| record.state);
        Ok(matches!(state, Some(TenantState::Active)))
    }

    async fn due_now(&self, now: UtcDateTime) -> Result<Vec<Due>, Error> {
        let mut tx = self.control(Mode::ReadOnly).await?;
        Ok(due::due(&mut tx, now, BATCH).await?)
    }

    pub(crate) async fn put_due(&self, row: &Due) -> Result<(), Error> {
        let mut tx = self.control(Mode::ReadWrite).await?;
        due::put(&mut tx, row).await?;
        Ok(tx.commit().await?)
    }

    pub(crate) async fn cancel_due(
        &self,
        tenant: TenantId,
        kind: &str,
        key: &[u8],
    ) -> Result<(), Error> {
        let mut tx = self.control(Mode::ReadWrite).await?;
        due::cancel(&mut tx, tenant, kind, key).await?;
        Ok(tx.commit().await?)
    }

    /// Takes a row out unless somebody has moved it meanwhile.
    async fn drop_if_unmoved(&self, row: &Due) -> Result<(), Error> {
        let mut tx = self.control(Mode::ReadWrite).await?;
        due::done(&mut tx, row).await?;
        Ok(tx.commit().await?)
    }

    async fn control(&self, mode: Mode) -> Result<Tx, Error> {
        let tag = TxTag {
            txn: self.mint()?,
            tenant: None,
            decision: None,
        };
        Ok(self.parts().control.begin_with(mode, tag).await?)
    }
}
