//! A scope: the proof that a decision to let somebody into one tenant's store was committed. It
//! cannot be built, copied or kept beyond its end, and every transaction begun with it looks at the
//! registry again, so that a deletion in any process ends it at the next begin.

use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use covenant_core::{DecisionId, Id, Monotonic, OutboxTx, Region, TenantId, TxTag, UserId};
use sql_store::{Mode, Tx};

use crate::guard::{CommittedDecision, Parts};
use crate::{
    AccessAction, AccessLevel, AccessRequest, BeginError, CommitError, Effect, LendError,
    MaintenanceSlot, Principal, RuleId, StoreError, StoreIdentity, StoreMetadata, TenantEpoch,
    TenantRecord, TenantSnapshot, TenantStore,
};

/// The levels as types, so that what a level lacks does not compile.
pub mod level {
    use super::{AccessLevel, sealed::Sealed};

    /// One level of access; sealed.
    pub trait Level: Sealed + fmt::Debug + Send + Sync + 'static {
        /// The level.
        const LEVEL: AccessLevel;
    }

    /// A level that reaches rows; sealed.
    pub trait Rows: Level {}

    use std::fmt;

    macro_rules! levels {
        ($($(#[$doc:meta])* $name:ident),*) => { $(
            $(#[$doc])*
            #[derive(Debug)]
            #[expect(clippy::exhaustive_enums, reason = "has no value, and never will")]
            pub enum $name {}
            impl Sealed for $name {}
            impl Level for $name {
                const LEVEL: AccessLevel = AccessLevel::$name;
            }
        )* };
    }
    levels! {
        /// Never a row.
        Metadata,
        /// Rows, read-only.
        Read,
        /// Rows.
        Write,
        /// The whole store.
        Maintain
    }
    impl Rows for Read {}
    impl Rows for Write {}
    impl Rows for Maintain {}
}

mod sealed {
    /// Keeps the set of levels closed.
    #[expect(unnameable_types, reason = "a seal is what cannot be named")]
    pub trait Sealed {}
}

use level::{Level, Maintain, Metadata, Rows};

/// Longest time between the last look at the registry and the use of an open transaction; beyond
/// it, it looks again. A figure of ours.
pub const LOOK_AGE_MAX: Duration = Duration::from_secs(5);
/// How often a begin that was overtaken by a change of the store starts again.
const BEGIN_TRIES: u8 = 3;

/// Access to one tenant's store at one level, for as long as it lives.
#[must_use = "a scope is the access that was decided and recorded"]
pub struct Scope<L> {
    parts: Arc<Parts>,
    request: AccessRequest,
    decision: DecisionId,
    rule: RuleId,
    ends: Option<Monotonic>,
    seen: Mutex<Seen>,
    level: PhantomData<fn() -> L>,
}

/// What the last look at the registry saw.
#[derive(Debug, Clone)]
struct Seen {
    record: TenantRecord,
    at: Monotonic,
}

impl<L: Level> Scope<L> {
    pub(crate) fn mint(
        parts: Arc<Parts>,
        request: AccessRequest,
        committed: CommittedDecision,
        ends: Option<Monotonic>,
    ) -> Self {
        let (decision, rule, record) = committed.into_parts();
        let at = parts.clock.monotonic();
        let seen = Mutex::new(Seen { record, at });
        Self {
            parts,
            request,
            decision,
            rule,
            ends,
            seen,
            level: PhantomData,
        }
    }

    /// Whose store it is.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.request.tenant()
    }

    /// What was allowed.
    #[must_use]
    pub const fn action(&self) -> AccessAction {
        self.request.action()
    }

    /// Who was let in, for events of what is done.
    #[must_use]
    pub const fn request(&self) -> &AccessRequest {
        &self.request
    }

    /// The committed decision.
    #[must_use]
    pub const fn decision(&self) -> DecisionId {
        self.decision
    }

    /// Where the tenant's data is.
    #[must_use]
    pub fn region(&self) -> Region {
        self.seen().record.region
    }

    /// The generation of the store, as last seen.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.seen().record.generation
    }

    /// The tenant's epoch, as last seen.
    #[must_use]
    pub fn epoch(&self) -> TenantEpoch {
        self.seen().record.epoch
    }

    /// Whether its time has not passed; a scope of a service has no end of its own.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.ends
            .is_none_or(|ends| self.parts.clock.monotonic() < ends)
    }

    fn seen(&self) -> Seen {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn live(&self) -> Result<(), BeginError> {
        if self.is_live() {
            Ok(())
        } else {
            Err(BeginError::Expired)
        }
    }

    /// Reads the facts again. A change of the tenant's epoch is decided anew: allowed by the same
    /// rule, the scope goes on; otherwise it has ended.
    async fn look(&self) -> Result<Look, BeginError> {
        let member = member_of(&self.request);
        let facts = self.parts.registry.snapshot(self.tenant(), member).await?;
        let before = self.seen();
        let at = self.parts.clock.monotonic();
        let Some(record) = facts.record.clone() else {
            return Err(BeginError::Revoked);
        };
        // clause: P-58
        if (record.epoch, record.state) != (before.record.epoch, before.record.state) {
            self.decide_again(&facts)?;
        }
        let same_store =
            (before.record.generation, before.record.store) == (record.generation, record.store);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen { record, at };
        Ok(if same_store {
            Look::Same
        } else {
            Look::OtherStore
        })
    }

    /// Whether an open transaction may go on.
    async fn still(&self) -> Result<(), BeginError> {
        self.live()?;
        let age = self.parts.clock.monotonic().saturating_sub(self.seen().at);
        if age > LOOK_AGE_MAX && self.look().await? == Look::OtherStore {
            return Err(BeginError::Revoked);
        }
        Ok(())
    }

    fn decide_again(&self, facts: &TenantSnapshot) -> Result<(), BeginError> {
        let decision = self.parts.rules.decide(&self.request, facts);
        if decision.effect() == Effect::Allow && decision.rule() == self.rule {
            Ok(())
        } else {
            Err(BeginError::Revoked)
        }
    }

    /// What is needed before any use of a store: a live scope, and a store in the tenant's region.
    fn permit<'s>(
        &'s self,
        store: &dyn TenantStore,
        seen: &'s Seen,
        mode: Mode,
    ) -> Result<Permit<'s>, BeginError> {
        self.live()?;
        let placement = store.placement();
        placement.check(&seen.record.region)?;
        let identity = StoreIdentity::expected(self.tenant(), &seen.record, placement.model);
        let txn = Id::mint(&*self.parts.clock, &*self.parts.random)?;
        let tag = TxTag {
            txn,
            tenant: Some(self.tenant()),
            decision: Some(self.decision),
        };
        Ok(Permit {
            identity,
            tag,
            mode,
            request: &self.request,
            life: PhantomData,
        })
    }

    /// A permit on fresh facts, for what is done outside a transaction.
    async fn fresh_permit<'s>(
        &'s self,
        store: &dyn TenantStore,
        seen: &'s mut Option<Seen>,
    ) -> Result<Permit<'s>, BeginError> {
        self.live()?;
        self.look().await?;
        let seen = seen.insert(self.seen());
        self.permit(store, seen, mode::<L>())
    }
}

/// What a look at the registry found of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Same,
    OtherStore,
}

pub(crate) fn member_of(request: &AccessRequest) -> Option<UserId> {
    match request.caller().principal() {
        Principal::Member { user, .. } => Some(user),
        Principal::Staff { .. } | Principal::Service { .. } => None,
    }
}

fn mode<L: Level>() -> Mode {
    match L::LEVEL {
        AccessLevel::Metadata | AccessLevel::Read => Mode::ReadOnly,
        AccessLevel::Write | AccessLevel::Maintain => Mode::ReadWrite,
    }
}

impl<L: Rows> Scope<L> {
    /// Begins a transaction in the tenant's store. State and epoch are read from the registry after
    /// the transaction has begun and before its first statement.
    ///
    /// # Errors
    /// [`BeginError::Revoked`] when the tenant was deleted or the access taken away meanwhile,
    /// [`BeginError::Expired`] after the scope's end, else what store or registry refuse.
    pub async fn begin(&self, store: &dyn TenantStore) -> Result<TenantTx<'_, L>, BeginError> {
        let mut tries = BEGIN_TRIES;
        loop {
            let seen = self.seen();
            let begun = store.begin(self.permit(store, &seen, mode::<L>())?).await;
            // Looked at after a refusal too: a deleted tenant's store may be gone, or replaced.
            match (self.look().await?, begun) {
                (Look::Same, Ok(tx)) => return Ok(TenantTx { tx, scope: self }),
                (Look::Same, Err(error)) => return Err(error.into()),
                (Look::OtherStore, begun) => {
                    drop(begun);
                    tries = tries.saturating_sub(1);
                    if tries == 0 {
                        return Err(StoreError::Busy {
                            tenant: self.tenant(),
                        }
                        .into());
                    }
                }
            }
        }
    }
}

impl Scope<Metadata> {
    /// What may be known of the store without seeing a row.
    ///
    /// # Errors
    /// As [`Scope::begin`].
    pub async fn metadata(&self, store: &dyn TenantStore) -> Result<StoreMetadata, BeginError> {
        let mut seen = None;
        Ok(store
            .metadata(self.fresh_permit(store, &mut seen).await?)
            .await?)
    }
}

impl Scope<Maintain> {
    /// Exclusive use of the store, for a flush or a copy.
    ///
    /// # Errors
    /// As [`Scope::begin`]; [`StoreError::Busy`] when transactions do not end in time.
    pub async fn maintain(&self, store: &dyn TenantStore) -> Result<MaintenanceSlot, BeginError> {
        let mut seen = None;
        let slot = store
            .maintain(self.fresh_permit(store, &mut seen).await?)
            .await?;
        match self.look().await? {
            Look::Same => Ok(slot),
            Look::OtherStore => Err(StoreError::Busy {
                tenant: self.tenant(),
            }
            .into()),
        }
    }

    /// Puts a restored store in place, as the next generation; nobody can use it before the
    /// registry's `Restore` or `Repoint` adopts it. Takes action `store.restore`.
    ///
    /// # Errors
    /// As [`Scope::begin`]; [`StoreError::Identity`] for a file of another tenant.
    pub async fn replace(
        &self,
        store: &dyn TenantStore,
        restored: &Path,
    ) -> Result<(), BeginError> {
        self.takes(AccessAction::StoreRestore)?;
        let mut seen = None;
        Ok(store
            .replace(self.fresh_permit(store, &mut seen).await?, restored)
            .await?)
    }

    /// Removes the store of a deleted tenant, and lists what was there. Takes action
    /// `store.remove`.
    ///
    /// # Errors
    /// As [`Scope::begin`].
    pub async fn remove(&self, store: &dyn TenantStore) -> Result<Vec<PathBuf>, BeginError> {
        self.takes(AccessAction::StoreRemove)?;
        let mut seen = None;
        Ok(store
            .remove(self.fresh_permit(store, &mut seen).await?)
            .await?)
    }

    fn takes(&self, action: AccessAction) -> Result<(), BeginError> {
        if self.action() == action {
            Ok(())
        } else {
            Err(StoreError::NotPermitted {
                action: self.action(),
            }
            .into())
        }
    }
}

impl<L> fmt::Debug for Scope<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("tenant", &self.request.tenant())
            .field("action", &self.request.action())
            .field("decision", &self.decision)
            .finish_non_exhaustive()
    }
}

/// A borrow of a live scope, for one call of a store; only a scope makes one.
#[derive(Debug)]
pub struct Permit<'s> {
    identity: StoreIdentity,
    tag: TxTag,
    mode: Mode,
    request: &'s AccessRequest,
    life: PhantomData<&'s ()>,
}

impl Permit<'_> {
    /// Whose store it is.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.request.tenant()
    }

    /// What was allowed.
    #[must_use]
    pub const fn action(&self) -> AccessAction {
        self.request.action()
    }

    /// The identity that the store must carry.
    #[must_use]
    pub const fn identity(&self) -> &StoreIdentity {
        &self.identity
    }

    /// What the transaction is known by.
    #[must_use]
    pub const fn tag(&self) -> TxTag {
        self.tag
    }

    /// Whether the transaction may write.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }
}

/// A transaction in one tenant's store. Dropped, it is rolled back.
#[derive(Debug)]
pub struct TenantTx<'s, L> {
    tx: Tx,
    scope: &'s Scope<L>,
}

impl<L: Rows> TenantTx<'_, L> {
    /// The transaction, for static SQL.
    ///
    /// When the last look at the registry is older than [`LOOK_AGE_MAX`], it looks again first; so
    /// do the other lends, and the commit.
    ///
    /// # Errors
    /// [`LendError::Scope`] when the access has ended: roll back.
    pub async fn tx(&mut self) -> Result<&mut Tx, LendError> {
        self.scope.still().await?;
        Ok(&mut self.tx)
    }

    /// sqlx's own connection, for code written against sqlx.
    ///
    /// # Errors
    /// [`LendError::Scope`] when the access has ended; [`LendError::OtherDatabase`] when the store
    /// is not SQLite.
    pub async fn sqlite(&mut self) -> Result<&mut sql_store::SqliteConnection, LendError> {
        self.scope.still().await?;
        self.tx.sqlite().ok_or(LendError::OtherDatabase)
    }

    /// The outbox, for events of this transaction.
    pub fn outbox(&mut self) -> &mut dyn OutboxTx {
        &mut self.tx
    }

    /// What the transaction is known by.
    #[must_use]
    pub fn tag(&self) -> TxTag {
        self.tx.tag()
    }

    /// Commits.
    ///
    /// # Errors
    /// [`CommitError::Scope`] when the access has ended meanwhile: nothing was committed.
    /// [`CommitError::Database`] else.
    pub async fn commit(self) -> Result<(), CommitError> {
        let Self { tx, scope } = self;
        scope.still().await?;
        Ok(tx.commit().await?)
    }
}
