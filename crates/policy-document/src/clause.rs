//! One promise of a page.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::digest::Digest;
use covenant_core::{Action, ClauseId};

use crate::control::Controls;
use crate::monitor::MonitorSpec;
use crate::{Bound, Declared, Figure, Position, Token};

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$vdoc:meta])* $variant:ident = $name:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $type { $($(#[$vdoc])* $variant),* }

        impl $type {
            /// Every one, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word, as documents and reports spell it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
        impl covenant_core::LogSafe for $type {}
    };
}
pub(crate) use words;

words! {
    /// How a promise is judged.
    Kind {
        /// Enforced and proven.
        Technical = "technical",
        /// A technical part proven, the rest attested.
        Partial = "partial",
        /// Attested only.
        Organisational = "organisational",
        /// Recorded, not scored.
        Informational = "informational",
    }
}

words! {
    /// The shape of a promise.
    Modality {
        /// At least.
        Floor = "floor",
        /// At most.
        Ceiling = "ceiling",
        /// Both sides, or a count.
        Exact = "exact",
        /// In a rhythm.
        Every = "every",
        /// Not at all.
        Never = "never",
        /// Without exception.
        Always = "always",
        /// A closed list.
        Set = "set",
    }
}

/// Scenarios that prove a clause, the sabotages they must catch, and the monitors that must have
/// judged what ran.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verify {
    /// Scenarios, in the order of the document.
    pub scenarios: Vec<String>,
    /// Sabotages, in the order of the document.
    pub sabotages: Vec<String>,
    /// Monitors, in the order of the document.
    pub monitors: Vec<MonitorSpec>,
}

/// Another way to read the bound of a clause than the one in force: what the words may mean as well.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alternative {
    /// The event that starts the clock instead.
    pub from: Option<Action>,
    /// The event that must, or must not yet, have happened instead.
    pub to: Option<Action>,
    /// How the page is then read, in our own words.
    pub says: String,
}

/// A line of the source, pinned by its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct PinnedLine {
    /// The number, from 1.
    pub number: u32,
    /// SHA-256 of the line's bytes.
    pub digest: Digest,
}

/// One promise, in our own words.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Clause {
    /// Its id.
    pub id: ClauseId,
    /// Where its table stands in the document.
    pub at: Position,
    /// The lines of the source that promise it, in ascending order.
    pub lines: Vec<PinnedLine>,
    /// The promise in our own words.
    pub says: String,
    /// How it is judged.
    pub kind: Kind,
    /// Its shape; `None` only for an informational clause.
    pub modality: Option<Modality>,
    /// The crates that keep it.
    pub crates: Vec<String>,
    /// Whether its lines are a heading, so that what they claim stands under them or nowhere.
    pub heading: bool,
    /// Words of its lines that take something back, or promise without a figure.
    pub hedges: BTreeSet<Token>,
    /// What it says never happens, for the cross-checks.
    pub denies: BTreeSet<Token>,
    /// What it says happens, for the cross-checks.
    pub does: BTreeSet<Token>,
    /// Who owns what according to it, for the cross-checks.
    pub owner: BTreeMap<Token, Token>,
    /// The sites of data that it names; a closed list of them when its modality is a set.
    pub sites: BTreeSet<Token>,
    /// The vendor's terms on its lines on whose meaning the promise depends.
    pub terms: BTreeSet<Token>,
    /// Those of its lines that carry the words of `hedges`, `denies`, `does`, `owner`, `sites` and
    /// `terms`; `None` when all do.
    pub words_on: Option<BTreeSet<u32>>,
    /// The clause that it repeats.
    pub repeats: Option<ClauseId>,
    /// What a person has to attest.
    pub attests: Option<String>,
    /// The bound as the page states it.
    pub stated: Option<Bound>,
    /// The bound in force: as stated, with the declared figures filled in.
    pub bound: Option<Bound>,
    /// Other ways to read the bound, which the linter holds against the other promises.
    pub alternatives: Vec<Alternative>,
    /// The figure that is no bound in time.
    pub figure: Option<Figure>,
    /// Figures the vendor did not give. `from`, `min`, `max`, `early` and `late` are those of the
    /// bound in force.
    pub declared: BTreeMap<Token, Declared>,
    /// What proves it.
    pub verify: Verify,
    /// The controls that it serves.
    pub controls: Controls,
}

impl Clause {
    /// The numbers of its lines, ascending.
    pub fn line_numbers(&self) -> impl Iterator<Item = u32> {
        self.lines.iter().map(|line| line.number)
    }

    /// The numbers of its lines that carry the words of its cross-checks, ascending.
    pub fn word_lines(&self) -> impl Iterator<Item = u32> {
        let carries = |number: &u32| self.words_on.as_ref().is_none_or(|on| on.contains(number));
        self.line_numbers().filter(carries)
    }

    /// The declared figure of this name.
    #[must_use]
    pub fn declared(&self, name: &str) -> Option<&Declared> {
        self.declared.get(name)
    }

    /// For a floor without a period: the events that end the duty to keep.
    #[must_use]
    pub fn until(&self) -> Option<&BTreeSet<Action>> {
        let bound = self.bound.as_ref()?;
        (self.modality == Some(Modality::Floor) && bound.min.is_none()).then_some(&bound.to)
    }

    /// Whether a part of it is proven by scenarios.
    #[must_use]
    pub const fn is_proven(&self) -> bool {
        matches!(self.kind, Kind::Technical | Kind::Partial)
    }

    /// Whether a part of it is attested by a person.
    #[must_use]
    pub const fn is_attested(&self) -> bool {
        matches!(self.kind, Kind::Partial | Kind::Organisational)
    }
}
