//! `covenant policy verify-log`: the promises' monitors on production history. The same code judges
//! the simulation and the tests.

mod told;

use std::path::PathBuf;

use covenant_core::note::Vkey;
use policy_document::Judgement;
use policy_document::monitor::{MonitorSet, Undecided, Violation, Watched};
use time::UtcDateTime;

use super::history::{self, Bundle, Lines, Log, Told};
use super::instant;
use crate::input;
use crate::output::{FALSE, Failure, GOOD, Report};
use crate::progress::Progress;

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyLog {
    /// Exported events, one JSON object a line, in order of time; several logs are merged.
    #[arg(value_name = "LOG", required_unless_present_any = ["events", "bundles"])]
    logs: Vec<PathBuf>,
    /// The same as LOG.
    #[arg(long, value_name = "FILE")]
    events: Vec<PathBuf>,
    /// A log as a folder of C2SP tlog-tiles files; checked before it is judged.
    #[arg(long = "audit-bundle", value_name = "FOLDER", requires = "keys")]
    bundles: Vec<PathBuf>,
    /// The verifier key of an audit bundle's log, NAME+HASH+KEY; may be given several times.
    #[arg(long = "key", value_name = "VKEY")]
    keys: Vec<String>,
    /// The policy file.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Tells only of violations from here on; what happened before is known all the same.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    from: Option<UtcDateTime>,
    /// Judges as of this instant; the last event's where it is not given.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    until: Option<UtcDateTime>,
}

/// What became of the cases of a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// A case failed.
    Violated,
    /// A gap may hide what would have decided a case.
    Gap,
    /// Cases are open, and none is decided yet.
    Pending,
    /// Nothing of it happened.
    Unseen,
    /// Every decided case held.
    Held,
}

impl State {
    const ALL: [Self; 5] = [
        Self::Violated,
        Self::Gap,
        Self::Pending,
        Self::Unseen,
        Self::Held,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Violated => "violated",
            Self::Gap => "pending over a gap",
            Self::Pending => "pending",
            Self::Unseen => "unseen",
            Self::Held => "held",
        }
    }

    fn of(watched: &Watched) -> Self {
        match &watched.judgement {
            Judgement::Violated(_) => Self::Violated,
            Judgement::Pending(open) if open.iter().any(|o| o.why != Undecided::End) => Self::Gap,
            Judgement::Pending(_) if watched.cases == 0 => Self::Pending,
            Judgement::Pending(_) | Judgement::Satisfied { .. } => Self::Held,
            _ => Self::Unseen,
        }
    }
}

/// What is told.
struct Answer {
    document: String,
    logs: Vec<String>,
    told: Told,
    from: Option<UtcDateTime>,
    until: Option<UtcDateTime>,
    watched: Vec<Watched>,
}

impl VerifyLog {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let document = input::document(&self.policy)?;
        if let (Some(from), Some(until)) = (self.from, self.until)
            && until < from
        {
            return Err(Failure::usage("--until is before --from"));
        }
        let keys = keys(&self.keys)?;
        let mut logs = Vec::new();
        let mut names = Vec::new();
        for path in self.logs.iter().chain(&self.events) {
            let log = Log::Lines(Lines::open(path)?);
            names.push(log.name());
            logs.push(log);
        }
        for folder in &self.bundles {
            let bundle = Bundle::open(folder, &keys)?;
            let (origin, head) = (bundle.checkpoint().origin(), bundle.checkpoint().head());
            let what = format!("authentic, {} entries of {origin}", head.size);
            let log = Log::Bundle(bundle);
            names.push(format!("{}: {what}", log.name()));
            logs.push(log);
        }
        let mut monitors = MonitorSet::new(document.monitors());
        let progress = Progress::counting("judging");
        let told = history::feed(logs, self.until, &mut monitors, &progress)?;
        drop(progress);
        let until = self.until.or(told.last);
        let mut watched = until.map_or_else(Vec::new, |until| monitors.close(until));
        for one in &mut watched {
            since(one, self.from);
        }
        watched.sort_by_key(State::of);
        let answer = Answer {
            document: document.id().to_string(),
            logs: names,
            told,
            from: self.from,
            until,
            watched,
        };
        Ok(answer.report())
    }
}

fn keys(texts: &[String]) -> Result<Vec<Vkey>, Failure> {
    let key = |(at, text): (usize, &String)| {
        let parsed = text.parse();
        parsed.map_err(|error| Failure::usage(format!("key {}: {error}", at.saturating_add(1))))
    };
    texts.iter().enumerate().map(key).collect()
}

/// Leaves violations before `from` out.
fn since(watched: &mut Watched, from: Option<UtcDateTime>) {
    let Some(from) = from else { return };
    let Judgement::Violated(violations) = &mut watched.judgement else {
        return;
    };
    violations.retain(|violation: &Violation| violation.at >= from);
    if violations.is_empty() {
        watched.judgement = Judgement::Satisfied {
            cases: watched.cases,
            worst: watched.worst,
        };
    }
}

impl Answer {
    /// A log is good when something held, nothing was violated, and nothing is missing.
    fn code(&self) -> u8 {
        let is = |state: State| {
            self.watched
                .iter()
                .any(|watched| State::of(watched) == state)
        };
        if is(State::Violated) || !is(State::Held) || !self.told.gaps.is_empty() {
            FALSE
        } else {
            GOOD
        }
    }

    fn report(&self) -> Report {
        let code = self.code();
        Report {
            code,
            text: self.text(),
            json: self.object(code),
        }
    }
}
