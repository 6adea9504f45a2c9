//! `covenant keys`: a life of a key store by the command alone; changes need a reason and an
//! actor; the state table answers through exit codes.

#[cfg(test)]
mod common;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use common::said;

type Outcome = Result<(), Box<dyn Error>>;

const WHO: &str = "--actor 00000000-0000-0000-0000-0000000000a1 --reason OPS-17";

/// Runs `covenant keys` with these words on the folder's store; the code and what was said.
fn keys(folder: &Path, line: &str) -> Result<(i32, String), Box<dyn Error>> {
    said(folder, &format!("keys {line} --store keys.db --keys keks"))
}

fn check(folder: &Path, line: &str, code: i32, says: &str) -> Outcome {
    common::check(
        folder,
        &format!("keys {line} --store keys.db --keys keks"),
        code,
        says,
    )
}

/// The key-encryption key of a group: its id.
fn kek(folder: &Path, group: &str) -> Result<String, Box<dyn Error>> {
    let (_, said) = keys(folder, "list --json")?;
    let listed: Value = serde_json::from_str(&said)?;
    let listed = listed.get("keys").and_then(Value::as_array);
    let mut of_group = listed.ok_or("no keys")?.iter().rev();
    let kek = of_group.find(|kek| kek.get("group") == Some(&Value::from(group)));
    let id = kek.and_then(|kek| kek.get("key")).and_then(Value::as_str);
    Ok(id.ok_or("no such group")?.to_owned())
}

#[test]
fn from_init_to_destruction() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    check(folder, "list", 3, "")?;
    check(folder, "init", 0, "standard #1")?;
    check(folder, "init", 3, "")?;
    let id = kek(folder, "standard")?;
    check(folder, &format!("show {id}"), 0, "expires at")?;
    check(folder, "check", 0, "keys         2")?;

    let no_reason = format!("disable {id} --actor 00000000-0000-0000-0000-0000000000a1");
    check(folder, &no_reason, 2, "--reason")?;
    check(folder, &format!("disable {id} {WHO}"), 0, "disabled")?;
    check(folder, &format!("rotate {id} {WHO}"), 4, "disabled")?;
    check(folder, &format!("enable {id} {WHO}"), 0, "enabled")?;
    check(folder, &format!("rotate {id} {WHO}"), 0, "rewrapped    0")?;
    check(folder, "list", 0, "standard #2")?;
    check(folder, &format!("show {id}"), 0, "pending deletion")?;
    let again = format!("schedule-destruction {id} --days 7 {WHO}");
    check(folder, &again, 4, "pending deletion already")?;
    check(
        folder,
        &format!("cancel-destruction {id} {WHO}"),
        0,
        "disabled",
    )?;
    for days in ["6", "31", "0", "07"] {
        let line = format!("schedule-destruction {id} --days {days} {WHO}");
        check(folder, &line, 2, "7 to 30")?;
    }
    check(folder, &again, 0, "destroyed")?;
    check(folder, &format!("destroy-due {WHO}"), 0, "destroyed    0")?;
    let other = "00000000-0000-0000-0000-0000000000b2";
    check(folder, &format!("show {other}"), 2, "no such key")
}

#[test]
fn a_lost_or_open_key_file_is_told() -> Outcome {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    check(folder, "init", 0, "sensitive #1")?;
    let id = kek(folder, "standard")?;
    let file = folder
        .join("keks")
        .join(format!("{}.kek", id.replace('-', "")));
    let bytes = fs::read(&file)?;
    check(folder, &format!("rotate {id} {WHO}"), 0, "old ends")?;
    fs::remove_file(&file)?;
    check(folder, "check", 1, "does not open what it wrapped")?;
    fs::write(&file, &bytes)?;
    // written anew it is readable by others
    check(folder, "check", 4, "")?;
    Command::new("chmod").arg("600").arg(&file).status()?;
    check(folder, "check", 0, "keys         3")
}
