//! Whether promises about time can all be kept: as the page words them, and as they are in force.
//!
//! As the page words them every clause is read the same way, each admissible way in turn, without
//! tolerances and without keys. In force a floor is read at its latest and a ceiling at its
//! earliest, with declared tolerances, and keys die when they are planned to.

use std::collections::BTreeMap;

use covenant_core::network::{Calendar, Network, Verdict};
use covenant_core::{ClauseId, Reading};
use time::Date;

use crate::lifecycle::{Against, Death, Figures, Lifecycle, Promise, deaths, promises};
use crate::{Document, FindingCode};

/// Days after which the calendar repeats.
const CYCLE_DAYS: u32 = 146_097;

/// Promises, and perhaps keys and stores, that cannot all be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// What kind of finding it is.
    pub(crate) code: FindingCode,
    /// The clauses, ascending.
    pub(crate) clauses: Vec<ClauseId>,
    /// Keys and stores, ascending.
    pub(crate) others: Vec<String>,
    /// When it is first so, if it is only on some dates.
    pub(crate) when: Option<When>,
    /// Whether another way to read the same promises keeps them all.
    kept_otherwise: bool,
}

/// The dates of a conflict on some dates only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct When {
    /// The first.
    pub(crate) date: Date,
    /// The event that happens on it.
    pub(crate) root: String,
    /// How many of 146,097 days are like it.
    pub(crate) days: u32,
}

impl Conflict {
    fn of(verdict: Verdict) -> Option<Self> {
        let (code, labels, when) = match verdict {
            Verdict::Consistent => return None,
            Verdict::Always { labels } => (FindingCode::ContradictionAlways, labels, None),
            // each day has an instant from which it fails
            Verdict::SomeDates { days, labels, .. } if days == CYCLE_DAYS => {
                (FindingCode::ContradictionAlways, labels, None)
            }
            Verdict::SomeDates {
                witness,
                days,
                labels,
            } => {
                let (date, root) = (witness.date, witness.root);
                let when = When { date, root, days };
                (FindingCode::ContradictionSomeDates, labels, Some(when))
            }
            Verdict::Undecided { labels } => (FindingCode::Undecided, labels, None),
        };
        let clauses = labels.iter().filter_map(|label| label.parse().ok());
        let mut clauses: Vec<ClauseId> = clauses.collect();
        clauses.sort_unstable();
        // the order of events is nobody's promise; names of keys and stores have no space
        let is_other = |label: &String| label.parse::<ClauseId>().is_err() && !label.contains(' ');
        let others = labels.into_iter().filter(is_other).collect();
        Some(Self {
            code,
            clauses,
            others,
            when,
            kept_otherwise: false,
        })
    }

    /// Whether it is certain.
    pub(crate) fn is_decided(&self) -> bool {
        self.code != FindingCode::Undecided
    }

    /// When it is so, in words.
    pub(crate) fn dates(&self) -> String {
        let dates = self.when.as_ref().map_or_else(
            || "on every date".to_owned(),
            |when| {
                let When { date, root, days } = when;
                format!("first when {root} is on {date}, on {days} of {CYCLE_DAYS} days")
            },
        );
        if self.kept_otherwise {
            format!("{dates}, in one of the ways to read days and zones")
        } else {
            dates
        }
    }

    /// What conflicts, in words.
    pub(crate) fn members(&self) -> String {
        let clauses = self.clauses.iter().map(ToString::to_string);
        let all: Vec<String> = clauses.chain(self.others.iter().cloned()).collect();
        all.join(", ")
    }
}

/// Conflicts of what is in force, one a course at most and one for each key and floor apart; dates
/// are looked for from the day of the review.
pub(crate) fn in_force(document: &Document) -> Vec<Conflict> {
    let calendar = Calendar::new();
    let all = promises(document, Figures::InForce);
    let deaths = deaths(document);
    let (reading, from) = (document.reading(), document.reviewed());
    let mut found: Vec<Conflict> = Vec::new();
    for lifecycle in Lifecycle::ALL {
        let about = lifecycle.select(&all);
        found.extend(course(&calendar, document, *lifecycle, (&about, &deaths)));
    }
    for network in deaths.iter().flat_map(|death| death.apart(document, &all)) {
        let conflict = Conflict::of(network.check_with(&calendar, reading, from));
        found.extend(conflict.map(|conflict| as_key(conflict, FindingCode::KeyBeforeFloor)));
    }
    // courses share promises, and so do their conflicts
    let mut known = BTreeMap::new();
    found.retain(|conflict| {
        let same = (conflict.clauses.clone(), conflict.others.clone());
        known.insert(same, ()).is_none()
    });
    found
}

fn course(
    calendar: &Calendar,
    document: &Document,
    lifecycle: Lifecycle,
    (about, deaths): (&[Promise<'_>], &[Death<'_>]),
) -> Option<Conflict> {
    let check = |against: &[Against]| {
        let keys = if against.is_empty() { &[] } else { deaths };
        let network = lifecycle.network(document, about, Figures::InForce, (keys, against));
        let verdict = network.check_with(calendar, document.reading(), document.reviewed());
        Conflict::of(verdict)
    };
    let all = check(&Against::BOTH)?;
    if all.others.is_empty() && !is_widthless(calendar, document, lifecycle, about, &all) {
        return Some(all);
    }
    if let Some(promised) = check(&[]) {
        return Some(
            if is_widthless(calendar, document, lifecycle, about, &promised) {
                as_key(promised, FindingCode::ZeroWidth)
            } else {
                promised
            },
        );
    }
    let floors = check(&[Against::Floors]);
    Some(floors.map_or_else(
        || as_key(all, FindingCode::KeyPastCeiling),
        |conflict| as_key(conflict, FindingCode::KeyBeforeFloor),
    ))
}

/// A conflict of another name, unless it is undecided.
fn as_key(mut conflict: Conflict, code: FindingCode) -> Conflict {
    if conflict.is_decided() {
        conflict.code = code;
    }
    conflict
}

/// Whether one figure is floor and ceiling, no tolerance is declared, and every single reading can
/// be kept: it lacks nothing but a tolerance.
fn is_widthless(
    calendar: &Calendar,
    document: &Document,
    lifecycle: Lifecycle,
    about: &[Promise<'_>],
    conflict: &Conflict,
) -> bool {
    let among = |promise: &&Promise<'_>| conflict.clauses.contains(&promise.id());
    let among: Vec<_> = about.iter().filter(among).cloned().collect();
    let mut figures = among.iter().flat_map(|one| [one.min, one.max]).flatten();
    let first = figures.next();
    conflict.is_decided()
        && figures.all(|figure| Some(figure) == first)
        && among
            .iter()
            .all(|one| one.early.is_zero() && one.late.is_zero())
        && as_worded(calendar, document, lifecycle, &among).is_none()
}

/// The worst conflict of these promises of a course over every single reading.
pub(crate) fn as_worded(
    calendar: &Calendar,
    document: &Document,
    lifecycle: Lifecycle,
    about: &[Promise<'_>],
) -> Option<Conflict> {
    let network = lifecycle.network(document, about, Figures::Stated, (&[], &[]));
    readings(calendar, document, &network)
}

fn readings(calendar: &Calendar, document: &Document, network: &Network) -> Option<Conflict> {
    let reading = document.reading();
    let mut worst: Option<Conflict> = None;
    let mut kept = 0_usize;
    for zone in reading.zones() {
        for days in reading.days() {
            let one = Reading::exact(zone.clone(), *days, reading.months());
            let verdict = network.check_with(calendar, &one, document.reviewed());
            match (Conflict::of(verdict), &worst) {
                (None, _) => kept = kept.saturating_add(1),
                (Some(found), None) => worst = Some(found),
                (Some(found), Some(known)) if known.code == FindingCode::Undecided => {
                    worst = Some(found);
                }
                (Some(_), Some(_)) => {}
            }
        }
    }
    // what holds in one reading but not in another does not fail always
    worst.map(|mut conflict| {
        conflict.kept_otherwise = kept > 0;
        if kept > 0 && conflict.code == FindingCode::ContradictionAlways {
            conflict.code = FindingCode::ContradictionSomeDates;
        }
        conflict
    })
}
