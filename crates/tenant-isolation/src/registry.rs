//! The registry: the facts that decisions rest on, and the one transaction in which a decision, its
//! event and the change it allows commit together.

mod memory;
mod sql;

use std::fmt::Debug;

use covenant_core::{BoxFuture, DecisionId, OutboxTx, Region, StoreId, TenantId, TxTag, UserId};
use sql_store::DbError;
use sql_store::due::Due;
use time::UtcDateTime;

pub use memory::MemoryRegistry;
pub use sql::{REGISTRY, SqlRegistry};

use crate::{
    AccessAction, AccessRequest, Decision, IllegalTransition, Role, TenantEpoch, TenantRecord,
    TenantSnapshot, TenantState, Transition,
};

/// What the registry answers for.
///
/// # Contract
/// `snapshot` tells what is committed when it is called: after a commit in any process, the next
/// snapshot anywhere knows of it. Tenants are never forgotten.
///
/// # Errors
/// [`RegistryError`]; a fact that cannot be read is an error, never a default.
///
/// # Implementing
/// Run `testing::registry_suite` (feature `testing`).
pub trait Registry: Debug + Send + Sync {
    /// The facts about a tenant and, when one is named, about one of its members.
    fn snapshot(
        &self,
        tenant: TenantId,
        member: Option<UserId>,
    ) -> BoxFuture<'_, Result<TenantSnapshot, RegistryError>>;
    /// Begins a control transaction; others that write wait.
    fn begin(&self, tag: TxTag) -> BoxFuture<'_, Result<Box<dyn RegistryTx>, RegistryError>>;
    /// Every tenant that ever was, in the order of ids.
    fn tenants(&self) -> BoxFuture<'_, Result<Vec<(TenantId, TenantRecord)>, RegistryError>>;
    /// The members of a tenant, in the order of ids.
    fn members(
        &self,
        tenant: TenantId,
    ) -> BoxFuture<'_, Result<Vec<(UserId, Role)>, RegistryError>>;
    /// A decision that was committed; `None` when there is none of this id about this tenant.
    fn decision(
        &self,
        tenant: TenantId,
        id: DecisionId,
    ) -> BoxFuture<'_, Result<Option<Decision>, RegistryError>>;
    /// How many decisions about this tenant were committed.
    fn decisions(&self, tenant: TenantId) -> BoxFuture<'_, Result<u64, RegistryError>>;
}

/// A control transaction of the registry; dropped, it is rolled back.
///
/// # Contract
/// Nothing is visible before `commit` returns, everything afterwards. A change that names an epoch
/// which is no longer the tenant's is refused with [`RegistryError::Stale`]. Every change raises
/// the tenant's epoch by one.
///
/// # Errors
/// [`RegistryError`]; the transaction can then only be dropped.
pub trait RegistryTx: Debug + Send {
    /// The tenant's epoch; `None` when there is no such tenant.
    fn epoch(
        &mut self,
        tenant: TenantId,
    ) -> BoxFuture<'_, Result<Option<TenantEpoch>, RegistryError>>;
    /// Writes the decision's row.
    fn record(&mut self, row: DecisionRow) -> BoxFuture<'_, Result<(), RegistryError>>;
    /// Creates a tenant with its first admin.
    fn create(
        &mut self,
        tenant: TenantId,
        record: TenantRecord,
        admin: UserId,
    ) -> BoxFuture<'_, Result<(), RegistryError>>;
    /// Replaces the record of a tenant whose epoch is still `expected`; region, store and creation
    /// stay what they were.
    fn update(
        &mut self,
        tenant: TenantId,
        expected: TenantEpoch,
        record: TenantRecord,
    ) -> BoxFuture<'_, Result<(), RegistryError>>;
    /// Sets the role of a member; `None` puts it out. The last admin stays.
    fn set_member(
        &mut self,
        tenant: TenantId,
        user: UserId,
        role: Option<Role>,
    ) -> BoxFuture<'_, Result<(), RegistryError>>;
    /// Puts a row of the due-queue.
    fn put_due(&mut self, due: Due) -> BoxFuture<'_, Result<(), RegistryError>>;
    /// The outbox of this transaction.
    fn outbox(&mut self) -> &mut dyn OutboxTx;
    /// Commits.
    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), RegistryError>>;
}

/// The registry cannot answer, or refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// A stored fact cannot be read: the text names which.
    #[error("a stored fact cannot be read: {0}")]
    Corrupt(&'static str),
    /// There is such a tenant already.
    #[error("tenant {0} exists already")]
    Exists(TenantId),
    /// The state does not allow the transition.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// A tenant keeps at least one admin.
    #[error("the last admin of tenant {0} stays: name another one first")]
    LastAdmin(TenantId),
    /// The tenant changed since the facts were read: read them again.
    #[error("tenant {0} has changed meanwhile")]
    Stale(TenantId),
    /// The control database failed.
    #[error("the control database refused")]
    Store(#[from] DbError),
}

/// A decision, as its row says it; the source address is in the event alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionRow {
    /// Id of the decision, and of its event.
    pub id: DecisionId,
    /// When it was made.
    pub at: UtcDateTime,
    /// What was asked.
    pub request: AccessRequest,
    /// What was answered.
    pub decision: Decision,
}

/// A change of the registry that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryChange {
    /// Create the tenant in this region, with this first admin.
    Create {
        /// Where all its data will be.
        region: Region,
        /// Who lets others in.
        admin: UserId,
    },
    /// State that the trial or the subscription has ended: from the commit on, nobody gets in.
    Expire(Expiry),
    /// Keep an expired database locked until it is deleted.
    Lock,
    /// A subscription has started: an expired or locked database is in use again.
    Resume,
    /// Delete the database: from the commit on, nobody gets in.
    Delete,
    /// The contract has ended: from the commit on, nobody gets in, and all of the tenant goes.
    Terminate,
    /// State that the bytes have left the live stores.
    Purge,
    /// Bring it back: the store of the next generation is in place.
    Restore,
    /// Adopt, for a database in use, the store of the next generation that is in place.
    Repoint,
    /// Let a member in, change its role, or, with `None`, put it out.
    SetMember {
        /// The member.
        user: UserId,
        /// Its role from now on.
        role: Option<Role>,
    },
}

/// Why a database expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the two events on which a database expires (P-54)"
)]
pub enum Expiry {
    /// Its trial has ended.
    TrialEnded,
    /// Its subscription was cancelled.
    SubscriptionCancelled,
}

impl RegistryChange {
    /// The action that the caller must be allowed.
    #[must_use]
    pub const fn action(&self) -> AccessAction {
        match self {
            Self::Create { .. } => AccessAction::DatabaseCreate,
            Self::Expire(_) => AccessAction::DatabaseExpire,
            Self::Lock => AccessAction::DatabaseLock,
            Self::Resume => AccessAction::DatabaseResume,
            Self::Delete => AccessAction::DatabaseDelete,
            Self::Terminate => AccessAction::DatabaseTerminate,
            Self::Purge => AccessAction::DatabasePurge,
            Self::Restore => AccessAction::DatabaseRestore,
            Self::Repoint => AccessAction::DatabaseRepoint,
            Self::SetMember { .. } => AccessAction::MemberSet,
        }
    }

    /// Applies the change to the facts it was decided on, in the control transaction; returns the
    /// record as it will be.
    pub(crate) async fn apply(
        &self,
        tx: &mut dyn RegistryTx,
        facts: &TenantSnapshot,
        store: StoreId,
        now: UtcDateTime,
    ) -> Result<TenantRecord, RegistryError> {
        let tenant = facts.tenant;
        if let Self::Create { region, admin } = self {
            let record = TenantRecord {
                region: region.clone(),
                state: TenantState::Active,
                epoch: TenantEpoch::FIRST,
                store,
                generation: 1,
                created: now,
            };
            tx.create(tenant, record.clone(), *admin).await?;
            return Ok(record);
        }
        let known = facts.record.as_ref().ok_or(RegistryError::Stale(tenant))?;
        let changed = match self {
            // clause: P-54
            Self::Expire(_) => known.after(Transition::Expire)?,
            // clause: P-56
            Self::Lock => known.after(Transition::Lock)?,
            Self::Resume => known.after(Transition::Resume)?,
            Self::Delete => known.after(Transition::Delete)?,
            Self::Terminate => known.after(Transition::Terminate)?,
            Self::Purge => known.after(Transition::Purge)?,
            Self::Restore => known.after(Transition::Restore)?,
            Self::Repoint => TenantRecord {
                epoch: known.epoch.next(),
                generation: known.generation.saturating_add(1),
                ..known.clone()
            },
            Self::SetMember { user, role } => {
                tx.set_member(tenant, *user, *role).await?;
                TenantRecord {
                    epoch: known.epoch.next(),
                    ..known.clone()
                }
            }
            Self::Create { .. } => return Err(RegistryError::Exists(tenant)),
        };
        tx.update(tenant, known.epoch, changed.clone()).await?;
        Ok(changed)
    }
}
