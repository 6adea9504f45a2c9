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

    use covenant_core::{BoxFuture, ItemId, OrderId, TenantId};
    use retention_policy::apply::{
        self, Absence, Capability, DisposalTarget, DisposeError, Disposer, Disposers,
    };
    use retention_policy::{Disposal, Probe, Step, StepOutcome, StoreName};

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
            target: &'a DisposalTarget,
            _probes: &'a [Probe],
        ) -> BoxFuture<'a, Result<StepOutcome, DisposeError>> {
            Box::pin(async move { self.act(step, &target.id) })
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
            TenantId::from_bytes([2; 16]),
            "record".parse().unwrap(),
            ItemId::from(3_i64),
            &[shelves[0].name.clone(), shelves[1].name.clone()],
            &[],
        )
        .unwrap()
    }

    /// Runs until the disposal ends or a step fails.
    fn run(disposal: &mut Disposal, disposers: &Disposers<'_>) -> Result<(), DisposeError> {
        while !matches!(disposal.next(), Step::Done | Step::Blocked { .. }) {
            ready(apply::step(disposal, disposers))?;
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
        ready(apply::step(&mut disposal, &wired(&shelves))).unwrap();
        let before = disposal.journal();
        shelves[0].held.lock().unwrap().fail = 1;
        assert!(ready(apply::step(&mut disposal, &wired(&shelves))).is_err());
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
}
