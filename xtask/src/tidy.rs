//! `tidy`: habits of the tree that a compiler does not see.

mod format_guard;
mod vendor;

use std::path::Path;

use crate::process::{Fault, found, root};
use crate::tree::{self, File};

/// Endings of type names that say nothing (STYLE.md 4).
const EMPTY_NAMES: &[&str] = &["Manager", "Helper", "Handler", "Util", "Utils"];

/// Ways in which SQL computes a date; no SQL of ours does (DESIGN.md, decision 2).
const SQL_DATES: &[&str] = &[
    "date(",
    "datetime(",
    "strftime(",
    "julianday(",
    "unixepoch(",
    "interval",
    "age(",
    "date_trunc(",
    "date_part(",
    "extract(",
    "make_interval(",
    "current_date",
];

/// Hosts of package registries: the tree names packages, never where they are kept.
const REGISTRIES: &[&str] = &[
    concat!("static.cra", "tes.io"),
    concat!("index.cra", "tes.io"),
    concat!("pypi", ".org"),
    concat!("registry.npm", "js.org"),
    concat!("deb.deb", "ian.org"),
];

/// Longest file in bytes: what is larger is a product or a data set, and every clone carries it.
const FILE_LEN_BYTES_MAX: u64 = 1 << 20;

pub(crate) fn run() -> Result<(), Fault> {
    let root = root();
    let files = tree::files(&root)?;
    let mut findings = check(&files);
    findings.extend(too_long(&root)?);
    findings.extend(format_guard::check(&root, &files)?);
    match vendor::sources(&root)? {
        Some(sources) => findings.extend(vendor::check(&sources, &files)),
        None => eprintln!("tidy: not run: vendor sentences (no ../shared/seeds)"),
    }
    found(findings)
}

/// Every violation in these files, but for those that need other sources.
pub(crate) fn check(files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files {
        if file.is("rs") {
            rust(file, &mut findings);
        }
        if file.is("sql") {
            sql(file, &mut findings);
        }
        if file.name() != "Cargo.lock" {
            for host in REGISTRIES {
                if file.text.contains(host) {
                    findings.push(format!("{}: names a registry's host", file.path));
                }
            }
        }
    }
    readmes(files, &mut findings);
    findings
}

/// Files that are too long for a tree of sources, whatever is in them.
fn too_long(root: &Path) -> Result<Vec<String>, Fault> {
    let lengths = tree::lengths(root)?.into_iter();
    let long = lengths.filter(|(_, length)| *length > FILE_LEN_BYTES_MAX);
    let say = |(path, length)| format!("{path}: {length} bytes, over {FILE_LEN_BYTES_MAX}");
    Ok(long.map(say).collect())
}

fn rust(file: &File, findings: &mut Vec<String>) {
    let path = &file.path;
    if !file.text.starts_with("//!") && !generated(path) {
        findings.push(format!("{path}: does not open with //! (STYLE.md 2.3)"));
    }
    if path.contains("/src/") && file.name() == "mod.rs" {
        findings.push(format!(
            "{path}: x.rs with x/ beside it, no mod.rs (STYLE.md 2.2)"
        ));
    }
    // This file holds the patterns that it looks for.
    if path.starts_with("xtask/src/tidy") {
        return;
    }
    for (number, line) in (1_usize..).zip(file.text.lines()) {
        let code = line.split("//").next().unwrap_or_default();
        let mut say = |what: &str| findings.push(format!("{path}:{number}: {what}"));
        if (code.contains("now_utc()") || code.contains("UtcDateTime::now()"))
            && !path.ends_with("clock.rs")
        {
            say("reads the wall clock: take a Clock");
        }
        if code.contains("tokio::time::pause") || code.contains("start_paused") {
            say("pauses tokio's clock");
        }
        if code.trim_start().starts_with("#[ignore") {
            say("an ignored test");
        }
        if let Some(name) = declared_type(code)
            && EMPTY_NAMES.iter().any(|ending| name.ends_with(ending))
        {
            say("a type name that says nothing (STYLE.md 4)");
        }
    }
}

/// The name that a line declares as struct, enum, trait or type.
fn declared_type(code: &str) -> Option<&str> {
    let mut words = code
        .split_whitespace()
        .skip_while(|word| word.starts_with("pub"));
    let keyword = words.next()?;
    let declares = matches!(keyword, "struct" | "enum" | "trait" | "type");
    let name = words.next().filter(|_| declares)?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
}

fn sql(file: &File, findings: &mut Vec<String>) {
    for (number, line) in (1_usize..).zip(file.text.lines()) {
        let code = line
            .split("--")
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        if SQL_DATES.iter().any(|pattern| word_in(&code, pattern)) {
            findings.push(format!("{}:{number}: computes a date in SQL", file.path));
        }
    }
}

/// Whether the pattern stands in the text at the start of a word.
fn word_in(text: &str, pattern: &str) -> bool {
    text.match_indices(pattern).any(|(at, _)| {
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

fn readmes(files: &[File], findings: &mut Vec<String>) {
    for file in files {
        let Some(package) = file.package() else {
            continue;
        };
        if file.path == format!("crates/{package}/Cargo.toml") {
            let readme = format!("crates/{package}/README.md");
            if !files.iter().any(|other| other.path == readme) {
                findings.push(format!("{readme}: missing"));
            }
        }
    }
}

/// Files whose text a compiler or generator dictates: compile-fail cases.
fn generated(path: &str) -> bool {
    path.contains("/tests/ui/") || path.contains("/tests/compile_fail/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_clean_tree_has_no_finding() {
        let files = [
            file("crates/a/Cargo.toml", ""),
            file("crates/a/README.md", ""),
            file("crates/a/src/lib.rs", "//! A.\nstruct Plan;\n"),
            file(
                "crates/a/sql/select_item.sql",
                "SELECT update_at FROM item -- date(x)\n",
            ),
        ];
        assert_eq!(check(&files), Vec::<String>::new());
    }

    #[test]
    fn every_planted_violation_is_found() {
        let cases = [
            ("src/a.rs", "struct A;", "open with"),
            ("a/src/b/mod.rs", "//! B.", "no mod.rs"),
            (
                "src/a.rs",
                "//! A.\nlet t = OffsetDateTime::now_utc();",
                "wall clock",
            ),
            ("tests/a.rs", "//! A.\n#[ignore]\nfn a() {}", "ignored test"),
            ("src/a.rs", "//! A.\ntokio::time::pause();", "tokio's clock"),
            (
                "src/a.rs",
                "//! A.\npub(crate) struct KeyManager {}",
                "says nothing",
            ),
            (
                "sql/select_due.sql",
                "SELECT date(at, '+6 months') FROM due",
                "date in SQL",
            ),
            (
                "sql/select_due.sql",
                "SELECT now() + INTERVAL '1 day'",
                "date in SQL",
            ),
            ("crates/a/Cargo.toml", "", "README.md: missing"),
            ("docs/a.md", concat!("see pypi", ".org"), "registry"),
        ];
        for (path, text, expect) in cases {
            let findings = check(&[file(path, text)]);
            assert_eq!(findings.len(), 1, "{path}: {findings:?}");
            assert!(findings[0].contains(expect), "{findings:?}");
        }
    }

    #[test]
    fn a_file_over_one_mebibyte_is_found_if_the_tree_has_it() {
        let tree = tempfile::tempdir().unwrap();
        let write = |name: &str, length: u64| {
            let bytes = vec![0xFF; usize::try_from(length).unwrap()];
            std::fs::write(tree.path().join(name), bytes).unwrap();
        };
        let mut git = std::process::Command::new("git");
        git.current_dir(tree.path()).args(["init", "--quiet"]);
        assert!(git.status().unwrap().success());
        write("full.bin", FILE_LEN_BYTES_MAX);
        write("ignored.bin", FILE_LEN_BYTES_MAX + 1);
        std::fs::write(tree.path().join(".gitignore"), "ignored.bin\n").unwrap();
        assert_eq!(too_long(tree.path()).unwrap(), Vec::<String>::new());
        write("long.bin", FILE_LEN_BYTES_MAX + 1);
        assert_eq!(
            too_long(tree.path()).unwrap(),
            ["long.bin: 1048577 bytes, over 1048576"]
        );
    }
}
