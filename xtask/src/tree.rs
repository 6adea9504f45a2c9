//! The files of the tree, as git sees them: tracked, and new ones that are not ignored.

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
    let mut files = Vec::new();
    for path in listed.split('\0').filter(|path| !path.is_empty()) {
        let Ok(bytes) = std::fs::read(root.join(path)) else {
            continue;
        };
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(File {
                path: path.to_owned(),
                text,
            });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}
