//! `layers`: the arrows between crates go down only, each foreign crate is used only by those who
//! may, floor 2 takes SQL only behind a feature, and every member inherits the lints.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::outside::{OUTSIDE, Outside};
use crate::process::{Fault, cargo, found, output, root};

/// Normal dependencies on the workspace that each package may have (DESIGN.md, crates and arrows).
const ALLOWED: &[(&str, &[&str])] = &[
    ("covenant-core", &[]),
    ("pii-scrub-derive", &[]),
    ("policy-document", &["covenant-core"]),
    ("sql-store", &["covenant-core"]),
    ("crypto-envelope", &["covenant-core", "sql-store"]),
    ("tenant-isolation", &["covenant-core", "sql-store"]),
    ("retention-policy", &["covenant-core", "sql-store"]),
    ("audit-log", &["covenant-core", "sql-store"]),
    (
        "pii-scrub",
        &["covenant-core", "sql-store", "pii-scrub-derive"],
    ),
    (
        "backup-engine",
        &[
            "covenant-core",
            "sql-store",
            "crypto-envelope",
            "retention-policy",
        ],
    ),
    ("covenant", UP_TO_FLOOR_3),
    ("covenant-cli", UP_TO_FLOOR_4),
    ("conformance", UP_TO_FLOOR_4),
    ("examples", UP_TO_FLOOR_4),
    ("benches", MEASURED),
    ("xtask", &[]),
];

const UP_TO_FLOOR_3: &[&str] = &[
    "covenant-core",
    "policy-document",
    "sql-store",
    "crypto-envelope",
    "tenant-isolation",
    "retention-policy",
    "audit-log",
    "pii-scrub",
    "backup-engine",
];

const UP_TO_FLOOR_4: &[&str] = &[
    "covenant-core",
    "policy-document",
    "sql-store",
    "crypto-envelope",
    "tenant-isolation",
    "retention-policy",
    "audit-log",
    "pii-scrub",
    "backup-engine",
    "covenant",
];

/// What a bench may measure: the library of floor 5 too, which only an integrator else depends on.
const MEASURED: &[&str] = &[
    "covenant-core",
    "policy-document",
    "sql-store",
    "crypto-envelope",
    "tenant-isolation",
    "retention-policy",
    "audit-log",
    "pii-scrub",
    "backup-engine",
    "covenant",
    "conformance",
];

/// Floor 2: sees sql-store only behind a feature.
const FLOOR_2: &[&str] = &[
    "crypto-envelope",
    "tenant-isolation",
    "retention-policy",
    "audit-log",
    "pii-scrub",
];

/// Who of ours may use a foreign crate directly (STYLE.md 5; `deny.toml` has the same lists).
const WRAPPERS: &[(&str, &[&str])] = &[
    (
        "ring",
        &[
            "covenant-core",
            "crypto-envelope",
            "tenant-isolation",
            "audit-log",
            "pii-scrub",
        ],
    ),
    ("rustls", &["crypto-envelope"]),
    ("sqlx", &["sql-store", "crypto-envelope", "backup-engine"]),
    ("libsqlite3-sys", &["sql-store"]),
    (
        "object_store",
        &[
            "crypto-envelope",
            "tenant-isolation",
            "audit-log",
            "pii-scrub",
            "backup-engine",
            "covenant",
        ],
    ),
    ("chrono", &[]),
    ("cryptoki", &["crypto-envelope"]),
    ("jiff", &["covenant-core"]),
    ("md-5", &["pii-scrub"]),
    ("sha2", &[]),
];

/// Most packages in the tree of a default build (`cargo tree -e normal`), ours included.
const TREE_MAX: &[(&str, usize)] = &[("retention-policy", 20), ("covenant-core", 20)];

/// What cargo metadata says of one workspace package, as far as this check reads it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Package {
    name: String,
    dependencies: Vec<Dependency>,
    inherits_lints: bool,
}

#[derive(Debug, Clone)]
struct Dependency {
    name: String,
    kind: String,
    optional: bool,
}

pub(crate) fn run() -> Result<(), Fault> {
    let packages = packages()?;
    let mut findings = check(&packages);
    findings.extend(trees()?);
    for outside in OUTSIDE {
        findings.extend(outside_tree(outside)?);
    }
    found(findings)
}

/// Every violation in these packages.
pub(crate) fn check(packages: &[Package]) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let ours: BTreeSet<&str> = allowed.keys().copied().collect();
    let mut findings = Vec::new();
    for package in packages {
        let name = package.name.as_str();
        let Some(arrows) = allowed.get(name) else {
            findings.push(format!(
                "{name}: no floor: add it to the table in xtask/src/layers.rs"
            ));
            continue;
        };
        if !package.inherits_lints {
            findings.push(format!("{name}: [lints] workspace = true is missing"));
        }
        for dependency in &package.dependencies {
            let to = dependency.name.as_str();
            if dependency.kind == "dev" {
                let below = arrows.contains(&to) || to == name;
                if ours.contains(to) && !below {
                    findings.push(format!("{name} -> {to}: a test may not use it (DESIGN.md)"));
                }
                continue;
            }
            if ours.contains(to) && !arrows.contains(&to) {
                findings.push(format!("{name} -> {to}: not an allowed arrow (DESIGN.md)"));
            }
            if to == "sql-store" && FLOOR_2.contains(&name) && !dependency.optional {
                findings.push(format!("{name} -> sql-store: must be optional on floor 2"));
            }
            for (foreign, users) in WRAPPERS {
                let exempt = matches!(name, "benches" | "xtask");
                if to == *foreign && !users.contains(&name) && !exempt {
                    findings.push(format!("{name} -> {to}: not among its users (STYLE.md 5)"));
                }
            }
        }
    }
    findings
}

fn packages() -> Result<Vec<Package>, Fault> {
    let text = output(cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: Value =
        serde_json::from_str(&text).map_err(|e| Fault::Io(format!("cargo metadata: {e}")))?;
    let mut packages = Vec::new();
    for value in list(&metadata, "packages") {
        let manifest = std::fs::read_to_string(text_of(value, "manifest_path"))?;
        packages.push(Package {
            name: text_of(value, "name"),
            dependencies: list(value, "dependencies").iter().map(dependency).collect(),
            inherits_lints: inherits_lints(&manifest),
        });
    }
    Ok(packages)
}

fn dependency(value: &Value) -> Dependency {
    Dependency {
        name: text_of(value, "name"),
        kind: value
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or("normal")
            .to_owned(),
        optional: value
            .get("optional")
            .and_then(Value::as_bool)
            .unwrap_or_default(),
    }
}

fn inherits_lints(manifest: &str) -> bool {
    let table: Option<toml::Table> = manifest.parse().ok();
    let lints = table.as_ref().and_then(|table| table.get("lints"));
    lints
        .and_then(|lints| lints.get("workspace"))
        .and_then(toml::Value::as_bool)
        == Some(true)
}

fn trees() -> Result<Vec<String>, Fault> {
    let mut findings = Vec::new();
    for (package, max) in TREE_MAX {
        let mut tree = cargo();
        tree.args(["tree", "-p", package, "-e", "normal", "--prefix", "none"])
            .current_dir(root());
        let text = output(&mut tree)?;
        let crates: BTreeSet<&str> = text
            .lines()
            .filter_map(|line| line.split(" (").next())
            .collect();
        if crates.len() > *max {
            findings.push(format!(
                "{package}: {} crates in its tree, at most {max}",
                crates.len()
            ));
        }
    }
    Ok(findings)
}

/// The tree of a package outside the workspace, which is what an integrator pays.
fn outside_tree(outside: &Outside) -> Result<Vec<String>, Fault> {
    let mut tree = cargo();
    tree.args(["tree", "--locked", "--prefix", "none"]);
    let text = output(tree.args(["--manifest-path", &outside.manifest()]))?;
    Ok(too_much(outside, &text))
}

fn too_much(outside: &Outside, tree: &str) -> Vec<String> {
    let Outside {
        name,
        tree_max,
        without,
    } = outside;
    let crates: BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split(" (").next())
        .collect();
    let mut findings = Vec::new();
    if crates.len() > *tree_max {
        findings.push(format!(
            "{name}: {} crates in its tree, at most {tree_max}",
            crates.len()
        ));
    }
    for foreign in *without {
        let is = |line: &&&str| line.split(' ').next() == Some(*foreign);
        if crates.iter().any(|line| is(&line)) {
            findings.push(format!("{name}: builds {foreign}"));
        }
    }
    findings
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn text_of(value: &Value, key: &str) -> String {
    value
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, &str, bool)]) -> Package {
        let dependencies = dependencies
            .iter()
            .map(|(name, kind, optional)| Dependency {
                name: (*name).to_owned(),
                kind: (*kind).to_owned(),
                optional: *optional,
            })
            .collect();
        Package {
            name: name.to_owned(),
            dependencies,
            inherits_lints: true,
        }
    }

    #[test]
    fn an_arrow_down_is_allowed() {
        let sound = package(
            "audit-log",
            &[("sql-store", "normal", true), ("ring", "normal", false)],
        );
        assert_eq!(check(&[sound]), Vec::<String>::new());
    }

    #[test]
    fn every_planted_violation_is_found() {
        let cases: &[(&str, (&str, &str, bool), &str)] = &[
            (
                "pii-scrub",
                ("audit-log", "normal", true),
                "not an allowed arrow",
            ),
            (
                "covenant-core",
                ("sql-store", "build", false),
                "not an allowed arrow",
            ),
            (
                "retention-policy",
                ("sql-store", "normal", false),
                "must be optional",
            ),
            (
                "retention-policy",
                ("ring", "normal", true),
                "not among its users",
            ),
            ("covenant", ("sqlx", "normal", false), "not among its users"),
            (
                "sql-store",
                ("audit-log", "dev", false),
                "a test may not use it",
            ),
            ("newcomer", ("time", "normal", false), "no floor"),
        ];
        for (name, dependency, expect) in cases {
            let findings = check(&[package(name, &[*dependency])]);
            assert_eq!(findings.len(), 1, "{name}: {findings:?}");
            assert!(findings[0].contains(expect), "{findings:?}");
        }
    }

    #[test]
    fn a_manifest_without_the_lints_is_found() {
        let mut careless = package("xtask", &[]);
        careless.inherits_lints = inherits_lints("[package]\nname = \"xtask\"\n");
        assert_eq!(check(&[careless]).len(), 1);
        assert!(inherits_lints("[lints]\nworkspace = true\n"));
    }

    #[test]
    fn an_integrators_tree_has_a_cap_and_does_not_hold_our_system() {
        let outside = Outside {
            name: "acme",
            tree_max: 2,
            without: &["covenant"],
        };
        let check = |tree| too_much(&outside, tree);
        let sound = "acme v0.0.0 (/x)\nserde v1.0.0\nserde v1.0.0 (*)\n";
        assert_eq!(check(sound), Vec::<String>::new());
        assert_eq!(
            check("acme v0.0.0 (/x)\nserde v1.0.0\ntime v0.3.0\n"),
            ["acme: 3 crates in its tree, at most 2"]
        );
        assert_eq!(
            check("covenant v0.1.0 (/x)\ncovenant-core v0.1.0 (/y)\n"),
            ["acme: builds covenant"]
        );
    }

    #[test]
    fn the_workspace_itself_is_read() {
        let packages = packages().unwrap();
        assert!(
            packages.iter().any(|p| p.name == "covenant-core"),
            "{packages:?}"
        );
        assert!(packages.iter().any(|p| !p.dependencies.is_empty()));
    }
}
