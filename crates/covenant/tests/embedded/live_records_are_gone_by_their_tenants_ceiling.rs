//! A tenant's own ceiling on live records is met to the byte: a record goes into the bin so early that
//! its floor there and its purge fit, waits where holds or people keep it, and does not come back from
//! a backup in which it outlived its ceiling. One that the way through the bin does not fit in is
//! refused with the numbers.

use covenant::{Error, PlanKind, Profile, Progress, Waits, Wraps};
use covenant_core::event::ActorContext;
use covenant_core::{Action, Clock as _, HoldId, PrincipalId, TxTag, TxnId};
use retention_policy::{
    Bound, Hold, HoldAct, HoldMode, HoldScope, Later, Limits, Release, RuleSet, RuleSpec,
};
use sql_store::{Args, Db, Mode, SqliteOptions, SqliteProfile};
use tenant_isolation::{Caller, ServiceKind};
use time::Duration;

use crate::broken::{Switch, sink};
use crate::common::{Outcome, Stage, admin, admin_id, covered, full, item, plain, profile, tenant};

/// The ceiling of these tests.
const FORTY: Duration = Duration::days(40);
/// Long enough before it that no record has to go yet.
const FIVE: Duration = Duration::days(5);
/// Within the week in which a record goes into the bin.
const TEN: Duration = Duration::days(10);

fn ceiling(from: Action, period: &str) -> RuleSpec {
    RuleSpec {
        id: "own-age".to_owned(),
        classes: vec!["record".to_owned()],
        bound: Bound::Ceiling,
        from: Some(from.name().to_owned()),
        period: Some(period.to_owned()),
        ..RuleSpec::default()
    }
}

/// A tenant that has set a ceiling of forty days, and swept under it once.
async fn ruled(from: Action) -> Outcome<Stage> {
    let stage = Stage::new("prodb").await?;
    let covenant = &stage.covenant;
    covenant.create_tenant(tenant(1), admin_id(1)).await?;
    let rules = vec![ceiling(from, "P40D")];
    covenant.set_rules(&admin(1), tenant(1), rules).await?;
    let swept = covenant.sweep().await?;
    assert_eq!((swept.waiting, swept.failed), (0, 0));
    Ok(stage)
}

async fn live(stage: &Stage) -> Outcome<Vec<String>> {
    let ids = stage.covenant.list(&admin(1), tenant(1)).await?;
    let names = ids
        .iter()
        .map(|id| String::from_utf8(id.as_bytes().to_vec()));
    Ok(names.collect::<Result<_, _>>()?)
}

fn operator() -> ActorContext {
    ActorContext::service("operator")
}

// clause: P-46, P-51
#[tokio::test]
async fn by_way_of_the_bin_and_with_a_certificate() -> Outcome {
    let mut stage = ruled(Action::RecordCreated).await?;
    let (me, who, id) = (tenant(1), admin(1), item("old")?);
    let written = stage.covenant.put(&who, me, &id, &full("old")).await?;
    let salts = [written.body, written.sensitive, written.attachments].concat();
    let made = stage.clock.now();
    let swept = stage.run_until(made + FIVE).await?;
    assert_eq!((swept.binned, swept.failed), (0, 0));
    assert_eq!(live(&stage).await?, ["old"], "nothing goes before it must");
    // a change is no excuse where the rule counts from the making
    stage.covenant.change(&who, me, &id, b"changed").await?;
    stage.restart(Wraps::default()).await?;
    let swept = stage.run_until(made + TEN).await?;
    assert_eq!((swept.binned, swept.waiting, swept.failed), (1, 0, 0));
    assert!(live(&stage).await?.is_empty());
    assert!(stage.live_sightings(&salts)? > 0, "in the bin");
    stage.restart(Wraps::default()).await?;
    let swept = stage.run_until(made + FORTY).await?;
    assert_eq!((swept.purged, swept.failed), (1, 0));
    assert_eq!(stage.live_sightings(&salts)?, 0, "gone by the ceiling");
    let certificates = stage.covenant.certificates(me).await?;
    let progress: Vec<_> = certificates.iter().map(|one| one.progress).collect();
    assert_eq!(progress, [Progress::Complete]);
    covered(&stage).await
}

#[tokio::test]
async fn counted_from_the_last_change_where_the_rule_says_so() -> Outcome {
    let stage = ruled(Action::ChangeRecorded).await?;
    let (me, who) = (tenant(1), admin(1));
    for name in ["still", "changed"] {
        stage
            .covenant
            .put(&who, me, &item(name)?, &plain(name))
            .await?;
    }
    let made = stage.clock.now();
    stage.run_until(made + FIVE).await?;
    let id = item("changed")?;
    stage.covenant.change(&who, me, &id, b"again").await?;
    let swept = stage.run_until(made + TEN - Duration::days(1)).await?;
    assert_eq!((swept.binned, swept.failed), (1, 0));
    assert_eq!(live(&stage).await?, ["changed"]);
    stage.run_until(made + FIVE + TEN).await?;
    assert!(live(&stage).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn or_the_rule_is_refused_with_the_numbers() -> Outcome {
    let stage = ruled(Action::RecordCreated).await?;
    let (me, who) = (tenant(1), admin(1));
    let covenant = &stage.covenant;
    for from in [Action::RecordCreated, Action::ChangeRecorded] {
        for rules in [
            vec![ceiling(from, "P20D")],
            vec![ceiling(from, "P33D")],
            // the way is the bin's, which a tenant can shorten by little
            vec![ceiling(from, "P1M")],
        ] {
            let told = covenant.set_rules(&who, me, rules.clone()).await;
            let Err(Error::TooShort(why)) = told else {
                return Err(format!("{rules:?}: {told:?}").into());
            };
            assert_eq!(why.rule, "own-age");
            assert!(why.gives < why.bin + why.notice, "{why}");
            let text = why.to_string();
            assert!(text.contains("own-age") && text.contains(" d "), "{text}");
            let checked = covenant.check_rules(&who, me, rules).await;
            assert!(matches!(checked, Err(Error::TooShort(_))), "{checked:?}");
        }
    }
    let rules = covenant.rules_of(me).await?;
    let own: Vec<_> = rules
        .iter()
        .filter(|rule| rule.tenant().is_some())
        .collect();
    assert_eq!(own.len(), 1, "what was in force stays");
    covenant
        .set_rules(&who, me, vec![ceiling(Action::RecordCreated, "P35D")])
        .await?;
    Ok(())
}

#[tokio::test]
async fn what_was_too_old_when_the_rule_was_set_waits_for_a_person() -> Outcome {
    let stage = Stage::new("prodb").await?;
    let (covenant, me, who) = (&stage.covenant, tenant(1), admin(1));
    covenant.create_tenant(me, admin_id(1)).await?;
    for name in ["one", "two"] {
        covenant.put(&who, me, &item(name)?, &full(name)).await?;
    }
    stage.run_for(TEN).await?;
    covenant
        .put(&who, me, &item("young")?, &full("young"))
        .await?;
    let rules = vec![ceiling(Action::RecordCreated, "P40D")];
    let preview = covenant.check_rules(&who, me, rules.clone()).await?;
    assert_eq!(preview.records, 2);
    assert!(preview.bytes > 2 * 300, "{preview:?}");
    assert!(
        preview
            .first_due
            .is_some_and(|due| due <= stage.clock.now())
    );
    let own =
        |rules: Vec<retention_policy::Rule>| rules.into_iter().any(|rule| rule.tenant().is_some());
    assert!(!own(covenant.rules_of(me).await?), "a check sets nothing");
    covenant.set_rules(&who, me, rules).await?;
    let swept = covenant.sweep().await?;
    assert_eq!((swept.binned, swept.waiting, swept.failed), (0, 1, 0));
    assert_eq!(live(&stage).await?.len(), 3);
    let plans = covenant.plans().await?;
    let [plan] = plans.as_slice() else {
        return Err(format!("not one plan: {plans:?}").into());
    };
    assert_eq!((plan.kind, plan.waits), (PlanKind::Live, Waits::Rules));
    assert_eq!(plan.plan.items().len(), 2);
    // what waits here holds no purge of the bin up
    covenant.delete(&who, me, &item("young")?).await?;
    let swept = stage.run_for(Duration::days(32)).await?;
    assert_eq!((swept.binned, swept.purged, swept.failed), (0, 1, 0));
    let plan = covenant.plans().await?;
    let hash = plan.first().ok_or("no plan waits any more")?.plan.hash();
    covenant
        .approve_plan(me, &hash, &Limits::default(), operator())
        .await?;
    let swept = covenant.sweep().await?;
    assert_eq!((swept.binned, swept.waiting, swept.failed), (2, 0, 0));
    assert_eq!(covenant.plans().await?, []);
    // under the same rule nobody is asked again
    covenant
        .put(&who, me, &item("next")?, &full("next"))
        .await?;
    let swept = stage.run_for(TEN).await?;
    assert_eq!((swept.binned, swept.waiting, swept.failed), (1, 0, 0));
    // and without it nothing goes
    covenant.set_rules(&who, me, Vec::new()).await?;
    covenant
        .put(&who, me, &item("last")?, &full("last"))
        .await?;
    let swept = stage.run_for(FORTY).await?;
    assert_eq!((swept.binned, swept.failed), (0, 0));
    assert_eq!(live(&stage).await?, ["last"]);
    Ok(())
}

#[tokio::test]
async fn unless_a_hold_keeps_it() -> Outcome {
    let stage = ruled(Action::RecordCreated).await?;
    let (covenant, me, who) = (&stage.covenant, tenant(1), admin(1));
    for name in ["held", "free"] {
        covenant.put(&who, me, &item(name)?, &full(name)).await?;
    }
    let id = HoldId::from_bytes([1; 16]);
    let hold = Hold {
        id,
        tenant: me,
        matter: "case-1".parse()?,
        scope: HoldScope::Items {
            class: "record".parse()?,
            ids: std::collections::BTreeSet::from([item("held")?]).try_into()?,
        },
        later: Later::Covered,
        mode: HoldMode::Governance,
        placed_by: PrincipalId::from_bytes([1; 16]),
        reason: "litigation".parse()?,
        placed_at: stage.clock.now(),
    };
    covenant.place_hold(&hold, operator()).await?;
    let swept = stage.run_for(FORTY).await?;
    assert_eq!((swept.binned, swept.purged, swept.failed), (1, 1, 0));
    assert_eq!(live(&stage).await?, ["held"]);
    for (number, want) in [(1, Release::Asked), (2, Release::Released)] {
        let act = HoldAct {
            by: PrincipalId::from_bytes([number; 16]),
            at: stage.clock.now(),
            actor: operator(),
        };
        assert_eq!(covenant.release_hold(me, id, &act).await?, want);
    }
    let swept = stage.run_for(Duration::days(34)).await?;
    assert_eq!((swept.binned, swept.purged, swept.failed), (1, 1, 0));
    Ok(())
}

#[tokio::test]
async fn a_night_that_fails_is_made_up_for_by_another_process() -> Outcome {
    let mut stage = ruled(Action::RecordCreated).await?;
    let (me, who, id) = (tenant(1), admin(1), item("old")?);
    let switch = Switch::default();
    stage.restart(sink(&switch, Action::RecordDeleted)).await?;
    let written = stage.covenant.put(&who, me, &id, &plain("old")).await?;
    let made = stage.clock.now();
    stage.run_until(made + FIVE).await?;
    switch.on();
    let swept = stage.run_for(Duration::days(2)).await?;
    assert!(swept.failed > 0 && swept.binned == 0, "{swept:?}");
    assert_eq!(live(&stage).await?, ["old"], "with its event or not at all");
    // the process dies, and whoever comes next has nothing but what it left
    stage.restart(Wraps::default()).await?;
    let swept = stage.run_until(made + FORTY).await?;
    assert_eq!((swept.binned, swept.purged), (1, 1));
    assert_eq!(stage.live_sightings(&written.body)?, 0);
    covered(&stage).await
}

#[tokio::test]
async fn what_somebody_restores_goes_into_the_bin_again() -> Outcome {
    let stage = ruled(Action::RecordCreated).await?;
    let (covenant, me, who, id) = (&stage.covenant, tenant(1), admin(1), item("old")?);
    covenant.put(&who, me, &id, &plain("old")).await?;
    stage.run_for(TEN).await?;
    covenant.restore(&who, me, &id).await?;
    assert_eq!(live(&stage).await?, ["old"], "the page lets it be restored");
    let swept = stage.run_for(Duration::days(1)).await?;
    assert_eq!((swept.binned, swept.failed), (1, 0));
    assert!(live(&stage).await?.is_empty());
    Ok(())
}

// clause: P-46
#[tokio::test]
async fn and_does_not_come_back_from_a_backup() -> Outcome {
    let stage = ruled(Action::RecordCreated).await?;
    let (covenant, me, who) = (&stage.covenant, tenant(1), admin(1));
    covenant.put(&who, me, &item("old")?, &full("old")).await?;
    let made = stage.clock.now();
    stage.run_until(made + FIVE).await?;
    covenant
        .put(&who, me, &item("young")?, &full("young"))
        .await?;
    let snapshot = covenant.back_up(me).await?;
    let service = Caller::service(ServiceKind::Restore);
    // no sweep has run since: the log knows of no deletion
    stage.clock.advance_to(made + FORTY - Duration::SECOND);
    let beside = covenant.restore_beside(me, snapshot.id).await?;
    assert_eq!(beside.records().await?.len(), 2, "a second before");
    drop(beside);
    stage.clock.advance_to(made + FORTY);
    let beside = covenant.restore_beside(me, snapshot.id).await?;
    let shown = beside.records().await?;
    let shown: Vec<_> = shown.iter().map(|record| record.id.clone()).collect();
    assert_eq!(shown, [item("young")?]);
    drop(beside);
    covenant.restore_in_place(&service, me, snapshot.id).await?;
    assert_eq!(live(&stage).await?, ["young"]);
    covered(&stage).await
}

/// Everybody's rules may say it too, for every tenant; a page that the bin does not fit in does not
/// start.
#[tokio::test]
async fn or_by_that_of_everybody() -> Outcome {
    let everybodys = |period: &str| -> Outcome<Profile> {
        let mut profile = profile("prodb")?;
        let mut file = profile.rules.file().clone();
        file.rules.push(RuleSpec {
            stores: vec![profile.rows.clone()],
            to: Some(Action::RecordPurged.name().to_owned()),
            ..ceiling(Action::RecordCreated, period)
        });
        profile.rules = RuleSet::load(file)?;
        Ok(profile)
    };
    let short = Stage::with(everybodys("P20D")?, Wraps::default()).await;
    let told = short.err().map(|error| error.to_string());
    let told = told.ok_or("a ceiling that the bin does not fit in starts")?;
    assert!(told.contains("own-age"), "{told}");
    let stage = Stage::with(everybodys("P40D")?, Wraps::default()).await?;
    let (covenant, me, who) = (&stage.covenant, tenant(1), admin(1));
    covenant.create_tenant(me, admin_id(1)).await?;
    assert_eq!(covenant.sweep().await?.failed, 0);
    let written = covenant.put(&who, me, &item("old")?, &full("old")).await?;
    let swept = stage.run_for(TEN).await?;
    assert_eq!((swept.binned, swept.waiting, swept.failed), (1, 0, 0));
    let swept = stage.run_for(FORTY - TEN).await?;
    assert_eq!((swept.purged, swept.failed), (1, 0));
    assert_eq!(stage.live_sightings(&written.body)?, 0);
    Ok(())
}

/// What the database would do for one of our statements.
macro_rules! explained {
    ($name:literal) => {
        concat!(
            "EXPLAIN QUERY PLAN ",
            include_str!(concat!("../../sql/", $name, ".sql"))
        )
    };
}

/// What a look at live records costs follows what is due: both of its questions are answered by an
/// index on the instant.
#[tokio::test]
async fn what_falls_due_is_found_by_an_index() -> Outcome {
    let stage = ruled(Action::RecordCreated).await?;
    let options = SqliteOptions::new(stage.file(), SqliteProfile::Control).readers(1);
    let db = Db::open_sqlite(options, stage.clock.clone()).await?;
    let tag = TxTag {
        txn: TxnId::from_bytes([0; 16]),
        tenant: None,
        decision: None,
    };
    let mut tx = db.begin_with(Mode::ReadOnly, tag).await?;
    for (sql, index) in [
        (explained!("first_made"), "record_made"),
        (explained!("list_made"), "record_made"),
        (explained!("first_changed"), "record_changed"),
        (explained!("list_changed"), "record_changed"),
    ] {
        let args = Args::new().bind(tenant(1));
        let args = if sql.contains("$5") {
            let now = stage.clock.now();
            args.bind(500_i64).bind(now).bind(now).bind(vec![0_u8])
        } else {
            args
        };
        let rows = tx.rows(sql, args).await?;
        let steps: Result<Vec<&str>, _> = rows.iter().map(|row| row.text("detail")).collect();
        let steps = steps?;
        let searched = |step: &&str| step.starts_with("SEARCH record") && step.contains(index);
        assert!(steps.iter().any(searched), "{steps:?}");
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")));
    }
    drop(tx);
    db.close().await;
    Ok(())
}
