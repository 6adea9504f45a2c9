//! The lock file: which figures and which lines stood in a document when it was last reviewed.
//!
//! The digest of a line says that the page changed. The lock says that a figure changed although
//! the page did not, that a digest was written anew without anybody reading the line, and that a
//! promise is gone.

mod codec;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use covenant_core::ClauseId;
use covenant_core::digest::Digest;
use time::Date;

use crate::{Bound, Clause, Document, Figure, Finding, FindingCode, Name, Per, Review};

pub use codec::LockError;

/// The format of a lock file, as its `format` key says.
pub const LOCK_FORMAT: &str = "covenant/policy-lock/v1";
/// Longest lock file in bytes: four times the longest document, whose keys it spells out.
pub const LOCK_LEN_BYTES_MAX: usize = 4 << 20;

/// What a document said when it was last reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    document: Name,
    source: Digest,
    blessed: Date,
    clauses: BTreeMap<ClauseId, Locked>,
    reviews: BTreeSet<Reviewed>,
}

/// One clause as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Locked {
    lines: BTreeMap<u32, Digest>,
    figures: BTreeMap<String, String>,
}

/// A review, without its place in the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Reviewed {
    clause: ClauseId,
    on: Date,
    by: String,
    change: String,
}

impl From<&Review> for Reviewed {
    fn from(review: &Review) -> Self {
        Self {
            clause: review.clause,
            on: review.on,
            by: review.by.clone(),
            change: review.change.clone(),
        }
    }
}

/// What changed since the lock was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockChange {
    /// The clause is new.
    Added,
    /// A figure is another one, and the lines are the same.
    Figure {
        /// Which: `bound.max`, `declared.cap`, `kind`.
        name: String,
        /// What it was; `None` when there was none.
        before: Option<String>,
        /// What it is; `None` when there is none.
        after: Option<String>,
    },
    /// The clause has other lines, or the bytes of one are others.
    Line,
    /// The clause is gone.
    Removed,
    /// The review is about a clause that is neither in the document nor in the lock.
    Stray,
}

/// A clause that is not as it was reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockDifference {
    /// The clause.
    pub clause: ClauseId,
    /// Its lines in the document; those of the lock for a clause that is gone.
    pub lines: Vec<u32>,
    /// What changed.
    pub change: LockChange,
    /// The review that was written since, if there is one.
    pub review: Option<Review>,
}

impl LockDifference {
    /// Whether it may not stand: nobody reviewed it, and it is no mere addition.
    #[must_use]
    pub fn is_unreviewed(&self) -> bool {
        self.review.is_none() && self.change != LockChange::Added
    }
}

impl fmt::Display for LockDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clause = self.clause;
        match &self.change {
            LockChange::Added => write!(f, "{clause} is new"),
            LockChange::Figure {
                name,
                before,
                after,
            } => {
                let none = "none";
                let (before, after) = (before.as_deref(), after.as_deref());
                let (before, after) = (before.unwrap_or(none), after.unwrap_or(none));
                write!(f, "{clause}: {name} was {before} and is {after}")
            }
            LockChange::Line => write!(f, "{clause}: its lines are others"),
            LockChange::Removed => write!(f, "{clause} is gone"),
            LockChange::Stray => write!(f, "{clause}: a review of a clause that never was"),
        }?;
        match &self.review {
            Some(review) => write!(f, ", reviewed on {} by {}", review.on, review.by),
            None => Ok(()),
        }
    }
}

impl Lock {
    /// The lock of a document as it is on this day.
    #[must_use]
    pub fn of(document: &Document, today: Date) -> Self {
        let locked = |clause: &Clause| {
            let lines = clause.lines.iter().map(|line| (line.number, line.digest));
            let lines = lines.collect();
            let figures = figures(clause);
            (clause.id, Locked { lines, figures })
        };
        Self {
            document: document.id().clone(),
            source: *document.sha256(),
            blessed: today,
            clauses: document.clauses().iter().map(locked).collect(),
            reviews: document.reviews().iter().map(Reviewed::from).collect(),
        }
    }

    /// Reads a lock file.
    ///
    /// # Errors
    /// [`LockError`] for anything that [`Lock::encode`] would not have written.
    pub fn decode(bytes: &[u8]) -> Result<Self, LockError> {
        codec::decode(bytes)
    }

    /// The text of the lock file; the same lock gives the same bytes.
    #[must_use]
    pub fn encode(&self) -> String {
        codec::encode(self)
    }

    /// The id of the document that it locks.
    #[must_use]
    pub const fn document(&self) -> &Name {
        &self.document
    }

    /// The day on which it was written.
    #[must_use]
    pub const fn blessed(&self) -> Date {
        self.blessed
    }

    /// What is not as it was, by clause; empty when nothing changed. A review counts for a change
    /// when it was written after the lock.
    // clause: P-67
    #[must_use]
    pub fn compare(&self, document: &Document) -> Vec<LockDifference> {
        let fresh = document.reviews().iter();
        let fresh = fresh.filter(|review| !self.reviews.contains(&Reviewed::from(*review)));
        let mut reviews: BTreeMap<ClauseId, Review> = BTreeMap::new();
        for review in fresh {
            reviews.insert(review.clause, review.clone());
        }
        let now = Self::of(document, self.blessed);
        let ids = self.clauses.keys().chain(now.clauses.keys());
        let ids: BTreeSet<ClauseId> = ids.chain(reviews.keys()).copied().collect();
        let mut found = Vec::new();
        for clause in ids {
            let (before, after) = (self.clauses.get(&clause), now.clauses.get(&clause));
            let lines = after.or(before).map(|locked| locked.lines.keys().copied());
            let lines: Vec<u32> = lines.into_iter().flatten().collect();
            let review = reviews.get(&clause);
            found.extend(
                changes(before, after)
                    .into_iter()
                    .map(|change| LockDifference {
                        clause,
                        lines: lines.clone(),
                        review: review.filter(|_| change != LockChange::Stray).cloned(),
                        change,
                    }),
            );
        }
        found
    }
}

/// What nobody reviewed, as findings: a line that changed is one, a figure that changed although its
/// lines did not is another. Additions are none.
// clause: P-67
#[must_use]
pub fn lock_findings(differences: &[LockDifference]) -> Vec<Finding> {
    let other_lines = |clause: ClauseId| {
        let mut all = differences.iter();
        all.any(|d| d.clause == clause && d.change == LockChange::Line)
    };
    let finding = |difference: &LockDifference| {
        let code = match &difference.change {
            LockChange::Added => return None,
            LockChange::Figure { .. } if other_lines(difference.clause) => return None,
            LockChange::Line => FindingCode::Drift,
            LockChange::Figure { .. } | LockChange::Removed | LockChange::Stray => {
                FindingCode::FigureChanged
            }
        };
        let message = format!("{difference}, and no review says why");
        let lines = difference.lines.iter().copied();
        Some(Finding::new(code, [difference.clause], lines, message))
    };
    let unreviewed = differences.iter().filter(|d| d.is_unreviewed());
    unreviewed.filter_map(finding).collect()
}

fn changes(before: Option<&Locked>, after: Option<&Locked>) -> Vec<LockChange> {
    let (before, after) = match (before, after) {
        (None, None) => return vec![LockChange::Stray],
        (None, Some(_)) => return vec![LockChange::Added],
        (Some(_), None) => return vec![LockChange::Removed],
        (Some(before), Some(after)) => (before, after),
    };
    // the numbers may shift: what was reviewed are the bytes, in their order
    let mut changes = Vec::new();
    if !before.lines.values().eq(after.lines.values()) {
        changes.push(LockChange::Line);
    }
    let names = before.figures.keys().chain(after.figures.keys());
    let names: BTreeSet<&String> = names.collect();
    for name in names {
        let (was, is) = (before.figures.get(name), after.figures.get(name));
        if was != is {
            changes.push(LockChange::Figure {
                name: name.clone(),
                before: was.cloned(),
                after: is.cloned(),
            });
        }
    }
    changes
}

/// Every figure of a clause by its name, as text: what must not change unseen. Empty lists, zero
/// tolerances and figures that are not there have no entry.
pub(crate) fn figures(clause: &Clause) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut put = |name: &str, value: String| {
        if !value.is_empty() {
            found.insert(name.to_owned(), value);
        }
    };
    put("kind", clause.kind.name().to_owned());
    put(
        "modality",
        clause.modality.map_or("", |m| m.name()).to_owned(),
    );
    if let Some(bound) = &clause.bound {
        let Bound {
            from,
            to,
            state,
            of,
            min,
            max,
            per,
            early,
            late,
            waived_by,
        } = bound;
        put("bound.from", joined(from));
        put("bound.to", joined(to));
        put(
            "bound.state",
            joined(state.iter().map(|state| state.name())),
        );
        put("bound.of", joined(of));
        put("bound.min", joined(min));
        put("bound.max", joined(max));
        put(
            "bound.per",
            joined(per.iter().map(|per| match per {
                Per::CivilNight => "civil-night",
            })),
        );
        put(
            "bound.early",
            joined(Some(early).filter(|early| !early.is_zero())),
        );
        put(
            "bound.late",
            joined(Some(late).filter(|late| !late.is_zero())),
        );
        put("bound.waived_by", joined(waived_by));
    }
    if let Some(figure) = &clause.figure {
        let name = match figure {
            Figure::Count(_) => "figure.count",
            Figure::Fields(_) => "figure.fields",
            Figure::OneOf(_) => "figure.one_of",
            Figure::Ratio { .. } => "figure.ratio",
            Figure::Text(_) => "figure.text",
        };
        put(name, figure.to_string());
    }
    put("sites", joined(&clause.sites));
    let of_bound = ["from", "min", "max", "early", "late"];
    for (name, declared) in &clause.declared {
        if clause.bound.is_none() || !of_bound.contains(&name.as_str()) {
            put(&format!("declared.{name}"), declared.value.to_string());
        }
    }
    found
}

fn joined<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    let all: Vec<_> = all.into_iter().map(|one| one.to_string()).collect();
    all.join(" | ")
}
