//! The table of states, over every state, every event, every set of holds and whether a copy is
//! left: the arrows are those of the table and no others, all states are reached, `Gone` only when
//! nothing holds and never left, and no hold lets anything into `Purged`.
#[cfg(test)]
mod cases {
    use std::collections::BTreeSet;
    use std::fmt::Debug;

    use covenant_core::{Action, HoldId, ItemId, PrincipalId, TenantId};
    use retention_policy::{
        ClassId, Copies, DatabaseState, DisposalTarget, Forbidden, Held, Hold, HoldMode, HoldScope,
        HoldView, Item, ItemList, Later, Moment, Occurrence, RecordState, Retention, Rules,
        Standing, State,
    };
    use time::{Duration, UtcDateTime};

    const NOW: UtcDateTime = UtcDateTime::UNIX_EPOCH.saturating_add(Duration::days(40));

    /// What an arrow needs.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Needs {
        Nothing,
        /// No hold.
        Free,
        /// A copy that can be restored.
        Copy,
        /// No hold, and no copy left.
        Last,
    }

    impl Needs {
        fn met(self, standing: Standing) -> bool {
            let (free, left) = (
                standing.held == Held::No,
                standing.copies == Copies::Restorable,
            );
            match self {
                Self::Nothing => true,
                Self::Free => free,
                Self::Copy => left,
                Self::Last => free && !left,
            }
        }
    }

    type Arrow<S> = (S, Action, S, Needs);

    const RECORDS: [Arrow<RecordState>; 7] = {
        use RecordState::{Binned, Gone, Live, Purged};
        [
            (Live, Action::RecordDeleted, Binned, Needs::Nothing),
            (Binned, Action::RecordRestored, Live, Needs::Nothing),
            (Binned, Action::RecordManualPurge, Purged, Needs::Free),
            (Binned, Action::RecordPurged, Purged, Needs::Free),
            (Purged, Action::RecordPurged, Purged, Needs::Nothing),
            (Purged, Action::BackupUnrestorable, Gone, Needs::Last),
            (Purged, Action::BackupPurged, Gone, Needs::Last),
        ]
    };

    const DATABASES: [Arrow<DatabaseState>; 18] = {
        use DatabaseState::{Active, Deleted, Expired, Gone, Locked, Purged};
        [
            (Active, Action::TrialEnded, Expired, Needs::Nothing),
            (
                Active,
                Action::SubscriptionCancelled,
                Expired,
                Needs::Nothing,
            ),
            (Expired, Action::DatabaseLocked, Locked, Needs::Nothing),
            (Expired, Action::SubscriptionStarted, Active, Needs::Nothing),
            (Locked, Action::SubscriptionStarted, Active, Needs::Nothing),
            (Active, Action::DatabaseDeleted, Deleted, Needs::Nothing),
            (Expired, Action::DatabaseDeleted, Deleted, Needs::Nothing),
            (Locked, Action::DatabaseDeleted, Deleted, Needs::Nothing),
            (Active, Action::ContractTerminated, Deleted, Needs::Nothing),
            (Expired, Action::ContractTerminated, Deleted, Needs::Nothing),
            (Locked, Action::ContractTerminated, Deleted, Needs::Nothing),
            (Deleted, Action::ContractTerminated, Deleted, Needs::Nothing),
            (Purged, Action::ContractTerminated, Purged, Needs::Nothing),
            (Deleted, Action::DatabasePurged, Purged, Needs::Free),
            (Deleted, Action::DatabaseRestored, Active, Needs::Nothing),
            (Purged, Action::DatabaseRestored, Active, Needs::Copy),
            (Purged, Action::BackupUnrestorable, Gone, Needs::Last),
            (Purged, Action::BackupPurged, Gone, Needs::Last),
        ]
    };

    /// A machine of states.
    trait Machine: Copy + Ord + Debug + 'static {
        const ALL: &'static [Self];
        const TABLE: &'static [Arrow<Self>];
        const START: Self;
        const PURGED: Self;
        const GONE: Self;
        fn after(self, action: Action, standing: Standing) -> Result<Self, Forbidden>;
        fn settled(self, standing: Standing) -> Self;
        /// What holds are asked about.
        fn target() -> DisposalTarget;

        fn has_left(self) -> bool {
            self == Self::PURGED || self == Self::GONE
        }
    }

    impl Machine for RecordState {
        const ALL: &'static [Self] = &Self::ALL;
        const TABLE: &'static [Arrow<Self>] = &RECORDS;
        const START: Self = Self::Live;
        const PURGED: Self = Self::Purged;
        const GONE: Self = Self::Gone;
        fn after(self, action: Action, standing: Standing) -> Result<Self, Forbidden> {
            self.after(action, standing)
        }
        fn settled(self, standing: Standing) -> Self {
            self.settled(standing)
        }
        fn target() -> DisposalTarget {
            DisposalTarget {
                made_at: Some(UtcDateTime::UNIX_EPOCH),
                subjects: Some(vec![ItemId::from(70_i64)]),
                ..DisposalTarget::new(tenant(), class("record"), ItemId::from(3_i64))
            }
        }
    }

    impl Machine for DatabaseState {
        const ALL: &'static [Self] = &Self::ALL;
        const TABLE: &'static [Arrow<Self>] = &DATABASES;
        const START: Self = Self::Active;
        const PURGED: Self = Self::Purged;
        const GONE: Self = Self::Gone;
        fn after(self, action: Action, standing: Standing) -> Result<Self, Forbidden> {
            self.after(action, standing)
        }
        fn settled(self, standing: Standing) -> Self {
            self.settled(standing)
        }
        fn target() -> DisposalTarget {
            DisposalTarget::new(
                tenant(),
                class("database"),
                ItemId::from(tenant().as_uuid()),
            )
        }
    }

    fn tenant() -> TenantId {
        TenantId::from_bytes([7; 16])
    }

    fn class(name: &str) -> ClassId {
        name.parse().unwrap()
    }

    /// A hold, and whether it stands on the target.
    fn holds(target: &DisposalTarget) -> Vec<(Hold, bool)> {
        let of = |class: &ClassId, id: ItemId| HoldScope::Items {
            class: class.clone(),
            ids: ItemList::try_from(BTreeSet::from([id])).unwrap(),
        };
        let until = |until| HoldMode::Compliance { until };
        let free = HoldMode::Governance;
        let second = Duration::seconds(1);
        let person = ItemId::from(70_i64);
        // whom a database is about nobody says: a hold on any person keeps it
        let stranger = target.subjects.is_none();
        let made_later = target.made_at.is_none();
        let cases = [
            (HoldScope::Tenant, free, true),
            (HoldScope::Class(target.class.clone()), free, true),
            (of(&target.class, target.id.clone()), free, true),
            (HoldScope::Subject(person), free, true),
            (HoldScope::Tenant, until(NOW + second), true),
            (HoldScope::Tenant, until(NOW), false),
            (HoldScope::Class(class("other")), free, false),
            (of(&target.class, ItemId::from(4_i64)), free, false),
            (HoldScope::Subject(ItemId::from(71_i64)), free, stranger),
        ];
        let mut all: Vec<(Hold, bool)> = Vec::new();
        for (n, (scope, mode, stands)) in (1..).zip(cases) {
            let hold = Hold {
                id: HoldId::from_bytes([n; 16]),
                tenant: tenant(),
                matter: "case-1".parse().unwrap(),
                scope,
                later: Later::Covered,
                mode,
                placed_by: PrincipalId::from_bytes([1; 16]),
                reason: "litigation".parse().unwrap(),
                placed_at: UtcDateTime::UNIX_EPOCH - second,
            };
            all.push((hold, stands));
        }
        // of what was there before it, and of another tenant
        let mut before = all[0].0.clone();
        (before.id, before.later) = (HoldId::from_bytes([20; 16]), Later::Free);
        all.push((before, made_later));
        let mut other = all[0].0.clone();
        (other.id, other.tenant) = (HoldId::from_bytes([21; 16]), TenantId::from_bytes([8; 16]));
        all.push((other, false));
        all
    }

    /// Every set of holds as a view, and whether something in it stands on the target.
    fn sets(target: &DisposalTarget) -> Vec<(HoldView, bool)> {
        let holds = holds(target);
        (0_u32..1 << holds.len())
            .map(|set| {
                let chosen = (0_u32..).zip(&holds).filter(|(n, _)| set >> n & 1 == 1);
                let chosen: Vec<&(Hold, bool)> = chosen.map(|(_, one)| one).collect();
                let stands = chosen.iter().any(|(_, stands)| *stands);
                let chosen = chosen.into_iter().map(|(hold, _)| hold.clone());
                (HoldView::of(tenant(), 1, chosen), stands)
            })
            .collect()
    }

    /// Every state, event, set of holds, and copies: the table's arrows and no others.
    fn the_table_is_all<S: Machine>() {
        let target = S::target();
        let sets = sets(&target);
        let mut met = BTreeSet::new();
        for (view, stands) in &sets {
            let held = Held::of(&view.permit(&target, NOW));
            assert_eq!(held == Held::Yes, *stands, "{view:?}");
            for copies in [Copies::Restorable, Copies::None] {
                let standing = Standing::new(held, copies);
                for &from in S::ALL {
                    for &action in Action::ALL {
                        let mut arrows = S::TABLE.iter();
                        let arrow = arrows.position(|(s, a, ..)| (*s, *a) == (from, action));
                        let (to, needs) = arrow.map_or((None, Needs::Nothing), |at| {
                            let (.., to, needs) = S::TABLE[at];
                            (Some(to), needs)
                        });
                        let after = from.after(action, standing);
                        let expect = to.filter(|_| needs.met(standing));
                        assert_eq!(after.ok(), expect, "{from:?} {action} {standing:?}");
                        if after.is_ok() {
                            met.extend(arrow);
                        }
                        let blocked = needs == Needs::Free && held == Held::Yes;
                        let said = matches!(after, Err(Forbidden::Held { .. }));
                        assert_eq!(said, blocked, "{from:?} {action}: {after:?}");
                        let purges = after.is_ok_and(|to| to.has_left()) && !from.has_left();
                        assert!(!(purges && held == Held::Yes), "{from:?} {action}");
                    }
                }
            }
        }
        assert_eq!(met.len(), S::TABLE.len(), "every arrow was taken");
        assert!(sets.iter().any(|(_, stands)| !stands));
    }

    /// A state in the world: which of the holds are placed, and whether a copy is left.
    type Place<S> = (S, u8, Copies);

    /// What can come next: an event, a hold placed or ended, the last copy lost.
    fn next<S: Machine>(views: &[(HoldView, Held)], place: Place<S>) -> Vec<Place<S>> {
        let (state, set, copies) = place;
        let standing = Standing::new(views[usize::from(set)].1, copies);
        let events = Action::ALL.iter().filter_map(|&action| {
            let to = state.after(action, standing).ok()?;
            Some((to, set, copies))
        });
        let holds = (0..views.len().ilog2()).map(|n| (state, set ^ (1 << n), copies));
        // backups are made until the purge, and none after it
        let made = if state.has_left() {
            copies
        } else {
            Copies::Restorable
        };
        let copies = [(state, set, Copies::None), (state, set, made)];
        let settled = (state.settled(standing), set, place.2);
        events.chain(holds).chain(copies).chain([settled]).collect()
    }

    fn reached<S: Machine>(views: &[(HoldView, Held)], from: Place<S>) -> BTreeSet<Place<S>> {
        let (mut seen, mut open) = (BTreeSet::from([from]), vec![from]);
        while let Some(place) = open.pop() {
            for place in next(views, place) {
                if seen.insert(place) {
                    open.push(place);
                }
            }
        }
        seen
    }

    /// Five holds, of which three stand on the target, placed and ended in any order.
    fn all_are_reached_and_the_end_is_the_end<S: Machine>() {
        let target = S::target();
        let all = holds(&target);
        let few = [0, 2, 4, 5, 6].map(|n: usize| all[n].0.clone());
        let views: Vec<(HoldView, Held)> = (0_u32..1 << few.len())
            .map(|set| {
                let chosen = (0_u32..).zip(&few).filter(|(n, _)| set >> n & 1 == 1);
                let chosen = chosen.map(|(_, hold)| hold.clone());
                let view = HoldView::of(tenant(), 1, chosen);
                let held = Held::of(&view.permit(&target, NOW));
                (view, held)
            })
            .collect();
        let start = (S::START, 0, Copies::Restorable);
        let places = reached(&views, start);
        for &state in S::ALL {
            for set in 0_u8..32 {
                for copies in [Copies::Restorable, Copies::None] {
                    let is_there = places.contains(&(state, set, copies));
                    // gone is what no copy is left of
                    let can_be = state != S::GONE || copies == Copies::None;
                    assert_eq!(is_there, can_be, "{state:?} {set:b} {copies:?}");
                }
            }
        }
        for &place in &places {
            let (state, set, copies) = place;
            let held = views[usize::from(set)].1;
            for (to, set_after, _) in next(&views, place) {
                if to == state {
                    continue;
                }
                assert_eq!(set_after, set, "one thing at a time");
                assert_ne!(state, S::GONE, "nothing leaves the end");
                if to.has_left() {
                    assert_eq!(held, Held::No, "{state:?} to {to:?}");
                }
                if to == S::GONE {
                    assert_eq!((state, copies), (S::PURGED, Copies::None));
                }
            }
            let on = reached(&views, place);
            let ends = on.iter().any(|(state, ..)| *state == S::GONE);
            assert!(ends, "{place:?}: the end can always be reached");
            let left = on.iter().any(|(state, ..)| *state != S::GONE);
            assert_eq!(left, state != S::GONE, "{place:?}");
        }
        // whoever never ends a hold that stands keeps what is there
        let kept = views
            .iter()
            .map(|(view, _)| (view.clone(), Held::Yes))
            .collect::<Vec<_>>();
        for &state in S::ALL.iter().filter(|state| !state.has_left()) {
            let on = reached(&kept, (state, 0, Copies::Restorable));
            assert!(!on.iter().any(|(state, ..)| state.has_left()), "{state:?}");
        }
    }

    // clause: P-47, P-48, P-51, P-52, P-53
    #[test]
    fn records_take_the_arrows_of_the_table_and_no_others() {
        the_table_is_all::<RecordState>();
    }

    // clause: P-47, P-54, P-56, P-58, P-59
    #[test]
    fn databases_take_the_arrows_of_the_table_and_no_others() {
        the_table_is_all::<DatabaseState>();
    }

    // clause: P-49, P-60
    #[test]
    fn every_state_is_reached_and_nothing_comes_back_from_the_last() {
        all_are_reached_and_the_end_is_the_end::<RecordState>();
        all_are_reached_and_the_end_is_the_end::<DatabaseState>();
    }

    #[test]
    fn what_is_purged_settles_by_its_copies_and_all_else_stays() {
        fn check<S: Machine>() {
            for &state in S::ALL {
                for standing in Standing::ALL {
                    let gone = state == S::PURGED && Needs::Last.met(standing);
                    let settled = if gone { S::GONE } else { state };
                    assert_eq!(state.settled(standing), settled, "{state:?} {standing:?}");
                }
            }
        }
        check::<RecordState>();
        check::<DatabaseState>();
        let names = RecordState::ALL.map(RecordState::name);
        assert_eq!(names, ["live", "binned", "purged", "gone"]);
        let names = DatabaseState::ALL.map(DatabaseState::name);
        let all = ["active", "expired", "locked", "deleted", "purged", "gone"];
        assert_eq!(names, all);
        let seen = RecordState::ALL.into_iter().filter(|s| s.is_visible());
        assert_eq!(seen.collect::<Vec<_>>(), [RecordState::Live]);
        let read = DatabaseState::ALL.into_iter().filter(|s| s.is_readable());
        assert_eq!(read.collect::<Vec<_>>(), [DatabaseState::Active]);
    }

    /// The rules say the same as the table: what a hold stands on is not disposed of.
    // clause: P-47
    #[test]
    fn a_verdict_lets_into_purged_what_the_table_does() {
        let rules = Rules::new()
            .gone("record", "record.deleted", "P30D")
            .build()
            .unwrap();
        let events = [Occurrence::new("record.deleted", UtcDateTime::UNIX_EPOCH)];
        let target = RecordState::target();
        for (view, stands) in sets(&target) {
            let item = Item {
                events: &events,
                ..target.item()
            };
            let verdict = rules.evaluate(&item, &view, &Moment::at(NOW));
            assert_eq!(verdict.disposes(), !stands, "{view:?}");
            assert_eq!(verdict.state == State::Held, stands);
            let held = Held::of(&view.permit(&target, NOW));
            let after = RecordState::Binned.after(
                Action::RecordPurged,
                Standing::new(held, Copies::Restorable),
            );
            assert_eq!(after.is_ok(), verdict.disposes());
        }
    }
}
