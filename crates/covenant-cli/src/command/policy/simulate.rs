//! `covenant policy simulate`: what happens when, as the promises say, without any store.

use std::path::PathBuf;

use policy_document::{Lifecycle, Milestone};
use serde_json::{Value, json};
use time::UtcDateTime;

use super::{Day, instant, shown};
use crate::input;
use crate::output::{Failure, GOOD, Report, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct Simulate {
    /// The policy file.
    file: PathBuf,
    /// When the first event of each course happens: 2026-01-31 or 2026-01-31T12:00:00Z; now where it
    /// is not given.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    from: Option<UtcDateTime>,
    /// Shows nothing that is due later.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    until: Option<UtcDateTime>,
    /// Only this course, such as record, trial, database, contract; may be given several times.
    #[arg(long = "course", value_name = "COURSE", value_parser = course)]
    courses: Vec<Lifecycle>,
}

fn course(text: &str) -> Result<Lifecycle, String> {
    let mut all = Lifecycle::ALL.iter().copied();
    all.find(|course| course.name() == text).ok_or_else(|| {
        let names: Vec<_> = Lifecycle::ALL.iter().map(|course| course.name()).collect();
        format!("the courses are {}", names.join(", "))
    })
}

impl Simulate {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let document = input::document(&self.file)?;
        let from = self.from.unwrap_or_else(Day::now);
        if self.until.is_some_and(|until| until < from) {
            return Err(Failure::usage("--until is before --from"));
        }
        let within = |milestone: &Milestone| {
            let due = milestone.earliest.or(milestone.latest);
            due.is_none_or(|due| self.until.is_none_or(|until| due <= until))
        };
        let mut text = Table::default();
        text.row(
            "document",
            &format!("{}, {}", document.id(), document.vendor()),
        );
        text.row("from", &shown(from));
        if let Some(until) = self.until {
            text.row("until", &shown(until));
        }
        let mut courses = Vec::new();
        for course in Lifecycle::ALL {
            if !self.courses.is_empty() && !self.courses.contains(course) {
                continue;
            }
            let mut milestones = document.timeline(*course, from);
            let all = milestones.len();
            milestones.retain(within);
            if all == 0 {
                continue;
            }
            text.gap();
            text.line(course.name());
            for milestone in &milestones {
                text.line(&format!("  {}", line(milestone)));
            }
            let later = all.saturating_sub(milestones.len());
            if later > 0 {
                text.line(&format!("  {later} more after that"));
            }
            courses.push(json!({
                "course": course.name(),
                "milestones": milestones.iter().map(object).collect::<Vec<_>>(),
                "later": later,
            }));
        }
        if courses.is_empty() {
            text.row("timeline", "no promise is about such a course");
        }
        Ok(Report {
            code: GOOD,
            text,
            json: json!({
                "id": document.id().as_str(),
                "from": shown(from),
                "until": self.until.map(shown),
                "courses": courses,
                "exit": GOOD,
            }),
        })
    }
}

/// Width of the longest span of instants, and of the longest event.
const TIMES_WIDTH: usize = 44;
const MARK_WIDTH: usize = 28;

fn line(milestone: &Milestone) -> String {
    let times = match (milestone.earliest, milestone.latest) {
        (Some(earliest), Some(latest)) if earliest == latest => shown(latest),
        (Some(earliest), Some(latest)) => format!("{} to {}", shown(earliest), shown(latest)),
        (Some(earliest), None) => format!("{} or later", shown(earliest)),
        (None, Some(latest)) => format!("by {}", shown(latest)),
        (None, None) => "at any time".to_owned(),
    };
    let clauses: Vec<_> = milestone.clauses.iter().map(ToString::to_string).collect();
    let mark = milestone.mark.to_string();
    let line = format!(
        "{times:<TIMES_WIDTH$}  {mark:<MARK_WIDTH$}  {}",
        clauses.join(", ")
    );
    line.trim_end().to_owned()
}

fn object(milestone: &Milestone) -> Value {
    json!({
        "what": milestone.mark.to_string(),
        "earliest": milestone.earliest.map(shown),
        "latest": milestone.latest.map(shown),
        "clauses": milestone.clauses.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
