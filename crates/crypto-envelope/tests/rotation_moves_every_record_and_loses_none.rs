//! Rotation: on the clock, by hand or after a compromise every record moves to the next KEK, old
//! values open all along, and the old KEK waits seven days; whatever fails, by however many
//! workers, in the end there is one current KEK and nothing is lost.
#![cfg(feature = "testing")]

#[cfg(test)]
mod common;

use std::error::Error;
use std::sync::Arc;

use common::{TestResult, World, body, epoch, start, told};
use covenant_core::event::Action;
use covenant_core::sealer::{Purpose, Sealer};
use covenant_core::{KeyId, Owner, Place, TenantId};
use crypto_envelope::backend::{MemoryBackend, Presence};
use crypto_envelope::escrow::Escrow;
use crypto_envelope::record::{KekRecord, KekState, RootState, Switch};
use crypto_envelope::store::MemoryStore;
use crypto_envelope::testing::{Faults, FaultyBackend, FaultyStore, MemoryEscrow};
use crypto_envelope::{
    CACHE_TTL_SECS_MAX, Envelope, GroupName, KeyAdmin, KeyError, KeyExpiry, KeyService, Keys,
    KeysOptions, Refused, Rewrap, Standing, VaultKeys, WrapContext,
};
use time::Duration;

const DAY: Duration = Duration::DAY;
/// More points than any run here has: calls of store and backend, before and after each.
const POINTS: u64 = 400;

/// Sealed values of tenants and subjects, which must open whatever happens to KEKs.
struct Values(Vec<(Place, Vec<u8>)>);

impl Values {
    async fn seal(world: &World, keys: &Arc<Keys>, tenants: usize) -> Result<Self, Box<dyn Error>> {
        let sealer = Envelope::new(keys.clone());
        let mut values = Vec::new();
        for _ in 0..tenants {
            let tenant = world.tenant()?;
            keys.create_tenant(tenant).await?;
            let subject = world.uuid()?;
            for (owner, purpose) in [
                (Owner::Tenant(tenant), Purpose::Data),
                (Owner::Tenant(tenant), Purpose::Sensitive),
                (Owner::Subject(tenant, subject), Purpose::Subject),
            ] {
                let place = body(owner, purpose)?;
                let sealed = sealer.seal(&place, b"text").await?;
                values.push((place, sealed));
            }
        }
        Ok(Self(values))
    }

    async fn check(&self, keys: Keys) -> TestResult {
        let sealer = Envelope::new(Arc::new(keys));
        for (place, sealed) in &self.0 {
            let opened = sealer.open(place, sealed).await?;
            assert_eq!(opened.expose(), b"text");
        }
        Ok(())
    }
}

async fn group(keys: &Keys, group: &GroupName) -> Result<Vec<KekRecord>, KeyError> {
    let mut keks = keys.list_keks().await?;
    keks.retain(|kek| kek.group == *group);
    keks.sort_by_key(|kek| kek.n);
    Ok(keks)
}

// clause: Q-17
#[tokio::test]
async fn on_the_clock() -> TestResult {
    for (expiry, days) in [
        (KeyExpiry::OneYear, 365),
        (KeyExpiry::ThreeYears, 3 * 365 + 1),
    ] {
        let world = World::in_memory();
        let mut options = KeysOptions::default();
        options.expiry = expiry;
        let keys = Arc::new(world.keys_with(options.clone()).await?);
        let values = Values::seal(&world, &keys, 3).await?;
        let end = start() + DAY * days;
        assert_eq!(keys.next_due().await?, Some(end), "{expiry}");
        world.clock.advance_to(end - Duration::SECOND);
        assert_eq!(keys.rotate_due(end - Duration::SECOND).await?, []);

        world.clock.advance_to(end);
        let mut rotated = keys.rotate_due(end).await?;
        rotated.sort_by_key(|done| done.rewrapped);
        let moved: Vec<_> = rotated.iter().map(|done| done.rewrapped).collect();
        assert_eq!(moved, [3, 6], "sensitive and standard roots");
        for done in &rotated {
            assert_eq!(done.left, 0);
            assert_eq!(done.old_ends_at, Some(end + DAY * 8), "7 in any reading");
        }
        assert_eq!(keys.rotate_due(end).await?, [], "once");
        values
            .check(world.keys_with(options.clone()).await?)
            .await?;
        let late = world.clock.clone();
        late.advance_to(end + DAY * 8);
        let gone = keys.destroy_due(end + DAY * 8).await?;
        assert_eq!(gone.len(), 2, "the two old KEKs");
        for done in &rotated {
            assert_eq!(world.backend.probe(done.old).await?, Presence::Absent);
        }
        values.check(world.keys_with(options).await?).await?;
    }
    Ok(())
}

// clause: Q-17
#[tokio::test]
async fn keys_in_use_take_over_a_changed_setting() -> TestResult {
    let world = World::in_memory();
    let mut options = KeysOptions::default();
    options.expiry = KeyExpiry::ThreeYears;
    let keys = Arc::new(world.keys_with(options.clone()).await?);
    let values = Values::seal(&world, &keys, 2).await?;
    world.clock.advance_to(start() + DAY * 400);
    assert_eq!(keys.rotate_due(start() + DAY * 400).await?, []);

    options.expiry = KeyExpiry::OneYear;
    let keys = world.keys_with(options.clone()).await?;
    assert_eq!(keys.next_due().await?, Some(start() + DAY * 365));
    let changed = told(&keys, Action::KeyExpirySet).await?;
    assert_eq!(changed.len(), 2, "both KEKs, on record");
    assert_eq!(keys.rotate_due(start() + DAY * 400).await?.len(), 2);
    values
        .check(world.keys_with(options.clone()).await?)
        .await?;

    // the same again changes nothing, and a plan has no expiry
    let revision = world.store.standing().await?.revision;
    let keys = world.keys_with(options).await?;
    assert_eq!(world.store.standing().await?.revision, revision);
    let told = told(&keys, Action::KeyExpirySet).await?;
    assert_eq!(told.len(), 2);
    Ok(())
}

#[tokio::test]
async fn an_expired_kek_unwraps_and_wraps_no_more() -> TestResult {
    let world = World::in_memory();
    let keys = Arc::new(world.keys().await?);
    let values = Values::seal(&world, &keys, 1).await?;
    let context = WrapContext {
        owner: Owner::Platform(world.uuid()?),
        purpose: Purpose::Platform,
        version: KeyId::from_uuid(world.uuid()?),
    };
    let (key, wrapped) = keys.generate(&GroupName::Standard, &context).await?;
    assert!(keys.describe(&wrapped).await?.is_current);
    assert_eq!(keys.rewrap(&wrapped, &context).await?, Rewrap::Unchanged);
    world.clock.advance_to(start() + DAY * 365);
    let late = keys.generate(&GroupName::Standard, &context).await;
    assert!(matches!(late, Err(KeyError::State("expired"))));
    let told = keys.describe(&wrapped).await?;
    assert_eq!((told.standing, told.is_current), (Standing::Expired, true));
    values.check(world.keys().await?).await?;
    // a new tenant does not wait for the next run: the successor is made at once
    let tenant = world.tenant()?;
    keys.create_tenant(tenant).await?;
    let standard = group(&keys, &GroupName::Standard).await?;
    assert_eq!(standard.len(), 2);
    let told = keys.describe(&wrapped).await?;
    assert_eq!(
        (told.standing, told.is_current),
        (Standing::Superseded, false)
    );
    let Rewrap::Changed(moved) = keys.rewrap(&wrapped, &context).await? else {
        return Err("a superseded wrapping counts as current".into());
    };
    assert_eq!(moved.kek(), standard[1].id);
    assert_eq!(
        keys.rewrap(&moved, &context).await?,
        Rewrap::Unchanged,
        "the second time"
    );
    let back = keys.unwrap_key(&moved, &context).await?;
    assert_eq!(back.expose(), key.expose());
    Ok(())
}

#[tokio::test]
async fn by_hand_and_after_a_compromise() -> TestResult {
    let world = World::in_memory();
    let keys = Arc::new(world.keys().await?);
    let values = Values::seal(&world, &keys, 2).await?;
    let admin = world.admin();
    let old = group(&keys, &GroupName::Standard).await?[0].id;
    let done = keys.rotate(&admin, old).await?;
    assert_eq!((done.old, done.rewrapped, done.left), (old, 4, 0));
    assert_eq!(done.values_under_old_roots, 0);
    let again = keys.rotate(&admin, old).await;
    assert!(
        matches!(
            again,
            Err(KeyError::Refused {
                refused: Refused::PendingDeletion,
                ..
            })
        ),
        "it waits for its end: {again:?}"
    );
    assert_eq!(group(&keys, &GroupName::Standard).await?.len(), 2);

    keys.mark_compromised(&admin, done.new).await?;
    let rotated = keys.rotate_due(start()).await?;
    assert_eq!(rotated.len(), 1);
    assert_eq!((rotated[0].old, rotated[0].rewrapped), (done.new, 4));
    let keks = group(&keys, &GroupName::Standard).await?;
    let compromised = keks.iter().filter(|kek| kek.compromised_at.is_some());
    assert_eq!(compromised.count(), 1);
    // cancelled and enabled again, it still wraps nothing
    keys.cancel_destruction(&admin, done.new).await?;
    keys.enable(&admin, done.new).await?;
    let tenant = world.tenant()?;
    keys.create_tenant(tenant).await?;
    let under = keys.list().await?;
    assert!(under.iter().all(|root| root.kek != done.new));
    values.check(world.keys().await?).await
}

#[tokio::test]
async fn a_disabled_kek_is_not_rotated_and_a_disabled_root_is() -> TestResult {
    let world = World::in_memory();
    let keys = Arc::new(world.keys().await?);
    let admin = world.admin();
    let tenant = world.tenant()?;
    let root = keys.create_tenant(tenant).await?.data;
    keys.disable(&admin, root).await?;
    let old = group(&keys, &GroupName::Standard).await?[0].id;
    keys.disable(&admin, old).await?;
    let refused = keys.rotate(&admin, old).await;
    assert!(matches!(
        refused,
        Err(KeyError::Refused {
            refused: Refused::Disabled,
            ..
        })
    ));
    keys.enable(&admin, old).await?;
    let done = keys.rotate(&admin, old).await?;
    assert_eq!(done.rewrapped, 1);
    let versions = keys.versions(Owner::Tenant(tenant), Purpose::Data).await?;
    assert_eq!(versions[0].kek, done.new, "moved within its group");
    let locked = keys.unlock(Owner::Tenant(tenant), Purpose::Data).await;
    assert!(
        matches!(locked, Err(KeyError::State("disabled"))),
        "and still disabled"
    );
    keys.enable(&admin, root).await?;
    assert!(
        keys.unlock(Owner::Tenant(tenant), Purpose::Data)
            .await
            .is_ok()
    );
    Ok(())
}

#[tokio::test]
async fn a_next_version_of_a_root_seals_once_everybody_can_know_it() -> TestResult {
    let world = World::in_memory();
    let keys = Arc::new(world.keys().await?);
    let other = Arc::new(world.keys().await?);
    let (tenant, admin) = (world.tenant()?, world.admin());
    let owner = Owner::Tenant(tenant);
    let first = keys.create_tenant(tenant).await?.data;
    let place = body(owner, Purpose::Data)?;
    let (here, there) = (Envelope::new(keys.clone()), Envelope::new(other.clone()));
    let old = here.seal(&place, b"old").await?;
    let done = keys.rotate(&admin, first).await?;
    let again = keys.rotate(&admin, first).await?;
    assert_eq!(done.new, again.new, "one successor");
    let sealing = keys.unlock(owner, Purpose::Data).await?.version();
    assert_eq!(sealing, first, "pending");
    let pending = keys.unlock_version(done.new, owner, Purpose::Data).await?;
    let sealed = pending.seal(&place, b"early");
    assert!(matches!(sealed, Err(KeyError::State("pending"))));

    let ripe = start() + Duration::seconds(i64::try_from(CACHE_TTL_SECS_MAX)?);
    assert_eq!(keys.next_due().await?, Some(ripe));
    world.clock.advance_to(ripe - Duration::SECOND);
    keys.rotate_due(ripe - Duration::SECOND).await?;
    let sealing = keys.unlock(owner, Purpose::Data).await?.version();
    assert_eq!(sealing, first, "a second early");
    world.clock.advance_to(ripe);
    keys.rotate_due(ripe).await?;
    let new = here.seal(&place, b"new").await?;
    let states = |versions: Vec<crypto_envelope::KeyRecordInfo>| {
        let states = versions.into_iter().map(|version| version.state);
        states.collect::<Vec<_>>()
    };
    let versions = keys.versions(owner, Purpose::Data).await?;
    assert_eq!(
        states(versions),
        [RootState::DecryptOnly, RootState::Active]
    );
    for sealer in [&here, &there] {
        assert_eq!(sealer.open(&place, &old).await?.expose(), b"old");
        assert_eq!(sealer.open(&place, &new).await?.expose(), b"new");
        let sealed = sealer.seal(&place, b"x").await?;
        let version = crypto_envelope::sealed::SealedBytes::parse(&sealed)?.key();
        assert_eq!(version, done.new, "old values do not bring the old back");
    }
    // a lease from before may run for its time; afterwards the old version seals nowhere
    let ttl = std::time::Duration::from_secs(crypto_envelope::CACHE_TTL_SECS);
    world.clock.advance(ttl);
    let old_root = keys.unlock_version(first, owner, Purpose::Data).await?;
    let sealed = old_root.seal(&place, b"late");
    assert!(matches!(sealed, Err(KeyError::State("decrypt only"))));
    let early = keys.retire(done.new).await;
    assert!(matches!(early, Err(KeyError::Refused { .. })));
    keys.retire(first).await?;
    let versions = keys.versions(owner, Purpose::Data).await?;
    assert_eq!(states(versions), [RootState::Retired, RootState::Active]);
    assert!(here.open(&place, &old).await.is_ok(), "what backups hold");

    let vault = world.vault()?;
    let root = keys
        .vault_root(tenant, vault, &epoch("a")?, start() + DAY * 60)
        .await?;
    let refused = keys.rotate(&admin, root.version).await;
    assert!(matches!(refused, Err(KeyError::NotRotated(_))));
    Ok(())
}

#[tokio::test]
async fn a_compromised_version_never_seals() -> TestResult {
    let world = World::in_memory();
    let keys = world.keys().await?;
    let (tenant, admin) = (world.tenant()?, world.admin());
    let owner = Owner::Tenant(tenant);
    let first = keys.create_tenant(tenant).await?.data;
    let next = keys.rotate(&admin, first).await?.new;
    keys.mark_compromised(&admin, next).await?;
    world.clock.advance_to(start() + DAY);
    keys.rotate_due(start() + DAY).await?;
    let sealing = keys.unlock(owner, Purpose::Data).await?.version();
    assert_eq!(sealing, first);
    let told = keys.events(u32::MAX).await?;
    assert!(told.iter().any(|e| e.action == Action::KeyCompromised));
    Ok(())
}

struct Escrowed {
    world: World,
    escrow: Arc<MemoryEscrow>,
    options: KeysOptions,
}

impl Escrowed {
    fn new() -> Self {
        let world = World::in_memory();
        let backend = Arc::new(MemoryBackend::new(world.random.clone()));
        let escrow = Arc::new(MemoryEscrow::new(backend.clone()));
        let mut options = KeysOptions::default();
        options.escrow = escrow.clone();
        let world = World { backend, ..world };
        Self {
            world,
            escrow,
            options,
        }
    }
}

#[tokio::test]
async fn no_kek_is_used_before_it_is_in_escrow_nor_gone_while_it_is() -> TestResult {
    let Escrowed {
        world,
        escrow,
        options,
    } = Escrowed::new();
    escrow.take_down();
    let early = world.keys_with(options.clone()).await.map(drop);
    assert!(matches!(early, Err(KeyError::Escrow(_))), "{early:?}");
    escrow.bring_up();
    let keys = Arc::new(world.keys_with(options.clone()).await?);
    let values = Values::seal(&world, &keys, 1).await?;
    let old = group(&keys, &GroupName::Standard).await?[0].id;
    escrow.take_down();
    let rotated = keys.rotate(&world.admin(), old).await;
    assert!(matches!(rotated, Err(KeyError::Escrow(_))));
    let keks = group(&keys, &GroupName::Standard).await?;
    assert_eq!(keks[1].state, KekState::Intended, "the old one is current");
    escrow.bring_up();
    let done = keys.rotate(&world.admin(), old).await?;
    assert_eq!((done.new, done.rewrapped), (keks[1].id, 2), "adopted by id");
    assert_eq!(escrow.probe(done.new).await?, Presence::Present);

    let end = done.old_ends_at.ok_or("no end")?;
    world.clock.advance_to(end);
    escrow.take_down();
    let gone = keys.destroy_due(end).await;
    assert!(matches!(gone, Err(KeyError::Escrow(_))));
    assert_eq!(
        world.backend.probe(old).await?,
        Presence::Absent,
        "gone here"
    );
    let dying = &group(&keys, &GroupName::Standard).await?[0];
    assert_eq!((dying.state, dying.gone_at), (KekState::Dying, None));
    escrow.bring_up();
    world.clock.advance_to(end + DAY);
    keys.destroy_due(end + DAY).await?;
    let gone = &group(&keys, &GroupName::Standard).await?[0];
    assert_eq!(gone.gone_at, Some(end + DAY));
    assert_eq!(escrow.probe(old).await?, Presence::Absent);
    values.check(world.keys_with(options).await?).await
}

/// Which run fails.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Rotation,
    Destruction,
}

/// A rotation, its window and the destruction at its end, with a failure at one point of a run.
async fn rotate_with_a_failure(point: u64, run: Run) -> Result<bool, Box<dyn Error>> {
    let world = World::in_memory();
    let faults = Faults::none();
    let store = Arc::new(FaultyStore::new(world.store.clone(), faults.clone()));
    let backend = Arc::new(FaultyBackend::new(world.backend.clone(), faults.clone()));
    let keys = Arc::new(world.keys_over(store, backend).await?);
    let values = Values::seal(&world, &keys, 2).await?;
    let end = start() + DAY * 365;
    world.clock.advance_to(end);
    let first = if run == Run::Destruction {
        keys.rotate_due(end).await?;
        world.clock.advance_to(end + DAY * 8);
        faults.fail_at(point);
        keys.destroy_due(end + DAY * 8).await.map(drop)
    } else {
        faults.fail_at(point);
        keys.rotate_due(end).await.map(drop)
    };
    faults.heal();
    let through = first.is_ok();
    values.check(world.keys().await?).await?;
    let next = world.keys().await?;
    next.rotate_due(end).await?;
    values.check(world.keys().await?).await?;
    for kind in [GroupName::Standard, GroupName::Sensitive] {
        let keks = group(&next, &kind).await?;
        let [old, new] = keks.as_slice() else {
            return Err(format!("point {point}: a third KEK").into());
        };
        assert_eq!(new.state, KekState::Enabled, "point {point}");
        if run == Run::Rotation {
            assert_eq!(old.switch, Switch::Pending, "point {point}");
        }
    }
    assert!(
        next.list().await?.iter().all(|root| {
            root.state == RootState::Active && root.created_at < end && root.n == 1
        })
    );
    world.clock.advance_to(end + DAY * 9);
    next.destroy_due(end + DAY * 9).await?;
    for kek in next.list_keks().await? {
        let alive = world.backend.probe(kek.id).await? == Presence::Present;
        assert_eq!(alive, kek.state == KekState::Enabled, "point {point}");
        assert_eq!(alive, kek.n == 2, "point {point}");
    }
    values.check(world.keys().await?).await?;
    Ok(through)
}

#[tokio::test]
async fn whatever_fails_the_next_run_completes_it() -> TestResult {
    for run in [Run::Rotation, Run::Destruction] {
        let mut done = None;
        for point in 0..POINTS {
            if rotate_with_a_failure(point, run).await? {
                done = Some(point);
                break;
            }
        }
        let points = done.ok_or("the run has more points than are tried")?;
        assert!(points > 20, "only {points} points failed");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_workers_at_once_make_one_successor() -> TestResult {
    let world = World::in_memory();
    let keys = Arc::new(world.keys().await?);
    let values = Values::seal(&world, &keys, 40).await?;
    let end = start() + DAY * 365;
    world.clock.advance_to(end);
    let mut workers = Vec::new();
    for _ in 0..6 {
        let keys = world.keys().await?;
        workers.push(tokio::spawn(async move { keys.rotate_due(end).await }));
    }
    let tenants: Vec<TenantId> = (0..20).map(|_| world.tenant()).collect::<Result<_, _>>()?;
    for tenant in &tenants {
        keys.create_tenant(*tenant).await?;
    }
    let mut moved = 0;
    for worker in workers {
        let rotated = worker.await??;
        moved += rotated.iter().map(|done| done.rewrapped).sum::<u64>();
    }
    keys.rotate_due(end).await?;
    // a tenant that came while the successor was made may have been moved too
    assert!((120..=160).contains(&moved), "{moved} moved: not each once");
    for kind in [GroupName::Standard, GroupName::Sensitive] {
        let keks = group(&keys, &kind).await?;
        assert_eq!(keks.len(), 2);
        assert_eq!(keks[0].switch, Switch::Pending);
        let under_old = keys.list().await?;
        assert!(under_old.iter().all(|root| root.kek != keks[0].id));
    }
    values.check(world.keys().await?).await
}

#[tokio::test]
async fn a_store_of_its_own_is_needed_to_compare() -> TestResult {
    // the control of the checks above: without its records nothing opens
    let world = World::in_memory();
    let keys = Arc::new(world.keys().await?);
    let values = Values::seal(&world, &keys, 1).await?;
    let empty = World {
        store: Arc::new(MemoryStore::new()),
        ..world
    };
    assert!(values.check(empty.keys().await?).await.is_err());
    Ok(())
}
