//! Clauses that nothing binds: `unbound`. Names of no table: `unknown-control`, `unknown-event`.

use super::{Finding, FindingCode, Linter, keys};
use crate::{DocumentError, ErrorKind};

/// Clauses with a technical part that name no scenario or no sabotage at all.
pub(super) fn findings(linter: &Linter<'_>) -> Vec<Finding> {
    let proven = linter.clauses().filter(|clause| clause.is_proven());
    let unbound = proven.filter_map(|clause| {
        let scenarios = !clause.verify.scenarios.is_empty();
        let sabotages = !clause.verify.sabotages.is_empty();
        let missing = match (scenarios, sabotages) {
            (true, true) => return None,
            (true, false) => "no sabotage",
            (false, true) => "no scenario",
            (false, false) => "no scenario and no sabotage",
        };
        let message = format!("a {} clause names {missing}", clause.kind);
        Some(Finding::on(FindingCode::Unbound, [clause], message))
    });
    unbound.collect()
}

impl Finding {
    /// A mistake of a document that did not load, as a finding: a control or an event that no
    /// table has, promises in force that cannot all be kept. `None` for any other mistake.
    #[must_use]
    pub fn of_error(error: &DocumentError) -> Option<Self> {
        let code = match error.kind {
            ErrorKind::UnknownControl => FindingCode::UnknownControl,
            ErrorKind::UnknownEvent => FindingCode::UnknownEvent,
            _ => return keys::refused(error),
        };
        Some(Self::new(code, [], [], error.to_string()))
    }
}
