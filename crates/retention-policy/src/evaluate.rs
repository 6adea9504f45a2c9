//! The decision: pure, total, and the same for any order of rules and events.
//!
//! An event counts from its instant on, so a decision about an earlier moment does not see it. A
//! ceiling counts from the earliest occurrence of its trigger that is not cancelled, a floor from
//! the latest; ceilings use the earliest reading of their period, floors the latest. What has not
//! started is kept: a floor is open before its event, and an item of which no rule has started may
//! not go, whatever its ceilings say later.
#![deny(clippy::arithmetic_side_effects)]

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use covenant_core::Window;
use covenant_core::digest::Digest;
use time::UtcDateTime;

use crate::rule::{Act, Limit, Rule};
use crate::schedule::{earlier, later, start_by};
use crate::selected::{Anchor, Ruling, Selected, Standing};
use crate::verdict::{Effect, HoldReason, KeepUntil, Reasons, Said, State, Unclassified, Verdict};
use crate::{HoldView, Item, Moment, Occurrence, RuleSet, Slack};

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
        let figures = self.figures(under, item.events, moment, moment.now);
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
            because: Reasons::of(Arc::clone(under.rules), figures.standing, figures.said),
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

    /// What the rules say at the instant.
    // clause: P-18, P-51, P-52, Q-24, R-23
    fn figures(
        &self,
        under: Under<'_>,
        events: &[Occurrence<'_>],
        moment: &Moment,
        now: UtcDateTime,
    ) -> Figures {
        let rulings = under.selected.rulings();
        let mut all = Figures::nothing();
        all.standing = under.selected.standing(events, now);
        all.said.reserve_exact(rulings.len());
        for ruling in rulings {
            if let Some(rule) = under.rules.get(ruling.rule) {
                all.act = all.act.max(rule.act);
                all.said.push(self.say(rule, ruling, &all.standing));
            }
        }
        all.settle(&moment.slack);
        all
    }

    /// What one rule says.
    fn say(&self, rule: &Rule, ruling: &Ruling, standing: &[Standing]) -> Said {
        let (first, last) = (Anchor::First(ruling.trigger), Anchor::Last(ruling.trigger));
        let said = |anchor: Anchor, window: Option<Window>, effect: Effect| Said {
            rule: ruling.rule,
            anchor,
            window,
            effect,
            decided: false,
        };
        if let Some(met) = ruling.to.map(Anchor::Last)
            && met.of(standing).is_some()
        {
            return said(met, None, Effect::Ended);
        }
        let waived_by = ruling.waived_by.iter();
        let waiver = waived_by.filter_map(|event| Anchor::First(*event).of(standing));
        match (&rule.limit, waiver.min()) {
            (Limit::Floor { .. } | Limit::Until { .. }, Some(at)) => {
                said(Anchor::None, None, Effect::Waived(at))
            }
            (
                Limit::Floor {
                    period, early_secs, ..
                },
                None,
            ) => {
                let Some(from) = last.of(standing) else {
                    return said(Anchor::None, None, Effect::KeepsOpen);
                };
                match period.resolve(from, &self.reading) {
                    Ok(window) => {
                        let until = earlier(window.latest, Duration::from_secs(*early_secs));
                        said(last, Some(window), Effect::KeepsUntil(until))
                    }
                    Err(_) => said(last, None, Effect::KeepsOpen),
                }
            }
            (Limit::Until { .. }, None) => match last.of(standing) {
                Some(_) => said(last, None, Effect::Ended),
                None => said(Anchor::None, None, Effect::KeepsOpen),
            },
            (
                Limit::Ceiling {
                    period, late_secs, ..
                },
                _,
            ) => {
                let Some(from) = first.of(standing) else {
                    return said(Anchor::None, None, Effect::NotStarted);
                };
                match period.resolve(from, &self.reading) {
                    Ok(window) => {
                        let by = later(window.earliest, Duration::from_secs(*late_secs));
                        said(first, Some(window), Effect::GoneBy(by))
                    }
                    Err(_) => said(first, None, Effect::NotStarted),
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
            let figures = self.figures(under, events, moment, event);
            if figures.state(event) != state {
                return Some(event);
            }
            from = event;
            later_figures = Some(figures);
        }
    }
}

/// The rules of an item, and which of all rules they are.
#[derive(Clone, Copy)]
struct Under<'a> {
    rules: &'a Arc<[Rule]>,
    selected: &'a Selected,
}

/// What all rules together say.
struct Figures {
    keep: KeepUntil,
    gone: Option<UtcDateTime>,
    /// When disposal must start to be done by `gone`.
    start: Option<UtcDateTime>,
    act: Act,
    standing: Vec<Standing>,
    said: Vec<Said>,
}

impl Figures {
    const fn nothing() -> Self {
        Self {
            keep: KeepUntil::Free,
            gone: None,
            start: None,
            act: Act::Early,
            standing: Vec::new(),
            said: Vec::new(),
        }
    }

    /// Puts together what the rules said, keeps what has not started, works back from the deadline,
    /// and marks the rules that decided.
    fn settle(&mut self, slack: &Slack) {
        let mut begun = false;
        // after all of them were asked: what one has just said would be waited for
        for said in &self.said {
            match said.effect {
                Effect::KeepsUntil(at) => self.keep = self.keep.max(KeepUntil::At(at)),
                Effect::KeepsOpen => self.keep = KeepUntil::Open,
                Effect::GoneBy(at) => self.gone = Some(self.gone.map_or(at, |gone| gone.min(at))),
                Effect::Ended | Effect::Waived(_) | Effect::NotStarted => {}
            }
            begun |= said.anchor != Anchor::None || matches!(said.effect, Effect::Waived(_));
        }
        if !begun {
            self.keep = KeepUntil::Open;
        }
        self.start = self.gone.map(|gone| start_by(gone, slack));
        for said in &mut self.said {
            said.decided = match said.effect {
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
    let mut reasons = Vec::new();
    // the last end; none as soon as one hold has no end
    let mut last = Some(UtcDateTime::MIN);
    for hold in holds.matching(item, now) {
        verdict.held_by.push(hold.id);
        last = last.zip(hold.mode.ends()).map(|(a, b)| a.max(b));
        reasons.push(HoldReason {
            hold: hold.id,
            matter: hold.matter.clone(),
            mode: hold.mode,
        });
    }
    if reasons.is_empty() {
        return verdict;
    }
    verdict.state = State::Held;
    verdict.suspended = verdict.gone_by.filter(|gone_by| *gone_by <= now);
    verdict.next_change = last;
    verdict.because.held(reasons);
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
        because: Reasons::unjudged(why),
    }
}
