//! Two workers carry out one disposal at the same time, and one hold is placed meanwhile: in every
//! order of what they do, the hold stops what it did not come too late for, and is told of the
//! rest; once it has ended the item goes, with one and the same part of the certificate. The same
//! for one worker whose every call fails once, before or after its effect.
#![cfg(feature = "apply")]

#[cfg(test)]
mod cases {
    use std::collections::{BTreeMap, BTreeSet};
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::sync::{Mutex, MutexGuard};
    use std::task::{Context, Poll, Waker};

    use covenant_core::event::ActorContext;
    use covenant_core::{BoxFuture, HoldId, ItemId, KeyId, OrderId, PrincipalId, TenantId};
    use retention_policy::apply::{
        self, Absence, Capability, Certifier, DisposeError, Disposer, Ended, Joints, Journal,
    };
    use retention_policy::{
        Basis, Disposal, DisposalPart, DisposalTarget, Hold, HoldAct, HoldError, HoldGuard,
        HoldMode, HoldRecord, HoldScope, HoldView, Holds, KeyState, Later, MemoryHolds, OwnsKey,
        Placed, Probe, Release, Step, StepOutcome, StoreName,
    };
    use time::UtcDateTime;

    const NOW: UtcDateTime = UtcDateTime::UNIX_EPOCH;
    /// The copy, and the origin, whose file keeps bytes until a flush.
    const STORES: [&str; 2] = ["search", "rows"];
    type Failure = Box<dyn std::error::Error + Send + Sync>;

    fn target() -> DisposalTarget {
        let tenant = TenantId::from_bytes([2; 16]);
        DisposalTarget::new(tenant, "record".parse().unwrap(), ItemId::from(3_i64))
    }

    fn store(name: &str) -> StoreName {
        name.parse().unwrap()
    }

    fn disposal() -> Disposal {
        let order = OrderId::from_bytes([1; 16]);
        let stores = STORES.map(store);
        Disposal::new(order, target(), &stores, &[], OwnsKey::Yes).unwrap()
    }

    fn part(disposal: &Disposal) -> DisposalPart {
        disposal.part(Basis {
            clause: None,
            rule: "gone-1".parse().unwrap(),
            rules: None,
            commitment: [6; 32],
            methods: BTreeMap::new(),
            remains: Vec::new(),
            leaf: None,
        })
    }

    fn hold() -> Hold {
        Hold {
            id: HoldId::from_bytes([8; 16]),
            tenant: target().tenant,
            matter: "case-1".parse().unwrap(),
            scope: HoldScope::Tenant,
            later: Later::Covered,
            mode: HoldMode::Governance,
            placed_by: PrincipalId::from_bytes([1; 16]),
            reason: "litigation".parse().unwrap(),
            placed_at: NOW,
        }
    }

    /// When a call fails.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum When {
        Before,
        After,
    }

    /// What everybody sees.
    #[derive(Debug, Default)]
    struct World {
        holds: MemoryHolds,
        facts: Mutex<Facts>,
    }

    #[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
    struct Facts {
        gone: BTreeSet<String>,
        bytes_left: bool,
        recorded: bool,
        key_planned: bool,
        journal: Vec<u8>,
        /// What the hold was told; `None` while it is not placed.
        told: Option<BTreeSet<String>>,
        /// What `holds` has noted.
        passed: BTreeSet<String>,
        /// Steps that cannot be taken back, taken by each worker since the hold.
        since: [u8; 2],
        parts: Vec<Vec<u8>>,
        /// Where each worker is, and what it has of the disposal.
        at: [String; 2],
        has: [Vec<u8>; 2],
        /// Calls so far, and which one fails.
        calls: usize,
        fails: Option<usize>,
    }

    impl World {
        fn facts(&self) -> MutexGuard<'_, Facts> {
            self.facts.lock().unwrap()
        }
    }

    /// Lets others go on, once.
    struct Pause(bool);

    impl Future for Pause {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
            if std::mem::replace(&mut self.0, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }
    }

    /// What one worker uses of the world; it pauses before everything that others can see.
    #[derive(Debug, Clone)]
    struct Hands<'a> {
        world: &'a World,
        worker: usize,
        name: StoreName,
        when: When,
    }

    impl Hands<'_> {
        /// Pauses, then does it, unless this is the call that fails.
        async fn act<T>(
            &self,
            what: &str,
            does: impl FnOnce(&mut Facts) -> T,
        ) -> Result<T, Failure> {
            self.world.facts().at[self.worker] = what.to_owned();
            Pause(false).await;
            let mut facts = self.world.facts();
            let call = facts.calls;
            facts.calls += 1;
            let fails = facts.fails == Some(call);
            if fails && self.when == When::Before {
                return Err("not begun".into());
            }
            let done = does(&mut facts);
            if fails {
                return Err("the answer was lost".into());
            }
            Ok(done)
        }
    }

    impl Disposer for Hands<'_> {
        fn store(&self) -> &StoreName {
            &self.name
        }

        fn capabilities(&self) -> &[Capability] {
            if self.name.as_str() == STORES[1] {
                &[
                    Capability::Delete,
                    Capability::RawScan,
                    Capability::DestroyKey,
                ]
            } else {
                &[Capability::Delete]
            }
        }

        fn perform<'a>(
            &'a self,
            step: &'a Step,
            _guard: &'a HoldGuard<'a>,
            _probes: &'a [Probe],
        ) -> BoxFuture<'a, Result<StepOutcome, DisposeError>> {
            let does = move |facts: &mut Facts| {
                assert!(facts.recorded || *step == Step::Record);
                if facts.told.is_some() {
                    facts.since[self.worker] += 1;
                }
                match step {
                    Step::Record => facts.recorded = true,
                    Step::Delete { store } => {
                        if !facts.gone.insert(store.to_string()) {
                            return StepOutcome::Absent;
                        }
                        facts.bytes_left |= store.as_str() == STORES[1];
                        let told = facts.told.as_ref();
                        let told = told.is_none_or(|told| told.contains(store.as_str()));
                        assert!(told, "the hold was not told of {store}");
                    }
                    Step::Flush => facts.bytes_left = false,
                    Step::PlanKey => {
                        facts.key_planned = true;
                        return StepOutcome::KeyPlanned {
                            key: KeyId::from_bytes([5; 16]),
                            state: KeyState::Planned,
                            at: NOW,
                        };
                    }
                    other => panic!("{other:?} is not for a disposer"),
                }
                StepOutcome::Done
            };
            Box::pin(async move {
                let label = format!("{step:?}");
                let done = self.act(&label, does).await;
                done.map_err(DisposeError::Unavailable)
            })
        }

        fn verify<'a>(
            &'a self,
            _target: &'a DisposalTarget,
            _probes: &'a [Probe],
        ) -> BoxFuture<'a, Result<Absence, DisposeError>> {
            Box::pin(async move {
                let look = |facts: &mut Facts| {
                    let name = self.name.as_str();
                    let in_file = facts.bytes_left && name == STORES[1];
                    if !facts.gone.contains(name) || in_file {
                        return Absence::StillPresent { offset: 8 };
                    }
                    Absence::Absent {
                        scanned_bytes: None,
                    }
                };
                let label = format!("verify {}", self.name);
                let seen = self.act(&label, look).await;
                seen.map_err(DisposeError::Unavailable)
            })
        }
    }

    impl Certifier for Hands<'_> {
        fn certify<'a>(
            &'a self,
            disposal: &'a Disposal,
        ) -> BoxFuture<'a, Result<(), DisposeError>> {
            Box::pin(async move {
                let take = |facts: &mut Facts| {
                    let all = STORES.iter().all(|name| facts.gone.contains(*name));
                    assert!(all && !facts.bytes_left && facts.key_planned);
                    let part = part(disposal);
                    assert!(part.is_complete(&STORES.map(store).into()));
                    facts.parts.push(format!("{part:?}").into_bytes());
                    facts.parts.dedup();
                };
                let taken = self.act("certify", take).await;
                taken.map_err(DisposeError::Unavailable)
            })
        }
    }

    impl Journal for Hands<'_> {
        fn put<'a>(&'a self, disposal: &'a Disposal) -> BoxFuture<'a, Result<(), Failure>> {
            let row = disposal.journal();
            Box::pin(async move {
                self.world.facts().has[self.worker] = row.clone();
                self.act("put", |facts| facts.journal = row).await
            })
        }
    }

    fn lost(error: Failure) -> HoldError {
        HoldError::Unavailable(error)
    }

    impl Holds for Hands<'_> {
        fn place<'a>(
            &'a self,
            hold: &'a Hold,
            actor: ActorContext,
        ) -> BoxFuture<'a, Result<Placed, HoldError>> {
            self.world.holds.place(hold, actor)
        }

        fn extend(
            &self,
            tenant: TenantId,
            id: HoldId,
            until: UtcDateTime,
            act: HoldAct,
        ) -> BoxFuture<'_, Result<(), HoldError>> {
            self.world.holds.extend(tenant, id, until, act)
        }

        fn release(
            &self,
            tenant: TenantId,
            id: HoldId,
            act: HoldAct,
        ) -> BoxFuture<'_, Result<Release, HoldError>> {
            self.world.holds.release(tenant, id, act)
        }

        fn list(&self, tenant: TenantId) -> BoxFuture<'_, Result<Vec<HoldRecord>, HoldError>> {
            self.world.holds.list(tenant)
        }

        fn view(&self, tenant: TenantId) -> BoxFuture<'_, Result<HoldView, HoldError>> {
            Box::pin(async move {
                let ask = |_: &mut Facts| ready(self.world.holds.view(tenant));
                self.act("ask", ask).await.map_err(lost)?
            })
        }

        fn pass<'a>(
            &'a self,
            target: &'a DisposalTarget,
            store: &'a StoreName,
            now: UtcDateTime,
        ) -> BoxFuture<'a, Result<(), HoldError>> {
            Box::pin(async move {
                let ask = |facts: &mut Facts| {
                    let passed = ready(self.world.holds.pass(target, store, now));
                    if passed.is_ok() {
                        facts.passed.insert(store.to_string());
                    }
                    passed
                };
                self.act("pass", ask).await.map_err(lost)?
            })
        }

        fn settle<'a>(
            &'a self,
            target: &'a DisposalTarget,
        ) -> BoxFuture<'a, Result<(), HoldError>> {
            Box::pin(async move {
                let forget = |facts: &mut Facts| {
                    facts.passed.clear();
                    ready(self.world.holds.settle(target))
                };
                self.act("settle", forget).await.map_err(lost)?
            })
        }
    }

    /// What is ready at once.
    fn ready<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("memory never waits"),
        }
    }

    /// A worker that takes the disposal up from the journal and goes as far as it comes.
    async fn work(world: &World, worker: usize, when: When) -> Result<Ended, DisposeError> {
        let hands = STORES.map(|name| Hands {
            world,
            worker,
            name: store(name),
            when,
        });
        let joints = Joints {
            disposers: hands
                .iter()
                .map(|hands| (hands.name.clone(), hands as &dyn Disposer))
                .collect(),
            holds: &hands[0],
            certifier: &hands[0],
        };
        let row = world.facts().journal.clone();
        let mut disposal = Disposal::resume(&row).unwrap();
        world.facts().has[worker] = row;
        let ended = apply::run(&mut disposal, &joints, &hands[0], NOW).await;
        world.facts().at[worker] = "over".to_owned();
        ended
    }

    fn finish<T>(future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        for _ in 0..1_000 {
            if let Poll::Ready(value) = future
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
            {
                return value;
            }
        }
        panic!("a worker goes on");
    }

    fn begun() -> World {
        let world = World::default();
        world.facts().journal = disposal().journal();
        world
    }

    fn free(world: &World) {
        for by in [1, 2] {
            let act = HoldAct {
                by: PrincipalId::from_bytes([by; 16]),
                at: NOW,
                actor: ActorContext::system(),
            };
            ready(world.holds.release(hold().tenant, hold().id, act)).unwrap();
        }
        world.facts().told = None;
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Turn {
        Worker(usize),
        Hold,
    }

    /// What came of these turns: where everything is then, and whose turn can be next.
    fn replay(turns: &[Turn], calm: &[u8]) -> (Facts, Vec<Turn>) {
        let world = begun();
        let mut workers = [0, 1].map(|worker| Some(Box::pin(work(&world, worker, When::Before))));
        let mut ended = [None, None];
        for turn in turns {
            match *turn {
                Turn::Worker(n) => {
                    let worker = workers[n].as_mut().unwrap().as_mut();
                    let polled = worker.poll(&mut Context::from_waker(Waker::noop()));
                    if let Poll::Ready(result) = polled {
                        ended[n] = Some(result.unwrap());
                        workers[n] = None;
                    }
                }
                Turn::Hold => {
                    let placed = ready(world.holds.place(&hold(), ActorContext::system())).unwrap();
                    let beyond = placed.beyond.iter().map(|passed| passed.store.to_string());
                    let told: BTreeSet<String> = beyond.collect();
                    let mut facts = world.facts();
                    assert_eq!(
                        told, facts.passed,
                        "told of what has passed, and of no more"
                    );
                    let all: BTreeSet<String> = STORES.map(String::from).into();
                    assert!(
                        facts.gone.is_subset(&told) || facts.gone == all && !facts.parts.is_empty()
                    );
                    facts.told = Some(told);
                }
            }
        }
        let mut next: Vec<Turn> = (0..2)
            .filter(|n| workers[*n].is_some())
            .map(Turn::Worker)
            .collect();
        if world.facts().told.is_none() {
            next.push(Turn::Hold);
        }
        drop(workers);
        let seen = world.facts().clone();
        assert!(seen.since.iter().all(|steps| *steps <= 1), "{seen:?}");
        if let [Some(one), Some(two)] = ended {
            over(&world, &seen, [one, two], calm);
        }
        (seen, next)
    }

    /// Both workers have ended: what the hold kept is there, and goes when it has ended.
    fn over(world: &World, seen: &Facts, ended: [Ended; 2], calm: &[u8]) {
        let all_done = ended == [Ended::Done, Ended::Done];
        match &seen.told {
            None => assert!(all_done),
            Some(told) => {
                assert!(
                    ended
                        .iter()
                        .all(|end| matches!(end, Ended::Done | Ended::Held))
                );
                let certified = !seen.parts.is_empty();
                let kept = seen.gone.is_subset(told);
                assert!(certified || kept, "{seen:?}");
                assert!(certified || !all_done);
                free(world);
            }
        }
        let again = finish(work(world, 0, When::Before)).unwrap();
        assert_eq!(again, Ended::Done);
        let facts = world.facts();
        assert_eq!(facts.parts, [calm], "one part, whoever finished it");
        assert_eq!(Disposal::resume(&facts.journal).unwrap().next(), Step::Done);
        assert!(!facts.bytes_left && facts.gone.len() == STORES.len());
    }

    /// The part of one worker whom nobody disturbs.
    fn undisturbed() -> (Vec<u8>, Facts) {
        let world = begun();
        assert_eq!(finish(work(&world, 0, When::Before)).unwrap(), Ended::Done);
        let facts = world.facts().clone();
        (facts.parts[0].clone(), facts)
    }

    // clause: P-47, P-52
    #[test]
    fn at_every_point() {
        let (calm, _) = undisturbed();
        let mut seen: BTreeSet<Facts> = BTreeSet::new();
        let mut open: Vec<Vec<Turn>> = vec![Vec::new()];
        let (mut held, mut too_late) = (0, 0);
        while let Some(turns) = open.pop() {
            let (facts, next) = replay(&turns, &calm);
            let key = Facts {
                calls: 0,
                ..facts.clone()
            };
            if !seen.insert(key) {
                continue;
            }
            held += u32::from(facts.told.as_ref().is_some_and(BTreeSet::is_empty));
            too_late += u32::from(facts.told.is_some_and(|told| told.len() == STORES.len()));
            open.extend(
                next.into_iter()
                    .map(|turn| [turns.as_slice(), &[turn]].concat()),
            );
        }
        assert!(held > 100 && too_late > 100, "{held} {too_late}");
        assert!(seen.len() > 1_000, "{}", seen.len());
    }

    // clause: P-52
    #[test]
    fn whichever_call_fails_once() {
        let (calm, whole) = undisturbed();
        assert!(whole.calls > 20, "{}", whole.calls);
        for when in [When::Before, When::After] {
            for fails in 0..whole.calls {
                let world = begun();
                world.facts().fails = Some(fails);
                assert!(finish(work(&world, 0, when)).is_err(), "{fails}");
                {
                    // done is what was written down as done, and only the last answer was lost
                    let facts = world.facts();
                    let resumed = Disposal::resume(&facts.journal).unwrap();
                    let last = when == When::After && fails + 1 == whole.calls;
                    assert_eq!(resumed.next() == Step::Done, last, "{fails}");
                }
                // another worker
                assert_eq!(finish(work(&world, 1, when)).unwrap(), Ended::Done);
                let facts = world.facts();
                assert_eq!(facts.parts, [calm.as_slice()], "{fails} {when:?}");
                assert_eq!(facts.gone, whole.gone);
                assert!(!facts.bytes_left);
                let end = Disposal::resume(&facts.journal).unwrap();
                assert_eq!(end.next(), Step::Done);
            }
        }
    }
}
