//! Promises in force for which a document is refused: `key-before-floor`, `key-past-ceiling`, and
//! those that contradict each other or have no width. Such a document does not load, so that its
//! linter never runs; its mistakes are told as findings from here.

use super::{Finding, FindingCode};
use crate::{DocumentError, ErrorKind};

/// A mistake that promises in force cannot all be kept, as a finding without lines.
pub(super) fn refused(error: &DocumentError) -> Option<Finding> {
    let code = match (error.kind, error.witness) {
        (ErrorKind::Infeasible, None) => FindingCode::ContradictionAlways,
        (ErrorKind::Infeasible, Some(_)) => FindingCode::ContradictionSomeDates,
        (ErrorKind::KeyBeforeFloor, _) => FindingCode::KeyBeforeFloor,
        (ErrorKind::KeyPastCeiling, _) => FindingCode::KeyPastCeiling,
        (ErrorKind::ZeroWidth, _) => FindingCode::ZeroWidth,
        _ => return None,
    };
    let clauses = error.clauses.iter().copied();
    let finding = Finding::new(code, clauses, [], error.to_string());
    Some(match error.witness {
        Some(date) => finding.with_witness(date),
        None => finding,
    })
}
