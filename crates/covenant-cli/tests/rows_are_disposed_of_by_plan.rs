//! `covenant retention plan`, `apply`, `hold`, `due` on a real store: what was approved goes, down to
//! the bytes, and nothing else; what moved since, or is held, or exceeds a limit, is refused.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use covenant_core::{SystemClock, TxTag, TxnId};
use serde_json::Value;
use sql_store::{Args, Db, Mode, SqliteOptions, SqliteProfile};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const TENANT: &str = "0192f3c4-0000-7000-8000-000000000001";
const PLACE: &str = "--store rows.db --ledger ledger.db";
const ALICE: &str = "00000000-0000-0000-0000-0000000000a1";
const BOB: &str = "00000000-0000-0000-0000-0000000000b2";
const RULES: &str = r#"
format = "covenant/rules/v1"
reviewed = 2026-11-21
[reading]
zones = ["+00:00"]
[[class]]
id = "invoice"
[[store]]
id = "main"
kind = "sql"
[[rule]]
id = "kept"
clause = "P-52"
class = ["invoice"]
store = ["main"]
bound = "floor"
from = "invoice.issued"
to = "invoice.purged"
period = "P1D"
"#;

/// The statements of the README's first block of SQL of this database.
fn schema(database: &str) -> Outcome<Vec<&'static str>> {
    let readme = include_str!("../README.md");
    let (_, after) = readme.split_once(database).ok_or("no such section")?;
    let (_, sql) = after.split_once("```sql\n").ok_or("no SQL")?;
    let (sql, _) = sql.split_once("```").ok_or("no end")?;
    Ok(sql.split("\n\n").collect())
}

fn tag() -> TxTag {
    TxTag {
        txn: TxnId::from_bytes([0; 16]),
        tenant: None,
        decision: None,
    }
}

/// What no other row has.
fn salt(id: i64) -> Vec<u8> {
    format!("salt-{id:019}").into_bytes()
}

async fn run(folder: &Path, sql: &'static str, args: Args) -> Outcome {
    let options = SqliteOptions::new(folder.join("rows.db"), SqliteProfile::Tenant);
    let db = Db::open_sqlite(options, Arc::new(SystemClock::new())).await?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    tx.execute(sql, args).await?;
    tx.commit().await?;
    db.close().await;
    Ok(())
}

/// A store as the README makes it: invoices 1 to 20 may go, 21 to 25 are of the future.
async fn store(folder: &Path) -> Outcome {
    let options = SqliteOptions::new(folder.join("rows.db"), SqliteProfile::Tenant);
    let db = Db::create_sqlite(options, Arc::new(SystemClock::new())).await?;
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    for sql in schema("On SQLite:")? {
        tx.execute(sql, Args::new()).await?;
    }
    for id in 1..=25_i64 {
        let issued: i64 = if id <= 20 {
            1_577_836_800
        } else {
            32_503_680_000
        };
        let args = Args::new().bind(id).bind(issued).bind(salt(id));
        let args = args.bind(vec![7_u8; 200]);
        let sql = "INSERT INTO invoice (id, issued_at, salt, body) VALUES ($1, $2, $3, $4)";
        tx.execute(sql, args).await?;
    }
    tx.commit().await?;
    db.close().await;
    fs::write(folder.join("rules.toml"), RULES)?;
    Ok(())
}

/// Runs `covenant retention` with these words; the code, stdout, and stderr.
fn retention(folder: &Path, line: &str) -> Outcome<(i32, String, String)> {
    let words = line.split_whitespace();
    let args: Vec<&str> = ["retention"].into_iter().chain(words).collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_covenant"));
    let output = command.args(args).current_dir(folder).output()?;
    Ok((
        output.status.code().ok_or("killed")?,
        String::from_utf8(output.stdout)?,
        String::from_utf8(output.stderr)?,
    ))
}

fn check(folder: &Path, line: &str, code: i32, says: &str) -> Outcome {
    let (found, out, err) = retention(folder, line)?;
    assert_eq!(found, code, "{line}: {out}{err}");
    assert!(format!("{out}{err}").contains(says), "{line}: {out}{err}");
    Ok(())
}

fn json(folder: &Path, line: &str, code: i32) -> Outcome<Value> {
    let (found, out, err) = retention(folder, &format!("{line} --json"))?;
    assert_eq!(found, code, "{line}: {out}{err}");
    Ok(serde_json::from_str(&out)?)
}

fn init(folder: &Path) -> Outcome {
    check(folder, &format!("init --tenant {TENANT} {PLACE}"), 0, "25")
}

/// Plans; the hash.
fn planned(folder: &Path) -> Outcome<String> {
    let line = format!("plan --rules rules.toml --tenant {TENANT} {PLACE} --out plan.bin");
    let plan = json(folder, &line, 0)?;
    Ok(plan
        .pointer("/plan")
        .and_then(Value::as_str)
        .ok_or("no hash")?
        .to_owned())
}

fn apply(hash: &str) -> String {
    format!(
        "apply --plan plan.bin --hash {hash} --rules rules.toml --max-items 100 --max-percent 80 {PLACE}"
    )
}

/// Which invoices have their salt in a file of the store.
fn in_files(folder: &Path) -> Outcome<Vec<i64>> {
    let mut found = Vec::new();
    for id in 1..=25_i64 {
        for file in ["rows.db", "rows.db-wal", "rows.db-journal", "rows.db-shm"] {
            let bytes = fs::read(folder.join(file)).unwrap_or_default();
            if bytes.windows(24).any(|window| window == salt(id)) && !found.contains(&id) {
                found.push(id);
            }
        }
    }
    Ok(found)
}

// clause: P-52
#[tokio::test]
async fn what_was_approved_goes_and_nothing_else() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    store(folder).await?;
    init(folder)?;
    let hash = planned(folder)?;
    let good = apply(&hash);
    let other = "0".repeat(64);
    // nothing goes before everything is as approved
    check(
        folder,
        &good.replace(&hash, &other),
        4,
        "not the one that was approved",
    )?;
    let few = good.replace("--max-items 100", "--max-items 19");
    check(folder, &few, 4, "20 items, the limit is 19")?;
    let part = good.replace("--max-percent 80", "--max-percent 79");
    check(folder, &part, 4, "20 of 25 items")?;
    check(folder, &format!("{good} --max-bytes 3999"), 4, "4000 bytes")?;
    fs::write(folder.join("later.toml"), RULES.replace("P1D", "P2D"))?;
    let rules = good.replace("rules.toml", "later.toml");
    check(folder, &rules, 4, "rules are not those")?;
    check(
        folder,
        &good.replace("plan.bin", "rules.toml"),
        2,
        "not those of a plan",
    )?;
    assert_eq!(in_files(folder)?.len(), 25);
    // the approved plan
    let done = json(folder, &good, 0)?;
    assert_eq!(done["ended"]["done"], 20);
    assert_eq!(done["not_scanned"], 0);
    let first = &done["parts"][0];
    assert_eq!(first["clause"], "P-52");
    assert_eq!(first["stores"][0]["state"], "done");
    assert!(
        first["stores"][0]["scanned_bytes"].as_u64() > Some(0),
        "{first}"
    );
    assert_eq!(
        first["items"][0]["commitment"].as_str().map(str::len),
        Some(64)
    );
    assert_eq!(in_files(folder)?, [21, 22, 23, 24, 25]);
    // once more it is done already, and says the same
    assert_eq!(json(folder, &good, 0)?["parts"], done["parts"]);
    let line = format!("plan --rules rules.toml --tenant {TENANT} {PLACE}");
    assert_eq!(json(folder, &line, 0)?["items"], Value::Array(Vec::new()));
    Ok(())
}

// clause: P-47
#[tokio::test]
async fn what_is_held_stays_until_two_release_it() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    store(folder).await?;
    init(folder)?;
    let before = planned(folder)?;
    let of = format!("--tenant {TENANT} {PLACE}");
    let place = format!("hold place --matter case-17 --by {ALICE} --reason litigation {of}");
    let governance = format!("{place} --scope items:invoice:3,4 --mode governance");
    let placed = json(folder, &governance, 0)?;
    assert_eq!(
        (&placed["covers"], &placed["there"]),
        (&2.into(), &25.into())
    );
    let id = placed["hold"].as_str().ok_or("no hold")?;
    check(folder, &apply(&before), 4, "holds of tenant")?;
    assert_eq!(in_files(folder)?.len(), 25);
    let explain = "explain 3 --rules rules.toml --at 2026-11-22T10:00:00Z";
    check(folder, &format!("{explain} {of}"), 0, "for case-17")?;
    check(
        folder,
        &explain.replace('3', "5").replace("2025", "2023"),
        2,
        "the item",
    )?;
    let after = planned(folder)?;
    let done = json(folder, &apply(&after), 0)?;
    assert_eq!(done["ended"]["done"], 18);
    assert_eq!(in_files(folder)?, [3, 4, 21, 22, 23, 24, 25]);
    // released by two, and not by one twice
    let release = format!("hold release {id} {of} --by");
    check(folder, &format!("{release} {ALICE}"), 0, "asked")?;
    check(
        folder,
        &format!("{release} {ALICE}"),
        4,
        "the same principal",
    )?;
    check(folder, &format!("hold list {of}"), 0, "asked")?;
    check(
        folder,
        &format!("hold extend {id} --until 2099-01-01T00:00:00Z --by {BOB} {of}"),
        4,
        "no end",
    )?;
    check(folder, &format!("{release} {BOB}"), 0, "released")?;
    check(folder, &format!("{release} {BOB}"), 4, "has ended")?;
    check(folder, &format!("hold list {of}"), 0, "released")?;
    let last = planned(folder)?;
    check(folder, &apply(&last), 0, "done         2")?;
    assert_eq!(in_files(folder)?, [21, 22, 23, 24, 25]);
    // both at once; what it lists is gone by now, and it says so
    let placed = json(folder, &governance, 1)?;
    assert_eq!(
        placed["not_there"],
        serde_json::json!(["invoice 3", "invoice 4"])
    );
    let id = placed["hold"].as_str().ok_or("no hold")?;
    check(
        folder,
        &format!("hold release {id} {of} --by {ALICE} --by {BOB}"),
        0,
        "released",
    )?;
    // compliance only ever grows
    let compliance = format!("{place} --scope class:invoice --mode compliance");
    check(folder, &compliance, 2, "--until")?;
    let placed = json(
        folder,
        &format!("{compliance} --until 2098-01-01T00:00:00Z"),
        0,
    )?;
    let id = placed["hold"].as_str().ok_or("no hold")?;
    let extend = format!("hold extend {id} --by {BOB} {of} --until");
    check(
        folder,
        &format!("{extend} 2097-01-01T00:00:00Z"),
        4,
        "only be moved later",
    )?;
    check(folder, &format!("{extend} 2099-01-01T00:00:00Z"), 0, "2099")?;
    let release = format!("hold release {id} {of} --by {ALICE} --by {BOB}");
    check(folder, &release, 4, "it ends at")?;
    check(folder, &release.replace(id, ALICE), 2, "no hold")?;
    check(
        folder,
        &format!("{place} --scope nothing --mode governance"),
        2,
        "subject:ID",
    )
}

/// A name that is written wrongly holds nothing, and nobody would know before the item is gone.
// clause: P-47
#[tokio::test]
async fn a_hold_that_misses_what_it_means_says_so() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    store(folder).await?;
    init(folder)?;
    let of = format!("--tenant {TENANT} {PLACE}");
    let place = format!("hold place --matter case-17 --by {ALICE} --reason litigation {of}");
    let governance = |scope: &str| format!("{place} --mode governance --scope {scope}");
    check(folder, &governance("items:invoice:3,4"), 0, "2 of 25 items")?;
    check(folder, &governance("class:invoice"), 0, "25 of 25 items")?;
    check(folder, &governance("tenant"), 0, "25 of 25 items")?;
    // whom an item is about the views do not say
    check(folder, &governance("subject:7"), 0, "25 of 25 items")?;
    check(
        folder,
        &governance("items:invoices:3,4"),
        1,
        "0 of 25 items",
    )?;
    check(
        folder,
        &governance("items:invoice:3,99"),
        1,
        "not there    invoice 99",
    )?;
    check(folder, &governance("class:invoices"), 1, "0 of 25 items")?;
    let list = json(folder, &format!("hold list {of}"), 0)?;
    assert_eq!(
        list["holds"].as_array().map(Vec::len),
        Some(7),
        "they all stand"
    );
    let ended = format!("{place} --mode compliance --scope tenant --until 2020-01-01T00:00:00Z");
    check(folder, &ended, 2, "--until has passed")?;
    let id = list["holds"][0]["hold"].as_str().ok_or("no hold")?;
    let twice = format!("hold release {id} {of} --by {ALICE} --by {ALICE}");
    check(folder, &twice, 2, "two different principals")?;
    let list = json(folder, &format!("hold list {of}"), 0)?;
    assert_eq!(list["holds"][0]["state"], "holds", "nobody has asked");
    Ok(())
}

/// Where the answer cannot be written nothing is deleted.
#[tokio::test]
async fn a_place_that_takes_no_file_is_refused_before_anything_goes() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    store(folder).await?;
    init(folder)?;
    let hash = planned(folder)?;
    let line = format!("{} --out", apply(&hash));
    check(
        folder,
        &format!("{line} nowhere/parts.json"),
        2,
        "no such file",
    )?;
    check(folder, &format!("{line} ."), 2, "")?;
    assert_eq!(in_files(folder)?.len(), 25);
    check(folder, &format!("{line} parts.json"), 0, "done         20")?;
    assert!(folder.join("parts.json").is_file());
    Ok(())
}

#[tokio::test]
async fn a_store_that_was_put_back_takes_its_holds_from_the_ledger() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    store(folder).await?;
    init(folder)?;
    let of = format!("--tenant {TENANT} {PLACE}");
    fs::copy(folder.join("rows.db"), folder.join("copy.db"))?;
    let place = format!("hold place --matter case-17 --by {ALICE} --reason litigation {of}");
    check(
        folder,
        &format!("{place} --scope class:invoice --mode governance"),
        0,
        "hold",
    )?;
    let behind = folder.join("behind.db");
    fs::rename(folder.join("copy.db"), folder.join("rows.db"))?;
    for file in ["rows.db-wal", "rows.db-shm"] {
        fs::remove_file(folder.join(file)).or_else(gone)?;
    }
    // without the ledger the copy knows of no hold; with it the hold is back
    let alone = format!("hold list --tenant {TENANT} --store rows.db");
    check(folder, &alone, 0, "no holds")?;
    check(folder, &format!("hold list {of}"), 0, "case-17")?;
    check(folder, &alone, 0, "case-17")?;
    let line = format!("plan --rules rules.toml {of} --out plan.bin");
    assert_eq!(json(folder, &line, 0)?["held"], 25);
    // a ledger that knows less than the store proves nothing
    let other = PLACE.replace("ledger.db", "behind.db");
    check(
        folder,
        &format!("init --tenant {TENANT} {other}"),
        4,
        "does not extend",
    )?;
    assert!(behind.exists());
    check(
        folder,
        &line.replace("ledger.db", "behind.db"),
        4,
        "does not extend",
    )
}

fn gone(error: std::io::Error) -> std::io::Result<()> {
    match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

// clause: P-51
#[tokio::test]
async fn a_clock_far_ahead_of_the_last_deletion_is_doubted() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    store(folder).await?;
    init(folder)?;
    check(folder, &apply(&planned(folder)?), 0, "done         20")?;
    let sql = "INSERT INTO invoice (id, issued_at, salt) VALUES (26, 1577836800, $1)";
    run(folder, sql, Args::new().bind(salt(26))).await?;
    let hash = planned(folder)?;
    let sql = "UPDATE row_mark SET accepted_at = 1577836800000000";
    run(folder, sql, Args::new()).await?;
    let good = apply(&hash);
    check(folder, &good, 4, "the clock says")?;
    check(
        folder,
        &format!("{good} --max-pause P1000Y"),
        0,
        "done         1",
    )?;
    run(folder, sql, Args::new()).await?;
    check(folder, &good, 4, "the clock says")?;
    check(
        folder,
        &format!("{good} --clock-is-right"),
        0,
        "done         1",
    )?;
    check(folder, &good, 0, "done         1")?;
    // a last deletion that is still to come: one of the two times is wrong
    let ahead = "UPDATE row_mark SET accepted_at = 4000000000000000";
    run(folder, ahead, Args::new()).await?;
    check(folder, &good, 4, "the last deletion was later, at 2096")?;
    check(
        folder,
        &format!("{good} --clock-is-right"),
        0,
        "done         1",
    )?;
    check(folder, &good, 0, "done         1")
}

/// An item that goes from one store and stays in another of the same file is found in the file, and
/// rightly so: it is read back, and no search says that it is still there.
#[tokio::test]
async fn what_stays_in_another_store_is_not_taken_for_what_did_not_go() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    store(folder).await?;
    for sql in [
        "CREATE TABLE found AS SELECT id FROM invoice WHERE id <= 3",
        "DROP VIEW retention_item",
        "CREATE VIEW retention_item AS SELECT '0192f3c4-0000-7000-8000-000000000001' AS tenant, \
         'main' AS store, 'invoice' AS class, CAST(id AS TEXT) AS id, 200 AS bytes, NULL AS made_at \
         FROM invoice UNION ALL SELECT '0192f3c4-0000-7000-8000-000000000001', 'search', 'invoice', \
         CAST(id AS TEXT), 8, NULL FROM found",
        "CREATE TRIGGER retention_item_goes INSTEAD OF DELETE ON retention_item \
         WHEN OLD.store = 'search' BEGIN DELETE FROM found WHERE id = CAST(OLD.id AS INTEGER); END",
    ] {
        run(folder, sql, Args::new()).await?;
    }
    let stores = "[[store]]\nid = \"search\"\nkind = \"sql\"\n[[rule]]\nid = \"found\"\n\
                  class = [\"invoice\"]\nstore = [\"search\"]\nbound = \"floor\"\n\
                  from = \"invoice.issued\"\nperiod = \"P1D\"\n";
    let rules = RULES.replace("\"P1D\"", "\"P900Y\"") + stores;
    fs::write(folder.join("rules.toml"), rules)?;
    check(folder, &format!("init --tenant {TENANT} {PLACE}"), 0, "28")?;
    let done = json(folder, &apply(&planned(folder)?), 0)?;
    assert_eq!(
        (&done["ended"]["done"], &done["not_scanned"]),
        (&3.into(), &3.into())
    );
    assert_eq!(
        in_files(folder)?.len(),
        25,
        "they are still where they stay"
    );
    Ok(())
}

#[tokio::test]
async fn bytes_that_stay_and_views_that_do_not_delete_are_told() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    store(folder).await?;
    init(folder)?;
    // a trigger of the integrator keeps what its view deletes
    run(folder, "CREATE TABLE archive (salt BLOB)", Args::new()).await?;
    let sql = "CREATE TRIGGER archived AFTER DELETE ON invoice WHEN OLD.id = 7 BEGIN \
               INSERT INTO archive VALUES (OLD.salt); END";
    run(folder, sql, Args::new()).await?;
    run(folder, "DROP TRIGGER retention_item_goes", Args::new()).await?;
    let good = apply(&planned(folder)?);
    check(folder, &good, 2, "the same command goes on")?;
    let of = format!("--tenant {TENANT} {PLACE}");
    let place = format!("hold place --matter case-17 --by {ALICE} --reason litigation {of}");
    let held = json(
        folder,
        &format!("{place} --scope items:invoice:9 --mode governance"),
        0,
    )?;
    let id = held["hold"].as_str().ok_or("no hold")?;
    // an order that was begun goes on, but not with what is held by now
    let triggers = schema("On SQLite:")?;
    run(folder, triggers.last().ok_or("no trigger")?, Args::new()).await?;
    let ended = json(folder, &good, 4)?;
    assert_eq!(
        ended["ended"],
        serde_json::json!({ "done": 18, "held": 1, "still there": 1 })
    );
    assert_eq!(in_files(folder)?, [7, 9, 21, 22, 23, 24, 25]);
    check(
        folder,
        &format!("hold release {id} {of} --by {ALICE} --by {BOB}"),
        0,
        "released",
    )?;
    check(folder, &good, 1, "still there  invoice 7")?;
    assert_eq!(in_files(folder)?, [7, 21, 22, 23, 24, 25]);
    Ok(())
}

#[tokio::test]
async fn what_is_due_is_listed_and_its_feasibility_said() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    store(folder).await?;
    init(folder)?;
    let of = format!("--tenant {TENANT} {PLACE}");
    let due = format!("due --rules rules.toml --within P1D {of}");
    let listed = json(folder, &due, 0)?;
    assert_eq!(listed["starts"].as_array().map(Vec::len), Some(20));
    assert_eq!(listed["states"]["keep"], 5);
    // a ceiling that lies ahead, and then too much for the rate
    let ceiling = r#"
[[rule]]
id = "gone"
class = ["invoice"]
store = ["main"]
bound = "ceiling"
from = "invoice.issued"
to = "invoice.purged"
period = "P200Y"
"#;
    fs::write(folder.join("rules.toml"), format!("{RULES}{ceiling}"))?;
    check(folder, &due, 0, "gone by 2220")?;
    check(
        folder,
        &format!("{due} --items-per-second 0"),
        1,
        "too late",
    )?;
    let ceiling = ceiling.replace("P200Y", "P2D");
    fs::write(folder.join("rules.toml"), format!("{RULES}{ceiling}"))?;
    check(folder, &due, 1, "overdue      20")?;
    let explain = format!("explain 5 --rules rules.toml --at 2026-11-22T10:00:00Z {of}");
    check(folder, &explain, 1, "overdue")
}

#[tokio::test]
async fn what_cannot_be_asked_is_told_apart() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    store(folder).await?;
    let plan = format!("plan --rules rules.toml --tenant {TENANT}");
    check(folder, &plan, 2, "--store is needed")?;
    check(folder, &format!("{plan} --store nothing.db"), 3, "")?;
    check(folder, &format!("{plan} {PLACE}"), 3, "")?;
    check(folder, &format!("{plan} --store rows.db"), 0, "20 of 25")?;
    let clear = "--store postgres://rows@db.example/rows";
    check(folder, &format!("{plan} {clear}"), 4, "--store")?;
    init(folder)?;
    check(folder, &format!("init --tenant {TENANT} {PLACE}"), 3, "")?;
    let hash = planned(folder)?;
    check(
        folder,
        &apply(&hash).replace("--ledger ledger.db", ""),
        2,
        "--ledger is needed",
    )?;
    run(
        folder,
        "UPDATE invoice SET salt = x'00' WHERE id = 1",
        Args::new(),
    )
    .await?;
    check(folder, &apply(&hash), 2, "a probe has 24 bytes")?;
    run(
        folder,
        "UPDATE invoice SET issued_at = 32503680000 WHERE id = 1",
        Args::new(),
    )
    .await?;
    check(
        folder,
        &apply(&hash),
        4,
        "invoice 1 in main may not go any more",
    )?;
    run(folder, "DROP VIEW retention_probe", Args::new()).await?;
    check(folder, &format!("{plan} {PLACE}"), 0, "19 of 25")?;
    run(folder, "DROP VIEW retention_event", Args::new()).await?;
    check(
        folder,
        &format!("{plan} {PLACE}"),
        2,
        "by the views retention_item",
    )
}
