//! What a directory and a file of keys must be before they are trusted: private, plain, our own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

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
