//! A SQLite file: a vacuumed copy of one instant, in a scratch folder, unlinked after. Vacuumed,
//! because a page copy carries deleted rows in the gaps of its pages (retention-policy 4).

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use covenant_core::digest::Digest;
use covenant_core::{BoxFuture, canon};
use sql_store::Durability;
use sql_store::maintenance::Maintenance;

use super::{Source, SourceError, SourceFile};

/// Name of the copy as a member of a snapshot.
pub const DATABASE_MEMBER: &str = "main.db";
/// Bytes at the start of a database file and of its log that change with every commit.
const HEADER_LEN_BYTES: usize = 100;

/// One SQLite file.
#[derive(Debug)]
pub struct SqliteSource {
    file: PathBuf,
    copy: PathBuf,
    durability: Durability,
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
        }
    }
}

impl Source for SqliteSource {
    fn token(&mut self) -> BoxFuture<'_, Result<Vec<u8>, SourceError>> {
        Box::pin(async move {
            let mut all = canon::Writer::new();
            for suffix in ["", "-wal"] {
                let mut name = self.file.clone().into_os_string();
                name.push(suffix);
                let (len, head) = head_of(Path::new(&name)).map_err(SourceError::unavailable)?;
                all.u64(len).bytes(&head);
            }
            Ok(Digest::of(all.as_bytes()).as_bytes().to_vec())
        })
    }

    fn begin(&mut self) -> BoxFuture<'_, Result<Vec<SourceFile>, SourceError>> {
        Box::pin(async move {
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
        Box::pin(async move {
            match std::fs::remove_file(&self.copy) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(SourceError::unavailable(error))
                }
                _ => Ok(()),
            }
        })
    }
}

/// Length and first bytes of a file; a missing one is empty.
fn head_of(path: &Path) -> std::io::Result<(u64, Vec<u8>)> {
    let mut file = match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((0, Vec::new())),
        other => other?,
    };
    let mut head = Vec::new();
    let limit = u64::try_from(HEADER_LEN_BYTES).unwrap_or(u64::MAX);
    file.by_ref().take(limit).read_to_end(&mut head)?;
    Ok((file.metadata()?.len(), head))
}

fn read_range(path: &Path, offset: u64, len: u32) -> std::io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(u64::from(len)).read_to_end(&mut bytes)?;
    Ok(bytes)
}
