//! How a run ends: the first exit code that applies, with its reasons.

use policy_document::Kind;

use super::Attestations;
use crate::report::{Exit, Report};
use crate::runner::Outcome;
use crate::status::{Status, Technical};
use crate::verdict::ClauseVerdict;

/// The first code that applies: 4 when the subject did not start, 3 for these reasons not to accept
/// the document, 1 when a technical part is not kept, 5 when attestations count, 0 otherwise.
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
    if !unacceptable.is_empty() {
        return Exit {
            code: 3,
            reasons: unacceptable.to_vec(),
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
