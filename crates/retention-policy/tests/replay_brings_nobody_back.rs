//! After a restore, replaying the ledger gives every item the state it would have today: what was
//! purged is gone, what was deleted is in the bin with its own date, what was restored is there.
//! Compared with a model that applies each event to a map, over random legal histories.
#![cfg(feature = "digest")]
#[cfg(test)]
mod cases {
    use std::collections::BTreeMap;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use covenant_core::{Action, EventId, ItemId, TenantId};
    use proptest::prelude::*;
    use retention_policy::ledger::MemoryLedger;
    use retention_policy::{
        Copies, DatabaseFate, Entry, Held, ItemFate, Ledger, LedgerError, LedgerKey, RecordState,
        Standing, replay,
    };
    use time::{Duration, UtcDateTime};

    fn at(secs: usize) -> UtcDateTime {
        UtcDateTime::UNIX_EPOCH + Duration::seconds(i64::try_from(secs).unwrap_or(0))
    }

    fn tenant() -> TenantId {
        TenantId::from_bytes([7; 16])
    }

    fn event(n: usize) -> EventId {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&n.to_be_bytes());
        EventId::from_bytes(bytes)
    }

    fn key(item: i64) -> LedgerKey {
        LedgerKey::Item {
            class: "record".to_owned(),
            id: ItemId::from(item),
        }
    }

    /// The ledger's futures are ready at once.
    fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    /// What a store holds: the state of each record, and when it was deleted.
    type Store = BTreeMap<i64, (RecordState, Option<UtcDateTime>)>;

    /// Applies the event as a live store does; `false` when it is not possible now.
    fn live(store: &mut Store, item: i64, action: Action, when: UtcDateTime) -> bool {
        let Some((state, deleted)) = store.get(&item).copied() else {
            return false;
        };
        let free = Standing::new(Held::No, Copies::Restorable);
        let Ok(after) = state.after(action, free) else {
            return false;
        };
        if state == RecordState::Purged {
            return false;
        }
        match after {
            RecordState::Live => store.insert(item, (after, None)),
            RecordState::Binned => store.insert(item, (after, Some(when))),
            _ => store.insert(item, (after, deleted)),
        };
        true
    }

    /// Applies a replay plan to a restored copy.
    fn restore(mut copy: Store, entries: &[Entry]) -> Store {
        for ((_, id), fate) in replay(entries).items {
            let item = i64::from_be_bytes(id.as_bytes().try_into().unwrap());
            let Some(held) = copy.get_mut(&item) else {
                continue;
            };
            *held = match fate {
                ItemFate::Live => (RecordState::Live, None),
                ItemFate::Binned { deleted_at } => (RecordState::Binned, Some(deleted_at)),
                ItemFate::Purged { .. } => (RecordState::Purged, None),
            };
        }
        copy
    }

    fn without_purged(store: &Store) -> Store {
        store
            .iter()
            .filter(|(_, held)| held.0 != RecordState::Purged)
            .map(|(k, v)| (*k, *v))
            .collect()
    }

    const ACTIONS: [Action; 4] = [
        Action::RecordDeleted,
        Action::RecordRestored,
        Action::RecordManualPurge,
        Action::RecordPurged,
    ];

    proptest! {
        // clause: P-51, P-52
        #[test]
        fn a_restored_copy_equals_the_live_store(
            history in proptest::collection::vec((0..5_i64, 0..4_usize), 0..60),
            cut in 0..60_usize,
        ) {
            let ledger = MemoryLedger::new();
            let mut store: Store = (0..5).map(|item| (item, (RecordState::Live, None))).collect();
            let mut snapshot = (store.clone(), ledger.head(tenant()));
            for (n, (item, action)) in history.iter().enumerate() {
                if n == cut {
                    snapshot = (store.clone(), ledger.head(tenant()));
                }
                if live(&mut store, *item, ACTIONS[*action], at(n)) {
                    ledger.append(tenant(), event(n), at(n), ACTIONS[*action], key(*item));
                }
            }
            let newest = [ledger.head(tenant())];
            let entries = ready(ledger.since(tenant(), snapshot.1, &newest)).unwrap().unwrap();
            let restored = restore(snapshot.0.clone(), &entries);
            prop_assert_eq!(without_purged(&restored), without_purged(&store));

            let mut reversed = entries.clone();
            reversed.reverse();
            prop_assert_eq!(replay(&reversed), replay(&entries));
            prop_assert_eq!(&replay(&entries), &replay(&[entries.clone(), entries].concat()));
        }

        #[test]
        fn a_log_cut_anywhere_after_a_known_head_is_refused(len in 1..20_usize, cut in 0..20_usize) {
            let ledger = MemoryLedger::new();
            let start = ledger.head(tenant());
            for n in 0..len {
                ledger.append(tenant(), event(n), at(n), Action::RecordDeleted, key(1));
            }
            let newest = [ledger.head(tenant())];
            prop_assert!(ready(ledger.since(tenant(), start, &newest)).unwrap().is_ok());
            let cut = cut % len;
            ledger.truncate(tenant(), cut);
            let refused = ready(ledger.since(tenant(), start, &newest)).unwrap();
            let behind = matches!(refused, Err(LedgerError::Behind { .. }));
            prop_assert!(behind);
            // nor does it help to write on: the root is another
            for n in cut..len {
                ledger.append(tenant(), event(n), at(n + 1), Action::RecordDeleted, key(2));
            }
            let refused = ready(ledger.since(tenant(), start, &newest)).unwrap();
            let behind = matches!(refused, Err(LedgerError::Behind { .. }));
            prop_assert!(behind);
        }
    }

    fn entries(facts: &[(Action, LedgerKey)]) -> Vec<Entry> {
        facts
            .iter()
            .enumerate()
            .map(|(n, (action, key))| Entry {
                seq: u64::try_from(n).unwrap(),
                event: event(n),
                at: at(n),
                action: *action,
                key: key.clone(),
                hold: None,
            })
            .collect()
    }

    #[test]
    fn a_purge_stands_although_the_id_is_used_again() {
        let facts = [
            (Action::RecordDeleted, key(1)),
            (Action::RecordPurged, key(1)),
            (Action::RecordCreated, key(1)),
            (Action::RecordDeleted, key(1)),
            (Action::RecordRestored, key(1)),
        ];
        let fates: Vec<ItemFate> = replay(&entries(&facts)).items.into_values().collect();
        assert_eq!(fates, [ItemFate::Purged { at: at(1) }]);
    }

    // clause: P-58
    #[test]
    fn a_deleted_database_opens_only_after_a_later_order() {
        let database = LedgerKey::Database;
        let mut facts = vec![(Action::DatabaseDeleted, database.clone())];
        assert!(!replay(&entries(&facts)).may_open());
        facts.push((Action::DatabasePurged, database.clone()));
        assert!(!replay(&entries(&facts)).may_open());
        facts.push((Action::DatabaseRestored, database.clone()));
        let plan = replay(&entries(&facts));
        assert!(plan.may_open());
        assert_eq!(plan.database, Some(DatabaseFate::Restored { at: at(2) }));
        facts.push((Action::DatabaseDeleted, database));
        assert!(!replay(&entries(&facts)).may_open());
        assert!(replay(&[]).may_open());
        // deleted before the copy was taken, purged since
        let purged = [(Action::DatabasePurged, LedgerKey::Database)];
        assert!(!replay(&entries(&purged)).may_open());
    }

    #[test]
    fn erasures_are_handed_over_and_never_folded_away() {
        let facts = [
            (Action::ErasureRequested, key(1)),
            (Action::RecordDeleted, key(1)),
            (Action::RecordRestored, key(1)),
        ];
        let plan = replay(&entries(&facts));
        assert_eq!(plan.erasures.len(), 1);
        assert_eq!(plan.items.len(), 1);
    }
}
