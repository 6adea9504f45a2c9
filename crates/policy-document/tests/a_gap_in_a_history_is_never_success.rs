//! What a gap may hide is not decided: neither success nor a breach that nobody can show. Many
//! monitors over one history say what each of them says alone, and an event out of order is named by
//! its position.

use std::error::Error;

use covenant_core::{Action, ClauseId, Reading, TxnId};
use policy_document::monitor::{
    Cases, Judgement, Monitor, MonitorError, MonitorSet, Observed, Pattern, Step, Undecided,
    Watched, watch,
};
use time::UtcDateTime;
use time::macros::utc_datetime as at;
use uuid::Uuid;

type Outcomes = Result<(), Box<dyn Error>>;

const END: UtcDateTime = at!(2028-01-01 0:00);

fn monitor(pattern: Pattern) -> Result<Monitor, Box<dyn Error>> {
    let clause: ClauseId = "P-51".parse()?;
    Ok(Monitor::new(clause, pattern, &Reading::default()))
}

fn within() -> Result<Pattern, Box<dyn Error>> {
    Ok(Pattern::Within {
        from: [Action::RecordDeleted].into(),
        to: Action::RecordPurged,
        max: "P30D".parse()?,
        late: "PT0S".parse()?,
        ended_by: [].into(),
        cases: Cases::Thing,
    })
}

fn not_before() -> Result<Pattern, Box<dyn Error>> {
    Ok(Pattern::NotBefore {
        from: [Action::RecordDeleted].into(),
        to: Action::RecordPurged,
        min: "P30D".parse()?,
        early: "PT0S".parse()?,
        ended_by: [].into(),
        cases: Cases::Thing,
    })
}

fn event(when: UtcDateTime, action: Action, key: &'static [u8]) -> Step<'static> {
    let mut event = Observed::new(when, action);
    event.key = Some(key);
    Step::Event(event)
}

fn gap(from: UtcDateTime, until: UtcDateTime) -> Step<'static> {
    Step::Gap { from, until }
}

fn judge(pattern: Pattern, steps: Vec<Step<'static>>) -> Result<Watched, Box<dyn Error>> {
    let mut all = watch([monitor(pattern)?], steps, END)?;
    all.pop().ok_or_else(|| "one monitor, one judgement".into())
}

fn why(watched: &Watched) -> Vec<Undecided> {
    match &watched.judgement {
        Judgement::Pending(open) => open.iter().map(|open| open.why).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_ceiling_that_ends_in_a_gap_is_not_decided_and_one_before_it_failed() -> Outcomes {
    let open = judge(
        within()?,
        vec![
            event(at!(2027-01-01 0:00), Action::RecordDeleted, b"a"),
            gap(at!(2027-01-20 0:00), at!(2027-03-01 0:00)),
        ],
    )?;
    assert_eq!(why(&open), [Undecided::Lost, Undecided::Gap]);
    assert_eq!((open.cases, open.held()), (0, false));
    let late = judge(
        within()?,
        vec![
            event(at!(2027-01-01 0:00), Action::RecordDeleted, b"a"),
            gap(at!(2027-02-20 0:00), at!(2027-03-01 0:00)),
        ],
    )?;
    assert!(matches!(late.judgement, Judgement::Violated(all) if all.len() == 1));
    Ok(())
}

#[test]
fn a_floor_that_was_over_before_a_gap_held_and_any_other_is_not_decided() -> Outcomes {
    let steps = vec![
        event(at!(2027-01-01 0:00), Action::RecordDeleted, b"a"),
        event(at!(2027-02-15 0:00), Action::RecordDeleted, b"b"),
        gap(at!(2027-02-20 0:00), at!(2027-02-21 0:00)),
        // no breach: it may have been restored and deleted again in the gap, or purged in it
        event(at!(2027-02-22 0:00), Action::RecordPurged, b"b"),
    ];
    let judged = judge(not_before()?, steps)?;
    assert_eq!(why(&judged), [Undecided::Lost, Undecided::Gap]);
    assert_eq!((judged.cases, judged.held()), (1, true));
    let words: Vec<_> = match &judged.judgement {
        Judgement::Pending(open) => open.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let told = "nothing is known of what happened from 2027-02-20 0:00:00.0 +00 to \
                2027-02-21 0:00:00.0 +00";
    assert_eq!(words.last().map(String::as_str), Some(told));
    Ok(())
}

#[test]
fn even_a_history_in_which_all_else_held_is_pending_over_its_gap() -> Outcomes {
    let steps = vec![
        event(at!(2027-01-01 0:00), Action::RecordDeleted, b"a"),
        event(at!(2027-01-02 0:00), Action::RecordPurged, b"a"),
        gap(at!(2027-01-03 0:00), at!(2027-01-04 0:00)),
    ];
    let judged = judge(within()?, steps)?;
    assert_eq!(why(&judged), [Undecided::Gap]);
    assert_eq!(judged.cases, 1);
    Ok(())
}

#[test]
fn what_must_come_first_may_have_come_in_the_gap() -> Outcomes {
    let before = || Pattern::Before {
        first: Action::DisclosureRequested,
        then: Action::DisclosureMade,
        cases: Cases::Thing,
    };
    let made = |day| event(day, Action::DisclosureMade, b"a");
    let steps = vec![
        gap(at!(2027-01-03 0:00), at!(2027-01-04 0:00)),
        made(at!(2027-01-05 0:00)),
    ];
    assert_eq!(
        why(&judge(before(), steps)?),
        [Undecided::Gap, Undecided::Lost]
    );
    let judged = judge(before(), vec![made(at!(2027-01-05 0:00))])?;
    assert!(matches!(judged.judgement, Judgement::Violated(_)));
    Ok(())
}

#[test]
fn a_transaction_on_the_edge_of_a_gap_is_not_broken() -> Outcomes {
    let always = || Pattern::Always {
        when: Action::RecordCreated,
        then: Action::ChangeRecorded,
    };
    let created = |day, txn| {
        let txn = TxnId::from_uuid(Uuid::from_u128(txn));
        Step::Event(Observed::new(day, Action::RecordCreated).in_txn(txn))
    };
    let (from, until) = (at!(2027-01-03 0:00), at!(2027-01-04 0:00));
    let steps = vec![
        created(at!(2027-01-02 23:59), 1),
        gap(from, until),
        created(at!(2027-01-04 0:30), 2),
        created(at!(2027-01-05 0:00), 3),
    ];
    let judged = judge(always(), steps)?;
    assert!(matches!(judged.judgement, Judgement::Violated(all) if all.len() == 1));
    let steps = vec![
        created(at!(2027-01-02 23:59), 1),
        gap(from, until),
        created(at!(2027-01-04 0:30), 2),
    ];
    let lost = [Undecided::Lost, Undecided::Gap, Undecided::Lost];
    assert_eq!(why(&judge(always(), steps)?), lost);
    Ok(())
}

#[test]
fn a_set_says_what_its_monitors_say_and_names_the_event_that_is_out_of_order() -> Outcomes {
    let events = [
        (at!(2027-01-01 0:00), Action::RecordDeleted),
        (at!(2027-01-10 0:00), Action::RecordPurged),
        (at!(2027-03-01 0:00), Action::RecordDeleted),
    ];
    let monitors = [monitor(within()?)?, monitor(not_before()?)?];
    let mut set = MonitorSet::new(monitors.clone());
    for (when, action) in events {
        set.see(&Observed::new(when, action))?;
    }
    let early = set.clone().see(&Observed::new(
        at!(2027-02-01 0:00),
        Action::BackupCompleted,
    ));
    let error = early.err().ok_or("out of order")?;
    assert_eq!(error.position, 4);
    let (when, last) = (at!(2027-02-01 0:00), at!(2027-03-01 0:00));
    assert_eq!(error.error, MonitorError::OutOfOrder { at: when, last });
    assert!(set.clone().gap(at!(2027-02-01 0:00), END).is_err());
    assert!(set.clone().gap(END, at!(2027-12-31 0:00)).is_err());
    for (watched, mut alone) in set.close(END).into_iter().zip(monitors) {
        for (when, action) in events {
            alone.see(&Observed::new(when, action))?;
        }
        assert_eq!(watched.judgement, alone.close(END));
    }
    Ok(())
}
