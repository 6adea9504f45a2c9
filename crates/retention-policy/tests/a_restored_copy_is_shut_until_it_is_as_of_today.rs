//! Random histories of deletions, holds, erasures and backups: whichever backup is given back, and
//! whenever, the copy that opens shows what the live store shows, for every item that it has; no
//! hold is lost, every erasure runs again, and a log that was cut opens nothing.
#![cfg(feature = "digest")]
#[cfg(test)]
mod cases {
    use std::collections::{BTreeMap, BTreeSet};
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use covenant_core::{Action, EventId, HoldId, ItemId, PrincipalId, TenantId};
    use proptest::prelude::*;
    use retention_policy::ledger::MemoryLedger;
    use retention_policy::{
        GateOrder, GateOutcome, GateRefused, GateReport, GateStep, Head, Hold, HoldMode,
        HoldRecord, HoldScope, HoldView, Item, ItemFate, Later, Ledger, LedgerError, LedgerKey,
        Occurrence, RestoreGate, Rules, SchemaAge, overdue,
    };
    use time::{Duration, UtcDateTime};

    const ITEMS: i64 = 4;

    fn at(n: usize) -> UtcDateTime {
        UtcDateTime::UNIX_EPOCH + Duration::hours(i64::try_from(n).unwrap())
    }

    fn tenant() -> TenantId {
        TenantId::from_bytes([7; 16])
    }

    fn event(n: usize) -> EventId {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&n.to_be_bytes());
        EventId::from_bytes(bytes)
    }

    fn ready<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("memory never waits"),
        }
    }

    fn hold(n: u8, placed_at: UtcDateTime) -> Hold {
        Hold {
            id: HoldId::from_bytes([n; 16]),
            tenant: tenant(),
            matter: "case-1".parse().unwrap(),
            scope: HoldScope::Tenant,
            later: Later::Covered,
            mode: HoldMode::Governance,
            placed_by: PrincipalId::from_bytes([1; 16]),
            reason: "litigation".parse().unwrap(),
            placed_at,
        }
    }

    /// What happens in one hour.
    #[derive(Debug, Clone, Copy)]
    enum Act {
        Delete(i64),
        Restore(i64),
        Purge(i64),
        Erase(i64),
        Place(u8),
        Release(u8),
        BackUp,
        /// One more column, which erasures name from then on.
        Migrate,
    }

    fn act() -> impl Strategy<Value = Act> {
        let item = || 0..ITEMS;
        let hold = || 1..4_u8;
        prop_oneof![
            3 => item().prop_map(Act::Delete),
            2 => item().prop_map(Act::Restore),
            2 => item().prop_map(Act::Purge),
            1 => item().prop_map(Act::Erase),
            2 => hold().prop_map(Act::Place),
            1 => hold().prop_map(Act::Release),
            2 => Just(Act::BackUp),
            1 => Just(Act::Migrate),
        ]
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Record {
        Live,
        Binned(UtcDateTime),
    }

    /// A store: a record that is not there was purged.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    struct Store {
        /// How many columns it has; erasures name them all.
        schema: u8,
        records: BTreeMap<i64, Record>,
        erased: BTreeSet<i64>,
        holds: BTreeMap<HoldId, HoldRecord>,
    }

    impl Store {
        fn held(&self) -> bool {
            self.holds.values().any(|hold| hold.released_at().is_none())
        }
    }

    #[derive(Debug)]
    struct World {
        store: Store,
        ledger: MemoryLedger,
        backups: Vec<(Store, Head)>,
    }

    fn live_through(acts: &[Act]) -> World {
        let records = (0..ITEMS).map(|n| (n, Record::Live)).collect();
        let mut world = World {
            store: Store {
                records,
                ..Store::default()
            },
            ledger: MemoryLedger::new(),
            backups: Vec::new(),
        };
        for (n, act) in acts.iter().enumerate() {
            let (when, store) = (at(n), &mut world.store);
            let there = |id: &i64| store.records.get(id).copied();
            let append = |action: Action, id: i64| {
                let key = LedgerKey::Item {
                    class: "record".to_owned(),
                    id: ItemId::from(id),
                };
                world.ledger.append(tenant(), event(n), when, action, key);
            };
            match *act {
                Act::Delete(id) if there(&id) == Some(Record::Live) => {
                    store.records.insert(id, Record::Binned(when));
                    append(Action::RecordDeleted, id);
                }
                Act::Restore(id) if matches!(there(&id), Some(Record::Binned(_))) => {
                    store.records.insert(id, Record::Live);
                    append(Action::RecordRestored, id);
                }
                Act::Purge(id)
                    if matches!(there(&id), Some(Record::Binned(_))) && !store.held() =>
                {
                    store.records.remove(&id);
                    append(Action::RecordPurged, id);
                }
                Act::Erase(id) if there(&id).is_some() && !store.held() => {
                    store.erased.insert(id);
                    append(Action::ErasureCompleted, id);
                }
                Act::Place(number) if !store.holds.contains_key(&hold(number, when).id) => {
                    let placed = hold(number, when);
                    world.ledger.append_hold(&placed, event(n), when);
                    store.holds.insert(placed.id, HoldRecord::new(placed));
                }
                Act::Release(number) => {
                    let id = HoldId::from_bytes([number; 16]);
                    if let Some(record) = store.holds.get_mut(&id)
                        && record.released_at().is_none()
                    {
                        let placed = record.hold().clone();
                        *record = HoldRecord::from_parts(placed, None, Some(when));
                        let (key, action) = (LedgerKey::Hold(id), Action::HoldReleased);
                        world.ledger.append(tenant(), event(n), when, action, key);
                    }
                }
                Act::Migrate => store.schema += 1,
                Act::BackUp => {
                    let head = world.ledger.head(tenant());
                    world.backups.push((store.clone(), head));
                }
                _ => {}
            }
        }
        world
    }

    /// Gives a backup back through the gate.
    fn restore(world: &World, copy: &Store, head: Head) -> Result<Store, GateRefused> {
        let newest = [world.ledger.head(tenant())];
        let entries = ready(world.ledger.since(tenant(), head, &newest));
        let mut copy = copy.clone();
        let age = if copy.schema < world.store.schema {
            SchemaAge::Older
        } else {
            SchemaAge::Same
        };
        let mut gate = RestoreGate::begin(entries, age)?;
        while gate.next() != GateStep::Open {
            assert!(gate.report().is_none(), "shut until the last step");
            let step = gate.next();
            match step {
                GateStep::Migrate => copy.schema = world.store.schema,
                GateStep::TakeHolds => {
                    let facts = &gate.replay().holds;
                    for id in facts.ids() {
                        let record = facts.record(id, copy.holds.get(&id));
                        copy.holds.extend(record.map(|record| (id, record)));
                    }
                }
                GateStep::ReplayItems => {
                    for ((_, id), fate) in &gate.replay().items {
                        let id = i64::from_be_bytes(id.as_bytes().try_into().unwrap());
                        match fate {
                            ItemFate::Purged { .. } => drop(copy.records.remove(&id)),
                            ItemFate::Live => drop(copy.records.insert(id, Record::Live)),
                            ItemFate::Binned { deleted_at } => {
                                copy.records.insert(id, Record::Binned(*deleted_at));
                            }
                        }
                        let readable = copy.records.get(&id) == Some(&Record::Live);
                        assert_eq!(fate.is_readable(), readable);
                    }
                }
                GateStep::RunErasures => {
                    let columns = copy.schema;
                    assert_eq!(columns, world.store.schema, "erasures name every column");
                    for entry in &gate.replay().erasures {
                        if let LedgerKey::Item { id, .. } = &entry.key {
                            let id = i64::from_be_bytes(id.as_bytes().try_into().unwrap());
                            copy.erased.insert(id);
                        }
                    }
                }
                _ => {}
            }
            gate.observe(step, GateOutcome::Done(1)).unwrap();
        }
        assert!(gate.report().is_some());
        Ok(copy)
    }

    proptest! {
        // clause: P-47, P-51, P-52
        #[test]
        fn a_copy_that_opens_shows_what_the_live_store_shows(
            acts in proptest::collection::vec(act(), 1..60),
        ) {
            let world = live_through(&acts);
            for (copy, head) in &world.backups {
                let restored = restore(&world, copy, *head).unwrap();
                prop_assert_eq!(restored, world.store.clone());
            }
        }

        #[test]
        fn a_log_that_was_cut_opens_nothing(
            acts in proptest::collection::vec(act(), 1..60), cut in 0..60_usize,
        ) {
            let world = live_through(&acts);
            let newest = world.ledger.head(tenant());
            let size = usize::try_from(newest.size).unwrap();
            world.ledger.truncate(tenant(), cut);
            for (_, head) in &world.backups {
                let entries = ready(world.ledger.since(tenant(), *head, &[newest]));
                let opened = RestoreGate::begin(entries, SchemaAge::Same);
                let behind = matches!(
                    opened,
                    Err(GateRefused::Ledger(LedgerError::Behind { .. }))
                );
                prop_assert_eq!(behind, cut < size);
            }
        }
    }

    #[test]
    fn no_step_is_left_out_and_none_is_early() {
        use GateStep::{Evaluate, Migrate, Open, ReplayItems, RunErasures, Scan, TakeHolds};
        let all = [
            Migrate,
            TakeHolds,
            ReplayItems,
            RunErasures,
            Evaluate,
            Scan,
            Open,
        ];
        let mut gate = RestoreGate::begin(Ok(Vec::new()), SchemaAge::Older).unwrap();
        for step in all {
            assert_eq!(gate.next(), step);
            for other in all {
                let allowed = other == step && step != Open;
                let mut tried = gate.clone();
                let observed = tried.observe(other, GateOutcome::Failed);
                assert_eq!(observed, if allowed { Ok(()) } else { Err(GateOrder) });
                assert_eq!(tried, gate, "a step that failed changes nothing");
            }
            let count =
                10 + u64::try_from(all.iter().position(|one| *one == step).unwrap()).unwrap();
            let observed = gate.observe(step, GateOutcome::Done(count));
            assert_eq!(observed.is_err(), step == Open);
        }
        let told = GateReport {
            entries: 0,
            holds: 11,
            items: 12,
            erasures: 13,
            disposed: 14,
            scanned_bytes: 15,
        };
        assert_eq!(gate.report(), Some(&told));
        let same = RestoreGate::begin(Ok(Vec::new()), SchemaAge::Same).unwrap();
        assert_eq!(same.next(), TakeHolds);
        let newer = RestoreGate::begin(Ok(Vec::new()), SchemaAge::Newer);
        assert!(matches!(newer, Err(GateRefused::Newer)));
    }

    // clause: P-47
    #[test]
    fn holds_that_contradict_themselves_open_nothing() {
        let ledger = MemoryLedger::new();
        let head = ledger.head(tenant());
        let open = || RestoreGate::begin(ready(ledger.since(tenant(), head, &[])), SchemaAge::Same);
        let (first, mut other) = (hold(1, at(0)), hold(1, at(0)));
        other.scope = HoldScope::Class("record".parse().unwrap());
        ledger.append_hold(&first, event(1), at(1));
        let mut gate = open().unwrap();
        for step in [
            GateStep::TakeHolds,
            GateStep::ReplayItems,
            GateStep::RunErasures,
            GateStep::Evaluate,
            GateStep::Scan,
        ] {
            gate.observe(step, GateOutcome::Done(0)).unwrap();
        }
        assert_eq!(gate.report().map(|report| report.entries), Some(1));
        ledger.append_hold(&other, event(2), at(2));
        let refused = open();
        assert!(
            matches!(refused, Err(GateRefused::Hold(id)) if id == first.id),
            "{refused:?}"
        );
    }

    // clause: P-58
    #[test]
    fn a_deleted_database_opens_only_when_it_was_ordered_back() {
        let ledger = MemoryLedger::new();
        let head = ledger.head(tenant());
        let open = |ledger: &MemoryLedger| {
            RestoreGate::begin(ready(ledger.since(tenant(), head, &[])), SchemaAge::Same)
        };
        assert!(open(&ledger).is_ok());
        for (n, action, opens) in [
            (1, Action::DatabaseDeleted, false),
            (2, Action::DatabasePurged, false),
            (3, Action::DatabaseRestored, true),
            (4, Action::DatabaseDeleted, false),
        ] {
            ledger.append(tenant(), event(n), at(n), action, LedgerKey::Database);
            assert_eq!(open(&ledger).is_ok(), opens, "{action}");
        }
    }

    #[test]
    fn what_is_due_by_now_goes_whatever_was_due_then() {
        let rules = Rules::new()
            .gone("record", "record.deleted", "PT10H")
            .build()
            .unwrap();
        let events = [Occurrence::new("record.deleted", at(0))];
        let items = [
            Item::new(tenant(), "record", 1_i64, &events),
            Item::new(tenant(), "record", 2_i64, &[]),
        ];
        assert_eq!(overdue(&rules, &items, &HoldView::none(), at(11)), [0]);
        let held = HoldView::of(tenant(), 1, [hold(1, at(0))]);
        assert!(overdue(&rules, &items, &held, at(11)).is_empty());
    }
}
