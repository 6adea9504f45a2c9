//! `covenant retention`: what must be kept, what must be gone by when, and why. Nothing here needs a
//! database. Exit codes: 0 good, 1 finding (rules that cannot hold, items overdue or in conflict),
//! 2 usage or bad input.

mod check;
mod explain;
mod residency;
mod rules;
mod schema;
mod simulate;

use time::UtcDateTime;
use time::format_description::well_known::Rfc3339;

use crate::output::{Failure, Report};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Retention {
    /// Checks a rule file or a policy file: gaps, contradictions with their first date, keys.
    Check(check::Check),
    /// Says what becomes of an item at an instant, and which rules say so.
    Explain(explain::Explain),
    /// Derives how long each class stays in each store.
    Residency(residency::Residency),
    /// Prints the JSON Schema of a rule file.
    Schema(schema::Schema),
    /// Shows what goes when over a span of time, counted by day.
    Simulate(simulate::Simulate),
}

impl Retention {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        match self {
            Self::Check(check) => check.run(),
            Self::Explain(explain) => explain.run(),
            Self::Residency(residency) => residency.run(),
            Self::Schema(schema) => schema.run(),
            Self::Simulate(simulate) => simulate.run(),
        }
    }
}

/// An instant, written as RFC 3339.
fn instant(text: &str) -> Result<UtcDateTime, String> {
    let at = time::OffsetDateTime::parse(text, &Rfc3339);
    let at = at.ok().and_then(time::OffsetDateTime::checked_to_utc);
    at.ok_or_else(|| "an instant is written 2026-11-22T10:00:00Z".to_owned())
}

/// The same back; years that have no such form as seconds since 1970.
fn shown(at: UtcDateTime) -> String {
    let text = at.to_offset(time::UtcOffset::UTC).format(&Rfc3339);
    text.unwrap_or_else(|_| at.unix_timestamp().to_string())
}
