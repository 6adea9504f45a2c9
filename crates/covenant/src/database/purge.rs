//! The purge of a deleted database, by the protocol of `retention-policy`: a last backup, then its
//! file, its objects, its keys; what was removed is looked for; a certificate tells what remains. The
//! journal lies in the control database, so that any worker takes up what another one left.
//!
//! The file goes before the objects, although they are copies of what it names: listing them needs
//! no row, and a backup that falls due in between finds no file and fails, instead of completing
//! without objects.

use covenant_core::{Action, ItemId, OrderId, Owner, TenantId};
use crypto_envelope::KeyError;
use crypto_envelope::record::RootState;
use futures_util::TryStreamExt as _;
use retention_policy::{
    Basis, Disposal, DisposalPart, DisposalTarget, HoldView, Item, KeyLine, KeyState, Occurrence,
    OwnsKey, Remain, Step, StepOutcome, Verdict,
};
use sql_store::{Args, Mode};
use tenant_isolation::level::Maintain;
use tenant_isolation::{
    AccessAction, Attached, Caller, RegistryChange, ServiceKind, TenantRecord, TenantState,
};
use time::UtcDateTime;
use uuid::Uuid;

use crate::assembly::Covenant;
use crate::certificate::{BACKUPS, OBJECTS, ROWS, ground, store};
use crate::control;
use crate::error::Error;
use crate::profile::CLASS_DATABASE;

/// What the order of a purge is named after: its tenant and the generation of the store, so that
/// whoever takes it up issues the same certificate.
const ORDER: &str = "covenant/database-purge/v1/";

/// A database that goes.
struct Leaving {
    tenant: TenantId,
    record: TenantRecord,
    /// The instant that deletions may trust.
    now: UtcDateTime,
}

impl Covenant {
    /// Purges a deleted database: a last backup, then files and objects go, then the registry says
    /// so and its roots have their day, then what is left is looked for, and the certificate is kept.
    /// Every step may be repeated, by another process too. Says whether it was purged; not when it
    /// has been restored meanwhile.
    ///
    /// # Errors
    /// [`Error::Hold`] while anything of the tenant is held: the purge is put off, never dropped.
    /// [`Error::StillPresent`] when what was removed is still there.
    // clause: P-47, P-58, P-59
    pub(crate) async fn purge_database(
        &self,
        tenant: TenantId,
        now: UtcDateTime,
    ) -> Result<bool, Error> {
        let parts = self.parts();
        // Nobody places a hold from here on: who does waits, and finds the store gone.
        let _replacing = parts.replacing(tenant).await;
        let facts = parts.registry.snapshot(tenant, None).await?;
        let goes = |state| matches!(state, TenantState::Deleted | TenantState::Purged);
        let Some(record) = facts.record.filter(|record| goes(record.state)) else {
            self.forget_database(tenant).await?;
            return Ok(false);
        };
        let leaving = Leaving {
            tenant,
            record,
            now,
        };
        let mut disposal = self.database_disposal(&leaving).await?;
        disposal.unblock();
        let ended = self.dispose_database(&leaving, &mut disposal).await;
        if ended.is_err() && disposal.next() != Step::Record {
            // What is done so far, and what is not; the failure is what is reported.
            drop(self.certify_database(&leaving, &disposal).await);
        }
        ended?;
        self.forget_database(tenant).await?;
        Ok(true)
    }

    /// The disposal as far as another worker came with it, or a new one.
    async fn database_disposal(&self, leaving: &Leaving) -> Result<Disposal, Error> {
        let Leaving { tenant, record, .. } = leaving;
        let mut tx = control::begin(&self.parts().control, Mode::ReadOnly).await?;
        let args = Args::new().bind(*tenant).bind(generation(record));
        let sql = include_str!("../../sql/read_database_disposal.sql");
        if let Some(row) = tx.row(sql, args).await? {
            return Disposal::resume(row.bytes("journal")?).map_err(Error::unavailable);
        }
        let name = format!("{ORDER}{}", record.generation);
        let order = Uuid::new_v5(&tenant.as_uuid(), name.as_bytes());
        let order = OrderId::from_uuid(order);
        let class = CLASS_DATABASE.parse().map_err(Error::unavailable)?;
        let target = DisposalTarget::new(*tenant, class, ItemId::from(tenant.as_uuid()));
        let stores = [store(ROWS)?, store(OBJECTS)?];
        let disposal = Disposal::new(order, target, &stores, &[], OwnsKey::Yes);
        disposal.ok_or_else(|| Error::unavailable("the disposal of a database does not fit"))
    }

    /// Takes every step that is left, each durable before the next.
    async fn dispose_database(
        &self,
        leaving: &Leaving,
        disposal: &mut Disposal,
    ) -> Result<(), Error> {
        loop {
            let step = disposal.next();
            match step {
                Step::Done => return Ok(()),
                Step::Blocked { .. } => return Err(Error::StillPresent),
                _ => {}
            }
            let outcome = self.database_step(leaving, disposal, &step).await?;
            disposal
                .observe(&step, outcome)
                .map_err(Error::unavailable)?;
            self.keep_database(leaving, disposal).await?;
        }
    }

    async fn database_step(
        &self,
        leaving: &Leaving,
        disposal: &Disposal,
        step: &Step,
    ) -> Result<StepOutcome, Error> {
        let Leaving { tenant, now, .. } = *leaving;
        if step.asks_holds() {
            let holds = self.hold_view(tenant).await?;
            self.permit_all(tenant, &holds, now)?;
        }
        match step {
            Step::Record => {
                self.sequence().await?;
                let parts = self.parts();
                let there = parts.layout.has_tenant_file(&parts.region, tenant)?;
                // After the end of the contract nothing is owed that a last backup would hold.
                if there && self.ending(tenant).await?.is_none() {
                    self.back_up(tenant).await?;
                    self.sequence().await?;
                }
                Ok(StepOutcome::Done)
            }
            Step::Delete { store } if store.as_str() == ROWS => self.remove_file(leaving).await,
            Step::Delete { .. } => self.remove_all_objects(leaving).await,
            Step::PlanKey => self.plan_roots(leaving).await,
            // Removed files have nothing to flush: the folder was synced as they went.
            Step::Flush => Ok(StepOutcome::Done),
            Step::Verify { store } => {
                let left = if store.as_str() == ROWS {
                    self.folder_is_left(tenant)?
                } else {
                    !self.objects_left(leaving).await?.is_empty()
                };
                Ok(if left {
                    StepOutcome::StillPresent { offset: 0 }
                } else {
                    StepOutcome::Verified {
                        scanned_bytes: None,
                        at: self.parts().clock.now(),
                    }
                })
            }
            Step::Certify => {
                self.certify_database(leaving, disposal).await?;
                Ok(StepOutcome::Done)
            }
            other => Err(Error::unavailable(format!("{other:?} is no step to take"))),
        }
    }

    async fn remove_file(&self, leaving: &Leaving) -> Result<StepOutcome, Error> {
        let parts = self.parts();
        if leaving.record.state == TenantState::Purged || !self.folder_is_left(leaving.tenant)? {
            return Ok(StepOutcome::Absent);
        }
        self.sequence().await?;
        let scope = self
            .enter::<Maintain>(&purger(), leaving.tenant, AccessAction::StoreRemove)
            .await?;
        let undrained = parts.close_feed(leaving.tenant).await;
        scope.remove(parts.tenants.as_ref()).await?;
        drop(undrained);
        Ok(StepOutcome::Done)
    }

    async fn remove_all_objects(&self, leaving: &Leaving) -> Result<StepOutcome, Error> {
        if leaving.record.state == TenantState::Purged
            || self.objects_left(leaving).await?.is_empty()
        {
            return Ok(StepOutcome::Absent);
        }
        let scope = self
            .enter::<Maintain>(&purger(), leaving.tenant, AccessAction::StoreRemove)
            .await?;
        self.remove_objects(&scope).await?;
        Ok(StepOutcome::Done)
    }

    /// The registry says that the database is purged, then its roots have their day: from then on
    /// nothing brings it back into their reach.
    async fn plan_roots(&self, leaving: &Leaving) -> Result<StepOutcome, Error> {
        let parts = self.parts();
        let tenant = leaving.tenant;
        if self.state(tenant).await? == Some(TenantState::Deleted) {
            let (change, none) = (RegistryChange::Purge, Attached::default());
            parts.guard.act(purger(), tenant, change, none).await?;
        }
        // The roots outlive every backup that holds bytes under them.
        let now = parts.clock.now();
        let roots_end = match parts.profile.tenant_roots {
            Some(after) => after.resolve(now, &parts.profile.reading)?.latest,
            None => parts
                .profile
                .backup
                .destroy_at(parts.profile.backup.epoch_at(now))?,
        };
        match parts.keys.plan_tenant(tenant, roots_end).await {
            // An earlier try or the end of the contract planned them, and plans do not move.
            Ok(()) | Err(KeyError::Planned { .. } | KeyError::State(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let lines = self.key_lines(tenant).await?;
        let last = lines.into_iter().max_by_key(|line| line.at);
        let KeyLine { key, state, at } = last.ok_or(KeyError::Absent)?;
        Ok(StepOutcome::KeyPlanned { key, state, at })
    }

    /// The tenant's roots, each with its day.
    async fn key_lines(&self, tenant: TenantId) -> Result<Vec<KeyLine>, Error> {
        let keys = self.parts().keys.list().await?.into_iter();
        let of_tenant = keys.filter(|key| key.owner == Owner::Tenant(tenant));
        Ok(of_tenant
            .filter_map(|key| {
                let (state, at) = if key.state == RootState::Destroyed {
                    (KeyState::Destroyed, key.destroyed_at?)
                } else {
                    let ends = key.destroy_at.into_iter().chain(key.pending_until);
                    (KeyState::Planned, ends.min()?)
                };
                let key = key.id;
                Some(KeyLine { key, state, at })
            })
            .collect())
    }

    fn folder_is_left(&self, tenant: TenantId) -> Result<bool, Error> {
        let parts = self.parts();
        let there = parts.layout.has_tenant_file(&parts.region, tenant)?;
        let file = parts.layout.tenant_file(&parts.region, tenant);
        let folder = file.parent().map(std::path::Path::try_exists);
        Ok(there || folder.transpose()?.unwrap_or(false))
    }

    async fn objects_left(
        &self,
        leaving: &Leaving,
    ) -> Result<Vec<object_store::path::Path>, Error> {
        let (region, tenant) = (leaving.record.region.as_str(), leaving.tenant.simple());
        let prefix = object_store::path::Path::from_iter([region, tenant.as_str()]);
        let listed = self.parts().objects.list(Some(&prefix));
        Ok(listed.map_ok(|meta| meta.location).try_collect().await?)
    }

    /// The certificate as far as the disposal is: stores, every root with its day, and the backups
    /// that keep a copy until theirs.
    async fn certify_database(&self, leaving: &Leaving, disposal: &Disposal) -> Result<(), Error> {
        let tenant = leaving.tenant;
        let verdict = match self.ending(tenant).await? {
            Some(_) => self.judge_gone(tenant, Action::ContractTerminated, leaving.now),
            None => self.judge_deleted(tenant, leaving.now),
        };
        let (rule, clause) = ground(&verdict)?;
        let committed = self
            .committed(tenant, CLASS_DATABASE, &[disposal.item().clone()])
            .await?;
        let domain = Self::domain(tenant).map_err(Error::unavailable)?;
        let backups = self.parts().backups.items(&domain).await?;
        let last = backups.iter().map(|item| item.destroy_at).max();
        let mut remains = Vec::new();
        if let Some(gone_by) = last {
            let store = store(BACKUPS)?;
            remains.push(Remain { store, gone_by });
        }
        let basis = Basis {
            clause,
            rule,
            rules: self.parts().retention.digest(),
            commitment: committed
                .first()
                .map(|item| item.commitment)
                .unwrap_or_default(),
            methods: std::collections::BTreeMap::new(),
            remains,
            leaf: None,
        };
        let part = DisposalPart {
            keys: self.key_lines(tenant).await?,
            ..disposal.part(basis)
        };
        self.issue(&part).await?;
        Ok(())
    }

    /// What the rules alone say of a database that was deleted at this instant.
    pub(crate) fn judge_deleted(&self, tenant: TenantId, deleted: UtcDateTime) -> Verdict {
        self.judge_gone(tenant, Action::DatabaseDeleted, deleted)
    }

    fn judge_gone(&self, tenant: TenantId, by: Action, at: UtcDateTime) -> Verdict {
        let events = [Occurrence::new(by.name(), at)];
        let id = ItemId::from(tenant.as_uuid());
        let parts = self.parts();
        let item = Item::new(tenant, CLASS_DATABASE, id, &events).in_store(&parts.profile.rows);
        let (none, moment) = (HoldView::none(), self.moment(at));
        parts.retention.evaluate(&item, &none, &moment)
    }

    async fn keep_database(&self, leaving: &Leaving, disposal: &Disposal) -> Result<(), Error> {
        let mut tx = control::begin(&self.parts().control, Mode::ReadWrite).await?;
        let args = Args::new()
            .bind(leaving.tenant)
            .bind(generation(&leaving.record))
            .bind(disposal.journal());
        let sql = include_str!("../../sql/put_database_disposal.sql");
        tx.execute(sql, args).await?;
        Ok(tx.commit().await?)
    }

    async fn forget_database(&self, tenant: TenantId) -> Result<(), Error> {
        let mut tx = control::begin(&self.parts().control, Mode::ReadWrite).await?;
        let sql = include_str!("../../sql/delete_database_disposal.sql");
        tx.execute(sql, Args::new().bind(tenant)).await?;
        Ok(tx.commit().await?)
    }
}

fn purger() -> Caller {
    Caller::service(ServiceKind::Purge)
}

fn generation(record: &TenantRecord) -> i64 {
    i64::try_from(record.generation).unwrap_or(i64::MAX)
}
