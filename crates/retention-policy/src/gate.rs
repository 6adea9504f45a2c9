//! The restore gate, without I/O: what a restored copy must go through before anybody may read it,
//! in the only order. The log is proven first, the schema is brought up to date, holds are taken
//! over before anything is removed, every item gets its last state, erasures run again, everything
//! is judged as of now, and the bytes are looked for.

use covenant_core::HoldId;
use time::UtcDateTime;

use crate::ledger::{DatabaseFate, Entry, ItemFate, LedgerError, ReplayPlan, replay};
use crate::{HoldView, Item, Moment, Retention};

/// What comes next for a restored copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a restore must take every step")]
pub enum GateStep {
    /// Bring the schema up to date: later steps name columns that may not exist yet.
    Migrate,
    /// Take over what happened to holds.
    TakeHolds,
    /// Bin, bring back and purge, each item to its last state.
    ReplayItems,
    /// Run every erasure again.
    RunErasures,
    /// Judge everything as of now, and dispose of what must go; see [`overdue`].
    Evaluate,
    /// Look for the probes of everything that was removed.
    Scan,
    /// Nothing is left: the copy may be read, and the report is written.
    Open,
}

/// How old the schema of a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth case")]
pub enum SchemaAge {
    /// Older than today's: it is migrated first.
    Older,
    /// Today's.
    Same,
    /// Newer than this program knows.
    Newer,
}

/// A copy may not be opened at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateRefused {
    /// The log cannot prove that it is current, or cannot be read.
    #[error("the log does not prove what happened since the copy was taken")]
    Ledger(#[from] LedgerError),
    /// The database was deleted since, and nobody ordered it back.
    #[error("the database was deleted at {at}, and nobody ordered it back since")]
    Deleted {
        /// When.
        at: UtcDateTime,
    },
    /// What the log says of a hold contradicts itself.
    #[error("what the log says of hold {0} contradicts itself")]
    Hold(HoldId),
    /// The copy was made by a newer program.
    #[error("the copy was made by a newer program")]
    Newer,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a step is done or it is not")]
pub enum GateOutcome {
    /// Done, and durable: how many items, holds, erasures it was about.
    Done(u64),
    /// Not done, or something was still found: the copy stays shut, and the step is tried again.
    Failed,
}

/// The report was for another step than the next one; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a restored copy goes through every step in order")]
pub struct GateOrder;

/// What a restore did, step by step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GateReport {
    /// Entries of the log that were replayed.
    pub entries: u64,
    /// Holds that were taken over.
    pub holds: u64,
    /// Items that were binned, brought back or purged.
    pub items: u64,
    /// Erasures that ran again.
    pub erasures: u64,
    /// Items that went because they were due by now.
    pub disposed: u64,
    /// Bytes that were scanned.
    pub scanned_bytes: u64,
}

/// A restored copy on its way to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreGate {
    replay: ReplayPlan,
    next: GateStep,
    report: GateReport,
}

impl RestoreGate {
    /// Begins with what the ledger answered for the head that the copy stores and the newest heads
    /// known anywhere.
    ///
    /// # Errors
    /// [`GateRefused`]: the copy stays shut for good, or until the log is whole.
    // clause: P-51, P-52, P-58
    pub fn begin(
        entries: Result<Vec<Entry>, LedgerError>,
        schema: SchemaAge,
    ) -> Result<Self, GateRefused> {
        let entries = entries?;
        let replay = replay(&entries);
        if let Some(DatabaseFate::Deleted { at }) = replay.database {
            return Err(GateRefused::Deleted { at });
        }
        if let Some(damaged) = replay.holds.damaged.first() {
            return Err(GateRefused::Hold(*damaged));
        }
        let next = match schema {
            SchemaAge::Older => GateStep::Migrate,
            SchemaAge::Same => GateStep::TakeHolds,
            SchemaAge::Newer => return Err(GateRefused::Newer),
        };
        let report = GateReport {
            entries: u64::try_from(entries.len()).unwrap_or(u64::MAX),
            ..GateReport::default()
        };
        Ok(Self {
            replay,
            next,
            report,
        })
    }

    /// Records how a step went.
    ///
    /// # Errors
    /// [`GateOrder`] for another step than the next one.
    pub fn observe(&mut self, step: GateStep, outcome: GateOutcome) -> Result<(), GateOrder> {
        if step != self.next || step == GateStep::Open {
            return Err(GateOrder);
        }
        let GateOutcome::Done(count) = outcome else {
            return Ok(());
        };
        let report = &mut self.report;
        self.next = match step {
            GateStep::Migrate => GateStep::TakeHolds,
            GateStep::TakeHolds => {
                report.holds = count;
                GateStep::ReplayItems
            }
            GateStep::ReplayItems => {
                report.items = count;
                GateStep::RunErasures
            }
            GateStep::RunErasures => {
                report.erasures = count;
                GateStep::Evaluate
            }
            GateStep::Evaluate => {
                report.disposed = count;
                GateStep::Scan
            }
            GateStep::Scan | GateStep::Open => {
                report.scanned_bytes = count;
                GateStep::Open
            }
        };
        Ok(())
    }

    /// What comes next.
    #[must_use]
    pub const fn next(&self) -> GateStep {
        self.next
    }

    /// What is to be replayed.
    #[must_use]
    pub const fn replay(&self) -> &ReplayPlan {
        &self.replay
    }

    /// What was done; `None` while the copy is shut.
    #[must_use]
    pub fn report(&self) -> Option<&GateReport> {
        (self.next == GateStep::Open).then_some(&self.report)
    }
}

impl ItemFate {
    /// Whether a normal read may see the item.
    #[must_use]
    pub const fn is_readable(self) -> bool {
        matches!(self, Self::Live)
    }
}

/// Positions of the items of a copy that go now: judged as of now, whatever was due when the copy
/// was taken.
#[must_use]
pub fn overdue(
    rules: &dyn Retention,
    items: &[Item<'_>],
    holds: &HoldView,
    now: UtcDateTime,
) -> Vec<usize> {
    let items = items.iter().enumerate();
    items
        .filter(|(_, item)| rules.evaluate(item, holds, &Moment::at(now)).disposes())
        .map(|(at, _)| at)
        .collect()
}
