//! `test`: the whole suite, all features, doctests and fuzz corpora, with real servers and with
//! other people's tools; then the suites of the packages outside the workspace.

use crate::environment::{self, SEED};
use crate::outside::{OUTSIDE, Outside};
use crate::process::{self, Fault, cargo, command, found, output};
use crate::servers::postgres::Postgres;
use crate::servers::softhsm;
use crate::{fuzz, oracles};

/// Where tests find the server; absent under a plain `cargo test`, which then says `not run`.
const POSTGRES: &str = "COVENANT_TEST_POSTGRES";
/// Where tests find a PKCS#11 module; without it they look where packages put SoftHSM2.
const PKCS11: &str = "COVENANT_TEST_PKCS11";
/// Where tests find other people's tools; absent under a plain `cargo test`, as above.
const ORACLES: &str = "COVENANT_TEST_ORACLES";
/// Set to 1: a server or tool that is missing is a failure.
const REQUIRED: &str = "COVENANT_REQUIRE_SERVERS";

pub(crate) fn run(args: &[String]) -> Result<(), Fault> {
    let oracles = oracles::prepare()?;
    let module = softhsm::module()?;
    let postgres = Postgres::start()?;
    let seed = seed();
    if let Some(seed) = &seed {
        println!("property tests draw from {SEED}={seed}");
    }
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
    let outside = OUTSIDE.iter().map(Outside::test);
    for mut part in [workspace, fuzz::replay()].into_iter().chain(outside) {
        if let Some(seed) = &seed {
            part.env(SEED, seed);
        }
        match process::run(&mut part) {
            Err(Fault::Found(lines)) => findings.extend(lines),
            other => other?,
        }
    }
    found(findings)
}

/// The seed that is asked for, else one made of the commit: every commit draws cases of its own, and
/// a run of the same commit says the same again. `None` where there is no commit: cases are new then.
fn seed() -> Option<String> {
    if let Some(asked) = environment::seed() {
        return Some(asked);
    }
    let commit = output(command("git").args(["rev-parse", "HEAD"])).ok()?;
    let digits = commit.trim().get(..15)?;
    let number = u64::from_str_radix(digits, 16).ok()?;
    Some(number.to_string())
}
