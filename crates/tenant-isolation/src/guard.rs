//! The guard: the only way into a tenant's store. It reads the facts, decides, makes the decision
//! durable together with its event, and only then mints a scope. Changes of the registry take the
//! same path, and commit with their decision.

use std::sync::Arc;
use std::time::Duration;

use covenant_core::event::Datum;
use covenant_core::{
    Action, Clock, DecisionId, Event, EventId, EventSink, Id, ItemId, Outcome, Random, StoreId,
    Target, TenantId, TxTag,
};
use sql_store::due::Due;

use crate::scope::level::Level;
use crate::scope::member_of;
use crate::{
    AccessLevel, AccessRequest, Caller, Decision, DecisionRow, Effect, EnterError, Expiry,
    Principal, Registry, RegistryChange, RegistryError, Role, RuleId, RuleSet, Rules, Scope,
    TenantRecord, TenantSnapshot,
};

/// How long a scope of a person lives unless told otherwise. A figure of ours.
pub const SCOPE_LIFE: Duration = Duration::from_secs(60);
/// Longest life of a scope of a person. A figure of ours.
pub const SCOPE_LIFE_MAX: Duration = Duration::from_secs(15 * 60);
/// How often a decision overtaken by a change is made anew before it becomes a denial.
const TRIES: u8 = 3;

/// What a guard is made of.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) rules: Arc<dyn Rules>,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) sink: Arc<dyn EventSink>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

/// Lets callers into tenants' stores, and changes the registry for them. Clones are the same guard.
#[derive(Debug, Clone)]
pub struct Guard {
    parts: Arc<Parts>,
    scope_life: Duration,
}

/// What commits together with a change of the registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attached {
    /// Rows of the due-queue.
    pub due: Vec<Due>,
    /// Further events; the guard writes those of the decision and of the change itself.
    pub events: Vec<Event>,
}

/// A change of the registry that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changed {
    /// The decision that allowed it.
    pub decision: DecisionId,
    /// The tenant as it is from now on.
    pub record: TenantRecord,
}

/// A decision that is durable, with the facts it was made on; only the commit makes one.
pub(crate) struct CommittedDecision {
    id: DecisionId,
    rule: RuleId,
    record: TenantRecord,
}

impl CommittedDecision {
    pub(crate) fn into_parts(self) -> (DecisionId, RuleId, TenantRecord) {
        (self.id, self.rule, self.record)
    }
}

/// What a try to commit came to.
enum Try<T> {
    Done(T),
    Overtaken,
}

/// Facts and the answer to them.
struct Decided {
    facts: TenantSnapshot,
    decision: Decision,
}

impl Guard {
    /// A guard over these rules and this registry, whose events go to this sink.
    #[must_use]
    pub fn new(
        rules: Arc<dyn Rules>,
        registry: Arc<dyn Registry>,
        sink: Arc<dyn EventSink>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let parts = Arc::new(Parts {
            rules,
            registry,
            sink,
            clock,
            random,
        });
        Self {
            parts,
            scope_life: SCOPE_LIFE,
        }
    }

    /// The same guard with another life of scopes of persons, at most [`SCOPE_LIFE_MAX`].
    #[must_use]
    pub fn with_scope_life(self, life: Duration) -> Self {
        Self {
            scope_life: life.min(SCOPE_LIFE_MAX),
            ..self
        }
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> &Arc<dyn Registry> {
        &self.parts.registry
    }

    /// Lets the caller in, at level `L`. The scope exists only after the decision and its event are
    /// durable; a denial is recorded in the same way.
    ///
    /// A scope may begin any number of transactions while it lives; that of a service has no end
    /// but the tenant's state.
    ///
    /// # Errors
    /// [`EnterError::Denied`]; otherwise no decision was made, and nothing recorded.
    pub async fn enter<L: Level>(&self, request: AccessRequest) -> Result<Scope<L>, EnterError> {
        let request = request.at_level(L::LEVEL);
        let ends = match request.caller().principal() {
            Principal::Service { .. } => None,
            Principal::Member { .. } | Principal::Staff { .. } => {
                Some(self.parts.clock.monotonic().saturating_add(self.scope_life))
            }
        };
        let mut tries = TRIES;
        loop {
            let mut decided = self.decide(&request, tries).await?;
            if decided.facts.record.is_none() && decided.decision.effect() == Effect::Allow {
                // Whatever the rules say: there is no store to let anybody into.
                decided.decision = Decision::deny(RuleSet::EMPTY.with(RuleId::State));
            }
            match self.commit_entry(&request, &decided).await? {
                Try::Overtaken => tries = tries.saturating_sub(1),
                Try::Done(committed) => {
                    let parts = Arc::clone(&self.parts);
                    return Ok(Scope::mint(parts, request, committed, ends));
                }
            }
        }
    }

    /// Changes the registry for the caller: decision, change, their events and what is attached are
    /// one commit. The change's own event (`database.created`, `database.deleted`,
    /// `database.restored`, `database.purged`) is written here.
    ///
    /// # Errors
    /// [`EnterError::Denied`]; otherwise nothing was decided, changed or recorded.
    pub async fn act(
        &self,
        caller: Caller,
        tenant: TenantId,
        change: RegistryChange,
        attached: Attached,
    ) -> Result<Changed, EnterError> {
        let request = AccessRequest::new(caller, tenant, change.action());
        let mut tries = TRIES;
        loop {
            let decided = self.decide(&request, tries).await?;
            match self
                .commit_change(&request, &decided, &change, &attached)
                .await?
            {
                Try::Overtaken => tries = tries.saturating_sub(1),
                Try::Done(changed) => return Ok(changed),
            }
        }
    }

    /// Reads the facts and answers. Facts that cannot be loaded are a denial, and so are facts that
    /// changed under every try.
    async fn decide(&self, request: &AccessRequest, tries: u8) -> Result<Decided, EnterError> {
        let tenant = request.tenant();
        let facts = match self
            .parts
            .registry
            .snapshot(tenant, member_of(request))
            .await
        {
            Ok(facts) => facts,
            Err(RegistryError::Corrupt(_)) => {
                let decision = Decision::deny(RuleSet::EMPTY.with(RuleId::Facts));
                return Ok(Decided {
                    facts: TenantSnapshot::absent(tenant),
                    decision,
                });
            }
            Err(error) => return Err(error.into()),
        };
        let decision = if tries == 0 {
            Decision::deny(RuleSet::EMPTY.with(RuleId::Epoch))
        } else {
            self.parts.rules.decide(request, &facts)
        };
        Ok(Decided { facts, decision })
    }

    async fn commit_entry(
        &self,
        request: &AccessRequest,
        decided: &Decided,
    ) -> Result<Try<CommittedDecision>, EnterError> {
        let id = self.mint()?;
        let event = self.access_event(id, request, decided, None)?;
        let prepared = self.parts.sink.prepare(event).await?;
        let mut tx = self.parts.registry.begin(self.tag(id)?).await?;
        if overtaken(tx.as_mut(), decided).await? {
            return Ok(Try::Overtaken);
        }
        tx.record(self.row(id, request, decided)).await?;
        self.parts.sink.record(tx.outbox(), prepared).await?;
        tx.commit().await?;
        match (decided.decision.effect(), &decided.facts.record) {
            (Effect::Allow, Some(record)) => Ok(Try::Done(CommittedDecision {
                id,
                rule: decided.decision.rule(),
                record: record.clone(),
            })),
            _ => Err(EnterError::Denied { decision_id: id }),
        }
    }

    async fn commit_change(
        &self,
        request: &AccessRequest,
        decided: &Decided,
        change: &RegistryChange,
        attached: &Attached,
    ) -> Result<Try<Changed>, EnterError> {
        let id = self.mint()?;
        let allowed = decided.decision.effect() == Effect::Allow;
        let access = self.access_event(id, request, decided, Some(change))?;
        let mut prepared = vec![self.parts.sink.prepare(access).await?];
        if allowed {
            let own = self.change_event(id, request, decided, change)?;
            for event in own.into_iter().chain(attached.events.iter().cloned()) {
                prepared.push(self.parts.sink.prepare(event).await?);
            }
        }
        let store: StoreId = self.mint()?;
        let mut tx = self.parts.registry.begin(self.tag(id)?).await?;
        if overtaken(tx.as_mut(), decided).await? {
            return Ok(Try::Overtaken);
        }
        tx.record(self.row(id, request, decided)).await?;
        for prepared in prepared {
            self.parts.sink.record(tx.outbox(), prepared).await?;
        }
        if !allowed {
            tx.commit().await?;
            return Err(EnterError::Denied { decision_id: id });
        }
        let now = self.parts.clock.now();
        let record = change
            .apply(tx.as_mut(), &decided.facts, store, now)
            .await?;
        for due in &attached.due {
            tx.put_due(due.clone()).await?;
        }
        tx.commit().await?;
        Ok(Try::Done(Changed {
            decision: id,
            record,
        }))
    }

    fn mint<K>(&self) -> Result<Id<K>, EnterError> {
        Ok(Id::mint(&*self.parts.clock, &*self.parts.random)?)
    }

    fn tag(&self, decision: DecisionId) -> Result<TxTag, EnterError> {
        Ok(TxTag {
            txn: self.mint()?,
            tenant: None,
            decision: Some(decision),
        })
    }

    fn row(&self, id: DecisionId, request: &AccessRequest, decided: &Decided) -> DecisionRow {
        let at = self.parts.clock.now();
        DecisionRow {
            id,
            at,
            request: request.clone(),
            decision: decided.decision,
        }
    }

    fn access_event(
        &self,
        id: DecisionId,
        request: &AccessRequest,
        decided: &Decided,
        change: Option<&RegistryChange>,
    ) -> Result<Event, EnterError> {
        let Decided { facts, decision } = decided;
        let (action, outcome) = match decision.effect() {
            Effect::Allow => (Action::AccessAllowed, Outcome::Ok),
            Effect::Deny => (Action::AccessDenied, Outcome::Denied),
        };
        // A tenant that is not there has no log: what is asked about it is the operator's matter.
        let creating = decision.effect() == Effect::Allow;
        let known = facts.record.is_some() || creating;
        let item = ItemId::from(request.tenant().as_uuid());
        let target = if known {
            Target::of(request.tenant(), "database", item)
        } else {
            Target::operator("database", item)
        };
        let at = self.parts.clock.now();
        let mut event = Event::new(id, at, request.caller().actor(), action, target, outcome)
            .with_code(decision.rule().name())
            .with_decision(id)
            .with("action", Datum::Token(request.action().name()))
            .with(
                "level",
                Datum::Token(request.level().map_or("registry", AccessLevel::name)),
            );
        if let Some(RegistryChange::SetMember { user, role }) = change {
            event = event
                .with("member", Datum::Id(user.as_uuid()))
                .with("role", Datum::Token(role.map_or("none", Role::name)));
        }
        event.clauses = decision.clauses().to_vec();
        Ok(event)
    }

    fn change_event(
        &self,
        decision: DecisionId,
        request: &AccessRequest,
        decided: &Decided,
        change: &RegistryChange,
    ) -> Result<Option<Event>, EnterError> {
        let action = match change {
            RegistryChange::Create { .. } => Action::DatabaseCreated,
            RegistryChange::Expire(Expiry::TrialEnded) => Action::TrialEnded,
            RegistryChange::Expire(Expiry::SubscriptionCancelled) => Action::SubscriptionCancelled,
            RegistryChange::Lock => Action::DatabaseLocked,
            RegistryChange::Resume => Action::SubscriptionStarted,
            RegistryChange::Delete => Action::DatabaseDeleted,
            RegistryChange::Terminate => Action::ContractTerminated,
            RegistryChange::Purge => Action::DatabasePurged,
            RegistryChange::Restore | RegistryChange::Repoint => Action::DatabaseRestored,
            // The event of the decision names member and role.
            RegistryChange::SetMember { .. } => return Ok(None),
        };
        let id: EventId = self.mint()?;
        let at = self.parts.clock.now();
        let item = ItemId::from(request.tenant().as_uuid());
        let target = Target::of(request.tenant(), "database", item);
        let generation = decided
            .facts
            .record
            .as_ref()
            .map_or(1, |record| match change {
                RegistryChange::Restore | RegistryChange::Repoint => {
                    record.generation.saturating_add(1)
                }
                _ => record.generation,
            });
        let event = Event::new(
            id,
            at,
            request.caller().actor(),
            action,
            target,
            Outcome::Ok,
        )
        .with_decision(decision)
        .with("generation", Datum::Count(generation));
        Ok(Some(event))
    }
}

/// Whether the tenant changed since the facts were read.
async fn overtaken(
    tx: &mut dyn crate::RegistryTx,
    decided: &Decided,
) -> Result<bool, RegistryError> {
    if decided.decision.rule() == RuleId::Facts || decided.decision.rule() == RuleId::Epoch {
        return Ok(false);
    }
    Ok(tx.epoch(decided.facts.tenant).await? != decided.facts.epoch())
}
