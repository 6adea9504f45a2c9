//! KEKs as files: one private file for each, in a private directory. What is proven of their
//! destruction is that the file was overwritten, synced and unlinked; a copy-on-write file system
//! or a flash translation layer may keep old blocks.

mod format;
mod guard;

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use covenant_core::{KeyId, Random, Secret, canon};

use super::{BackendError, BackendFuture, KekBackend, PortableKeks, Presence, same};
use crate::wrapped::WrappedKey;
pub use format::{KEK_FILE_LEN_BYTES, KekFileError, decode, encode};

/// Whether the files of KEKs survive a loss of power, and their destruction too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "files are synced or they are not")]
pub enum Syncing {
    /// Files and directory are synced before a call returns.
    Full,
    /// Nothing is synced: for tests in virtual time only.
    Off,
}

/// KEKs as files in one directory. Its calls need a tokio runtime: files are synced on a thread
/// for blocking work.
pub struct FileBackend(Arc<Dir>);

#[derive(Clone)]
struct Dir {
    path: PathBuf,
    uid: u32,
    random: Arc<dyn Random>,
    syncing: Syncing,
}

impl FileBackend {
    /// Makes the directory, mode 0700, and opens it.
    ///
    /// # Errors
    /// [`BackendError::Io`] when it exists already or its parent does not.
    pub fn create(dir: &Path, random: Arc<dyn Random>) -> Result<Self, BackendError> {
        fs::DirBuilder::new()
            .mode(0o700)
            .create(dir)
            .map_err(io_error)?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_dir(parent)?;
        }
        Self::open(dir, random)
    }

    /// Opens a directory of KEKs, and refuses one that is not private or holds a file that is
    /// damaged, not private, a link, or another's.
    ///
    /// # Errors
    /// [`BackendError::Unsafe`] names the file and what is wrong; [`BackendError::Io`],
    /// [`BackendError::Random`].
    pub fn open(dir: &Path, random: Arc<dyn Random>) -> Result<Self, BackendError> {
        let uid = guard::check_dir(dir, &*random)?;
        let dir = Dir {
            path: dir.to_owned(),
            uid,
            random,
            syncing: Syncing::Full,
        };
        for entry in fs::read_dir(&dir.path).map_err(io_error)? {
            let path = entry.map_err(io_error)?.path();
            let Some(id) = kek_of_file(&path) else {
                continue;
            };
            match dir.load(id) {
                // absent: a destruction that died after overwriting; the next run completes it
                Ok(_) | Err(BackendError::Absent(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self(Arc::new(dir)))
    }

    /// Refuses a file or folder of keys that lies inside one of these folders, or has one of them
    /// inside, links followed: what is served or backed up must hold no key. Folders of these that
    /// are links, two levels down, are followed too; what is not there is not looked at.
    ///
    /// # Errors
    /// [`BackendError::Unsafe`] names the file or folder of keys; [`BackendError::Io`].
    pub fn check_apart(keys: &Path, sources: &[PathBuf]) -> Result<(), BackendError> {
        guard::check_apart(keys, sources)
    }

    /// The same with another way of syncing; everything is synced unless set.
    #[must_use]
    pub fn syncing(self, syncing: Syncing) -> Self {
        Self(Arc::new(Dir {
            syncing,
            ..(*self.0).clone()
        }))
    }

    fn run<'a, T: Send + 'static>(
        &'a self,
        work: impl FnOnce(&Dir) -> Result<T, BackendError> + Send + 'static,
    ) -> BackendFuture<'a, T> {
        let dir = Arc::clone(&self.0);
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || work(&dir)).await;
            done.map_err(|stopped| BackendError::Io(Box::new(stopped)))?
        })
    }
}

impl KekBackend for FileBackend {
    fn create(&self, id: KeyId) -> BackendFuture<'_, ()> {
        self.run(move |dir| dir.create(id))
    }

    fn wrap_root<'a>(
        &'a self,
        id: KeyId,
        context: &'a [u8],
        root: &'a Secret<[u8; 32]>,
    ) -> BackendFuture<'a, WrappedKey> {
        let (context, root) = (context.to_vec(), Secret::new(*root.expose()));
        self.run(move |dir| {
            let kek = dir.load(id)?;
            WrappedKey::wrap(kek.expose(), id, &context, root.expose(), &*dir.random)
                .map_err(BackendError::Random)
        })
    }

    fn unwrap_root<'a>(
        &'a self,
        id: KeyId,
        context: &'a [u8],
        wrapped: &'a WrappedKey,
    ) -> BackendFuture<'a, Secret<[u8; 32]>> {
        let (context, wrapped) = (context.to_vec(), wrapped.clone());
        self.run(move |dir| {
            let kek = dir.load(id)?;
            wrapped
                .unwrap_with(kek.expose(), &context)
                .map_err(BackendError::NotAuthentic)
        })
    }

    fn wrap_roots<'a>(
        &'a self,
        id: KeyId,
        roots: &'a [(Vec<u8>, Secret<[u8; 32]>)],
    ) -> BackendFuture<'a, Vec<WrappedKey>> {
        let roots = roots.iter();
        let roots: Vec<_> = roots
            .map(|(context, root)| (context.clone(), Secret::new(*root.expose())))
            .collect();
        self.run(move |dir| {
            let kek = dir.load(id)?;
            let wrap = |(context, root): &(Vec<u8>, Secret<[u8; 32]>)| {
                WrappedKey::wrap(kek.expose(), id, context, root.expose(), &*dir.random)
            };
            let wrapped: Result<_, _> = roots.iter().map(wrap).collect();
            wrapped.map_err(BackendError::Random)
        })
    }

    fn unwrap_roots<'a>(
        &'a self,
        id: KeyId,
        wrapped: &'a [(Vec<u8>, WrappedKey)],
    ) -> BackendFuture<'a, Vec<Secret<[u8; 32]>>> {
        let wrapped = wrapped.to_vec();
        self.run(move |dir| {
            let kek = dir.load(id)?;
            let unwrap = |(context, wrapped): &(Vec<u8>, WrappedKey)| {
                wrapped.unwrap_with(kek.expose(), context)
            };
            let roots: Result<_, _> = wrapped.iter().map(unwrap).collect();
            roots.map_err(BackendError::NotAuthentic)
        })
    }

    fn destroy(&self, id: KeyId) -> BackendFuture<'_, ()> {
        self.run(move |dir| dir.destroy(id))
    }

    fn probe(&self, id: KeyId) -> BackendFuture<'_, Presence> {
        self.run(move |dir| match dir.load(id) {
            Ok(_) => Ok(Presence::Present),
            Err(BackendError::Absent(_)) => Ok(Presence::Absent),
            Err(other) => Err(other),
        })
    }
}

impl PortableKeks for FileBackend {
    fn export(&self, id: KeyId) -> BackendFuture<'_, Secret<[u8; 32]>> {
        self.run(move |dir| dir.load(id))
    }

    fn import<'a>(&'a self, id: KeyId, key: &'a Secret<[u8; 32]>) -> BackendFuture<'a, ()> {
        let key = Secret::new(*key.expose());
        self.run(move |dir| {
            match dir.load(id) {
                Err(BackendError::Absent(_)) => dir.place(id, &key)?,
                Ok(_) => dir.sync_dir()?,
                Err(error) => return Err(error),
            }
            same(id, &dir.load(id)?, &key)
        })
    }
}

impl Dir {
    fn file(&self, id: KeyId) -> PathBuf {
        self.path.join(format!("{}{KEK_SUFFIX}", id.simple()))
    }

    fn create(&self, id: KeyId) -> Result<(), BackendError> {
        match self.load(id) {
            Err(BackendError::Absent(_)) => {}
            // Made before, perhaps by a process that died before its name was on disk.
            Ok(_) => return self.sync_dir(),
            Err(error) => return Err(error),
        }
        let mut key = Secret::new([0_u8; 32]);
        self.random
            .fill(key.expose_mut())
            .map_err(BackendError::Random)?;
        self.place(id, &key)?;
        self.load(id).map(drop)
    }

    /// Writes the KEK under a name of its own, syncs it, and links it to its final name, which
    /// fails when somebody else was first. So a file under the final name is always whole.
    fn place(&self, id: KeyId, key: &Secret<[u8; 32]>) -> Result<(), BackendError> {
        let mut name = [0_u8; 8];
        self.random.fill(&mut name).map_err(BackendError::Random)?;
        let new = self
            .path
            .join(format!("{}.{}{NEW_SUFFIX}", id.simple(), canon::hex(&name)));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .map_err(io_error)?;
        file.write_all(encode(id, key.expose()).expose())
            .map_err(io_error)?;
        self.sync(&file)?;
        match fs::hard_link(&new, self.file(id)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.wipe(&new)?,
            linked => {
                linked.map_err(io_error)?;
                fs::remove_file(&new).map_err(io_error)?;
            }
        }
        self.sync_dir()
    }

    fn load(&self, id: KeyId) -> Result<Secret<[u8; 32]>, BackendError> {
        let path = self.file(id);
        let bytes = match guard::read_private(&path, self.uid)? {
            Some(bytes) => bytes,
            None => return Err(BackendError::Absent(id)),
        };
        match decode(bytes.expose()) {
            Ok((found, key)) if found == id => Ok(key),
            Ok(_) => Err(BackendError::Unsafe {
                path,
                what: "the key of another id",
            }),
            Err(KekFileError::Overwritten) => Err(BackendError::Absent(id)),
            Err(_) => Err(BackendError::Unsafe {
                path,
                what: "not a key file, or damaged",
            }),
        }
    }

    /// Overwrites, syncs and unlinks the KEK, and what creators that died left of it.
    fn destroy(&self, id: KeyId) -> Result<(), BackendError> {
        let prefix = format!("{}.", id.simple());
        for entry in fs::read_dir(&self.path).map_err(io_error)? {
            let entry = entry.map_err(io_error)?;
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| name.starts_with(&prefix)) {
                self.wipe(&entry.path())?;
            }
        }
        self.sync_dir()
    }

    /// Overwrites a file with zeros, syncs and unlinks it. A link is only unlinked: what it points at
    /// is none of ours.
    fn wipe(&self, path: &Path) -> Result<(), BackendError> {
        let found = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found.map_err(io_error)?,
        };
        if found.is_file() {
            let mut file = OpenOptions::new()
                .write(true)
                .open(path)
                .map_err(io_error)?;
            let opened = file.metadata().map_err(io_error)?;
            if (opened.dev(), opened.ino()) != (found.dev(), found.ino()) {
                return Err(BackendError::Unsafe {
                    path: path.to_owned(),
                    what: "was replaced",
                });
            }
            let len = usize::try_from(found.len()).unwrap_or(KEK_FILE_LEN_BYTES);
            file.write_all(&vec![0; len.min(guard::READ_LEN_BYTES_MAX)])
                .map_err(io_error)?;
            self.sync(&file)?;
        }
        fs::remove_file(path).map_err(io_error)
    }

    fn sync(&self, file: &File) -> Result<(), BackendError> {
        match self.syncing {
            Syncing::Full => file.sync_all().map_err(io_error),
            Syncing::Off => Ok(()),
        }
    }

    fn sync_dir(&self) -> Result<(), BackendError> {
        self.sync(&File::open(&self.path).map_err(io_error)?)
    }
}

impl fmt::Debug for FileBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileBackend")
            .field("dir", &self.0.path)
            .finish_non_exhaustive()
    }
}

const KEK_SUFFIX: &str = ".kek";
const NEW_SUFFIX: &str = ".new";

fn kek_of_file(path: &Path) -> Option<KeyId> {
    let name = path.file_name()?.to_str()?.strip_suffix(KEK_SUFFIX)?;
    let id: KeyId = name.parse().ok()?;
    (id.simple() == name).then_some(id)
}

fn sync_dir(dir: &Path) -> Result<(), BackendError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(io_error)
}

fn io_error(error: io::Error) -> BackendError {
    BackendError::Io(Box::new(error))
}
