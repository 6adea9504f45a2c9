//! The decision: pure, total, and the same for any order of rules and events.
//!
//! An event counts from its instant on, so a decision about an earlier moment does not see it. A
//! ceiling counts from the earliest occurrence of its trigger that is not cancelled, a floor from
//! the latest; ceilings use the earliest reading of their period, floors the latest. What has not
//! started is kept: a floor is open before its event, and an item of which no rule has started may
//! not go, whatever its ceilings say later.
#![deny(clippy::arithmetic_side_effects)]

use std::fmt::Debug;

use covenant_core::digest::Digest;
use covenant_core::{HoldId, UnixTime};
use time::UtcDateTime;

use crate::rule::Act;
use crate::verdict::{HoldReason, KeepUntil, Reasons, State, Together, Unclassified, Verdict};
use crate::{HoldView, Item, Moment, Occurrence, RuleSet, Slack};

mod figures;

use figures::{Figures, Under};

/// Holds of one item that there is room for at once: a few matters at most, as a rule.
const HOLDS_FEW: usize = 2;

/// Decides what is to be done with an item at a moment.
///
/// # Contract
/// Pure: the same item and moment give the same verdict. The order of the item's events changes
/// nothing. `next_change` is the first later instant at which the state differs, given no further
/// events, and that the holds stand to their ends. An item that the rules cannot classify is kept,
/// with the reason. A hold that matches and has not ended at the moment decides before any rule,
/// whenever it was placed.
///
/// # Implementing
/// A wrapper must pass on every method. An implementation that has no canonical rules returns
/// `None` as its digest; its plans cannot be approved.
pub trait Retention: Debug + Send + Sync {
    /// The verdict.
    fn evaluate(&self, item: &Item<'_>, holds: &HoldView, moment: &Moment) -> Verdict;
    /// SHA-256 of the canonical rules; `None` without feature `digest`.
    fn digest(&self) -> Option<Digest>;
}

impl Retention for RuleSet {
    fn evaluate(&self, item: &Item<'_>, holds: &HoldView, moment: &Moment) -> Verdict {
        let held = Held::of(item, holds, moment.now);
        let under = match self.under(item) {
            Ok(under) => under,
            Err(why) => return unclassified(why, held),
        };
        let figures = self.figures(under, item.events, &moment.slack, moment.now);
        let (state, next_change) = match &held {
            Some(held) => (State::Held, held.ends),
            None => {
                let state = figures.state(UnixTime::from(moment.now));
                let next = self.next_change(under, item.events, moment, state, &figures);
                (state, next)
            }
        };
        let Together { keep, gone } = figures.together;
        let gone_by = gone.map(UnixTime::utc);
        // most often there is no slack, and a date is dear to spell
        let start_by = if figures.start == gone {
            gone_by
        } else {
            figures.start.map(UnixTime::utc)
        };
        let suspended = gone_by.filter(|gone_by| held.is_some() && *gone_by <= moment.now);
        let (held_by, holds) = Held::said(held);
        let Figures { standing, said, .. } = figures;
        Verdict {
            state,
            keep_until: keep.spelled(),
            gone_by,
            start_by,
            held_by,
            suspended,
            next_change,
            act: figures.act,
            because: Reasons::of(under.rules, standing, said, figures.together, holds),
        }
    }

    fn digest(&self) -> Option<Digest> {
        self.rules_digest()
    }
}

impl RuleSet {
    /// The rules that rule the item.
    fn under(&self, item: &Item<'_>) -> Result<Under<'_>, Unclassified> {
        let (rules, index) = self.for_tenant(item.tenant);
        let classes = index.get(item.store).ok_or(Unclassified::Store)?;
        let selected = classes.get(item.class).ok_or(Unclassified::Class)?;
        if item
            .events
            .iter()
            .all(|event| selected.watches(event.name) || self.known.contains(event.name))
        {
            Ok(Under { rules, selected })
        } else {
            Err(Unclassified::Trigger)
        }
    }

    /// What they say at the instant.
    fn figures(
        &self,
        under: Under<'_>,
        events: &[Occurrence<'_>],
        slack: &Slack,
        now: UtcDateTime,
    ) -> Figures {
        Figures::at(now, under, events, &self.reading, slack)
    }

    /// The first instant after the moment at which the state is another.
    ///
    /// Between two events the figures stand still, so the state can change only at one of them;
    /// at an event that is still to come they are computed anew.
    fn next_change(
        &self,
        under: Under<'_>,
        events: &[Occurrence<'_>],
        moment: &Moment,
        state: State,
        figures: &Figures,
    ) -> Option<UtcDateTime> {
        let mut from = moment.now;
        let mut later_figures = None;
        loop {
            let figures = later_figures.as_ref().unwrap_or(figures);
            let coming = events.iter().map(|event| event.at);
            let event = coming.filter(|at| *at > from).min();
            let turn = figures.turn(UnixTime::from(from), event.map(UnixTime::from), state);
            if let Some(turn) = turn {
                return Some(turn.utc());
            }
            let event = event?;
            let figures = self.figures(under, events, &moment.slack, event);
            if figures.state(UnixTime::from(event)) != state {
                return Some(event);
            }
            from = event;
            later_figures = Some(figures);
        }
    }
}

/// The holds that stand before the rules: those decide first, and the state changes when the last of
/// them ends.
struct Held {
    by: Vec<HoldId>,
    reasons: Vec<HoldReason>,
    /// The last end; none as soon as one hold has no end.
    ends: Option<UtcDateTime>,
}

impl Held {
    /// The holds that match the item at the instant; `None` without any.
    fn of(item: &Item<'_>, holds: &HoldView, now: UtcDateTime) -> Option<Self> {
        let mut matching = holds.matching(item, now).peekable();
        matching.peek()?;
        let mut held = Self {
            by: Vec::with_capacity(HOLDS_FEW),
            reasons: Vec::with_capacity(HOLDS_FEW),
            ends: Some(UtcDateTime::MIN),
        };
        for hold in matching {
            held.by.push(hold.id);
            held.ends = held.ends.zip(hold.mode.ends()).map(|(a, b)| a.max(b));
            held.reasons.push(HoldReason {
                hold: hold.id,
                matter: hold.matter.clone(),
                mode: hold.mode,
            });
        }
        Some(held)
    }

    fn said(held: Option<Self>) -> (Vec<HoldId>, Vec<HoldReason>) {
        held.map_or((Vec::new(), Vec::new()), |held| (held.by, held.reasons))
    }
}

fn unclassified(why: Unclassified, held: Option<Held>) -> Verdict {
    let (state, next_change) = match &held {
        Some(held) => (State::Held, held.ends),
        None => (State::Keep, None),
    };
    let (held_by, holds) = Held::said(held);
    Verdict {
        state,
        keep_until: KeepUntil::Open,
        gone_by: None,
        start_by: None,
        held_by,
        suspended: None,
        next_change,
        act: Act::Late,
        because: Reasons::unjudged(why, holds),
    }
}
