//! One item's way out, without I/O: which step is next, and what follows from how it went. Each
//! step is durable before the next, idempotent, and can be resumed by any worker from the journal;
//! a hold stops every step that cannot be taken back.
#![deny(clippy::arithmetic_side_effects)]

use covenant_core::{ItemId, KeyId, OrderId, TenantId};
use time::UtcDateTime;

use crate::part::{KeyLine, KeyState};
use crate::{ClassId, DisposalTarget, InvertedProbe, Probe, StoreName};

mod journal;

pub use journal::JournalError;

/// Most stores of one item: as many as a rule set may have.
const STORES_MAX: usize = crate::STORES_MAX;
/// Most probes of one item: one for each sealed value, a bound of ours.
pub(crate) const PROBES_MAX: usize = 65_536;
/// Most people that one item is about: a bound of ours.
const SUBJECTS_MAX: usize = 1_024;
/// Flushes before bytes that are still there raise an alarm: the first, and one more.
const FLUSHES_MAX: u8 = 2;

/// What to do next for an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// One transaction: hold check, tombstone, event, and the journal row with the probes.
    Record,
    /// Delete the item from the store; already gone is good. Asks the holds first.
    Delete {
        /// The store.
        store: StoreName,
    },
    /// Plan the destruction of the key that the item owns. Asks the holds first.
    PlanKey,
    /// Remove the bytes that deletion leaves in files. Asks the holds first.
    Flush,
    /// Prove that the item is gone from the store: read-back, and scan for the probes.
    Verify {
        /// The store.
        store: StoreName,
    },
    /// Hand over this crate's part of the certificate, with its event.
    Certify,
    /// Bytes are still there after every flush: alarm, no certificate, a person decides.
    Blocked {
        /// The store.
        store: StoreName,
    },
    /// Nothing is left to do.
    Done,
}

impl Step {
    /// Whether the step destroys something, so that the holds are asked right before it.
    #[must_use]
    pub const fn asks_holds(&self) -> bool {
        match self {
            Self::Record | Self::Delete { .. } | Self::PlanKey | Self::Flush => true,
            Self::Verify { .. } | Self::Certify | Self::Blocked { .. } | Self::Done => false,
        }
    }
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StepOutcome {
    /// Done, and durable.
    Done,
    /// There was nothing to delete; verified like any other.
    Absent,
    /// The key has its day, or is destroyed.
    KeyPlanned {
        /// The key.
        key: KeyId,
        /// How far it is.
        state: KeyState,
        /// When nothing opens it any more.
        at: UtcDateTime,
    },
    /// Verification found nothing.
    Verified {
        /// Bytes that were scanned; `None` where only a read-back was possible.
        scanned_bytes: Option<u64>,
        /// When.
        at: UtcDateTime,
    },
    /// Verification found bytes.
    StillPresent {
        /// Where in the file the first was found.
        offset: u64,
    },
    /// A hold forbids it: nothing was done, and it is tried again once the hold has ended.
    Held,
    /// The store refuses to delete, as a locked bucket does; tried again, and told meanwhile.
    Refused,
    /// It failed or its answer was lost; nothing changes, and the step is tried again.
    Failed,
}

/// A report does not fit the state of the disposal; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The step is not the next one and was not done before.
    #[error("the step is not due yet")]
    OutOfOrder,
    /// The step cannot end like this.
    #[error("the step cannot have this outcome")]
    Outcome,
}

/// Whether the item owns a key, as a tenant, a person or a vault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "it does or it does not")]
pub enum OwnsKey {
    /// It does not: no key goes with it.
    No,
    /// It does: its destruction is planned before the flush.
    Yes,
}

/// One item's disposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disposal {
    order: OrderId,
    target: DisposalTarget,
    /// Derived copies first, the origin last.
    lines: Vec<Line>,
    probes: Vec<InvertedProbe>,
    key: Key,
    stage: Stage,
    flushes: u8,
}

/// How far one store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) store: StoreName,
    pub(crate) removed: Removed,
    pub(crate) verified: Option<Verified>,
}

/// What became of the item in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removed {
    Not,
    Refused,
    Done,
    Absent,
}

impl Removed {
    const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Absent)
    }
}

/// What verification of a store said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) scanned_bytes: Option<u64>,
    pub(crate) at: UtcDateTime,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    None,
    Owed,
    Planned(KeyLine),
}

/// How far it is; the figures count stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    New,
    Deleting(u8),
    PlanningKey,
    Flushing,
    Verifying(u8),
    Blocked(u8),
    Certifying,
    Done,
}

impl Disposal {
    /// The disposal of an item from these stores, derived copies first and the origin last; a store
    /// that is named twice is deleted from once. `None` without a store, or with more than 64
    /// stores, 65,536 probes or 1,024 people that the item is about.
    #[must_use]
    pub fn new(
        order: OrderId,
        target: DisposalTarget,
        stores: &[StoreName],
        probes: &[Probe],
        key: OwnsKey,
    ) -> Option<Self> {
        let mut lines: Vec<Line> = Vec::new();
        for store in stores {
            if !lines.iter().any(|line| line.store == *store) {
                lines.push(Line {
                    store: store.clone(),
                    removed: Removed::Not,
                    verified: None,
                });
            }
        }
        let subjects = target.subjects.as_ref().map_or(0, Vec::len);
        let fits = !lines.is_empty()
            && lines.len() <= STORES_MAX
            && probes.len() <= PROBES_MAX
            && subjects <= SUBJECTS_MAX;
        fits.then(|| Self {
            order,
            target: journal::rounded(target),
            lines,
            probes: probes.iter().map(Probe::invert).collect(),
            key: match key {
                OwnsKey::No => Key::None,
                OwnsKey::Yes => Key::Owed,
            },
            stage: Stage::New,
            flushes: 0,
        })
    }

    /// Takes up a disposal from its journal row.
    ///
    /// # Errors
    /// [`JournalError`] for bytes that [`Disposal::journal`] did not write.
    pub fn resume(journal: &[u8]) -> Result<Self, JournalError> {
        let disposal = journal::decode(journal).ok_or(JournalError)?;
        if disposal.is_reachable() && disposal.journal() == journal {
            Ok(disposal)
        } else {
            Err(JournalError)
        }
    }

    /// Records how a step went. A step that was done before may be reported again.
    ///
    /// # Errors
    /// [`ProtocolError`]; nothing changed.
    // clause: P-47, P-52
    pub fn observe(&mut self, step: &Step, outcome: StepOutcome) -> Result<(), ProtocolError> {
        if !fits(step, outcome) {
            return Err(ProtocolError::Outcome);
        }
        if *step != self.next() {
            return if self.is_past(step) {
                Ok(())
            } else {
                Err(ProtocolError::OutOfOrder)
            };
        }
        self.stage = match (self.stage, outcome) {
            (stage, StepOutcome::Failed | StepOutcome::Held) => stage,
            (Stage::Deleting(at), StepOutcome::Refused) => {
                self.mark(at, Removed::Refused);
                Stage::Deleting(at)
            }
            (Stage::New, _) => Stage::Deleting(0),
            (Stage::Deleting(at), outcome) => {
                self.mark(
                    at,
                    match outcome {
                        StepOutcome::Absent => Removed::Absent,
                        _ => Removed::Done,
                    },
                );
                match self.after(at) {
                    Some(next) => Stage::Deleting(next),
                    None if self.key == Key::Owed => Stage::PlanningKey,
                    None => Stage::Flushing,
                }
            }
            (Stage::PlanningKey, StepOutcome::KeyPlanned { key, state, at }) => {
                let at = journal::micros_only(at);
                self.key = Key::Planned(KeyLine { key, state, at });
                Stage::Flushing
            }
            (Stage::Flushing, _) => {
                self.flushes = self.flushes.saturating_add(1);
                Stage::Verifying(0)
            }
            (Stage::Verifying(at), StepOutcome::StillPresent { .. }) => {
                if self.flushes >= FLUSHES_MAX {
                    Stage::Blocked(at)
                } else {
                    self.unverify();
                    Stage::Flushing
                }
            }
            (
                Stage::Verifying(at),
                StepOutcome::Verified {
                    scanned_bytes,
                    at: when,
                },
            ) => {
                let at_line = self.lines.get_mut(usize::from(at));
                if let Some(line) = at_line {
                    line.verified = Some(Verified {
                        scanned_bytes,
                        at: journal::micros_only(when),
                    });
                }
                self.after(at).map_or(Stage::Certifying, Stage::Verifying)
            }
            (Stage::Certifying, _) => Stage::Done,
            (stage, _) => stage,
        };
        Ok(())
    }

    /// A person looked at a blocked disposal: it flushes and verifies anew. Otherwise nothing
    /// changes.
    pub fn unblock(&mut self) {
        if matches!(self.stage, Stage::Blocked(_)) {
            self.unverify();
            self.stage = Stage::Flushing;
            self.flushes = 0;
        }
    }

    fn mark(&mut self, at: u8, removed: Removed) {
        if let Some(line) = self.lines.get_mut(usize::from(at)) {
            line.removed = removed;
        }
    }

    fn unverify(&mut self) {
        for line in &mut self.lines {
            line.verified = None;
        }
    }

    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Step {
        let store = |at: u8| {
            let line = self.lines.get(usize::from(at));
            line.map(|line| line.store.clone())
        };
        let step = match self.stage {
            Stage::New => Some(Step::Record),
            Stage::Deleting(at) => store(at).map(|store| Step::Delete { store }),
            Stage::PlanningKey => Some(Step::PlanKey),
            Stage::Flushing => Some(Step::Flush),
            Stage::Verifying(at) => store(at).map(|store| Step::Verify { store }),
            Stage::Blocked(at) => store(at).map(|store| Step::Blocked { store }),
            Stage::Certifying => Some(Step::Certify),
            Stage::Done => Some(Step::Done),
        };
        // INVARIANT: a stage counts below the number of stores, in `observe` and `is_reachable`.
        step.unwrap_or(Step::Record)
    }

    /// The order.
    #[must_use]
    pub const fn order(&self) -> OrderId {
        self.order
    }

    /// What is disposed of.
    #[must_use]
    pub const fn target(&self) -> &DisposalTarget {
        &self.target
    }

    /// Whose item.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.target.tenant
    }

    /// The item's class.
    #[must_use]
    pub const fn class(&self) -> &ClassId {
        &self.target.class
    }

    /// The item.
    #[must_use]
    pub const fn item(&self) -> &ItemId {
        &self.target.id
    }

    /// The stores, in the order of deletion.
    #[must_use]
    pub fn stores(&self) -> Vec<StoreName> {
        self.lines.iter().map(|line| line.store.clone()).collect()
    }

    /// What to scan for.
    #[must_use]
    pub fn probes(&self) -> Vec<Probe> {
        self.probes.iter().map(InvertedProbe::revert).collect()
    }

    /// The key that goes with the item, once its destruction is planned.
    #[must_use]
    pub const fn key(&self) -> Option<&KeyLine> {
        match &self.key {
            Key::Planned(line) => Some(line),
            Key::None | Key::Owed => None,
        }
    }

    /// When the last of its stores was verified; `None` while one is not.
    #[must_use]
    pub fn verified_at(&self) -> Option<UtcDateTime> {
        let mut latest = None;
        for line in &self.lines {
            latest = latest.max(Some(line.verified?.at));
        }
        latest
    }

    /// The journal row, version 1: `FORMAT.md`, "Journal row". It holds the probes inverted only.
    #[must_use]
    pub fn journal(&self) -> Vec<u8> {
        journal::encode(self)
    }

    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The next store after this one.
    fn after(&self, at: u8) -> Option<u8> {
        let next = at.checked_add(1)?;
        (usize::from(next) < self.lines.len()).then_some(next)
    }

    /// Whether the step lies behind.
    fn is_past(&self, step: &Step) -> bool {
        let place = |store: &StoreName| {
            let at = self.lines.iter().position(|line| line.store == *store)?;
            u8::try_from(at).ok()
        };
        let of = match step {
            Step::Record => Some(Stage::New),
            Step::Delete { store } => place(store).map(Stage::Deleting),
            Step::PlanKey => Some(Stage::PlanningKey).filter(|_| self.key != Key::None),
            Step::Flush => Some(Stage::Flushing),
            Step::Verify { store } => place(store).map(Stage::Verifying),
            Step::Certify => Some(Stage::Certifying),
            Step::Blocked { .. } | Step::Done => None,
        };
        of.is_some_and(|of| of < self.stage)
    }

    /// Whether steps lead to this state from the start.
    fn is_reachable(&self) -> bool {
        let count = self.lines.len();
        let removed = |at: u8| {
            let at = usize::from(at);
            let fits = |(n, line): (usize, &Line)| match line.removed {
                Removed::Not => n >= at,
                Removed::Refused => n == at,
                Removed::Done | Removed::Absent => n < at,
            };
            at < count && self.lines.iter().enumerate().all(fits)
        };
        let all_removed = self.lines.iter().all(|line| line.removed.is_over());
        let verified = |upto: usize| {
            let mut lines = self.lines.iter().enumerate();
            lines.all(|(n, line)| line.verified.is_some() == (n < upto))
        };
        let flushed = (1..=FLUSHES_MAX).contains(&self.flushes);
        let key_free = self.key != Key::Owed;
        let key_untouched = !matches!(self.key, Key::Planned(_));
        match self.stage {
            Stage::New => {
                self.lines.iter().all(|line| line.removed == Removed::Not)
                    && verified(0)
                    && key_untouched
                    && self.flushes == 0
            }
            Stage::Deleting(at) => removed(at) && verified(0) && key_untouched && self.flushes == 0,
            Stage::PlanningKey => {
                all_removed && verified(0) && self.key == Key::Owed && self.flushes == 0
            }
            Stage::Flushing => all_removed && verified(0) && key_free && self.flushes < FLUSHES_MAX,
            Stage::Verifying(at) => {
                let at = usize::from(at);
                all_removed && at < count && verified(at) && key_free && flushed
            }
            Stage::Blocked(at) => {
                let at = usize::from(at);
                let flushed = self.flushes == FLUSHES_MAX;
                all_removed && at < count && verified(at) && key_free && flushed
            }
            Stage::Certifying | Stage::Done => {
                all_removed && verified(count) && key_free && flushed
            }
        }
    }
}

/// Whether the step can end like this.
const fn fits(step: &Step, outcome: StepOutcome) -> bool {
    use StepOutcome::{Absent, Done, Failed, Held, KeyPlanned, Refused, StillPresent, Verified};
    match step {
        Step::Record | Step::Flush => matches!(outcome, Done | Held | Failed),
        Step::Delete { .. } => matches!(outcome, Done | Absent | Held | Refused | Failed),
        Step::PlanKey => matches!(outcome, KeyPlanned { .. } | Held | Failed),
        Step::Verify { .. } => {
            matches!(outcome, Verified { .. } | StillPresent { .. } | Failed)
        }
        Step::Certify => matches!(outcome, Done | Failed),
        Step::Blocked { .. } | Step::Done => false,
    }
}
