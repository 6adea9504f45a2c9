//! One item's disposal reaches the same end whatever crashes, fails or is repeated on the way, and
//! never counts as done while bytes are there.
#[cfg(test)]
mod cases {
    use std::collections::{BTreeMap, BTreeSet};

    use covenant_core::{ItemId, KeyId, OrderId, TenantId};
    use proptest::prelude::*;
    use retention_policy::{
        Basis, Disposal, DisposalTarget, KeyState, LineState, OwnsKey, Probe, ProtocolError, Step,
        StepOutcome, StoreName,
    };
    use time::UtcDateTime;

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
            DisposalTarget {
                made_at: Some(UtcDateTime::UNIX_EPOCH),
                subjects: Some(vec![ItemId::from(7_i64)]),
                ..DisposalTarget::new(
                    TenantId::from_bytes([2; 16]),
                    "record".parse().unwrap(),
                    ItemId::from(3_i64),
                )
            },
            &stores(),
            &probes(),
            OwnsKey::Yes,
        )
        .unwrap()
    }

    const VERIFIED: StepOutcome = StepOutcome::Verified {
        scanned_bytes: Some(4_096),
        at: UtcDateTime::UNIX_EPOCH,
    };

    const KEY: StepOutcome = StepOutcome::KeyPlanned {
        key: KeyId::from_bytes([5; 16]),
        state: KeyState::Planned,
        at: UtcDateTime::UNIX_EPOCH,
    };

    fn basis() -> Basis {
        Basis {
            clause: "P-52".parse().ok(),
            rule: "bin-ceiling".parse().unwrap(),
            rules: None,
            commitment: [6; 32],
            methods: BTreeMap::new(),
            remains: Vec::new(),
            leaf: None,
        }
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
                    if !self.deleted.contains(store) {
                        self.deleted.push(store.clone());
                    }
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
                    return VERIFIED;
                }
                Step::PlanKey => {
                    assert_eq!(self.deleted.len(), 3, "no key goes before the item");
                    return KEY;
                }
                Step::Certify => assert_eq!(self.verified.len(), 3, "all is verified first"),
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

    /// Every step fails once, is repeated, and is crashed after, and so does every pair of steps; with
    /// bytes that need a second flush, and without.
    // clause: P-52
    #[test]
    fn each_step_and_each_pair_of_steps_goes_wrong_in_each_way() {
        const WAYS: [Fault; 4] = [
            Fault::CrashAfterEffect,
            Fault::CrashAfterReport,
            Fault::Fails,
            Fault::Repeated,
        ];
        let stubborn = World {
            stubborn: BTreeMap::from([(store("rows"), 2)]),
            ..World::default()
        };
        let mut tried = 0;
        for (world, steps) in [(World::default(), 10), (stubborn, 14)] {
            let (calm, calm_world) = run(world.clone(), &[]);
            for (one, first) in (0..steps).flat_map(|n| WAYS.map(|way| (n, way))) {
                for (two, second) in (one..steps).flat_map(|n| WAYS.map(|way| (n, way))) {
                    let mut faults = vec![Fault::None; two + 1];
                    faults[one] = first;
                    // the same step may go wrong again when it is tried again
                    faults[two] = second;
                    let (end, left) = run(world.clone(), &faults);
                    let what = format!("{one} {first:?} {two} {second:?}");
                    assert_eq!(end.part(basis()), calm.part(basis()), "{what}");
                    assert_eq!(end.next(), Step::Done, "{what}");
                    assert_eq!(left.deleted, calm_world.deleted, "{what}");
                    assert_eq!(left.verified, calm_world.verified, "{what}");
                    tried += 1;
                }
            }
        }
        assert_eq!(tried, 16 * (10 * 11 / 2 + 14 * 15 / 2));
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
            let part = end.part(basis());
            prop_assert!(part.is_complete(&stores().into()));
            prop_assert_eq!(part, calm.part(basis()));
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
                Step::PlanKey,
                Step::Flush,
                verify(&search),
                verify(&objects),
                verify(&rows),
                Step::Certify,
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

    // clause: P-47
    #[test]
    fn a_hold_or_a_refusal_changes_no_step() {
        let mut disposal = disposal();
        let mut world = World::default();
        while disposal.next() != Step::Done {
            let step = disposal.next();
            let before = disposal.clone();
            let held = disposal.observe(&step, StepOutcome::Held);
            assert_eq!(held.is_ok(), step.asks_holds(), "{step:?}");
            assert_eq!(disposal, before);
            let refused = disposal.observe(&step, StepOutcome::Refused);
            assert_eq!(refused.is_ok(), matches!(step, Step::Delete { .. }));
            assert_eq!(disposal.next(), step);
            let part = disposal.part(basis());
            let refusing = part
                .stores
                .iter()
                .filter(|line| line.state == LineState::Refused);
            assert_eq!(refusing.count(), usize::from(refused.is_ok()));
            let verified = step == Step::Certify;
            assert_eq!(part.is_complete(&stores().into()), verified);
            let outcome = world.perform(&step);
            disposal.observe(&step, outcome).unwrap();
        }
        let part = disposal.part(basis());
        assert!(part.is_complete(&stores().into()));
        assert_eq!(part.keys.len(), 1);
        assert!(
            part.stores
                .iter()
                .all(|line| line.scanned_bytes == Some(4_096))
        );
    }

    /// Every state that steps lead to from the start, as journal rows.
    fn reachable() -> BTreeSet<Vec<u8>> {
        let (mut rows, mut open) = (BTreeSet::new(), vec![disposal()]);
        let outcomes = [
            StepOutcome::Done,
            StepOutcome::Absent,
            StepOutcome::Refused,
            StepOutcome::StillPresent { offset: 1 },
            VERIFIED,
            KEY,
        ];
        while let Some(disposal) = open.pop() {
            if !rows.insert(disposal.journal()) {
                continue;
            }
            let step = disposal.next();
            for outcome in outcomes {
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

    /// Every tail that a journal row could have, written by hand as `FORMAT.md` says.
    fn tails() -> impl Iterator<Item = Vec<u8>> {
        let lines = || (0..8_u32).map(|n| (u8::try_from(n % 4).unwrap(), n >= 4));
        let lines = lines()
            .flat_map(move |a| lines().map(move |b| (a, b)))
            .flat_map(move |(a, b)| lines().map(move |c| [a, b, c]));
        let ends = || {
            (0..=8_u8)
                .flat_map(|stage| (0..=3_u8).map(move |at| (stage, at)))
                .flat_map(|(stage, at)| (0..=3_u8).map(move |flushes| [stage, at, flushes]))
        };
        lines.flat_map(move |lines| {
            ends().flat_map(move |end| {
                [false, true].map(|planned| {
                    let mut tail = vec![if planned { 2 } else { 1 }];
                    if planned {
                        tail.extend([5; 16]);
                        tail.extend([0; 8]);
                    }
                    tail.extend(3_u32.to_be_bytes());
                    for ((removed, verified), store) in lines.iter().zip(stores()) {
                        let name = store.as_str();
                        tail.extend(u32::try_from(name.len()).unwrap().to_be_bytes());
                        tail.extend(name.as_bytes());
                        tail.extend([*removed, u8::from(*verified)]);
                        if *verified {
                            tail.extend([0; 8]);
                            tail.push(1);
                            tail.extend(4_096_u64.to_be_bytes());
                        }
                    }
                    tail.extend(end);
                    tail
                })
            })
        })
    }

    #[test]
    fn a_disposal_has_bounds_and_each_store_once() {
        let made = |stores: &[StoreName], probes: usize, subjects: usize| {
            let target = DisposalTarget {
                subjects: Some(vec![ItemId::from(7_i64); subjects]),
                ..disposal().target().clone()
            };
            let probes = vec![probes_of(0); probes];
            let order = OrderId::from_bytes([1; 16]);
            Disposal::new(order, target, stores, &probes, OwnsKey::No)
        };
        let [search, objects, rows] = stores();
        let twice = [&search, &rows, &search, &objects, &rows].map(Clone::clone);
        let once = made(&twice, 0, 0).unwrap().stores();
        assert_eq!(once, [search, rows, objects]);
        let many: Vec<StoreName> = (0..65).map(|n| store(&format!("store-{n}"))).collect();
        assert!(made(&[], 0, 0).is_none());
        assert!(made(&many[..64], 65_536, 1_024).is_some());
        assert!(made(&many, 0, 0).is_none());
        assert!(made(&many[..1], 65_537, 0).is_none());
        assert!(made(&many[..1], 0, 1_025).is_none());
    }

    /// A probe that starts with this byte.
    fn probes_of(first: u8) -> Probe {
        Probe::new([first; 24])
    }

    #[test]
    fn what_the_journal_cannot_hold_is_not_held() {
        let fine = UtcDateTime::UNIX_EPOCH + time::Duration::nanoseconds(1_999);
        let mut disposal = disposal();
        let mut at = fine + time::Duration::seconds(3);
        while disposal.next() != Step::Done {
            let step = disposal.next();
            let outcome = match &step {
                Step::PlanKey => StepOutcome::KeyPlanned {
                    key: KeyId::from_bytes([5; 16]),
                    state: KeyState::Destroyed,
                    at: fine,
                },
                Step::Verify { .. } => {
                    // each a second before the one before it
                    at -= time::Duration::SECOND;
                    StepOutcome::Verified {
                        scanned_bytes: None,
                        at,
                    }
                }
                _ => StepOutcome::Done,
            };
            let verified = disposal.verified_at();
            assert_eq!(verified.is_some(), step == Step::Certify, "{step:?}");
            disposal.observe(&step, outcome).unwrap();
            assert_eq!(Disposal::resume(&disposal.journal()).unwrap(), disposal);
        }
        let micros = time::Duration::microseconds(1);
        assert_eq!(disposal.key().unwrap().at, UtcDateTime::UNIX_EPOCH + micros);
        let latest = UtcDateTime::UNIX_EPOCH + time::Duration::seconds(2) + micros;
        assert_eq!(
            disposal.verified_at(),
            Some(latest),
            "not that of the last store"
        );
    }

    #[test]
    fn a_key_is_planned_with_its_day_where_there_is_one() {
        let mut disposal = disposal();
        while disposal.next() != Step::PlanKey {
            let step = disposal.next();
            disposal.observe(&step, StepOutcome::Done).unwrap();
        }
        let vague = disposal.observe(&Step::PlanKey, StepOutcome::Done);
        assert_eq!(vague, Err(ProtocolError::Outcome));
        disposal.observe(&Step::PlanKey, KEY).unwrap();
        assert_eq!(disposal.observe(&Step::PlanKey, KEY), Ok(()), "told again");
        let mut none = Disposal::new(
            disposal.order(),
            disposal.target().clone(),
            &stores(),
            &[],
            OwnsKey::No,
        )
        .unwrap();
        while none.next() != Step::Certify {
            let step = none.next();
            let outcome = match step {
                Step::Verify { .. } => VERIFIED,
                _ => StepOutcome::Done,
            };
            none.observe(&step, outcome).unwrap();
            let told = none.observe(&Step::PlanKey, KEY);
            assert_eq!(told, Err(ProtocolError::OutOfOrder), "{step:?}");
        }
        assert!(none.key().is_none());
    }

    #[test]
    fn only_states_that_steps_lead_to_are_resumed() {
        let new = disposal().journal();
        // key, three stores, stage
        let tail: usize = 1 + 4 + stores().iter().map(|s| 6 + s.as_str().len()).sum::<usize>() + 3;
        let (constant, _) = new.split_at(new.len() - tail);
        let rows = tails().map(|tail| [constant, &tail].concat());
        let resumed: BTreeSet<Vec<u8>> = rows.filter(|row| Disposal::resume(row).is_ok()).collect();
        assert_eq!(resumed.len(), reachable().len());
        assert_eq!(resumed, reachable());
    }
}
