//! How long data stays is derived from the promises, and equals what was measured for the three
//! documents by other programs.

use covenant_core::Action;
use policy_document::{Document, Lifecycle, Mark};
use time::macros::utc_datetime;

const PRODB: &str = include_str!("../../../policies/prodb.toml");
const PROTOPIE: &str = include_str!("../../../policies/protopie.toml");
const IMMIDB: &str = include_str!("../../../policies/immidb.toml");

#[cfg(test)]
mod page;

#[cfg(test)]
mod table {
    use super::Document;

    /// One row a line.
    pub(crate) fn residency(document: &Document) -> String {
        let rows = document.residency();
        let line = |row: &policy_document::Residency| {
            let stores: Vec<_> = row.stores.iter().map(ToString::to_string).collect();
            let clauses: Vec<_> = row.clauses.iter().map(ToString::to_string).collect();
            format!(
                "{} {} {}: {}; tolerance {} [{}]\n",
                row.class,
                row.from,
                stores.join("+"),
                row.stays(),
                row.tolerance,
                clauses.join(" ")
            )
        };
        rows.iter().map(line).collect()
    }

    pub(crate) fn timeline(
        document: &Document,
        lifecycle: super::Lifecycle,
        from: time::UtcDateTime,
    ) -> String {
        let all = document.timeline(lifecycle, from);
        let time = |at: Option<time::UtcDateTime>| at.map_or("-".to_owned(), |at| at.to_string());
        let line = |one: &policy_document::Milestone| {
            let clauses: Vec<_> = one.clauses.iter().map(ToString::to_string).collect();
            let (earliest, latest) = (time(one.earliest), time(one.latest));
            format!("{} {earliest} {latest} [{}]\n", one.mark, clauses.join(" "))
        };
        all.iter().map(line).collect()
    }
}

#[cfg(test)]
fn documents() -> [Document; 3] {
    [PRODB, PROTOPIE, IMMIDB].map(|text| Document::parse(text).unwrap())
}

#[cfg(test)]
fn golden(path: &str, expected: &str, found: &str) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, found).unwrap();
        return;
    }
    assert_eq!(found, expected, "{path}: BLESS=1 writes it anew");
}

#[test]
fn every_class_stays_in_every_store_as_long_as_the_promises_imply() {
    let of = |document: &Document| format!("# {}\n{}", document.id(), table::residency(document));
    let found: Vec<String> = documents().iter().map(of).collect();
    golden(
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/residency.txt"),
        include_str!("golden/residency.txt"),
        &found.join("\n"),
    );
}

#[test]
fn every_course_has_its_dates_before_anything_runs() {
    // 28 February is the last day whose six months end early
    let from = utc_datetime!(2027-02-28 14:30);
    let mut found = Vec::new();
    for document in documents() {
        for lifecycle in document.lifecycles() {
            let dates = table::timeline(&document, lifecycle, from);
            found.push(format!("# {} {lifecycle}\n{dates}", document.id()));
        }
    }
    golden(
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/timelines.txt"),
        include_str!("golden/timelines.txt"),
        &found.join("\n"),
    );
}

// clause: P-51, P-52, P-57, P-59, P-60
#[test]
fn a_record_a_database_and_a_trial_of_prodb_last_as_measured() {
    let document = Document::parse(PRODB).unwrap();
    let rows = document.residency();
    let last = |class: &str, from: Action| {
        let mut rows = rows.iter();
        let is_it = |row: &&policy_document::Residency| {
            (row.class.as_str(), row.from, row.to) == (class, from, Action::BackupPurged)
        };
        let row = rows.find(is_it).unwrap();
        (row.min_days, row.max_days, row.tolerance.to_string())
    };
    let record = (211, Some(214), "at most PT25H more, PT49H less".to_owned());
    assert_eq!(last("record", Action::RecordDeleted), record);
    assert_eq!(last("database", Action::DatabaseDeleted).1, Some(214));
    assert_eq!(last("database", Action::TrialEnded).1, Some(304));
}

#[test]
fn without_a_ceiling_nothing_says_when_it_is_gone() {
    let stores = "[[class]]\nid = \"database\"\n\n\
                  [[store]]\nid = \"rows\"\nkind = \"sql\"\nclasses = [\"database\"]\nerase = []\n\n\
                  [[store]]\nid = \"vaults\"\nkind = \"epoch\"\nclasses = [\"database\"]\n\
                  fed_by = [\"rows\"]\nepoch = \"P1D\"\nerase = []\n";
    let floors = [
        (
            "A-01",
            "floor",
            "bound = { from = \"database.deleted\", to = \"database.purged\", min = \"P30D\" }",
        ),
        (
            "A-02",
            "floor",
            "bound = { from = \"database.purged\", to = \"backup.purged\", min = \"P6M\" }",
        ),
    ];
    let document = Document::parse(&page::policy("\"UTC\"", &floors, stores)).unwrap();
    let rows = document.residency();
    let rows: Vec<_> = rows
        .iter()
        .filter(|row| row.from == Action::DatabaseDeleted)
        .map(|row| (row.min_days, row.max_days, row.stays()))
        .collect();
    let without_end = |days| format!("at least {days} days, and nothing says when it goes");
    assert_eq!(
        rows,
        [(30, None, without_end(30)), (211, None, without_end(211))]
    );
}

// clause: Q-24
#[test]
fn a_stay_below_a_day_is_told_to_the_second_and_one_of_a_day_in_days() {
    let store = "[[class]]\nid = \"image\"\n\n[[store]]\nid = \"objects\"\nkind = \"object\"\n\
                 classes = [\"image\"]\nerase = []\n";
    let stays = |max: &str| {
        let bound = format!(
            "bound = {{ from = \"object.deleted\", to = \"object.unreachable\", max = \"{max}\" }}"
        );
        let clauses = [("A-01", "ceiling", bound.as_str())];
        let document = Document::parse(&page::policy("\"UTC\"", &clauses, store)).unwrap();
        let row = document.residency().remove(0);
        (row.max_days, row.stays())
    };
    let said = |days, words: &str| (Some(days), words.to_owned());
    assert_eq!(stays("PT10S"), said(1, "at most PT10S"));
    assert_eq!(stays("PT23H59M59S"), said(1, "at most PT23H59M59S"));
    assert_eq!(stays("PT24H"), said(1, "at most 1 day"));
    assert_eq!(stays("PT24H1S"), said(2, "at most 2 days"));
    assert_eq!(stays("PT0S"), said(0, "at most PT0S"));
}

#[test]
fn a_course_without_promises_is_empty_and_dates_end_with_the_calendar() {
    let document = Document::parse(PRODB).unwrap();
    let from = utc_datetime!(2027-02-28 14:30);
    assert!(document.timeline(Lifecycle::Contract, from).is_empty());
    assert!(document.timeline(Lifecycle::Other, from).is_empty());
    let from = utc_datetime!(9999-12-15 0:00);
    let late = document.timeline(Lifecycle::Record, from);
    let purged = Mark::Event(Action::RecordPurged);
    let purged = late.iter().find(|one| one.mark == purged).unwrap();
    assert_eq!((purged.earliest, purged.latest), (Some(from), None));
}
