//! What a directory and a file of keys must be before they are trusted: private, plain, our own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use covenant_core::{Random, Secret, canon};

use super::{BackendError, KEK_FILE_LEN_BYTES, io_error};

/// Most bytes read of, or overwritten in, a file in the directory: a key file has 88.
pub(super) const READ_LEN_BYTES_MAX: usize = 4096;
const MODE_BITS: u32 = 0o7777;

/// Checks the directory: no link, mode 0700, owned by the user that new files get. Returns that
/// user. Writes and removes a probe, so that a directory that cannot be written is found at once.
pub(super) fn check_dir(dir: &Path, random: &dyn Random) -> Result<u32, BackendError> {
    let unsafe_dir = |what| BackendError::Unsafe {
        path: dir.to_owned(),
        what,
    };
    let found = fs::symlink_metadata(dir).map_err(io_error)?;
    if !found.is_dir() {
        return Err(unsafe_dir("not a directory"));
    }
    if found.mode() & MODE_BITS != 0o700 {
        return Err(unsafe_dir("the mode of the key directory is not 0700"));
    }
    let mut name = [0_u8; 8];
    random.fill(&mut name).map_err(BackendError::Random)?;
    let probe = dir.join(format!("probe.{}", canon::hex(&name)));
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&probe);
    let uid = file
        .and_then(|file| file.metadata())
        .map_err(io_error)?
        .uid();
    fs::remove_file(&probe).map_err(io_error)?;
    if found.uid() != uid {
        return Err(unsafe_dir("the key directory belongs to another user"));
    }
    Ok(uid)
}

/// Levels of a source below which links are not looked for: a place and a tenant.
const LINK_LEVELS: u32 = 2;

/// Checks that keys and sources lie apart.
pub(super) fn check_apart(keys: &Path, sources: &[PathBuf]) -> Result<(), BackendError> {
    let Some(found) = real(keys)? else {
        return Ok(());
    };
    for source in sources {
        for inside in folders(source)? {
            if found.starts_with(&inside) || inside.starts_with(&found) {
                return Err(BackendError::Unsafe {
                    path: keys.to_owned(),
                    what: "lies in what is served or backed up, or has it inside",
                });
            }
        }
    }
    Ok(())
}

/// Where a source really is, and where the links below it lead.
fn folders(source: &Path) -> Result<Vec<PathBuf>, BackendError> {
    let mut all: Vec<PathBuf> = real(source)?.into_iter().collect();
    let mut level = all.clone();
    for _ in 0..LINK_LEVELS {
        let mut below = Vec::new();
        for folder in level.iter().filter(|folder| folder.is_dir()) {
            for entry in fs::read_dir(folder).map_err(io_error)? {
                let entry = entry.map_err(io_error)?;
                let kind = entry.file_type().map_err(io_error)?;
                if kind.is_symlink() {
                    all.extend(real(&entry.path())?);
                } else if kind.is_dir() {
                    below.push(entry.path());
                }
            }
        }
        level = below;
    }
    Ok(all)
}

fn real(path: &Path) -> Result<Option<PathBuf>, BackendError> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some).map_err(io_error),
    }
}

/// Reads a key file after checking that it is plain, private and this user's; `None`
/// when there is none. The checks are made on the open file, so it cannot be exchanged between.
pub(super) fn read_private(path: &Path, uid: u32) -> Result<Option<Secret<Vec<u8>>>, BackendError> {
    let unsafe_file = |what| BackendError::Unsafe {
        path: path.to_owned(),
        what,
    };
    let named = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        named => named.map_err(io_error)?,
    };
    if !named.is_file() {
        return Err(unsafe_file("not a plain file"));
    }
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(io_error)?,
    };
    let found = file.metadata().map_err(io_error)?;
    if (found.dev(), found.ino()) != (named.dev(), named.ino()) {
        return Err(unsafe_file("was replaced while it was opened"));
    }
    if found.mode() & MODE_BITS != 0o600 {
        return Err(unsafe_file("the mode of the key file is not 0600"));
    }
    if found.uid() != uid {
        return Err(unsafe_file("the key file belongs to another user"));
    }
    let mut bytes = Secret::new(Vec::with_capacity(KEK_FILE_LEN_BYTES.saturating_add(1)));
    let limit = u64::try_from(KEK_FILE_LEN_BYTES)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    Read::take(&mut file, limit)
        .read_to_end(bytes.expose_mut())
        .map_err(io_error)?;
    Ok(Some(bytes))
}
