//! The files of the tree, as git sees them: tracked, and new ones that are not ignored.

use std::collections::BTreeMap;
use std::path::Path;

use crate::process::{Fault, command, output};

/// A text file of the tree: its path from the root, with forward slashes, and its text.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Path from the root.
    pub(crate) path: String,
    /// The text.
    pub(crate) text: String,
}

impl File {
    /// Whether the path ends so.
    pub(crate) fn is(&self, extension: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|e| e == extension)
    }

    /// The crate folder it lies in, if it lies in `crates/`.
    pub(crate) fn package(&self) -> Option<&str> {
        self.path
            .strip_prefix("crates/")
            .and_then(|rest| rest.split('/').next())
    }

    /// The file's name.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// Every text file of the tree.
pub(crate) fn files(root: &Path) -> Result<Vec<File>, Fault> {
    let mut files = Vec::new();
    for path in paths(root)? {
        let Ok(bytes) = std::fs::read(root.join(&path)) else {
            continue;
        };
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(File { path, text });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// The length in bytes of every file of the tree, text or not, by its path from the root.
pub(crate) fn lengths(root: &Path) -> Result<BTreeMap<String, u64>, Fault> {
    let mut lengths = BTreeMap::new();
    for path in paths(root)? {
        if let Ok(metadata) = std::fs::symlink_metadata(root.join(&path)) {
            lengths.insert(path, metadata.len());
        }
    }
    Ok(lengths)
}

/// Paths from the root, as git lists them.
fn paths(root: &Path) -> Result<Vec<String>, Fault> {
    let mut git = command("git");
    git.current_dir(root);
    git.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let listed = output(&mut git)?;
    let paths = listed.split('\0').filter(|path| !path.is_empty());
    Ok(paths.map(str::to_owned).collect())
}
