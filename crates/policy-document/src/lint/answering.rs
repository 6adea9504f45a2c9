//! What may answer a finding: a deviation in force, a declared figure, a term, an `[[answer]]`.

use covenant_core::ClauseId;
use covenant_core::network::Calendar;
use time::Date;

use super::{Answered, Finding};
use crate::{Answer, Clause, Declared, Document};

/// A document on the day on which it is linted.
#[derive(Debug)]
pub(crate) struct Linter<'d> {
    /// The document.
    pub(crate) document: &'d Document,
    /// The day, in UTC.
    pub(crate) today: Date,
    /// What is known of periods so far.
    pub(crate) calendar: Calendar,
}

impl<'d> Linter<'d> {
    /// The clauses of the document.
    pub(crate) fn clauses(&self) -> impl Iterator<Item = &'d Clause> + Clone + use<'d> {
        self.document.clauses().iter()
    }

    /// The first deviation in force on one of these clauses.
    pub(crate) fn deviation(&self, clauses: &[ClauseId]) -> Option<Answered> {
        let mut all = self.document.deviations().iter();
        let found = all.find(|d| clauses.contains(&d.clause) && d.in_force(self.today))?;
        Some(Answered::Deviation {
            clause: found.clause,
            class: found.class,
        })
    }

    /// The first figure that one of these clauses declares and that is meant.
    pub(crate) fn declared_where(
        &self,
        clauses: &[ClauseId],
        is_meant: impl Fn(&str, &Declared) -> bool,
    ) -> Option<Answered> {
        let concerned = self.clauses().filter(|c| clauses.contains(&c.id));
        let mut figures = concerned.flat_map(|clause| {
            let declared = clause.declared.iter();
            declared.map(move |(name, figure)| (clause.id, name, figure))
        });
        let (clause, name, figure) =
            figures.find(|(_, name, figure)| is_meant(name.as_str(), figure))?;
        Some(Answered::Declared {
            clause,
            name: name.clone(),
            value: figure.value.clone(),
        })
    }

    /// What the document means by a word.
    pub(crate) fn term(&self, word: &str) -> Option<Answered> {
        let (word, means) = self.document.terms().get_key_value(word)?;
        Some(Answered::Term {
            word: word.clone(),
            means: means.clone(),
        })
    }
}

impl Answer {
    /// Whether it is about this finding: its code, and exactly its clauses.
    #[must_use]
    pub fn answers(&self, finding: &Finding) -> bool {
        self.finding == finding.code && self.clauses.iter().eq(finding.clauses.iter())
    }
}

/// Lets the answers of the document answer, and puts the findings in order: by code, then lines,
/// then clauses.
pub(super) fn settle(document: &Document, findings: &mut [Finding]) {
    for finding in findings.iter_mut() {
        let mut answers = document.answers().iter();
        if let Some(answer) = answers.find(|answer| answer.answers(finding)) {
            let reason = answer.reason.clone();
            finding.answered_by = Some(Answered::Answer { reason });
        }
    }
    findings.sort_by(|one, other| {
        let key = |f: &Finding| (f.code, f.lines.clone(), f.clauses.clone());
        let order = key(one).cmp(&key(other));
        order.then_with(|| one.message.cmp(&other.message))
    });
}
