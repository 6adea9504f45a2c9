//! How a run ends: the first exit code that applies, with its reasons.

use policy_document::Kind;

use super::Attestations;
use crate::report::{Exit, Report};
use crate::runner::Outcome;
use crate::status::{Status, Technical};
use crate::verdict::ClauseVerdict;

/// The first code that applies: 4 when the subject did not start, 3 for these reasons not to accept
/// a document or for a severe finding that nothing answers, 1 when a technical part is not kept, 5 when attestations count, 0 otherwise.
pub(crate) fn exit(
    report: &Report,
    outcome: &Outcome,
    unacceptable: &[String],
    attestations: Attestations,
) -> Exit {
    if let Some(reason) = &outcome.not_started {
        return Exit {
            code: 4,
            reasons: vec![reason.clone()],
        };
    }
    let mut unacceptable = unacceptable.to_vec();
    for document in &report.documents {
        let fails = document.findings.iter().filter(|one| one.finding.fails());
        let id = document.document.id();
        unacceptable.extend(fails.map(|one| format!("{id}: {}", one.finding)));
    }
    if !unacceptable.is_empty() {
        return Exit {
            code: 3,
            reasons: unacceptable,
        };
    }
    let reasons = reasons(report, |verdict| {
        let part = verdict.technical.as_ref();
        part.is_some_and(|part| part.outcome != Technical::Kept)
    });
    if !reasons.is_empty() {
        return Exit { code: 1, reasons };
    }
    if attestations == Attestations::Strict {
        let reasons = reasons_for(report, &[Status::Unattested, Status::Expired]);
        if !reasons.is_empty() {
            return Exit { code: 5, reasons };
        }
    }
    Exit {
        code: 0,
        reasons: Vec::new(),
    }
}

/// One reason a document and status: how many clauses of those that match have it.
fn reasons(report: &Report, matches: impl Fn(&ClauseVerdict) -> bool) -> Vec<String> {
    let mut reasons = Vec::new();
    for document in &report.documents {
        for outcome in [Technical::Broken, Technical::Toothless, Technical::Untested] {
            let ids: Vec<_> = document
                .clauses
                .iter()
                .filter(|verdict| verdict.clause.kind != Kind::Informational && matches(verdict))
                .filter(|v| {
                    v.technical
                        .as_ref()
                        .is_some_and(|part| part.outcome == outcome)
                })
                .map(|verdict| verdict.clause.id.to_string())
                .collect();
            if !ids.is_empty() {
                let id = document.document.id();
                let status = outcome.status();
                reasons.push(format!("{id}: {} {status}: {}", ids.len(), ids.join(" ")));
            }
        }
    }
    reasons
}

fn reasons_for(report: &Report, statuses: &[Status]) -> Vec<String> {
    let mut reasons = Vec::new();
    for document in &report.documents {
        for status in statuses {
            let with = document
                .clauses
                .iter()
                .filter(|verdict| verdict.status == *status);
            let ids: Vec<_> = with.map(|verdict| verdict.clause.id.to_string()).collect();
            if !ids.is_empty() {
                let id = document.document.id();
                reasons.push(format!("{id}: {} {status}: {}", ids.len(), ids.join(" ")));
            }
        }
    }
    reasons
}

#[cfg(test)]
mod tests {
    use covenant_core::digest::Digest;
    use policy_document::{Answered, Document, Finding, FindingCode};
    use time::macros::utc_datetime;

    use super::*;
    use crate::SubjectFactory;
    use crate::evidence::Log;
    use crate::report::{DocumentReport, Found, RunFacts, SourceState, Tree};
    use crate::testing::ModelFactory;

    /// How a run ends that found this in a document, and nothing else.
    fn ended(finding: Finding) -> Exit {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/immidb.toml");
        let policy = std::fs::read_to_string(path).unwrap();
        let at = utc_datetime!(2026-11-22 00:00);
        let report = Report {
            run: RunFacts {
                started: at,
                finished: at,
                seed: 7,
                commit: None,
                tree: Tree::Dirty,
                toolchain: "rustc".to_owned(),
                target: "test".to_owned(),
                subject: ModelFactory.info(),
            },
            evidence_sha256: Digest::of(b""),
            documents: vec![DocumentReport {
                document: Document::parse(&policy).unwrap(),
                policy_sha256: Digest::of(policy.as_bytes()),
                source_state: SourceState::Absent,
                clauses: Vec::new(),
                findings: vec![Found {
                    finding,
                    golden: None,
                }],
            }],
            exit: Exit {
                code: 0,
                reasons: Vec::new(),
            },
        };
        let outcome = Outcome {
            documents: vec![Vec::new()],
            evidence: Log::in_memory().close().unwrap(),
            not_started: None,
        };
        exit(&report, &outcome, &[], Attestations::Optional)
    }

    #[test]
    fn a_severe_finding_ends_with_3_until_it_is_answered() {
        let clause = "R-23".parse().unwrap();
        let finding = |code| Finding::new(code, [clause], [38], "no room".to_owned());
        let severe = finding(FindingCode::ContradictionAlways);
        let got = ended(severe.clone());
        assert_eq!(got.code, 3);
        let expect = "immidb: contradiction-always: R-23 (38): no room";
        assert_eq!(got.reasons, [expect]);
        let answer = Answered::Answer {
            reason: "it is meant so".to_owned(),
        };
        assert_eq!(ended(severe.with_answer(Some(answer))).code, 0);
        assert_eq!(ended(finding(FindingCode::Vague)).code, 0);
    }
}
