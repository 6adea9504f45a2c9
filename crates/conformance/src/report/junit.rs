//! `junit.xml`: one `testsuite` a document, one `testcase` a clause, for whatever shows test results.
//!
//! JUnit knows three outcomes, so the nine statuses are folded: kept, attested and superseded pass;
//! broken, toothless and untested are a `failure` of that type; unattested, expired and
//! informational are `skipped`, with the status in the message.

use super::markup::escape;
use super::{DocumentReport, Report};
use crate::status::Status;
use crate::verdict::ClauseVerdict;

/// What JUnit makes of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fold {
    Failure,
    Pass,
    Skipped,
}

const fn fold(status: Status) -> Fold {
    match status {
        Status::Kept | Status::Attested | Status::Superseded => Fold::Pass,
        Status::Broken | Status::Toothless | Status::Untested => Fold::Failure,
        Status::Unattested | Status::Expired | Status::Informational => Fold::Skipped,
    }
}

/// How many clauses have which fold.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    tests: u64,
    failures: u64,
    skipped: u64,
}

impl Counts {
    fn of<'a>(documents: impl IntoIterator<Item = &'a DocumentReport>) -> Self {
        let mut counts = Self::default();
        for verdict in documents.into_iter().flat_map(|report| &report.clauses) {
            let folded = fold(verdict.status);
            counts.tests = counts.tests.saturating_add(1);
            let one = |is: Fold| u64::from(folded == is);
            counts.failures = counts.failures.saturating_add(one(Fold::Failure));
            counts.skipped = counts.skipped.saturating_add(one(Fold::Skipped));
        }
        counts
    }

    fn attributes(self) -> String {
        let Self {
            tests,
            failures,
            skipped,
        } = self;
        format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\"")
    }
}

/// Prints the report.
#[must_use]
pub fn print(report: &Report) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"conformance\" {}>\n",
        Counts::of(&report.documents).attributes()
    );
    for document in &report.documents {
        out.push_str(&suite(report, document));
    }
    out.push_str("</testsuites>\n");
    out
}

fn suite(report: &Report, document: &DocumentReport) -> String {
    let id = escape(&document.document.id().to_string());
    let run = &report.run;
    let properties = [
        ("run", report.id().to_string()),
        ("subject", run.subject.name.clone()),
        ("seed", run.seed.to_string()),
        ("commit", run.commit.clone().unwrap_or_default()),
        ("evidence_sha256", report.evidence_sha256.to_string()),
        ("policy_sha256", document.policy_sha256.to_string()),
        ("source_state", document.source_state.name().to_owned()),
    ];
    let mut out = format!(
        "  <testsuite name=\"{id}\" {}>\n    <properties>\n",
        Counts::of([document]).attributes()
    );
    for (name, value) in properties.iter().filter(|(_, value)| !value.is_empty()) {
        let value = escape(value);
        out.push_str(&format!(
            "      <property name=\"{name}\" value=\"{value}\"/>\n"
        ));
    }
    out.push_str("    </properties>\n");
    for verdict in &document.clauses {
        out.push_str(&case(&id, verdict));
    }
    out.push_str("  </testsuite>\n");
    out
}

fn case(document: &str, verdict: &ClauseVerdict) -> String {
    let clause = &verdict.clause;
    let name = escape(&format!("{} {}", clause.id, clause.says));
    let status = verdict.status.name();
    let first = verdict.notes.first().map_or("", String::as_str);
    let message = escape(&format!("{status}: {first}"));
    let all: Vec<_> = verdict.notes.iter().map(|note| escape(note)).collect();
    let all = all.join("\n");
    let open = format!("    <testcase classname=\"{document}\" name=\"{name}\"");
    match fold(verdict.status) {
        Fold::Pass if all.is_empty() => format!("{open}/>\n"),
        Fold::Pass => {
            format!("{open}>\n      <system-out>{status}: {all}</system-out>\n    </testcase>\n")
        }
        Fold::Failure => format!(
            "{open}>\n      <failure type=\"{status}\" message=\"{message}\">{all}</failure>\n    </testcase>\n"
        ),
        Fold::Skipped => {
            format!("{open}>\n      <skipped message=\"{message}\"/>\n    </testcase>\n")
        }
    }
}
