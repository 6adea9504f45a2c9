//! A bound of a clause between two events, as constraints of a network.

use std::collections::BTreeSet;

use covenant_core::network::Constraint;
use covenant_core::{Action, ClauseId, Period};

use crate::{Bound, Clause, Document, Modality};

/// The name of the declared figure that is the one chosen from a stated range.
pub(crate) const WAIT: &str = "wait";

/// Whose figures count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figures {
    /// Those of the page alone, without tolerances.
    Stated,
    /// The page's, and what is declared.
    InForce,
}

/// At least, or at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Floor,
    Ceiling,
}

/// What a clause promises about two events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Promise<'d> {
    pub(crate) clause: &'d Clause,
    pub(crate) from: Action,
    pub(crate) to: Action,
    pub(crate) min: Option<Period>,
    /// The figure chosen from a range, which is a floor as well.
    pub(crate) wait: Option<Period>,
    pub(crate) max: Option<Period>,
    pub(crate) early: Period,
    pub(crate) late: Period,
}

impl<'d> Promise<'d> {
    pub(crate) const fn id(&self) -> ClauseId {
        self.clause.id
    }

    pub(crate) fn events(&self) -> BTreeSet<Action> {
        [self.from, self.to].into()
    }

    /// The same between other events.
    pub(crate) const fn between(mut self, from: Action, to: Action) -> Self {
        (self.from, self.to) = (from, to);
        self
    }

    /// Whether this event ends its floor.
    pub(crate) fn is_waived_by(&self, event: Action) -> bool {
        let bound = self.clause.bound.as_ref();
        bound.is_some_and(|bound| bound.waived_by.contains(&event))
    }

    pub(crate) fn constraints(&self) -> Vec<Constraint> {
        let sides = [Side::Floor, Side::Ceiling];
        sides.into_iter().flat_map(|side| self.side(side)).collect()
    }

    pub(crate) fn side(&self, side: Side) -> Vec<Constraint> {
        let label = || self.id().to_string();
        let (from, to) = (self.from.name(), self.to.name());
        let floor = |period| Constraint::floor(label(), from, to, period);
        match side {
            Side::Floor => {
                let stated = self.min.map(|min| floor(min).with_tolerance(self.early));
                stated.into_iter().chain(self.wait.map(floor)).collect()
            }
            Side::Ceiling => {
                let ceiling = |max| Constraint::ceiling(label(), from, to, max);
                let stated = self.max.map(|max| ceiling(max).with_tolerance(self.late));
                stated.into_iter().collect()
            }
        }
    }
}

/// Every promise about two events; rhythms, states and periods that an event carries are none.
pub(crate) fn promises(document: &Document, figures: Figures) -> Vec<Promise<'_>> {
    let clauses = document.clauses.iter();
    clauses.flat_map(|clause| of(clause, figures)).collect()
}

fn of(clause: &Clause, figures: Figures) -> Vec<Promise<'_>> {
    let Some(bound) = &clause.bound else {
        return Vec::new();
    };
    if clause.modality == Some(Modality::Every) || bound.of.is_some() {
        return Vec::new();
    }
    let (source, tolerances) = match figures {
        Figures::Stated => (clause.stated.as_ref(), None),
        Figures::InForce => (Some(bound), Some((bound.early, bound.late))),
    };
    let (min, max) = source.map_or((None, None), |source| (source.min, source.max));
    let wait = match (figures, min, max) {
        (Figures::InForce, Some(min), Some(max)) if min != max => {
            clause.declared(WAIT).and_then(|declared| declared.period())
        }
        _ => None,
    };
    if min.is_none() && max.is_none() {
        return Vec::new();
    }
    let (early, late) = tolerances.unwrap_or_default();
    let promise = |(from, to)| Promise {
        clause,
        from,
        to,
        min,
        wait,
        max,
        early,
        late,
    };
    pairs(bound).map(promise).collect()
}

/// Each start with each end.
fn pairs(bound: &Bound) -> impl Iterator<Item = (Action, Action)> {
    let with = |from: &Action| {
        let from = *from;
        bound.to.iter().map(move |to| (from, *to))
    };
    bound.from.iter().flat_map(with)
}

/// How often this event is promised to happen.
pub(super) fn rhythm(clause: &Clause, event: Action, figures: Figures) -> Option<(&Bound, Period)> {
    let bound = match figures {
        Figures::Stated => clause.stated.as_ref()?,
        Figures::InForce => clause.bound.as_ref()?,
    };
    let is_rhythm = clause.modality == Some(Modality::Every) && bound.to.contains(&event);
    bound.max.filter(|_| is_rhythm).map(|most| (bound, most))
}
