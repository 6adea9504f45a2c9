//! The monitors of the three policies, one second on either side of each limit; waivers, restores,
//! refusals, order, and which clause gives which monitor.

use std::error::Error;

use covenant_core::event::{ActorContext, Datum, Target};
use covenant_core::{Action, Event, EventId, ItemId, Outcome, TenantId};
use policy_document::monitor::{
    Breach, CaseKey, Judgement, Monitor, MonitorError, Observed, TEXT_LEN_BYTES_MAX,
};
use policy_document::{Clause, Document, Pattern};
use time::macros::utc_datetime as at;
use time::{Duration, UtcDateTime};
use uuid::Uuid;

type Outcomes = Result<(), Box<dyn Error>>;

const POLICIES: [&str; 3] = [
    include_str!("../../../policies/prodb.toml"),
    include_str!("../../../policies/protopie.toml"),
    include_str!("../../../policies/immidb.toml"),
];

fn documents() -> Vec<Document> {
    POLICIES
        .iter()
        .filter_map(|text| Document::parse(text).ok())
        .collect()
}

/// The ceiling (`within`, `every`) or the floor of a clause.
fn monitor(clause: &str, floor: &str) -> Result<Monitor, Box<dyn Error>> {
    let found = documents()
        .iter()
        .flat_map(Document::monitors)
        .find(|m| m.clause().to_string() == clause && m.pattern().to_string().starts_with(floor));
    found.ok_or_else(|| format!("no {floor} of {clause}").into())
}

fn event(when: UtcDateTime, action: Action, key: &str) -> Result<Event, Box<dyn Error>> {
    let tenant = TenantId::derive(&Uuid::NAMESPACE_DNS, "one.example");
    let target = Target::of(tenant, "thing", ItemId::try_from(key)?);
    let id = EventId::from_uuid(Uuid::nil());
    Ok(Event::new(
        id,
        when,
        ActorContext::system(),
        action,
        target,
        Outcome::Ok,
    ))
}

fn judge(
    mut monitor: Monitor,
    events: &[(UtcDateTime, Action, &str)],
    end: UtcDateTime,
) -> Result<Judgement, Box<dyn Error>> {
    for (when, action, key) in events {
        monitor.see(&Observed::from(&event(*when, *action, key)?))?;
    }
    Ok(monitor.close(end))
}

fn breaches(judgement: &Judgement) -> Vec<Breach> {
    match judgement {
        Judgement::Violated(all) => all.iter().map(|v| v.breach).collect(),
        _ => Vec::new(),
    }
}

const S: Duration = Duration::seconds(1);
const DELETED: UtcDateTime = at!(2027-08-31 12:00);
const FAR: UtcDateTime = at!(2029-01-01 0:00);

#[test]
fn each_clause_gives_the_monitors_of_the_golden_list() -> Outcomes {
    let mut text = String::new();
    for document in documents() {
        text.push_str(&format!("{}\n", document.id()));
        let monitors = document.monitors();
        let told = |c: &&Clause| c.bound.is_some() || !c.verify.monitors.is_empty();
        for clause in document.clauses().iter().filter(told) {
            let own: Vec<_> = monitors
                .iter()
                .filter(|m| m.clause() == clause.id)
                .collect();
            if own.is_empty() {
                text.push_str(&format!("{} none\n", clause.id));
            }
            for monitor in own {
                let mut named = clause.verify.monitors.iter();
                let named = named.any(|spec| spec.names(monitor.pattern()));
                let why = if named { "" } else { " (no clause names it)" };
                text.push_str(&format!("{monitor}{why}\n"));
            }
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/monitors.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &text)?;
    }
    assert_eq!(
        std::fs::read_to_string(path)?,
        text,
        "BLESS=1 writes it anew"
    );
    Ok(())
}

#[test]
fn a_bin_is_purged_neither_early_nor_late() -> Outcomes {
    // +09:00: 21:00 of 31 August; the 30th day after it ends on 30 September, 15:00 UTC
    let (floor, ceiling) = (at!(2027-09-30 15:00), at!(2027-10-01 13:00));
    let run = |clause, kind, purged| {
        let events = [
            (DELETED, Action::RecordDeleted, "r"),
            (purged, Action::RecordPurged, "r"),
        ];
        judge(monitor(clause, kind)?, &events, FAR)
    };
    let held = |spare: i64| move |j: &Judgement| matches!(j, Judgement::Satisfied { cases: 1, worst: Some(w) } if w.spare_secs == spare);
    assert!(held(0)(&run("P-51", "not_before", floor)?));
    assert!(held(1)(&run("P-51", "not_before", floor + S)?));
    assert_eq!(
        breaches(&run("P-51", "not_before", floor - S)?),
        [Breach::Early]
    );
    assert!(held(0)(&run("P-52", "within", ceiling)?));
    assert!(held(1)(&run("P-52", "within", ceiling - S)?));
    assert_eq!(
        breaches(&run("P-52", "within", ceiling + S)?),
        [Breach::Late]
    );
    Ok(())
}

#[test]
fn a_purge_by_hand_and_a_restore_end_the_floor() -> Outcomes {
    let purged = (DELETED + S * 2, Action::RecordPurged, "r");
    let run = |between, key| {
        let events = [
            (DELETED, Action::RecordDeleted, "r"),
            (DELETED + S, between, key),
            purged,
        ];
        judge(monitor("P-51", "not_before")?, &events, FAR)
    };
    for ends in [
        Action::RecordManualPurge,
        Action::ErasureRequested,
        Action::RecordRestored,
    ] {
        assert_eq!(run(ends, "r")?, Judgement::Unseen, "{ends}");
        assert_eq!(
            breaches(&run(ends, "other")?),
            [Breach::Early],
            "{ends} of another"
        );
    }
    Ok(())
}

#[test]
fn a_restore_undoes_a_deletion_unless_it_comes_too_late() -> Outcomes {
    let limit = at!(2027-10-01 13:00);
    let run = |action, when| {
        let events = [(DELETED, Action::RecordDeleted, "r"), (when, action, "r")];
        judge(monitor("P-52", "within")?, &events, FAR)
    };
    for action in [Action::RecordRestored, Action::DatabasePurged] {
        assert_eq!(run(action, limit)?, Judgement::Unseen);
        assert_eq!(breaches(&run(action, limit + S)?), [Breach::Overdue]);
    }
    Ok(())
}

#[test]
fn a_case_is_open_until_its_limit_and_overdue_after_it() -> Outcomes {
    let limit = at!(2027-10-01 13:00);
    let events = [
        (DELETED, Action::RecordDeleted, "r"),
        (DELETED + S, Action::RecordDeleted, "r"),
    ];
    let judgement = judge(monitor("P-52", "within")?, &events, limit)?;
    let Judgement::Pending(open) = judgement else {
        return Err("the case is open".into());
    };
    let one: Vec<_> = open.iter().map(|o| (o.since, o.limit)).collect();
    assert_eq!(
        one,
        [(DELETED, limit)],
        "a duplicate is no second case and moves nothing"
    );
    let judgement = judge(monitor("P-52", "within")?, &events, limit + S)?;
    assert_eq!(breaches(&judgement), [Breach::Overdue]);
    assert_eq!(
        judge(monitor("P-52", "within")?, &[], FAR)?,
        Judgement::Unseen
    );
    Ok(())
}

#[test]
fn what_failed_did_not_happen() -> Outcomes {
    let mut monitor = monitor("P-15", "every")?;
    let hours = [(0, Outcome::Ok), (1, Outcome::Error), (2, Outcome::Ok)];
    for (hour, outcome) in hours {
        let mut event = event(
            DELETED + Duration::hours(hour),
            Action::BackupCompleted,
            "b",
        )?;
        event.outcome = outcome;
        monitor.see(&Observed::from(&event))?;
    }
    assert_eq!(
        breaches(&monitor.close(FAR)),
        [Breach::Late, Breach::Overdue]
    );
    Ok(())
}

#[test]
fn a_ceiling_on_a_backup_counts_from_what_it_shows_and_a_floor_from_its_end() -> Outcomes {
    let vault = Uuid::from_u128(7);
    let (shown, completed) = (at!(2027-01-10 10:00), at!(2027-01-10 11:00));
    let run = |kind, purged| -> Result<Judgement, Box<dyn Error>> {
        let mut monitor = monitor("P-18", kind)?;
        let backup = event(completed, Action::BackupCompleted, "snapshot")?
            .with("consistent_at", Datum::At(shown))
            .with("vault", Datum::Id(vault));
        monitor.see(&Observed::from(&backup))?;
        let mut purge = event(purged, Action::BackupPurged, "x")?;
        purge.target.id = Some(ItemId::from(vault));
        monitor.see(&Observed::from(&purge))?;
        Ok(monitor.close(FAR))
    };
    let ceiling = at!(2027-07-10 10:00);
    assert!(matches!(
        run("within", ceiling)?,
        Judgement::Satisfied { cases: 1, .. }
    ));
    assert_eq!(breaches(&run("within", ceiling + S)?), [Breach::Late]);
    let floor = at!(2027-07-10 15:00) - Duration::hours(49);
    assert!(matches!(
        run("not_before", floor)?,
        Judgement::Satisfied { cases: 1, .. }
    ));
    assert_eq!(breaches(&run("not_before", floor - S)?), [Breach::Early]);
    Ok(())
}

#[test]
fn each_civil_night_has_its_backup_where_clocks_change() -> Outcomes {
    // nights of Chicago from noon to noon: 23 h of one in March, 25 h of one in November
    for (first, last) in [
        (at!(2027-03-12 18:00), at!(2027-03-14 16:59:59)),
        (at!(2027-11-05 17:00), at!(2027-11-07 17:59:59)),
        (at!(2027-06-05 17:00), at!(2027-06-07 16:59:59)),
    ] {
        let run = |second| {
            let done = Action::BackupCompleted;
            judge(
                monitor("R-22", "every")?,
                &[(first, done, "a"), (second, done, "b")],
                second,
            )
        };
        assert!(
            matches!(run(last)?, Judgement::Satisfied { cases: 1, .. }),
            "{last}"
        );
        assert_eq!(breaches(&run(last + S)?), [Breach::Late], "{last}");
    }
    Ok(())
}

#[test]
fn what_comes_out_of_order_or_too_long_is_refused_and_changes_nothing() -> Outcomes {
    let mut monitor = monitor("P-52", "within")?;
    monitor.see(&Observed::from(&event(
        DELETED,
        Action::RecordDeleted,
        "r",
    )?))?;
    let early = event(DELETED - S, Action::RecordPurged, "r")?;
    let refused = monitor.see(&Observed::from(&early));
    let error = MonitorError::OutOfOrder {
        at: DELETED - S,
        last: DELETED,
    };
    assert_eq!(refused, Err(error));
    let long = vec![0; TEXT_LEN_BYTES_MAX + 1];
    let mut observed = Observed::new(FAR, Action::RecordDeleted);
    observed.key = Some(&long);
    assert_eq!(monitor.see(&observed), Err(MonitorError::TooLong));
    assert_eq!(monitor.open_cases(), 1);
    let purge = event(DELETED, Action::RecordPurged, "r")?;
    monitor.see(&Observed::from(&purge))?;
    assert_eq!(
        monitor.open_cases(),
        0,
        "a settled case leaves nothing behind"
    );
    assert!(matches!(
        monitor.close(FAR),
        Judgement::Satisfied { cases: 1, .. }
    ));
    Ok(())
}

#[test]
fn tenants_and_things_are_cases_apart() -> Outcomes {
    let mut monitor = monitor("P-59", "within")?;
    assert!(matches!(monitor.pattern(), Pattern::Within { .. }));
    let mut other = event(DELETED, Action::DatabaseDeleted, "d")?;
    let tenant = TenantId::derive(&Uuid::NAMESPACE_DNS, "two.example");
    monitor.see(&Observed::from(&other))?;
    other.target.tenant = Some(tenant);
    monitor.see(&Observed::from(&other))?;
    let purged = event(DELETED + S, Action::DatabasePurged, "another id")?;
    monitor.see(&Observed::from(&purged))?;
    let Judgement::Violated(all) = monitor.close(FAR) else {
        return Err("one database was never purged".into());
    };
    let cases: Vec<(&CaseKey, Breach)> = all.iter().map(|v| (&v.case, v.breach)).collect();
    assert!(matches!(cases[..], [(case, Breach::Overdue)] if case.tenant == Some(tenant)));
    Ok(())
}
