//! One item's way out, without I/O: which step is next, and what follows from how it went. Each
//! step is durable before the next, idempotent, and can be resumed by any worker from the journal.
#![deny(clippy::arithmetic_side_effects)]

use covenant_core::{ItemId, OrderId, TenantId, canon};

use crate::{ClassId, InvertedProbe, Probe, StoreName};

/// Most stores of one item: as many as a rule set may have.
const STORES_MAX: usize = crate::STORES_MAX;
/// Most probes of one item: one for each sealed value, a bound of ours.
pub(crate) const PROBES_MAX: usize = 65_536;
/// Flushes before bytes that are still there raise an alarm: the first, and one more.
const FLUSHES_MAX: u8 = 2;

/// What to do next for an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// One transaction: tombstone, event, and the journal row with the probes.
    Record,
    /// Delete the item from the store; already gone is good.
    Delete {
        /// The store.
        store: StoreName,
    },
    /// Remove the bytes that deletion leaves in files.
    Flush,
    /// Prove that the item is gone from the store: read-back, and scan for the probes.
    Verify {
        /// The store.
        store: StoreName,
    },
    /// Bytes are still there after every flush: alarm, no certificate, a person decides.
    Blocked {
        /// The store.
        store: StoreName,
    },
    /// Nothing is left to do.
    Done,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StepOutcome {
    /// Done, and durable.
    Done,
    /// There was nothing to delete; verified like any other.
    Absent,
    /// Verification found bytes.
    StillPresent {
        /// Where in the file the first was found.
        offset: u64,
    },
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

/// Journal bytes are not those of a disposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal row is not that of a disposal")]
pub struct JournalError;

/// One item's disposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disposal {
    order: OrderId,
    tenant: TenantId,
    class: ClassId,
    item: ItemId,
    /// Derived copies first, the origin last.
    stores: Vec<StoreName>,
    probes: Vec<InvertedProbe>,
    stage: Stage,
    flushes: u8,
}

/// How far it is; the figures count stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    New,
    Deleting(u8),
    Flushing,
    Verifying(u8),
    Blocked(u8),
    Done,
}

impl Disposal {
    /// The disposal of an item from these stores, derived copies first and the origin last; a store
    /// that is named twice is deleted from once. `None` without a store, or with more than 64
    /// stores or 65,536 probes.
    #[must_use]
    pub fn new(
        order: OrderId,
        tenant: TenantId,
        class: ClassId,
        item: ItemId,
        stores: &[StoreName],
        probes: &[Probe],
    ) -> Option<Self> {
        let mut distinct: Vec<StoreName> = Vec::new();
        for store in stores {
            if !distinct.contains(store) {
                distinct.push(store.clone());
            }
        }
        if distinct.is_empty() || distinct.len() > STORES_MAX || probes.len() > PROBES_MAX {
            return None;
        }
        let probes = probes.iter().map(Probe::invert).collect();
        Some(Self {
            order,
            tenant,
            class,
            item,
            stores: distinct,
            probes,
            stage: Stage::New,
            flushes: 0,
        })
    }

    /// Takes up a disposal from its journal row.
    ///
    /// # Errors
    /// [`JournalError`] for bytes that [`Disposal::journal`] did not write.
    pub fn resume(journal: &[u8]) -> Result<Self, JournalError> {
        let disposal = decode(journal).or(Err(JournalError))??;
        if disposal.journal() == journal {
            Ok(disposal)
        } else {
            Err(JournalError)
        }
    }

    /// Records how a step went. A step that was done before may be reported again.
    ///
    /// # Errors
    /// [`ProtocolError`]; nothing changed.
    // clause: P-52
    pub fn observe(&mut self, step: &Step, outcome: StepOutcome) -> Result<(), ProtocolError> {
        let fits = match step {
            Step::Record | Step::Flush => {
                matches!(outcome, StepOutcome::Done | StepOutcome::Failed)
            }
            Step::Delete { .. } => !matches!(outcome, StepOutcome::StillPresent { .. }),
            Step::Verify { .. } => !matches!(outcome, StepOutcome::Absent),
            Step::Blocked { .. } | Step::Done => false,
        };
        if !fits {
            return Err(ProtocolError::Outcome);
        }
        if *step != self.next() {
            return if self.is_past(step) {
                Ok(())
            } else {
                Err(ProtocolError::OutOfOrder)
            };
        }
        if outcome == StepOutcome::Failed {
            return Ok(());
        }
        let stores = u8::try_from(self.stores.len()).unwrap_or(u8::MAX);
        let found = matches!(outcome, StepOutcome::StillPresent { .. });
        self.stage = match self.stage {
            Stage::New => Stage::Deleting(0),
            Stage::Deleting(at) if at.saturating_add(1) < stores => {
                Stage::Deleting(at.saturating_add(1))
            }
            Stage::Deleting(_) => Stage::Flushing,
            Stage::Flushing => {
                self.flushes = self.flushes.saturating_add(1);
                Stage::Verifying(0)
            }
            Stage::Verifying(at) if found && self.flushes >= FLUSHES_MAX => Stage::Blocked(at),
            Stage::Verifying(_) if found => Stage::Flushing,
            Stage::Verifying(at) if at.saturating_add(1) < stores => {
                Stage::Verifying(at.saturating_add(1))
            }
            Stage::Verifying(_) => Stage::Done,
            stage @ (Stage::Blocked(_) | Stage::Done) => stage,
        };
        Ok(())
    }

    /// A person looked at a blocked disposal: it flushes and verifies anew. Otherwise nothing
    /// changes.
    pub fn unblock(&mut self) {
        if matches!(self.stage, Stage::Blocked(_)) {
            self.stage = Stage::Flushing;
            self.flushes = 0;
        }
    }

    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Step {
        let store = |at: u8| self.stores.get(usize::from(at)).cloned();
        let step = match self.stage {
            Stage::New => Some(Step::Record),
            Stage::Deleting(at) => store(at).map(|store| Step::Delete { store }),
            Stage::Flushing => Some(Step::Flush),
            Stage::Verifying(at) => store(at).map(|store| Step::Verify { store }),
            Stage::Blocked(at) => store(at).map(|store| Step::Blocked { store }),
            Stage::Done => Some(Step::Done),
        };
        // INVARIANT: a stage counts below the number of stores, in `observe` and in `decode`.
        step.unwrap_or(Step::Record)
    }

    /// The order.
    #[must_use]
    pub const fn order(&self) -> OrderId {
        self.order
    }

    /// Whose item.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The item's class.
    #[must_use]
    pub const fn class(&self) -> &ClassId {
        &self.class
    }

    /// The item.
    #[must_use]
    pub const fn item(&self) -> &ItemId {
        &self.item
    }

    /// The stores, in the order of deletion.
    #[must_use]
    pub fn stores(&self) -> &[StoreName] {
        &self.stores
    }

    /// What to scan for.
    #[must_use]
    pub fn probes(&self) -> Vec<Probe> {
        self.probes.iter().map(InvertedProbe::revert).collect()
    }

    /// The journal row, version 0: `FORMAT.md`, "Journal row". It holds the probes inverted only.
    #[must_use]
    pub fn journal(&self) -> Vec<u8> {
        let Self {
            order,
            tenant,
            class,
            item,
            stores,
            probes,
            stage,
            flushes,
        } = self;
        let mut w = canon::Writer::new();
        w.text("covenant/disposal/v0")
            .fixed(order.as_bytes())
            .fixed(tenant.as_bytes())
            .text(class.as_str())
            .bytes(item.as_bytes());
        w.u32(u32::try_from(stores.len()).unwrap_or(u32::MAX));
        for store in stores {
            w.text(store.as_str());
        }
        w.u32(u32::try_from(probes.len()).unwrap_or(u32::MAX));
        for probe in probes {
            w.fixed(probe.as_bytes());
        }
        let (stage, at) = match *stage {
            Stage::New => (0, 0),
            Stage::Deleting(at) => (1, at),
            Stage::Flushing => (2, 0),
            Stage::Verifying(at) => (3, at),
            Stage::Blocked(at) => (4, at),
            Stage::Done => (5, 0),
        };
        w.u8(stage).u8(at).u8(*flushes);
        w.finish()
    }

    /// Whether the step lies behind.
    fn is_past(&self, step: &Step) -> bool {
        let place = |store: &StoreName| {
            let at = self.stores.iter().position(|known| known == store)?;
            u8::try_from(at).ok()
        };
        let of = match step {
            Step::Record => Some(Stage::New),
            Step::Delete { store } => place(store).map(Stage::Deleting),
            Step::Flush => Some(Stage::Flushing),
            Step::Verify { store } => place(store).map(Stage::Verifying),
            Step::Blocked { .. } | Step::Done => None,
        };
        of.is_some_and(|of| of < self.stage)
    }
}

fn decode(journal: &[u8]) -> Result<Result<Disposal, JournalError>, canon::CanonError> {
    let mut r = canon::Reader::new(journal);
    if r.text(64)? != "covenant/disposal/v0" {
        return Ok(Err(JournalError));
    }
    let order = OrderId::from_bytes(r.array()?);
    let tenant = TenantId::from_bytes(r.array()?);
    let class = r.text(crate::NAME_LEN_BYTES_MAX)?.parse();
    let item = ItemId::try_from(r.bytes(64)?);
    let mut stores = Vec::new();
    for _ in 0..r.u32()? {
        let Ok(store) = r.text(crate::NAME_LEN_BYTES_MAX)?.parse::<StoreName>() else {
            return Ok(Err(JournalError));
        };
        if stores.len() >= STORES_MAX || stores.contains(&store) {
            return Ok(Err(JournalError));
        }
        stores.push(store);
    }
    let mut probes = Vec::new();
    for _ in 0..r.u32()? {
        if probes.len() >= PROBES_MAX {
            return Ok(Err(JournalError));
        }
        probes.push(InvertedProbe::from_bytes(r.array()?));
    }
    let (stage, at, flushes) = (r.u8()?, r.u8()?, r.u8()?);
    r.end()?;
    let stage = match stage {
        0 => Stage::New,
        1 => Stage::Deleting(at),
        2 => Stage::Flushing,
        3 => Stage::Verifying(at),
        4 => Stage::Blocked(at),
        5 => Stage::Done,
        _ => return Ok(Err(JournalError)),
    };
    let (Ok(class), Ok(item)) = (class, item) else {
        return Ok(Err(JournalError));
    };
    // as `observe` counts: a flush is begun below the maximum, and verified once one was made
    let reached = match stage {
        Stage::New | Stage::Deleting(_) => flushes == 0,
        Stage::Flushing => flushes < FLUSHES_MAX,
        Stage::Verifying(_) | Stage::Done => (1..=FLUSHES_MAX).contains(&flushes),
        Stage::Blocked(_) => flushes == FLUSHES_MAX,
    };
    if usize::from(at) >= stores.len() || !reached {
        return Ok(Err(JournalError));
    }
    Ok(Ok(Disposal {
        order,
        tenant,
        class,
        item,
        stores,
        probes,
        stage,
        flushes,
    }))
}
