//! Histories forked by copying the files: a copy is taken a second before, at, and a second after
//! each bound of a bin (the deletion, the end of the floor, the ceiling), and each is put back at
//! each of these instants. What opens is what the live store is then, to the bytes; and a ledger
//! that is older than the copy opens nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use retention_policy::physical::Verify as _;
use retention_policy::scan::Needle;
use retention_policy::{GateRefused, Head, LedgerError};
use time::{Duration, UtcDateTime};

use crate::world::{
    Act, DELETED, Outcome, ROWS, Readable, SECOND, World, bounds, copy, flush, salt, tenant,
};

/// A copy of the rows, and the head of the ledger then.
#[derive(Debug, Clone)]
struct Snapshot {
    folder: PathBuf,
    head: Head,
}

/// A number of folders, each new.
struct Folders {
    root: tempfile::TempDir,
    count: usize,
}

impl Folders {
    fn next(&mut self) -> PathBuf {
        self.count += 1;
        self.root.path().join(self.count.to_string())
    }
}

/// Everything that can be looked at of a store now: what is read, and which salts its files hold.
async fn look(world: World) -> Outcome<(Readable, Vec<&'static str>)> {
    let readable = world.readable().await?;
    let file = world.file();
    world.close().await;
    let mut there = Vec::new();
    for row in ROWS {
        let seen = flush().verify(&file, &[Needle::from(&salt(row)?)]).await?;
        if !seen.is_absent() {
            there.push(row);
        }
    }
    Ok((readable, there))
}

/// What the histories came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tried {
    histories: u32,
    restores: u32,
    refused: u32,
    rows_left: BTreeMap<usize, u32>,
}

/// Puts every copy back at this instant, and compares it with the live store, which sweeps too.
async fn put_back(
    folders: &mut Folders,
    world: World,
    snapshots: &[Snapshot],
    now: UtcDateTime,
    tried: &mut Tried,
) -> Outcome<World> {
    let (world, live) = world.fork(&folders.next()).await?;
    live.act(Act::Sweep, now).await?;
    let expect = look(live).await?;
    let rows = expect.0.0.iter().map(|(id, ..)| id.as_str());
    let mut rows: Vec<&str> = rows.collect();
    let mut there = expect.1.clone();
    rows.sort_unstable();
    there.sort_unstable();
    assert_eq!(rows, there, "{now}: bytes are there of the rows alone");
    *tried.rows_left.entry(rows.len()).or_default() += 1;
    let folder = world.close().await;
    for (n, snapshot) in snapshots.iter().enumerate() {
        let fork = folders.next();
        copy(&folder, &fork, &["ledger.db"])?;
        copy(&snapshot.folder, &fork, &["rows.db"])?;
        let back = World::open(&fork).await?;
        back.reopen(snapshot.head, now).await?;
        let opened = look(back).await?;
        assert_eq!(opened, expect, "copy {n} put back at {now}");
        tried.restores += 1;
        std::fs::remove_dir_all(fork)?;
    }
    World::open(&folder).await
}

/// A ledger of the time of one copy, beside another copy: it must have what that one knew.
async fn older_ledgers(
    folders: &mut Folders,
    snapshots: &[Snapshot],
    now: UtcDateTime,
    tried: &mut Tried,
) -> Outcome {
    for ledger in snapshots {
        for rows in snapshots {
            let fork = folders.next();
            copy(&ledger.folder, &fork, &["ledger.db"])?;
            copy(&rows.folder, &fork, &["rows.db"])?;
            let back = World::open(&fork).await?;
            let opened = back.reopen(rows.head, now).await;
            let behind = opened.as_ref().is_err_and(|error| {
                matches!(
                    error.downcast_ref(),
                    Some(GateRefused::Ledger(LedgerError::Behind { .. }))
                )
            });
            assert_eq!(behind, ledger.head.size < rows.head.size, "{opened:?}");
            assert_eq!(opened.is_ok(), !behind, "{opened:?}");
            tried.refused += u32::from(behind);
            back.close().await;
            std::fs::remove_dir_all(fork)?;
        }
    }
    Ok(())
}

// clause: P-47, P-51, P-52
#[tokio::test]
async fn in_each_history() -> Outcome {
    let [floor, ceiling] = bounds()?;
    assert!(DELETED + Duration::days(30) < floor && floor + SECOND < ceiling - SECOND);
    // at each instant, what may happen: where there are two, the history forks
    let course: [(UtcDateTime, &[Act]); 10] = [
        (DELETED - SECOND, &[Act::Nothing]),
        (DELETED, &[Act::Delete]),
        (DELETED + SECOND, &[Act::Erase]),
        (DELETED + SECOND * 2, &[Act::Hold]),
        (floor - SECOND, &[Act::TakeBack]),
        (floor, &[Act::Sweep, Act::Nothing]),
        (floor + SECOND, &[Act::Release, Act::Nothing]),
        (ceiling - SECOND, &[Act::Nothing]),
        (ceiling, &[Act::Sweep]),
        (ceiling + SECOND, &[Act::Nothing]),
    ];
    let mut folders = Folders {
        root: tempfile::tempdir()?,
        count: 0,
    };
    let mut tried = Tried::default();
    let first = World::create(&folders.next()).await?;
    first.act(Act::Nothing, DELETED - SECOND * 2).await?;
    let mut open: Vec<(PathBuf, usize, Vec<Snapshot>)> = vec![(first.close().await, 0, Vec::new())];
    while let Some((folder, at, snapshots)) = open.pop() {
        let Some((now, acts)) = course.get(at) else {
            older_ledgers(&mut folders, &snapshots, ceiling + SECOND * 2, &mut tried).await?;
            tried.histories += 1;
            continue;
        };
        for act in *acts {
            let fork = folders.next();
            copy(&folder, &fork, &["rows.db", "ledger.db"])?;
            let world = World::open(&fork).await?;
            world.act(*act, *now).await?;
            let head = world.ledger.head(tenant()).await?;
            let fork = world.close().await;
            let taken = folders.next();
            copy(&fork, &taken, &["rows.db", "ledger.db"])?;
            let mut snapshots = snapshots.clone();
            snapshots.push(Snapshot {
                folder: taken,
                head,
            });
            let world = World::open(&fork).await?;
            let world = put_back(&mut folders, world, &snapshots, *now, &mut tried).await?;
            open.push((world.close().await, at + 1, snapshots));
        }
    }
    assert_eq!(tried.histories, 4, "two forks");
    assert!(tried.restores > 150 && tried.refused > 50, "{tried:?}");
    // all five, then without what was due, then without what was held
    let left: Vec<usize> = tried.rows_left.keys().copied().collect();
    assert_eq!(left, [3, 4, 5], "{tried:?}");
    Ok(())
}
