//! What every [`KeyStore`] does.

mod lifecycle;

use covenant_core::event::{Action, ActorContext, Outcome};
use covenant_core::sealer::{DestroyOrder, Purpose};
use covenant_core::{ClauseId, EventId, KeyId, OrderId, Owner, Random, TenantId, VaultId};
use time::{Duration, UtcDateTime};
use uuid::Uuid;

use super::{SuiteError, that};
use crate::group::GroupName;
use crate::journal::KeyEvent;
use crate::record::{KekRecord, KekState, RootRecord, RootState, Switch};
use crate::store::{Added, Flush, KeyStore, Planned, StoreError};

/// Runs every sentence of the contract of [`KeyStore`] against an empty store.
///
/// # Errors
/// [`SuiteError`] for the first sentence that does not hold.
pub async fn store_suite(
    store: &dyn KeyStore,
    random: &dyn Random,
    clause: ClauseId,
) -> Result<(), SuiteError> {
    let at = UtcDateTime::from_unix_timestamp(1_800_000_000).map_err(SuiteError::of)?;
    let suite = Suite {
        store,
        random,
        at,
        clause,
    };
    suite.keks().await?;
    suite.roots().await?;
    suite.tenants().await?;
    suite.subjects().await?;
    suite.epochs().await?;
    suite.switches().await?;
    suite.rotation().await?;
    suite.versions().await?;
    suite.journal().await?;
    suite.copies().await
}

/// Fills an empty store from full copies and increments, and compares.
///
/// # Errors
/// [`SuiteError`] for the first sentence that does not hold.
pub async fn restore_suite(
    from: &dyn KeyStore,
    into: &dyn KeyStore,
    since: u64,
) -> Result<(), SuiteError> {
    lifecycle::restore(from, into, since).await
}

struct Suite<'a> {
    store: &'a dyn KeyStore,
    random: &'a dyn Random,
    at: UtcDateTime,
    clause: ClauseId,
}

impl Suite<'_> {
    async fn keks(&self) -> Result<(), SuiteError> {
        that!(
            ok(self.store.keks().await)?.is_empty(),
            "the store is not empty"
        );
        let first = self.kek(GroupName::Standard, None)?;
        let second = self.kek(GroupName::Standard, None)?;
        that!(
            ok(self.store.keks_of(&first.group).await)?.is_empty(),
            "a group has a KEK before"
        );
        let kept = ok(self.store.intend_kek(&first).await)?;
        let first = KekRecord {
            revision: kept.revision,
            ..first
        };
        that!(kept == first, "the first KEK was not kept");
        that!(first.revision > 0, "a new KEK has no revision");
        that!(
            ok(self.store.intend_kek(&second).await)? == first,
            "the second KEK was kept"
        );
        that!(
            ok(self.store.kek(second.id).await)?.is_none(),
            "the second KEK is there"
        );
        let root = self.root(Owner::Platform(self.uuid()?), Purpose::Platform, first.id)?;
        let early = ok(self.store.add_root(&root).await)?;
        let refused = early == Added::Refused(KekState::Intended.name());
        that!(refused, "a root was added under a KEK that is not enabled");
        let enabled = ok(self.enable(first.id).await)?;
        that!(
            enabled.state == KekState::Enabled,
            "the KEK was not enabled"
        );
        let same = ok(self.store.kek(first.id).await)?.as_ref() == Some(&enabled);
        that!(same, "the KEK reads back otherwise");
        let missing = self.enable(second.id).await;
        let missing = matches!(missing, Err(StoreError::NoRecord(_)));
        that!(missing, "a KEK without a record was enabled");
        that!(
            ok(self.store.next_due().await)?.is_none(),
            "a KEK without a date is due"
        );
        Ok(())
    }

    async fn roots(&self) -> Result<(), SuiteError> {
        let kek = self.standard().await?;
        let owner = Owner::Platform(self.uuid()?);
        let root = self.root(owner, Purpose::Platform, kek.id)?;
        let wraps = kek.wraps;
        that!(
            ok(self.store.root_of(owner, Purpose::Platform).await)?.is_none(),
            "there before"
        );
        let Added::Stored(stored) = self.add(&root).await? else {
            return Err(SuiteError::of("a root was not stored"));
        };
        let root = RootRecord {
            revision: stored.revision,
            wrapped_revision: stored.revision,
            ..root
        };
        that!(stored == root, "a root was stored otherwise");
        that!(
            root.revision > kek.revision,
            "a new root has no new revision"
        );
        let second = self.root(owner, Purpose::Platform, kek.id)?;
        let adopted = self.add(&second).await? == Added::Exists(root.clone());
        that!(adopted, "a second root was stored");
        that!(
            ok(self.store.root(second.id).await)?.is_none(),
            "the second root is there"
        );
        let back = ok(self.store.root(root.id).await)?;
        that!(back.as_ref() == Some(&root), "a root reads back otherwise");
        let of = ok(self.store.root_of(owner, Purpose::Platform).await)?;
        that!(
            of.as_ref() == Some(&root),
            "an owner's root reads back otherwise"
        );
        let counted = self.standard().await?.wraps == wraps.saturating_add(1);
        that!(counted, "wraps are not counted");
        let buried = ok(self.store.bury_root(root.id, self.at, &self.actor()).await)?;
        let empty = buried.wrapped.is_empty() && buried.state == RootState::Destroyed;
        that!(
            empty && buried.destroyed_at == Some(self.at),
            "a root was not buried"
        );
        let later = self.at.saturating_add(Duration::HOUR);
        let again = ok(self.store.bury_root(root.id, later, &self.actor()).await)? == buried;
        that!(again, "burying twice changed the record");
        let kept = self.add(&second).await? == Added::Exists(buried);
        that!(
            kept,
            "an owner got a second root after the first was destroyed"
        );
        Ok(())
    }

    async fn tenants(&self) -> Result<(), SuiteError> {
        let kek = self.standard().await?;
        let (tenant, other) = (self.tenant()?, self.tenant()?);
        let subject = Owner::Subject(tenant, self.uuid()?);
        let orphan = self.root(subject, Purpose::Subject, kek.id)?;
        that!(
            self.add(&orphan).await? == Added::NoTenant,
            "a subject without a tenant got a root"
        );
        for tenant in [tenant, other] {
            let root = self.root(Owner::Tenant(tenant), Purpose::Data, kek.id)?;
            that!(
                matches!(self.add(&root).await?, Added::Stored(_)),
                "a tenant got no root"
            );
        }
        that!(
            matches!(self.add(&orphan).await?, Added::Stored(_)),
            "a subject got no root"
        );

        let day = self.at.saturating_add(Duration::days(30));
        let planned = ok(self.store.plan_roots(tenant, day).await)?;
        that!(
            planned == Planned::Done(2),
            "not all roots of the tenant were planned"
        );
        that!(
            ok(self.store.plan_roots(tenant, day).await)? == planned,
            "the plan is not stable"
        );
        let moved = self
            .store
            .plan_roots(tenant, day.saturating_add(Duration::DAY))
            .await;
        that!(
            matches!(ok(moved)?, Planned::Differs(_, at) if at == day),
            "a plan moved"
        );
        let late = self.root(
            Owner::Subject(tenant, self.uuid()?),
            Purpose::Subject,
            kek.id,
        )?;
        let Added::Stored(late) = self.add(&late).await? else {
            return Err(SuiteError::of("a subject of a planned tenant got no root"));
        };
        that!(
            late.destroy_at == Some(day),
            "a later root does not take its tenant's date"
        );
        that!(
            ok(self.store.next_due().await)? == Some(day),
            "the planned day is not the next"
        );

        let before = day.saturating_sub(Duration::MICROSECOND);
        that!(
            ok(self.store.due(before).await)?.roots.is_empty(),
            "due before the day"
        );
        let due = ok(self.store.due(day).await)?.roots;
        let mine = due.iter().all(|root| root.owner.tenant() == Some(tenant));
        that!(
            due.len() == 3 && mine,
            "not exactly the tenant's three roots are due"
        );
        for root in due {
            ok(self.store.bury_root(root.id, day, &self.actor()).await)?;
        }
        that!(
            ok(self.store.due(day).await)?.roots.is_empty(),
            "due after destruction"
        );
        let late = self.root(
            Owner::Subject(tenant, self.uuid()?),
            Purpose::Subject,
            kek.id,
        )?;
        let refused = self.add(&late).await? == Added::Refused(RootState::Destroyed.name());
        that!(refused, "a subject of a destroyed tenant got a root");
        let rest = ok(self
            .store
            .root_of(Owner::Tenant(other), Purpose::Data)
            .await)?;
        let alive = rest.is_some_and(|root| root.state == RootState::Active);
        that!(alive, "another tenant's root went too");
        Ok(())
    }

    async fn subjects(&self) -> Result<(), SuiteError> {
        let kek = self.standard().await?;
        let (tenant, subject) = (self.tenant()?, self.uuid()?);
        let (owner, other) = (
            Owner::Subject(tenant, subject),
            Owner::Subject(tenant, self.uuid()?),
        );
        let data = self.root(Owner::Tenant(tenant), Purpose::Data, kek.id)?;
        let root = self.root(owner, Purpose::Subject, kek.id)?;
        let bystander = self.root(other, Purpose::Subject, kek.id)?;
        for root in [&data, &root, &bystander] {
            that!(
                matches!(self.add(root).await?, Added::Stored(_)),
                "a root was not stored"
            );
        }
        let order = |id: Uuid, subject: Uuid| DestroyOrder {
            id: OrderId::from_uuid(id),
            tenant,
            subject,
            at: self.at,
            clause: self.clause,
        };
        let first = order(self.uuid()?, subject);
        let erased = ok(self
            .store
            .erase_subject(&first, self.at, &self.actor())
            .await)?;
        that!(
            erased.keys == [root.id],
            "not exactly the subject's root was destroyed"
        );
        that!(erased.destroyed_at == self.at, "destroyed at another time");
        let later = self.at.saturating_add(Duration::HOUR);
        let again = ok(self.store.erase_subject(&first, later, &self.actor()).await)?;
        that!(again == erased, "the same order did something else");
        let second = ok(self
            .store
            .erase_subject(&order(self.uuid()?, subject), later, &self.actor())
            .await)?;
        let facts = second.keys == erased.keys && second.destroyed_at == erased.destroyed_at;
        that!(facts, "another order for the subject tells other facts");
        let reused = self
            .store
            .erase_subject(
                &order(first.id.as_uuid(), self.uuid()?),
                later,
                &self.actor(),
            )
            .await;
        that!(
            matches!(reused, Err(StoreError::OtherOrder)),
            "an order's id was used twice"
        );
        let back = self.root(owner, Purpose::Sensitive, kek.id)?;
        let refused = self.add(&back).await? == Added::Refused(RootState::Destroyed.name());
        that!(refused, "an erased subject got a root");
        let gone = ok(self.store.root(root.id).await)?.is_some_and(|r| r.wrapped.is_empty());
        that!(gone, "an erased subject's root is still wrapped");
        let alive = ok(self.store.root(bystander.id).await)?;
        that!(
            alive.is_some_and(|r| r.state == RootState::Active),
            "another subject was erased"
        );
        let unknown = self
            .store
            .settle_erasure(OrderId::from_uuid(self.uuid()?), later)
            .await;
        that!(
            matches!(unknown, Err(StoreError::NoOrder(_))),
            "an unknown order was settled"
        );
        that!(
            ok(self.store.settle_erasure(first.id, later).await)? == later,
            "not settled"
        );
        let settled = ok(self.store.settle_erasure(first.id, self.at).await)?;
        that!(settled == later, "settled twice");
        let told = ok(self.store.erase_subject(&first, later, &self.actor()).await)?.complete_by;
        that!(
            told == Some(later),
            "a settled order does not tell its date"
        );
        // a subject that has no root yet is refused one, too
        let ahead = self.uuid()?;
        let none = ok(self
            .store
            .erase_subject(&order(self.uuid()?, ahead), later, &self.actor())
            .await)?;
        that!(none.keys.is_empty(), "a key of nobody was destroyed");
        let root = self.root(Owner::Subject(tenant, ahead), Purpose::Subject, kek.id)?;
        let refused = self.add(&root).await? == Added::Refused(RootState::Destroyed.name());
        that!(refused, "a subject erased ahead got a root");
        Ok(())
    }

    async fn epochs(&self) -> Result<(), SuiteError> {
        let day = self.at.saturating_add(Duration::days(90));
        let group: GroupName = "epoch/suite".parse().map_err(SuiteError::of)?;
        let kek = ok(self.store.intend_kek(&self.kek(group, Some(day))?).await)?;
        that!(kek.destroy_at == Some(day), "the planned day was not kept");
        ok(self.enable(kek.id).await)?;
        let tenant = self.tenant()?;
        let mut minted = Vec::new();
        for _ in 0..3 {
            let vault = VaultId::from_uuid(self.uuid()?);
            let root = self.root(Owner::Vault(tenant, vault), Purpose::Vault, kek.id)?;
            that!(
                matches!(self.add(&root).await?, Added::Stored(_)),
                "a vault got no root"
            );
            minted.push(root.id);
        }
        that!(
            ok(self.store.next_due().await)? == Some(day),
            "the epoch's day is not the next"
        );
        let before = day.saturating_sub(Duration::MICROSECOND);
        that!(
            ok(self.store.due(before).await)?.keks.is_empty(),
            "an epoch is due before its day"
        );
        let due = ok(self.store.due(day).await)?.keks;
        that!(
            due.iter().map(|kek| kek.id).eq([kek.id]),
            "not exactly the epoch's KEK is due"
        );

        let (dying, roots) = ok(self.store.bury_kek(kek.id, day, &self.actor()).await)?;
        that!(dying.state == KekState::Dying, "a buried KEK is not dying");
        let mut went: Vec<_> = roots.iter().map(|root| root.id).collect();
        went.sort_unstable();
        minted.sort_unstable();
        that!(went == minted, "not exactly the epoch's roots went");
        let empty = roots
            .iter()
            .all(|r| r.wrapped.is_empty() && r.state == RootState::Destroyed);
        that!(empty, "a root that went is not empty");
        let later = day.saturating_add(Duration::HOUR);
        let again = ok(self.store.bury_kek(kek.id, later, &self.actor()).await)?;
        that!(
            again == (dying.clone(), roots),
            "burying twice changed something"
        );
        let still = ok(self.store.due(self.at).await)?.keks;
        that!(still == [dying], "a destruction begun is not due at once");
        let next = ok(self.store.next_due().await)?;
        that!(
            next.is_some_and(|at| at <= day),
            "a destruction begun is not the next"
        );
        let enabled = ok(self.enable(kek.id).await)?;
        that!(enabled.state == KekState::Dying, "a dying KEK was enabled");
        let vault = Owner::Vault(tenant, VaultId::from_uuid(self.uuid()?));
        let late = self.root(vault, Purpose::Vault, kek.id)?;
        let refused = self.add(&late).await? == Added::Refused(KekState::Dying.name());
        that!(refused, "a root was added under a dying KEK");
        ok(self.store.finish_kek(kek.id, later).await)?;
        ok(self.store.finish_kek(kek.id, later).await)?;
        let gone = ok(self.store.kek(kek.id).await)?;
        that!(
            gone.is_some_and(|kek| kek.state == KekState::Destroyed),
            "not recorded as gone"
        );
        that!(
            ok(self.store.due(later).await)?.keks.is_empty(),
            "a destroyed KEK is due"
        );
        let active = ok(self.store.roots().await)?;
        let all = active
            .iter()
            .all(|r| (r.state == RootState::Active) != r.wrapped.is_empty());
        that!(all, "an active root is empty, or a destroyed one is not");
        let flush = ok(self.store.flush().await)?;
        that!(matches!(flush, Flush::Clean | Flush::Pending), "no answer");
        Ok(())
    }

    async fn enable(&self, id: KeyId) -> Result<KekRecord, StoreError> {
        let event = self.event(Action::KeyCreated, id);
        let event = event.map_err(|e| StoreError::Database(Box::new(e)))?;
        self.store.enable_kek(id, b"canary", &event).await
    }

    fn actor(&self) -> ActorContext {
        ActorContext::service("suite")
    }

    fn event(&self, action: Action, key: KeyId) -> Result<KeyEvent, SuiteError> {
        Ok(KeyEvent {
            id: EventId::from_uuid(self.uuid()?),
            at: self.at,
            actor: self.actor(),
            action,
            key: Some(key),
            tenant: None,
            outcome: Outcome::Ok,
            code: None,
            reason: None,
        })
    }

    async fn add(&self, root: &RootRecord) -> Result<Added, SuiteError> {
        ok(self.store.add_root(root).await)
    }

    async fn standard(&self) -> Result<KekRecord, SuiteError> {
        let kek = ok(self.store.keks_of(&GroupName::Standard).await)?.pop();
        kek.ok_or_else(|| SuiteError::of("the group's KEK is gone"))
    }

    fn kek(
        &self,
        group: GroupName,
        destroy_at: Option<UtcDateTime>,
    ) -> Result<KekRecord, SuiteError> {
        Ok(KekRecord {
            id: KeyId::from_uuid(self.uuid()?),
            group,
            n: 1,
            state: KekState::Intended,
            switch: Switch::On,
            wraps: 0,
            created_at: self.at,
            expires_at: None,
            destroy_at,
            pending_until: None,
            compromised_at: None,
            destroyed_at: None,
            gone_at: None,
            canary: Vec::new(),
            revision: 0,
        })
    }

    fn root(&self, owner: Owner, purpose: Purpose, kek: KeyId) -> Result<RootRecord, SuiteError> {
        let mut wrapped = vec![0; crate::wrapped::WRAPPED_LEN_BYTES];
        self.random.fill(&mut wrapped).map_err(SuiteError::of)?;
        Ok(RootRecord {
            id: KeyId::from_uuid(self.uuid()?),
            owner,
            purpose,
            n: 1,
            kek,
            wrapped,
            state: RootState::Active,
            switch: Switch::On,
            created_at: self.at,
            active_from: None,
            destroy_at: None,
            pending_until: None,
            compromised_at: None,
            destroyed_at: None,
            wrapped_revision: 0,
            revision: 0,
        })
    }

    fn tenant(&self) -> Result<TenantId, SuiteError> {
        self.uuid().map(TenantId::from_uuid)
    }

    fn uuid(&self) -> Result<Uuid, SuiteError> {
        let mut bytes = [0_u8; 16];
        self.random.fill(&mut bytes).map_err(SuiteError::of)?;
        Ok(Uuid::from_bytes(bytes))
    }
}

fn ok<T>(result: Result<T, StoreError>) -> Result<T, SuiteError> {
    result.map_err(SuiteError::of)
}
