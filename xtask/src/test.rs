//! `test`: the whole suite, all features, doctests and fuzz corpora, with real servers and with
//! other people's tools.

use crate::process::{self, Fault, cargo, found};
use crate::servers::postgres::Postgres;
use crate::{fuzz, oracles};

/// Where tests find the server; absent under a plain `cargo test`, which then says `not run`.
const POSTGRES: &str = "COVENANT_TEST_POSTGRES";
/// Where tests find other people's tools; absent under a plain `cargo test`, as above.
const ORACLES: &str = "COVENANT_TEST_ORACLES";
/// Set to 1: a server or tool that is missing is a failure.
const REQUIRED: &str = "COVENANT_REQUIRE_SERVERS";

pub(crate) fn run(args: &[String]) -> Result<(), Fault> {
    let oracles = oracles::prepare()?;
    let postgres = Postgres::start()?;
    let mut findings = Vec::new();
    let mut workspace = cargo();
    workspace
        .args(["test", "--workspace", "--all-features", "--no-fail-fast"])
        .args(args);
    workspace
        .env(POSTGRES, postgres.url())
        .env(ORACLES, oracles);
    workspace.env(REQUIRED, "1");
    let mut corpora = fuzz::replay();
    for part in [&mut workspace, &mut corpora] {
        match process::run(part) {
            Err(Fault::Found(lines)) => findings.extend(lines),
            other => other?,
        }
    }
    found(findings)
}
