//! The first sweep under other rules, and one whose plan is beyond a limit, only plan: what would go
//! waits until a person approves it by its hash, and goes then, unless something has moved. A
//! deployment whose rules stay as they are waits for nobody.

use covenant::{Error, Profile, Progress, WaitingPlan, Waits, Wraps};
use covenant_core::event::ActorContext;
use covenant_core::{Clock as _, HoldId, PrincipalId, RegionSet};
use policy_document::Document;
use retention_policy::{Hold, HoldMode, HoldScope, Later, Limits, Refused};
use time::{Duration, UtcDateTime};

use crate::common::{Outcome, Stage, admin, admin_id, item, plain, profile, tenant};

/// A deployment with these records in the bin since one instant.
async fn binned(profile: Profile, names: &[&str]) -> Outcome<(Stage, UtcDateTime)> {
    let stage = Stage::with(profile, Wraps::default()).await?;
    stage.covenant.create_tenant(tenant(1), admin_id(1)).await?;
    let who = admin(1);
    for name in names {
        let id = item(name)?;
        stage
            .covenant
            .put(&who, tenant(1), &id, &plain(name))
            .await?;
        stage.covenant.delete(&who, tenant(1), &id).await?;
    }
    let deleted = stage.clock.now();
    Ok((stage, deleted))
}

/// The profile of `prodb` with a bin of ten days.
fn shorter() -> Outcome<Profile> {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/prodb.toml");
    let text = std::fs::read_to_string(file)?;
    let floor = "from = \"record.deleted\"\nto = \"record.purged\"\nmin = \"P30D\"";
    let ceiling = "from = \"record.deleted\"\nto = \"record.purged\"\nmax = \"P30D\"";
    assert!(text.contains(floor) && text.contains(ceiling));
    let text = text
        .replace(floor, &floor.replace("P30D", "P10D"))
        .replace(ceiling, &ceiling.replace("P30D", "P10D"));
    let document = Document::parse(&text).map_err(|errors| format!("{errors:?}"))?;
    let regions = RegionSet::new(["us-chicago"])?;
    Ok(Profile::from_document(&document, regions)?)
}

/// The one plan that waits.
async fn waiting(stage: &Stage) -> Outcome<WaitingPlan> {
    let mut plans = stage.covenant.plans().await?;
    match (plans.pop(), plans.is_empty()) {
        (Some(plan), true) => Ok(plan),
        other => Err(format!("not one plan waits: {other:?}").into()),
    }
}

fn operator() -> ActorContext {
    ActorContext::service("operator")
}

const TEN: Duration = Duration::days(12);
const THIRTY: Duration = Duration::days(32);

#[tokio::test]
async fn until_somebody_approves_the_plan() -> Outcome {
    let (mut stage, deleted) = binned(profile("prodb")?, &["one", "two"]).await?;
    stage.run_until(deleted + TEN).await?;
    stage.follow(shorter()?).await?;
    let swept = stage.covenant.sweep().await?;
    assert_eq!((swept.purged, swept.waiting, swept.failed), (0, 1, 0));
    let plan = waiting(&stage).await?;
    assert_eq!((plan.tenant, plan.waits), (tenant(1), Waits::Rules));
    assert_eq!((plan.plan.items().len(), plan.approved), (2, None));
    // What waits can still be restored, and is planned anew without it.
    let (who, two) = (admin(1), item("two")?);
    stage.covenant.restore(&who, tenant(1), &two).await?;
    let hash = plan.plan.hash();
    let none = Limits {
        items_max: Some(0),
        ..Limits::default()
    };
    let other = covenant_core::digest::Digest::of(b"another plan");
    let unknown = stage
        .covenant
        .approve_plan(tenant(1), &other, &Limits::default(), operator())
        .await;
    assert!(
        matches!(unknown, Err(Error::Plan(Refused::HashMoved))),
        "{unknown:?}"
    );
    stage
        .covenant
        .approve_plan(tenant(1), &hash, &none, operator())
        .await?;
    let swept = stage.covenant.sweep().await?;
    assert_eq!((swept.purged, swept.waiting), (0, 1), "beyond its limits");
    let plan = waiting(&stage).await?;
    assert_eq!((plan.plan.items().len(), plan.approved), (1, None));
    stage
        .covenant
        .approve_plan(tenant(1), &plan.plan.hash(), &Limits::default(), operator())
        .await?;
    let swept = stage.covenant.sweep().await?;
    assert_eq!((swept.purged, swept.waiting, swept.failed), (1, 0, 0));
    assert_eq!(stage.covenant.plans().await?, []);
    let certificates = stage.covenant.certificates(tenant(1)).await?;
    let progress: Vec<_> = certificates.iter().map(|one| one.progress).collect();
    assert_eq!(progress, [Progress::Complete]);
    // The rules are known from now on.
    stage.covenant.delete(&who, tenant(1), &two).await?;
    let swept = stage.run_for(TEN).await?;
    assert_eq!((swept.purged, swept.waiting, swept.failed), (1, 0, 0));
    Ok(())
}

#[tokio::test]
async fn under_one_hash_while_it_says_the_same() -> Outcome {
    let (mut stage, deleted) = binned(profile("prodb")?, &["one", "two"]).await?;
    stage.run_until(deleted + TEN).await?;
    stage.follow(shorter()?).await?;
    stage.covenant.sweep().await?;
    let plan = waiting(&stage).await?;
    let hash = plan.plan.hash();
    let swept = stage.run_for(Duration::days(2)).await?;
    assert_eq!(swept.purged, 0);
    assert!(swept.waiting >= 2, "looked at anew every night");
    assert_eq!(waiting(&stage).await?, plan);
    // what it would take is another thing now, and so is its hash
    let (who, two) = (admin(1), item("two")?);
    stage.covenant.restore(&who, tenant(1), &two).await?;
    stage.run_for(Duration::days(1)).await?;
    assert_ne!(waiting(&stage).await?.plan.hash(), hash);
    let old = stage
        .covenant
        .approve_plan(tenant(1), &hash, &Limits::default(), operator())
        .await;
    assert!(
        matches!(old, Err(Error::Plan(Refused::HashMoved))),
        "{old:?}"
    );
    Ok(())
}

#[tokio::test]
async fn but_nothing_waits_where_nothing_would_go_or_nothing_changed() -> Outcome {
    let (mut stage, deleted) = binned(profile("prodb")?, &["one"]).await?;
    stage.restart(Wraps::default()).await?;
    let swept = stage.run_until(deleted + THIRTY).await?;
    assert_eq!((swept.purged, swept.waiting, swept.failed), (1, 0, 0));
    // A sweep that finds nothing to remove has planned under the rules of then.
    stage.follow(shorter()?).await?;
    let (who, two) = (admin(1), item("two")?);
    stage
        .covenant
        .put(&who, tenant(1), &two, &plain("two"))
        .await?;
    stage.covenant.delete(&who, tenant(1), &two).await?;
    stage.run_for(Duration::days(1)).await?;
    stage.covenant.restore(&who, tenant(1), &two).await?;
    let empty = stage.run_for(TEN).await?;
    assert_eq!((empty.purged, empty.waiting, empty.failed), (0, 0, 0));
    stage.covenant.delete(&who, tenant(1), &two).await?;
    let swept = stage.run_for(TEN).await?;
    assert_eq!((swept.purged, swept.waiting, swept.failed), (1, 0, 0));
    assert_eq!(stage.covenant.plans().await?, []);
    Ok(())
}

#[tokio::test]
async fn and_a_plan_beyond_a_limit() -> Outcome {
    for limits in [
        Limits {
            items_max: Some(1),
            ..Limits::default()
        },
        Limits {
            bytes_max: Some(1),
            ..Limits::default()
        },
        Limits {
            percent_max: Some(99),
            ..Limits::default()
        },
    ] {
        let mut limited = profile("prodb")?;
        limited.limits = limits;
        let (stage, deleted) = binned(limited, &["one", "two"]).await?;
        stage.clock.advance_to(deleted + THIRTY);
        let swept = stage.covenant.sweep().await?;
        assert_eq!((swept.purged, swept.waiting), (0, 1), "{limits:?}");
        let plan = waiting(&stage).await?;
        assert_eq!(plan.waits, Waits::Limits);
        stage
            .covenant
            .approve_plan(tenant(1), &plan.plan.hash(), &Limits::default(), operator())
            .await?;
        let swept = stage.covenant.sweep().await?;
        assert_eq!((swept.purged, swept.waiting), (2, 0), "{limits:?}");
    }
    Ok(())
}

#[tokio::test]
async fn and_what_a_hold_moved_is_looked_at_again() -> Outcome {
    let (mut stage, deleted) = binned(profile("prodb")?, &["one", "two"]).await?;
    stage.run_until(deleted + TEN).await?;
    stage.follow(shorter()?).await?;
    stage.covenant.sweep().await?;
    let plan = waiting(&stage).await?;
    stage
        .covenant
        .approve_plan(tenant(1), &plan.plan.hash(), &Limits::default(), operator())
        .await?;
    stage
        .covenant
        .place_hold(&hold(&stage)?, operator())
        .await?;
    let swept = stage.covenant.sweep().await?;
    assert_eq!((swept.purged, swept.waiting), (0, 1), "a hold moved");
    let plan = waiting(&stage).await?;
    let ids: Vec<_> = plan
        .plan
        .items()
        .iter()
        .map(|item| item.id.clone())
        .collect();
    assert_eq!(ids, [item("two")?], "what is held is planned");
    stage
        .covenant
        .approve_plan(tenant(1), &plan.plan.hash(), &Limits::default(), operator())
        .await?;
    assert_eq!(stage.covenant.sweep().await?.purged, 1);
    stage
        .covenant
        .restore(&admin(1), tenant(1), &item("one")?)
        .await?;
    Ok(())
}

/// Keeps the first record.
fn hold(stage: &Stage) -> Outcome<Hold> {
    Ok(Hold {
        id: HoldId::from_bytes([1; 16]),
        tenant: tenant(1),
        matter: "case-1".parse()?,
        scope: HoldScope::Items {
            class: "record".parse()?,
            ids: std::collections::BTreeSet::from([item("one")?]).try_into()?,
        },
        later: Later::Covered,
        mode: HoldMode::Governance,
        placed_by: PrincipalId::from_bytes([1; 16]),
        reason: "litigation".parse()?,
        placed_at: stage.clock.now(),
    })
}
