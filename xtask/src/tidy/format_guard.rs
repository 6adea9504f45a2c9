//! Guards of `FORMAT.md`: its first block names the source files that write the format, each with
//! a digest; when one changed and the block did not, somebody must read the text again.
//!
//! The block is a comment, a line a file: path from the crate's folder, then git's blob digest.

use std::path::Path;

use crate::environment;
use crate::process::{Fault, command, output};
use crate::tree::File;

const OPEN: &str = "<!-- guards";
const CLOSE: &str = "-->";

/// Every stale guard; `BLESS=1` rewrites them instead.
pub(super) fn check(root: &Path, files: &[File]) -> Result<Vec<String>, Fault> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.name() == "FORMAT.md") {
        let folder = file.path.trim_end_matches("FORMAT.md");
        let Some((_, rest)) = file.text.split_once(OPEN) else {
            findings.push(format!("{}: no block of guards", file.path));
            continue;
        };
        let Some((block, after)) = rest.split_once(CLOSE) else {
            findings.push(format!("{}: the block of guards has no end", file.path));
            continue;
        };
        let guarded: Vec<&str> = block
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        if guarded.is_empty() {
            findings.push(format!("{}: guards no file", file.path));
        }
        let fresh = digests(root, folder, &guarded)?;
        if block == fresh {
            continue;
        }
        if environment::bless() {
            let head = file.text.split(OPEN).next().unwrap_or_default();
            let text = format!("{head}{OPEN}{fresh}{CLOSE}{after}");
            std::fs::write(root.join(&file.path), text)?;
        } else {
            for line in fresh
                .lines()
                .filter(|line| !block.lines().any(|old| old == *line))
            {
                let name = line.split_whitespace().next().unwrap_or_default();
                findings.push(format!(
                    "{}: {folder}{name} changed: read the text again, then BLESS=1 cargo xtask tidy",
                    file.path
                ));
            }
        }
    }
    Ok(findings)
}

fn digests(root: &Path, folder: &str, guarded: &[&str]) -> Result<String, Fault> {
    let mut block = String::from("\n");
    for name in guarded {
        let path = root.join(folder).join(name);
        let mut git = command("git");
        git.current_dir(root)
            .arg("hash-object")
            .arg("--no-filters")
            .arg(&path);
        let digest = match path.is_file() {
            true => output(&mut git)?.trim().to_owned(),
            false => "missing".to_owned(),
        };
        block.push_str(&format!("{name} {digest}\n"));
    }
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_found_until_its_guard_is_renewed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("src")).unwrap();
        std::fs::write(folder.path().join("src/a.rs"), "//! A.\n").unwrap();
        let block = digests(folder.path(), "", &["src/a.rs"]).unwrap();
        let format = |block: &str| File {
            path: "FORMAT.md".to_owned(),
            text: format!("# Format\n\n{OPEN}{block}{CLOSE}\n"),
        };
        assert_eq!(
            check(folder.path(), &[format(&block)]).unwrap(),
            Vec::<String>::new()
        );
        std::fs::write(folder.path().join("src/a.rs"), "//! B.\n").unwrap();
        assert_eq!(check(folder.path(), &[format(&block)]).unwrap().len(), 1);
        let none = File {
            path: "FORMAT.md".to_owned(),
            text: "# Format\n".to_owned(),
        };
        assert_eq!(check(folder.path(), &[none]).unwrap().len(), 1);
    }
}
