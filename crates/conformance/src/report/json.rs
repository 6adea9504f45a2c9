//! `report.json`: format `covenant/conformance-report/v1`, whose schema is in `schema/`.
//!
//! Keys stand in the order of the format; the same inputs, seed and stamp give the same bytes.

use policy_document::{Bound, Clause, Deviation, Residency};
use time::Date;

use super::{DocumentReport, Exit, FORMAT, Found, Report, RunFacts, Tree, figure, names, standing};
use crate::evidence::{instant, rfc3339};
use crate::json::Json;
use crate::runner::Options;
use crate::stage::{Failure, Margin};
use crate::status::{SabotageOutcome, Status};
use crate::trace_sabotage::{TraceOutcome, TraceSabotage};
use crate::verdict::{AttestationVerdict, ClauseVerdict, ScenarioVerdict, TechnicalVerdict};
use crate::watch::MonitorVerdict;

/// Prints the report.
#[must_use]
pub fn print(report: &Report, options: &Options) -> String {
    let Report {
        run,
        evidence_sha256: _,
        documents,
        exit,
    } = report;
    Json::map([
        ("format", Json::text(FORMAT)),
        ("run", run_json(report, run)),
        (
            "documents",
            Json::List(documents.iter().map(|d| document(d, options)).collect()),
        ),
        ("exit", exit_json(exit)),
    ])
    .pretty()
}

fn run_json(report: &Report, run: &RunFacts) -> Json {
    let RunFacts {
        started,
        finished,
        seed,
        commit,
        tree,
        toolchain,
        target,
        subject,
    } = run;
    Json::map([
        ("id", Json::text(report.id())),
        ("started", instant(*started)),
        ("finished", instant(*finished)),
        ("seed", Json::text(seed)),
        ("commit", Json::text_or_null(commit.as_ref())),
        ("dirty", Json::Bool(*tree == Tree::Dirty)),
        ("toolchain", Json::text(toolchain)),
        ("target", Json::text(target)),
        ("synchronous", Json::text(&subject.synchronous)),
        ("evidence_sha256", Json::text(report.evidence_sha256)),
        (
            "subject",
            Json::map([
                ("name", Json::text(&subject.name)),
                ("version", Json::text(&subject.version)),
                ("rows", Json::text(&subject.rows)),
                ("blobs", Json::text(&subject.blobs)),
                ("keys", Json::text(&subject.keys)),
                ("notices", Json::text(&subject.notices)),
            ]),
        ),
    ])
}

fn document(report: &DocumentReport, options: &Options) -> Json {
    let DocumentReport {
        document,
        policy_sha256,
        source_state,
        clauses,
        findings,
    } = report;
    let coverage = document.coverage();
    let len = |set: &std::collections::BTreeSet<u32>| {
        Json::count(u64::try_from(set.len()).unwrap_or(u64::MAX))
    };
    let tally = Status::ALL
        .iter()
        .map(|s| (s.name(), Json::count(report.tally(*s))));
    let verdicts = clauses.iter().map(|verdict| {
        clause(
            verdict,
            document.deviation(&verdict.clause.id, &options.profile),
        )
    });
    Json::map([
        ("id", Json::text(document.id())),
        ("vendor", Json::text(document.vendor())),
        ("source", Json::text(document.source())),
        ("source_sha256", Json::text(document.sha256())),
        ("source_state", Json::text(source_state.name())),
        ("policy_sha256", Json::text(policy_sha256)),
        (
            "published",
            Json::text_or_null(document.published().map(date)),
        ),
        ("reviewed", Json::text(date(document.reviewed()))),
        ("lines", Json::count(u64::from(document.lines()))),
        ("covered", len(&coverage.covered)),
        ("ignored", len(&coverage.ignored)),
        ("blank", len(&coverage.blank)),
        ("tally", Json::map(tally)),
        ("clauses", Json::List(verdicts.collect())),
        (
            "findings",
            Json::List(findings.iter().map(finding).collect()),
        ),
        (
            "residency",
            Json::List(document.residency().iter().map(residency).collect()),
        ),
        ("notes", Json::List(Vec::new())),
    ])
}

fn finding(found: &Found) -> Json {
    let Found { finding, golden } = found;
    let lines = finding.lines.iter();
    Json::map([
        ("code", Json::text(finding.code)),
        ("golden", Json::text_or_null(golden.as_ref())),
        ("clauses", Json::texts(&finding.clauses)),
        (
            "lines",
            Json::List(lines.map(|n| Json::count((*n).into())).collect()),
        ),
        ("message", Json::text(&finding.message)),
        ("witness", Json::text_or_null(finding.witness.map(date))),
        (
            "answered_by",
            Json::text_or_null(finding.answered_by.as_ref()),
        ),
        ("standing", Json::text(standing(finding))),
    ])
}

fn residency(one: &Residency) -> Json {
    let max = |days: u32| Json::count(days.into());
    Json::map([
        ("class", Json::text(&one.class)),
        ("lifecycle", Json::text(one.lifecycle)),
        ("from", Json::text(one.from)),
        ("to", Json::text(one.to)),
        ("stores", Json::texts(&one.stores)),
        ("min_days", Json::count(one.min_days.into())),
        ("max_days", one.max_days.map_or(Json::Null, max)),
        (
            "tolerance",
            Json::map([
                ("more", Json::text(one.tolerance.more)),
                ("less", Json::text(one.tolerance.less)),
            ]),
        ),
        ("clauses", Json::texts(&one.clauses)),
    ])
}

fn clause(verdict: &ClauseVerdict, deviation: Option<&Deviation>) -> Json {
    let ClauseVerdict {
        clause,
        status,
        technical,
        attestation,
        worst,
        notes,
    } = verdict;
    Json::map([
        ("id", Json::text(clause.id)),
        (
            "lines",
            Json::List(
                clause
                    .line_numbers()
                    .map(|n| Json::count(n.into()))
                    .collect(),
            ),
        ),
        ("says", Json::text(&clause.says)),
        ("kind", Json::text(clause.kind)),
        ("modality", Json::text_or_null(clause.modality)),
        ("status", Json::text(status)),
        ("figure", Json::text_or_null(figure(clause))),
        ("bound", clause.bound.as_ref().map_or(Json::Null, bound)),
        ("declared", declared(clause)),
        ("worst", worst.as_ref().map_or(Json::Null, margin)),
        (
            "technical",
            technical.as_ref().map_or(Json::Null, technical_json),
        ),
        (
            "attestation",
            attestation.as_ref().map_or(Json::Null, attestation_json),
        ),
        ("deviation", deviation.map_or(Json::Null, deviation_json)),
        ("controls", controls(clause)),
        ("notes", Json::texts(notes)),
    ])
}

fn bound(bound: &Bound) -> Json {
    let from = names(&bound.from)
        .into_iter()
        .collect::<Vec<_>>()
        .join(" | ");
    let to = names(&bound.to)
        .into_iter()
        .chain(bound.state.iter().map(|s| s.name().to_owned()));
    Json::map([
        (
            "from",
            Json::text_or_null((!from.is_empty()).then_some(from)),
        ),
        ("to", Json::texts(to)),
        ("min", Json::text_or_null(bound.min)),
        ("max", Json::text_or_null(bound.max)),
        ("early", Json::text(bound.early)),
        ("late", Json::text(bound.late)),
    ])
}

fn declared(clause: &Clause) -> Json {
    Json::map(clause.declared.iter().map(|(name, declared)| {
        let value = Json::map([
            ("value", Json::text(&declared.value)),
            ("why", Json::text(&declared.why)),
        ]);
        (name.to_string(), value)
    }))
}

fn margin(margin: &Margin) -> Json {
    Json::map([
        ("observed_seconds", Json::Int(margin.observed_seconds)),
        ("limit_seconds", Json::Int(margin.limit_seconds)),
        ("margin_seconds", Json::Int(margin.margin_seconds)),
    ])
}

fn technical_json(technical: &TechnicalVerdict) -> Json {
    Json::map([
        ("outcome", Json::text(technical.outcome.status())),
        (
            "scenarios",
            Json::List(technical.scenarios.iter().map(scenario).collect()),
        ),
        (
            "monitors",
            Json::List(technical.monitors.iter().map(monitor).collect()),
        ),
    ])
}

fn monitor(verdict: &MonitorVerdict) -> Json {
    let MonitorVerdict {
        pattern,
        outcome,
        cases,
        judged,
        worst,
        failure,
        sabotages,
    } = verdict;
    let sabotage = |(sabotage, outcome): &(TraceSabotage, TraceOutcome)| {
        let word = match outcome {
            TraceOutcome::Caught => "caught",
            TraceOutcome::Missed => "missed",
            TraceOutcome::Inapplicable(_) => "unsupported",
        };
        Json::map([
            ("id", Json::text(sabotage)),
            ("level", Json::text("trace")),
            ("outcome", Json::text(word)),
        ])
    };
    Json::map([
        ("pattern", Json::text(pattern)),
        ("outcome", Json::text(outcome.name())),
        ("cases", Json::count(*cases)),
        ("judged", Json::texts(judged)),
        ("worst", worst.as_ref().map_or(Json::Null, margin)),
        ("failure", failure.as_ref().map_or(Json::Null, failure_json)),
        (
            "sabotages",
            Json::List(sabotages.iter().map(sabotage).collect()),
        ),
    ])
}

fn scenario(verdict: &ScenarioVerdict) -> Json {
    let ScenarioVerdict {
        id,
        outcome,
        seed,
        from,
        until,
        checks,
        failure,
        sabotages,
        // only the run that makes the matrix has any
        crossings: _,
    } = verdict;
    Json::map([
        ("id", Json::text(id)),
        (
            "outcome",
            Json::text(outcome.map_or("not-run", |outcome| outcome.name())),
        ),
        ("seed", Json::text(seed)),
        ("from", Json::text_or_null(from.map(rfc3339))),
        ("until", Json::text_or_null(until.map(rfc3339))),
        ("checks", Json::count(*checks)),
        ("failure", failure.as_ref().map_or(Json::Null, failure_json)),
        (
            "sabotages",
            Json::List(
                sabotages
                    .iter()
                    .map(|(sabotage, outcome)| {
                        Json::map([
                            ("id", Json::text(sabotage)),
                            ("level", Json::text("system")),
                            ("outcome", Json::text(sabotage_word(*outcome))),
                        ])
                    })
                    .collect(),
            ),
        ),
    ])
}

fn failure_json(failure: &Failure) -> Json {
    Json::map([
        ("at", instant(failure.at)),
        ("expected", Json::text(&failure.expected)),
        ("observed", Json::text(&failure.observed)),
    ])
}

const fn sabotage_word(outcome: SabotageOutcome) -> &'static str {
    match outcome {
        SabotageOutcome::Caught => "caught",
        SabotageOutcome::Missed => "missed",
        SabotageOutcome::Unsupported => "unsupported",
    }
}

fn attestation_json(verdict: &AttestationVerdict) -> Json {
    let AttestationVerdict { outcome, given } = verdict;
    let given = given.as_ref();
    Json::map([
        ("outcome", Json::text(outcome.status())),
        ("owner", Json::text_or_null(given.map(|given| &given.owner))),
        (
            "signed_on",
            Json::text_or_null(given.map(|given| date(given.signed_on))),
        ),
        (
            "expires",
            Json::text_or_null(given.map(|given| rfc3339(given.expires))),
        ),
        (
            "evidence",
            Json::text_or_null(given.map(|given| given.evidence)),
        ),
    ])
}

fn deviation_json(deviation: &Deviation) -> Json {
    Json::map([
        ("class", Json::text(deviation.class)),
        ("promised", Json::text(&deviation.promised)),
        ("delivered", Json::text(&deviation.delivered)),
        ("reason", Json::text(&deviation.reason)),
        ("approved_by", Json::text(&deviation.approved_by)),
        ("review_by", Json::text(date(deviation.review_by))),
    ])
}

fn controls(clause: &Clause) -> Json {
    Json::map(
        clause
            .controls
            .iter()
            .map(|(framework, ids)| (framework.key(), Json::texts(ids))),
    )
}

fn exit_json(exit: &Exit) -> Json {
    let Exit { code, reasons } = exit;
    Json::map([
        ("code", Json::Int(i64::from(*code))),
        ("reasons", Json::texts(reasons)),
    ])
}

/// A day as `YYYY-MM-DD`.
fn date(date: Date) -> String {
    date.to_string()
}
