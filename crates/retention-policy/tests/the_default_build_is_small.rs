//! Who embeds the rules alone gets no database, no runtime, no TLS and no cryptography.

use std::collections::BTreeSet;
use std::process::Command;

/// Most crates in the default build, this one included.
const CRATES_MAX: usize = 20;

#[test]
fn no_io_no_runtime_no_cryptography_and_few_crates() -> Result<(), Box<dyn std::error::Error>> {
    let crates = |features: &[&str]| -> Result<BTreeSet<String>, Box<dyn std::error::Error>> {
        let tree = Command::new(env!("CARGO"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["tree", "--offline", "--edges", "normal", "--prefix", "none"])
            .args(["--format", "{p}"])
            .args(features)
            .output()?;
        assert!(
            tree.status.success(),
            "{}",
            String::from_utf8_lossy(&tree.stderr)
        );
        let names = String::from_utf8(tree.stdout)?;
        Ok(names
            .lines()
            .filter_map(|line| line.split(' ').next())
            .map(str::to_owned)
            .collect())
    };
    let heavy = [
        "sqlx",
        "tokio",
        "rustls",
        "ring",
        "sql-store",
        "jiff",
        "libsqlite3-sys",
    ];
    let found = crates(&[])?;
    assert!(
        found.contains("covenant-core") && found.len() <= CRATES_MAX,
        "{found:?}"
    );
    assert!(heavy.iter().all(|name| !found.contains(*name)), "{found:?}");
    // what another language embeds: nothing there needs an operating system, which a browser has not
    let embedded = crates(&["--features", "serde"])?;
    let hindering = [
        "getrandom",
        "rand",
        "libc",
        "mio",
        "socket2",
        "rayon",
        "num_cpus",
        "wasi",
    ];
    for name in hindering.iter().chain(&heavy) {
        assert!(!embedded.contains(*name), "{name} in {embedded:?}");
    }
    // the control: with the features they are seen
    let full = crates(&["--features", "sqlite"])?;
    assert!(
        ["sqlx", "tokio", "ring", "sql-store", "libc", "mio"]
            .iter()
            .all(|name| full.contains(*name))
    );
    Ok(())
}
