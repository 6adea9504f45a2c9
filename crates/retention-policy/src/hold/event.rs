//! What the log hears of holds: enough to place each again in a store that was put back.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::event::{ActorContext, Datum};
use covenant_core::{Action, Event, EventId, HoldId, ItemId, Outcome, Target, TenantId};
use time::UtcDateTime;
use uuid::Uuid;

use super::{Hold, HoldAct, HoldRecord, Merged, Release};

/// The kind of target of a hold's events.
pub const HOLD_KIND: &str = "hold";
/// The value of an event that holds the bytes of a part of the hold.
pub const HOLD_DATUM: &str = "hold";
/// The value of an event that numbers the part, from 0.
pub const PART_DATUM: &str = "part";

/// The events of placing the hold, or of moving its end: one for each part, under ids derived from
/// the hold, so that the same fact is recorded once.
#[must_use]
pub fn placed(hold: &Hold, at: UtcDateTime, actor: &ActorContext) -> Vec<Event> {
    let parts = hold.parts();
    let numbered = parts.iter().zip(0_u64..);
    numbered
        .map(|(part, number)| {
            let bytes = part.bytes();
            event(hold.tenant, hold.id, &bytes, at, actor, Action::HoldPlaced)
                .with(PART_DATUM, Datum::Count(number))
                .with(HOLD_DATUM, Datum::Bytes(bytes))
        })
        .collect()
}

/// The event of asking for a release: of the first of two who ask, after whom it still holds, or of
/// the second.
#[must_use]
pub fn release(tenant: TenantId, hold: HoldId, release: Release, act: &HoldAct) -> Event {
    let micros = act
        .at
        .unix_timestamp_nanos()
        .div_euclid(1_000)
        .to_be_bytes();
    let cause = [act.by.as_bytes().as_slice(), &micros].concat();
    let action = Action::HoldReleased;
    let event = event(tenant, hold, &cause, act.at, &act.actor, action)
        .with("by", Datum::Id(act.by.as_uuid()));
    match release {
        Release::Released => event,
        Release::Asked => Event {
            outcome: Outcome::Denied,
            code: Some("hold.second_person_needed"),
            ..event
        },
    }
}

fn event(
    tenant: TenantId,
    hold: HoldId,
    cause: &[u8],
    at: UtcDateTime,
    actor: &ActorContext,
    action: Action,
) -> Event {
    let name = [hold.as_bytes().as_slice(), cause].concat();
    let id = Uuid::new_v5(&tenant.as_uuid(), &name);
    let target = Target::of(tenant, HOLD_KIND, ItemId::from(hold.as_uuid()));
    let id = EventId::from_uuid(id);
    Event::new(id, at, actor.clone(), action, target, Outcome::Ok)
}

/// One fact of a log about a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a fact that is not understood would let items go"
)]
pub enum HoldFact {
    /// It was placed or its end was moved: a part of it.
    Placed(Hold),
    /// It was released.
    Released {
        /// Which.
        id: HoldId,
        /// When.
        at: UtcDateTime,
    },
}

/// What a store that was put back must take over, in whatever order the facts come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HoldReplay {
    /// Holds as the facts leave them, by their ids.
    pub placed: BTreeMap<HoldId, Hold>,
    /// Holds that were released, and when; one that is not in the store was placed and released
    /// meanwhile, and is of no account.
    pub released: BTreeMap<HoldId, UtcDateTime>,
    /// Holds whose parts contradict each other: a person looks, and nothing of the tenant goes.
    pub damaged: BTreeSet<HoldId>,
}

impl HoldReplay {
    /// Folds the facts since a copy was taken.
    #[must_use]
    pub fn of(facts: impl IntoIterator<Item = HoldFact>) -> Self {
        let mut replay = Self::default();
        for fact in facts {
            match fact {
                HoldFact::Released { id, at } => {
                    let first = replay.released.entry(id).or_insert(at);
                    *first = at.min(*first);
                }
                HoldFact::Placed(part) => match replay.placed.get_mut(&part.id) {
                    None => {
                        replay.placed.insert(part.id, part);
                    }
                    Some(hold) => {
                        if hold.merge(&part) == Merged::Other {
                            replay.damaged.insert(part.id);
                        }
                    }
                },
            }
        }
        replay
    }

    /// The record that the store must have of a hold, given the one it has.
    #[must_use]
    pub fn record(&self, id: HoldId, there: Option<&HoldRecord>) -> Option<HoldRecord> {
        let mut hold = there.map(HoldRecord::hold).cloned();
        if let Some(newer) = self.placed.get(&id) {
            match &mut hold {
                Some(hold) => {
                    // A later end is taken over; what cannot be merged is of the copy, and stands.
                    hold.merge(newer);
                }
                None => hold = Some(newer.clone()),
            }
        }
        let released = self.released.get(&id).copied();
        let released = released.or(there.and_then(HoldRecord::released_at));
        let asked = there.and_then(HoldRecord::asked);
        hold.map(|hold| HoldRecord::from_parts(hold, asked, released))
    }

    /// Every hold that the facts are about.
    pub fn ids(&self) -> impl Iterator<Item = HoldId> + '_ {
        let ids: BTreeSet<HoldId> = self
            .placed
            .keys()
            .chain(self.released.keys())
            .copied()
            .collect();
        ids.into_iter()
    }
}
