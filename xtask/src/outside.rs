//! Packages outside the workspace, each with a lock file of its own: what an integrator would write
//! and build. Every one is formatted, linted and tested with the rest, and the tree that it pays
//! for is capped.

use std::process::Command;

use crate::process::{cargo, root};

/// One package outside the workspace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outside {
    /// Its folder in `examples/`.
    pub(crate) name: &'static str,
    /// Most packages in its tree, development and build dependencies included.
    pub(crate) tree_max: usize,
    /// What its tree must not hold.
    pub(crate) without: &'static [&'static str],
}

/// Every package outside the workspace but `fuzz`.
pub(crate) const OUTSIDE: &[Outside] = &[
    // tests a service of its own with the kit: its system is not ours
    Outside {
        name: "acme-notes",
        tree_max: 70,
        without: &["covenant", "sql-store", "sqlx", "object_store"],
    },
    // asks the rules alone, out of a rule file: no database, no runtime, no cryptography
    Outside {
        name: "embed-rules",
        tree_max: 26,
        without: &[
            "sql-store",
            "sqlx",
            "tokio",
            "ring",
            "rustls",
            "getrandom",
            "libc",
        ],
    },
    // seals one field: no database, no network, no TLS
    Outside {
        name: "sealed-field",
        tree_max: 32,
        without: &["sql-store", "sqlx", "object_store", "rustls", "cryptoki"],
    },
];

impl Outside {
    /// Its manifest, from the root of the tree.
    pub(crate) fn manifest(&self) -> String {
        format!("examples/{}/Cargo.toml", self.name)
    }

    /// Where it is built, from the root of the tree.
    pub(crate) fn target(&self) -> String {
        format!("target/{}", self.name)
    }

    /// The command that builds and runs its suite, as its authors would: with its own lock file,
    /// and nothing fetched.
    pub(crate) fn test(&self) -> Command {
        let mut test = cargo();
        test.args(["test", "--locked", "--offline"]);
        test.args(["--manifest-path", &self.manifest()]);
        test.arg("--target-dir").arg(root().join(self.target()));
        test
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_with_a_lock_file_is_in_the_list() {
        let folders = std::fs::read_dir(root().join("examples")).unwrap();
        let mut found: Vec<String> = folders
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                path.join("Cargo.lock").is_file().then_some(path)
            })
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect();
        found.sort();
        let listed: Vec<_> = OUTSIDE.iter().map(|outside| outside.name).collect();
        assert_eq!(found, listed);
    }
}
