//! A tenant's roots and those of its data subjects, also of those who come later, work until the
//! planned instant and die on it; its vaults keep their own dates; one data subject dies at once.

#[cfg(test)]
mod common;

use std::sync::Arc;

use common::{TestResult, World, body, epoch, start};
use covenant_core::Owner;
use covenant_core::sealer::{OpenError, Purpose, SealError, Sealer};
use crypto_envelope::{Envelope, KeyError, VaultKeys};
use time::Duration;

const DAY: Duration = Duration::DAY;

#[tokio::test]
async fn a_planned_tenant_works_until_its_instant() -> TestResult {
    let world = World::in_memory();
    let keys = Arc::new(world.keys().await?);
    let sealer = Envelope::new(keys.clone());
    let (tenant, other, vault) = (world.tenant()?, world.tenant()?, world.vault()?);
    for tenant in [tenant, other] {
        keys.create_tenant(tenant).await?;
    }
    let (day, vault_day) = (start() + DAY * 30, start() + DAY * 60);
    keys.vault_root(tenant, vault, &epoch("a")?, vault_day)
        .await?;
    let place = body(Owner::Tenant(tenant), Purpose::Data)?;
    let early = body(Owner::Subject(tenant, world.uuid()?), Purpose::Subject)?;
    let late = body(Owner::Subject(tenant, world.uuid()?), Purpose::Subject)?;
    let foreign = body(Owner::Tenant(other), Purpose::Data)?;
    let kept = sealer.seal(&foreign, b"kept").await?;
    let mut sealed = vec![(&place, sealer.seal(&place, b"row").await?)];
    sealed.push((&early, sealer.seal(&early, b"early").await?));
    keys.plan_tenant(tenant, day).await?;
    keys.plan_tenant(tenant, day).await?;
    sealed.push((&late, sealer.seal(&late, b"late").await?));
    assert_eq!(keys.next_due().await?, Some(day));

    world.clock.advance_to(day - Duration::MICROSECOND);
    assert_eq!(keys.destroy_due(day - Duration::MICROSECOND).await?, []);
    for (place, sealed) in &sealed {
        assert!(sealer.open(place, sealed).await.is_ok());
    }
    world.clock.advance_to(day);
    for (place, sealed) in &sealed {
        let opened = sealer.open(place, sealed).await;
        assert!(
            matches!(opened, Err(OpenError::Key("destroyed"))),
            "before the sweep"
        );
    }
    assert_eq!(keys.destroy_due(day).await?.len(), 2 + 2);
    for (place, sealed) in &sealed {
        let opened = sealer.open(place, sealed).await;
        assert!(
            matches!(opened, Err(OpenError::Key("destroyed"))),
            "after the sweep"
        );
        let again = sealer.seal(place, b"again").await;
        assert!(matches!(again, Err(SealError::Key("destroyed"))));
    }
    let fresh = body(Owner::Subject(tenant, world.uuid()?), Purpose::Subject)?;
    let refused = sealer.seal(&fresh, b"fresh").await;
    assert!(
        matches!(refused, Err(SealError::Key("destroyed"))),
        "a dead tenant's new subject"
    );
    let again = keys.create_tenant(tenant).await;
    assert!(
        matches!(again, Err(KeyError::State("destroyed"))),
        "a dead tenant came back"
    );
    assert_eq!(sealer.open(&foreign, &kept).await?.expose(), b"kept");
    assert!(
        keys.unlock_vault(tenant, vault).await.is_ok(),
        "its vaults have their own day"
    );
    assert_eq!(keys.next_due().await?, Some(vault_day));
    Ok(())
}

#[tokio::test]
async fn a_plan_needs_a_week_and_does_not_move() -> TestResult {
    let world = World::in_memory();
    let keys = world.keys().await?;
    let tenant = world.tenant()?;
    let week = start() + DAY * 7;
    assert!(matches!(
        keys.plan_tenant(tenant, week).await,
        Err(KeyError::Absent)
    ));
    keys.create_tenant(tenant).await?;
    let soon = keys.plan_tenant(tenant, week - Duration::MICROSECOND).await;
    assert!(matches!(soon, Err(KeyError::TooSoon { earliest }) if earliest == week));
    keys.plan_tenant(tenant, week).await?;
    for other in [week + DAY, week - Duration::MICROSECOND] {
        let moved = keys.plan_tenant(tenant, other).await;
        assert!(matches!(moved, Err(KeyError::Planned { planned, .. }) if planned == week));
    }
    // repeating the plan is no new plan, however late it is repeated
    world.clock.advance_to(week - Duration::SECOND);
    keys.plan_tenant(tenant, week).await?;
    Ok(())
}

#[tokio::test]
async fn an_erased_subject_is_gone_for_every_process_within_the_bound() -> TestResult {
    let world = World::in_memory();
    let here = Envelope::new(Arc::new(world.keys().await?));
    let elsewhere = Envelope::new(Arc::new(world.keys().await?));
    let (tenant, subject) = (world.tenant()?, world.uuid()?);
    here.keys().create_tenant(tenant).await?;
    let place = body(Owner::Subject(tenant, subject), Purpose::Subject)?;
    let bystander = body(Owner::Subject(tenant, world.uuid()?), Purpose::Subject)?;
    let sealed = here.seal(&place, b"person").await?;
    let other = here.seal(&bystander, b"other").await?;
    assert!(elsewhere.open(&place, &sealed).await.is_ok());
    let held = here.keys().unlock(place.owner(), Purpose::Subject).await?;

    let done = here.destroy(&world.order(tenant, subject)?).await?;
    assert_eq!((done.keys.len(), done.destroyed_at), (1, start()));
    let complete_by = done
        .complete_by
        .ok_or("a store in memory is clean at once")?;
    assert!(matches!(
        held.open(&place, &sealed),
        Err(KeyError::State("destroyed"))
    ));
    assert!(matches!(
        here.open(&place, &sealed).await,
        Err(OpenError::Key("destroyed"))
    ));
    world.clock.advance_to(complete_by);
    assert!(matches!(
        elsewhere.open(&place, &sealed).await,
        Err(OpenError::Key("destroyed"))
    ));
    for sealer in [&here, &elsewhere] {
        assert_eq!(sealer.open(&bystander, &other).await?.expose(), b"other");
        let again = sealer.seal(&place, b"again").await;
        assert!(matches!(again, Err(SealError::Key("destroyed"))));
    }
    Ok(())
}
