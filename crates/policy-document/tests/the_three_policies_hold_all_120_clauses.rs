//! The policies of this repository are sound: 120 clauses in their kinds, every line served, the
//! figures of every promise about time, every scenario and sabotage of the catalogue named.

use std::collections::BTreeSet;
use std::error::Error;

use covenant_core::{Action, Period};
use policy_document::{
    Cadence, Catalogue, Clause, Document, DocumentError, Kind, Modality, Per, StoreKind,
};
use time::{Date, Month};

type Failure = Box<dyn Error>;

const POLICIES: [(&str, &str); 3] = [
    ("prodb", include_str!("../../../policies/prodb.toml")),
    ("protopie", include_str!("../../../policies/protopie.toml")),
    ("immidb", include_str!("../../../policies/immidb.toml")),
];

fn words(errors: Vec<DocumentError>) -> Failure {
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
        .into()
}

fn document(id: &str) -> Result<Document, Failure> {
    let (_, text) = POLICIES
        .iter()
        .find(|(name, _)| *name == id)
        .ok_or("no such policy")?;
    Document::parse(text).map_err(words)
}

fn documents() -> Result<Vec<Document>, Failure> {
    POLICIES.iter().map(|(id, _)| document(id)).collect()
}

#[test]
fn each_is_accepted_on_the_day_of_its_review() -> Result<(), Failure> {
    for document in documents()? {
        document.check(document.reviewed()).map_err(words)?;
        assert!(
            document.attestations().is_empty(),
            "nobody has signed anything yet"
        );
    }
    Ok(())
}

#[test]
fn the_kinds_are_counted_as_in_the_table() -> Result<(), Failure> {
    let expected = [
        ("prodb", [37, 15, 11, 4]),
        ("protopie", [19, 3, 3, 0]),
        ("immidb", [17, 6, 2, 3]),
    ];
    for (id, counts) in expected {
        let document = document(id)?;
        let of = |kind: &Kind| {
            document
                .clauses()
                .iter()
                .filter(|c| c.kind == *kind)
                .count()
        };
        let found: Vec<usize> = Kind::ALL.iter().map(of).collect();
        assert_eq!(found, counts, "{id}");
        let last = document.clauses().last().ok_or("no clauses")?.id.number();
        assert_eq!(
            usize::from(last),
            counts.iter().sum::<usize>(),
            "numbers without gaps in {id}"
        );
    }
    Ok(())
}

#[test]
fn the_anchors_of_the_pages_are_pinned() -> Result<(), Failure> {
    let even = (2..=18).step_by(2);
    let odd = (21..=43).step_by(2);
    let immidb_blank: BTreeSet<u32> = even.chain(odd).collect();
    let pages = [
        (
            "prodb",
            129,
            BTreeSet::new(),
            "1461ade3c054d9c070f11b5b395e04436971832c1a554c6e37ab5114ad0460ff",
        ),
        (
            "protopie",
            26,
            BTreeSet::new(),
            "21d27f090c6565f4a4be3660fb5aa03fd2a42f4fac5a8d9f85d9dd4c65a3d44e",
        ),
        (
            "immidb",
            44,
            immidb_blank,
            "7225a88fa615d1faa8d857963ea3902e10a96533654e926154445b6e7ec366df",
        ),
    ];
    for (id, lines, blank, digest) in pages {
        let document = document(id)?;
        assert_eq!(
            (document.lines(), document.blank()),
            (lines, &blank),
            "{id}"
        );
        assert_eq!(document.sha256().to_string(), digest, "{id}");
        assert!(document.coverage().is_total(), "{id}");
    }
    let lines = [
        (
            "P-59",
            103,
            "9280ccec82bedbeecf04efba1252c617393fa76110adc06819f70194b9521674",
        ),
        (
            "Q-23",
            25,
            "737be03412e5210c1acfc31be07a334087fd3113bfcb65acdf7dd26bec32affe",
        ),
        (
            "R-23",
            38,
            "67de1054f90c253dd7ac742ecfbac1e57c3400d7d2ee808219a7e93d5ea3ffba",
        ),
    ];
    for (id, number, digest) in lines {
        let clause = clause(id)?;
        let pinned = clause.lines.first().ok_or("no line")?;
        assert_eq!(
            (pinned.number, pinned.digest.to_string().as_str()),
            (number, digest),
            "{id}"
        );
    }
    Ok(())
}

fn clause(id: &str) -> Result<Clause, Failure> {
    let wanted = id.parse()?;
    for document in documents()? {
        if let Ok(clause) = document.clause(&wanted) {
            return Ok(clause.clone());
        }
    }
    Err(format!("no clause {id}").into())
}

/// One line of the table of bounds: from, to, min, max, early, late, waived by; all in force.
type Row = (
    &'static str,
    &'static [Action],
    &'static [Action],
    [&'static str; 4],
    &'static [Action],
);

#[test]
fn the_bounds_in_force_are_those_of_the_table() -> Result<(), Failure> {
    const BACKUP: &[Action] = &[Action::BackupCompleted];
    const PURGED: &[Action] = &[Action::BackupPurged];
    const ERASURE: &[Action] = &[Action::ErasureRequested];
    const RECORD: (&[Action], &[Action]) = (&[Action::RecordDeleted], &[Action::RecordPurged]);
    const BIN_WAIVED: &[Action] = &[Action::RecordManualPurge, Action::ErasureRequested];
    const GONE: &[Action] = &[
        Action::DatabasePurged,
        Action::BackupPurged,
        Action::KeyDestroyed,
    ];
    let rows: &[Row] = &[
        ("P-15", &[], BACKUP, ["", "PT1H", "", "PT5M"], &[]),
        (
            "P-17",
            BACKUP,
            &[Action::BackupReplicated],
            ["", "PT1H", "", ""],
            &[],
        ),
        ("P-18", BACKUP, PURGED, ["P6M", "P6M", "PT49H", ""], ERASURE),
        (
            "P-20",
            &[],
            &[Action::RestoreDrilled],
            ["", "PT4H", "", ""],
            &[],
        ),
        (
            "P-30",
            &[Action::IncidentSuspected],
            &[Action::NoticeDelivered],
            ["", "PT72H", "", ""],
            &[],
        ),
        (
            "P-35",
            ERASURE,
            &[Action::ErasureCompleted, Action::KeyDestroyed],
            ["", "P1M", "", ""],
            &[],
        ),
        (
            "P-49",
            &[Action::RecordPurged],
            PURGED,
            ["", "P6M", "", ""],
            &[],
        ),
        ("P-51", RECORD.0, RECORD.1, ["P30D", "", "", ""], BIN_WAIVED),
        ("P-52", RECORD.0, RECORD.1, ["", "P30D", "", "PT25H"], &[]),
        (
            "P-56",
            &[],
            &[Action::DatabaseDeleted],
            ["", "", "", ""],
            ERASURE,
        ),
        (
            "P-57",
            &[Action::TrialEnded],
            &[Action::DatabaseDeleted],
            ["", "P90D", "", ""],
            &[],
        ),
        (
            "P-59",
            &[Action::DatabaseDeleted],
            &[Action::DatabasePurged],
            ["", "P30D", "", ""],
            &[],
        ),
        (
            "P-60",
            &[Action::DatabasePurged],
            PURGED,
            ["P6M", "P6M", "PT49H", ""],
            ERASURE,
        ),
        (
            "Q-06",
            &[],
            &[Action::BackupStatus],
            ["", "P1D", "", ""],
            &[],
        ),
        (
            "Q-09",
            &[],
            &[Action::RestoreDrilled],
            ["", "P1Y", "", ""],
            &[],
        ),
        (
            "Q-17",
            &[Action::KeyCreated],
            &[Action::KeyRotated],
            ["", "", "", ""],
            &[],
        ),
        (
            "Q-18",
            &[Action::KeyScheduled],
            &[Action::KeyDestroyed],
            ["P7D", "P30D", "", ""],
            &[],
        ),
        (
            "Q-21",
            &[],
            &[Action::ContractTerminated],
            ["", "", "", ""],
            &[Action::ObjectDeleted],
        ),
        (
            "Q-23",
            &[Action::ContractTerminated],
            GONE,
            ["", "P14D", "", ""],
            &[],
        ),
        (
            "Q-24",
            &[Action::ObjectDeleted],
            &[Action::ObjectUnreachable],
            ["", "PT10S", "", ""],
            &[],
        ),
        (
            "R-15",
            &[Action::StaffAccess],
            &[Action::NoticeDelivered],
            ["", "PT5M", "", ""],
            &[],
        ),
        (
            "R-19",
            &[Action::ExportRequested],
            &[Action::ExportCompleted],
            ["", "P1M", "", ""],
            &[],
        ),
        ("R-22", &[], BACKUP, ["", "", "", ""], &[]),
        (
            "R-23",
            BACKUP,
            &[Action::BackupUnrestorable],
            ["P31D", "", "", ""],
            &[],
        ),
        (
            "R-25",
            &[],
            &[Action::UpdateCompleted],
            ["P7D", "P28D", "", ""],
            &[],
        ),
        (
            "R-27",
            &[Action::UpdateCompleted],
            &[Action::NoticeQueued],
            ["", "", "", ""],
            &[],
        ),
    ];
    for (id, from, to, [min, max, early, late], waived_by) in rows {
        let bound = clause(id)?.bound.ok_or("no bound")?;
        let set = |actions: &[Action]| actions.iter().copied().collect::<BTreeSet<_>>();
        let shown = |period: Option<Period>| period.map(|p| p.to_string()).unwrap_or_default();
        let tolerance = |period: Period| shown((!period.is_zero()).then_some(period));
        assert_eq!((&bound.from, &bound.to), (&set(from), &set(to)), "{id}");
        assert_eq!(
            (shown(bound.min), shown(bound.max)),
            (min.parse_canon()?, max.parse_canon()?),
            "{id}"
        );
        assert_eq!(
            (tolerance(bound.early), tolerance(bound.late)),
            (early.parse_canon()?, late.parse_canon()?),
            "{id}"
        );
        assert_eq!(bound.waived_by, set(waived_by), "{id}");
        assert!(bound.state.is_empty(), "{id}");
    }
    let listed: BTreeSet<&str> = rows
        .iter()
        .map(|row| row.0)
        .chain(["P-48", "P-54", "P-58"])
        .collect();
    for document in documents()? {
        for clause in document
            .clauses()
            .iter()
            .filter(|clause| clause.bound.is_some())
        {
            assert!(
                listed.contains(clause.id.to_string().as_str()),
                "{} is in no table",
                clause.id
            );
        }
    }
    Ok(())
}

/// Period text in its canonical spelling, nothing staying nothing.
trait Canon {
    fn parse_canon(&self) -> Result<String, Failure>;
}
impl Canon for &str {
    fn parse_canon(&self) -> Result<String, Failure> {
        if self.is_empty() {
            return Ok(String::new());
        }
        Ok(self.parse::<Period>()?.to_string())
    }
}

#[test]
fn what_is_declared_is_not_taken_for_stated() -> Result<(), Failure> {
    let backup = clause("R-23")?;
    let stated = backup.stated.as_ref().ok_or("no stated bound")?;
    assert_eq!(stated.min, Some(Period::months(1)));
    assert_eq!(
        backup.declared("min").and_then(|d| d.period()),
        Some(Period::days(31))
    );
    let gone = clause("P-49")?;
    assert!(
        gone.stated
            .as_ref()
            .is_some_and(|bound| bound.from.is_empty())
    );
    assert_eq!(
        gone.bound.as_ref().and_then(|b| b.start()),
        Some(Action::RecordPurged)
    );
    assert_eq!(
        clause("P-23")?.declared("cap").and_then(|d| d.count()),
        Some(8)
    );
    assert_eq!(
        clause("Q-18")?.declared("wait").and_then(|d| d.period()),
        Some(Period::days(7))
    );
    assert_eq!(
        clause("P-48")?
            .declared("manual_purge")
            .and_then(|d| d.period()),
        Some(Period::hours(1))
    );
    assert_eq!(
        clause("R-22")?.bound.and_then(|b| b.per),
        Some(Per::CivilNight)
    );
    assert_eq!(
        clause("P-56")?.until(),
        Some(&BTreeSet::from([Action::DatabaseDeleted]))
    );
    assert_eq!(clause("P-51")?.until(), None);
    Ok(())
}

#[test]
fn what_is_proven_names_the_crates_that_keep_it() -> Result<(), Failure> {
    for document in documents()? {
        for clause in document
            .clauses()
            .iter()
            .filter(|clause| clause.is_proven())
        {
            assert!(!clause.crates.is_empty(), "{}", clause.id);
        }
    }
    Ok(())
}

#[test]
fn every_scenario_and_every_sabotage_is_named_by_a_clause() -> Result<(), Failure> {
    let documents = documents()?;
    let clauses = || documents.iter().flat_map(Document::clauses);
    let named: BTreeSet<&str> = clauses()
        .flat_map(|c| c.verify.scenarios.iter().map(String::as_str))
        .collect();
    assert_eq!(
        named,
        Catalogue::PUBLISHED.scenarios.iter().copied().collect()
    );
    let named: BTreeSet<&str> = clauses()
        .flat_map(|c| c.verify.sabotages.iter().map(String::as_str))
        .collect();
    assert_eq!(
        named,
        Catalogue::PUBLISHED.sabotages.iter().copied().collect()
    );
    for clause in clauses() {
        let bound = !clause.verify.scenarios.is_empty() && !clause.verify.sabotages.is_empty();
        assert_eq!(bound, clause.is_proven(), "{}", clause.id);
        assert_eq!(
            clause.attests.is_some(),
            clause.kind == Kind::Partial,
            "{}",
            clause.id
        );
        assert_eq!(
            clause.modality.is_none(),
            clause.kind == Kind::Informational,
            "{}",
            clause.id
        );
    }
    Ok(())
}

#[test]
fn only_five_clauses_deviate_and_none_delivers_less() -> Result<(), Failure> {
    let documents = documents()?;
    let deviations = documents.iter().flat_map(Document::deviations);
    let found: Vec<String> = deviations
        .clone()
        .map(|d| format!("{} {}", d.clause, d.class))
        .collect();
    let expected = [
        "P-10 stricter",
        "P-37 reinterpreted",
        "P-48 reinterpreted",
        "P-49 reinterpreted",
        "Q-03 reinterpreted",
    ];
    assert_eq!(found, expected);
    for deviation in deviations {
        let review = Date::from_calendar_date(2027, Month::November, 20)?;
        assert!(deviation.in_force(review));
        assert!(!deviation.in_force(review.next_day().ok_or("no next day")?));
    }
    let protopie = document("protopie")?;
    let store_kind = "Q-03".parse()?;
    assert!(protopie.deviation(&store_kind, "embedded").is_some());
    assert!(protopie.deviation(&store_kind, "scale-out").is_none());
    Ok(())
}

#[test]
fn the_store_graph_is_that_of_the_table() -> Result<(), Failure> {
    let stores = |document: &Document| {
        let ids = document
            .stores()
            .iter()
            .map(|s| format!("{} {}", s.id, s.kind));
        ids.collect::<Vec<_>>().join(", ")
    };
    let prodb = document("prodb")?;
    assert_eq!(
        stores(&prodb),
        "rows sql, objects object, support external, billing external, backups epoch, replica epoch, audit log"
    );
    let backups = prodb.store("backups").ok_or("no backups")?;
    assert_eq!(backups.every, Some(Cadence::Every(Period::hours(1))));
    assert_eq!(backups.epoch, Some(Period::days(1)));
    assert_eq!(prodb.keys().len(), 3);
    let protopie = document("protopie")?;
    assert_eq!(
        stores(&protopie),
        "rows sql, objects object, backups epoch, audit log"
    );
    assert_eq!(
        protopie.store("backups").and_then(|s| s.kept),
        Some(Period::days(30))
    );
    let immidb = document("immidb")?;
    let nightly = immidb.store("backups").ok_or("no backups")?;
    assert_eq!(
        (nightly.every, nightly.kept),
        (Some(Cadence::CivilNight), Some(Period::days(35)))
    );
    assert!(nightly.kind == StoreKind::Epoch && immidb.keys().is_empty());
    assert_eq!(immidb.zones(), ["America/Chicago".parse()?]);
    Ok(())
}

#[test]
fn modalities_have_the_figures_they_need() -> Result<(), Failure> {
    for document in documents()? {
        for clause in document
            .clauses()
            .iter()
            .filter(|clause| clause.is_proven())
        {
            let figured =
                clause.figure.is_some() || clause.bound.is_some() || !clause.declared.is_empty();
            let needs = !matches!(
                clause.modality,
                Some(Modality::Always | Modality::Never) | None
            );
            assert!(figured || !needs, "{} has no figure", clause.id);
        }
    }
    Ok(())
}
