//! A document against others and against the law: `cross-weaker`, `stricter-than-law`.

use covenant_core::{Action, Period};

use super::{Finding, FindingCode, Linter};
use crate::{Clause, Document, Figure};

/// A deadline that the law sets.
struct Law {
    /// The article, and where its words stand.
    article: &'static str,
    /// The event that its clock runs from.
    from: Action,
    /// Events that come before that one, so that a promise from there is stricter.
    earlier: &'static [Action],
    /// The event that must have come.
    to: Action,
    /// The time that it gives.
    max: Period,
}

/// Deadlines of the law that pages promise too.
///
/// Source: Regulation (EU) 2016/679, Article 33(1), OJ L 119 of 4 May 2016: to the supervisory
/// authority not later than 72 hours after having become aware of the breach. Awareness is a
/// confirmed incident (EDPB Guidelines 9/2022, paragraph 31: a reasonable degree of certainty).
const LAWS: &[Law] = &[Law {
    article: "GDPR 33(1)",
    from: Action::IncidentConfirmed,
    earlier: &[Action::IncidentSuspected],
    to: Action::NoticeDelivered,
    max: Period::hours(72),
}];

/// Values of one scale, the weakest first.
const SCALES: &[&[&str]] = &[
    &["ssl-3.0", "tls-1.0", "tls-1.1", "tls-1.2", "tls-1.3"],
    &["aes-128", "aes-192", "aes-256"],
];

/// What a figure adds to the least value when it means that one and all above.
const OR_NEWER: &str = "-or-newer";

pub(super) fn findings(linter: &Linter<'_>) -> Vec<Finding> {
    let pairs = LAWS
        .iter()
        .flat_map(|law| linter.clauses().map(move |clause| (law, clause)));
    pairs
        .filter_map(|(law, clause)| stricter(law, clause))
        .collect()
}

/// Sooner than the law from the same event, or no later from an earlier one.
fn stricter(law: &Law, clause: &Clause) -> Option<Finding> {
    let bound = clause.bound.as_ref().filter(|b| b.to.contains(&law.to))?;
    let (promised, lawful) = (bound.max?.as_secs()?, law.max.as_secs()?);
    let earlier = bound.from.iter().find(|from| law.earlier.contains(from));
    let why = match earlier {
        Some(from) if promised <= lawful => format!("it starts at {from}"),
        None if bound.from.contains(&law.from) && promised < lawful => {
            format!("it gives {}", bound.max?)
        }
        Some(_) | None => return None,
    };
    let Law {
        article, from, max, ..
    } = law;
    let message = format!("stricter than {article}, which gives {max} from {from}: {why}");
    Some(Finding::on(FindingCode::StricterThanLaw, [clause], message))
}

/// What this document accepts although some other does not.
pub(super) fn weaker(linter: &Linter<'_>, others: &[&Document]) -> Vec<Finding> {
    let mut found = Vec::new();
    for scale in SCALES {
        let strictest = others
            .iter()
            .flat_map(|other| other.clauses().iter().map(move |clause| (*other, clause)))
            .filter_map(|(other, clause)| Some((least(scale, clause)?, other, clause)))
            .reduce(|best, next| if next.0 > best.0 { next } else { best });
        let Some((floor, other, theirs)) = strictest else {
            continue;
        };
        for clause in linter.clauses() {
            let below = ranks(scale, clause).filter(|rank| *rank < floor);
            let below: Vec<&str> = below.filter_map(|rank| scale.get(rank).copied()).collect();
            if below.is_empty() {
                continue;
            }
            let message = format!(
                "accepts {}, weaker than {}, the least of {} in {}",
                below.join(" and "),
                scale.get(floor).copied().unwrap_or_default(),
                theirs.id,
                other.id(),
            );
            let finding = Finding::on(FindingCode::CrossWeaker, [clause], message);
            found.push(finding.with_answer(linter.deviation(&[clause.id])));
        }
    }
    found
}

fn least(scale: &[&str], clause: &Clause) -> Option<usize> {
    ranks(scale, clause).min()
}

/// Places on the scale of what the figure of a clause names, ascending.
fn ranks<'c>(scale: &'c [&str], clause: &'c Clause) -> impl Iterator<Item = usize> {
    let names = |value: &str| match &clause.figure {
        Some(Figure::OneOf(words) | Figure::Fields(words)) => words.contains(value),
        Some(Figure::Text(word)) => {
            let word = word.as_str();
            word.strip_suffix(OR_NEWER).unwrap_or(word) == value
        }
        Some(Figure::Count(_) | Figure::Ratio { .. }) | None => false,
    };
    let all = scale.iter().enumerate();
    all.filter(move |(_, value)| names(value))
        .map(|(rank, _)| rank)
}
