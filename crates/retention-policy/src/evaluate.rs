//! The decision: pure, total, and the same for any order of rules and events.
//!
//! An event counts from its instant on, so a decision about an earlier moment does not see it. A
//! ceiling counts from the earliest occurrence of its trigger that is not cancelled, a floor from
//! the latest; ceilings use the earliest reading of their period, floors the latest. What has not
//! started is kept: a floor is open before its event, and an item of which no rule has started may
//! not go, whatever its ceilings say later.
#![deny(clippy::arithmetic_side_effects)]

use std::fmt::Debug;
use std::time::Duration;

use covenant_core::Window;
use covenant_core::digest::Digest;
use time::UtcDateTime;

use crate::rule::{Act, Limit, Rule};
use crate::schedule::{earlier, later, start_by};
use crate::verdict::{
    Effect, HoldReason, KeepUntil, Reason, Reasons, State, Unclassified, Verdict,
};
use crate::{Hold, HoldView, Item, Moment, Occurrence, RuleSet, Slack, Trigger};

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
        let under = match self.under(item) {
            Ok(under) => under,
            Err(why) => return hold(unclassified(why), item, holds, moment.now),
        };
        let figures = self.figures(under, item.events, moment, moment.now, Detail::Reasons);
        let state = figures.state(moment.now);
        let verdict = Verdict {
            state,
            keep_until: figures.keep,
            gone_by: figures.gone,
            start_by: figures.start,
            held_by: Vec::new(),
            suspended: None,
            next_change: self.next_change(under, item.events, moment, state, &figures),
            act: figures.act,
            because: Reasons {
                rules: figures.reasons,
                holds: Vec::new(),
                unclassified: None,
            },
        };
        hold(verdict, item, holds, moment.now)
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
        let at = classes.get(item.class).ok_or(Unclassified::Class)?;
        if item
            .events
            .iter()
            .all(|event| self.known.contains(event.name))
        {
            Ok(Under { rules, at })
        } else {
            Err(Unclassified::Trigger)
        }
    }

    /// What the rules say at the instant.
    // clause: P-18, P-51, P-52, R-23
    fn figures(
        &self,
        under: Under<'_>,
        events: &[Occurrence<'_>],
        moment: &Moment,
        now: UtcDateTime,
        detail: Detail,
    ) -> Figures {
        let past = Past {
            undone: &self.undone,
            events,
            now,
        };
        let mut all = Figures::nothing();
        if detail == Detail::Reasons {
            all.reasons.reserve_exact(under.at.len());
        }
        for rule in under.rules() {
            let said = self.say(rule, past);
            all.take(rule, &said);
            if detail == Detail::Reasons {
                all.reasons.push(said.reason(rule));
            }
        }
        all.settle(&moment.slack);
        all
    }

    /// What one rule says.
    fn say(&self, rule: &Rule, past: Past<'_>) -> Said {
        if let Some(met) = rule.to.as_ref().and_then(|event| past.last(event)) {
            return Said {
                anchor: Some(met),
                ..Said::plain(Effect::Ended)
            };
        }
        let waiver = rule
            .waived_by
            .iter()
            .filter_map(|event| past.first(event))
            .min();
        match (&rule.limit, waiver) {
            (Limit::Floor { .. } | Limit::Until { .. }, Some(at)) => {
                Said::plain(Effect::Waived(at))
            }
            (
                Limit::Floor {
                    from,
                    period,
                    early_secs,
                },
                None,
            ) => {
                let Some(anchor) = past.last(from) else {
                    return Said::plain(Effect::KeepsOpen);
                };
                let window = period.resolve(anchor, &self.reading).ok();
                let early = Duration::from_secs(*early_secs);
                let effect = window.map_or(Effect::KeepsOpen, |window| {
                    Effect::KeepsUntil(earlier(window.latest, early))
                });
                Said {
                    anchor: Some(anchor),
                    window,
                    effect,
                }
            }
            (Limit::Until { event }, None) => match past.last(event) {
                Some(anchor) => Said {
                    anchor: Some(anchor),
                    ..Said::plain(Effect::Ended)
                },
                None => Said::plain(Effect::KeepsOpen),
            },
            (
                Limit::Ceiling {
                    from,
                    period,
                    late_secs,
                },
                _,
            ) => {
                let Some(anchor) = past.first(from) else {
                    return Said::plain(Effect::NotStarted);
                };
                let window = period.resolve(anchor, &self.reading).ok();
                let late = Duration::from_secs(*late_secs);
                let effect = window.map_or(Effect::NotStarted, |window| {
                    Effect::GoneBy(later(window.earliest, late))
                });
                Said {
                    anchor: Some(anchor),
                    window,
                    effect,
                }
            }
        }
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
            let event = events
                .iter()
                .map(|event| event.at)
                .filter(|at| *at > from)
                .min();
            let mut turns = figures.turns();
            turns.sort_unstable();
            let turn = turns
                .into_iter()
                .flatten()
                .filter(|at| *at > from && event.is_none_or(|event| *at < event))
                .find(|at| figures.state(*at) != state);
            if turn.is_some() {
                return turn;
            }
            let event = event?;
            let figures = self.figures(under, events, moment, event, Detail::Figures);
            if figures.state(event) != state {
                return Some(event);
            }
            from = event;
            later_figures = Some(figures);
        }
    }
}

/// The rules of an item, by their positions.
#[derive(Clone, Copy)]
struct Under<'a> {
    rules: &'a [Rule],
    at: &'a [usize],
}

impl<'a> Under<'a> {
    fn rules(self) -> impl Iterator<Item = &'a Rule> {
        self.at.iter().filter_map(move |at| self.rules.get(*at))
    }
}

/// The events of an item up to an instant.
#[derive(Clone, Copy)]
struct Past<'a> {
    undone: &'a std::collections::BTreeMap<Trigger, std::collections::BTreeSet<Trigger>>,
    events: &'a [Occurrence<'a>],
    now: UtcDateTime,
}

impl<'a> Past<'a> {
    /// The occurrences of the trigger that are not cancelled.
    fn standing(self, trigger: &'a Trigger) -> impl Iterator<Item = UtcDateTime> + 'a {
        let undone_by = self.undone.get(trigger);
        let last_undone = undone_by.and_then(|by| {
            self.past()
                .filter(|event| by.contains(event.name))
                .map(|event| event.at)
                .max()
        });
        self.past()
            .filter(move |event| event.name == trigger.as_str())
            .map(|event| event.at)
            .filter(move |at| last_undone.is_none_or(|undone| undone < *at))
    }

    fn past(self) -> impl Iterator<Item = &'a Occurrence<'a>> {
        self.events.iter().filter(move |event| event.at <= self.now)
    }

    fn first(self, trigger: &'a Trigger) -> Option<UtcDateTime> {
        self.standing(trigger).min()
    }

    fn last(self, trigger: &'a Trigger) -> Option<UtcDateTime> {
        self.standing(trigger).max()
    }
}

/// What one rule says about an item.
struct Said {
    anchor: Option<UtcDateTime>,
    window: Option<Window>,
    effect: Effect,
}

impl Said {
    const fn plain(effect: Effect) -> Self {
        Self {
            anchor: None,
            window: None,
            effect,
        }
    }

    fn reason(self, rule: &Rule) -> Reason {
        let period = match &rule.limit {
            Limit::Floor { period, .. } | Limit::Ceiling { period, .. } => Some(*period),
            Limit::Until { .. } => None,
        };
        Reason {
            rule: rule.id.clone(),
            clause: rule.clause,
            anchor: self.anchor,
            period,
            window: self.window,
            effect: self.effect,
            decided: false,
        }
    }
}

/// Whether reasons are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Figures,
    Reasons,
}

/// What all rules together say.
struct Figures {
    keep: KeepUntil,
    gone: Option<UtcDateTime>,
    /// When disposal must start to be done by `gone`.
    start: Option<UtcDateTime>,
    act: Act,
    begun: Begun,
    reasons: Vec<Reason>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    No,
    Yes,
}

impl Figures {
    const fn nothing() -> Self {
        Self {
            keep: KeepUntil::Free,
            gone: None,
            start: None,
            act: Act::Early,
            begun: Begun::No,
            reasons: Vec::new(),
        }
    }

    fn take(&mut self, rule: &Rule, said: &Said) {
        self.act = self.act.max(rule.act);
        match said.effect {
            Effect::KeepsUntil(at) => self.keep = self.keep.max(KeepUntil::At(at)),
            Effect::KeepsOpen => self.keep = KeepUntil::Open,
            Effect::GoneBy(at) => self.gone = Some(self.gone.map_or(at, |gone| gone.min(at))),
            Effect::Ended | Effect::Waived(_) | Effect::NotStarted => {}
        }
        if said.anchor.is_some() || matches!(said.effect, Effect::Waived(_)) {
            self.begun = Begun::Yes;
        }
    }

    /// Keeps what has not started, works back from the deadline, and marks the rules that decided.
    fn settle(&mut self, slack: &Slack) {
        self.start = self.gone.map(|gone| start_by(gone, slack));
        if self.begun == Begun::No {
            self.keep = KeepUntil::Open;
        }
        for reason in &mut self.reasons {
            reason.decided = match reason.effect {
                Effect::KeepsUntil(at) => self.keep == KeepUntil::At(at),
                Effect::KeepsOpen => self.keep == KeepUntil::Open,
                Effect::GoneBy(at) => self.gone == Some(at),
                Effect::Ended | Effect::Waived(_) | Effect::NotStarted => false,
            };
        }
    }

    fn state(&self, now: UtcDateTime) -> State {
        let gone = self.gone;
        match self.keep {
            KeepUntil::At(keep) if gone.is_some_and(|gone| keep > gone) => return State::Conflict,
            KeepUntil::Open if gone.is_some_and(|gone| now >= gone) => return State::Conflict,
            KeepUntil::At(keep) if now < keep => return State::Keep,
            KeepUntil::Open => return State::Keep,
            KeepUntil::At(_) | KeepUntil::Free => {}
        }
        match gone {
            Some(gone) if now >= gone => State::Overdue,
            Some(_) if self.start.is_some_and(|start| now >= start) => State::Due,
            Some(_) | None => State::Eligible,
        }
    }

    /// Every instant at which the state can change while nothing happens.
    fn turns(&self) -> [Option<UtcDateTime>; 3] {
        let keep = match self.keep {
            KeepUntil::At(at) => Some(at),
            KeepUntil::Free | KeepUntil::Open => None,
        };
        [keep, self.start, self.gone]
    }
}

/// What the rules say, unless holds stand before them: those decide first, and the state changes
/// when the last of them ends.
fn hold(mut verdict: Verdict, item: &Item<'_>, holds: &HoldView, now: UtcDateTime) -> Verdict {
    let matching: Vec<&Hold> = holds.matching(item, now).collect();
    if matching.is_empty() {
        return verdict;
    }
    verdict.state = State::Held;
    verdict.held_by = matching.iter().map(|hold| hold.id).collect();
    verdict.suspended = verdict.gone_by.filter(|gone_by| *gone_by <= now);
    let ends: Option<Vec<UtcDateTime>> = matching.iter().map(|hold| hold.mode.ends()).collect();
    verdict.next_change = ends.and_then(|ends| ends.into_iter().max());
    verdict.because.holds = matching
        .iter()
        .map(|hold| HoldReason {
            hold: hold.id,
            matter: hold.matter.clone(),
            mode: hold.mode,
        })
        .collect();
    verdict
}

fn unclassified(why: Unclassified) -> Verdict {
    Verdict {
        state: State::Keep,
        keep_until: KeepUntil::Open,
        gone_by: None,
        start_by: None,
        held_by: Vec::new(),
        suspended: None,
        next_change: None,
        act: Act::Late,
        because: Reasons {
            rules: Vec::new(),
            holds: Vec::new(),
            unclassified: Some(why),
        },
    }
}
