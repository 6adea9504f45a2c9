//! The nine statuses: a pure table from what ran, what was attested and what was declared.
//!
//! Nothing here counts or averages; a clause has exactly one status, and it comes from evidence of
//! executed scenarios alone.

use std::fmt;
use std::str::FromStr;

use policy_document::Kind;

macro_rules! statuses {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),* $(,)?) => {
        /// What became of a promise.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(clippy::exhaustive_enums, reason = "the nine statuses; a tenth must break readers")]
        pub enum Status { $($(#[$doc])* $variant),* }

        impl Status {
            /// All nine, in the order of tallies.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }

        impl FromStr for Status {
            type Err = UnknownStatus;

            fn from_str(name: &str) -> Result<Self, UnknownStatus> {
                match name { $($name => Ok(Self::$variant),)* _ => Err(UnknownStatus) }
            }
        }
    };
}

statuses! {
    /// Every bound scenario passed, and each sabotage was caught.
    Kept = "kept",
    /// A scenario failed on the sound subject, or its evidence is missing or altered.
    Broken = "broken",
    /// A bound scenario is not built or did not run to its end.
    Untested = "untested",
    /// A sabotage was not caught: the scenarios prove nothing.
    Toothless = "toothless",
    /// Somebody's word is in force.
    Attested = "attested",
    /// Nobody gave their word.
    Unattested = "unattested",
    /// A word or a deviation has run out.
    Expired = "expired",
    /// Proven, in another way than the page says.
    Superseded = "superseded",
    /// Recorded, not scored.
    Informational = "informational",
}

/// A word is none of the nine statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of the nine statuses")]
pub struct UnknownStatus;

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Status {
    /// Whether this is as good as `other` or better: broken, toothless, untested, expired,
    /// unattested, attested and superseded alike, kept. An informational clause compares with
    /// nothing but itself.
    #[must_use]
    pub const fn is_at_least(self, other: Self) -> bool {
        match (self.rank(), other.rank()) {
            (Some(this), Some(that)) => this >= that,
            (None, None) => true,
            _ => false,
        }
    }

    const fn rank(self) -> Option<u8> {
        match self {
            Self::Broken => Some(0),
            Self::Toothless => Some(1),
            Self::Untested => Some(2),
            Self::Expired => Some(3),
            Self::Unattested => Some(4),
            Self::Attested | Self::Superseded => Some(5),
            Self::Kept => Some(6),
            Self::Informational => None,
        }
    }
}

/// How a bound scenario ended on the sound subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the status table covers every case"
)]
pub enum ScenarioOutcome {
    /// It ran to its end at every start, and every check held.
    Passed,
    /// A check failed, it panicked or hung, or its evidence is missing or altered.
    Failed,
    /// It is not built, the subject does not support it, or it did not run to its end.
    NotRun,
}

/// What a scenario made of a sabotaged subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the status table covers every case"
)]
pub enum SabotageOutcome {
    /// A check of the clause failed, as it must.
    Caught,
    /// No check failed, or the sabotage is not built, or the run failed for another reason.
    Missed,
    /// The chosen stores have nothing that could be sabotaged this way.
    Unsupported,
}

/// The outcome of the part of a clause that scenarios prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the status table covers every case"
)]
pub enum Technical {
    /// A scenario failed.
    Broken,
    /// A scenario did not run.
    Untested,
    /// A sabotage was not caught.
    Toothless,
    /// All of it holds, and is shown able to fail.
    Kept,
}

impl Technical {
    /// The outcome as a status.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Broken => Status::Broken,
            Self::Untested => Status::Untested,
            Self::Toothless => Status::Toothless,
            Self::Kept => Status::Kept,
        }
    }
}

/// What a person's word is worth on the day of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the status table covers every case"
)]
pub enum Attested {
    /// It is in force.
    Valid,
    /// It has run out.
    Expired,
    /// There is none.
    None,
}

impl Attested {
    /// The outcome as a status.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Valid => Status::Attested,
            Self::Expired => Status::Expired,
            Self::None => Status::Unattested,
        }
    }
}

/// Whether a stricter or reinterpreted deviation is declared, on the day of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the status table covers every case"
)]
pub enum Deviating {
    /// None is.
    No,
    /// One is in force.
    InForce,
    /// One is past its day of review.
    Expired,
}

/// Whether a scenario met a column of content that is declared plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the status table covers every case"
)]
pub enum Content {
    /// All content is sealed, or nobody looked.
    Sealed,
    /// Some is declared plain, with a reason.
    Plain,
}

/// The technical outcome, first match: broken, untested, toothless, kept.
///
/// `scenarios` has one entry for each bound scenario: how it ended, and what it made of the
/// sabotages that it was given. `sabotages` has one entry for each sabotage that the clause names:
/// what the best of its scenarios made of it. One that is unsupported does not count, if another is
/// caught.
#[must_use]
pub fn technical(
    scenarios: &[(ScenarioOutcome, Vec<SabotageOutcome>)],
    sabotages: &[SabotageOutcome],
) -> Technical {
    if scenarios
        .iter()
        .any(|(outcome, _)| *outcome == ScenarioOutcome::Failed)
    {
        return Technical::Broken;
    }
    let not_run = |(outcome, _): &(ScenarioOutcome, _)| *outcome == ScenarioOutcome::NotRun;
    if scenarios.is_empty() || scenarios.iter().any(not_run) {
        return Technical::Untested;
    }
    let caught = |outcomes: &[SabotageOutcome]| outcomes.contains(&SabotageOutcome::Caught);
    let teeth = scenarios.iter().all(|(_, outcomes)| caught(outcomes));
    let missed = sabotages.contains(&SabotageOutcome::Missed);
    let only_unsupported = !sabotages.is_empty() && !caught(sabotages);
    if !teeth || missed || only_unsupported {
        Technical::Toothless
    } else {
        Technical::Kept
    }
}

/// The status of a clause.
#[must_use]
pub fn judge(
    kind: Kind,
    technical: Technical,
    attested: Attested,
    deviating: Deviating,
    content: Content,
) -> Status {
    let proven = match (technical, deviating) {
        (Technical::Kept, Deviating::InForce) => Status::Superseded,
        (Technical::Kept, Deviating::Expired) => Status::Expired,
        (other, _) => other.status(),
    };
    match (kind, content) {
        (Kind::Technical, Content::Sealed) => proven,
        (Kind::Technical, Content::Plain) | (Kind::Partial, _) => worse(proven, attested.status()),
        (Kind::Organisational, _) => attested.status(),
        (Kind::Informational, _) => Status::Informational,
        (_, _) => Status::Untested,
    }
}

/// The first of broken, toothless, untested, expired, unattested, superseded, attested that either
/// part has.
fn worse(proven: Status, attested: Status) -> Status {
    let order = [
        Status::Broken,
        Status::Toothless,
        Status::Untested,
        Status::Expired,
        Status::Unattested,
        Status::Superseded,
    ];
    let either = |status: &Status| proven == *status || attested == *status;
    order.into_iter().find(either).unwrap_or(Status::Attested)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTCOMES: [Technical; 4] = [
        Technical::Broken,
        Technical::Untested,
        Technical::Toothless,
        Technical::Kept,
    ];
    const WORDS: [Attested; 3] = [Attested::Valid, Attested::Expired, Attested::None];
    const DEVIATIONS: [Deviating; 3] = [Deviating::No, Deviating::InForce, Deviating::Expired];

    /// The rules of the design, said again in the naive way: by elimination.
    fn naive(
        kind: Kind,
        technical: Technical,
        attested: Attested,
        deviating: Deviating,
        content: Content,
    ) -> &'static str {
        if kind == Kind::Informational {
            return "informational";
        }
        let word = match attested {
            Attested::Valid => "attested",
            Attested::Expired => "expired",
            Attested::None => "unattested",
        };
        if kind == Kind::Organisational {
            return word;
        }
        let mut proven = match technical {
            Technical::Broken => "broken",
            Technical::Untested => "untested",
            Technical::Toothless => "toothless",
            Technical::Kept => "kept",
        };
        if proven == "kept" && deviating == Deviating::InForce {
            proven = "superseded";
        }
        if proven == "kept" && deviating == Deviating::Expired {
            proven = "expired";
        }
        if kind == Kind::Technical && content == Content::Sealed {
            return proven;
        }
        let parts = [proven, word];
        for first in [
            "broken",
            "toothless",
            "untested",
            "expired",
            "unattested",
            "superseded",
            "attested",
        ] {
            if parts.contains(&first) {
                return first;
            }
        }
        "impossible"
    }

    #[test]
    fn the_table_is_that_of_the_design_in_every_cell() {
        let mut cells = 0;
        for kind in Kind::ALL {
            for technical in OUTCOMES {
                for attested in WORDS {
                    for deviating in DEVIATIONS {
                        for content in [Content::Sealed, Content::Plain] {
                            let status = judge(*kind, technical, attested, deviating, content);
                            let expect = naive(*kind, technical, attested, deviating, content);
                            assert_eq!(
                                status.name(),
                                expect,
                                "{kind:?} {technical:?} {attested:?} {deviating:?} {content:?}"
                            );
                            let unproven = *kind != Kind::Technical || content == Content::Plain;
                            assert!(!(unproven && status == Status::Kept));
                            cells += 1;
                        }
                    }
                }
            }
        }
        assert_eq!(cells, 4 * 4 * 3 * 3 * 2);
    }

    #[test]
    fn a_clause_is_kept_only_when_all_ran_and_all_was_caught() {
        use SabotageOutcome::{Caught, Missed, Unsupported};
        use ScenarioOutcome::{Failed, NotRun, Passed};
        let check = |scenarios: &[(ScenarioOutcome, Vec<SabotageOutcome>)],
                     sabotages: &[SabotageOutcome],
                     expect| {
            assert_eq!(
                technical(scenarios, sabotages),
                expect,
                "{scenarios:?} {sabotages:?}"
            );
        };
        check(&[(Passed, vec![Caught])], &[Caught], Technical::Kept);
        check(&[(Passed, vec![Caught])], &[], Technical::Kept);
        check(
            &[(Passed, vec![Caught, Unsupported])],
            &[Caught, Unsupported],
            Technical::Kept,
        );
        check(
            &[(Passed, vec![Unsupported])],
            &[Unsupported],
            Technical::Toothless,
        );
        check(&[(Passed, vec![])], &[], Technical::Toothless);
        check(
            &[(Passed, vec![Caught, Missed])],
            &[Caught, Missed],
            Technical::Toothless,
        );
        check(
            &[(Passed, vec![Caught]), (Passed, vec![Missed])],
            &[Caught],
            Technical::Toothless,
        );
        check(&[], &[Caught], Technical::Untested);
        check(&[(NotRun, vec![Caught])], &[Caught], Technical::Untested);
        check(
            &[(Passed, vec![Missed]), (NotRun, vec![])],
            &[Missed],
            Technical::Untested,
        );
        check(
            &[(NotRun, vec![]), (Failed, vec![Caught])],
            &[Caught],
            Technical::Broken,
        );
    }

    #[test]
    fn statuses_compare_as_the_golden_file_needs() {
        let chain = [
            vec![Status::Broken],
            vec![Status::Toothless],
            vec![Status::Untested],
            vec![Status::Expired],
            vec![Status::Unattested],
            vec![Status::Attested, Status::Superseded],
            vec![Status::Kept],
        ];
        for (low, worse) in chain.iter().enumerate() {
            for (high, better) in chain.iter().enumerate() {
                for (a, b) in worse
                    .iter()
                    .flat_map(|a| better.iter().map(move |b| (a, b)))
                {
                    assert_eq!(b.is_at_least(*a), high >= low, "{b} against {a}");
                }
            }
        }
        assert!(Status::Informational.is_at_least(Status::Informational));
        assert!(!Status::Kept.is_at_least(Status::Informational));
        assert!(!Status::Informational.is_at_least(Status::Broken));
    }

    #[test]
    fn every_status_has_one_name() {
        for status in Status::ALL {
            assert_eq!(status.name().parse(), Ok(*status));
        }
        assert_eq!("passed".parse::<Status>(), Err(UnknownStatus));
        assert_eq!(Status::ALL.len(), 9);
    }
}
