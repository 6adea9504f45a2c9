//! The program as its user runs it: row 1 opens, row 2 is told nothing but that it does not.

use std::error::Error;
use std::process::Command;

#[test]
fn it_says_so() -> Result<(), Box<dyn Error>> {
    let ran = Command::new(env!("CARGO_BIN_EXE_sealed-field")).output()?;
    assert!(ran.status.success(), "{ran:?}");
    let said = String::from_utf8(ran.stdout)?;
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        ["row 1: for row 1 alone", "row 2: not authentic"]
    );
    Ok(())
}
