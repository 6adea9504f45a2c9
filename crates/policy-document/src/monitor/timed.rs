//! Patterns with a limit in time: `within`, `not_before` and `every`.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::Action;
use time::UtcDateTime;

use super::limit::{Limits, Side};
use super::observed::{Attribute, Key, Observed};
use super::tally::{Case, Tally, Undecided};
use super::{Cases, MonitorError, OPEN_CASES_MAX, Pattern};

/// Open cases, one record each.
#[derive(Debug, Clone)]
pub(super) struct Timed {
    limits: Limits,
    open: BTreeMap<Key, Case>,
}

/// The parts that the three patterns share.
struct Parts<'a> {
    starts: bool,
    meets: bool,
    ended_by: &'a BTreeSet<Action>,
    cases: Cases,
}

impl Timed {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            open: BTreeMap::new(),
        }
    }

    pub(super) fn see(
        &mut self,
        pattern: &Pattern,
        event: &Observed<'_>,
        tally: &mut Tally,
    ) -> Result<(), MonitorError> {
        let Some(parts) = parts(pattern, event.action) else {
            return Ok(());
        };
        let ends = parts.ended_by.contains(&event.action);
        if !(parts.starts || parts.meets || ends) {
            return Ok(());
        }
        let key = event.case(parts.cases)?;
        // all that can fail comes before the first change
        let next = if parts.starts {
            Some(self.start(pattern, event)?)
        } else {
            None
        };
        if next.is_some() && self.open.len() >= OPEN_CASES_MAX && !self.open.contains_key(&key) {
            return Err(MonitorError::TooManyCases);
        }
        if parts.meets
            && let Some(case) = self.open.remove(&key)
        {
            tally.settle(key.clone(), case, self.limits.side, event.at, event.action);
        }
        if ends {
            self.end(&key, event, tally);
        }
        if let Some(next) = next {
            let side = self.limits.side;
            let stricter = |old: &Case| match side {
                Side::Ceiling => next.limit < old.limit,
                Side::Floor => next.limit > old.limit,
            };
            if self.open.get(&key).is_none_or(stricter) {
                self.open.insert(key, next);
            }
        }
        Ok(())
    }

    /// The history ends: what is overdue failed, what is not yet due is open.
    pub(super) fn close(self, pattern: &Pattern, at: UtcDateTime, tally: &mut Tally) {
        let again = matches!(pattern, Pattern::Every { .. });
        for (key, case) in self.open {
            match self.limits.side {
                Side::Ceiling if case.limit < at => tally.overdue(key, case),
                // a rhythm never ends by itself: after one whole interval it is proven so far
                Side::Ceiling if again && tally.decided() > 0 => {}
                Side::Floor if case.limit <= at => tally.hold(),
                Side::Ceiling | Side::Floor => {
                    tally.leave_open(key, case, Undecided::End);
                }
            }
        }
    }

    /// What happened after `from` is not known for a while: what was due before it failed, what was
    /// over before it held, and nothing is known of the rest.
    pub(super) fn lose(&mut self, from: UtcDateTime, tally: &mut Tally) {
        for (key, case) in std::mem::take(&mut self.open) {
            match self.limits.side {
                Side::Ceiling if case.limit < from => tally.overdue(key, case),
                Side::Floor if case.limit <= from => tally.hold(),
                Side::Ceiling | Side::Floor => tally.leave_open(key, case, Undecided::Lost),
            }
        }
    }

    /// The cases that are open now.
    pub(super) fn cases(&self) -> impl Iterator<Item = (&Key, &Case)> {
        self.open.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// A ceiling on a backup counts from the instant that it shows, a floor and a rhythm from the
    /// event itself.
    fn start(&self, pattern: &Pattern, event: &Observed<'_>) -> Result<Case, MonitorError> {
        let shown = match event.attributes.get("consistent_at") {
            Some(Attribute::At(shown)) => shown.min(event.at),
            _ => event.at,
        };
        let backup = event.action == Action::BackupCompleted;
        let since = match pattern {
            Pattern::Within { .. } if backup => shown,
            _ => event.at,
        };
        let limit = self.limits.end(since)?;
        Ok(Case { since, limit })
    }

    /// Ends the case, or every case of the tenant when the event is about the tenant as a whole.
    fn end(&mut self, key: &Key, event: &Observed<'_>, tally: &mut Tally) {
        let whole = is_of_tenant(event.action);
        let keys: Vec<Key> = if whole {
            let first = Key::first_of(key.tenant);
            let of_tenant = self.open.range(first..).map(|(key, _)| key);
            of_tenant
                .take_while(|k| k.tenant == key.tenant)
                .cloned()
                .collect()
        } else {
            vec![key.clone()]
        };
        for key in keys {
            let Some(case) = self.open.remove(&key) else {
                continue;
            };
            if self.limits.side == Side::Ceiling && case.limit < event.at {
                tally.overdue(key, case);
            }
        }
    }
}

/// Whether the thing of an action is the tenant as a whole.
pub(super) fn is_of_tenant(action: Action) -> bool {
    matches!(
        noun(action),
        "contract" | "database" | "subscription" | "trial"
    )
}

/// What an action is about: the part of its name before the point.
pub(super) fn noun(action: Action) -> &'static str {
    action.name().split('.').next().unwrap_or_default()
}

fn parts(pattern: &Pattern, action: Action) -> Option<Parts<'_>> {
    match pattern {
        Pattern::Within {
            from,
            to,
            ended_by,
            cases,
            ..
        }
        | Pattern::NotBefore {
            from,
            to,
            ended_by,
            cases,
            ..
        } => Some(Parts {
            starts: from.contains(&action),
            meets: *to == action,
            ended_by,
            cases: *cases,
        }),
        Pattern::Every {
            action: again,
            ended_by,
            cases,
            ..
        } => Some(Parts {
            starts: *again == action,
            meets: *again == action,
            ended_by,
            cases: *cases,
        }),
        _ => None,
    }
}
