//! A hold decides before every rule: what it covers is kept until the last hold has ended, and the
//! deadline that passed meanwhile is not forgotten.
#[cfg(test)]
mod cases {
    use std::collections::BTreeSet;

    use covenant_core::{HoldId, ItemId, PrincipalId, TenantId};
    use proptest::prelude::*;
    use retention_policy::{
        Hold, HoldMode, HoldScope, HoldView, Item, ItemList, Later, Moment, Occurrence, Retention,
        RuleSet, Rules, Span, State, Unclassified, simulate,
    };
    use time::{Duration, UtcDateTime};

    const SUBJECT: i64 = 77;

    fn at(secs: i64) -> UtcDateTime {
        UtcDateTime::UNIX_EPOCH + Duration::seconds(secs)
    }

    fn tenant(n: u8) -> TenantId {
        TenantId::from_bytes([n; 16])
    }

    fn rules() -> RuleSet {
        Rules::new()
            .keep("record", "record.deleted", "PT10S")
            .gone("record", "record.deleted", "PT20S")
            .build()
            .unwrap()
    }

    fn hold(n: u8, scope: HoldScope, mode: HoldMode) -> Hold {
        Hold {
            id: HoldId::from_bytes([n; 16]),
            tenant: tenant(1),
            matter: "case-1".parse().unwrap(),
            scope,
            later: Later::Covered,
            mode,
            placed_by: PrincipalId::from_bytes([9; 16]),
            reason: "litigation".parse().unwrap(),
            placed_at: at(5),
        }
    }

    fn until(secs: i64) -> HoldMode {
        HoldMode::Compliance { until: at(secs) }
    }

    fn view(holds: &[Hold]) -> HoldView {
        HoldView::of(tenant(1), 1, holds.to_vec())
    }

    #[test]
    fn every_scope_covers_what_it_says_and_nothing_else() {
        let class = |name: &str| name.parse().unwrap();
        let ids = |ids: &[i64]| {
            let ids: BTreeSet<ItemId> = ids.iter().copied().map(ItemId::from).collect();
            ItemList::try_from(ids).unwrap()
        };
        let events = [Occurrence::new("record.deleted", at(0))];
        let about = [ItemId::from(SUBJECT)];
        let item = Item::new(tenant(1), "record", 7_i64, &events)
            .made_at(at(3))
            .about(&about);
        let other = || item.clone();
        let items = |n: &[i64]| HoldScope::Items {
            class: class("record"),
            ids: ids(n),
        };
        let cases = [
            (HoldScope::Tenant, other(), true),
            (
                HoldScope::Tenant,
                Item {
                    tenant: tenant(2),
                    ..other()
                },
                false,
            ),
            (HoldScope::Class(class("record")), other(), true),
            (HoldScope::Class(class("invoice")), other(), false),
            (items(&[6, 7]), other(), true),
            (items(&[6, 8]), other(), false),
            (
                items(&[7]),
                Item {
                    class: "invoice",
                    ..other()
                },
                false,
            ),
            (HoldScope::Subject(ItemId::from(SUBJECT)), other(), true),
            (HoldScope::Subject(ItemId::from(78)), other(), false),
            // nobody says whom it is about
            (
                HoldScope::Subject(ItemId::from(78)),
                Item {
                    subjects: None,
                    ..other()
                },
                true,
            ),
        ];
        for (n, (scope, item, expected)) in cases.into_iter().enumerate() {
            let hold = hold(1, scope, HoldMode::Governance);
            assert_eq!(hold.covers(&item), expected, "case {n}");
        }
        let there_only = Hold {
            later: Later::Free,
            ..hold(1, HoldScope::Tenant, HoldMode::Governance)
        };
        assert!(there_only.covers(&item));
        assert!(!there_only.covers(&other().made_at(at(6))));
        assert!(there_only.covers(&Item {
            made_at: None,
            ..other()
        }));
    }

    #[test]
    fn a_list_of_items_has_bounds() {
        let list = |n: i64| ItemList::try_from((0..n).map(ItemId::from).collect::<BTreeSet<_>>());
        assert!(list(0).is_err() && list(10_001).is_err());
        assert!(list(1).is_ok() && list(10_000).is_ok());
    }

    #[test]
    fn the_deadline_that_passed_is_carried_and_met_when_the_last_hold_ends() {
        let rules = rules();
        let events = [Occurrence::new("record.deleted", at(0))];
        let item = Item::new(tenant(1), "record", 7_i64, &events);
        let two = view(&[
            hold(1, HoldScope::Tenant, until(30)),
            hold(2, HoldScope::Tenant, until(40)),
        ]);
        let verdict =
            |holds: &HoldView, second| rules.evaluate(&item, holds, &Moment::at(at(second)));
        let early = verdict(&two, 19);
        assert_eq!((early.state, early.suspended), (State::Held, None));
        assert_eq!(early.next_change, Some(at(40)));
        let passed = verdict(&two, 20);
        assert_eq!(
            (passed.state, passed.suspended),
            (State::Held, Some(at(20)))
        );
        assert_eq!(passed.held_by.len(), 2);
        assert!(!passed.disposes());
        let one = verdict(&two, 30);
        assert_eq!(one.held_by, [HoldId::from_bytes([2; 16])]);
        let free = verdict(&two, 40);
        assert_eq!((free.state, free.suspended), (State::Overdue, None));
        assert!(free.disposes() && free.held_by.is_empty() && free.because.holds().is_empty());
        // a hold without an end changes by nothing that is known
        let endless = view(&[hold(1, HoldScope::Tenant, HoldMode::Governance)]);
        assert_eq!(verdict(&endless, 1_000).next_change, None);
        // and decides from the moment it is seen, however the clocks are apart
        assert_eq!(verdict(&endless, 1).state, State::Held);
    }

    #[test]
    fn what_cannot_be_judged_is_held_all_the_same() {
        let events = [Occurrence::new("comet.passed", at(0))];
        let item = Item::new(tenant(1), "record", 7_i64, &events);
        let holds = view(&[hold(1, HoldScope::Tenant, HoldMode::Governance)]);
        let verdict = rules().evaluate(&item, &holds, &Moment::at(at(1)));
        assert_eq!(verdict.state, State::Held);
        assert_eq!(verdict.because.unclassified(), Some(Unclassified::Trigger));
        assert!(verdict.alarms());
    }

    fn some_hold() -> impl Strategy<Value = Hold> {
        let mode = prop_oneof![Just(HoldMode::Governance), (0_i64..60).prop_map(until)];
        let scope = prop_oneof![
            Just(HoldScope::Tenant),
            Just(HoldScope::Class("record".parse().unwrap())),
            Just(HoldScope::Class("invoice".parse().unwrap())),
            Just(HoldScope::Subject(ItemId::from(SUBJECT))),
        ];
        (0..8_u8, scope, mode).prop_map(|(n, scope, mode)| hold(n, scope, mode))
    }

    proptest! {
        /// Holds only ever delay: where none matches the verdict is that of the rules alone, where
        /// one does nothing goes, and the figures are the same.
        #[test]
        fn holds_only_delay(holds in proptest::collection::vec(some_hold(), 0..6), now in 0_i64..60) {
            let (rules, holds) = (rules(), view(&holds));
            let events = [Occurrence::new("record.deleted", at(0))];
            let about = [ItemId::from(SUBJECT)];
            let item = Item::new(tenant(1), "record", 7_i64, &events).about(&about);
            let free = rules.evaluate(&item, &HoldView::none(), &Moment::at(at(now)));
            let seen = rules.evaluate(&item, &holds, &Moment::at(at(now)));
            let naive = holds.holds(tenant(1)).any(|hold| {
                let covers = match &hold.scope {
                    HoldScope::Class(class) => class.as_str() == "record",
                    _ => true,
                };
                covers && hold.mode.ends().is_none_or(|end| at(now) < end)
            });
            if naive {
                prop_assert_eq!(seen.state, State::Held);
                prop_assert!(!seen.disposes());
                prop_assert_eq!((seen.keep_until, seen.gone_by), (free.keep_until, free.gone_by));
            } else {
                prop_assert_eq!(seen, free);
            }
        }

        /// The changes that a simulation jumps to are those of every second looked at alone.
        #[test]
        fn simulated_holds_end_when_they_end(holds in proptest::collection::vec(some_hold(), 0..4)) {
            let (rules, holds) = (rules(), view(&holds));
            let events = [Occurrence::new("record.deleted", at(12))];
            let items = [Item::new(tenant(1), "record", 7_i64, &events)];
            let span = Span { from: at(0), until: at(70) };
            let jumped: Vec<(UtcDateTime, State)> =
                simulate(&rules, &items, &holds, retention_policy::Slack::NONE, span)
                    .map(|change| (change.at, change.verdict.state))
                    .collect();
            let mut walked: Vec<(UtcDateTime, State)> = Vec::new();
            for second in 0..70 {
                let state = rules.evaluate(&items[0], &holds, &Moment::at(at(second))).state;
                if walked.last().is_none_or(|(_, last)| *last != state) {
                    walked.push((at(second), state));
                }
            }
            prop_assert_eq!(jumped, walked);
        }
    }
}
