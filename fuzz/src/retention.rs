//! retention-policy: journal rows, plans and entries of ledgers are read only as they were written; a
//! journal row leads to an end.

use covenant_core::KeyId;
use retention_policy::{Disposal, Entry, KeyState, Plan, Step, StepOutcome};
use time::UtcDateTime;

/// Most steps of a disposal from 64 stores: deleting from each, then flushing and verifying each
/// as often as there are flushes, with room for the rest.
const STEPS_MAX: usize = 1_024;

/// Rows encode to themselves; from any of them a disposal ends when its steps succeed, is blocked
/// when bytes stay, and can be taken up after every step.
pub fn journal(data: &[u8]) {
    let Ok(disposal) = Disposal::resume(data) else {
        return;
    };
    assert_eq!(disposal.journal(), data);
    let gone = StepOutcome::Verified {
        scanned_bytes: None,
        at: UtcDateTime::UNIX_EPOCH,
    };
    run(disposal.clone(), gone, Step::Done);
    let store = disposal.stores().first().cloned();
    if let Some(store) = store.filter(|_| !matches!(disposal.next(), Step::Certify | Step::Done)) {
        let found = StepOutcome::StillPresent { offset: 0 };
        run(disposal, found, Step::Blocked { store });
    }
}

/// Takes every step; verification says this.
fn run(mut disposal: Disposal, verified: StepOutcome, expect: Step) {
    if matches!(disposal.next(), Step::Blocked { .. }) {
        disposal.unblock();
    }
    for _ in 0..STEPS_MAX {
        let step = disposal.next();
        if matches!(step, Step::Done | Step::Blocked { .. }) {
            break;
        }
        let outcome = match step {
            Step::Verify { .. } => verified,
            Step::PlanKey => StepOutcome::KeyPlanned {
                key: KeyId::from_bytes([5; 16]),
                state: KeyState::Planned,
                at: UtcDateTime::UNIX_EPOCH,
            },
            _ => StepOutcome::Done,
        };
        assert_eq!(disposal.observe(&step, outcome), Ok(()));
        assert_eq!(Disposal::resume(&disposal.journal()), Ok(disposal.clone()));
    }
    let last = disposal.next();
    let ends = match expect {
        Step::Blocked { .. } => matches!(last, Step::Blocked { .. }),
        other => last == other,
    };
    assert!(ends, "a disposal ended in {last:?}");
}

/// A plan's bytes encode to themselves, and are sorted.
pub fn plan_bytes(data: &[u8]) {
    let Ok(plan) = Plan::from_bytes(data) else {
        return;
    };
    assert_eq!(plan.bytes(), data);
    let places = plan.items().iter();
    let places = places.map(|item| (item.tenant, &item.store, &item.class, &item.id));
    assert!(places.collect::<Vec<_>>().is_sorted());
}

/// An entry of a ledger encodes to itself.
pub fn ledger_entry(data: &[u8]) {
    if let Ok(entry) = Entry::from_bytes(data) {
        assert_eq!(entry.bytes(), data);
    }
}
