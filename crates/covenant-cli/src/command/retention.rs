//! `covenant retention`: what must be kept, what must be gone by when, and why; and its removal from
//! a store whose views say what its rows are. Exit codes: 0 good, 1 finding (rules that cannot hold,
//! items overdue or in conflict, bytes still present), 2 usage or bad input, 3 store unreachable,
//! 4 refused (limit, hash moved, hold, a clock in doubt, a ledger behind the store).

mod apply;
mod check;
mod clock;
mod due;
mod explain;
mod hold;
mod init;
mod own;
mod plan;
mod residency;
mod rules;
mod schema;
mod simulate;
mod store;

use std::time::Duration;

use retention_policy::Slack;
use time::UtcDateTime;
use time::format_description::well_known::Rfc3339;

use crate::output::{Failure, Report};

/// How long before a deadline its sweep starts: one hour, as often as sweeps run.
const SWEEP: Slack = Slack {
    batch: Duration::from_secs(3_600),
    ..Slack::NONE
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Retention {
    /// Carries an approved plan out: deletes, flushes, looks, and says what was done.
    Apply(apply::Apply),
    /// Checks a rule file or a policy file: gaps, contradictions with their first date, keys.
    Check(check::Check),
    /// Lists what must start soon, and whether it can all be done in time.
    Due(due::Due),
    /// Says what becomes of an item at an instant, and which rules and holds say so.
    Explain(explain::Explain),
    /// Places, extends, releases and lists holds.
    #[command(subcommand)]
    Hold(hold::Hold),
    /// Makes the ledger, and the tables of holds and orders beside the rows.
    Init(init::Init),
    /// Collects what goes now, as a file whose hash a person approves.
    Plan(plan::Plan),
    /// Derives how long each class stays in each store.
    Residency(residency::Residency),
    /// Shows, checks, sets and removes the rules that a tenant of a deployment set for itself.
    #[command(subcommand)]
    Rules(own::Own),
    /// Prints the JSON Schema of a rule file.
    Schema(schema::Schema),
    /// Shows what goes when over a span of time, counted by day.
    Simulate(simulate::Simulate),
}

impl Retention {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        match self {
            Self::Apply(apply) => apply.run(),
            Self::Check(check) => check.run(),
            Self::Due(due) => due.run(),
            Self::Explain(explain) => explain.run(),
            Self::Hold(hold) => hold.run(),
            Self::Init(init) => init.run(),
            Self::Plan(plan) => plan.run(),
            Self::Residency(residency) => residency.run(),
            Self::Rules(own) => own.run(),
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
