//! The figures by which the model lives, taken from a document by event names alone.

use covenant_core::{Action, Period, Reading, Zone};
use policy_document::{Bound, Document};
use time::{Duration, UtcDateTime};

use crate::brief::{self, Brief, Limits};

/// How often the model backs up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rhythm {
    Hourly,
    Nightly,
}

#[derive(Debug)]
pub(super) struct Figures {
    bin: Brief,
    backup: Brief,
    database: Brief,
    trial: Brief,
    contract: Brief,
    /// The bounds of the bin and of a deleted database as the page gives them.
    pub(super) promised: [Limits; 2],
    pub(super) rhythm: Rhythm,
    pub(super) zone: Zone,
    reading: Reading,
}

impl Figures {
    pub(super) fn of(document: &Document) -> Self {
        let zone = document.zones().first().cloned().unwrap_or(Zone::UTC);
        let reading = document.reading();
        let bin = limits(document, Action::RecordDeleted, &[Action::RecordPurged]);
        let ends = [Action::BackupPurged, Action::BackupUnrestorable];
        let backup = limits(document, Action::BackupCompleted, &ends);
        let database = limits(document, Action::DatabaseDeleted, &[Action::DatabasePurged]);
        let trial = limits(document, Action::TrialEnded, &[Action::DatabaseDeleted]);
        let contract = limits(
            document,
            Action::ContractTerminated,
            &[Action::DatabasePurged],
        );
        let every = document
            .clauses()
            .iter()
            .filter_map(|clause| clause.bound.as_ref());
        let nightly = every.clone().any(|bound| bound.per.is_some());
        Self {
            promised: [bin.clone(), database.clone()],
            bin: brief(bin, reading, &zone),
            backup: brief(backup, reading, &zone),
            database: brief(database, reading, &zone),
            trial: brief(trial, reading, &zone),
            contract: brief(contract, reading, &zone),
            rhythm: if nightly {
                Rhythm::Nightly
            } else {
                Rhythm::Hourly
            },
            zone,
            reading: reading.clone(),
        }
    }

    /// When so many days are over in every reading, but not after so many in any.
    pub(super) fn wait(&self, from: UtcDateTime, days: u8, most: u8) -> UtcDateTime {
        let window = |days: u8| Period::days(days.into()).resolve(from, &self.reading);
        let (wait, most) = (window(days), window(most));
        match (wait, most) {
            (Ok(wait), Ok(most)) => wait.latest.min(most.earliest),
            _ => from,
        }
    }

    /// The latest instant at which a period may be over.
    pub(super) fn over(&self, from: UtcDateTime, period: Period) -> UtcDateTime {
        let window = period.resolve(from, &self.reading);
        window.map_or(from, |window| window.latest)
    }

    /// The shortest and the longest that a period takes, in seconds.
    pub(super) fn secs(&self, period: Period) -> (u64, u64) {
        let bounds = period.bounds(&self.reading);
        (bounds.shortest_secs, bounds.longest_secs)
    }

    /// The earliest instant at which a period is over.
    pub(super) fn anniversary(&self, from: UtcDateTime, period: Period) -> UtcDateTime {
        let window = period.resolve(from, &self.reading);
        window.map_or(UtcDateTime::MAX, |window| window.earliest)
    }

    /// The last instant at which a record must still be in the bin, and the last at which it may be.
    pub(super) fn bin(&self, deleted: UtcDateTime) -> (UtcDateTime, UtcDateTime) {
        window(&self.bin, deleted, deleted)
    }

    /// The last instant at which a deleted database may still be there.
    pub(super) fn database(&self, deleted: UtcDateTime) -> UtcDateTime {
        window(&self.database, deleted, deleted).1
    }

    /// The last instant at which something of a tenant whose contract has ended may still be there;
    /// `None` where nothing is promised of it.
    pub(super) fn contract(&self, ended: UtcDateTime) -> Option<UtcDateTime> {
        self.contract.ceiling(ended).ok()
    }

    /// The last instant at which a database whose trial has ended may still not be deleted.
    pub(super) fn trial(&self, ended: UtcDateTime) -> UtcDateTime {
        window(&self.trial, ended, ended).1
    }

    /// The same for a backup.
    pub(super) fn backup(
        &self,
        completed: UtcDateTime,
        consistent: UtcDateTime,
    ) -> (UtcDateTime, UtcDateTime) {
        window(&self.backup, completed, consistent)
    }
}

fn window(
    brief: &Brief,
    floor_from: UtcDateTime,
    ceiling_from: UtcDateTime,
) -> (UtcDateTime, UtcDateTime) {
    let floor = brief.floor(floor_from).unwrap_or(floor_from);
    let open = floor.checked_add(Duration::days(2)).unwrap_or(floor);
    (floor, brief.ceiling(ceiling_from).unwrap_or(open))
}

fn brief(limits: Limits, reading: &Reading, zone: &Zone) -> Brief {
    Brief::new(brief::Figures {
        limits: Some(limits),
        count: None,
        tokens: std::collections::BTreeSet::new(),
        shares: std::collections::BTreeSet::new(),
        start: None,
        declared: None,
        reading: reading.clone(),
        zone: zone.clone(),
    })
}

/// The widest duty of all bounds between these events; 30 days where the document has none.
fn limits(document: &Document, from: Action, to: &[Action]) -> Limits {
    let mut limits = Limits {
        min: None,
        max: None,
        early: Period::ZERO,
        late: Period::ZERO,
    };
    let starts = |bound: &&Bound| bound.start() == Some(from);
    let ends = |bound: &&Bound| to.iter().any(|action| bound.to.contains(action));
    let bounds = document
        .clauses()
        .iter()
        .filter_map(|clause| clause.bound.as_ref());
    for bound in bounds.filter(starts).filter(ends) {
        if bound.min.is_some() {
            (limits.min, limits.early) = (bound.min, bound.early);
        }
        if bound.max.is_some() {
            (limits.max, limits.late) = (bound.max, bound.late);
        }
    }
    limits.min = limits.min.or(Some(Period::days(30)));
    limits
}
