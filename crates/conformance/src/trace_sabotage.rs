//! Sabotage of a recorded trace: one event is moved, lost, doubled, given to another tenant or
//! stripped of a field, and the monitor must object. It shows that a monitor has teeth where the
//! system itself cannot be sabotaged; a pattern that a mutation cannot contradict says why.

use covenant_core::{Action, ClauseId, TenantId};
use policy_document::monitor::{Cases, Monitor, Pattern, Recorded, TXN_SPAN_SECS, Watched};
use time::{Duration, UtcDateTime};
use uuid::Uuid;

mod timeless;

/// How many events of a trace are tried as the one to be mutated.
const CANDIDATES_MAX: usize = 200;

/// What is done to one event of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TraceSabotage {
    /// It happens one second past the bound: later than the ceiling, or sooner than the floor.
    Moved,
    /// It is lost.
    Dropped,
    /// It is recorded twice.
    Duplicated,
    /// It is another tenant's.
    TenantSwapped,
    /// It lacks the field by which it belongs to its case.
    FieldStripped,
}

impl TraceSabotage {
    /// Every one.
    pub const ALL: &'static [Self] = &[
        Self::Moved,
        Self::Dropped,
        Self::Duplicated,
        Self::TenantSwapped,
        Self::FieldStripped,
    ];

    /// The word of reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Moved => "event-moved",
            Self::Dropped => "event-dropped",
            Self::Duplicated => "event-duplicated",
            Self::TenantSwapped => "tenant-swapped",
            Self::FieldStripped => "field-stripped",
        }
    }
}

impl std::fmt::Display for TraceSabotage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What became of a mutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "it is caught, missed or makes no sense"
)]
pub enum TraceOutcome {
    /// The monitor objects.
    Caught,
    /// It does not, although the promise is broken.
    Missed,
    /// The mutation contradicts no promise of this pattern, or no event of this trace allows it.
    Inapplicable(&'static str),
}

/// What the mutations of one trace made of one monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Teeth {
    pub(crate) clause: ClauseId,
    pub(crate) pattern: Pattern,
    pub(crate) outcomes: Vec<(TraceSabotage, TraceOutcome)>,
}

/// Mutates the trace for each monitor that held on it.
pub(crate) fn teeth(
    monitors: &[Monitor],
    watched: &[Watched],
    trace: &[Recorded],
    end: UtcDateTime,
) -> Vec<Teeth> {
    let held = |monitor: &&Monitor| {
        let same = |w: &Watched| w.clause == monitor.clause() && w.pattern == *monitor.pattern();
        watched.iter().any(|w| same(w) && w.held())
    };
    let all = TraceSabotage::ALL;
    let try_all = |monitor: &Monitor| {
        let outcomes = all.iter().map(|s| (*s, attempt(*s, monitor, trace, end)));
        Teeth {
            clause: monitor.clause(),
            pattern: monitor.pattern().clone(),
            outcomes: outcomes.collect(),
        }
    };
    monitors.iter().filter(held).map(try_all).collect()
}

/// Why a mutation cannot be made.
pub(crate) const NO_CASE: &str = "no event of this trace can be mutated so";

/// Mutates the trace, which the monitor finds sound, and says whether the monitor objects.
///
/// `end` is when the history ended. The event is chosen by what the pattern promises alone, never by
/// what the monitor then says.
#[must_use]
pub fn attempt(
    sabotage: TraceSabotage,
    monitor: &Monitor,
    trace: &[Recorded],
    end: UtcDateTime,
) -> TraceOutcome {
    let mutated = match mutate(sabotage, monitor, trace, end) {
        Ok(mutated) => mutated,
        Err(reason) => return TraceOutcome::Inapplicable(reason),
    };
    match crate::trace::judge([monitor.clone()], &mutated, end) {
        Ok(watched) if watched.iter().any(crate::trace::is_violated) => TraceOutcome::Caught,
        Ok(_) | Err(_) => TraceOutcome::Missed,
    }
}

fn mutate(
    sabotage: TraceSabotage,
    monitor: &Monitor,
    trace: &[Recorded],
    end: UtcDateTime,
) -> Result<Vec<Recorded>, &'static str> {
    match monitor.pattern() {
        Pattern::Within { to, cases, .. } => meets(sabotage, monitor, trace, end, (*to, *cases)),
        Pattern::Every { action, cases, .. } => {
            meets(sabotage, monitor, trace, end, (*action, *cases))
        }
        Pattern::NotBefore { to, .. } => floor(sabotage, monitor, trace, *to),
        other => timeless::mutate(sabotage, other, trace, end),
    }
}

/// What a ceiling or a rhythm asks for comes too late, or not at all.
fn meets(
    sabotage: TraceSabotage,
    monitor: &Monitor,
    trace: &[Recorded],
    end: UtcDateTime,
    (to, cases): (Action, Cases),
) -> Result<Vec<Recorded>, &'static str> {
    if sabotage == TraceSabotage::Duplicated {
        return Err("once more of what must happen keeps the promise too");
    }
    let mut watching = monitor.clone();
    let mut tried = 0_usize;
    for (at, event) in trace.iter().enumerate() {
        let observed = event.observed();
        let open = (event.action == to).then(|| watching.open_case(&observed));
        if let Some(open) = open.flatten() {
            tried = tried.saturating_add(1);
            let late = after(open.limit, Duration::SECOND);
            let moved = sabotage == TraceSabotage::Moved;
            // nothing else may settle or end the case meanwhile
            let rest = trace.get(at.saturating_add(1)..).unwrap_or_default();
            let alone = rest
                .iter()
                .take_while(|other| other.at <= late)
                .all(|other| !disturbs(monitor, other, event));
            if alone && late > event.at && (moved || late <= end) {
                return Ok(changed(trace, at, |event| match sabotage {
                    TraceSabotage::Moved => {
                        event.at = late;
                        Keep::Yes
                    }
                    TraceSabotage::TenantSwapped => {
                        event.tenant = Some(stranger(event.tenant));
                        Keep::Yes
                    }
                    TraceSabotage::FieldStripped => {
                        strip(event, cases);
                        Keep::Yes
                    }
                    TraceSabotage::Dropped | TraceSabotage::Duplicated => Keep::No,
                }));
            }
        }
        if tried > CANDIDATES_MAX || watching.see(&observed).is_err() {
            break;
        }
    }
    Err(NO_CASE)
}

/// What a floor forbids comes too soon.
fn floor(
    sabotage: TraceSabotage,
    monitor: &Monitor,
    trace: &[Recorded],
    to: Action,
) -> Result<Vec<Recorded>, &'static str> {
    if sabotage != TraceSabotage::Moved {
        return Err("a floor asks for no event: what is missing or elsewhere comes not too soon");
    }
    let mut watching = monitor.clone();
    for (at, event) in trace.iter().enumerate() {
        let observed = event.observed();
        let open = (event.action == to).then(|| watching.open_case(&observed));
        if let Some(open) = open.flatten() {
            let soon = open
                .limit
                .checked_sub(Duration::SECOND)
                .unwrap_or(open.since);
            let before = trace.get(..at).unwrap_or_default();
            let alone = before
                .iter()
                .rev()
                .take_while(|other| other.at >= soon)
                .all(|other| !disturbs(monitor, other, event));
            if alone && soon > open.since && event.at >= open.limit {
                return Ok(changed(trace, at, |event| {
                    event.at = soon;
                    Keep::Yes
                }));
            }
        }
        if watching.see(&observed).is_err() {
            break;
        }
    }
    Err(NO_CASE)
}

/// Whether a changed event stays in the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Yes,
    No,
}

/// The trace with one event changed, in the order of time.
fn changed(
    trace: &[Recorded],
    at: usize,
    change: impl FnOnce(&mut Recorded) -> Keep,
) -> Vec<Recorded> {
    let mut mutated = trace.to_vec();
    let keep = mutated.get_mut(at).map_or(Keep::Yes, change);
    if keep == Keep::No {
        mutated.remove(at);
    }
    mutated.sort_by_key(|event| event.at);
    mutated
}

/// Whether another event may settle or end the case of this one: one of the same tenant, and where
/// each thing is a case of its own one of the same thing, or one that may end several.
fn disturbs(monitor: &Monitor, other: &Recorded, event: &Recorded) -> bool {
    let pattern = monitor.pattern();
    let ends = match pattern {
        Pattern::NotBefore { ended_by, .. } | Pattern::Within { ended_by, .. } => {
            ended_by.contains(&other.action)
        }
        _ => true,
    };
    let elsewhere = pattern.cases() == Some(Cases::Thing) && other.key != event.key;
    other.tenant == event.tenant
        && pattern.actions().contains(&other.action)
        && (ends || !elsewhere)
}

/// Takes the field by which the event belongs to its case.
fn strip(event: &mut Recorded, cases: Cases) {
    match cases {
        Cases::Tenant => event.tenant = None,
        Cases::Vault => {
            event.key = None;
            event.attributes.remove("vault");
        }
        _ => event.key = None,
    }
}

/// A tenant that is not this one, and nobody's in any trace of ours.
fn stranger(tenant: Option<TenantId>) -> TenantId {
    let name = tenant.map_or_else(String::new, |tenant| tenant.to_string());
    TenantId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()))
}

fn after(at: UtcDateTime, by: Duration) -> UtcDateTime {
    at.checked_add(by).unwrap_or(UtcDateTime::MAX)
}

/// How long a transaction is awaited.
const SPAN: Duration = Duration::seconds(TXN_SPAN_SECS);
