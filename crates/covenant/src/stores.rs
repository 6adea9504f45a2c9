//! Where a deployment's stores lie below its folder, and how they are opened: the embedded default.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use backup_engine::depot::{Fsync, ObjectDepot};
use covenant_core::{Clock, Region};
use object_store::local::LocalFileSystem;
use retention_policy::scan::sqlite_files;
use sql_store::{Db, Durability, SqliteOptions, SqliteProfile};

use crate::error::StartError;

/// What a file system puts into the root of a volume by itself.
const LOST_AND_FOUND: &str = "lost+found";

/// The folders and files of a deployment.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout below this folder.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Tenants, decisions, due-queue.
    #[must_use]
    pub fn control(&self) -> PathBuf {
        self.root.join("control.db")
    }

    /// All tenants' logs.
    #[must_use]
    pub fn audit(&self) -> PathBuf {
        self.root.join("audit.db")
    }

    /// Key records; never in a data backup.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys.db")
    }

    /// Key-encryption keys; never in a data backup.
    #[must_use]
    pub fn keks(&self) -> PathBuf {
        self.root.join("keks")
    }

    /// One database file a tenant.
    #[must_use]
    pub fn tenants(&self) -> PathBuf {
        self.root.join("tenants")
    }

    /// Attached files.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    /// Backups.
    #[must_use]
    pub fn depot(&self) -> PathBuf {
        self.root.join("depot")
    }

    /// Copies of KEKs and of the key store, sealed for whoever holds the recovery key.
    #[must_use]
    pub fn copies(&self) -> PathBuf {
        self.root.join("copies")
    }

    /// What is served, backed up, or a backup: no key may lie in it.
    pub(crate) fn sources(&self) -> [PathBuf; 5] {
        [
            self.tenants(),
            self.objects(),
            self.depot(),
            self.copies(),
            self.scratch(),
        ]
    }

    /// Copies in the making, and restores in quarantine.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    /// The database file of a tenant.
    #[must_use]
    pub fn tenant_file(&self, region: &Region, tenant: covenant_core::TenantId) -> PathBuf {
        self.tenants()
            .join(region.as_str())
            .join(tenant.simple())
            .join("main.db")
    }

    /// Whether the database file of a tenant is there. What cannot be looked at is an error and not an
    /// answer, and so is a folder of stores that is gone as a whole, as with a disk that is not
    /// mounted: who takes a file for deleted asks no hold of it.
    // clause: P-47
    pub(crate) fn has_tenant_file(
        &self,
        region: &Region,
        tenant: covenant_core::TenantId,
    ) -> std::io::Result<bool> {
        let file = self.tenant_file(region, tenant);
        let there = file.try_exists()?;
        if !there && !self.tenants().try_exists()? {
            return Err(std::io::Error::new(
                std::io::ErrorKind::NotFound,
                "the folder of the tenants' stores is not there",
            ));
        }
        Ok(there)
    }

    /// Checks that nothing else lies there: what nobody declared, no rule rules.
    // clause: P-40
    pub(crate) fn check_entries(&self) -> Result<(), StartError> {
        let io = |source| StartError::Io {
            what: "the folder",
            source,
        };
        let databases = [self.control(), self.audit(), self.keys()];
        let databases = databases.iter().flat_map(|file| sqlite_files(file));
        let known: Vec<PathBuf> = self
            .sources()
            .into_iter()
            .chain([self.keks(), self.root.join(LOST_AND_FOUND)])
            .chain(databases)
            .collect();
        for entry in std::fs::read_dir(&self.root).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if !known.contains(&path) {
                let name = path.file_name().unwrap_or_default();
                let name = name.to_string_lossy().into_owned();
                return Err(StartError::UnknownStore(name));
            }
        }
        Ok(())
    }

    /// Makes the folders; they must not be there.
    pub(crate) fn create(&self) -> Result<(), StartError> {
        if let Ok(mut entries) = std::fs::read_dir(&self.root)
            && entries.next().is_some()
        {
            return Err(StartError::NotEmpty);
        }
        private_folder(&self.root)?;
        for folder in self.sources() {
            private_folder(&folder)?;
        }
        Ok(())
    }

    /// Checks that the folders are there, and empties scratch: what lies in it is of sessions that
    /// did not end.
    pub(crate) fn open(&self) -> Result<(), StartError> {
        let parts = [
            ("tenants", self.tenants()),
            ("objects", self.objects()),
            ("depot", self.depot()),
            ("keks", self.keks()),
        ];
        for (name, folder) in parts {
            if !folder.is_dir() {
                return Err(StartError::Missing(name));
            }
        }
        self.check_entries()?;
        private_folder(&self.copies())?;
        if self.scratch().exists() {
            let emptied = std::fs::remove_dir_all(self.scratch());
            emptied.map_err(|source| StartError::Io {
                what: "scratch",
                source,
            })?;
        }
        private_folder(&self.scratch())
    }
}

/// Whether a database file is to be made or must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    Create,
    Open,
}

pub(crate) async fn database(
    what: &'static str,
    file: &Path,
    begin: Begin,
    durability: Durability,
    clock: &Arc<dyn Clock>,
) -> Result<Db, StartError> {
    let options = SqliteOptions::new(file, SqliteProfile::Control).durability(durability);
    let db = match begin {
        Begin::Create => Db::create_sqlite(options, Arc::clone(clock)).await,
        Begin::Open => Db::open_sqlite(options, Arc::clone(clock)).await,
    };
    db.map_err(|error| StartError::store(what, error))
}

pub(crate) fn objects(
    folder: &Path,
    durability: Durability,
) -> Result<LocalFileSystem, StartError> {
    let store = LocalFileSystem::new_with_prefix(folder);
    let store = store.map_err(|error| StartError::store("objects", error))?;
    Ok(store
        .with_fsync(durability == Durability::Full)
        .with_automatic_cleanup(true))
}

pub(crate) fn depot(
    folder: &Path,
    region: Region,
    durability: Durability,
) -> Result<ObjectDepot, StartError> {
    let fsync = match durability {
        Durability::Full => Fsync::Full,
        Durability::Off => Fsync::Off,
    };
    ObjectDepot::local(folder, region, fsync).map_err(|error| StartError::store("depot", error))
}

pub(crate) fn private_folder(folder: &Path) -> Result<(), StartError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|source| StartError::Io {
        what: "a folder",
        source,
    })
}
