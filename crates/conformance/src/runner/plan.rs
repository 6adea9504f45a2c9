//! What is to be run: each scenario once for each document and set of figures, however many clauses
//! name it.

use std::collections::BTreeSet;

use covenant_core::{ClauseId, Zone};
use policy_document::{Bound, Clause, DeclaredValue, Document, Figure, Token};
use time::macros::utc_datetime;
use time::{Date, Duration, PrimitiveDateTime, Time, UtcDateTime};

use crate::brief::{BriefError, Figures, Limits};
use crate::sabotage::Sabotage;
use crate::scenario::{Scenario, Shape, Starts};
use crate::stage::draw;

/// Starts of time scenarios: the last day of August, and 28 February of a common year, 23:30 in
/// Tokyo (conformance design, 4.6).
const FIXED_STARTS: [UtcDateTime; 2] = [
    utc_datetime!(2027-08-31 12:00),
    utc_datetime!(2027-02-28 14:30),
];
/// The first instant from which a start is drawn, and over how many seconds: eight years.
const DRAWN_FROM: UtcDateTime = utc_datetime!(2028-01-01 00:00);
const DRAWN_SECS: u64 = 8 * 365 * 86_400;
/// The year in which the nights of clock changes are looked for.
const NIGHTS_YEAR: i32 = 2027;
/// How many days before the clock changes a run of nights starts, at noon.
const NIGHTS_LEAD: Duration = Duration::days(4);

/// When one run starts, and what its canaries and drawn numbers follow from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) start: UtcDateTime,
    pub(crate) seed: u64,
}

/// One scenario with one set of figures on one document.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// Which document, by its place in the input.
    pub(crate) document: usize,
    /// The scenario.
    pub(crate) scenario: &'static Scenario,
    /// Its figures.
    pub(crate) figures: Figures,
    /// Why the figures do not fit the scenario, if they do not.
    pub(crate) misfit: Option<BriefError>,
    /// The clauses that bind it with these figures.
    pub(crate) clauses: Vec<ClauseId>,
    /// The sabotages that it is given.
    pub(crate) sabotages: Vec<Sabotage>,
}

/// Plans the scenarios that the clauses of a document bind and that are built.
pub(crate) fn jobs(
    number: usize,
    document: &Document,
    clauses: &[&Clause],
    catalogue: &'static [Scenario],
) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    for scenario in catalogue {
        let bound = |clause: &&&Clause| {
            clause.is_proven() && clause.verify.scenarios.iter().any(|id| id == scenario.id)
        };
        let clauses: Vec<_> = clauses.iter().filter(bound).copied().collect();
        let all = OfAll {
            words: clauses.iter().flat_map(|clause| tokens(clause)).collect(),
            shares: clauses.iter().filter_map(|clause| share(clause)).collect(),
        };
        for clause in clauses {
            let figures = figures(document, scenario.shape, clause, &all);
            let same = |job: &&mut Job| job.scenario.id == scenario.id && job.figures == figures;
            let named = named(clause, scenario);
            if let Some(job) = jobs.iter_mut().find(same) {
                job.clauses.push(clause.id);
                let new: Vec<_> = named
                    .into_iter()
                    .filter(|s| !job.sabotages.contains(s))
                    .collect();
                job.sabotages.extend(new);
            } else {
                let misfit = scenario.shape.fits(&figures).err();
                jobs.push(Job {
                    document: number,
                    scenario,
                    figures,
                    misfit,
                    clauses: vec![clause.id],
                    sabotages: named,
                });
            }
        }
    }
    for job in &mut jobs {
        if job.sabotages.is_empty() {
            job.sabotages = job.scenario.kills.to_vec();
        }
    }
    jobs
}

/// The sabotages of the clause that the scenario is built to catch.
fn named(clause: &Clause, scenario: &Scenario) -> Vec<Sabotage> {
    let parsed = clause
        .verify
        .sabotages
        .iter()
        .filter_map(|name| name.parse().ok());
    parsed
        .filter(|sabotage| scenario.kills.contains(sabotage))
        .collect()
}

/// Figures that mean the same whichever of the clauses gives them: those of all clauses of a document
/// that bind one scenario.
struct OfAll {
    words: BTreeSet<String>,
    shares: BTreeSet<(u64, u64)>,
}

/// The figures that a scenario of this shape reads, and no others.
fn figures(document: &Document, shape: Shape, clause: &Clause, all: &OfAll) -> Figures {
    let mut figures = Figures {
        limits: None,
        count: None,
        tokens: BTreeSet::new(),
        shares: all.shares.clone(),
        start: None,
        declared: None,
        reading: document.reading().clone(),
        zone: document.zones().first().cloned().unwrap_or(Zone::UTC),
    };
    let limits = |bound: &Bound| Limits {
        min: bound.min,
        max: bound.max,
        early: bound.early,
        late: bound.late,
    };
    match shape {
        Shape::Floor | Shape::Ceiling | Shape::Exact => {
            figures.limits = clause.bound.as_ref().map(limits);
            let from = clause.declared("from").map(|declared| &declared.value);
            if let Some(DeclaredValue::Event(from)) = from {
                figures.start = Some(*from);
            }
        }
        Shape::State => {
            let leads_to_it = clause
                .bound
                .as_ref()
                .filter(|bound| !bound.state.is_empty());
            figures.limits = leads_to_it.map(limits);
        }
        Shape::Count => figures.count = count(clause),
        Shape::Words => figures.tokens = all.words.clone(),
        Shape::Declared(name) => {
            let declared = clause.declared(name);
            let period = declared.and_then(policy_document::Declared::period);
            figures.declared = period.map(|period| (name, period));
        }
        Shape::EveryNight => {}
    }
    figures
}

fn count(clause: &Clause) -> Option<u64> {
    match &clause.figure {
        Some(Figure::Count(count)) => Some(*count),
        _ => clause
            .declared("count")
            .and_then(policy_document::Declared::count),
    }
}

/// The share of a whole that the clause promises; one that is only an alarm's is no promise.
fn share(clause: &Clause) -> Option<(u64, u64)> {
    match clause.figure {
        Some(Figure::Ratio {
            num,
            den,
            over: false,
        }) => Some((num, den)),
        _ => None,
    }
}

fn tokens(clause: &Clause) -> Vec<String> {
    let texts = |tokens: &BTreeSet<Token>| tokens.iter().map(ToString::to_string).collect();
    match &clause.figure {
        Some(Figure::OneOf(tokens) | Figure::Fields(tokens)) => texts(tokens),
        Some(Figure::Text(token)) => vec![token.to_string()],
        _ => Vec::new(),
    }
}

/// When and from which seeds subjects start: always from two seeds, the given one and the next, so
/// that a scenario that flips with its seed shows it.
pub(crate) fn settings(job: &Job, seed: u64) -> Vec<Setting> {
    let next = seed.wrapping_add(1);
    let [first, second] = FIXED_STARTS;
    let (given, last) = match job.scenario.starts {
        Starts::Once => (vec![first], Some(drawn(next))),
        Starts::Bounds => (vec![first, second], Some(drawn(next))),
        Starts::Nights => {
            let zone = &job.figures.zone;
            let lead = |date| noon(zone, date)?.checked_sub(NIGHTS_LEAD);
            let starts = clock_changes(zone).into_iter().filter_map(lead);
            (starts.collect(), noon(zone, zone.civil_date(drawn(next))))
        }
    };
    let given = given.into_iter().map(|start| Setting { start, seed });
    let last = last.map(|start| Setting { start, seed: next });
    given.chain(last).collect()
}

/// A whole second drawn from the seed.
fn drawn(seed: u64) -> UtcDateTime {
    let secs = i64::try_from(draw(seed, "start", DRAWN_SECS)).unwrap_or(0);
    DRAWN_FROM
        .checked_add(Duration::seconds(secs))
        .unwrap_or(DRAWN_FROM)
}

/// The civil days of [`NIGHTS_YEAR`] that are not 24 hours long.
fn clock_changes(zone: &Zone) -> Vec<Date> {
    let first = Date::from_ordinal_date(NIGHTS_YEAR, 1).ok();
    let days = std::iter::successors(first, |date| date.next_day());
    days.take_while(|date| date.year() == NIGHTS_YEAR)
        .filter(|date| {
            let next = date.next_day().unwrap_or(*date);
            zone.start_of(next) - zone.start_of(*date) != Duration::DAY
        })
        .collect()
}

fn noon(zone: &Zone, date: Date) -> Option<UtcDateTime> {
    let noon = Time::from_hms(12, 0, 0).ok()?;
    zone.instants(PrimitiveDateTime::new(date, noon))
        .map(|window| window.earliest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weeks_of_clock_changes_are_those_of_the_zone() {
        let chicago: Zone = "America/Chicago".parse().unwrap();
        let days: Vec<_> = clock_changes(&chicago)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(days, ["2027-03-14", "2027-11-07"]);
        assert_eq!(clock_changes(&Zone::UTC), []);
    }

    #[test]
    fn every_scenario_starts_from_two_seeds() {
        let scenario = |starts| Scenario {
            starts,
            ..crate::scenario::CATALOGUE[0]
        };
        for (starts, expect) in [
            (Starts::Once, &[7, 8][..]),
            (Starts::Bounds, &[7, 7, 8]),
            (Starts::Nights, &[7, 7, 8]),
        ] {
            let scenario: &'static Scenario = Box::leak(Box::new(scenario(starts)));
            let job = Job {
                document: 0,
                scenario,
                figures: Figures {
                    limits: None,
                    count: None,
                    tokens: BTreeSet::new(),
                    shares: BTreeSet::new(),
                    start: None,
                    declared: None,
                    reading: covenant_core::Reading::default(),
                    zone: "America/Chicago".parse().unwrap(),
                },
                misfit: None,
                clauses: Vec::new(),
                sabotages: Vec::new(),
            };
            let settings = settings(&job, 7);
            let seeds: Vec<_> = settings.iter().map(|setting| setting.seed).collect();
            assert_eq!(seeds, expect, "{starts:?}");
            let drawn = settings.last().unwrap().start;
            assert!(settings.iter().rev().skip(1).all(|s| s.start != drawn));
        }
    }

    #[test]
    fn a_drawn_start_is_a_whole_second_and_follows_from_the_seed() {
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        assert_eq!(drawn(7).nanosecond(), 0);
    }
}
