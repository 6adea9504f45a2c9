//! Who carries disposals out: one disposer for each store, and a flush for the files under it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use covenant_core::BoxFuture;
use covenant_core::digest::Digest;
use time::UtcDateTime;

use crate::{
    Disposal, DisposalTarget, HoldError, HoldGuard, HoldView, Holds, Limits, Plan, PlanItem,
    Population, Probe, ProtocolError, Refused, Retention, Step, StepOutcome, StoreName,
};

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
    /// The item owns a key, and no disposer destroys keys.
    #[error("no disposer destroys keys")]
    NoKeys,
    /// No disposer is wired for the store.
    #[error("no disposer for store {0}")]
    Unwired(StoreName),
    /// The store is not available, is full, or failed.
    #[error("the store is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The holds cannot be asked: nothing may be deleted.
    #[error("the holds cannot be asked")]
    Holds(#[source] HoldError),
    /// The journal cannot be written: nothing goes on.
    #[error("the journal cannot be written")]
    Journal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The report of the step did not fit the disposal.
    #[error("the disposal does not accept the step")]
    Protocol(#[from] ProtocolError),
}

/// Removes items from one store.
///
/// # Contract
/// `perform` is idempotent and durable when it returns: a step that was done before is done again
/// or reported [`StepOutcome::Absent`]. [`Step::Record`] goes to the origin, which is the last store
/// of a disposal; [`Step::PlanKey`] to the first disposer that can destroy keys; [`Step::Flush`] to
/// every store that can scan its raw bytes. The driver has asked the holds right before; a disposer
/// whose store keeps the holds asks the guard's target again in the transaction that deletes, and
/// reports [`StepOutcome::Held`] when one stands. `verify` looks for the item in every way the store
/// has (read, list, versions, raw bytes), and reports what it finds.
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
        guard: &'a HoldGuard<'a>,
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

/// Keeps journal rows, each durable when `put` returns.
pub trait Journal: Debug + Send + Sync {
    /// Keeps the row of this disposal, over the one that was there.
    fn put<'a>(
        &'a self,
        disposal: &'a Disposal,
    ) -> BoxFuture<'a, Result<(), Box<dyn std::error::Error + Send + Sync>>>;
}

/// Takes parts of certificates, with the events that tell of them; the same part twice is once.
pub trait Certifier: Debug + Send + Sync {
    /// Takes what the disposal says.
    fn certify<'a>(&'a self, disposal: &'a Disposal) -> BoxFuture<'a, Result<(), DisposeError>>;
}

/// What carries a disposal out.
#[derive(Debug)]
pub struct Joints<'a> {
    /// One disposer a store, and one that destroys keys where items own any.
    pub disposers: Disposers<'a>,
    /// What may stop it.
    pub holds: &'a dyn Holds,
    /// Where the part goes.
    pub certifier: &'a dyn Certifier,
}

impl Joints<'_> {
    fn wired(&self, store: &StoreName) -> Result<&dyn Disposer, DisposeError> {
        let found = self.disposers.get(store).copied();
        found.ok_or_else(|| DisposeError::Unwired(store.clone()))
    }

    fn with(&self, capability: Capability) -> Option<&dyn Disposer> {
        let mut all = self.disposers.values().copied();
        all.find(|disposer| disposer.capabilities().contains(&capability))
    }
}

/// Carries out the next step of the disposal and records how it went; the caller then stores
/// [`Disposal::journal`] before it calls again. Right before a step that cannot be taken back the
/// holds are asked; where one stands nothing is done. Does nothing when the disposal is done or
/// blocked.
///
/// # Errors
/// [`DisposeError`]; the disposal is then as before.
// clause: P-47
pub async fn step(
    disposal: &mut Disposal,
    joints: &Joints<'_>,
    now: UtcDateTime,
) -> Result<StepOutcome, DisposeError> {
    let step = disposal.next();
    let target = disposal.target().clone();
    let guard = HoldGuard::new(joints.holds, &target, now);
    let asked = match &step {
        Step::Delete { store } => guard.pass(store).await,
        step if step.asks_holds() => guard.check().await,
        _ => Ok(()),
    };
    let outcome = match asked {
        Ok(()) => perform(&step, disposal, joints, &guard).await?,
        Err(HoldError::Held(_)) => StepOutcome::Held,
        Err(error) => return Err(DisposeError::Holds(error)),
    };
    if !matches!(step, Step::Blocked { .. } | Step::Done) {
        disposal.observe(&step, outcome)?;
    }
    Ok(outcome)
}

async fn perform(
    step: &Step,
    disposal: &Disposal,
    joints: &Joints<'_>,
    guard: &HoldGuard<'_>,
) -> Result<StepOutcome, DisposeError> {
    let probes = disposal.probes();
    match step {
        Step::Record => match disposal.stores().last() {
            Some(origin) => joints.wired(origin)?.perform(step, guard, &probes).await,
            None => Ok(StepOutcome::Done),
        },
        Step::Delete { store } => joints.wired(store)?.perform(step, guard, &probes).await,
        Step::PlanKey => match joints.with(Capability::DestroyKey) {
            Some(keys) => keys.perform(step, guard, &probes).await,
            None => Err(DisposeError::NoKeys),
        },
        Step::Flush => {
            let mut outcome = StepOutcome::Done;
            for store in disposal.stores() {
                let disposer = joints.wired(&store)?;
                if disposer.capabilities().contains(&Capability::RawScan) {
                    let one = disposer.perform(step, guard, &probes).await?;
                    outcome = if one == StepOutcome::Done {
                        outcome
                    } else {
                        one
                    };
                }
            }
            Ok(outcome)
        }
        Step::Verify { store } => {
            let verified = joints.wired(store)?.verify(guard.target(), &probes);
            Ok(match verified.await? {
                Absence::Absent { scanned_bytes } => StepOutcome::Verified {
                    scanned_bytes,
                    at: guard.now(),
                },
                Absence::StillPresent { offset } => StepOutcome::StillPresent { offset },
            })
        }
        Step::Certify => {
            joints.certifier.certify(disposal).await?;
            let settled = joints.holds.settle(guard.target()).await;
            settled.map_err(DisposeError::Holds)?;
            Ok(StepOutcome::Done)
        }
        Step::Blocked { .. } | Step::Done => Ok(StepOutcome::Done),
    }
}

/// How a run of a disposal ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a worker decides on each of these")]
pub enum Ended {
    /// Nothing is left to do.
    Done,
    /// A hold stands: run it again once it has ended.
    Held,
    /// Bytes are still there after every flush: a person decides.
    Blocked,
    /// A step did not succeed, or a store refuses: run it again later.
    Waiting,
}

/// Runs a disposal as far as it goes now, every step journaled before the next. Any worker may run
/// it again from its journal row.
///
/// # Errors
/// [`DisposeError`]; run it again.
pub async fn run(
    disposal: &mut Disposal,
    joints: &Joints<'_>,
    journal: &dyn Journal,
    now: UtcDateTime,
) -> Result<Ended, DisposeError> {
    loop {
        match disposal.next() {
            Step::Done => return Ok(Ended::Done),
            Step::Blocked { .. } => return Ok(Ended::Blocked),
            _ => {}
        }
        let outcome = step(disposal, joints, now).await?;
        journal.put(disposal).await.map_err(DisposeError::Journal)?;
        match outcome {
            StepOutcome::Held => return Ok(Ended::Held),
            StepOutcome::Failed | StepOutcome::Refused => return Ok(Ended::Waiting),
            _ => {}
        }
    }
}

/// Under which conditions a plan may be carried out.
#[derive(Debug, Clone, Copy)]
pub struct Conditions<'a> {
    /// The rules of now.
    pub rules: &'a dyn Retention,
    /// Where the holds of now are read.
    pub holds: &'a dyn Holds,
    /// How much may go.
    pub limits: &'a Limits,
    /// How much is there.
    pub population: &'a Population,
}

/// A plan is not carried out; nothing was done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// It is not the approved one, or something moved, or a limit is exceeded.
    #[error("the plan is refused")]
    Refused(#[from] Refused),
    /// The holds cannot be read.
    #[error("the holds cannot be read")]
    Holds(#[from] HoldError),
}

/// A plan that may be carried out: only [`apply`] makes one.
#[derive(Debug)]
pub struct Admitted<'p> {
    plan: &'p Plan,
}

impl<'p> Admitted<'p> {
    /// What goes; each item is disposed of by [`run`], which asks the holds again.
    #[must_use]
    pub fn items(&self) -> &'p [PlanItem] {
        self.plan.items()
    }
}

/// Admits a plan before its first effect: it is the approved one, rules and holds are those that it
/// was made under, and no limit is exceeded.
///
/// # Errors
/// [`ApplyError`]; nothing was done.
pub async fn apply<'p>(
    plan: &'p Plan,
    approved: &Digest,
    with: &Conditions<'_>,
) -> Result<Admitted<'p>, ApplyError> {
    let mut holds = HoldView::none();
    for tenant in plan.tenants().keys() {
        holds = holds.with(with.holds.view(*tenant).await?);
    }
    plan.admit(approved, with.rules, &holds, with.limits, with.population)?;
    Ok(Admitted { plan })
}
