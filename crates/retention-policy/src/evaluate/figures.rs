//! What the rules of an item say at one instant, all of them together: until when it is kept, by when
//! it must be gone, and which rule decided. Computed in whole seconds; dates are spelled by whoever
//! reads them.
#![deny(clippy::arithmetic_side_effects)]

use std::sync::Arc;

use covenant_core::{Ends, Period, Reading, Start, UnixTime};
use time::UtcDateTime;

use crate::rule::{Act, Limit, Rule};
use crate::schedule::start_by;
use crate::selected::{Anchor, Ruling, Selected, Standing};
use crate::verdict::{Keep, Outcome, Said, State, Together};
use crate::{Occurrence, Slack};

/// The rules of an item, and which of all rules they are.
#[derive(Clone, Copy)]
pub(super) struct Under<'a> {
    pub(super) rules: &'a Arc<[Rule]>,
    pub(super) selected: &'a Selected,
}

/// What all rules together say.
pub(super) struct Figures {
    pub(super) together: Together,
    /// When disposal must start to be done by the deadline.
    pub(super) start: Option<UnixTime>,
    pub(super) act: Act,
    pub(super) standing: Vec<Option<Standing>>,
    pub(super) said: Vec<Said>,
}

impl Figures {
    /// What the rules say of an item with these events at the instant: all of it put together, what
    /// has not started kept, and the deadline worked back from.
    // clause: P-18, P-51, P-52, Q-24, R-23
    pub(super) fn at(
        now: UtcDateTime,
        under: Under<'_>,
        events: &[Occurrence<'_>],
        reading: &Reading,
        slack: &Slack,
    ) -> Self {
        let rulings = under.selected.rulings();
        let standing = under.selected.standing(events, now);
        let mut said = Vec::with_capacity(rulings.len());
        let mut counted = Counted::new(reading);
        let (mut keep, mut gone) = (Keep::Free, None);
        let (mut act, mut begun) = (Act::Early, false);
        for ruling in rulings {
            let Some(rule) = under.rules.get(ruling.rule) else {
                continue;
            };
            let one = say(rule, ruling, &standing, &mut counted);
            match (one.outcome, one.at(rule)) {
                (Outcome::KeepsUntil, Some(at)) => keep = keep.max(Keep::At(at)),
                (Outcome::KeepsUntil | Outcome::KeepsOpen, _) => keep = Keep::Open,
                (Outcome::GoneBy, Some(at)) => gone = Some(gone.map_or(at, |gone| at.min(gone))),
                (_, _) => {}
            }
            begun |= one.anchor != Anchor::None || one.outcome == Outcome::Waived;
            act = act.max(rule.act);
            said.push(one);
        }
        if !begun {
            keep = Keep::Open;
        }
        Self {
            together: Together { keep, gone },
            start: gone.map(|gone| start_of(gone, slack)),
            act,
            standing,
            said,
        }
    }

    pub(super) fn state(&self, now: UnixTime) -> State {
        let Together { keep, gone } = self.together;
        match keep {
            Keep::At(keep) if gone.is_some_and(|gone| keep > gone) => return State::Conflict,
            Keep::Open if gone.is_some_and(|gone| now >= gone) => return State::Conflict,
            Keep::At(keep) if now < keep => return State::Keep,
            Keep::Open => return State::Keep,
            Keep::At(_) | Keep::Free => {}
        }
        match gone {
            Some(gone) if now >= gone => State::Overdue,
            Some(_) if self.start.is_some_and(|start| now >= start) => State::Due,
            Some(_) | None => State::Eligible,
        }
    }

    /// The first instant after one, and before another, at which the state is no longer this while
    /// nothing happens.
    pub(super) fn turn(
        &self,
        after: UnixTime,
        before: Option<UnixTime>,
        state: State,
    ) -> Option<UnixTime> {
        let Together { keep, gone } = self.together;
        let keep = match keep {
            Keep::At(at) => Some(at),
            Keep::Free | Keep::Open => None,
        };
        let mut turns = [keep, self.start, gone];
        turns.sort_unstable();
        turns
            .into_iter()
            .flatten()
            .filter(|at| *at > after && before.is_none_or(|before| *at < before))
            .find(|at| self.state(*at) != state)
    }
}

/// What one rule says.
fn say(
    rule: &Rule,
    ruling: &Ruling,
    standing: &[Option<Standing>],
    counted: &mut Counted<'_>,
) -> Said {
    let (first, last) = (Anchor::First(ruling.trigger), Anchor::Last(ruling.trigger));
    let said = |anchor: Anchor, outcome: Outcome, ends: Ends| {
        Said::new(ruling.rule, anchor, outcome, ends)
    };
    let never = Ends::from(UnixTime::MAX);
    if let Some(met) = ruling.to.map(Anchor::Last)
        && met.of(standing).is_some()
    {
        return said(met, Outcome::Ended, never);
    }
    let waived_by = ruling.waived_by.iter();
    let waiver = waived_by.filter_map(|event| Anchor::First(*event).of(standing));
    match (&rule.limit, waiver.min()) {
        (Limit::Floor { .. } | Limit::Until { .. }, Some(at)) => {
            said(Anchor::None, Outcome::Waived, Ends::from(at))
        }
        (Limit::Floor { period, .. }, None) => match last.of(standing) {
            Some(from) => match counted.from(from, period) {
                Some(ends) => said(last, Outcome::KeepsUntil, ends),
                None => said(last, Outcome::KeepsOpen, never),
            },
            None => said(Anchor::None, Outcome::KeepsOpen, never),
        },
        (Limit::Until { .. }, None) => match last.of(standing) {
            Some(_) => said(last, Outcome::Ended, never),
            None => said(Anchor::None, Outcome::KeepsOpen, never),
        },
        (Limit::Ceiling { period, .. }, _) => match first.of(standing) {
            Some(from) => match counted.from(from, period) {
                Some(ends) => said(first, Outcome::GoneBy, ends),
                None => said(first, Outcome::NotStarted, never),
            },
            None => said(Anchor::None, Outcome::NotStarted, never),
        },
    }
}

/// Periods counted from one instant after the other: rules that count from the same one share what
/// is known of its date.
struct Counted<'r> {
    reading: &'r Reading,
    start: Option<Start<'r>>,
}

impl<'r> Counted<'r> {
    const fn new(reading: &'r Reading) -> Self {
        Self {
            reading,
            start: None,
        }
    }

    /// Where the period ends; `None` beyond the calendar.
    #[inline]
    fn from(&mut self, at: UnixTime, period: &Period) -> Option<Ends> {
        // in place: moving what is known costs as much as finding it out
        if self.start.as_ref().is_none_or(|start| start.at() != at) {
            self.start = Some(self.reading.start(at));
        }
        self.start.as_ref()?.after(period).ok()
    }
}

/// When disposal must start to be over by the deadline.
fn start_of(gone: UnixTime, slack: &Slack) -> UnixTime {
    if slack.total().is_zero() {
        gone
    } else {
        UnixTime::from(start_by(gone.utc(), slack))
    }
}
