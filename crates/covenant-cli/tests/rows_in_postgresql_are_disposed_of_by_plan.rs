//! `covenant retention plan` and `apply` on rows in PostgreSQL, as the README describes them: deleted
//! and read back, or with the server's files rewritten and searched.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use covenant_core::testing::SeededRandom;
use covenant_core::{SystemClock, TxTag, TxnId};
use serde_json::Value;
use sql_store::{Args, Db, Mode, PostgresOptions, Transport};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const TENANT: &str = "0192f3c4-0000-7000-8000-000000000001";
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
class = ["invoice"]
store = ["main"]
bound = "floor"
from = "invoice.issued"
to = "invoice.purged"
period = "P1D"
"#;

/// What the test command names in the environment; none where there is none and none is required.
#[expect(
    clippy::disallowed_methods,
    reason = "the test command names its servers this way"
)]
fn server() -> Option<String> {
    let named = std::env::var("COVENANT_TEST_POSTGRES").ok();
    assert!(
        named.is_some() || std::env::var("COVENANT_REQUIRE_SERVERS").is_err(),
        "COVENANT_TEST_POSTGRES is not set, and servers are required"
    );
    named
}

/// The statements of the README.
fn schema() -> Outcome<Vec<&'static str>> {
    let readme = include_str!("../README.md");
    let (_, after) = readme
        .split_once("On PostgreSQL, with")
        .ok_or("no such section")?;
    let (_, sql) = after.split_once("```sql\n").ok_or("no SQL")?;
    let (sql, _) = sql.split_once("```").ok_or("no end")?;
    Ok(sql.split("\n\n").collect())
}

fn salt(id: i64) -> Vec<u8> {
    format!("salt-{id:019}").into_bytes()
}

/// Six invoices in a schema of their own, of which four may go; the folders of the server's socket
/// and of its data.
async fn store(url: &str) -> Outcome<[String; 2]> {
    let options = PostgresOptions::new(url, "cli_rows", Transport::Local)?;
    let clock = Arc::new(SystemClock::new());
    let db = Db::open_postgres(options, clock, Arc::new(SeededRandom::new(7))).await?;
    let tag = TxTag {
        txn: TxnId::from_bytes([0; 16]),
        tenant: None,
        decision: None,
    };
    let mut tx = db.begin_with(Mode::ReadWrite, tag).await?;
    for sql in [
        "DROP SCHEMA IF EXISTS cli_rows CASCADE",
        "DROP SCHEMA IF EXISTS cli_rows_ledger CASCADE",
        "CREATE SCHEMA cli_rows",
        "CREATE SCHEMA cli_rows_ledger",
    ] {
        tx.execute(sql, Args::new()).await?;
    }
    for sql in schema()? {
        tx.execute(sql, Args::new()).await?;
    }
    for id in 1..=6_i64 {
        let issued = if id <= 4 {
            1_577_836_800_i64
        } else {
            32_503_680_000
        };
        let args = Args::new().bind(TENANT.parse::<uuid::Uuid>()?).bind(id);
        let args = args.bind(issued).bind(salt(id)).bind(vec![7_u8; 200]);
        let sql = "INSERT INTO invoice VALUES ($1, $2, to_timestamp($3::bigint), $4, $5)";
        tx.execute(sql, args).await?;
    }
    let sql = "SELECT current_setting('unix_socket_directories') AS socket, \
               current_setting('data_directory') AS data";
    let row = tx.row(sql, Args::new()).await?.ok_or("no setting")?;
    let folders = [row.text("socket")?.to_owned(), row.text("data")?.to_owned()];
    tx.commit().await?;
    db.close().await;
    Ok(folders)
}

fn run(folder: &Path, place: &str, line: &str, code: i32) -> Outcome<Value> {
    let line = format!("retention {line} --json {place}");
    let args: Vec<&str> = line.split_whitespace().collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_covenant"));
    let output = command.args(args).current_dir(folder).output()?;
    let out = String::from_utf8(output.stdout)?;
    let err = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(code), "{line}: {out}{err}");
    Ok(serde_json::from_str(&out)?)
}

// clause: P-52
#[tokio::test]
async fn rows_go_and_the_servers_files_are_searched() -> Outcome {
    let Some(url) = server() else {
        println!("not run: no PostgreSQL");
        return Ok(());
    };
    for (how, scanned) in [("--read-back-only", false), ("--files", true)] {
        let [sockets, data] = store(&url).await?;
        let port = url
            .rsplit_once(':')
            .and_then(|(_, rest)| rest.split('/').next());
        let port = port.ok_or("no port")?;
        let server = format!("postgres://postgres@localhost:{port}/postgres?host={sockets}");
        let place = format!(
            "--store {server} --schema cli_rows --ledger {server} --ledger-schema cli_rows_ledger"
        );
        let folder = tempfile::tempdir()?;
        let folder = folder.path();
        fs::write(folder.join("rules.toml"), RULES)?;
        let of = format!("--tenant {TENANT}");
        run(folder, &place, &format!("init {of}"), 0)?;
        let plan = format!("plan --rules rules.toml --out plan.bin {of}");
        let planned = run(folder, &place, &plan, 0)?;
        assert_eq!(planned["there"], 6);
        let hash = planned["plan"].as_str().ok_or("no hash")?;
        let apply = format!(
            "apply --plan plan.bin --hash {hash} --rules rules.toml --max-items 4 --max-percent 100"
        );
        // whoever does not say what becomes of the bytes is asked
        run(folder, &place, &apply, 2)?;
        let how = if scanned {
            format!("{how} {data} --turn-log")
        } else {
            how.to_owned()
        };
        let done = run(folder, &place, &format!("{apply} {how}"), 0)?;
        assert_eq!(done["ended"], serde_json::json!({ "done": 4 }));
        assert_eq!(done["not_scanned"], if scanned { 0 } else { 4 });
        let line = &done["parts"][0]["stores"][0];
        assert_eq!(line["scanned_bytes"].is_null(), !scanned, "{line}");
        assert_eq!(run(folder, &place, &plan, 0)?["there"], 2);
    }
    Ok(())
}
