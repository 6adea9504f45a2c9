//! `--store` and `--keys` as URLs: records in PostgreSQL over its socket, keys on a PKCS#11 token;
//! a server that is reached in the clear, or without being verified, is refused before it is asked.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use covenant_core::testing::SeededRandom;
use covenant_core::{SystemClock, TxTag};
use sql_store::{Args, Db, Mode, PostgresOptions, Transport};

type Outcome = Result<(), Box<dyn Error>>;

const WHO: &str = "--actor 00000000-0000-0000-0000-0000000000a1 --reason OPS-17";

/// What the test command names in the environment; none where there is none and none is required.
#[expect(
    clippy::disallowed_methods,
    reason = "the test command names its servers this way"
)]
fn named(variable: &str) -> Option<String> {
    let named = std::env::var(variable).ok();
    assert!(
        named.is_some() || std::env::var("COVENANT_REQUIRE_SERVERS").is_err(),
        "{variable} is not set, and servers are required"
    );
    named
}

/// Runs a command on these places, without a shell.
fn keys(folder: &Path, places: [&str; 2], line: &str) -> Result<(i32, String), Box<dyn Error>> {
    let [store, keks] = places;
    let mut command = Command::new(env!("CARGO_BIN_EXE_covenant"));
    command.arg("keys").args(line.split_whitespace());
    command.args(["--store", store, "--keys", keks]);
    command.args(["--schema", "cli_keys"]);
    command.env("SOFTHSM2_CONF", folder.join("softhsm2.conf"));
    let output = command.current_dir(folder).output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((
        output.status.code().ok_or("killed")?,
        String::from_utf8(said)?,
    ))
}

fn check(folder: &Path, places: [&str; 2], line: &str, code: i32, says: &str) -> Outcome {
    let (found, said) = keys(folder, places, line)?;
    assert_eq!(found, code, "{line}: {said}");
    assert!(said.contains(says), "{line}: {said}");
    Ok(())
}

/// An empty schema on the server; the folder of the server's socket.
async fn fresh_schema(url: &str) -> Result<String, Box<dyn Error>> {
    let options = PostgresOptions::new(url, "cli_keys", Transport::Local)?;
    let clock = Arc::new(SystemClock::new());
    let db = Db::open_postgres(options, clock, Arc::new(SeededRandom::new(7))).await?;
    let tag = TxTag {
        txn: covenant_core::TxnId::from_bytes([0; 16]),
        tenant: None,
        decision: None,
    };
    let mut tx = db.begin_with(Mode::ReadWrite, tag).await?;
    tx.execute("DROP SCHEMA IF EXISTS cli_keys CASCADE", Args::new())
        .await?;
    tx.execute("CREATE SCHEMA cli_keys", Args::new()).await?;
    let sql = "SELECT current_setting('unix_socket_directories') AS folder";
    let row = tx.row(sql, Args::new()).await?.ok_or("no setting")?;
    let folder = row.text("folder")?.to_owned();
    tx.commit().await?;
    db.close().await;
    Ok(folder)
}

#[tokio::test]
async fn records_lie_in_postgresql_over_its_socket() -> Outcome {
    let Some(url) = named("COVENANT_TEST_POSTGRES") else {
        println!("not run: no PostgreSQL");
        return Ok(());
    };
    let sockets = fresh_schema(&url).await?;
    let port = url
        .rsplit_once(':')
        .and_then(|(_, rest)| rest.split('/').next());
    let port = port.ok_or("no port")?;
    let store = format!("postgres://postgres@localhost:{port}/postgres?host={sockets}");
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let places = [store.as_str(), "keks"];
    check(folder, places, "init", 0, "standard #1")?;
    let (_, listed) = keys(folder, places, "list --json")?;
    let listed: serde_json::Value = serde_json::from_str(&listed)?;
    let id = listed["keys"][0]["key"]
        .as_str()
        .ok_or("no key")?
        .to_owned();
    check(folder, places, &format!("rotate {id} {WHO}"), 0, "old ends")?;
    check(folder, places, "check", 0, "keys         3")?;
    // the same server, in the clear: refused before it is asked
    check(folder, [url.as_str(), "keks"], "list", 4, "sslmode")
}

#[test]
fn a_server_that_is_not_verified_is_refused() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    for store in [
        "postgres://keys@db.example/keys",
        "postgres://keys@db.example/keys?sslmode=require",
        "postgres://keys@db.example/keys?sslmode=prefer",
        "postgresql://keys@127.0.0.1:5432/keys",
    ] {
        check(folder, [store, "keks"], "init", 4, "--store")?;
    }
    for store in ["mysql://root@db/keys", "sqlite:", "https://db.example/"] {
        check(folder, [store, "keks"], "list", 2, "--store")?;
    }
    for keks in ["https://keys.example/", "pkcs11:token=a"] {
        check(folder, ["keys.db", keks], "init", 2, "--keys")?;
    }
    assert!(!folder.join("keks").exists());
    Ok(())
}

#[test]
fn keys_lie_on_a_token() -> Outcome {
    let Some(module) = named("COVENANT_TEST_PKCS11") else {
        println!("not run: no PKCS#11 module");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let at = |name: &str| folder.join(name);
    fs::create_dir(at("tokens"))?;
    let settings = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        at("tokens").display()
    );
    fs::write(at("softhsm2.conf"), settings)?;
    fs::write(at("pin"), "648219")?;
    fs::set_permissions(at("pin"), fs::Permissions::from_mode(0o600))?;
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "covenant"])
        .args(["--so-pin", "12345678", "--pin", "648219"])
        .env("SOFTHSM2_CONF", at("softhsm2.conf"))
        .output()?;
    assert!(made.status.success(), "{made:?}");
    let pin = at("pin").display().to_string();
    let token = format!("pkcs11:token=covenant?module-path={module}&pin-source=file:{pin}");
    let places = ["keys.db", token.as_str()];
    check(folder, places, "init", 0, "standard #1")?;
    check(folder, places, "check", 0, "keys         2")?;
    assert!(!at("keks").exists());
    fs::write(at("pin"), "000000")?;
    check(folder, places, "list", 3, "PIN")
}
