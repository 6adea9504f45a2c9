//! A folder in quarantine: for its owner alone, removed when it is dropped, and durable before
//! anybody may read it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use covenant_core::{Random, SnapshotId, canon};

use crate::error::BackupError;
use crate::format::snapshot::path_is_normal;

/// A restored snapshot that has not been released.
#[derive(Debug)]
pub(crate) struct Folder(Option<PathBuf>);

impl Folder {
    /// A new folder below `into`, under a name that no other restore has.
    pub(crate) fn create(
        into: &Path,
        snapshot: SnapshotId,
        random: &dyn Random,
    ) -> Result<Self, BackupError> {
        let mut own = [0_u8; 8];
        random.fill(&mut own)?;
        let (snapshot, own) = (snapshot.simple(), canon::hex(&own));
        let path = into.join(format!(".covenant-quarantine-{snapshot}-{own}"));
        private().create(&path).map_err(BackupError::Target)?;
        Ok(Self(Some(path)))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    /// A new file of the folder, at a path in normal form: nothing can lie outside, because the
    /// folder was empty and only plain files and folders are made in it.
    pub(crate) fn create_file(&self, path: &str) -> io::Result<File> {
        if !path_is_normal(path) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let path = self.path().join(path);
        if let Some(above) = path.parent() {
            private().recursive(true).create(above)?;
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)
    }

    /// Makes every byte and every name durable, then moves the folder to `to`.
    pub(crate) fn release(mut self, to: &Path) -> io::Result<()> {
        if fs::symlink_metadata(to).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        sync_tree(self.path())?;
        fs::rename(self.path(), to)?;
        let from = self.0.take();
        for above in [from.as_deref(), Some(to)].into_iter().flatten() {
            sync_above(above)?;
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed now stays shut, and is removed by whoever owns the folder above.
        if let Some(path) = self.0.take() {
            drop(fs::remove_dir_all(path));
        }
    }
}

/// Makes folders for their owner alone; an existing one is an error unless recursive.
fn private() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Syncs everything below, what lies deepest first.
fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sync_tree(&entry.path())?;
        } else if kind.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync_folder(folder)
}

fn sync_above(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(above) if above.as_os_str().is_empty() => sync_folder(Path::new(".")),
        Some(above) => sync_folder(above),
        None => Ok(()),
    }
}

/// Only Unix can open a folder to sync it.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}
