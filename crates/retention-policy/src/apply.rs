//! Who carries disposals out: one disposer for each store, and a flush for the files under it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use covenant_core::{BoxFuture, ItemId, TenantId};

use crate::{ClassId, Disposal, Probe, ProtocolError, Step, StepOutcome, StoreName};

/// What a store can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Delete an item.
    Delete,
    /// Clear fields of an item that stays.
    ClearFields,
    /// Destroy the key that seals an item.
    DestroyKey,
    /// List and delete earlier versions of an item.
    Versions,
    /// Scan the raw bytes under the store; it is also flushed.
    RawScan,
}

/// What is disposed of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DisposalTarget {
    /// Whose item.
    pub tenant: TenantId,
    /// Its class.
    pub class: ClassId,
    /// Its id.
    pub id: ItemId,
}

/// Whether an item is gone from a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "an item is there or it is not")]
pub enum Absence {
    /// Nothing was found.
    Absent {
        /// Bytes scanned; `None` where only a read-back is possible.
        scanned_bytes: Option<u64>,
    },
    /// Something was found.
    StillPresent {
        /// Where in its file the first byte was.
        offset: u64,
    },
}

/// A step was not carried out; it can be tried again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DisposeError {
    /// No disposer is wired for the store.
    #[error("no disposer for store {0}")]
    Unwired(StoreName),
    /// The store is not available, is full, or failed.
    #[error("the store is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The report of the step did not fit the disposal.
    #[error("the disposal does not accept the step")]
    Protocol(#[from] ProtocolError),
}

/// Removes items from one store.
///
/// # Contract
/// `perform` is idempotent and durable when it returns: a step that was done before is done again
/// or reported [`StepOutcome::Absent`]. [`Step::Record`] goes to the origin, which is the last store
/// of a disposal; [`Step::Flush`] to every store that can scan its raw bytes. `verify` looks for the
/// item in every way the store has (read, list, versions, raw bytes), and reports what it finds.
///
/// # Errors
/// [`DisposeError`]; nothing is known then, and the step is tried again.
pub trait Disposer: Debug + Send + Sync {
    /// The store.
    fn store(&self) -> &StoreName;
    /// What it can do.
    fn capabilities(&self) -> &[Capability];
    /// Carries out a step.
    fn perform<'a>(
        &'a self,
        step: &'a Step,
        target: &'a DisposalTarget,
        probes: &'a [Probe],
    ) -> BoxFuture<'a, Result<StepOutcome, DisposeError>>;
    /// Looks whether the item is gone.
    fn verify<'a>(
        &'a self,
        target: &'a DisposalTarget,
        probes: &'a [Probe],
    ) -> BoxFuture<'a, Result<Absence, DisposeError>>;
}

/// Files were rewritten without what was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushed {
    /// Size of the file afterwards, in bytes.
    pub bytes: u64,
}

/// Files were not rewritten.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlushError {
    /// Somebody reads or writes: old bytes are still there. Try again when nobody does.
    #[error("the file is in use, old bytes are still in it")]
    Busy,
    /// There is no room to rewrite the file.
    #[error("no room to rewrite the file")]
    Full,
    /// The file cannot be opened, or the database failed.
    #[error("the file cannot be flushed")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Removes from a database's files the bytes that deletion leaves behind.
///
/// # Contract
/// After `flush` returned, none of the database's files holds a byte of a row that was deleted and
/// committed before the call. The caller sees to it that nobody reads or writes meanwhile.
///
/// # Errors
/// [`FlushError`]; bytes may then be left.
pub trait Flush: Debug + Send + Sync {
    /// Flushes the database at this place: the file of SQLite, the data directory of PostgreSQL.
    fn flush<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Flushed, FlushError>>;
}

/// The disposers of all stores.
pub type Disposers<'a> = BTreeMap<StoreName, &'a dyn Disposer>;

/// Carries out the next step of the disposal and records how it went; the caller then stores
/// [`Disposal::journal`] before it calls again. Does nothing when the disposal is done or blocked.
///
/// # Errors
/// [`DisposeError`]; the disposal is then as before.
pub async fn step(
    disposal: &mut Disposal,
    disposers: &Disposers<'_>,
) -> Result<StepOutcome, DisposeError> {
    let step = disposal.next();
    let target = DisposalTarget {
        tenant: disposal.tenant(),
        class: disposal.class().clone(),
        id: disposal.item().clone(),
    };
    let probes = disposal.probes();
    let wired = |store: &StoreName| {
        disposers
            .get(store)
            .copied()
            .ok_or_else(|| DisposeError::Unwired(store.clone()))
    };
    let outcome = match &step {
        Step::Record => {
            let mut outcome = StepOutcome::Done;
            if let Some(origin) = disposal.stores().last() {
                outcome = wired(origin)?.perform(&step, &target, &probes).await?;
            }
            outcome
        }
        Step::Delete { store } => wired(store)?.perform(&step, &target, &probes).await?,
        Step::Flush => {
            let mut outcome = StepOutcome::Done;
            for store in disposal.stores() {
                let disposer = wired(store)?;
                if disposer.capabilities().contains(&Capability::RawScan) {
                    let one = disposer.perform(&step, &target, &probes).await?;
                    outcome = if one == StepOutcome::Done {
                        outcome
                    } else {
                        one
                    };
                }
            }
            outcome
        }
        Step::Verify { store } => match wired(store)?.verify(&target, &probes).await? {
            Absence::Absent { .. } => StepOutcome::Done,
            Absence::StillPresent { offset } => StepOutcome::StillPresent { offset },
        },
        Step::Blocked { .. } | Step::Done => return Ok(StepOutcome::Done),
    };
    disposal.observe(&step, outcome)?;
    Ok(outcome)
}
