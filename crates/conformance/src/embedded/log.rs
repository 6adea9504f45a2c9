//! Older copies of the audit log's store, and what becomes of a restore behind them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use covenant::Covenant;
use covenant_core::{Clock, SnapshotId};
use retention_policy::scan::sqlite_files;

use super::look::walk;
use super::{Embedded, wraps};
use crate::act::{Seen, Tenant};
use crate::subject::Refusal;

impl Embedded {
    /// Keeps a copy of the log's store as it is now, for this backup.
    pub(super) fn keep_log(&self, snapshot: SnapshotId) -> io::Result<()> {
        let folder = self.logs.path().join(snapshot.simple());
        fs::create_dir_all(&folder)?;
        for file in database(&self.covenant.layout().audit()) {
            if let Some(name) = file.file_name() {
                fs::copy(&file, folder.join(name))?;
            }
        }
        Ok(())
    }

    /// Restores a backup on a copy of the deployment whose log is as old as the backup.
    pub(super) async fn restore_behind_log(
        &self,
        tenant: Tenant,
        snapshot: SnapshotId,
    ) -> Result<Seen, Refusal> {
        let folder = tempfile::tempdir().map_err(Refusal::failed)?;
        let stores = folder.path().join("stores");
        let older = self.logs.path().join(snapshot.simple());
        self.copy_behind(&older, &stores).map_err(Refusal::failed)?;
        let time: Arc<dyn Clock> = self.clock.clone();
        let mut wraps = wraps::of(self.sabotage, &stores, &time);
        wraps::add_switches(&mut wraps, &self.switches);
        let settings = self.settings(stores, wraps).map_err(Refusal::failed)?;
        let behind = Covenant::open(settings).await.map_err(Refusal::failed)?;
        self.restore_on(&behind, tenant, snapshot).await
    }

    /// Copies the deployment, with the older store of the log in the place of the newer.
    fn copy_behind(&self, older: &Path, to: &Path) -> io::Result<()> {
        let newer = database(&self.covenant.layout().audit());
        copy_tree(&self.folder.path().join("stores"), to, &newer)?;
        let mut files = Vec::new();
        walk(older, &mut files)?;
        for file in files {
            if let Some(name) = file.file_name() {
                fs::copy(&file, to.join(name))?;
            }
        }
        Ok(())
    }
}

/// The files of a database that are there, without the memory that its connections share.
fn database(file: &Path) -> Vec<PathBuf> {
    let all = sqlite_files(file);
    let there = all
        .iter()
        .filter(|file| file.exists() && !is_shared_memory(file));
    there.cloned().collect()
}

fn is_shared_memory(file: &Path) -> bool {
    file.to_string_lossy().ends_with("-shm")
}

/// Copies a folder with all that is in it but these files, as private as it was.
fn copy_tree(from: &Path, to: &Path, without: &[PathBuf]) -> io::Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            copy_tree(&path, &to.join(name), without)?;
        } else if !without.contains(&path) && !is_shared_memory(&path) {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
