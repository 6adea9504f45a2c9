//! `oscal-assessment-results.json`: OSCAL assessment results, model version 1.2.1.
//!
//! One `result` a document, one `finding` a clause, one `observation` a scenario that ran or a word
//! that was given. An informational clause has no finding; it is an observation of type
//! `discovery`. `import-ap` points into the back matter, because there is no plan: an integrator
//! who has one replaces it.
//!
//! The model's traps: an empty array is not valid, so it is left out; ids are tokens, so that the
//! control `17(1)` becomes `gdpr-17.1`; UUIDs are of version 5 over stable names.

use std::collections::BTreeSet;

use policy_document::{Attestation, Framework};
use uuid::Uuid;

use super::{DocumentReport, FORMAT, Report, figure};
use crate::evidence::{Line, instant, rfc3339};
use crate::json::{Json, shown};
use crate::runner::{Options, full_id};
use crate::status::Status;
use crate::verdict::{ClauseVerdict, ScenarioVerdict};

mod observation;

use observation::Numbered;

/// Version of the model.
pub const OSCAL_VERSION: &str = "1.2.1";

/// Namespace of our properties: a name, not an address.
const NAMESPACE: &str = "https://covenant-rs.github.io/ns/oscal";

/// Prints the report; `lines` is the evidence in the order of its file.
#[must_use]
pub fn print(report: &Report, options: &Options, lines: &[Line]) -> String {
    let Report {
        run,
        evidence_sha256,
        documents,
        exit,
    } = report;
    let plan = uuid(&format!("plan/{evidence_sha256}"));
    let lines = Numbered::of(lines);
    let results = documents
        .iter()
        .map(|document| result(report, document, options, &lines));
    let policies = documents.iter().map(|report| {
        format!(
            "{}: policy SHA-256 {}, page SHA-256 {}",
            report.document.id(),
            report.policy_sha256,
            report.document.sha256()
        )
    });
    let metadata = map([
        (
            "title",
            text("Conformance of a running system with its policy documents"),
        ),
        ("last-modified", instant(run.finished)),
        ("version", Json::text(report.id())),
        ("oscal-version", Json::text(OSCAL_VERSION)),
        (
            "props",
            props([
                ("subject", run.subject.name.clone()),
                ("subject-version", run.subject.version.clone()),
                ("seed", run.seed.to_string()),
                ("commit", run.commit.clone().unwrap_or_default()),
                ("toolchain", run.toolchain.clone()),
                ("evidence-sha256", evidence_sha256.to_string()),
                ("exit-code", exit.code.to_string()),
            ]),
        ),
    ]);
    let resource = map([
        ("uuid", Json::text(plan)),
        ("title", text("The policy documents that were assessed")),
        ("description", text(policies.collect::<Vec<_>>().join("; "))),
        (
            "remarks",
            text("stands for an assessment plan, which the assessor may put in its place"),
        ),
    ]);
    Json::map([(
        "assessment-results",
        map([
            (
                "uuid",
                Json::text(uuid(&format!(
                    "run/{evidence_sha256}/{}",
                    rfc3339(run.finished)
                ))),
            ),
            ("metadata", metadata),
            (
                "import-ap",
                Json::map([("href", Json::text(format!("#{plan}")))]),
            ),
            ("results", Json::List(results.collect())),
            (
                "back-matter",
                Json::map([("resources", Json::List(vec![resource]))]),
            ),
        ]),
    )])
    .pretty()
}

fn result(
    report: &Report,
    document: &DocumentReport,
    options: &Options,
    lines: &Numbered<'_>,
) -> Json {
    let source = &document.document;
    let id = source.id();
    let mut observations = Vec::new();
    let mut findings = Vec::new();
    let mut parts = Vec::new();
    for verdict in &document.clauses {
        let clause = full_id(source, verdict.clause.id);
        let given = source.attestation(&verdict.clause.id);
        let made = observation::of_clause(report, &clause, verdict, lines);
        let refs = made
            .iter()
            .map(|(uuid, _)| Json::map([("observation-uuid", Json::text(uuid))]));
        if verdict.status != Status::Informational {
            let deviation = source.deviation(&verdict.clause.id, &options.profile);
            let deviation = deviation.map(|found| found.class.to_string());
            findings.push(finding(&clause, verdict, deviation, refs.collect()));
        }
        observations.extend(made.into_iter().map(|(_, json)| json));
        parts.extend(
            given
                .filter(|_| verdict.attestation.is_some())
                .map(|given| part(&clause, given)),
        );
    }
    let tally = Status::ALL
        .iter()
        .map(|status| (status.name(), document.tally(*status).to_string()));
    let attestations = parts
        .into_iter()
        .map(|part| Json::map([("parts", Json::List(vec![part]))]));
    map([
        (
            "uuid",
            Json::text(uuid(&format!("result/{}/{id}", report.evidence_sha256))),
        ),
        ("title", text(format!("{id}: {}", source.vendor()))),
        (
            "description",
            text(format!(
                "{} of {} clauses, each judged from scenarios that ran or from a person's word",
                document.clauses.len(),
                source.clauses().len()
            )),
        ),
        ("start", instant(report.run.started)),
        ("end", instant(report.run.finished)),
        (
            "props",
            props(
                [("source-state", document.source_state.name().to_owned())]
                    .into_iter()
                    .chain(tally),
            ),
        ),
        ("reviewed-controls", reviewed(document)),
        ("attestations", Json::List(attestations.collect())),
        ("observations", Json::List(observations)),
        ("findings", Json::List(findings)),
    ])
}

/// The controls that the reported clauses serve; all there are, where none is named.
fn reviewed(document: &DocumentReport) -> Json {
    let mut ids = BTreeSet::new();
    for verdict in &document.clauses {
        for (framework, controls) in verdict.clause.controls.iter() {
            ids.extend(controls.iter().map(|id| control(framework, id)));
        }
    }
    let selection = if ids.is_empty() {
        Json::map([("include-all", Json::Map(Vec::new()))])
    } else {
        let controls = ids
            .into_iter()
            .map(|id| Json::map([("control-id", Json::Text(id))]));
        Json::map([("include-controls", Json::List(controls.collect()))])
    };
    Json::map([("control-selections", Json::List(vec![selection]))])
}

/// The id of a control as a token: `17(1)` of the GDPR is `gdpr-17.1`.
fn control(framework: Framework, id: &str) -> String {
    let words = id.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')));
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    format!("{}-{}", framework.key(), words.join("."))
}

/// What the model makes of a status: state and reason.
const fn state(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Kept => ("satisfied", "pass"),
        Status::Superseded | Status::Attested | Status::Informational => ("satisfied", "other"),
        Status::Broken | Status::Toothless => ("not-satisfied", "fail"),
        Status::Untested | Status::Unattested | Status::Expired => ("not-satisfied", "other"),
    }
}

fn finding(
    clause: &str,
    verdict: &ClauseVerdict,
    deviation: Option<String>,
    refs: Vec<Json>,
) -> Json {
    let (state, reason) = state(verdict.status);
    let lines = verdict.clause.line_numbers().map(|line| line.to_string());
    let controls = verdict.clause.controls.iter().flat_map(|(framework, ids)| {
        ids.iter()
            .map(move |id| ("control", control(framework, id)))
    });
    let told = [
        ("status", verdict.status.name().to_owned()),
        ("kind", verdict.clause.kind.to_string()),
        ("lines", lines.collect::<Vec<_>>().join(" ")),
        ("deviation", deviation.unwrap_or_default()),
    ];
    let status = map([
        ("state", Json::text(state)),
        ("reason", Json::text(reason)),
        ("remarks", text(verdict.notes.join("; "))),
    ]);
    map([
        ("uuid", Json::text(uuid(&format!("finding/{clause}")))),
        ("title", text(format!("{clause} is {}", verdict.status))),
        ("description", text(&verdict.clause.says)),
        ("props", props(told.into_iter().chain(controls))),
        (
            "target",
            Json::map([
                ("type", Json::text("objective-id")),
                ("target-id", Json::text(clause)),
                ("status", status),
            ]),
        ),
        ("related-observations", Json::List(refs)),
    ])
}

fn part(clause: &str, given: &Attestation) -> Json {
    map([
        ("uuid", Json::text(uuid(&format!("attestation/{clause}")))),
        ("name", Json::text("attestation")),
        ("ns", Json::text(NAMESPACE)),
        ("title", text(format!("{clause} is attested"))),
        (
            "props",
            props([
                ("owner", given.owner.clone()),
                ("signed-on", given.signed_on.to_string()),
                ("expires", rfc3339(given.expires)),
                ("evidence-sha256", given.evidence.to_string()),
            ]),
        ),
        ("prose", text(&given.statement)),
    ])
}

/// A UUID of version 5 over a stable name.
fn uuid(name: &str) -> Uuid {
    Uuid::new_v5(
        &Uuid::NAMESPACE_OID,
        format!("{FORMAT}/oscal/{name}").as_bytes(),
    )
}

/// Properties of ours; one without a value is left out.
fn props<'n>(pairs: impl IntoIterator<Item = (&'n str, String)>) -> Json {
    let props = pairs.into_iter().filter_map(|(name, value)| {
        let value = line(&value)?;
        Some(Json::map([
            ("name", Json::text(name)),
            ("ns", Json::text(NAMESPACE)),
            ("value", Json::Text(value)),
        ]))
    });
    Json::List(props.collect())
}

/// A text of one line; `null` when nothing of it is left, which [`map`] leaves out.
fn text(text: impl ToString) -> Json {
    Json::text_or_null(line(&text.to_string()))
}

/// One line that neither starts nor ends with a space, as the model's strings must be.
fn line(text: &str) -> Option<String> {
    let text = shown(text);
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// An object without its empty arrays and nulls.
fn map<'k>(entries: impl IntoIterator<Item = (&'k str, Json)>) -> Json {
    let empty = |json: &Json| match json {
        Json::Null => true,
        Json::List(items) => items.is_empty(),
        Json::Bool(_) | Json::Int(_) | Json::Text(_) | Json::Map(_) => false,
    };
    Json::map(entries.into_iter().filter(|(_, json)| !empty(json)))
}

/// The figure that a scenario reads, where the clause has one.
fn parameter(verdict: &ClauseVerdict, scenario: &ScenarioVerdict) -> String {
    let figure = figure(&verdict.clause).unwrap_or_default();
    scenario.outcome.map_or_else(String::new, |_| figure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_tokens() {
        let check = |framework, id: &str, expect: &str| assert_eq!(control(framework, id), expect);
        check(Framework::Gdpr, "17(1)", "gdpr-17.1");
        check(Framework::Gdpr, "5(1)(e)", "gdpr-5.1.e");
        check(Framework::Iso27001, "A.8.13", "iso27001-A.8.13");
        check(Framework::Soc2, "CC6.5", "soc2-CC6.5");
    }

    #[test]
    fn every_status_has_its_state_and_reason() {
        let got = Status::ALL.iter().map(|status| {
            let (state, reason) = state(*status);
            format!("{status} {state} {reason}")
        });
        let expect = [
            "kept satisfied pass",
            "broken not-satisfied fail",
            "untested not-satisfied other",
            "toothless not-satisfied fail",
            "attested satisfied other",
            "unattested not-satisfied other",
            "expired not-satisfied other",
            "superseded satisfied other",
            "informational satisfied other",
        ];
        assert_eq!(got.collect::<Vec<_>>(), expect);
    }

    #[test]
    fn strings_are_single_trimmed_lines_and_empty_ones_vanish() {
        assert_eq!(
            line("  a\u{202e}\n<b> "),
            Some("a\u{fffd}\u{fffd}<b>".to_owned())
        );
        assert_eq!(line(" \u{a0} "), None);
        let json = map([
            ("a", text("")),
            ("b", Json::List(Vec::new())),
            ("c", props([("x", String::new())])),
            ("d", text("d")),
        ]);
        assert_eq!(json.compact(), r#"{"d":"d"}"#);
    }
}
