//! One item's disposal reaches the same end whatever crashes, fails or is repeated on the way, and
//! never counts as done while bytes are there.
#[cfg(test)]
mod cases {
    use std::collections::{BTreeMap, BTreeSet};

    use covenant_core::{ItemId, OrderId, TenantId};
    use proptest::prelude::*;
    use retention_policy::{Disposal, Probe, ProtocolError, Step, StepOutcome, StoreName};

    fn store(name: &str) -> StoreName {
        name.parse().unwrap()
    }

    fn stores() -> [StoreName; 3] {
        [store("search"), store("objects"), store("rows")]
    }

    fn probes() -> [Probe; 2] {
        let salt = |first: u8| {
            Probe::new(std::array::from_fn(|n| {
                first.wrapping_add(u8::try_from(n).unwrap())
            }))
        };
        [salt(3), salt(77)]
    }

    fn disposal() -> Disposal {
        Disposal::new(
            OrderId::from_bytes([1; 16]),
            TenantId::from_bytes([2; 16]),
            "record".parse().unwrap(),
            ItemId::from(3_i64),
            &stores(),
            &probes(),
        )
        .unwrap()
    }

    /// A world in which the steps have effects; `hidden` stores need a second flush.
    #[derive(Debug, Default, Clone, PartialEq, Eq)]
    struct World {
        recorded: bool,
        deleted: Vec<StoreName>,
        flushes: u32,
        stubborn: BTreeMap<StoreName, u32>,
        verified: Vec<StoreName>,
    }

    impl World {
        fn perform(&mut self, step: &Step) -> StepOutcome {
            match step {
                Step::Record => self.recorded = true,
                Step::Delete { store } => {
                    assert!(self.recorded, "nothing is deleted before it is recorded");
                    if self.deleted.contains(store) {
                        return StepOutcome::Absent;
                    }
                    self.deleted.push(store.clone());
                }
                Step::Flush => {
                    assert_eq!(
                        self.deleted.len(),
                        3,
                        "nothing is flushed before all is deleted"
                    );
                    self.flushes += 1;
                }
                Step::Verify { store } => {
                    assert!(self.flushes > 0);
                    if self
                        .stubborn
                        .get(store)
                        .is_some_and(|needed| self.flushes < *needed)
                    {
                        return StepOutcome::StillPresent { offset: 4_096 };
                    }
                    if !self.verified.contains(store) {
                        self.verified.push(store.clone());
                    }
                }
                _ => {}
            }
            StepOutcome::Done
        }
    }

    /// Runs to the end, crashing after the steps whose bit is set: before or after the report is
    /// journaled, another worker takes up the journal row.
    fn run(mut world: World, faults: &[Fault]) -> (Disposal, World) {
        let mut disposal = disposal();
        let mut journal = disposal.journal();
        for n in 0..100 {
            let step = disposal.next();
            if matches!(step, Step::Done | Step::Blocked { .. }) {
                break;
            }
            match faults.get(n).unwrap_or(&Fault::None) {
                Fault::None => {
                    let outcome = world.perform(&step);
                    disposal.observe(&step, outcome).unwrap();
                    journal = disposal.journal();
                }
                // the effect happened, the report was lost
                Fault::CrashAfterEffect => {
                    world.perform(&step);
                    disposal = Disposal::resume(&journal).unwrap();
                }
                Fault::CrashAfterReport => {
                    let outcome = world.perform(&step);
                    disposal.observe(&step, outcome).unwrap();
                    journal = disposal.journal();
                    disposal = Disposal::resume(&journal).unwrap();
                }
                Fault::Fails => disposal.observe(&step, StepOutcome::Failed).unwrap(),
                Fault::Repeated => {
                    let outcome = world.perform(&step);
                    disposal.observe(&step, outcome).unwrap();
                    if disposal.next() != step
                        && !matches!(outcome, StepOutcome::StillPresent { .. })
                    {
                        let before = disposal.clone();
                        disposal.observe(&step, outcome).unwrap();
                        assert_eq!(disposal, before);
                    }
                    journal = disposal.journal();
                }
            }
        }
        (disposal, world)
    }

    #[derive(Debug, Clone, Copy)]
    enum Fault {
        None,
        CrashAfterEffect,
        CrashAfterReport,
        Fails,
        Repeated,
    }

    fn fault() -> impl Strategy<Value = Fault> {
        prop_oneof![
            Just(Fault::None),
            Just(Fault::CrashAfterEffect),
            Just(Fault::CrashAfterReport),
            Just(Fault::Fails),
            Just(Fault::Repeated),
        ]
    }

    proptest! {
        #[test]
        fn the_end_is_the_same_as_undisturbed(
            faults in proptest::collection::vec(fault(), 0..30),
        ) {
            let (calm, calm_world) = run(World::default(), &[]);
            let (end, world) = run(World::default(), &faults);
            prop_assert_eq!(&end.next(), &Step::Done);
            prop_assert_eq!(end, calm);
            prop_assert_eq!(world.deleted, calm_world.deleted);
            prop_assert_eq!(world.verified, calm_world.verified);
        }

        #[test]
        fn journal_bytes_are_refused_unless_written_here(at in 0..200_usize, bit in 0..8_u8) {
            let good = disposal().journal();
            let mut bad = good.clone();
            let at = at % bad.len();
            bad[at] ^= 1 << bit;
            if let Ok(other) = Disposal::resume(&bad) {
                prop_assert_eq!(other.journal(), bad);
            }
            prop_assert!(Disposal::resume(&good[..at]).is_err());
        }
    }

    #[test]
    fn steps_come_in_order_origin_last() {
        let mut disposal = disposal();
        let mut world = World::default();
        let mut steps = Vec::new();
        while disposal.next() != Step::Done {
            let step = disposal.next();
            let outcome = world.perform(&step);
            disposal.observe(&step, outcome).unwrap();
            steps.push(step);
        }
        let [search, objects, rows] = stores();
        let delete = |store: &StoreName| Step::Delete {
            store: store.clone(),
        };
        let verify = |store: &StoreName| Step::Verify {
            store: store.clone(),
        };
        assert_eq!(
            steps,
            [
                Step::Record,
                delete(&search),
                delete(&objects),
                delete(&rows),
                Step::Flush,
                verify(&search),
                verify(&objects),
                verify(&rows),
            ]
        );
    }

    // clause: P-52
    #[test]
    fn bytes_that_stay_get_one_more_flush_and_then_an_alarm() {
        let twice = World {
            stubborn: BTreeMap::from([(store("rows"), 2)]),
            ..World::default()
        };
        let (end, world) = run(twice, &[]);
        assert_eq!((end.next(), world.flushes), (Step::Done, 2));

        let never = World {
            stubborn: BTreeMap::from([(store("rows"), 9)]),
            ..World::default()
        };
        let (mut end, world) = run(never, &[]);
        assert_eq!(
            (end.next(), world.flushes),
            (
                Step::Blocked {
                    store: store("rows")
                },
                2
            )
        );
        let resumed = Disposal::resume(&end.journal()).unwrap();
        assert_eq!(resumed, end);
        end.unblock();
        assert_eq!(end.next(), Step::Flush);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let mut disposal = disposal();
        let before = disposal.clone();
        let early = disposal.observe(&Step::Flush, StepOutcome::Done);
        assert_eq!(early, Err(ProtocolError::OutOfOrder));
        let odd = disposal.observe(&Step::Record, StepOutcome::Absent);
        assert_eq!(odd, Err(ProtocolError::Outcome));
        let unknown = disposal.observe(
            &Step::Delete {
                store: store("attic"),
            },
            StepOutcome::Done,
        );
        assert_eq!(unknown, Err(ProtocolError::OutOfOrder));
        assert_eq!(disposal, before);
        assert_eq!(disposal.observe(&Step::Record, StepOutcome::Done), Ok(()));
    }

    #[test]
    fn the_journal_does_not_hold_what_is_sought() {
        let disposal = disposal();
        let journal = disposal.journal();
        let found = |needle: &[u8]| journal.windows(needle.len()).any(|window| window == needle);
        assert_eq!(disposal.probes(), probes());
        for probe in disposal.probes() {
            assert!(!found(&probe.as_bytes()[..8]));
            assert!(
                found(probe.invert().as_bytes()),
                "the control: inverted it is there"
            );
        }
    }

    /// Every state that steps lead to from the start, as journal rows.
    fn reachable() -> BTreeSet<Vec<u8>> {
        let (mut rows, mut open) = (BTreeSet::new(), vec![disposal()]);
        while let Some(disposal) = open.pop() {
            if !rows.insert(disposal.journal()) {
                continue;
            }
            let step = disposal.next();
            for outcome in [StepOutcome::Done, StepOutcome::StillPresent { offset: 1 }] {
                let mut next = disposal.clone();
                if next.observe(&step, outcome).is_ok() {
                    open.push(next);
                }
            }
            let mut next = disposal;
            next.unblock();
            open.push(next);
        }
        rows
    }

    #[test]
    fn only_states_that_steps_lead_to_are_resumed() {
        let new = disposal().journal();
        let (constant, _) = new.split_at(new.len() - 3);
        let mut resumed = BTreeSet::new();
        for (stage, at, flushes) in (0..=7_u8)
            .flat_map(|stage| (0..=4).map(move |at| (stage, at)))
            .flat_map(|(stage, at)| (0..=4).map(move |flushes| (stage, at, flushes)))
        {
            let row = [constant, &[stage, at, flushes]].concat();
            if Disposal::resume(&row).is_ok() {
                resumed.insert(row);
            }
        }
        assert_eq!(resumed, reachable());
    }
}
