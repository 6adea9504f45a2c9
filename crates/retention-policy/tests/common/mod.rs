//! What several test files share: instants, tenants, and the obvious model of a decision.

use covenant_core::{Period, Reading, TenantId};
use retention_policy::{KeepUntil, Occurrence, State};
use time::UtcDateTime;

/// So many seconds after the beginning of the tests' time, a midnight.
pub(crate) fn at(secs: i64) -> UtcDateTime {
    UtcDateTime::from_unix_timestamp(1_704_067_200 + secs).unwrap_or(UtcDateTime::MAX)
}

/// A tenant of the tests.
pub(crate) fn tenant(n: u8) -> TenantId {
    TenantId::from_bytes([n; 16])
}

/// A rule of the model.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    Floor {
        from: &'static str,
        period: &'static str,
        early: i64,
        waived_by: Option<&'static str>,
    },
    Ceiling {
        from: &'static str,
        period: &'static str,
        late: i64,
    },
    Until {
        event: &'static str,
        waived_by: Option<&'static str>,
    },
}

/// The obvious model: at every second, ask each rule whether it keeps the item and whether its
/// deadline has come. Knows `undo`, which cancels `start`.
#[derive(Debug)]
pub(crate) struct Model<'a> {
    pub(crate) rules: &'a [Said],
    pub(crate) events: &'a [Occurrence<'a>],
    pub(crate) reading: &'a Reading,
    pub(crate) slack_secs: i64,
}

/// What the model says at one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) state: State,
    pub(crate) keep_until: KeepUntil,
    pub(crate) gone_by: Option<UtcDateTime>,
}

impl Model<'_> {
    pub(crate) fn answer(&self, now: UtcDateTime) -> Answer {
        let mut ends = Vec::new();
        let mut open = false;
        let mut deadlines = Vec::new();
        let mut started = false;
        for rule in self.rules {
            match rule {
                Said::Floor {
                    waived_by: Some(waiver),
                    ..
                }
                | Said::Until {
                    waived_by: Some(waiver),
                    ..
                } if !self.times(waiver, now).is_empty() => {
                    started = true;
                }
                Said::Floor {
                    from,
                    period,
                    early,
                    ..
                } => match self.times(from, now).last() {
                    Some(anchor) => {
                        started = true;
                        ends.push(self.readings(period, *anchor).1 - secs(*early));
                    }
                    None => open = true,
                },
                Said::Until { event, .. } => match self.times(event, now).last() {
                    Some(_) => started = true,
                    None => open = true,
                },
                Said::Ceiling { from, period, late } => {
                    if let Some(anchor) = self.times(from, now).first() {
                        started = true;
                        deadlines.push(self.readings(period, *anchor).0 + secs(*late));
                    }
                }
            }
        }
        let open = open || !started;
        let gone_by = deadlines.iter().min().copied();
        let keep = ends.iter().max().copied();
        let keep_until = match (open, keep) {
            (true, _) => KeepUntil::Open,
            (false, Some(end)) => KeepUntil::At(end),
            (false, None) => KeepUntil::Free,
        };
        let late = gone_by.is_some_and(|gone| now >= gone);
        let soon = gone_by.is_some_and(|gone| now >= gone - secs(self.slack_secs));
        let never = !open && keep.zip(gone_by).is_some_and(|(keep, gone)| keep > gone);
        let state = if never || (open && late) {
            State::Conflict
        } else if open || keep.is_some_and(|keep| now < keep) {
            State::Keep
        } else if late {
            State::Overdue
        } else if soon {
            State::Due
        } else {
            State::Eligible
        };
        Answer {
            state,
            keep_until,
            gone_by,
        }
    }

    /// The first second after `now`, up to `end`, at which the state is another.
    pub(crate) fn next_change(&self, now: UtcDateTime, end: UtcDateTime) -> Option<UtcDateTime> {
        let state = self.answer(now).state;
        let mut next = now + secs(1);
        while next <= end {
            if self.answer(next).state != state {
                return Some(next);
            }
            next += secs(1);
        }
        None
    }

    /// When the event happened up to now and was not undone, earliest first.
    fn times(&self, name: &str, now: UtcDateTime) -> Vec<UtcDateTime> {
        let mut times = Vec::new();
        for event in self.events {
            if event.name != name || event.at > now {
                continue;
            }
            let undone = name == "start"
                && self
                    .events
                    .iter()
                    .any(|e| e.name == "undo" && e.at >= event.at && e.at <= now);
            if !undone {
                times.push(event.at);
            }
        }
        times.sort_unstable();
        times
    }

    fn readings(&self, period: &str, anchor: UtcDateTime) -> (UtcDateTime, UtcDateTime) {
        let window = period
            .parse::<Period>()
            .and_then(|p| p.resolve(anchor, self.reading));
        window.map_or((UtcDateTime::MIN, UtcDateTime::MAX), |w| {
            (w.earliest, w.latest)
        })
    }
}

pub(crate) fn secs(n: i64) -> time::Duration {
    time::Duration::seconds(n)
}
