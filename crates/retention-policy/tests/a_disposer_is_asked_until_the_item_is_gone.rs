//! Driven through disposers, a disposal deletes copies before the origin, flushes what can be
//! scanned, and is never done while a store is unwired, fails, or still holds the item.
#![cfg(feature = "apply")]

#[cfg(test)]
mod cases {
    use std::collections::BTreeSet;
    use std::future::Future;
    use std::pin::pin;
    use std::sync::Mutex;
    use std::task::{Context, Poll, Waker};

    use covenant_core::event::ActorContext;
    use covenant_core::{BoxFuture, HoldId, ItemId, OrderId, PrincipalId, TenantId};
    use retention_policy::apply::{
        self, Absence, Capability, Certifier, DisposeError, Disposer, Disposers, Ended, Joints,
        Journal,
    };
    use retention_policy::{
        Disposal, DisposalTarget, Hold, HoldAct, HoldGuard, HoldMode, HoldScope, Holds, Later,
        MemoryHolds, OwnsKey, Probe, Step, StepOutcome, StoreName,
    };
    use time::UtcDateTime;

    /// A store in memory: rows, and the bytes that deletion leaves behind until a flush.
    #[derive(Debug)]
    struct Shelf {
        name: StoreName,
        able: Vec<Capability>,
        held: Mutex<Held>,
    }

    #[derive(Debug, Default)]
    struct Held {
        rows: BTreeSet<ItemId>,
        left: BTreeSet<ItemId>,
        asked: Vec<Step>,
        fail: u32,
        sticky: u32,
    }

    impl Shelf {
        fn new(name: &str, able: &[Capability]) -> Self {
            let rows = BTreeSet::from([ItemId::from(3_i64), ItemId::from(4_i64)]);
            let held = Mutex::new(Held {
                rows,
                ..Held::default()
            });
            Self {
                name: name.parse().unwrap(),
                able: able.to_vec(),
                held,
            }
        }

        fn act(&self, step: &Step, id: &ItemId) -> Result<StepOutcome, DisposeError> {
            let mut held = self.held.lock().unwrap();
            held.asked.push(step.clone());
            if held.fail > 0 {
                held.fail -= 1;
                return Err(DisposeError::Unavailable("no answer".into()));
            }
            match step {
                Step::Delete { .. } if !held.rows.remove(id) => return Ok(StepOutcome::Absent),
                Step::Delete { .. } if self.able.contains(&Capability::RawScan) => {
                    held.left.insert(id.clone());
                }
                Step::Flush if held.sticky > 0 => held.sticky -= 1,
                Step::Flush => held.left.clear(),
                _ => {}
            }
            Ok(StepOutcome::Done)
        }
    }

    impl Disposer for Shelf {
        fn store(&self) -> &StoreName {
            &self.name
        }

        fn capabilities(&self) -> &[Capability] {
            &self.able
        }

        fn perform<'a>(
            &'a self,
            step: &'a Step,
            guard: &'a HoldGuard<'a>,
            _probes: &'a [Probe],
        ) -> BoxFuture<'a, Result<StepOutcome, DisposeError>> {
            Box::pin(async move { self.act(step, &guard.target().id) })
        }

        fn verify<'a>(
            &'a self,
            target: &'a DisposalTarget,
            _probes: &'a [Probe],
        ) -> BoxFuture<'a, Result<Absence, DisposeError>> {
            Box::pin(async move {
                let held = self.held.lock().unwrap();
                let there = held.rows.contains(&target.id) || held.left.contains(&target.id);
                Ok(if there {
                    Absence::StillPresent { offset: 8 }
                } else {
                    Absence::Absent {
                        scanned_bytes: None,
                    }
                })
            })
        }
    }

    /// The shelves' futures are ready at once.
    fn ready<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("a shelf never waits"),
        }
    }

    fn shelves() -> [Shelf; 2] {
        let delete = Capability::Delete;
        [
            Shelf::new("search", &[delete]),
            Shelf::new("rows", &[delete, Capability::RawScan]),
        ]
    }

    fn wired(shelves: &[Shelf; 2]) -> Disposers<'_> {
        shelves
            .iter()
            .map(|shelf| (shelf.name.clone(), shelf as &dyn Disposer))
            .collect()
    }

    fn disposal(shelves: &[Shelf; 2]) -> Disposal {
        Disposal::new(
            OrderId::from_bytes([1; 16]),
            DisposalTarget::new(
                TenantId::from_bytes([2; 16]),
                "record".parse().unwrap(),
                ItemId::from(3_i64),
            ),
            &[shelves[0].name.clone(), shelves[1].name.clone()],
            &[],
            OwnsKey::No,
        )
        .unwrap()
    }

    /// Counts the parts it takes, and the rows it keeps.
    #[derive(Debug, Default)]
    struct Desk {
        parts: Mutex<u32>,
        rows: Mutex<Vec<Vec<u8>>>,
    }

    impl Certifier for Desk {
        fn certify<'a>(
            &'a self,
            _disposal: &'a Disposal,
        ) -> BoxFuture<'a, Result<(), DisposeError>> {
            *self.parts.lock().unwrap() += 1;
            Box::pin(async { Ok(()) })
        }
    }

    impl Journal for Desk {
        fn put<'a>(
            &'a self,
            disposal: &'a Disposal,
        ) -> BoxFuture<'a, Result<(), Box<dyn std::error::Error + Send + Sync>>> {
            self.rows.lock().unwrap().push(disposal.journal());
            Box::pin(async { Ok(()) })
        }
    }

    fn step(
        disposal: &mut Disposal,
        disposers: &Disposers<'_>,
    ) -> Result<StepOutcome, DisposeError> {
        let (holds, desk) = (MemoryHolds::new(), Desk::default());
        let joints = Joints {
            disposers: disposers.clone(),
            holds: &holds,
            certifier: &desk,
        };
        ready(apply::step(disposal, &joints, UtcDateTime::UNIX_EPOCH))
    }

    /// Runs until the disposal ends or a step fails.
    fn run(disposal: &mut Disposal, disposers: &Disposers<'_>) -> Result<(), DisposeError> {
        while !matches!(disposal.next(), Step::Done | Step::Blocked { .. }) {
            step(disposal, disposers)?;
        }
        Ok(())
    }

    #[test]
    fn copies_go_before_the_origin_and_others_stay() {
        let shelves = shelves();
        let mut disposal = disposal(&shelves);
        run(&mut disposal, &wired(&shelves)).unwrap();
        assert_eq!(disposal.next(), Step::Done);
        let delete = |n: usize| Step::Delete {
            store: shelves[n].name.clone(),
        };
        // only the origin records, only what can be scanned is flushed
        assert_eq!(shelves[0].held.lock().unwrap().asked, [delete(0)]);
        let origin = shelves[1].held.lock().unwrap();
        assert_eq!(origin.asked, [Step::Record, delete(1), Step::Flush]);
        assert_eq!(origin.rows, BTreeSet::from([ItemId::from(4_i64)]));
    }

    #[test]
    fn a_store_without_a_disposer_is_never_skipped() {
        let shelves = shelves();
        let mut disposal = disposal(&shelves);
        let mut some = wired(&shelves);
        some.remove("search");
        let refused = run(&mut disposal, &some);
        assert!(matches!(refused, Err(DisposeError::Unwired(store)) if store == shelves[0].name));
        assert_eq!(
            disposal.next(),
            Step::Delete {
                store: shelves[0].name.clone()
            }
        );
        run(&mut disposal, &wired(&shelves)).unwrap();
        assert_eq!(disposal.next(), Step::Done);
    }

    #[test]
    fn a_failure_changes_nothing_and_is_tried_again() {
        let shelves = shelves();
        let mut disposal = disposal(&shelves);
        step(&mut disposal, &wired(&shelves)).unwrap();
        let before = disposal.journal();
        shelves[0].held.lock().unwrap().fail = 1;
        assert!(step(&mut disposal, &wired(&shelves)).is_err());
        assert_eq!(disposal.journal(), before);
        run(&mut disposal, &wired(&shelves)).unwrap();
        assert_eq!(disposal.next(), Step::Done);
    }

    // clause: P-52
    #[test]
    fn bytes_that_stay_are_flushed_once_more_and_then_block() {
        for (sticky, end) in [
            (1, Step::Done),
            (
                2,
                Step::Blocked {
                    store: "rows".parse().unwrap(),
                },
            ),
        ] {
            let shelves = shelves();
            shelves[1].held.lock().unwrap().sticky = sticky;
            let mut disposal = disposal(&shelves);
            run(&mut disposal, &wired(&shelves)).unwrap();
            assert_eq!(disposal.next(), end);
        }
    }

    fn hold() -> Hold {
        Hold {
            id: HoldId::from_bytes([8; 16]),
            tenant: TenantId::from_bytes([2; 16]),
            matter: "case-1".parse().unwrap(),
            scope: HoldScope::Tenant,
            later: Later::Covered,
            mode: HoldMode::Governance,
            placed_by: PrincipalId::from_bytes([1; 16]),
            reason: "litigation".parse().unwrap(),
            placed_at: UtcDateTime::UNIX_EPOCH,
        }
    }

    fn free(holds: &MemoryHolds) {
        for by in [1, 2] {
            let act = HoldAct {
                by: PrincipalId::from_bytes([by; 16]),
                at: UtcDateTime::UNIX_EPOCH,
                actor: ActorContext::system(),
            };
            ready(holds.release(hold().tenant, hold().id, act)).unwrap();
        }
    }

    // clause: P-47
    #[test]
    fn a_hold_between_any_two_steps_stops_it_until_it_ends() {
        let calm = shelves();
        let mut undisturbed = disposal(&calm);
        run(&mut undisturbed, &wired(&calm)).unwrap();
        for before in 0..9 {
            let shelves = shelves();
            let (holds, desk) = (MemoryHolds::new(), Desk::default());
            let joints = Joints {
                disposers: wired(&shelves),
                holds: &holds,
                certifier: &desk,
            };
            let mut disposal = disposal(&shelves);
            for _ in 0..before {
                ready(apply::step(&mut disposal, &joints, UtcDateTime::UNIX_EPOCH)).unwrap();
            }
            let next = disposal.next();
            let seen: Vec<usize> = shelves
                .iter()
                .map(|shelf| shelf.held.lock().unwrap().asked.len())
                .collect();
            let placed = ready(holds.place(&hold(), ActorContext::system())).unwrap();
            let ended = ready(apply::run(
                &mut disposal,
                &joints,
                &desk,
                UtcDateTime::UNIX_EPOCH,
            ));
            let after: Vec<usize> = shelves
                .iter()
                .map(|shelf| shelf.held.lock().unwrap().asked.len())
                .collect();
            assert_eq!(seen, after, "nothing more is done to any store: {next:?}");
            let passed: Vec<&str> = placed
                .beyond
                .iter()
                .map(|passed| passed.store.as_str())
                .collect();
            let expected: &[&str] = match before {
                0 | 1 => &[],
                2 => &["search"],
                // certified and settled: nothing is under way any more
                7.. => &[],
                _ => &["rows", "search"],
            };
            assert_eq!(passed, expected, "{next:?}");
            if next.asks_holds() {
                assert_eq!(ended.unwrap(), Ended::Held, "{next:?}");
                let waiting = Disposal::resume(&disposal.journal()).unwrap();
                assert_eq!(waiting.next(), next, "queued, and not dropped");
                free(&holds);
                let ended = ready(apply::run(
                    &mut disposal,
                    &joints,
                    &desk,
                    UtcDateTime::UNIX_EPOCH,
                ));
                assert_eq!(ended.unwrap(), Ended::Done);
            } else {
                assert_eq!(ended.unwrap(), Ended::Done, "{next:?}");
            }
            assert_eq!(disposal, undisturbed);
            assert_eq!(*desk.parts.lock().unwrap(), 1, "one part");
        }
    }

    /// What a worker does in one go; between two of these anything may happen.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Act {
        Ask(usize),
        Delete(usize),
    }

    /// Every order in which two workers and one hold can come: whatever a store gave up after the
    /// hold was placed, the hold was told of.
    // clause: P-47
    #[test]
    fn two_workers_and_a_hold_at_every_point() {
        let work = [Act::Ask(0), Act::Delete(0), Act::Ask(1), Act::Delete(1)];
        let stores: [StoreName; 2] = ["search".parse().unwrap(), "rows".parse().unwrap()];
        let target = DisposalTarget::new(
            hold().tenant,
            "record".parse().unwrap(),
            ItemId::from(3_i64),
        );
        let (mut orders, mut stopped) = (0, 0);
        let actions = 2 * work.len();
        // bit n says whose turn the n-th action is
        for turns in (0_u32..1 << actions).filter(|turns| turns.count_ones() == 4) {
            for hold_at in 0..=actions {
                let holds = MemoryHolds::new();
                let mut at = [0_usize; 2];
                let mut halted = [false; 2];
                let mut gone: Vec<(usize, bool)> = Vec::new();
                let mut told: Option<Vec<StoreName>> = None;
                for n in 0..=actions {
                    if n == hold_at {
                        let placed = ready(holds.place(&hold(), ActorContext::system())).unwrap();
                        let beyond = placed.beyond.into_iter();
                        told = Some(beyond.map(|passed| passed.store).collect());
                    }
                    if n == actions {
                        break;
                    }
                    let worker = usize::from(turns >> n & 1 == 1);
                    if halted[worker] {
                        continue;
                    }
                    match work[at[worker]] {
                        Act::Ask(store) => {
                            let guard = HoldGuard::new(&holds, &target, UtcDateTime::UNIX_EPOCH);
                            halted[worker] = ready(guard.pass(&stores[store])).is_err();
                        }
                        Act::Delete(store) => gone.push((store, told.is_some())),
                    }
                    at[worker] += 1;
                }
                let told = told.unwrap();
                for (store, after_hold) in gone {
                    assert!(
                        !after_hold || told.contains(&stores[store]),
                        "{turns:b} {hold_at}: the hold was not told of {store}"
                    );
                }
                orders += 1;
                stopped += u32::from(halted.contains(&true));
            }
        }
        assert_eq!(orders, 70 * 9);
        assert!(stopped > 300, "most holds come in time: {stopped}");
    }
}
