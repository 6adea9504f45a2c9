//! Backends and stores that are wrong in one way each are found: by the suite that implementors
//! run, or by what a user sees. Every check passes on the sound one first.
#![cfg(feature = "testing")]

#[cfg(test)]
mod common;

use std::error::Error;
use std::sync::Arc;

use common::{TestResult, World, body, start};
use covenant_core::event::Action;
use covenant_core::sealer::{OpenError, Purpose};
use covenant_core::{Owner, Sealer};
use crypto_envelope::backend::KekBackend;
use crypto_envelope::store::KeyStore;
use crypto_envelope::testing::{
    BackendFlaw, StoreFlaw, UnsoundBackend, UnsoundStore, backend_suite, store_suite,
};
use crypto_envelope::{Envelope, GroupName, KeyAdmin, KeyError, Keys, KeysOptions, PendingWindow};
use time::Duration;

/// What was found to be wrong; `None` when nothing was.
type Finding = Result<Option<&'static str>, Box<dyn Error>>;

#[tokio::test]
async fn the_suite_finds_every_unsound_backend() -> TestResult {
    let world = World::in_memory();
    backend_suite(&*world.backend, world.key_ids()?).await?;
    for (flaw, expect) in [
        (BackendFlaw::ContextIgnored, "for another context"),
        (BackendFlaw::Kept, "there after"),
        (BackendFlaw::KeptAndDenied, "by a destroyed key"),
    ] {
        let world = World::in_memory();
        let unsound = UnsoundBackend::new(world.backend.clone(), flaw);
        let found = backend_suite(&unsound, world.key_ids()?).await;
        let found = found.err().ok_or("not found")?.to_string();
        assert!(found.contains(expect), "{flaw:?}: {found}");
    }
    assert_eq!(BackendFlaw::ALL.len(), 3);
    Ok(())
}

/// A destruction by plan, of everything that the world has.
async fn destroyed(world: &World, backend: Arc<dyn KekBackend>) -> Result<(), KeyError> {
    let keys = world.keys_over(world.store.clone(), backend).await?;
    let day = start() + Duration::days(8);
    for kek in keys.list_keks().await? {
        keys.plan_destruction(&world.admin(), kek.id, day).await?;
    }
    world.clock.advance_to(day);
    keys.destroy_due(day).await.map(drop)
}

// clause: P-56
#[tokio::test]
async fn a_kek_that_stays_is_never_reported_as_gone() -> TestResult {
    let world = World::in_memory();
    destroyed(&world, world.backend.clone()).await?;
    for flaw in [BackendFlaw::Kept, BackendFlaw::KeptAndDenied] {
        let world = World::in_memory();
        let unsound = UnsoundBackend::new(world.backend.clone(), flaw);
        let refused = destroyed(&world, Arc::new(unsound)).await;
        assert!(matches!(refused, Err(KeyError::StillThere(_))), "{flaw:?}");
    }
    Ok(())
}

/// The same store, sound or not.
type Made = fn(Arc<dyn KeyStore>) -> Arc<dyn KeyStore>;

/// What a user of the keys sees.
async fn look(made: Made) -> Finding {
    let world = World::in_memory();
    let store = made(world.store.clone());
    let keys = Arc::new(
        world
            .keys_over(store.clone(), world.backend.clone())
            .await?,
    );
    let (tenant, admin) = (world.tenant()?, world.admin());
    let id = keys.create_tenant(tenant).await?.data;
    let owner = Owner::Tenant(tenant);
    let place = body(owner, Purpose::Data)?;
    let sealer = Envelope::new(keys.clone());
    let sealed = sealer.seal(&place, b"text").await?;
    if sealer.open(&place, &sealed).await?.expose() != b"text" {
        return Ok(Some("value"));
    }
    let unwrapped = keys.events(u32::MAX).await?;
    if !unwrapped.iter().any(|e| e.action == Action::KeyUnwrapped) {
        return Ok(Some("no record"));
    }

    // another process, after the lease
    keys.disable(&admin, id).await?;
    let other = Arc::new(
        world
            .keys_over(store.clone(), world.backend.clone())
            .await?,
    );
    let opened = Envelope::new(other).open(&place, &sealed).await;
    if !matches!(opened, Err(OpenError::Key("disabled"))) {
        return Ok(Some("disabled"));
    }
    let due = keys
        .schedule_destruction(&admin, id, PendingWindow::SHORTEST)
        .await?;
    world.clock.advance_to(due - Duration::SECOND);
    if !keys.destroy_due(due - Duration::SECOND).await?.is_empty() {
        return Ok(Some("early"));
    }
    world.clock.advance_to(due);
    if keys.destroy_due(due).await?.len() != 1 {
        return Ok(Some("late"));
    }

    // a rotation takes the living along, and only them
    let listed = KeyAdmin::list(&*keys, &admin).await?.keks;
    let standard = listed.iter().find(|kek| kek.group == GroupName::Standard);
    let standard = standard.ok_or("no KEK")?.id;
    let newest = keys.rotate(&admin, standard).await?.new;
    let listed = store.roots().await?;
    let moved = listed.iter().find(|root| root.id == id);
    if moved.is_some_and(|root| root.kek == newest && !root.wrapped.is_empty()) {
        return Ok(Some("rewrapped"));
    }

    // put back from a copy
    let copy = keys.changes(0).await?;
    let fresh = world.fresh_store().await?;
    fresh.restore(&[copy]).await?;
    let (clock, random) = (world.clock.clone(), world.random.clone());
    let backend = world.backend.clone();
    let again = Keys::open(made(fresh), backend, clock, random, KeysOptions::default()).await?;
    match again.create_tenant(world.tenant()?).await {
        Err(KeyError::NotReplayed) => Ok(None),
        _ => Ok(Some("not replayed")),
    }
}

// clause
#[tokio::test]
async fn the_suite_or_a_user_finds_every_unsound_store() -> TestResult {
    assert_eq!(look(|sound| sound).await?, None);
    let unsound: [(StoreFlaw, Made, Option<&str>); 7] = [
        (
            StoreFlaw::BurialKeepsBytes,
            |store| Arc::new(UnsoundStore::new(store, StoreFlaw::BurialKeepsBytes)),
            None,
        ),
        (
            StoreFlaw::SwitchIgnored,
            |store| Arc::new(UnsoundStore::new(store, StoreFlaw::SwitchIgnored)),
            Some("disabled"),
        ),
        (
            StoreFlaw::WindowADayShort,
            |store| Arc::new(UnsoundStore::new(store, StoreFlaw::WindowADayShort)),
            Some("early"),
        ),
        (
            StoreFlaw::DueADayEarly,
            |store| Arc::new(UnsoundStore::new(store, StoreFlaw::DueADayEarly)),
            None,
        ),
        (
            StoreFlaw::GateOpen,
            |store| Arc::new(UnsoundStore::new(store, StoreFlaw::GateOpen)),
            Some("not replayed"),
        ),
        (
            StoreFlaw::UnwrapsUnrecorded,
            |store| Arc::new(UnsoundStore::new(store, StoreFlaw::UnwrapsUnrecorded)),
            Some("no record"),
        ),
        (
            StoreFlaw::DestroyedRewrapped,
            |store| Arc::new(UnsoundStore::new(store, StoreFlaw::DestroyedRewrapped)),
            Some("rewrapped"),
        ),
    ];
    assert_eq!(unsound.map(|(flaw, ..)| flaw), StoreFlaw::ALL);
    for (flaw, made, expect) in unsound {
        if let Some(expect) = expect {
            assert_eq!(look(made).await?, Some(expect), "{flaw:?}");
        } else {
            // the keys ask again whatever a store says to be due, so only the suite can see it
            let world = World::in_memory();
            let store = made(world.store.clone());
            let found = store_suite(&*store, &*world.random, "P-56".parse()?).await;
            assert!(found.is_err(), "{flaw:?}");
        }
    }
    Ok(())
}
