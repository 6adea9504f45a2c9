//! What keeps a key alive here: living backups that a promise owes, whose bytes lie under it. Legal
//! holds are asked before, by `HeldKeys`.

use std::fmt;
use std::sync::{Arc, OnceLock};

use backup_engine::{BackupPolicy, Backups, ExpiryItem};
use covenant_core::{BoxFuture, ClauseId, KeyId, Owner, TenantId};
use crypto_envelope::guard::{Cause, DestructionGuard, GuardError, KeyKind, Verdict};
use crypto_envelope::{GroupKind, GroupName};
use tenant_isolation::Registry;
use time::UtcDateTime;

use crate::assembly::Covenant;

/// Floors over the bytes under keys.
#[derive(Default)]
pub(crate) struct Floors(OnceLock<Facts>);

/// Where floors are read.
struct Facts {
    backups: Arc<dyn Backups>,
    registry: Arc<dyn Registry>,
    policy: BackupPolicy,
    clause: Option<ClauseId>,
}

/// The deployment is not that far yet.
#[derive(Debug, thiserror::Error)]
#[error("backups are not open yet")]
struct NotOpen;

impl Floors {
    /// From now on it answers.
    pub(crate) fn open(
        &self,
        backups: Arc<dyn Backups>,
        registry: Arc<dyn Registry>,
        policy: BackupPolicy,
        clause: Option<ClauseId>,
    ) {
        let facts = Facts {
            backups,
            registry,
            policy,
            clause,
        };
        drop(self.0.set(facts));
    }

    async fn verdict(
        &self,
        kind: &KeyKind,
        cause: &Cause<'_>,
        at: UtcDateTime,
    ) -> Result<Verdict, GuardError> {
        let facts = self.0.get().ok_or(GuardError(Box::new(NotOpen)))?;
        // without a clause nothing is owed
        let Some(clause) = facts.clause else {
            return Ok(Verdict::Free);
        };
        let until = match (kind, cause) {
            // an order rests on a clause that waives floors over what it erases
            (_, Cause::Order(_)) => None,
            // nothing lies under it: a KEK that is not planned goes only when it is empty
            (KeyKind::Kek(GroupName::Standard | GroupName::Sensitive), Cause::Window) => None,
            (KeyKind::Kek(GroupName::Epoch(name)), _) => {
                facts
                    .latest(None, |item| item.epoch.to_string() == name.as_str())
                    .await?
            }
            (KeyKind::Kek(GroupName::Dedicated(tenant, GroupKind::Epoch(name))), _) => {
                facts
                    .latest(Some(*tenant), |item| {
                        item.epoch.to_string() == name.as_str()
                    })
                    .await?
            }
            // it takes everything of the tenant along
            (KeyKind::Kek(GroupName::Dedicated(tenant, _)), _) => {
                facts.latest(Some(*tenant), |_| true).await?
            }
            (KeyKind::Root(Owner::Vault(tenant, vault), _), _) => {
                facts
                    .latest(Some(*tenant), |item| item.vault == *vault)
                    .await?
            }
            (KeyKind::Root(Owner::Tenant(tenant) | Owner::Subject(tenant, _), _), _) => {
                facts.latest(Some(*tenant), |_| true).await?
            }
            // names of depots hang on roots of the platform, and so every backup
            _ => facts.latest(None, |_| true).await?,
        };
        Ok(match until {
            Some(until) if until > at => Verdict::Floor { until, clause },
            _ => Verdict::Free,
        })
    }
}

impl Facts {
    /// Until when the last of these backups must be restorable; `None` when there is none.
    // clause: P-18, P-60
    async fn latest(
        &self,
        tenant: Option<TenantId>,
        under: impl Fn(&ExpiryItem) -> bool + Send + Sync,
    ) -> Result<Option<UtcDateTime>, GuardError> {
        let tenants = match tenant {
            Some(tenant) => vec![tenant],
            None => {
                let known = self.registry.tenants().await.map_err(unread)?;
                known.into_iter().map(|(tenant, _)| tenant).collect()
            }
        };
        let mut latest = None;
        for tenant in tenants {
            let domain = Covenant::domain(tenant).map_err(unread)?;
            for item in self.backups.items(&domain).await.map_err(unread)? {
                // one without a snapshot owes nothing
                if under(&item) && item.last_completed > item.start {
                    let until = self.policy.keep_until(item.last_completed);
                    latest = latest.max(Some(until.map_err(unread)?));
                }
            }
        }
        Ok(latest)
    }
}

fn unread(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> GuardError {
    GuardError(error.into())
}

impl fmt::Debug for Floors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Floors")
    }
}

impl DestructionGuard for Floors {
    fn may_go<'a>(
        &'a self,
        _key: KeyId,
        kind: &'a KeyKind,
        cause: &'a Cause<'a>,
        at: UtcDateTime,
    ) -> BoxFuture<'a, Result<Verdict, GuardError>> {
        Box::pin(self.verdict(kind, cause, at))
    }
}
