//! `test`: the whole suite, all features, doctests and fuzz corpora, with real servers and with
//! other people's tools; then the suite of a service outside the workspace.

use std::process::Command;

use crate::process::{self, Fault, cargo, found, root};
use crate::servers::postgres::Postgres;
use crate::servers::softhsm;
use crate::{fuzz, oracles};

/// Where tests find the server; absent under a plain `cargo test`, which then says `not run`.
const POSTGRES: &str = "COVENANT_TEST_POSTGRES";
/// Where tests find a PKCS#11 module; without it they look where packages put SoftHSM2.
const PKCS11: &str = "COVENANT_TEST_PKCS11";
/// Where tests find other people's tools; absent under a plain `cargo test`, as above.
const ORACLES: &str = "COVENANT_TEST_ORACLES";
/// A service outside the workspace, with a policy and a lock file of its own.
pub(crate) const OUTSIDE: &str = "examples/acme-notes/Cargo.toml";
/// Set to 1: a server or tool that is missing is a failure.
const REQUIRED: &str = "COVENANT_REQUIRE_SERVERS";

pub(crate) fn run(args: &[String]) -> Result<(), Fault> {
    let oracles = oracles::prepare()?;
    let module = softhsm::module()?;
    let postgres = Postgres::start()?;
    let mut findings = Vec::new();
    let mut workspace = cargo();
    workspace
        .args(["test", "--workspace", "--all-features", "--no-fail-fast"])
        .args(args);
    workspace
        .env(POSTGRES, postgres.url())
        .env(PKCS11, module)
        .env(ORACLES, oracles);
    workspace.env(REQUIRED, "1");
    let mut corpora = fuzz::replay();
    let mut outside = outside();
    for part in [&mut workspace, &mut corpora, &mut outside] {
        match process::run(part) {
            Err(Fault::Found(lines)) => findings.extend(lines),
            other => other?,
        }
    }
    found(findings)
}

/// The command that builds and runs the suite of a service outside the workspace, as its authors
/// would: with its own lock file, and nothing fetched.
fn outside() -> Command {
    let mut test = cargo();
    test.args(["test", "--locked", "--offline", "--manifest-path", OUTSIDE]);
    test.arg("--target-dir")
        .arg(root().join("target/acme-notes"));
    test
}
