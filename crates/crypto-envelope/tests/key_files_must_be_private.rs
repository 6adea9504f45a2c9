//! A key directory or key file that others could read, exchange or have damaged is refused, and
//! named; what a creator or a destroyer that died left behind is not in the way.
#![cfg(unix)]

#[cfg(test)]
mod common;

use std::error::Error;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{SEED, TestResult, World};
use covenant_core::testing::SeededRandom;
use covenant_core::{KeyId, Secret};
use crypto_envelope::backend::{BackendError, FileBackend, KekBackend, Presence};

struct Dir {
    backend: FileBackend,
    path: PathBuf,
    id: KeyId,
    _parent: tempfile::TempDir,
}

impl Dir {
    async fn with_a_key() -> Result<Self, Box<dyn Error>> {
        let parent = tempfile::tempdir()?;
        let path = parent.path().join("kek");
        let backend = FileBackend::create(&path, Arc::new(SeededRandom::new(SEED)))?;
        let id = World::in_memory().key_ids()?[0];
        backend.create(id).await?;
        Ok(Self {
            backend,
            path,
            id,
            _parent: parent,
        })
    }

    fn file(&self) -> PathBuf {
        self.path.join(format!("{}.kek", self.id.simple()))
    }

    fn open(&self) -> Result<FileBackend, BackendError> {
        FileBackend::open(&self.path, Arc::new(SeededRandom::new(SEED + 1)))
    }

    fn names(&self, path: &Path) -> bool {
        matches!(self.open(), Err(BackendError::Unsafe { path: named, .. }) if named == path)
    }
}

#[tokio::test]
async fn modes_are_as_the_format_says_and_checked() -> TestResult {
    let dir = Dir::with_a_key().await?;
    let mode = |path: &Path| fs::metadata(path).map(|m| m.permissions().mode() & 0o7777);
    assert_eq!((mode(&dir.path)?, mode(&dir.file())?), (0o700, 0o600));
    assert!(dir.open().is_ok());
    for (path, good) in [(dir.path.clone(), 0o700), (dir.file(), 0o600)] {
        for wrong in [good | 0o040, good | 0o004, good | 0o020, good | 0o1000] {
            fs::set_permissions(&path, Permissions::from_mode(wrong))?;
            assert!(dir.names(&path), "mode {wrong:o} of {}", path.display());
        }
        fs::set_permissions(&path, Permissions::from_mode(good))?;
        assert!(dir.open().is_ok());
    }
    Ok(())
}

#[tokio::test]
async fn damaged_and_foreign_files_are_refused() -> TestResult {
    let dir = Dir::with_a_key().await?;
    let good = fs::read(dir.file())?;
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(dir.file(), &bad)?;
        assert!(dir.names(&dir.file()), "byte {at}");
    }
    for bad in [&good[..87], &[], &[good.as_slice(), b"\n"].concat()] {
        fs::write(dir.file(), bad)?;
        assert!(dir.names(&dir.file()), "{} bytes", bad.len());
        assert!(dir.backend.probe(dir.id).await.is_err());
        assert!(
            dir.backend.create(dir.id).await.is_err(),
            "a damaged key is not made anew"
        );
    }
    fs::write(dir.file(), &good)?;
    assert!(dir.open().is_ok());

    let other = World::in_memory().key_ids()?[1];
    let exchanged = dir.path.join(format!("{}.kek", other.simple()));
    fs::rename(dir.file(), &exchanged)?;
    assert!(dir.names(&exchanged), "a key under another's name");
    Ok(())
}

#[tokio::test]
async fn links_are_refused_and_never_followed() -> TestResult {
    let dir = Dir::with_a_key().await?;
    let elsewhere = dir.path.join("elsewhere");
    fs::rename(dir.file(), &elsewhere)?;
    symlink(&elsewhere, dir.file())?;
    assert!(dir.names(&dir.file()));
    dir.backend.destroy(dir.id).await?;
    assert!(!fs::exists(dir.file())?, "the link itself is gone");
    assert_eq!(
        fs::read(&elsewhere)?.len(),
        88,
        "what it pointed at is untouched"
    );
    assert!(fs::read(&elsewhere)?.starts_with(b"COVKEK1\n"));

    let link = dir.path.with_file_name("link");
    symlink(&dir.path, &link)?;
    let linked = FileBackend::open(&link, Arc::new(SeededRandom::new(SEED)));
    assert!(
        matches!(linked, Err(BackendError::Unsafe { .. })),
        "a linked directory"
    );
    Ok(())
}

#[tokio::test]
async fn what_a_crash_left_behind_is_completed() -> TestResult {
    let dir = Dir::with_a_key().await?;
    // a destroyer died between overwriting and unlinking
    fs::write(dir.file(), [0; 88])?;
    assert!(dir.open().is_ok());
    assert_eq!(dir.backend.probe(dir.id).await?, Presence::Absent);
    dir.backend.destroy(dir.id).await?;
    assert_eq!(fs::read_dir(&dir.path)?.count(), 0);
    // a creator died before it linked its file to the final name, another one after
    let unlinked = dir
        .path
        .join(format!("{}.0011223344556677.new", dir.id.simple()));
    fs::write(&unlinked, b"half a k")?;
    dir.backend.create(dir.id).await?;
    let linked = dir
        .path
        .join(format!("{}.8899aabbccddeeff.new", dir.id.simple()));
    fs::hard_link(dir.file(), &linked)?;
    assert!(dir.open().is_ok());
    let root = Secret::new([7; 32]);
    let wrapped = dir.backend.wrap_root(dir.id, b"x", &root).await?;
    let reopened = dir.open()?;
    assert_eq!(
        reopened.unwrap_root(dir.id, b"x", &wrapped).await?.expose(),
        root.expose()
    );
    dir.backend.destroy(dir.id).await?;
    assert_eq!(fs::read_dir(&dir.path)?.count(), 0, "all of it is gone");
    let gone = dir.backend.unwrap_root(dir.id, b"x", &wrapped).await;
    assert!(matches!(gone, Err(BackendError::Absent(_))));
    Ok(())
}

#[tokio::test]
async fn creating_twice_keeps_the_key() -> TestResult {
    let dir = Dir::with_a_key().await?;
    let bytes = fs::read(dir.file())?;
    dir.backend.create(dir.id).await?;
    dir.open()?.create(dir.id).await?;
    assert_eq!(fs::read(dir.file())?, bytes);
    assert_eq!(
        fs::read_dir(&dir.path)?.count(),
        1,
        "no file of its own name is left"
    );
    let taken = FileBackend::create(&dir.path, Arc::new(SeededRandom::new(SEED)));
    assert!(
        matches!(taken, Err(BackendError::Io(_))),
        "a directory is made once"
    );
    Ok(())
}
