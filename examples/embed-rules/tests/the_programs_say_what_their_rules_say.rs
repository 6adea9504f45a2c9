//! The programs as their users run them, and how long they are.

use std::error::Error;
use std::process::Command;

fn said(program: &str) -> Result<String, Box<dyn Error>> {
    let ran = Command::new(program).output()?;
    assert!(ran.status.success(), "{ran:?}");
    Ok(String::from_utf8(ran.stdout)?)
}

#[test]
fn the_first_use_keeps_an_invoice() -> Result<(), Box<dyn Error>> {
    assert_eq!(said(env!("CARGO_BIN_EXE_first-use"))?, "keep\n");
    Ok(())
}

#[test]
fn what_was_restored_is_kept_and_what_was_deleted_goes() -> Result<(), Box<dyn Error>> {
    assert_eq!(
        said(env!("CARGO_BIN_EXE_embed_rules"))?,
        "note from note.deleted: 30 d\n\
         1, day 29: keep by [\"bin\", \"gone\"]\n\
         1, day 31: eligible by [\"bin\", \"gone\"]\n\
         2, day 29: keep by [\"bin\"]\n\
         2, day 31: keep by [\"bin\"]\n"
    );
    Ok(())
}

#[test]
fn they_are_short() {
    let lines = |text: &str| text.lines().filter(|line| !line.starts_with("//")).count();
    assert!(lines(include_str!("../src/first_use.rs")) <= 15);
    assert!(lines(include_str!("../src/embed_rules.rs")) <= 30);
}
