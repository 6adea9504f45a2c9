//! The long history of a document is lived on an honest subject, the same one twice from one seed;
//! monitors that clauses name judge it, and a clause whose monitor saw nothing is not kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use conformance::evidence::RunOutcome;
use conformance::status::Status;
use conformance::testing::{ModelFactory, load, trial};
use conformance::verdict::ClauseVerdict;
use conformance::watch::MonitorOutcome;
use conformance::{Options, Outcome, TraceOutcome};
use policy_document::Document;

type Done = Result<(), Box<dyn std::error::Error>>;

fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies")
}

fn options(clauses: &[&str]) -> Options {
    let mut options = Options::new(7, time::macros::utc_datetime!(2026-11-22 00:00));
    options.clauses = clauses.iter().map(|id| (*id).to_owned()).collect();
    options
}

/// The document with one text of its policy replaced.
fn edited(id: &str, from: &str, to: &str) -> Result<Vec<Arc<Document>>, String> {
    let path = policies().join(format!("{id}.toml"));
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    assert!(text.contains(from), "{from}");
    let parsed = Document::parse(&text.replacen(from, to, 1));
    Ok(vec![Arc::new(
        parsed.map_err(|errors| format!("{errors:?}"))?,
    )])
}

fn verdict<'o>(outcome: &'o Outcome, clause: &str) -> Result<&'o ClauseVerdict, String> {
    let found = outcome.verdict(clause);
    found.ok_or_else(|| format!("{clause} was not judged"))
}

#[test]
fn monitors_see_cases_hold_and_object_to_mutations() -> Done {
    let documents = load(&policies(), &["prodb", "immidb"])?;
    let wanted = ["P-18", "P-51", "P-52", "R-20", "R-22"];
    let outcome = trial(ModelFactory, &documents, &options(&wanted))?;
    for clause in wanted {
        let verdict = verdict(&outcome, clause)?;
        assert_eq!(
            verdict.status,
            Status::Kept,
            "{clause}: {:?}",
            verdict.notes
        );
        let technical = verdict.technical.as_ref().ok_or("a technical part")?;
        assert!(!technical.monitors.is_empty(), "{clause}");
        for monitor in &technical.monitors {
            assert_eq!(monitor.outcome, MonitorOutcome::Satisfied, "{monitor:?}");
            assert!(
                monitor.judged.contains(&"history".to_owned()),
                "{monitor:?}"
            );
            let caught = |(_, outcome): &(_, TraceOutcome)| *outcome == TraceOutcome::Caught;
            assert!(monitor.sabotages.iter().any(caught), "{monitor:?}");
        }
        // what the model cannot do is said
        let told = |note: &String| note.starts_with("history: ") && note.contains("without");
        assert!(verdict.notes.iter().any(told), "{:?}", verdict.notes);
    }
    let traced = outcome
        .evidence
        .lines
        .iter()
        .filter(|line| line.trace.is_some());
    let texts: Vec<_> = traced.map(|line| line.encode()).collect();
    assert!(
        texts
            .iter()
            .any(|text| text.contains(r#""subject":"event-dropped","level":"trace""#))
    );
    let again = trial(ModelFactory, &documents, &options(&wanted))?;
    assert_eq!(again.evidence.digest, outcome.evidence.digest);
    Ok(())
}

#[test]
fn a_monitor_that_saw_no_case_leaves_its_clause_untested() -> Done {
    let documents = edited(
        "prodb",
        "monitor = \"not_before\"",
        "monitor = [\"not_before\", \"before(export.requested, export.completed), per thing\"]",
    )?;
    let outcome = trial(ModelFactory, &documents, &options(&["P-51"]))?;
    let unseen = verdict(&outcome, "P-51")?;
    assert_eq!(unseen.status, Status::Untested, "{:?}", unseen.notes);
    let told = |note: &String| note.contains("before(export.requested") && note.contains("no case");
    assert!(unseen.notes.iter().any(told), "{:?}", unseen.notes);
    Ok(())
}

#[test]
fn a_monitor_that_objects_breaks_its_clause() -> Done {
    // the model writes a record without any export beside it
    let documents = edited(
        "immidb",
        "monitor = \"always(record.created implies change.recorded)\"",
        "monitor = \"always(record.created implies export.requested)\"",
    )?;
    let outcome = trial(ModelFactory, &documents, &options(&["R-20"]))?;
    let broken = verdict(&outcome, "R-20")?;
    assert_eq!(broken.status, Status::Broken, "{:?}", broken.notes);
    let failed = outcome.evidence.lines.iter();
    let mut failed =
        failed.filter(|line| line.scenario == "history::always" && line.trace.is_none());
    assert!(failed.any(|line| line.outcome == RunOutcome::Failed));
    Ok(())
}

#[test]
fn a_sabotage_that_no_scenario_is_made_for_forks_the_history() -> Done {
    // P-51's scenario is not made to catch a purge that comes late, its monitors are
    let documents = edited(
        "prodb",
        "sabotages = [\"purge-early\", \"bin-lost\", \"clock-trusted\"]\nmonitor = \"not_before\"",
        "sabotages = [\"purge-early\", \"bin-lost\", \"clock-trusted\", \"purge-late\"]\n\
         monitor = [\"not_before\", \"never(record.purged while record.created until \
         record.deleted), per thing\"]",
    )?;
    let outcome = trial(ModelFactory, &documents, &options(&["P-51", "P-52"]))?;
    let lines = outcome.evidence.lines.iter();
    let forked =
        lines.filter(|line| line.scenario.starts_with("history::") && line.sabotage.is_some());
    let forked: Vec<_> = forked.collect();
    assert!(!forked.is_empty());
    // the ceiling of the neighbour objects to it, the floor does not
    let failed = |clause: &str| {
        let mut own = forked.iter().filter(|line| line.clause == clause);
        own.any(|line| line.outcome == RunOutcome::Failed)
    };
    assert!(failed("prodb.P-52") && !failed("prodb.P-51"));
    assert_eq!(verdict(&outcome, "P-51")?.status, Status::Toothless);
    Ok(())
}
