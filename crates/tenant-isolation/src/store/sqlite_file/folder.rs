//! Paths and files below the root: `root/<region>/<tenant, 32 hex>/main.db`. Folders are the
//! owner's alone, files too, and nothing on the way is a link.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use covenant_core::{Region, RegionSet, TenantId};
use sql_store::Durability;

use crate::{Finding, StoreError, StoreIdentity};

const MAIN: &str = "main.db";
const NEW: &str = "main.db.new";
/// What SQLite keeps beside a database file.
const SIDES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The folder of one tenant.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    tenant: TenantId,
    region: PathBuf,
    path: PathBuf,
    durability: Durability,
}

impl Folder {
    pub(super) fn of(root: &Path, identity: &StoreIdentity, durability: Durability) -> Self {
        let region = root.join(identity.region().as_str());
        let path = region.join(identity.tenant().simple());
        Self {
            tenant: identity.tenant(),
            region,
            path,
            durability,
        }
    }

    /// The database file.
    pub(super) fn main(&self) -> PathBuf {
        self.path.join(MAIN)
    }

    /// A database file on its way to become the main one.
    pub(super) fn new_file(&self) -> PathBuf {
        self.path.join(NEW)
    }

    /// Makes the folders that are not there, and checks those that are.
    pub(super) fn create(&self) -> Result<(), StoreError> {
        for path in [&self.region, &self.path] {
            match DirBuilder::new().mode(0o700).create(path) {
                Ok(()) => self.sync(path.parent().unwrap_or(path))?,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(refuse(path)(error)),
            }
            check(path, Kind::Folder)?;
        }
        Ok(())
    }

    /// Checks folders and database file.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let missing = || StoreError::Missing {
            tenant: self.tenant,
        };
        let main = self.main();
        let all = [
            (&self.region, Kind::Folder),
            (&self.path, Kind::Folder),
            (&main, Kind::File),
        ];
        for (path, kind) in all {
            if !check(path, kind)? {
                return Err(missing());
            }
        }
        Ok(())
    }

    /// Whether the database file is there.
    pub(super) fn is_provisioned(&self) -> Result<bool, StoreError> {
        check(&self.main(), Kind::File)
    }

    /// Removes what an interrupted `provision` or `replace` left.
    pub(super) fn clear_new(&self) -> Result<(), StoreError> {
        remove_with_sides(&self.new_file()).map(drop)
    }

    /// Copies a file to the place of the new one.
    pub(super) fn copy_new(&self, from: &Path) -> Result<(), StoreError> {
        check(from, Kind::Source)?;
        let path = self.new_file();
        let copy = || {
            let mut source = File::open(from)?;
            let mut new = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            io::copy(&mut source, &mut new)?;
            new.sync_all()
        };
        copy().map_err(refuse(&path))
    }

    /// Makes the new file the main one, after removing what belonged to the old one. The new file
    /// must be closed, with everything in it.
    pub(super) fn adopt_new(&self) -> Result<(), StoreError> {
        let (new, main) = (self.new_file(), self.main());
        for side in SIDES {
            // A side file that was left has content which the rename would lose.
            let path = beside(&new, side);
            if side != "-shm" && path.symlink_metadata().is_ok_and(|meta| meta.len() > 0) {
                return Err(StoreError::Unsafe {
                    path,
                    what: "left over by a database in use",
                });
            }
            remove(&path)?;
            remove(&beside(&main, side))?;
        }
        std::fs::set_permissions(&new, Permissions::from_mode(0o600)).map_err(refuse(&new))?;
        std::fs::rename(&new, &main).map_err(refuse(&main))?;
        self.sync(&self.path)
    }

    /// Removes every file and the folder itself; returns what was there.
    pub(super) fn remove(&self) -> Result<Vec<PathBuf>, StoreError> {
        if !check(&self.region, Kind::Folder)? || !check(&self.path, Kind::Folder)? {
            return Ok(Vec::new());
        }
        let mut removed = remove_with_sides(&self.main())?;
        removed.extend(remove_with_sides(&self.new_file())?);
        self.sync(&self.path)?;
        std::fs::remove_dir(&self.path).map_err(refuse(&self.path))?;
        self.sync(&self.region)?;
        Ok(removed)
    }

    /// Bytes of the database file and what SQLite keeps beside it.
    pub(super) fn bytes(&self) -> Result<u64, StoreError> {
        self.check()?;
        let main = self.main();
        let sides = SIDES.map(|side| beside(&main, side));
        let mut total = 0_u64;
        for path in std::iter::once(&main).chain(&sides) {
            match path.symlink_metadata() {
                Ok(meta) => total = total.saturating_add(meta.len()),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(refuse(path)(error)),
            }
        }
        Ok(total)
    }

    fn sync(&self, folder: &Path) -> Result<(), StoreError> {
        match self.durability {
            Durability::Full => File::open(folder)
                .and_then(|dir| dir.sync_all())
                .map_err(refuse(folder)),
            Durability::Off => Ok(()),
        }
    }
}

/// What a path must be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A folder for the owner alone.
    Folder,
    /// A file for the owner alone.
    File,
    /// A file that is copied from, whoever may read it.
    Source,
}

/// Whether there is something at the path; it must be of the kind.
fn check(path: &Path, kind: Kind) -> Result<bool, StoreError> {
    let meta = match path.symlink_metadata() {
        Ok(meta) => meta,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(refuse(path)(error)),
    };
    let (is_kind, wrong_kind) = match kind {
        Kind::Folder => (meta.is_dir(), "not a folder"),
        Kind::File | Kind::Source => (meta.is_file(), "not a regular file"),
    };
    let open = kind != Kind::Source && meta.permissions().mode() & 0o077 != 0;
    let what = match (is_kind, open) {
        (false, _) => wrong_kind,
        (true, true) => "open to others than its owner",
        (true, false) => return Ok(true),
    };
    Err(StoreError::Unsafe {
        path: path.to_owned(),
        what,
    })
}

/// Goes through everything below the root and lists what should not be as it is.
pub(super) fn survey(root: &Path, regions: &RegionSet) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    for (name, region) in entries(root)? {
        if !regions.iter().any(|listed| listed.as_str() == name) {
            findings.push(Finding {
                path: region,
                what: "not a region of this store",
            });
            continue;
        }
        if !note(&mut findings, &region, Kind::Folder)? {
            continue;
        }
        for (name, tenant) in entries(&region)? {
            if !is_tenant(&name) {
                findings.push(Finding {
                    path: tenant,
                    what: "not the folder of a tenant",
                });
                continue;
            }
            if !note(&mut findings, &tenant, Kind::Folder)? {
                continue;
            }
            for (name, file) in entries(&tenant)? {
                match name.strip_prefix(MAIN) {
                    Some("") => drop(note(&mut findings, &file, Kind::File)?),
                    Some(side) if SIDES.contains(&side) => {
                        note(&mut findings, &file, Kind::File)?;
                    }
                    Some(_) if name.starts_with(NEW) => {
                        findings.push(Finding {
                            path: file,
                            what: "unfinished",
                        });
                    }
                    _ => findings.push(Finding {
                        path: file,
                        what: "not a file of a store",
                    }),
                }
            }
        }
    }
    findings.sort();
    Ok(findings)
}

/// The tenants that have a folder in this region of the root.
pub(super) fn tenants(root: &Path, region: &Region) -> Result<Vec<TenantId>, StoreError> {
    let folder = root.join(region.as_str());
    if !check(&folder, Kind::Folder)? {
        return Ok(Vec::new());
    }
    let named = entries(&folder)?
        .into_iter()
        .filter(|(name, _)| is_tenant(name));
    let mut tenants: Vec<TenantId> = named.filter_map(|(name, _)| name.parse().ok()).collect();
    tenants.sort();
    Ok(tenants)
}

fn is_tenant(name: &str) -> bool {
    name.len() == 32 && name.parse::<TenantId>().is_ok_and(|id| id.simple() == name)
}

fn note(findings: &mut Vec<Finding>, path: &Path, kind: Kind) -> Result<bool, StoreError> {
    match check(path, kind) {
        Err(StoreError::Unsafe { path, what }) => {
            findings.push(Finding { path, what });
            Ok(false)
        }
        other => other,
    }
}

fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let read = || -> io::Result<Vec<_>> {
        let named = std::fs::read_dir(folder)?.map(|entry| {
            let entry = entry?;
            Ok((
                entry.file_name().to_string_lossy().into_owned(),
                entry.path(),
            ))
        });
        named.collect()
    };
    read().map_err(refuse(folder))
}

fn beside(file: &Path, side: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(side);
    PathBuf::from(name)
}

fn remove_with_sides(file: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let all = SIDES
        .map(|side| beside(file, side))
        .into_iter()
        .chain([file.to_owned()]);
    let mut removed = Vec::new();
    for path in all {
        if remove(&path)? {
            removed.push(path);
        }
    }
    Ok(removed)
}

/// Removes a file; whether it was there.
fn remove(path: &Path) -> Result<bool, StoreError> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(refuse(path)(error)),
    }
}

fn refuse(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { path, source }
}
