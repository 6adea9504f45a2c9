//! `covenant policy`: what a policy file says. Exit codes of its own: 0 good, 1 finding, 2 usage,
//! 3 document invalid.

mod bless;
mod check;
mod diff;
mod explain;
mod history;
mod lock;
mod matrix;
mod new;
mod residency;
mod schema;
mod simulate;
mod verify_log;

use covenant_core::{Clock as _, SystemClock};
use time::format_description::well_known::{Iso8601, Rfc3339};
use time::{Date, Time, UtcDateTime};

use crate::output::{Failure, Report};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Policy {
    /// Writes the lock file of a policy file, once nothing is left to review.
    Bless(bless::Bless),
    /// Parses a policy file, lints it, and compares page and lock file with it.
    Check(check::Check),
    /// Says of every promise whether a later version is stricter, weaker or another.
    Diff(diff::Diff),
    /// Shows all that is known about a promise.
    Explain(explain::Explain),
    /// Shows which clauses serve which control.
    Matrix(matrix::Matrix),
    /// Begins a policy file: every line of the page, still to do.
    New(new::New),
    /// Derives how long data stays in each store.
    Residency(residency::Residency),
    /// Prints the JSON Schema of a policy file, lock file, report or line of evidence.
    Schema(schema::Schema),
    /// Shows what happens when, as the promises say, without any store.
    Simulate(simulate::Simulate),
    /// Judges a production log by the promises.
    VerifyLog(verify_log::VerifyLog),
}

impl Policy {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        match self {
            Self::Bless(bless) => bless.run(),
            Self::Check(check) => check.run(),
            Self::Diff(diff) => diff.run(),
            Self::Explain(explain) => explain.run(),
            Self::Matrix(matrix) => matrix.run(),
            Self::New(new) => new.run(),
            Self::Residency(residency) => residency.run(),
            Self::Schema(schema) => schema.run(),
            Self::Simulate(simulate) => simulate.run(),
            Self::VerifyLog(verify) => verify.run(),
        }
    }
}

/// The day on which reviews and attestations are judged.
#[derive(Debug, clap::Args)]
struct Day {
    /// Judges on this day, in UTC, instead of today.
    #[arg(long = "on", value_name = "YYYY-MM-DD", value_parser = date)]
    day: Option<Date>,
}

impl Day {
    fn get(&self) -> Date {
        self.day.unwrap_or_else(|| Self::now().date())
    }

    /// The present instant.
    fn now() -> UtcDateTime {
        SystemClock::new().now()
    }
}

fn date(text: &str) -> Result<Date, &'static str> {
    let usual = text.len() == "2026-01-31".len();
    let parsed = Date::parse(text, &Iso8601::DATE);
    parsed
        .ok()
        .filter(|_| usual)
        .ok_or("a day is written as 2026-01-31")
}

/// A day, at its first instant in UTC, or an instant.
fn instant(text: &str) -> Result<UtcDateTime, &'static str> {
    if let Ok(day) = date(text) {
        return Ok(UtcDateTime::new(day, Time::MIDNIGHT));
    }
    let parsed = UtcDateTime::parse(text, &Rfc3339);
    parsed.or(Err(
        "an instant is written as 2026-01-31 or 2026-01-31T12:00:00Z",
    ))
}

/// An instant as it is printed, to the second.
fn shown(at: UtcDateTime) -> String {
    let (date, time) = (at.date(), at.time());
    format!(
        "{date}T{:02}:{:02}:{:02}Z",
        time.hour(),
        time.minute(),
        time.second()
    )
}
