//! Purge, sweep and delete protocol on SQLite files: the bytes of 100,000 rows leave at the price of
//! a few rewrites of the file, a sweep costs what is due and not what is stored, and a batch of
//! deletions is a handful of durable writes. Beside them what the machine does: hashing, copying,
//! syncing.

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use benches::{Bar, Measure, compare_taken, time};
use covenant_core::{Clock as _, ItemId, OrderId, SystemClock, TenantId, TxTag, TxnId};
use retention_policy::apply::Flush as _;
use retention_policy::physical::Verify as _;
use retention_policy::scan::Needle;
use retention_policy::{
    Disposal, DisposalTarget, HoldView, Item, Moment, Occurrence, OwnsKey, Probe, Retention as _,
    Rules, SqliteFlush, State,
};
use sql_store::{Args, Db, Durability, Mode, SqliteOptions, SqliteProfile, due};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use time::UtcDateTime;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Rows that are purged, of so many in the file.
const PURGED: u64 = 100_000;
const ROWS: u64 = 150_000;
/// Pairs of purges; odd.
const ROUNDS: usize = 5;
/// Pairs of sweeps.
const SWEEPS: usize = 60;
/// Rows due in a sweep.
const DUE: u32 = 1_000;
/// Deletions in one batch.
const BATCH: u64 = 256;
/// Lengths in SQLite's write-ahead log (file format, 4.1): header of the file, header of a frame.
const LOG_HEADER_LEN_BYTES: usize = 32;
const FRAME_HEADER_LEN_BYTES: usize = 24;
/// Bytes that the machine hashes and copies at a time.
const BLOCK_LEN_BYTES: usize = 64 << 20;

pub(super) fn run() -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        purge().await?;
        sweep().await?;
        batch().await
    })?;
    machine()
}

fn tag() -> TxTag {
    TxTag {
        txn: TxnId::from_bytes([7; 16]),
        tenant: None,
        decision: None,
    }
}

async fn open(path: &Path, durability: Durability) -> Outcome<Db> {
    let options = SqliteOptions::new(path, SqliteProfile::Tenant).durability(durability);
    let clock = Arc::new(SystemClock::new());
    let db = if path.exists() {
        Db::open_sqlite(options, clock).await?
    } else {
        Db::create_sqlite(options, clock).await?
    };
    Ok(db)
}

async fn run_sql(db: &Db, sql: &'static str, args: Args) -> Outcome<u64> {
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    let rows = tx.execute(sql, args).await?;
    tx.commit().await?;
    Ok(rows)
}

async fn purge() -> Outcome {
    let folder = tempfile::tempdir()?;
    let made = folder.path().join("made.db");
    let db = open(&made, Durability::Off).await?;
    run_sql(
        &db,
        "CREATE TABLE record (id TEXT PRIMARY KEY, n INTEGER NOT NULL, salt BLOB, body BLOB) \
         WITHOUT ROWID",
        Args::new(),
    )
    .await?;
    run_sql(&db, "CREATE INDEX record_n ON record (n)", Args::new()).await?;
    let fill = "WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n + 1 < $1) \
         INSERT INTO record SELECT hex(randomblob(8)), n, randomblob(24), randomblob(300) FROM i";
    run_sql(&db, fill, Args::new().bind(i64::try_from(ROWS)?)).await?;
    let grow = "UPDATE record SET body = randomblob(360 + n % 97)";
    run_sql(&db, grow, Args::new()).await?;
    db.close().await;

    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let ours = folder.path().join(format!("ours-{round}.db"));
        let peer = folder.path().join(format!("peer-{round}.db"));
        for copy in [&ours, &peer] {
            std::fs::copy(&made, copy)?;
            File::open(copy)?.sync_all()?;
        }
        let (a, b) = if round % 2 == 0 {
            let a = purge_ours(&ours).await?;
            (a, purge_plain(&peer).await?)
        } else {
            let b = purge_plain(&peer).await?;
            (purge_ours(&ours).await?, b)
        };
        ratios.push(a / b);
        for copy in [ours, peer] {
            std::fs::remove_file(copy)?;
        }
    }
    ratios.sort_by(f64::total_cmp);
    Measure {
        id: "retention-policy/purge",
        value: ratios.get(ROUNDS / 2).copied().ok_or("no rounds")?,
        unit: "times the peer's time, 100,000 of 150,000 rows",
        peer: "DELETE, then VACUUM, of the same rows of the same file through sqlx",
        bar: Bar::AtMost(4.0),
    }
    .print()?;
    Ok(())
}

/// Salts read, rows deleted, file flushed, all files searched for all salts.
async fn purge_ours(path: &Path) -> Outcome<f64> {
    let db = open(path, Durability::Full).await?;
    let clock = SystemClock::new();
    let start = clock.monotonic();
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    let last = i64::try_from(PURGED)?;
    let rows = tx
        .rows(
            "SELECT salt FROM record WHERE n < $1",
            Args::new().bind(last),
        )
        .await?;
    let salts = rows
        .iter()
        .map(|row| row.array::<24>("salt").map(Probe::new));
    let salts = salts.collect::<Result<Vec<_>, _>>()?;
    let deleted = tx
        .execute("DELETE FROM record WHERE n < $1", Args::new().bind(last))
        .await?;
    tx.commit().await?;
    let quiet = db.quiesce(std::time::Duration::from_secs(5)).await?;
    let flush = SqliteFlush::new(Durability::Full);
    flush.flush(path).await?;
    let needles: Vec<Needle> = salts.iter().map(Needle::from).collect();
    let seen = flush.verify(path, &needles).await?;
    let took = clock.monotonic().saturating_sub(start);
    drop(quiet);
    db.close().await;
    if deleted != PURGED || needles.len() != usize::try_from(PURGED)? || !seen.is_absent() {
        return Err("the rows are not gone: nothing to compare".into());
    }
    Ok(took.as_secs_f64())
}

async fn purge_plain(path: &Path) -> Outcome<f64> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .disable_statement_logging();
    let mut db = options.connect().await?;
    let clock = SystemClock::new();
    let start = clock.monotonic();
    let last = i64::try_from(PURGED)?;
    let delete = sqlx::query("DELETE FROM record WHERE n < $1").bind(last);
    let deleted = delete.execute(&mut db).await?.rows_affected();
    sqlx::query("VACUUM").execute(&mut db).await?;
    let took = clock.monotonic().saturating_sub(start);
    db.close().await?;
    if deleted != PURGED {
        return Err("the peer deleted other rows: nothing to compare".into());
    }
    Ok(took.as_secs_f64())
}

async fn sweep() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut queues = Vec::new();
    for (name, stored) in [("few.db", 100_000_i64), ("many.db", 5_000_000)] {
        let path = folder.path().join(name);
        let db = open(&path, Durability::Off).await?;
        db.migrate(&due::DUE).await?;
        // one item a second; the sweep comes when the first thousand are due
        let fill = "WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n + 1 < $1) \
             INSERT INTO due (tenant, kind, key, due_at) \
             SELECT $2, 'bin', CAST(printf('%08d', n) AS BLOB), n * 1000000 FROM i";
        let tenant = TenantId::from_bytes([9; 16]);
        let args = Args::new().bind(stored).bind(tenant);
        if run_sql(&db, fill, args).await? != u64::try_from(stored)? {
            return Err("the queue is not filled".into());
        }
        // the log of the filling goes back into the file and the file to the disk now, and not in
        // the middle of a sweep
        db.close().await;
        File::open(&path)?.sync_all()?;
        queues.push(path);
    }
    let [few, many] = queues.as_slice() else {
        return Err("two queues".into());
    };
    let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
    // the first rounds read the files
    for round in 0..SWEEPS + 4 {
        // whoever comes second finds a warm machine: take turns
        let (one, other) = if round % 2 == 0 {
            let one = sweep_once(few).await?;
            (one, sweep_once(many).await?)
        } else {
            let other = sweep_once(many).await?;
            (sweep_once(few).await?, other)
        };
        if round >= 4 {
            of_few.push(one);
            of_many.push(other);
        }
    }
    Measure {
        id: "retention-policy/sweep",
        value: compare_taken(of_many, of_few).ratio,
        unit: "times the time with 100,000 stored, 1,000 due among 5,000,000",
        peer: "the same sweep of the same rows among 100,000",
        bar: Bar::AtMost(1.5),
    }
    .print()
    .map_err(Into::into)
}

/// What is due is read, judged and taken off; then all is taken back, so that the next round finds
/// the same. Each opens the file anew: whether the thread that works on it shares a core with the one
/// that asks makes a factor of three, and is drawn with every thread.
async fn sweep_once(path: &Path) -> Outcome<std::time::Duration> {
    let db = open(path, Durability::Off).await?;
    let took = sweep_in(&db).await;
    db.close().await;
    took
}

async fn sweep_in(db: &Db) -> Outcome<std::time::Duration> {
    let rules = Rules::new()
        .keep("record", "record.deleted", "PT1S")
        .build()?;
    let clock = SystemClock::new();
    let start = clock.monotonic();
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    let now = UtcDateTime::UNIX_EPOCH + time::Duration::seconds(i64::from(DUE) - 1);
    let found = due::due(&mut tx, now, DUE + 1).await?;
    for due in &found {
        let events = [Occurrence::new("record.deleted", UtcDateTime::UNIX_EPOCH)];
        let item = Item::new(due.tenant, "record", 1_i64, &events);
        let verdict = rules.evaluate(&item, &HoldView::none(), &Moment::at(now));
        if verdict.state != State::Eligible {
            return Err("an item that is due may not go".into());
        }
        due::done(&mut tx, due).await?;
    }
    let took = clock.monotonic().saturating_sub(start);
    tx.rollback().await?;
    if found.len() != usize::try_from(DUE)? {
        return Err("not a thousand rows were due".into());
    }
    Ok(took)
}

/// Durable writes of a batch: with `synchronous=FULL` SQLite syncs its log once for each commit,
/// which the log itself shows, and nothing else until a checkpoint. The flush is the night's.
async fn batch() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("main.db");
    let db = open(&path, Durability::Full).await?;
    for sql in [
        "CREATE TABLE record (n INTEGER PRIMARY KEY, body BLOB)",
        "CREATE TABLE journal (n INTEGER PRIMARY KEY, v BLOB)",
        "WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < 255) \
         INSERT INTO record SELECT n, randomblob(300) FROM i",
    ] {
        run_sql(&db, sql, Args::new()).await?;
    }
    let log = folder.path().join("main.db-wal");
    let before = commits(&std::fs::read(&log)?);
    let (done, took) = {
        let clock = SystemClock::new();
        let start = clock.monotonic();
        let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
        let tenant = TenantId::from_bytes([2; 16]);
        for n in 0..BATCH {
            let n = i64::try_from(n)?;
            let disposal = Disposal::new(
                OrderId::from_bytes([1; 16]),
                DisposalTarget::new(tenant, "record".parse()?, ItemId::from(n)),
                &["main".parse()?],
                &[Probe::new([3; 24])],
                OwnsKey::No,
            )
            .ok_or("no disposal")?;
            let journal = Args::new().bind(n).bind(disposal.journal());
            tx.execute("INSERT INTO journal VALUES ($1, $2)", journal)
                .await?;
            tx.execute("DELETE FROM record WHERE n = $1", Args::new().bind(n))
                .await?;
        }
        tx.commit().await?;
        let done = run_sql(&db, "DELETE FROM journal WHERE n >= 0", Args::new()).await?;
        (done, clock.monotonic().saturating_sub(start))
    };
    let commits = commits(&std::fs::read(&log)?).saturating_sub(before);
    db.close().await;
    if done != BATCH {
        return Err("the batch was not done".into());
    }
    Measure {
        id: "retention-policy/batch-syncs",
        value: f64::from(u32::try_from(commits)?),
        unit: "syncs of a store for a batch of 256 deletions, journal included, flush apart",
        peer: "limit: commit records in the write-ahead log, one sync each",
        bar: Bar::AtMost(3.0),
    }
    .print()?;
    Measure {
        id: "retention-policy/batch-item",
        value: took.as_secs_f64() * 1e6 / f64::from(u32::try_from(BATCH)?),
        unit: "microseconds for each deletion of a batch",
        peer: "none",
        bar: Bar::AtMost(1e6),
    }
    .print()?;
    Ok(())
}

/// Frames of a write-ahead log that end a transaction: those that state the database's size.
fn commits(log: &[u8]) -> usize {
    let word = |at: usize| {
        let bytes = log.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    let Some(page) = word(8).and_then(|page| usize::try_from(page).ok()) else {
        return 0;
    };
    let frame = page + FRAME_HEADER_LEN_BYTES;
    let frames = log.len().saturating_sub(LOG_HEADER_LEN_BYTES) / frame;
    (0..frames)
        .filter(|n| word(LOG_HEADER_LEN_BYTES + n * frame + 4).is_some_and(|size| size != 0))
        .count()
}

/// What the machine does, to read the others by.
fn machine() -> Outcome {
    let from = vec![0xa5_u8; BLOCK_LEN_BYTES];
    let mut to = vec![0_u8; BLOCK_LEN_BYTES];
    let block = f64::from(u32::try_from(BLOCK_LEN_BYTES)?);
    let hash = time(|| ring::digest::digest(&ring::digest::SHA256, black_box(&from)));
    let copy = time(|| to.copy_from_slice(black_box(&from)));
    let mut file = tempfile::tempfile()?;
    let mut failed = None;
    let sync = time(|| {
        let written = file.write_all(&[1; 4096]).and_then(|()| file.sync_data());
        failed = written.err();
    });
    if let Some(error) = failed {
        return Err(error.into());
    }
    black_box(&to);
    for (id, value, unit) in [
        (
            "retention-policy/machine-sha256",
            block / 1e6 / hash.as_secs_f64(),
            "MB/s of SHA-256",
        ),
        (
            "retention-policy/machine-copy",
            block / 1e9 / copy.as_secs_f64(),
            "GB/s of memory copied",
        ),
        (
            "retention-policy/machine-sync",
            1.0 / sync.as_secs_f64(),
            "syncs of 4 KiB a second",
        ),
    ] {
        Measure {
            id,
            value,
            unit,
            peer: "the machine, to read the others by",
            bar: Bar::AtLeast(0.0),
        }
        .print()?;
    }
    Ok(())
}
