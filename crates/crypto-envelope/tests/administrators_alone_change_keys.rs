//! Administration of keys: by administrators alone, by the state table, on record either way; a
//! window of 7 to 30 days that is neither shorter nor longer; floors and holds that keep a key.
#![cfg(feature = "testing")]

#[cfg(test)]
mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use common::{TestResult, World, body, epoch, start, told};
use covenant_core::event::{Action, Outcome};
use covenant_core::sealer::{DestroyError, OpenError, Purpose, Sealer};
use covenant_core::{BoxFuture, KeyId, Owner};
use crypto_envelope::guard::{Cause, DestructionGuard, GuardError, KeyKind, Verdict};
use crypto_envelope::record::RootState;
use crypto_envelope::testing::{Faults, FaultyStore};
use crypto_envelope::{
    AdminCall, Envelope, GroupName, KeyAdmin, KeyError, KeyState, KeysOptions, PendingWindow,
    Refused, Role, VaultKeys, WrapContext,
};
use time::{Duration, UtcDateTime};
use uuid::Uuid;

const DAY: Duration = Duration::DAY;

/// The events of an action so far, oldest first.
// clause: Q-16
#[tokio::test]
async fn others_are_refused_and_recorded() -> TestResult {
    let world = World::in_memory();
    let keys = world.keys().await?;
    let tenant = world.tenant()?;
    let roots = keys.create_tenant(tenant).await?;
    let order = world.order(tenant, world.uuid()?)?;
    for role in [Role::Staff, Role::Member, Role::Service] {
        let call = AdminCall {
            role,
            ..world.admin()
        };
        let waiting = keys.events(u32::MAX).await?;
        let week = PendingWindow::SHORTEST;
        let id = roots.data;
        let refused = [
            keys.create(&call, &GroupName::Standard, None).await.err(),
            KeyAdmin::list(&keys, &call).await.err(),
            keys.copies(&call).await.err(),
            keys.enable(&call, id).await.err(),
            keys.disable(&call, id).await.err(),
            keys.rotate(&call, id).await.err(),
            keys.mark_compromised(&call, id).await.err(),
            keys.schedule_destruction(&call, id, week).await.err(),
            keys.plan_destruction(&call, id, start() + DAY * 30)
                .await
                .err(),
            keys.cancel_destruction(&call, id).await.err(),
            KeyAdmin::destroy_due(&keys, &call, start()).await.err(),
            KeyAdmin::destroy_subject(&keys, &call, &order).await.err(),
            keys.replay(&call, &crypto_envelope::Replay::default())
                .await
                .err(),
        ];
        for error in &refused {
            assert!(matches!(error, Some(KeyError::NotAdmin)), "{error:?}");
        }
        let mut new = keys.events(u32::MAX).await?;
        new.retain(|event| !waiting.contains(event));
        assert_eq!(new.len(), refused.len(), "each refusal is on record");
        for event in new {
            assert_eq!((event.outcome, event.code), (Outcome::Denied, Some("role")));
        }
    }
    // the same calls work for an administrator, and nothing had happened before
    let listing = KeyAdmin::list(&keys, &world.admin()).await?;
    assert!(
        listing
            .roots
            .iter()
            .all(|r| r.key_state == KeyState::Enabled)
    );
    assert_eq!(listing.keks.len(), 2);
    assert_eq!(
        keys.disable(&world.admin(), roots.data).await?,
        KeyState::Disabled
    );
    let told = told(&keys, Action::KeyDisabled).await?;
    let done: Vec<_> = told.iter().filter(|e| e.outcome == Outcome::Ok).collect();
    assert_eq!(done.len(), 1);
    assert_eq!(done[0].reason, Some(world.admin().reason));
    Ok(())
}

// clause: Q-16
#[tokio::test]
async fn every_unwrap_is_on_record_before_the_key_is_there() -> TestResult {
    use crypto_envelope::KeyService;
    use crypto_envelope::testing::{Faults, FaultyStore};

    let world = World::in_memory();
    let keys = world.keys().await?;
    let tenant = world.tenant()?;
    let owner = Owner::Tenant(tenant);
    keys.create_tenant(tenant).await?;
    for _ in 0..3 {
        keys.unlock(owner, Purpose::Data).await?;
    }
    let unwrapped = told(&keys, Action::KeyUnwrapped).await?;
    assert_eq!(unwrapped.len(), 1, "one unwrap, then the cache");
    assert_eq!(unwrapped[0].tenant, Some(tenant));

    let context = WrapContext {
        owner,
        purpose: Purpose::Data,
        version: KeyId::from_uuid(world.uuid()?),
    };
    let (made, wrapped) = keys.generate(&GroupName::Standard, &context).await?;
    let back = keys.unwrap_key(&wrapped, &context).await?;
    assert_eq!(back.expose(), made.expose());
    assert_eq!(told(&keys, Action::KeyUnwrapped).await?.len(), 2);
    let other = WrapContext {
        purpose: Purpose::Index,
        ..context
    };
    let refused = keys.unwrap_key(&wrapped, &other).await;
    assert!(matches!(refused, Err(KeyError::NotAuthentic)));

    // whichever call of the store fails: no root without its record
    for point in 0..40 {
        let faults = Faults::none();
        let store = FaultyStore::new(world.store.clone(), faults.clone());
        let keys = world
            .keys_over(Arc::new(store), world.backend.clone())
            .await?;
        let before = told(&keys, Action::KeyUnwrapped).await?.len();
        faults.fail_at(point);
        let unlocked = keys.unlock(owner, Purpose::Data).await;
        faults.heal();
        let after = told(&keys, Action::KeyUnwrapped).await?.len();
        if unlocked.is_ok() {
            assert_eq!(after, before + 1);
            assert!(point > 4, "no call failed");
            return Ok(());
        }
    }
    Err("the unlock has more calls than are tried".into())
}

// clause
#[tokio::test]
async fn a_root_goes_through_the_table() -> TestResult {
    let world = World::in_memory();
    let keys = Arc::new(world.keys().await?);
    let (tenant, admin) = (world.tenant()?, world.admin());
    let id = keys.create_tenant(tenant).await?.data;
    let sealer = Envelope::new(keys.clone());
    let place = body(Owner::Tenant(tenant), Purpose::Data)?;
    let sealed = sealer.seal(&place, b"text").await?;
    let opens = async |state: Option<&'static str>| {
        let opened = sealer.open(&place, &sealed).await;
        match (opened, state) {
            (Ok(_), None) => Ok(()),
            (Err(OpenError::Key(found)), Some(state)) if found == state => Ok(()),
            (other, _) => Err(format!("{state:?}: {other:?}")),
        }
    };
    let refuses = |done: Result<(), KeyError>, expect: Refused| match done {
        Err(KeyError::Refused { key, refused }) => assert_eq!((key, refused), (id, expect)),
        other => panic!("{expect:?}: {other:?}"),
    };
    let week = PendingWindow::SHORTEST;

    assert_eq!(keys.enable(&admin, id).await?, KeyState::Enabled);
    let cancelled = keys.cancel_destruction(&admin, id).await.map(drop);
    refuses(cancelled, Refused::NotPending);
    opens(None).await?;
    assert_eq!(keys.disable(&admin, id).await?, KeyState::Disabled);
    opens(Some("disabled")).await?;
    assert_eq!(keys.disable(&admin, id).await?, KeyState::Disabled);
    assert_eq!(keys.enable(&admin, id).await?, KeyState::Enabled);
    opens(None).await?;

    let due = keys.schedule_destruction(&admin, id, week).await?;
    // until the seventh day ends
    assert_eq!(due, start() + DAY * 8);
    opens(Some("pending deletion")).await?;
    let again = keys.schedule_destruction(&admin, id, week).await.map(drop);
    refuses(again, Refused::AlreadyPending);
    refuses(
        keys.enable(&admin, id).await.map(drop),
        Refused::PendingDeletion,
    );
    refuses(
        keys.disable(&admin, id).await.map(drop),
        Refused::PendingDeletion,
    );
    world.clock.advance_to(due - Duration::MICROSECOND);
    assert_eq!(keys.destroy_due(due - Duration::MICROSECOND).await?, []);
    assert_eq!(
        keys.cancel_destruction(&admin, id).await?,
        KeyState::Disabled
    );
    opens(Some("disabled")).await?;
    assert_eq!(keys.enable(&admin, id).await?, KeyState::Enabled);
    opens(None).await?;

    // scheduled again, for the longest window, and not cancelled
    let month = PendingWindow::try_from(30)?;
    let due = keys.schedule_destruction(&admin, id, month).await?;
    assert_eq!(due, start() + DAY * 38 - Duration::MICROSECOND);
    assert_eq!(keys.next_due().await?, Some(due));
    world.clock.advance_to(due);
    assert_eq!(keys.destroy_due(due).await?.len(), 1);
    opens(Some("destroyed")).await?;
    for done in [
        keys.enable(&admin, id).await.map(drop),
        keys.disable(&admin, id).await.map(drop),
        keys.rotate(&admin, id).await.map(drop),
        keys.mark_compromised(&admin, id).await,
        keys.schedule_destruction(&admin, id, week).await.map(drop),
        keys.cancel_destruction(&admin, id).await.map(drop),
        keys.plan_destruction(&admin, id, due + DAY * 30).await,
    ] {
        refuses(done, Refused::Destroyed);
    }
    // the tenant's other root lives
    assert!(
        keys.unlock(Owner::Tenant(tenant), Purpose::Sensitive)
            .await
            .is_ok()
    );
    Ok(())
}

#[tokio::test]
async fn a_kek_goes_through_the_table() -> TestResult {
    let world = World::in_memory();
    let keys = world.keys().await?;
    let (tenant, vault, admin) = (world.tenant()?, world.vault()?, world.admin());
    let day = start() + DAY * 60;
    let kek = keys.vault_root(tenant, vault, &epoch("a")?, day).await?.kek;
    assert!(keys.unlock_vault(tenant, vault).await.is_ok());
    keys.disable(&admin, kek).await?;
    let unlocked = keys.unlock_vault(tenant, vault).await.map(drop);
    assert!(matches!(unlocked, Err(KeyError::State("disabled"))));
    let minted = keys
        .vault_root(tenant, world.vault()?, &epoch("a")?, day)
        .await;
    assert!(matches!(minted, Err(KeyError::State("disabled"))));
    // another process finds it out by itself
    let other = world.keys().await?;
    let unlocked = other.unlock_vault(tenant, vault).await.map(drop);
    assert!(matches!(unlocked, Err(KeyError::State("disabled"))));
    keys.schedule_destruction(&admin, kek, PendingWindow::SHORTEST)
        .await?;
    keys.cancel_destruction(&admin, kek).await?;
    keys.enable(&admin, kek).await?;
    assert!(keys.unlock_vault(tenant, vault).await.is_ok());
    // cancelled, its plan still stands
    world.clock.advance_to(day);
    assert_eq!(keys.destroy_due(day).await?.len(), 2, "KEK and root");
    Ok(())
}

#[tokio::test]
async fn a_kek_with_records_is_not_destroyed_by_its_window() -> TestResult {
    let world = World::in_memory();
    let keys = world.keys().await?;
    let (tenant, admin) = (world.tenant()?, world.admin());
    keys.create_tenant(tenant).await?;
    let standard = |listing: crypto_envelope::Listing| {
        let mut keks = listing.keks.into_iter();
        keks.find(|kek| kek.group == GroupName::Standard)
            .ok_or("no KEK")
    };
    let kek = standard(KeyAdmin::list(&keys, &admin).await?)?.id;
    let due = keys
        .schedule_destruction(&admin, kek, PendingWindow::SHORTEST)
        .await?;
    world.clock.advance_to(due);
    for _ in 0..2 {
        let left = keys.destroy_due(due).await;
        assert!(matches!(left, Err(KeyError::RecordsLeft { count: 1, .. })));
    }
    let mut alarms = told(&keys, Action::KeyDestroyed).await?;
    alarms.retain(|event| event.code == Some("records-left"));
    assert_eq!(alarms.len(), 1, "one alarm a day");
    keys.cancel_destruction(&admin, kek).await?;
    keys.enable(&admin, kek).await?;
    assert!(
        keys.unlock(Owner::Tenant(tenant), Purpose::Data)
            .await
            .is_ok()
    );
    Ok(())
}

#[tokio::test]
async fn a_locked_tenants_root_opens_for_an_erasure_alone() -> TestResult {
    let world = World::in_memory();
    let keys = world.keys().await?;
    let (tenant, admin) = (world.tenant()?, world.admin());
    let owner = Owner::Tenant(tenant);
    let id = keys.create_tenant(tenant).await?.data;
    let order = world.order(tenant, world.uuid()?)?.id;
    keys.disable(&admin, id).await?;
    let opened = keys.unlock_maintenance(owner, Purpose::Data, order).await?;
    assert_eq!(opened.version(), id);
    assert!(opened.derive(b"x").is_ok());
    let locked = keys.unlock(owner, Purpose::Data).await.map(drop);
    assert!(matches!(locked, Err(KeyError::State("disabled"))));
    let told = told(&keys, Action::KeyMaintenance).await?;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].reason, Some(order.as_uuid()));
    keys.schedule_destruction(&admin, id, PendingWindow::SHORTEST)
        .await?;
    let pending = keys.unlock_maintenance(owner, Purpose::Data, order).await;
    assert!(matches!(pending, Err(KeyError::State("pending deletion"))));
    Ok(())
}

#[tokio::test]
async fn a_clock_set_back_shortens_no_window() -> TestResult {
    let world = World::in_memory();
    let keys = world.keys().await?;
    let (tenant, admin) = (world.tenant()?, world.admin());
    let id = keys.create_tenant(tenant).await?.data;
    world.clock.step(start() - DAY * 20);
    let week = PendingWindow::SHORTEST;
    let due = keys.schedule_destruction(&admin, id, week).await?;
    assert_eq!(due, start() + DAY * 8, "counted from the latest known time");
    let soon = keys.plan_tenant(tenant, start() + DAY * 6).await;
    assert!(matches!(soon, Err(KeyError::TooSoon { .. })));
    Ok(())
}

#[tokio::test]
async fn a_clock_that_was_ahead_delays_no_window_once_the_time_is_vouched_for() -> TestResult {
    let world = World::in_memory();
    let keys = world.keys().await?;
    let (early, admin) = (world.tenant()?, world.admin());
    let id = keys.create_tenant(early).await?.data;
    world.clock.step(start() + DAY * 400);
    keys.create_tenant(world.tenant()?).await?;
    world.clock.step(start() + DAY);
    let (week, now) = (PendingWindow::SHORTEST, start() + DAY);
    let stuck = keys.plan_tenant(early, now + DAY * 7).await;
    assert!(
        matches!(stuck, Err(KeyError::TooSoon { earliest }) if earliest == start() + DAY * 407),
        "{stuck:?}"
    );
    keys.vouch(now);
    let soon = keys.plan_tenant(early, now + DAY * 7 - Duration::MICROSECOND);
    assert!(matches!(soon.await, Err(KeyError::TooSoon { earliest }) if earliest == now + DAY * 7));
    let due = keys.schedule_destruction(&admin, id, week).await?;
    assert_eq!(due, now + DAY * 8);
    // what was vouched for is the least: a clock set back afterwards shortens nothing
    let other = keys.create_tenant(world.tenant()?).await?.data;
    world.clock.step(start() - DAY * 20);
    let due = keys.schedule_destruction(&admin, other, week).await?;
    assert_eq!(due, now + DAY * 8);
    Ok(())
}

/// Holds and floors by key.
#[derive(Debug, Default)]
struct Kept(Mutex<BTreeMap<KeyId, Verdict>>);

impl Kept {
    fn set(&self, key: KeyId, verdict: Verdict) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(key, verdict);
    }
}

impl DestructionGuard for Kept {
    fn may_go<'a>(
        &'a self,
        key: KeyId,
        _kind: &'a KeyKind,
        _cause: &'a Cause<'a>,
        at: UtcDateTime,
    ) -> BoxFuture<'a, Result<Verdict, GuardError>> {
        Box::pin(async move {
            let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(match kept.get(&key).cloned() {
                Some(Verdict::Floor { until, .. }) if until <= at => Verdict::Free,
                Some(verdict) => verdict,
                None => Verdict::Free,
            })
        })
    }
}

// clause: Q-18
#[tokio::test]
async fn no_key_dies_before_a_floor_or_under_a_hold() -> TestResult {
    let world = World::in_memory();
    let kept = Arc::new(Kept::default());
    let mut options = KeysOptions::default();
    options.guard = kept.clone();
    let keys = world.keys_with(options).await?;
    let (tenant, admin) = (world.tenant()?, world.admin());
    let id = keys.create_tenant(tenant).await?.data;
    let floor = start() + DAY * 40;
    let clause = "P-18".parse()?;
    let until = Verdict::Floor {
        until: floor,
        clause,
    };
    kept.set(id, until);
    let early = keys.plan_tenant(tenant, floor - DAY).await;
    assert!(matches!(early, Err(KeyError::Floor { until, .. }) if until == floor));
    let early = keys
        .schedule_destruction(&admin, id, PendingWindow::default())
        .await;
    assert!(matches!(early, Err(KeyError::Floor { until, .. }) if until == floor));
    keys.plan_tenant(tenant, floor).await?;

    let hold = Uuid::from_u128(9);
    kept.set(id, Verdict::Held { hold });
    world.clock.advance_to(floor);
    for _ in 0..2 {
        let held = keys.destroy_due(floor).await;
        assert!(matches!(held, Err(KeyError::Held { hold: by, .. }) if by == hold));
    }
    assert_eq!(told(&keys, Action::RefusedHeld).await?.len(), 1);
    let versions = keys.versions(Owner::Tenant(tenant), Purpose::Data).await?;
    assert_eq!(versions[0].state, RootState::Active, "the key is there");
    let sensitive = keys
        .versions(Owner::Tenant(tenant), Purpose::Sensitive)
        .await?;
    assert_eq!(
        sensitive[0].state,
        RootState::Destroyed,
        "what is not held goes all the same"
    );
    // under the hold the plan moves, later only
    let later = floor + DAY * 20;
    let soon = keys.plan_destruction(&admin, id, floor + DAY).await;
    assert!(matches!(soon, Err(KeyError::TooSoon { .. })));
    keys.plan_destruction(&admin, id, later).await?;
    kept.set(id, Verdict::Free);
    let moved = keys.plan_destruction(&admin, id, later + DAY).await;
    assert!(matches!(moved, Err(KeyError::Planned { planned, .. }) if planned == later));
    assert_eq!(keys.destroy_due(floor).await?, []);
    world.clock.advance_to(later);
    assert_eq!(keys.destroy_due(later).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_held_subject_is_not_erased() -> TestResult {
    let world = World::in_memory();
    let kept = Arc::new(Kept::default());
    let mut options = KeysOptions::default();
    options.guard = kept.clone();
    let keys = Arc::new(world.keys_with(options).await?);
    let sealer = Envelope::new(keys.clone());
    let (tenant, subject) = (world.tenant()?, world.uuid()?);
    keys.create_tenant(tenant).await?;
    let owner = Owner::Subject(tenant, subject);
    let version = keys.unlock(owner, Purpose::Subject).await?.version();
    let hold = Uuid::from_u128(9);
    kept.set(version, Verdict::Held { hold });
    let order = world.order(tenant, subject)?;
    let held = sealer.destroy(&order).await;
    assert!(matches!(held, Err(DestroyError::Held)));
    assert!(keys.unlock(owner, Purpose::Subject).await.is_ok());
    kept.set(version, Verdict::Free);
    assert_eq!(sealer.destroy(&order).await?.keys, [version]);
    Ok(())
}

// clause: Q-19
#[tokio::test]
async fn a_key_disabled_in_one_process_stops_in_another_within_the_lease() -> TestResult {
    let world = World::in_memory();
    let (a, b) = (Arc::new(world.keys().await?), Arc::new(world.keys().await?));
    let tenant = world.tenant()?;
    let id = a.create_tenant(tenant).await?.data;
    let place = body(Owner::Tenant(tenant), Purpose::Data)?;
    let (here, there) = (Envelope::new(a.clone()), Envelope::new(b.clone()));
    let sealed = here.seal(&place, b"text").await?;
    assert!(there.open(&place, &sealed).await.is_ok());
    let held = b.unlock(Owner::Tenant(tenant), Purpose::Data).await?;
    a.disable(&world.admin(), id).await?;
    let opened = here.open(&place, &sealed).await;
    assert!(
        matches!(opened, Err(OpenError::Key("disabled"))),
        "at once here"
    );
    assert!(there.open(&place, &sealed).await.is_ok(), "its lease runs");
    let ttl = std::time::Duration::from_secs(crypto_envelope::CACHE_TTL_SECS);
    world.clock.advance(ttl);
    let opened = there.open(&place, &sealed).await;
    assert!(
        matches!(opened, Err(OpenError::Key("disabled"))),
        "{opened:?}"
    );
    assert!(held.open(&place, &sealed).is_err(), "nor what it held");
    a.enable(&world.admin(), id).await?;
    assert!(here.open(&place, &sealed).await.is_ok());
    assert!(there.open(&place, &sealed).await.is_ok());
    Ok(())
}

// clause: Q-19
#[tokio::test]
async fn a_key_disabled_by_a_call_that_failed_is_not_served_from_the_cache() -> TestResult {
    let (mut took_effect, mut did_not) = (0, 0);
    for point in 0..16 {
        let world = World::in_memory();
        let faults = Faults::none();
        let store = Arc::new(FaultyStore::new(world.store.clone(), faults.clone()));
        let keys = Arc::new(world.keys_over(store, world.backend.clone()).await?);
        let tenant = world.tenant()?;
        let id = keys.create_tenant(tenant).await?.data;
        let place = body(Owner::Tenant(tenant), Purpose::Data)?;
        let sealer = Envelope::new(keys.clone());
        let sealed = sealer.seal(&place, b"text").await?;
        faults.fail_at(point);
        let failed = keys.disable(&world.admin(), id).await.is_err();
        faults.heal();
        let root = world.store.root(id).await?.ok_or("no root")?;
        let opened = sealer.open(&place, &sealed).await;
        if root.key_state() == KeyState::Disabled {
            took_effect += usize::from(failed);
            let refused = matches!(opened, Err(OpenError::Key("disabled")));
            assert!(refused, "point {point}: {opened:?}");
        } else {
            did_not += usize::from(failed);
            assert!(opened.is_ok(), "point {point}: {opened:?}");
        }
    }
    assert!(took_effect > 0 && did_not > 0, "{took_effect} {did_not}");
    Ok(())
}
