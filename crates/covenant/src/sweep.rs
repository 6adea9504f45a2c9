//! The sweep: all background work that is due, each piece idempotent, so that any number of workers
//! may sweep, late or twice. What fails is tried again later and holds nobody else up.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use covenant_core::{
    Action, ActorContext, Event, HoldId, ItemId, Outcome, SinkError, Target, TenantId, TxTag,
};
use retention_policy::{DisposalTarget, HoldError};
use sql_store::due::{self, Due};
use sql_store::{Mode, Tx};
use tenant_isolation::TenantState;
use time::{Duration, UtcDateTime};

use crate::assembly::{Covenant, lock};
use crate::control;
use crate::error::Error;
use crate::hold::CLASS_BACKUP;
use crate::pending::Pending;
use crate::termination::Ending;
use crate::withdraw;

/// What falls due.
pub(crate) mod kind {
    /// A tenant's next backup.
    pub(crate) const BACKUP: &str = "backup";
    /// A tenant's next purge of its bin.
    pub(crate) const BIN: &str = "bin";
    /// The next look at a tenant's live records, where ceilings of its own are on them.
    pub(crate) const LIVE: &str = "live";
    /// The purge of a deleted database.
    pub(crate) const DATABASE: &str = "database";
    /// The deletion of a database that is expired and kept by nothing.
    pub(crate) const EXPIRED: &str = "expired";
    /// The lock of a database that is expired and kept until it is deleted.
    pub(crate) const LOCK: &str = "lock";
    /// The end of a contract: of a tenant's keys, backups and database.
    pub(crate) const CONTRACT: &str = "contract";
    /// The removal of a deleted file.
    pub(crate) const OBJECT: &str = "object";
    /// The death of a backup epoch.
    pub(crate) const EPOCH: &str = "epoch";
    /// A tenant's store that is being made.
    pub(crate) const PROVISION: &str = "provision";
    /// A tenant's store that is being replaced by a backup.
    pub(crate) const RESTORE: &str = "restore";
}

/// Whether work of this kind deletes nothing by its date, and goes on while the clock is in doubt.
fn goes_on_in_doubt(kind: &str) -> bool {
    let going = [
        kind::BACKUP,
        kind::LOCK,
        kind::OBJECT,
        kind::PROVISION,
        kind::RESTORE,
    ];
    going.contains(&kind)
}

/// A deleted database is backed up until its purge.
const fn is_backed_up(state: TenantState) -> bool {
    matches!(
        state,
        TenantState::Active | TenantState::Expired | TenantState::Locked | TenantState::Deleted
    )
}

/// What is in the bin of a database that nobody may use any more goes in its time all the same.
const fn is_live(state: TenantState) -> bool {
    matches!(
        state,
        TenantState::Active | TenantState::Expired | TenantState::Locked
    )
}

/// How long a piece of work that failed waits before it is tried again; ours. The purge of a bin
/// doubles it with every further failure in a row, since each try rewrites the file.
pub(crate) const RETRY: Duration = Duration::minutes(15);
/// How often that wait is doubled at most: to four hours, well inside the tolerance of a purge.
const DOUBLINGS_MAX: u32 = 4;
/// How long work that a hold forbids waits before it is looked at again; ours.
const HELD_RETRY: Duration = Duration::days(1);
/// Pieces of work that one sweep takes out of the queue at a time.
const BATCH: u32 = 256;

/// Failures of one sweep that are kept with their reasons; ours.
const FAILURES_MAX: usize = 1_000;

/// Whether the clock is in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubted {
    Yes,
    No,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Backups completed.
    pub backups: u64,
    /// Records purged.
    pub purged: u64,
    /// Live records that went into the bin, to be gone by their tenant's own ceiling.
    pub binned: u64,
    /// Databases purged.
    pub databases: u64,
    /// Deleted files that were removed and shown to be out of reach.
    pub files: u64,
    /// Epochs whose rest was removed.
    pub epochs: u64,
    /// Keys destroyed.
    pub keys: u64,
    /// Sweeps of a tenant whose plan waits until somebody approves it: [`Covenant::plans`] has them.
    pub waiting: u64,
    /// Pieces of work that failed, and are tried again later.
    pub failed: u64,
    /// What will be late at the rate of the last flushes, and was told now.
    pub alarms: u64,
    /// Whether deletions waited because the clock is in doubt.
    pub in_doubt: bool,
}

/// A piece of work that failed in the last sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failed {
    /// What kind of work: `backup`, `bin`, `database`, `contract`, `epoch`, `object`, `keys`,
    /// `key-copies`, `pace`, and others, as the due-queue names them.
    pub kind: String,
    /// Whose; `None` for what is nobody's.
    pub tenant: Option<TenantId>,
    /// When it was due.
    pub due_at: UtcDateTime,
    /// Why, with every cause behind it; no customer content.
    pub why: String,
}

/// An error with every cause behind it.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}

impl Covenant {
    /// What failed in the last sweep, and why: [`Swept::failed`] counts them. Of more than 1,000 the
    /// first.
    #[must_use]
    pub fn failures(&self) -> Vec<Failed> {
        lock(&self.parts().failures).clone()
    }

    /// Counts a failure, and notes why.
    pub(crate) fn failed(
        &self,
        swept: &mut Swept,
        (kind, tenant): (&str, Option<TenantId>),
        due_at: UtcDateTime,
        error: &(dyn std::error::Error + 'static),
    ) {
        swept.failed = swept.failed.saturating_add(1);
        let mut failures = lock(&self.parts().failures);
        if failures.len() < FAILURES_MAX {
            failures.push(Failed {
                kind: kind.to_owned(),
                tenant,
                due_at,
                why: told(error),
            });
        }
    }

    /// Does all that is due now. What deletes waits while the clock is in doubt; the rest goes on.
    /// Every piece of work is tried once; one that failed is tried again a quarter of an hour later.
    ///
    /// # Errors
    /// [`Error`] when the queue or the log cannot be used; the failure of one piece of work is
    /// counted and tried again later.
    // clause: P-51, P-52
    pub async fn sweep(&self) -> Result<Swept, Error> {
        let parts = self.parts();
        let _one_at_a_time = parts.sweeping.lock().await;
        lock(&parts.failures).clear();
        let (wall, monotonic) = (parts.clock.now(), parts.clock.monotonic());
        let look = lock(&parts.time).observe(wall, monotonic);
        if look.stepped_back {
            self.rebuild_due().await?;
            lock(&parts.time).planned_anew(wall);
        }
        lock(&parts.time).planned(wall);
        let mut swept = Swept {
            in_doubt: look.trusted.is_none(),
            ..Swept::default()
        };
        let doubted = match look.trusted {
            Some(_) => Doubted::No,
            None => Doubted::Yes,
        };
        self.refresh_rules().await?;
        self.tell_doubt(doubted, wall).await?;
        self.sequence().await?;
        if let Some(now) = look.trusted {
            control::accept(&parts.control, now).await?;
            parts.keys.vouch(now);
            self.destroy_due(now, wall, &mut swept).await;
        }
        let now = look.trusted.unwrap_or(wall);
        let mut worked: BTreeSet<(String, TenantId, Vec<u8>)> = BTreeSet::new();
        let mut unheard = None;
        loop {
            let seen = u32::try_from(worked.len()).unwrap_or(u32::MAX);
            let mut due = self.due_now(now, BATCH.saturating_add(seen)).await?;
            due.retain(|due| worked.insert((due.kind.clone(), due.tenant, due.key.clone())));
            if due.is_empty() {
                break;
            }
            for next in due {
                if swept.in_doubt && !goes_on_in_doubt(&next.kind) {
                    continue;
                }
                if let Err(failed) = self.work(&next, now, &mut swept).await {
                    let of = (next.kind.as_str(), Some(next.tenant));
                    self.failed(&mut swept, of, next.due_at, &failed);
                    let told = self.tell_failed(&next).await;
                    unheard = unheard.or(told.err());
                    let due_at = wall.saturating_add(self.retry_after(&next));
                    self.put_due(&Due { due_at, ..next }).await?;
                } else if next.kind == kind::BIN {
                    lock(&parts.failed_bins).remove(&next.tenant);
                }
            }
        }
        // last, so that one increment has what all of this did to keys
        if let Some(now) = look.trusted {
            self.tend_copies(now, wall, &mut swept).await;
        }
        match self.tell_pace(wall).await {
            Ok(told) => swept.alarms = told,
            Err(failed) => self.failed(&mut swept, ("pace", None), wall, &failed),
        }
        self.sequence().await?;
        unheard.map_or(Ok(swept), Err)
    }

    /// When the next sweep has something to do; `None` when nothing is planned.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn next_due(&self) -> Result<Option<UtcDateTime>, Error> {
        let parts = self.parts();
        let (wall, monotonic) = (parts.clock.now(), parts.clock.monotonic());
        let look = lock(&parts.time).clone().observe(wall, monotonic);
        if look.stepped_back {
            return Ok(Some(wall));
        }
        let mut tx = self.control(Mode::ReadOnly).await?;
        let queued = due::next(&mut tx).await?;
        let retry = *lock(&parts.keys_retry);
        let keys = parts.keys.next_due().await?;
        let keys = keys.map(|due| retry.map_or(due, |retry| due.max(retry)));
        let copies = *lock(&parts.copies_due);
        let next = queued.into_iter().chain(keys).chain(copies).min();
        let later = wall.saturating_add(RETRY);
        if look.trusted.is_some() || next.is_none_or(|next| next > later) {
            return Ok(next);
        }
        // What deletes waits; whether it still must is looked at in a while.
        let due = due::due(&mut tx, later, u32::MAX).await?;
        let goes_on = due.iter().find(|due| goes_on_in_doubt(&due.kind));
        Ok(Some(goes_on.map_or(later, |due| due.due_at)))
    }

    /// A person has looked at the clock: deletions trust it again, and what is due is planned anew.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn confirm_clock(&self) -> Result<(), Error> {
        let parts = self.parts();
        let (wall, monotonic) = (parts.clock.now(), parts.clock.monotonic());
        lock(&parts.time).confirm(wall, monotonic);
        control::accept(&parts.control, wall).await?;
        self.rebuild_due().await?;
        lock(&parts.time).planned_anew(wall);
        Ok(())
    }

    /// Plans everything anew from the facts: after a start, a restore, or a wrong clock.
    ///
    /// # Errors
    /// [`Error`]; what was planned before the failure stays.
    pub async fn rebuild_due(&self) -> Result<(), Error> {
        let pending = Pending::read(&self.parts().control).await?;
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
            if is_backed_up(record.state) {
                let backup = self.backup_due(tenant).await?;
                self.put_due(&backup).await?;
            }
            if is_live(record.state) && !pending.contains(tenant) {
                self.plan_bin(tenant).await?;
            }
        }
        Ok(())
    }

    /// How long to wait after one more failure of this piece of work.
    fn retry_after(&self, due: &Due) -> Duration {
        if due.kind == kind::OBJECT {
            return withdraw::retry_after(&due.key, self.parts().clock.now());
        }
        if due.kind != kind::BIN {
            return RETRY;
        }
        let mut failed = lock(&self.parts().failed_bins);
        let count = failed.entry(due.tenant).or_insert(0);
        let wait = RETRY.saturating_mul(1 << (*count).min(DOUBLINGS_MAX));
        *count = count.saturating_add(1);
        wait
    }

    async fn work(&self, due: &Due, now: UtcDateTime, swept: &mut Swept) -> Result<(), Error> {
        let add = |count: &mut u64, by: u64| *count = count.saturating_add(by);
        match due.kind.as_str() {
            kind::BACKUP => {
                let backed_up = self.state(due.tenant).await?.is_some_and(is_backed_up);
                // What would be kept of a tenant whose contract has ended is gone with the rest.
                if backed_up && self.ending(due.tenant).await?.is_none() {
                    self.back_up(due.tenant).await?;
                    add(&mut swept.backups, 1);
                    let next = self.backup_due(due.tenant).await?;
                    return self.put_due(&next).await;
                }
            }
            kind::BIN => {
                if self.state(due.tenant).await?.is_some_and(is_live) {
                    let _turn = self.flush_turn(due.tenant).await?;
                    let recorded = self.purge_bin(due.tenant, now).await?;
                    add(&mut swept.purged, recorded.records);
                    add(&mut swept.waiting, u64::from(recorded.waits));
                    // It has planned the next one, or taken this row out.
                    return Ok(());
                }
            }
            kind::LIVE => {
                if self.state(due.tenant).await?.is_some_and(is_live) {
                    let recorded = self.sweep_live(due.tenant, now).await?;
                    add(&mut swept.binned, recorded.records);
                    add(&mut swept.waiting, u64::from(recorded.waits));
                    // likewise
                    return Ok(());
                }
            }
            kind::DATABASE => match self.purge_database(due.tenant, now).await {
                Ok(purged) => add(&mut swept.databases, u64::from(purged)),
                Err(Error::Hold(HoldError::Held(holds))) => {
                    let item = ItemId::from(due.tenant.as_uuid());
                    return self.put_off(due, "database", &item, &holds, now).await;
                }
                Err(error) => return Err(error),
            },
            kind::CONTRACT => match self.end_tenant(due, now).await {
                Ok(Ending::Gone) => add(&mut swept.databases, 1),
                Ok(Ending::Restored) => {}
                Ok(Ending::At(due_at)) => {
                    let later = Due {
                        due_at,
                        ..due.clone()
                    };
                    return self.put_due(&later).await;
                }
                Err(Error::Hold(HoldError::Held(holds))) => {
                    let item = ItemId::from(due.tenant.as_uuid());
                    return self.put_off(due, "database", &item, &holds, now).await;
                }
                Err(error) => return Err(error),
            },
            kind::EXPIRED => self.delete_expired(due.tenant).await?,
            kind::LOCK => self.lock_database(due.tenant).await?,
            kind::EPOCH => {
                let epoch = std::str::from_utf8(&due.key)
                    .ok()
                    .and_then(|text| text.parse().ok());
                if let Some(epoch) = epoch {
                    let item = ItemId::try_from(due.key.as_slice())?;
                    let class = CLASS_BACKUP.parse().map_err(Error::unavailable)?;
                    let target = DisposalTarget::new(due.tenant, class, item);
                    let holds = self.hold_view(due.tenant).await?;
                    if let Err(HoldError::Held(holds)) = holds.permit(&target, now) {
                        let item = &target.id;
                        return self.put_off(due, CLASS_BACKUP, item, &holds, now).await;
                    }
                    let domain = Self::domain(due.tenant).map_err(Error::unavailable)?;
                    self.parts().backups.expire(&domain, epoch).await?;
                    add(&mut swept.epochs, 1);
                }
            }
            kind::OBJECT => {
                if self.state(due.tenant).await?.is_some_and(is_backed_up) {
                    let removed = self.withdraw_again(due.tenant, &due.key).await?;
                    add(&mut swept.files, u64::from(removed));
                }
            }
            kind::PROVISION => self.provision(due.tenant).await?,
            kind::RESTORE => self.restore_again(due).await?,
            // A row of a newer program: it stays for whoever understands it.
            _ => return Err(Error::NotFound),
        }
        self.cancel_due(due.tenant, &due.kind, &due.key).await
    }

    /// Work that a hold forbids is looked at again a day later, for as long as the hold stands.
    // clause: P-47
    async fn put_off(
        &self,
        due: &Due,
        kind: &'static str,
        item: &ItemId,
        holds: &[HoldId],
        now: UtcDateTime,
    ) -> Result<(), Error> {
        self.tell_held(due.tenant, kind, item, holds).await?;
        let due_at = now.saturating_add(HELD_RETRY);
        let later = Due {
            due_at,
            ..due.clone()
        };
        self.put_due(&later).await
    }

    /// Tells the operator's log, once each time, that the clock is in doubt.
    async fn tell_doubt(&self, doubted: Doubted, wall: UtcDateTime) -> Result<(), Error> {
        let told = &self.parts().doubt_told;
        if doubted == Doubted::No {
            told.store(false, Ordering::Release);
            return Ok(());
        }
        if told.load(Ordering::Acquire) {
            return Ok(());
        }
        let event = Event::new(
            self.mint()?,
            wall,
            ActorContext::system(),
            Action::ClockStepped,
            Target::operator("clock", ItemId::try_from("wall")?),
            Outcome::Error,
        );
        self.parts().sink.emit(event).await?;
        told.store(true, Ordering::Release);
        Ok(())
    }

    /// Rotates and destroys the keys that are due, and tells the log what happened to keys; what
    /// failed is counted and tried again later.
    // clause: P-18, Q-17, R-23
    async fn destroy_due(&self, now: UtcDateTime, wall: UtcDateTime, swept: &mut Swept) {
        let parts = self.parts();
        let rotated = parts.keys.rotate_due(now).await;
        let destroyed = parts.keys.destroy_due(now).await;
        let (rotated, destroyed) = match (rotated, destroyed) {
            (rotated, Ok(destroyed)) => (rotated.map(drop), destroyed),
            (_, Err(error)) => (Err(error), Vec::new()),
        };
        let retry = rotated.is_err().then(|| wall.saturating_add(RETRY));
        *lock(&parts.keys_retry) = retry;
        let count = u64::try_from(destroyed.len()).unwrap_or(u64::MAX);
        swept.keys = swept.keys.saturating_add(count);
        let told = self.tell_keys().await;
        if let Err(error) = rotated.map_err(Error::from).and(told) {
            self.failed(swept, ("keys", None), wall, &error);
        }
    }

    /// Tells the log what happened to keys, unwraps included; telling twice is once. It does not
    /// wait for a clock to be trusted: the later it is told, the less its instant means.
    // clause: Q-16
    pub(crate) async fn tell_keys(&self) -> Result<(), Error> {
        let (keys, sink) = (&self.parts().keys, &self.parts().sink);
        loop {
            let waiting = keys.events(BATCH).await?;
            let mut told = Vec::with_capacity(waiting.len());
            for event in &waiting {
                match sink.emit(event.to_event()).await {
                    // named after what it tells, and told before: by an earlier try of the same
                    // day, or before the key store was put back
                    Err(SinkError::Taken(id)) if id.as_uuid().get_version_num() == 5 => {
                        told.push(id);
                    }
                    sent => told.push(sent?),
                }
            }
            keys.settle_events(&told).await?;
            // telling may itself need a key: what that adds is told by the next sweep
            if u32::try_from(waiting.len()).is_ok_and(|count| count < BATCH) {
                return Ok(());
            }
        }
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
            ActorContext::service("backup"),
            Action::BackupFailed,
            Target::of(due.tenant, "backup", id),
            Outcome::Error,
        );
        self.parts().sink.emit(event).await?;
        Ok(())
    }

    pub(crate) async fn state(&self, tenant: TenantId) -> Result<Option<TenantState>, Error> {
        let facts = self.parts().registry.snapshot(tenant, None).await?;
        Ok(facts.record.map(|record| record.state))
    }

    async fn due_now(&self, now: UtcDateTime, limit: u32) -> Result<Vec<Due>, Error> {
        let mut tx = self.control(Mode::ReadOnly).await?;
        Ok(due::due(&mut tx, now, limit).await?)
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

    pub(crate) async fn control(&self, mode: Mode) -> Result<Tx, Error> {
        let tag = TxTag {
            txn: self.mint()?,
            tenant: None,
            decision: None,
        };
        Ok(self.parts().control.begin_with(mode, tag).await?)
    }
}
