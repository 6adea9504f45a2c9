//! Patterns without a limit in time: `never`, `before`, `member` and `unique`.

use std::collections::{BTreeMap, BTreeSet};

use time::UtcDateTime;

use super::observed::{Attribute, Key, Observed};
use super::recorded::Value;
use super::tally::{Breach, Case, Tally, Undecided, Violation};
use super::{Cases, MonitorError, OPEN_CASES_MAX, Pattern};

fn failed(
    case: Key,
    breach: Breach,
    event: &Observed<'_>,
    since: Option<UtcDateTime>,
) -> Violation {
    Violation {
        case: case.into(),
        breach,
        action: Some(event.action),
        at: event.at,
        since,
        limit: None,
    }
}

const fn room(held: usize) -> Result<(), MonitorError> {
    if held >= OPEN_CASES_MAX {
        return Err(MonitorError::TooManyCases);
    }
    Ok(())
}

/// States that have begun and not ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Never(BTreeMap<Key, UtcDateTime>);

impl Never {
    pub(super) fn see(
        &mut self,
        pattern: &Pattern,
        event: &Observed<'_>,
        tally: &mut Tally,
    ) -> Result<(), MonitorError> {
        let Pattern::Never {
            action,
            from,
            until,
            cases,
        } = pattern
        else {
            return Ok(());
        };
        let (forbidden, begins, ends) = (
            *action == event.action,
            from.contains(&event.action),
            until.contains(&event.action),
        );
        if !(forbidden || begins || ends) {
            return Ok(());
        }
        let key = event.case(*cases)?;
        if begins && !self.0.contains_key(&key) {
            room(self.0.len())?;
        }
        if forbidden && let Some(since) = self.0.get(&key) {
            tally.violate(failed(key.clone(), Breach::Forbidden, event, Some(*since)));
        }
        if ends {
            self.0.remove(&key);
        }
        if begins && !self.0.contains_key(&key) {
            self.0.insert(key, event.at);
            tally.hold();
        }
        Ok(())
    }

    /// A state that was open may have ended in the gap: nothing more is said of it.
    pub(super) fn lose(&mut self) {
        self.0.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Cases in which the first event has come, and the end of the last gap, in which it may have come
/// in any.
#[derive(Debug, Clone, Default)]
pub(super) struct Before {
    known: BTreeSet<Key>,
    lost: Option<UtcDateTime>,
}

impl Before {
    pub(super) fn see(
        &mut self,
        pattern: &Pattern,
        event: &Observed<'_>,
        tally: &mut Tally,
    ) -> Result<(), MonitorError> {
        let Pattern::Before { first, then, cases } = pattern else {
            return Ok(());
        };
        let (comes, opens) = (event.action == *then, event.action == *first);
        if !(comes || opens) {
            return Ok(());
        }
        let key = event.case(*cases)?;
        let known = self.known.contains(&key);
        if opens && !known {
            room(self.known.len())?;
        }
        if comes && known {
            tally.hold();
        } else if let Some(lost) = self.lost.filter(|_| comes) {
            let case = Case {
                since: lost,
                limit: event.at,
            };
            tally.leave_open(key.clone(), case, Undecided::Lost);
        } else if comes {
            tally.violate(failed(key.clone(), Breach::Unpreceded, event, None));
        }
        if opens {
            self.known.insert(key);
        }
        Ok(())
    }

    pub(super) const fn lose(&mut self, until: UtcDateTime) {
        self.lost = Some(until);
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

/// Nothing is remembered.
#[derive(Debug, Clone)]
pub(super) struct Member;

impl Member {
    #[expect(clippy::unused_self, reason = "as every other state")]
    pub(super) fn see(
        &self,
        pattern: &Pattern,
        event: &Observed<'_>,
        tally: &mut Tally,
    ) -> Result<(), MonitorError> {
        let Pattern::Member {
            action,
            attribute,
            set,
        } = pattern
        else {
            return Ok(());
        };
        if event.action != *action {
            return Ok(());
        }
        match event.attributes.get(attribute.as_str()) {
            Some(Attribute::Word(word)) if set.contains(word) => {
                tally.hold();
            }
            _ => {
                let key = event.case(Cases::Thing)?;
                tally.violate(failed(key, Breach::NotMember, event, None));
            }
        }
        Ok(())
    }
}

/// Which value belongs to which, both ways.
#[derive(Debug, Clone, Default)]
pub(super) struct Unique {
    owner: BTreeMap<Value, Value>,
    owned: BTreeMap<Value, Value>,
}

impl Unique {
    pub(super) fn see(
        &mut self,
        pattern: &Pattern,
        event: &Observed<'_>,
        tally: &mut Tally,
    ) -> Result<(), MonitorError> {
        let Pattern::Unique {
            action,
            attribute,
            per,
        } = pattern
        else {
            return Ok(());
        };
        if event.action != *action {
            return Ok(());
        }
        let value = |name: &str| event.attributes.get(name).map(Value::try_from).transpose();
        let (Some(one), Some(other)) = (value(attribute.as_str())?, value(per.as_str())?) else {
            let key = event.case(Cases::Thing)?;
            tally.violate(failed(key, Breach::NotUnique, event, None));
            return Ok(());
        };
        match (self.owner.get(&one), self.owned.get(&other)) {
            (Some(owner), Some(owned)) if *owner == other && *owned == one => tally.hold(),
            (None, None) => {
                room(self.owner.len())?;
                self.owner.insert(one.clone(), other.clone());
                self.owned.insert(other, one);
                tally.hold();
            }
            _ => {
                let key = event.case(Cases::Thing)?;
                tally.violate(failed(key, Breach::NotUnique, event, None));
            }
        }
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.owner.len()
    }
}
