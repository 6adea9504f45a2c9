//! Observations: what was tested, what a person said, and what is only recorded.

use std::collections::HashMap;

use uuid::Uuid;

use super::{map, parameter, props, text, uuid};
use crate::evidence::{Line, instant, rfc3339};
use crate::json::Json;
use crate::report::Report;
use crate::status::Status;
use crate::verdict::{ClauseVerdict, Given, ScenarioVerdict};

/// Lines of evidence by clause and scenario, each with its number in the file, counted from 1.
pub(super) struct Numbered<'l>(HashMap<(&'l str, &'l str), Vec<(u64, &'l Line)>>);

impl<'l> Numbered<'l> {
    /// The lines in the order of their file.
    pub(super) fn of(lines: &'l [Line]) -> Self {
        let mut all: HashMap<_, Vec<_>> = HashMap::new();
        for (number, line) in (1_u64..).zip(lines) {
            let key = (line.clause.as_str(), line.scenario.as_str());
            all.entry(key).or_default().push((number, line));
        }
        Self(all)
    }
}

/// The observations of a clause, each with its UUID.
pub(super) fn of_clause(
    report: &Report,
    clause: &str,
    verdict: &ClauseVerdict,
    lines: &Numbered<'_>,
) -> Vec<(Uuid, Json)> {
    if verdict.status == Status::Informational {
        return vec![discovery(report, clause, verdict)];
    }
    let scenarios = verdict.technical.iter().flat_map(|part| &part.scenarios);
    let mut made: Vec<_> = scenarios
        .filter(|scenario| scenario.outcome.is_some())
        .map(|scenario| test(report, clause, (verdict, scenario), lines))
        .collect();
    made.extend(watched(report, clause, verdict, lines));
    let given = verdict
        .attestation
        .as_ref()
        .and_then(|part| part.given.as_ref());
    made.extend(given.map(|given| word(clause, given)));
    made
}

fn test(
    report: &Report,
    clause: &str,
    (verdict, scenario): (&ClauseVerdict, &ScenarioVerdict),
    lines: &Numbered<'_>,
) -> (Uuid, Json) {
    let id = uuid(&format!("observation/{clause}/{}", scenario.id));
    let outcome = scenario.outcome.map_or("", |outcome| outcome.name());
    let superseded = if verdict.status == Status::Superseded {
        Status::Superseded.name()
    } else {
        ""
    };
    let at = |instant: Option<_>| instant.map(rfc3339).unwrap_or_default();
    let json = map([
        ("uuid", Json::text(id)),
        ("title", text(format!("{} for {clause}", scenario.id))),
        (
            "description",
            text(format!(
                "{} under virtual time, on a sound system and on sabotaged ones: {outcome}",
                scenario.id
            )),
        ),
        (
            "props",
            props([
                ("Rule_Id", clause.to_owned()),
                ("Check_Id", scenario.id.clone()),
                ("Parameter_Id", parameter(verdict, scenario)),
                ("outcome", outcome.to_owned()),
                ("status", superseded.to_owned()),
                ("seed", scenario.seed.to_string()),
                ("checks", scenario.checks.to_string()),
                ("virtual-from", at(scenario.from)),
                ("virtual-until", at(scenario.until)),
            ]),
        ),
        ("methods", Json::texts(["TEST"])),
        ("types", Json::texts(["finding"])),
        (
            "relevant-evidence",
            Json::List(evidence((clause, &scenario.id), lines)),
        ),
        ("collected", instant(report.run.finished)),
    ]);
    (id, json)
}

/// What the monitors of the clause said of the history, one observation for each kind of monitor.
fn watched(
    report: &Report,
    clause: &str,
    verdict: &ClauseVerdict,
    lines: &Numbered<'_>,
) -> Vec<(Uuid, Json)> {
    let Numbered(all) = lines;
    let own = all
        .iter()
        .filter(|((of, scenario), _)| *of == clause && scenario.starts_with("history::"));
    let mut own: Vec<_> = own.map(|((_, check), lines)| (*check, lines)).collect();
    own.sort_by_key(|(check, _)| *check);
    let monitors = verdict.technical.iter().flat_map(|part| &part.monitors);
    let monitors: Vec<_> = monitors.collect();
    let observation = |(check, of): (&str, &Vec<(u64, &Line)>)| {
        let id = uuid(&format!("observation/{clause}/{check}"));
        let kind = check.trim_start_matches("history::");
        let said = monitors.iter().filter(|m| m.pattern.starts_with(kind));
        let said: Vec<_> = said.map(|m| m.outcome.name()).collect();
        let sound = of
            .iter()
            .filter(|(_, l)| l.sabotage.is_none() && l.trace.is_none());
        let cases = sound.fold(0_u64, |sum, (_, line)| sum.saturating_add(line.checks));
        let told = "a monitor over the history under virtual time, and over its mutations";
        let json = map([
            ("uuid", Json::text(id)),
            ("title", text(format!("{check} for {clause}"))),
            ("description", text(format!("{told}: {}", said.join(", ")))),
            (
                "props",
                props([
                    ("Rule_Id", clause.to_owned()),
                    ("Check_Id", check.to_owned()),
                    ("outcome", said.join(" ")),
                    ("checks", cases.to_string()),
                ]),
            ),
            ("methods", Json::texts(["TEST"])),
            ("types", Json::texts(["finding"])),
            (
                "relevant-evidence",
                Json::List(evidence((clause, check), lines)),
            ),
            ("collected", instant(report.run.finished)),
        ]);
        (id, json)
    };
    own.into_iter().map(observation).collect()
}

/// The lines of the evidence file that belong to the check of the clause, counted from 1.
fn evidence(of: (&str, &str), lines: &Numbered<'_>) -> Vec<Json> {
    let Numbered(all) = lines;
    let ours = all.get(&of);
    ours.into_iter()
        .flatten()
        .map(|(number, line)| {
            let system = line.sabotage.map_or("sound", |sabotage| sabotage.name());
            let subject = line.trace.map_or(system, |sabotage| sabotage.name());
            let outcome = line.outcome.name();
            Json::map([
                ("href", Json::text(format!("evidence.jsonl#L{number}"))),
                ("description", text(format!("{subject}: {outcome}"))),
            ])
        })
        .collect()
}

fn word(clause: &str, given: &Given) -> (Uuid, Json) {
    let Given {
        owner,
        signed_on,
        expires,
        evidence,
    } = given;
    let id = uuid(&format!("observation/{clause}/attestation"));
    let json = map([
        ("uuid", Json::text(id)),
        ("title", text(format!("the word on {clause}"))),
        (
            "description",
            text("a person answers for the part that no test can prove"),
        ),
        (
            "props",
            props([
                ("owner", owner.clone()),
                ("evidence-sha256", evidence.to_string()),
            ]),
        ),
        ("methods", Json::texts(["EXAMINE"])),
        ("types", Json::texts(["finding"])),
        ("collected", instant(signed_on.midnight().as_utc())),
        ("expires", instant(*expires)),
    ]);
    (id, json)
}

fn discovery(report: &Report, clause: &str, verdict: &ClauseVerdict) -> (Uuid, Json) {
    let id = uuid(&format!("observation/{clause}/discovery"));
    let json = map([
        ("uuid", Json::text(id)),
        ("title", text(format!("{clause} is recorded, not scored"))),
        ("description", text(&verdict.clause.says)),
        ("props", props([("Rule_Id", clause.to_owned())])),
        ("methods", Json::texts(["EXAMINE"])),
        ("types", Json::texts(["discovery"])),
        ("collected", instant(report.run.finished)),
    ]);
    (id, json)
}
