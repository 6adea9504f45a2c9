//! A tenant's administrator sets rules of its own: what narrows counts from then on, through restarts,
//! other processes and restores; what weakens, contradicts or would be done by nobody is refused with
//! the names of both sides, and changes nothing.

use audit_log::log_of;
use audit_log::store::AuditLog as _;
use covenant::{Error, Wraps};
use covenant_core::{Action, Clock as _, UserId};
use retention_policy::{Bound, Limit, RuleSpec};
use tenant_isolation::{Caller, Role};
use time::Duration;

use crate::common::{Outcome, Stage, admin, admin_id, files, full, item, tenant};

fn rule(id: &str, class: &str, bound: Bound, from: Action, period: &str) -> RuleSpec {
    RuleSpec {
        id: id.to_owned(),
        classes: vec![class.to_owned()],
        bound,
        from: Some(from.name().to_owned()),
        period: Some(period.to_owned()),
        ..RuleSpec::default()
    }
}

fn bin(bound: Bound, period: &str) -> RuleSpec {
    rule("own-bin", "record", bound, Action::RecordDeleted, period)
}

fn database(period: &str) -> RuleSpec {
    let from = Action::DatabaseDeleted;
    rule("own-database", "database", Bound::Ceiling, from, period)
}

async fn two_tenants() -> Outcome<Stage> {
    let stage = Stage::new("prodb").await?;
    for number in [1, 2] {
        let (id, admin) = (tenant(number), admin_id(number));
        stage.covenant.create_tenant(id, admin).await?;
    }
    Ok(stage)
}

/// The periods of the tenant's own rules, by name.
async fn own(stage: &Stage, number: u8) -> Outcome<Vec<(String, String)>> {
    let rules = stage.covenant.rules_of(tenant(number)).await?;
    let own = rules.iter().filter(|rule| rule.tenant().is_some());
    let told = own.filter_map(|rule| match rule.limit() {
        Limit::Floor { period, .. } | Limit::Ceiling { period, .. } => {
            Some((rule.id().to_string(), period.to_string()))
        }
        Limit::Until { .. } => None,
    });
    Ok(told.collect())
}

fn pair(name: &str, period: &str) -> (String, String) {
    (name.to_owned(), period.to_owned())
}

#[tokio::test]
async fn what_does_not_narrow_is_refused_and_the_old_rules_stay() -> Outcome {
    let stage = two_tenants().await?;
    let (me, who) = (tenant(1), admin(1));
    let covenant = &stage.covenant;
    covenant.set_rules(&who, me, vec![database("P20D")]).await?;
    let before = [pair("own-database", "P20D")];
    assert_eq!(own(&stage, 1).await?, before);
    for (wrong, names) in [
        (bin(Bound::Ceiling, "P60D"), ["own-bin", "p-52-ceiling"]),
        (bin(Bound::Ceiling, "P10D"), ["own-bin", "p-51-floor"]),
        (bin(Bound::Floor, "P40D"), ["own-bin", "p-52-ceiling"]),
        (bin(Bound::Floor, "P10D"), ["own-bin", "p-51-floor"]),
        (database("P60D"), ["own-database", "p-59-ceiling"]),
    ] {
        let told = covenant.set_rules(&who, me, vec![wrong]).await;
        let Err(Error::Rules(errors)) = told else {
            return Err(format!("{names:?}: {told:?}").into());
        };
        let text = errors.to_string();
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
        assert_eq!(own(&stage, 1).await?, before);
    }
    let mut overriding = database("P10D");
    overriding.overrides = vec!["p-59-ceiling".to_owned()];
    let told = covenant.set_rules(&who, me, vec![overriding]).await;
    assert!(matches!(told, Err(Error::Rules(_))), "{told:?}");
    let from = Action::RecordCreated;
    let nobodys = rule("own-age", "record", Bound::Floor, from, "P1Y");
    let told = covenant.set_rules(&who, me, vec![nobodys]).await;
    assert!(
        matches!(&told, Err(Error::NotCarriedOut(id)) if id == "own-age"),
        "{told:?}"
    );
    assert_eq!(own(&stage, 1).await?, before);
    Ok(())
}

#[tokio::test]
async fn administrators_alone_set_rules_and_each_change_is_on_record() -> Outcome {
    let stage = two_tenants().await?;
    let (me, covenant) = (tenant(1), &stage.covenant);
    let member = UserId::from_bytes([9; 16]);
    covenant
        .set_member(&admin(1), me, member, Some(Role::Member))
        .await?;
    let address = [192, 0, 2, 7].into();
    for who in [Caller::member(me, member, address), admin(2)] {
        let told = covenant.set_rules(&who, me, vec![database("P20D")]).await;
        assert!(matches!(told, Err(Error::Denied(_))), "{told:?}");
    }
    assert_eq!(own(&stage, 1).await?, []);
    covenant
        .set_rules(&admin(1), me, vec![database("P20D")])
        .await?;
    assert_eq!(own(&stage, 2).await?, []);
    covenant.sequence().await?;
    let mut told = 0;
    let log = covenant.log();
    let size = log.head(log_of(me)).await?.size;
    for entry in log.read(log_of(me), 0..size).await? {
        told += usize::from(entry.leaf.action == Action::ChangeRecorded);
    }
    assert_eq!(told, 1);
    Ok(())
}

#[tokio::test]
async fn what_narrows_is_carried_out_after_a_restart_and_a_restore() -> Outcome {
    let mut stage = two_tenants().await?;
    let (me, who) = (tenant(1), admin(1));
    let (early, late) = (item("early")?, item("late")?);
    let covenant = &stage.covenant;
    let mine = covenant.put(&who, me, &early, &full("early")).await?;
    covenant.put(&who, me, &late, &full("late")).await?;
    covenant
        .put(&admin(2), tenant(2), &early, &full("others"))
        .await?;
    let snapshot = covenant.back_up(me).await?;
    // half an hour more than the page, and half of its days
    let strict = vec![bin(Bound::Floor, "P30DT30M"), database("P15D")];
    covenant.set_rules(&who, me, strict).await?;
    let service = Caller::service(tenant_isolation::ServiceKind::Restore);
    covenant.restore_in_place(&service, me, snapshot.id).await?;
    let set = [pair("own-bin", "P30DT30M"), pair("own-database", "P15D")];
    assert_eq!(own(&stage, 1).await?, set);
    stage.restart(Wraps::default()).await?;
    assert_eq!(own(&stage, 1).await?, set);

    // a record in the bin: until half past midnight, and no longer
    let zone = stage.covenant.profile().zone.clone();
    let deleted = stage.clock.now();
    stage.covenant.delete(&who, me, &early).await?;
    stage.covenant.delete(&admin(2), tenant(2), &early).await?;
    let day = zone.local(deleted).date() + Duration::days(31);
    let midnight = zone.start_of(day);
    stage.run_until(midnight + Duration::minutes(29)).await?;
    assert!(
        stage.live_sightings(&mine.body)? > 0,
        "kept by the tenant's own floor"
    );
    stage.run_until(midnight + Duration::minutes(31)).await?;
    assert_eq!(
        stage.live_sightings(&mine.body)?,
        0,
        "gone by the page's ceiling"
    );

    // a database: in half the time
    let file = stage.file();
    let deleted = stage.clock.now();
    stage.covenant.delete_database(&who, me).await?;
    stage.covenant.delete_database(&admin(2), tenant(2)).await?;
    stage.run_until(deleted + Duration::days(15)).await?;
    assert!(!file.exists(), "gone by the tenant's own ceiling");
    let tenants = stage.covenant.layout().tenants();
    assert!(
        !files(&tenants)?.is_empty(),
        "the neighbour's is still there"
    );
    stage.run_until(deleted + Duration::days(30)).await?;
    assert!(files(&tenants)?.is_empty(), "and goes by the page's");
    Ok(())
}

/// Another process on the same stores takes rules over before it deletes anything, and none keeps the
/// older ones.
#[tokio::test]
async fn every_process_takes_new_rules_over() -> Outcome {
    let mut stage = two_tenants().await?;
    let other = stage.start(Wraps::default()).await??;
    let me = tenant(1);
    stage
        .covenant
        .set_rules(&admin(1), me, vec![database("P20D")])
        .await?;
    other
        .set_rules(&admin(2), tenant(2), vec![database("P10D")])
        .await?;
    assert_eq!(own(&stage, 1).await?, [pair("own-database", "P20D")]);
    assert_eq!(own(&stage, 2).await?, [pair("own-database", "P10D")]);
    stage.covenant.set_rules(&admin(1), me, Vec::new()).await?;
    let left = other.rules_of(me).await?;
    assert!(left.iter().all(|rule| rule.tenant().is_none()));
    Ok(())
}
