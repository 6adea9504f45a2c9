//! A SQLite file: a vacuumed copy of one instant, in a scratch folder, unlinked after. Vacuumed,
//! because a page copy carries deleted rows in the gaps of its pages (retention-policy 4).

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use covenant_core::digest::{Digest, Hasher};
use covenant_core::{BoxFuture, Secret, canon};
use sql_store::Durability;
use sql_store::maintenance::Maintenance;

use super::{Source, SourceError, SourceFile};

/// Name of the copy as a member of a snapshot.
pub const DATABASE_MEMBER: &str = "main.db";
/// Bytes read at a time for the token.
const PART_LEN_BYTES: usize = 1024 * 1024;

/// One SQLite file.
#[derive(Debug)]
pub struct SqliteSource {
    file: PathBuf,
    copy: PathBuf,
    durability: Durability,
    /// Whether the copy may be there, and be ours.
    begun: bool,
}

impl SqliteSource {
    /// The database in `file`, to be copied to `copy`, which must not exist, in a folder that is
    /// backed up by nobody.
    #[must_use]
    pub const fn new(file: PathBuf, copy: PathBuf, durability: Durability) -> Self {
        Self {
            file,
            copy,
            durability,
            begun: false,
        }
    }

    fn remove_copy(&mut self) -> std::io::Result<()> {
        if !self.begun {
            return Ok(());
        }
        match std::fs::remove_file(&self.copy) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => {
                self.begun = false;
                Ok(())
            }
        }
    }
}

impl Drop for SqliteSource {
    fn drop(&mut self) {
        // A session that was given up; what cannot be removed now goes with the scratch folder.
        drop(self.remove_copy());
    }
}

impl Source for SqliteSource {
    fn token(&mut self) -> BoxFuture<'_, Result<Vec<u8>, SourceError>> {
        Box::pin(async move {
            // Every byte: in WAL mode neither header nor length of either file need change when a
            // row does.
            let file = self.file.clone();
            let read = tokio::task::spawn_blocking(move || {
                let mut all = canon::Writer::new();
                for suffix in ["", "-wal"] {
                    let mut name = file.clone().into_os_string();
                    name.push(suffix);
                    let (len, digest) = digest_of(Path::new(&name))?;
                    all.u64(len).fixed(digest.as_bytes());
                }
                Ok::<_, std::io::Error>(Digest::of(all.as_bytes()))
            });
            let digest = read.await.map_err(SourceError::unavailable)?;
            let digest = digest.map_err(SourceError::unavailable)?;
            Ok(digest.as_bytes().to_vec())
        })
    }

    fn begin(&mut self) -> BoxFuture<'_, Result<Vec<SourceFile>, SourceError>> {
        Box::pin(async move {
            if std::fs::symlink_metadata(&self.copy).is_ok() {
                let taken = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
                return Err(SourceError::unavailable(taken));
            }
            self.begun = true;
            let opened = Maintenance::open(&self.file, self.durability).await;
            let mut connection = opened.map_err(SourceError::unavailable)?;
            let copied = connection.vacuum_into(&self.copy).await;
            let closed = connection.close().await;
            copied.map_err(SourceError::unavailable)?;
            closed.map_err(SourceError::unavailable)?;
            let len = std::fs::metadata(&self.copy)
                .map_err(SourceError::unavailable)?
                .len();
            Ok(vec![SourceFile {
                path: DATABASE_MEMBER.to_owned(),
                len,
            }])
        })
    }

    fn read<'a>(
        &'a mut self,
        path: &'a str,
        offset: u64,
        len: u32,
    ) -> BoxFuture<'a, Result<Vec<u8>, SourceError>> {
        Box::pin(async move {
            if path != DATABASE_MEMBER {
                return Err(SourceError::Changed);
            }
            let copy = self.copy.clone();
            let read = tokio::task::spawn_blocking(move || read_range(&copy, offset, len));
            read.await
                .map_err(SourceError::unavailable)?
                .map_err(SourceError::unavailable)
        })
    }

    fn end(&mut self) -> BoxFuture<'_, Result<(), SourceError>> {
        Box::pin(async move { self.remove_copy().map_err(SourceError::unavailable) })
    }
}

/// Length and digest of a file; a missing one is empty.
fn digest_of(path: &Path) -> std::io::Result<(u64, Digest)> {
    let mut hasher = Hasher::new();
    let mut file = match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok((0, hasher.finish()));
        }
        other => other?,
    };
    let mut part = Secret::new(vec![0_u8; PART_LEN_BYTES]);
    let mut len = 0_u64;
    loop {
        let read = file.read(part.expose_mut())?;
        let Some(bytes) = part.expose().get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok((len, hasher.finish()));
        };
        hasher.update(bytes);
        len = len.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
}

fn read_range(path: &Path, offset: u64, len: u32) -> std::io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(u64::from(len)).read_to_end(&mut bytes)?;
    Ok(bytes)
}
