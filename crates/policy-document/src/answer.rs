//! An answer to a finding: why it may stand.

use std::collections::BTreeSet;

use covenant_core::ClauseId;

use crate::{FindingCode, Position};

/// Somebody's reason why a finding of the linter about exactly these clauses may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The code of the finding.
    pub finding: FindingCode,
    /// Where its table stands.
    pub at: Position,
    /// The clauses of the finding, all of them and no other; empty for one about none.
    pub clauses: BTreeSet<ClauseId>,
    /// Why it may stand.
    pub reason: String,
}
