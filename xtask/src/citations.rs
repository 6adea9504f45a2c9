//! `citations`: every `// clause: P-51` against `policies/*.toml`, both ways. A citation is a
//! pointer from the code to the promise it keeps; evidence comes only from scenarios that ran.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::process::{Fault, found, root};
use crate::tree::{self, File};

/// What a policy says of one clause, as far as this check reads it.
#[derive(Debug, Clone)]
pub(crate) struct Promise {
    /// The document's id.
    pub(crate) document: String,
    /// The clause's id.
    pub(crate) id: String,
    /// technical, partial, organisational, informational.
    pub(crate) kind: String,
    /// The crates that keep it.
    pub(crate) crates: Vec<String>,
    /// The expected status.
    pub(crate) status: String,
}

/// Floors 1 to 3: a crate of these cites only what it is named for.
const BOUND: &[&str] = &[
    "policy-document",
    "sql-store",
    "crypto-envelope",
    "tenant-isolation",
    "retention-policy",
    "audit-log",
    "pii-scrub",
    "backup-engine",
];

pub(crate) fn run() -> Result<(), Fault> {
    let root = root();
    found(check(&promises(&root)?, &tree::files(&root)?))
}

/// Every violation, from the code to the policies and back.
pub(crate) fn check(promises: &[Promise], files: &[File]) -> Vec<String> {
    let known: BTreeMap<&str, &Promise> = promises.iter().map(|p| (p.id.as_str(), p)).collect();
    let mut findings = Vec::new();
    let mut cited: BTreeSet<(String, String)> = BTreeSet::new();
    for file in files.iter().filter(|file| file.is("rs")) {
        let Some(package) = file.package() else {
            continue;
        };
        for (number, line) in (1_usize..).zip(file.text.lines()) {
            let Some((_, ids)) = line.split_once("// clause:") else {
                continue;
            };
            if line.trim_start().starts_with("//!") || line.trim_start().starts_with("///") {
                continue;
            }
            for id in ids.split(',').map(str::trim) {
                let Some(promise) = known.get(id) else {
                    findings.push(format!("{}:{number}: no clause {id:?}", file.path));
                    continue;
                };
                let named = promise.crates.iter().any(|name| name == package);
                let in_source = file.path.starts_with(&format!("crates/{package}/src/"));
                if in_source && BOUND.contains(&package) && !named {
                    findings.push(format!(
                        "{}:{number}: {id} does not name {package} among its crates",
                        file.path
                    ));
                }
                if in_source {
                    cited.insert((package.to_owned(), id.to_owned()));
                }
            }
        }
    }
    for promise in promises {
        let checked = matches!(promise.kind.as_str(), "technical" | "partial");
        if !checked || promise.status == "untested" {
            continue;
        }
        for package in &promise.crates {
            if !cited.contains(&(package.clone(), promise.id.clone())) {
                findings.push(format!(
                    "{}: {} is {} and cited nowhere in crates/{package}/src",
                    promise.document, promise.id, promise.status
                ));
            }
        }
    }
    findings
}

/// Every clause of `policies/*.toml`, with its expected status.
pub(crate) fn promises(root: &Path) -> Result<Vec<Promise>, Fault> {
    let folder = root.join("policies");
    let expected = table(&folder.join("expected-statuses.toml"))?;
    let mut paths: Vec<_> = std::fs::read_dir(&folder)?.collect::<Result<_, _>>()?;
    paths.sort_by_key(std::fs::DirEntry::file_name);
    let mut promises = Vec::new();
    for entry in paths {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".toml") || name.starts_with("expected-") {
            continue;
        }
        let document = name.trim_end_matches(".toml").to_owned();
        let parsed = table(&path)?;
        let statuses = expected.get(&document);
        for clause in parsed
            .get("clause")
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten()
        {
            let text = |key: &str| {
                clause
                    .get(key)
                    .and_then(toml::Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let id = text("id");
            let status = statuses
                .and_then(|s| s.get(&id))
                .and_then(toml::Value::as_str);
            let crates = clause.get("crates").and_then(toml::Value::as_array);
            promises.push(Promise {
                document: document.clone(),
                kind: text("kind"),
                crates: crates
                    .into_iter()
                    .flatten()
                    .filter_map(|c| c.as_str().map(str::to_owned))
                    .collect(),
                status: status.unwrap_or("untested").to_owned(),
                id,
            });
        }
    }
    Ok(promises)
}

fn table(path: &Path) -> Result<toml::Table, Fault> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Fault::Io(format!("{}: {error}", path.display())))?;
    text.parse()
        .map_err(|error| Fault::Io(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promise(id: &str, crates: &[&str], status: &str) -> Promise {
        Promise {
            document: "prodb".to_owned(),
            id: id.to_owned(),
            kind: "technical".to_owned(),
            crates: crates.iter().map(|name| (*name).to_owned()).collect(),
            status: status.to_owned(),
        }
    }

    fn file(path: &str, text: &str) -> File {
        File {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_kept_clause_that_is_cited_is_clean() {
        let promises = [promise("P-51", &["retention-policy"], "kept")];
        let files = [file(
            "crates/retention-policy/src/a.rs",
            "    // clause: P-51\n",
        )];
        assert_eq!(check(&promises, &files), Vec::<String>::new());
    }

    #[test]
    fn every_planted_violation_is_found() {
        let kept = [promise("P-51", &["retention-policy"], "kept")];
        let cited = file("crates/retention-policy/src/a.rs", "// clause: P-51\n");
        let cases = [
            (
                file("crates/retention-policy/src/b.rs", "// clause: P-99\n"),
                "no clause",
            ),
            (
                file("crates/audit-log/src/b.rs", "// clause: P-51\n"),
                "does not name audit-log",
            ),
            (
                file("crates/covenant/tests/b.rs", "// clause: 51\n"),
                "no clause",
            ),
        ];
        for (planted, expect) in cases {
            let findings = check(&kept, &[cited.clone(), planted]);
            assert_eq!(findings.len(), 1, "{findings:?}");
            assert!(findings[0].contains(expect), "{findings:?}");
        }
        assert!(check(&kept, &[])[0].contains("cited nowhere"));
        let test_only = file("crates/retention-policy/tests/a.rs", "// clause: P-51\n");
        assert_eq!(check(&kept, &[test_only]).len(), 1, "a test is no source");
        assert!(check(&[promise("P-51", &["retention-policy"], "untested")], &[]).is_empty());
    }
}
