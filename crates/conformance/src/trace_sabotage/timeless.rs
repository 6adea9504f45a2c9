//! Mutations of what the patterns without a period look at.

use covenant_core::Action;
use policy_document::Pattern;
use policy_document::monitor::{Cases, Recorded};
use time::{Duration, UtcDateTime};

use super::{Keep, NO_CASE, SPAN, TraceSabotage, after, changed, stranger, strip};

/// Whether an event is one of some.
type Told<'a> = &'a dyn Fn(&Recorded) -> bool;

pub(super) fn mutate(
    sabotage: TraceSabotage,
    pattern: &Pattern,
    trace: &[Recorded],
    end: UtcDateTime,
) -> Result<Vec<Recorded>, &'static str> {
    match pattern {
        Pattern::Always { when, then } => always(sabotage, trace, end, (*when, *then)),
        Pattern::Before { first, then, cases } => before(sabotage, trace, (*first, *then), *cases),
        Pattern::Never {
            action,
            from,
            until,
            cases,
        } => {
            let begins = |event: &Recorded| from.contains(&event.action);
            let ends = |event: &Recorded| until.contains(&event.action);
            never(sabotage, trace, *action, *cases, (&begins, &ends))
        }
        Pattern::Member {
            action, attribute, ..
        }
        | Pattern::Unique {
            action, attribute, ..
        } => {
            if sabotage != TraceSabotage::FieldStripped {
                return Err("the values of an event are looked at, not when or whose it is");
            }
            let at = trace.iter().position(|event| event.action == *action);
            let at = at.ok_or(NO_CASE)?;
            Ok(changed(trace, at, |event| {
                event.attributes.remove(attribute.as_str());
                Keep::Yes
            }))
        }
        _ => Err("the pattern is unknown here"),
    }
}

/// The only counterpart in a transaction is taken from it.
fn always(
    sabotage: TraceSabotage,
    trace: &[Recorded],
    end: UtcDateTime,
    (when, then): (Action, Action),
) -> Result<Vec<Recorded>, &'static str> {
    match sabotage {
        TraceSabotage::Duplicated => return Err("once more of it keeps the promise too"),
        TraceSabotage::TenantSwapped => {
            return Err("what belongs together is told by the transaction, not by the tenant");
        }
        _ => {}
    }
    let found = trace.iter().find_map(|event| {
        let txn = event.txn.filter(|_| event.action == when)?;
        let own = |(_, other): &(usize, &Recorded)| other.txn == Some(txn);
        let first = trace.iter().enumerate().find(own)?.1.at;
        let mut answers = trace.iter().enumerate().filter(own);
        let mut answers = answers.by_ref().filter(|(_, other)| other.action == then);
        let (at, _) = answers.next()?;
        let over = after(after(first, SPAN), Duration::SECOND);
        (answers.next().is_none() && over < end).then_some((at, over))
    });
    let (at, over) = found.ok_or(NO_CASE)?;
    Ok(changed(trace, at, |event| match sabotage {
        TraceSabotage::Moved => {
            event.at = over;
            Keep::Yes
        }
        TraceSabotage::FieldStripped => {
            event.txn = None;
            Keep::Yes
        }
        _ => Keep::No,
    }))
}

/// What must come first comes later, or not at all in this case.
fn before(
    sabotage: TraceSabotage,
    trace: &[Recorded],
    (first, then): (Action, Action),
    cases: Cases,
) -> Result<Vec<Recorded>, &'static str> {
    if sabotage == TraceSabotage::Duplicated {
        return Err("once more of what comes first keeps the promise too");
    }
    let found = trace.iter().find_map(|event| {
        let case = event.observed().case_of(cases).ok()?;
        let case = Some(case).filter(|_| event.action == then)?;
        let earlier = trace.iter().enumerate();
        let mut earlier = earlier.filter(|(_, other)| {
            other.action == first
                && other.at <= event.at
                && other.observed().case_of(cases).as_ref() == Ok(&case)
        });
        let (at, _) = earlier.next()?;
        earlier.next().is_none().then_some((at, event.at))
    });
    let (at, came) = found.ok_or(NO_CASE)?;
    Ok(changed(trace, at, |event| {
        shift(event, sabotage, cases, came)
    }))
}

/// The end of a state is moved behind what it allows, or lost.
fn never(
    sabotage: TraceSabotage,
    trace: &[Recorded],
    action: Action,
    cases: Cases,
    (begins, ends): (Told<'_>, Told<'_>),
) -> Result<Vec<Recorded>, &'static str> {
    if sabotage == TraceSabotage::Duplicated {
        return Err("a state that ends twice has ended");
    }
    let found = trace.iter().enumerate().find_map(|(place, event)| {
        let case = event.observed().case_of(cases).ok()?;
        let case = Some(case).filter(|_| event.action == action)?;
        let own = |other: &Recorded| other.observed().case_of(cases).as_ref() == Ok(&case);
        let earlier = trace.get(..place).unwrap_or_default();
        let mut earlier = earlier.iter().enumerate().rev().filter(|(_, e)| own(e));
        let (at, _) = earlier
            .find(|(_, e)| begins(e) || ends(e))
            .filter(|(_, e)| ends(e))?;
        // the state was on before that end
        let before = trace.get(..at).unwrap_or_default();
        let mut before = before.iter().rev().filter(|e| own(e));
        let on = before.find(|e| begins(e) || ends(e)).is_some_and(begins);
        on.then_some((at, event.at))
    });
    let (at, came) = found.ok_or(NO_CASE)?;
    Ok(changed(trace, at, |event| {
        shift(event, sabotage, cases, came)
    }))
}

fn shift(event: &mut Recorded, sabotage: TraceSabotage, cases: Cases, came: UtcDateTime) -> Keep {
    match sabotage {
        TraceSabotage::Moved => event.at = after(came, Duration::SECOND),
        TraceSabotage::TenantSwapped => event.tenant = Some(stranger(event.tenant)),
        TraceSabotage::FieldStripped => strip(event, cases),
        TraceSabotage::Dropped | TraceSabotage::Duplicated => return Keep::No,
    }
    Keep::Yes
}
