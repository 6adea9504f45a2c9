//! Time and bytes: `stale`, `drift`.

use covenant_core::{DayRule, MonthRule, Period, Reading, Zone};
use time::{Time, UtcDateTime};

use super::{Finding, FindingCode, Linter};
use crate::{Figure, LineState, SourceReport};

/// After this time a page is stale.
const FRESH: Period = Period::months(36);

/// A page whose own date of revision is more than three years before today. The finding is on the
/// clause whose figure is that date.
pub(super) fn findings(linter: &Linter<'_>) -> Vec<Finding> {
    let Some(published) = linter.document.published() else {
        return Vec::new();
    };
    let reading = Reading::exact(Zone::UTC, DayRule::Elapsed, MonthRule::ClampEnd);
    let start = UtcDateTime::new(published, Time::MIDNIGHT);
    let fresh = FRESH.resolve(start, &reading);
    if fresh.is_ok_and(|window| linter.today <= window.latest.date()) {
        return Vec::new();
    }
    let date = published.to_string();
    let carries = |figure: &Option<Figure>| match figure {
        Some(Figure::Text(word)) => word.as_str() == date,
        _ => false,
    };
    let clauses = linter.clauses().filter(|clause| carries(&clause.figure));
    let clauses: Vec<_> = clauses.collect();
    let message = format!("dated {date}, more than three years ago");
    vec![Finding::on(FindingCode::Stale, clauses, message)]
}

impl SourceReport {
    /// Every line that is not as it was reviewed, as a finding with the clauses it serves.
    #[must_use]
    pub fn drift(&self) -> Vec<Finding> {
        let finding = |line: &crate::LineReport| {
            let what = match line.state {
                LineState::Drifted => "the line is not the one that was reviewed",
                LineState::Missing => "the page ends before the line",
                LineState::Uncovered => "the line serves no clause and no ignore",
                LineState::Matched => return None,
            };
            let clauses = line.clauses.iter().copied();
            let lines = [line.number];
            Some(Finding::new(
                FindingCode::Drift,
                clauses,
                lines,
                what.to_owned(),
            ))
        };
        self.lines.iter().filter_map(finding).collect()
    }
}
