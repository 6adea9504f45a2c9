//! Promises about time that exclude each other: `contradiction-always`, `contradiction-some-dates`,
//! `undecided`; and exact ones that nobody can meet to the second: `zero-width`.
//!
//! The page is held against itself as it is worded: each course by itself, then with each other way
//! to read a clause, then with the far end of each range that the page leaves to a choice. What is
//! in force has been checked before the document was accepted; what stayed open there is told here.

use covenant_core::network::Network;
use covenant_core::{Action, DayRule, MonthRule, Period, Reading, Zone};

use super::{Answered, Finding, FindingCode, Linter};
use crate::clause::Alternative;
use crate::consistency::{Conflict, as_worded};
use crate::lifecycle::{Figures, Lifecycle, Promise, WAIT, promises};
use crate::{Cadence, Clause, DeclaredValue, Modality, StoreKind};

pub(super) fn findings(linter: &Linter<'_>) -> Vec<Finding> {
    let all = promises(linter.document, Figures::Stated);
    let mut found: Vec<Finding> = Vec::new();
    for lifecycle in Lifecycle::ALL {
        let about = lifecycle.select(&all);
        if about.is_empty() {
            continue;
        }
        if let Some(conflict) = as_worded(&linter.calendar, linter.document, *lifecycle, &about) {
            let message = format!("cannot all be kept as worded, {}", conflict.dates());
            push(&mut found, Some(contradiction(linter, &conflict, message)));
            continue;
        }
        for promise in &about {
            push(&mut found, choice(linter, *lifecycle, &about, promise));
        }
    }
    for clause in linter.clauses() {
        for alternative in &clause.alternatives {
            push(&mut found, otherwise(linter, &all, clause, alternative));
        }
    }
    found.extend(
        linter
            .clauses()
            .filter_map(|clause| widthless(linter, clause)),
    );
    for open in &linter.document.open {
        let message = format!("whether {} can all be kept is open", open.members());
        push(&mut found, Some(contradiction(linter, open, message)));
    }
    found
}

/// Courses share promises: the same clauses are told once.
fn push(found: &mut Vec<Finding>, finding: Option<Finding>) {
    let same =
        |one: &Finding, other: &Finding| one.code == other.code && one.clauses == other.clauses;
    if let Some(finding) = finding
        && !found.iter().any(|one| same(one, &finding))
    {
        found.push(finding);
    }
}

/// A finding on the clauses of a conflict; a deviation on one of them answers it.
fn contradiction(linter: &Linter<'_>, conflict: &Conflict, message: String) -> Finding {
    let clauses = linter
        .clauses()
        .filter(|clause| conflict.clauses.contains(&clause.id));
    let clauses: Vec<&Clause> = clauses.collect();
    let finding = Finding::on(conflict.code, clauses, message)
        .with_answer(linter.deviation(&conflict.clauses));
    match &conflict.when {
        Some(when) => finding.with_witness(when.date),
        None => finding,
    }
}

/// A range that the page leaves to a choice, whose far end breaks another promise. Answered by the
/// declared choice, if that is none of the bad ones.
fn choice(
    linter: &Linter<'_>,
    lifecycle: Lifecycle,
    about: &[Promise<'_>],
    promise: &Promise<'_>,
) -> Option<Finding> {
    let (min, max) = promise
        .min
        .zip(promise.max)
        .filter(|(min, max)| min != max)?;
    let of_at_least = |least: Period| {
        let mut chosen = about.to_vec();
        let same = chosen
            .iter_mut()
            .filter(|one| one.id() == promise.id() && one.to == promise.to);
        for one in same {
            one.min = Some(least);
        }
        as_worded(&linter.calendar, linter.document, lifecycle, &chosen)
    };
    let conflict = of_at_least(max)?;
    if !conflict.clauses.contains(&promise.id()) {
        return None;
    }
    // the most whole days that can be chosen: those of the floor can
    let (mut good, mut bad) = (days(min), days(max));
    while bad.saturating_sub(good) > 1 {
        let middle = good.midpoint(bad);
        if of_at_least(Period::days(middle)).is_some() {
            bad = middle;
        } else {
            good = middle;
        }
    }
    let others = conflict.clauses.iter().filter(|id| **id != promise.id());
    let others: Vec<String> = others.map(ToString::to_string).collect();
    let message = format!(
        "{} allows up to {max}; more than {} breaks {}",
        promise.id(),
        Period::days(good),
        others.join(", ")
    );
    let finding = contradiction(linter, &conflict, message);
    let declared = promise.clause.declared(WAIT).filter(|declared| {
        let chosen = declared.period();
        chosen.is_some_and(|chosen| of_at_least(chosen).is_none())
    });
    let name = promise.clause.declared.get_key_value(WAIT);
    let answer = declared
        .zip(name)
        .map(|(declared, (name, _))| Answered::Declared {
            clause: promise.id(),
            name: name.clone(),
            value: DeclaredValue::clone(&declared.value),
        });
    Some(match answer {
        Some(answer) => finding.with_answer(Some(answer)),
        None => finding,
    })
}

/// What another way to read a clause excludes.
fn otherwise(
    linter: &Linter<'_>,
    all: &[Promise<'_>],
    clause: &Clause,
    alternative: &Alternative,
) -> Option<Finding> {
    let stated = clause.stated.as_ref()?;
    let bound = clause.bound.as_ref()?;
    let froms = alternative
        .from
        .map_or_else(|| bound.from.clone(), |from| [from].into());
    let tos = alternative
        .to
        .map_or_else(|| bound.to.clone(), |to| [to].into());
    let pairs = froms
        .iter()
        .flat_map(|from| tos.iter().map(move |to| (*from, *to)));
    let read = pairs.map(|(from, to)| Promise {
        clause,
        from,
        to,
        min: stated.min,
        wait: None,
        max: stated.max,
        early: Period::ZERO,
        late: Period::ZERO,
    });
    let others = all.iter().filter(|promise| promise.id() != clause.id);
    let instead: Vec<Promise<'_>> = others.cloned().chain(read).collect();
    let conflicts = Lifecycle::ALL.iter().filter_map(|lifecycle| {
        let about = lifecycle.select(&instead);
        let mut own = about.iter().filter(|promise| promise.id() == clause.id);
        own.next()?;
        as_worded(&linter.calendar, linter.document, *lifecycle, &about)
    });
    let conflict = conflicts
        .into_iter()
        .find(|conflict| conflict.clauses.contains(&clause.id))?;
    let mut message = format!("if {}", alternative.says);
    if let Some((needed, allowed)) = figures(&instead, clause, &conflict) {
        message.push_str(&format!(": {needed} days needed, {allowed} allowed"));
    } else {
        message.push_str(&format!(": cannot all be kept, {}", conflict.dates()));
    }
    let starts: Vec<&str> = bound.from.iter().map(|from| from.name()).collect();
    if alternative.from.is_some() && !starts.is_empty() {
        message.push_str(&format!("; consistent from {}", starts.join(" or ")));
    }
    Some(contradiction(linter, &conflict, message))
}

/// Days that the floors of a conflict need, one after the other, and those that the clause allows;
/// `None` where these are not what the conflict is about, or are the same in whole days.
fn figures(all: &[Promise<'_>], clause: &Clause, conflict: &Conflict) -> Option<(String, String)> {
    let mine = all.iter().find(|promise| promise.id() == clause.id)?;
    let allowed = mine.max.filter(|_| mine.min.is_none())?;
    let others = all
        .iter()
        .filter(|one| one.id() != clause.id && conflict.clauses.contains(&one.id()));
    let (mut least, mut most) = (0_u64, 0_u64);
    for floor in others.filter_map(|one| one.min) {
        let length = floor.bounds(&elapsed());
        least = least.saturating_add(length.shortest_secs);
        most = most.saturating_add(length.longest_secs);
    }
    let range = allowed.bounds(&elapsed());
    let needed = in_days(least, most);
    let allowed = in_days(range.shortest_secs, range.longest_secs);
    (least > range.shortest_secs && needed != allowed).then_some((needed, allowed))
}

/// An exact promise without room: floor and ceiling are one figure, or are where it counts.
/// Answered by a declared tolerance.
fn widthless(linter: &Linter<'_>, clause: &Clause) -> Option<Finding> {
    let stated = clause.stated.as_ref()?;
    let (min, max) = stated.min.zip(stated.max)?;
    if clause.modality != Some(Modality::Exact) {
        return None;
    }
    let is_one = min == max || {
        let mut network = Network::new();
        let mine = promises(linter.document, Figures::Stated);
        let mine = mine.iter().filter(|promise| promise.id() == clause.id);
        network.extend(mine.flat_map(Promise::constraints));
        let verdict = network.check_with(
            &linter.calendar,
            linter.document.reading(),
            linter.document.reviewed(),
        );
        !verdict.is_consistent()
    };
    if !is_one {
        return None;
    }
    let mut message = format!("floor {min} and ceiling {max} leave no room for a sweep");
    if min == max {
        message = format!("floor and ceiling are one figure, {min}: no room for a sweep");
    }
    if let Some(every) = backup_rhythm(linter).filter(|_| stated.to.contains(&Action::BackupPurged))
    {
        let length = min.bounds(&elapsed());
        let count = |secs: u64| secs.checked_div(every).unwrap_or(0);
        let (least, most) = (count(length.shortest_secs), count(length.longest_secs));
        if least == most {
            message.push_str(&format!("; {most} backups at a time"));
        } else {
            message.push_str(&format!("; {least} to {most} backups at a time"));
        }
    }
    let answer = linter.declared_where(&[clause.id], |name, figure| {
        let is_tolerance = name == "early" || name == "late";
        is_tolerance && figure.period().is_some_and(|period| !period.is_zero())
    });
    let answer = answer.or_else(|| linter.deviation(&[clause.id]));
    Some(Finding::on(FindingCode::ZeroWidth, [clause], message).with_answer(answer))
}

/// Seconds between backups, as promised or else as the stores do.
fn backup_rhythm(linter: &Linter<'_>) -> Option<u64> {
    let promised = linter.clauses().filter_map(|clause| {
        let bound = clause.stated.as_ref()?;
        let is_rhythm = clause.modality == Some(Modality::Every);
        bound
            .max
            .filter(|_| is_rhythm && bound.to.contains(&Action::BackupCompleted))
    });
    let stores = linter.document.stores().iter();
    let done = stores.filter_map(|store| match (store.kind, store.every) {
        (StoreKind::Epoch, Some(Cadence::Every(period))) => Some(period),
        _ => None,
    });
    let every = promised.chain(done).next()?;
    Some(every.bounds(&elapsed()).shortest_secs).filter(|secs| *secs > 0)
}

/// Days as elapsed time, for figures in words.
pub(super) fn elapsed() -> Reading {
    Reading::exact(Zone::UTC, DayRule::Elapsed, MonthRule::ClampEnd)
}

/// Whole days of a period at its shortest.
fn days(period: Period) -> u32 {
    let secs = period.bounds(&elapsed()).shortest_secs;
    u32::try_from(secs.div_euclid(86_400)).unwrap_or(u32::MAX)
}

/// A range of days in words.
pub(super) fn in_days(shortest_secs: u64, longest_secs: u64) -> String {
    let (least, most) = (
        shortest_secs.div_ceil(86_400),
        longest_secs.div_ceil(86_400),
    );
    if least == most {
        least.to_string()
    } else {
        format!("{least} to {most}")
    }
}
