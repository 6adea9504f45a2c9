//! What becomes of items over a span of time, jumping from change to change.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use time::UtcDateTime;

use crate::{HoldView, Item, Moment, Retention, RuleSet, Slack, State, Verdict};

/// From an instant, included, to an instant, excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first instant.
    pub from: UtcDateTime,
    /// The first instant that does not belong to it.
    pub until: UtcDateTime,
}

/// An item's state became another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: UtcDateTime,
    /// Position of the item in the list.
    pub item: usize,
    /// The state before; `None` at the beginning of the span.
    pub before: Option<State>,
    /// The verdict from this instant on.
    pub verdict: Verdict,
}

/// The changes of all items in the span, in order of time and then of position: first each item's
/// state at its beginning, then every change. The holds stand from the beginning to their ends. Memory grows with the number of items, not of changes.
pub fn simulate<'a>(
    rules: &'a dyn Retention,
    items: &'a [Item<'a>],
    holds: &'a HoldView,
    slack: Slack,
    span: Span,
) -> impl Iterator<Item = Change> + 'a {
    let mut due: BinaryHeap<Reverse<(UtcDateTime, usize, Option<State>)>> = (0..items.len())
        .filter(|_| span.from < span.until)
        .map(|item| Reverse((span.from, item, None)))
        .collect();
    std::iter::from_fn(move || {
        let Reverse((at, item, before)) = due.pop()?;
        let verdict = rules.evaluate(items.get(item)?, holds, &Moment::at(at).with_slack(slack));
        if let Some(next) = verdict
            .next_change
            .filter(|next| *next < span.until && *next > at)
        {
            due.push(Reverse((next, item, Some(verdict.state))));
        }
        Some(Change {
            at,
            item,
            before,
            verdict,
        })
    })
}

impl RuleSet {
    /// What becomes of the items over the span; see [`simulate`].
    pub fn simulate<'a>(
        &'a self,
        items: &'a [Item<'a>],
        holds: &'a HoldView,
        slack: Slack,
        span: Span,
    ) -> impl Iterator<Item = Change> + 'a {
        simulate(self, items, holds, slack, span)
    }
}
