//! The public suites: what every depot and every [`Backups`] must do.

use std::path::Path;

use bytes::Bytes;
use covenant_core::{ManualClock, TenantId};
use time::Duration;

use super::MemorySource;
use crate::backups::Backups;
use crate::depot::{Created, Depot, DepotError};
use crate::domain::Domain;
use crate::error::{BackupError, GateError};
use crate::format::snapshot::LogHead;
use crate::quarantine::{Gate, ReplayReport};

/// What an implementation did wrong, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SuiteError(String);

/// Nothing when it holds; what does not hold otherwise.
fn ensure(holds: Option<()>, what: &str) -> Result<(), SuiteError> {
    holds.ok_or_else(|| SuiteError(what.to_owned()))
}

fn when(holds: impl FnOnce() -> bool) -> Option<()> {
    holds().then_some(())
}

fn done<T, E: std::error::Error>(outcome: Result<T, E>, what: &str) -> Result<T, SuiteError> {
    outcome.map_err(|error| SuiteError(format!("{what}: {error}")))
}

/// Everything that the contract of [`Depot`] says, on an empty depot.
///
/// # Errors
/// [`SuiteError`] with the first thing that does not hold.
pub async fn depot_suite(depot: &dyn Depot) -> Result<(), SuiteError> {
    let (a, b) = (
        Bytes::from_static(b"first bytes"),
        Bytes::from_static(b"others"),
    );
    let key = "d/00/v/20270101/pack/aa";
    let missing = depot.read(key, None).await;
    ensure(
        when(|| matches!(missing, Err(DepotError::Missing(_)))),
        "a missing object is Missing",
    )?;
    let created = done(depot.create(key, a.clone()).await, "create")?;
    ensure(when(|| created == Created::New), "a first create is New")?;
    let again = done(depot.create(key, a.clone()).await, "create again")?;
    ensure(
        when(|| again == Created::AlreadyMine),
        "the same bytes again are AlreadyMine",
    )?;
    let taken = done(depot.create(key, b).await, "create over")?;
    ensure(
        when(|| taken == Created::TakenBy(a.clone())),
        "other bytes find it taken",
    )?;
    let whole = done(depot.read(key, None).await, "read")?;
    ensure(when(|| whole == a), "what was created first is read")?;
    let part = done(depot.read(key, Some(2..5)).await, "read a range")?;
    ensure(when(|| part == a.slice(2..5)), "a range is that part")?;
    for (range, has) in [
        (6..99, a.slice(6..)),
        (11..12, Bytes::new()),
        (99..200, Bytes::new()),
    ] {
        let rest = done(depot.read(key, Some(range)).await, "read past the end")?;
        ensure(
            when(|| rest == has),
            "a range past the end is what is there",
        )?;
    }
    let nothing = depot.read("d/00/v/20270101/pack/none", Some(0..1)).await;
    ensure(
        when(|| matches!(nothing, Err(DepotError::Missing(_)))),
        "a range of a missing object is Missing",
    )?;
    let other = "d/00/v/20270102/pack/bb";
    done(depot.create(other, a).await, "create another")?;
    let listed = done(depot.list("d/00/v/").await, "list")?;
    ensure(
        when(|| listed == [key, other]),
        "a prefix lists its keys, sorted",
    )?;
    let one = done(depot.list("d/00/v/20270101/").await, "list one")?;
    ensure(when(|| one == [key]), "and no other's")?;
    let none = done(depot.list("d/11/").await, "list nothing")?;
    ensure(when(|| none.is_empty()), "an empty prefix lists nothing")?;
    let keys = [key.to_owned(), "d/00/v/20270101/pack/cc".to_owned()];
    done(depot.delete(&keys).await, "delete, a missing one too")?;
    let left = done(depot.list("d/00/").await, "list the rest")?;
    ensure(
        when(|| left == [other]),
        "what was deleted is gone, the rest stays",
    )
}

/// A gate that lets everything through, for sources without erasures.
struct Open;

impl Gate for Open {
    fn replay<'a>(
        &'a self,
        _domain: &'a Domain,
        _folder: &'a Path,
        head: LogHead,
    ) -> covenant_core::BoxFuture<'a, Result<ReplayReport, GateError>> {
        Box::pin(async move {
            Ok(ReplayReport {
                log_size: head.size,
                ..ReplayReport::default()
            })
        })
    }
}

/// Everything that the contract of [`Backups`] says; `clock` is the implementation's, `folder` an
/// empty one.
///
/// # Errors
/// [`SuiteError`] with the first thing that does not hold.
pub async fn backups_suite(
    backups: &dyn Backups,
    clock: &ManualClock,
    folder: &Path,
) -> Result<(), SuiteError> {
    let domain = |n: u8| {
        Domain::new(TenantId::from_bytes([n; 16]), "main").map_err(|e| SuiteError(e.to_string()))
    };
    let (mine, other) = (domain(1)?, domain(2)?);
    let head = LogHead {
        size: 4,
        root: [7; 32],
    };
    let large: Vec<u8> = (0..200_000_u32).map(|n| n.to_be_bytes()[3]).collect();
    let mut source = MemorySource::of([("db/main.db", large), ("objects/empty", Vec::new())]);
    let first = done(backups.run(&mine, &mut source, head).await, "run")?;
    clock.advance(std::time::Duration::from_secs(3600));
    source
        .files
        .insert("objects/new".to_owned(), b"only in the second".to_vec());
    let second = done(backups.run(&mine, &mut source, head).await, "run again")?;
    let listed = done(backups.snapshots(&mine).await, "snapshots")?;
    let ids: Vec<_> = listed.iter().map(|s| s.id).collect();
    ensure(
        when(|| ids == [first.id, second.id]),
        "snapshots are listed, oldest first",
    )?;
    let none = done(backups.snapshots(&other).await, "another's snapshots")?;
    ensure(when(|| none.is_empty()), "another domain has none")?;
    let foreign = backups.restore(&other, first.id, folder).await;
    ensure(
        when(|| matches!(foreign, Err(BackupError::UnknownSnapshot(_)))),
        "another domain's snapshot is unknown",
    )?;
    let quarantined = done(backups.restore(&mine, first.id, folder).await, "restore")?;
    ensure(
        when(|| quarantined.head() == head),
        "the snapshot knows the log's head",
    )?;
    let replayed = done(quarantined.replay(&Open).await, "replay")?;
    let released = done(replayed.release(&folder.join("back")), "release")?;
    source.files.remove("objects/new");
    for (path, bytes) in &source.files {
        let back = done(std::fs::read(released.join(path)), "a restored file")?;
        ensure(when(|| back == *bytes), "every byte comes back")?;
    }
    ensure(
        when(|| !released.join("objects/new").exists()),
        "and nothing of later",
    )?;
    let report = done(backups.check(&mine).await, "check")?;
    ensure(
        when(|| report.corrupt.is_empty() && report.good.len() == 2),
        "both snapshots are good",
    )?;
    let early = backups.expire(&mine, first.epoch).await;
    ensure(
        when(|| matches!(early, Err(BackupError::NotDue { .. }))),
        "a living vault stays",
    )?;
    let nothing = done(backups.end(&other, first.epoch).await, "end another's")?;
    ensure(
        when(|| nothing.objects == 0),
        "a domain without a vault has nothing to end",
    )?;
    let still = done(backups.snapshots(&mine).await, "snapshots")?;
    ensure(when(|| still.len() == 2), "and no other domain loses any")?;
    clock.advance_to(first.destroy_at - Duration::seconds(1));
    let last = done(
        backups.restore(&mine, first.id, folder).await,
        "restore in the last second",
    )?;
    drop(last);
    let left = done(std::fs::read_dir(folder), "look")?.count();
    ensure(
        when(|| left == 1),
        "a quarantine that is dropped is removed",
    )?;
    done(std::fs::remove_dir_all(folder.join("back")), "clean")?;
    clock.advance_to(first.destroy_at);
    let dead = backups.restore(&mine, first.id, folder).await;
    ensure(
        when(|| matches!(dead, Err(BackupError::Dead { .. }))),
        "a dead vault gives nothing",
    )?;
    done(backups.expire(&mine, first.epoch).await, "expire")?;
    let again = done(backups.expire(&mine, first.epoch).await, "expire again")?;
    ensure(
        when(|| again.objects == 0),
        "nothing is left of a dead vault",
    )
}
