//! The pattern `always`: two events in one transaction.

use std::collections::{BTreeMap, VecDeque};

use covenant_core::TxnId;
use time::{Duration, UtcDateTime};

use super::observed::{Key, Observed};
use super::tally::{Breach, Case, Tally, Undecided, Violation};
use super::{Cases, MonitorError, OPEN_CASES_MAX, Pattern};

/// How long after its first event a transaction is awaited, in seconds: none of ours lasts longer
/// than its lease, which is shorter by far.
pub const TXN_SPAN_SECS: i64 = 3_600;

/// Transactions that are not yet over, in the order of their first events.
#[derive(Debug, Clone, Default)]
pub(super) struct Always {
    txns: BTreeMap<TxnId, Txn>,
    order: VecDeque<(UtcDateTime, TxnId)>,
    /// Until when a part of a transaction may lie in a gap.
    lost: Option<UtcDateTime>,
}

#[derive(Debug, Clone)]
struct Txn {
    first: UtcDateTime,
    when: Option<(Key, UtcDateTime, covenant_core::Action)>,
    then: bool,
}

impl Always {
    pub(super) fn see(
        &mut self,
        pattern: &Pattern,
        event: &Observed<'_>,
        tally: &mut Tally,
    ) -> Result<(), MonitorError> {
        let Pattern::Always { when, then } = pattern else {
            return Ok(());
        };
        let (obliges, answers) = (event.action == *when, event.action == *then);
        if !(obliges || answers) {
            return Ok(());
        }
        let key = event.case(Cases::Thing)?;
        self.settle(event.at, tally);
        let Some(txn) = event.txn else {
            // alone in a transaction of its own
            if obliges && answers {
                tally.hold();
            } else if obliges {
                tally.violate(alone(key, event.at, event.action));
            }
            return Ok(());
        };
        if !self.txns.contains_key(&txn) {
            if self.txns.len() >= OPEN_CASES_MAX {
                return Err(MonitorError::TooManyCases);
            }
            self.order.push_back((event.at, txn));
        }
        let fresh = Txn {
            first: event.at,
            when: None,
            then: false,
        };
        let known = self.txns.entry(txn).or_insert(fresh);
        if obliges && known.when.is_none() {
            known.when = Some((key, event.at, event.action));
        }
        known.then |= answers;
        Ok(())
    }

    /// The history ends: a transaction that may still go on is open unless it is complete.
    pub(super) fn close(mut self, at: UtcDateTime, tally: &mut Tally) {
        self.settle(at, tally);
        for (_, id) in self.order {
            let Some(Txn {
                first,
                when: Some((key, since, _)),
                then,
            }) = self.txns.remove(&id)
            else {
                continue;
            };
            if then {
                tally.hold();
            } else {
                tally.leave_open(
                    key,
                    Case {
                        since,
                        limit: end(first),
                    },
                    Undecided::End,
                );
            }
        }
    }

    /// What happened after `from` and before `until` is not known: the rest of a transaction may
    /// lie there.
    pub(super) fn lose(&mut self, from: UtcDateTime, until: UtcDateTime, tally: &mut Tally) {
        self.settle(from, tally);
        self.order.clear();
        for (_, txn) in std::mem::take(&mut self.txns) {
            match txn.when {
                Some(_) if txn.then => tally.hold(),
                Some((key, since, _)) => {
                    let limit = end(txn.first);
                    tally.leave_open(key, Case { since, limit }, Undecided::Lost);
                }
                None => {}
            }
        }
        self.lost = Some(end(until));
    }

    pub(super) fn len(&self) -> usize {
        self.txns.len()
    }

    /// Judges every transaction whose time is over.
    fn settle(&mut self, now: UtcDateTime, tally: &mut Tally) {
        while let Some((first, id)) = self.order.front().copied() {
            if end(first) >= now {
                break;
            }
            self.order.pop_front();
            match self.txns.remove(&id) {
                Some(Txn {
                    when: Some(_),
                    then: true,
                    ..
                }) => tally.hold(),
                Some(Txn {
                    when: Some((key, since, _)),
                    ..
                }) if self.lost.is_some_and(|lost| first <= lost) => {
                    let limit = end(first);
                    tally.leave_open(key, Case { since, limit }, Undecided::Lost);
                }
                Some(Txn {
                    when: Some((key, at, action)),
                    ..
                }) => {
                    tally.violate(alone(key, at, action));
                }
                _ => {}
            }
        }
    }
}

fn alone(case: Key, at: UtcDateTime, action: covenant_core::Action) -> Violation {
    Violation {
        case: case.into(),
        breach: Breach::Alone,
        action: Some(action),
        at,
        since: None,
        limit: None,
    }
}

fn end(first: UtcDateTime) -> UtcDateTime {
    let span = Duration::seconds(TXN_SPAN_SECS);
    first.checked_add(span).unwrap_or(UtcDateTime::MAX)
}
