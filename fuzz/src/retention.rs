//! retention-policy: a journal row is resumed only as it was written, and leads to an end.

use retention_policy::{Disposal, Step, StepOutcome};

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
    run(disposal.clone(), StepOutcome::Done, Step::Done);
    let store = disposal.stores().first().cloned();
    if let Some(store) = store.filter(|_| disposal.next() != Step::Done) {
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
