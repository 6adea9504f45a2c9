//! A depot on an object store. On a local directory creates are synced by the store itself, and
//! deletes by syncing the folder, which `object_store` leaves to its caller.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use covenant_core::{BoxFuture, Region};
use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};

use super::{Created, Depot, DepotError, DepotFacts};

/// A depot on any [`ObjectStore`].
#[derive(Debug)]
pub struct ObjectDepot {
    store: Arc<dyn ObjectStore>,
    region: Region,
    local: Option<PathBuf>,
}

/// Whether a local depot waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Fsync {
    /// Every create and delete is on disk before it returns.
    Full,
    /// The operating system writes when it likes: for virtual-clock runs, never in production.
    Off,
}

impl ObjectDepot {
    /// A depot in this existing directory.
    ///
    /// # Errors
    /// [`DepotError::Unavailable`] when the directory cannot be used.
    #[cfg(feature = "local")]
    pub fn local(
        folder: &std::path::Path,
        region: Region,
        fsync: Fsync,
    ) -> Result<Self, DepotError> {
        let store =
            object_store::local::LocalFileSystem::new_with_prefix(folder).map_err(unavailable)?;
        let store = store
            .with_fsync(fsync == Fsync::Full)
            .with_automatic_cleanup(true);
        let local = (fsync == Fsync::Full).then(|| folder.to_path_buf());
        Ok(Self {
            store: Arc::new(store),
            region,
            local,
        })
    }

    /// A depot on this store, whose own deletes are durable.
    #[must_use]
    pub const fn new(store: Arc<dyn ObjectStore>, region: Region) -> Self {
        Self {
            store,
            region,
            local: None,
        }
    }

    async fn read_back(&self, key: &str) -> Result<Option<Bytes>, DepotError> {
        match self.store.get(&path(key)?).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(unavailable)?)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// The part of the range that the object has; stores differ in what they do past its end.
    async fn read_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, DepotError> {
        let object = path(key)?;
        let missing = |error| match error {
            Error::NotFound { .. } => DepotError::Missing(key.to_owned()),
            other => unavailable(other),
        };
        if range.start < range.end {
            let read = self.store.get_range(&object, range.clone()).await;
            if let Ok(bytes) = read {
                return Ok(bytes);
            }
        }
        let len = self.store.head(&object).await.map_err(missing)?.size;
        let part = range.start..range.end.min(len);
        if part.start >= part.end {
            return Ok(Bytes::new());
        }
        self.store.get_range(&object, part).await.map_err(missing)
    }

    /// Syncs an object that an earlier try left, and every folder above it.
    async fn sync_object(&self, key: &str) -> Result<(), DepotError> {
        let Some(root) = self.local.clone() else {
            return Ok(());
        };
        let object = root.join(key);
        let synced = tokio::task::spawn_blocking(move || {
            object
                .ancestors()
                .take_while(|at| at.starts_with(&root))
                .try_for_each(|at| std::fs::File::open(at)?.sync_all())
        });
        synced.await.map_err(unavailable)?.map_err(unavailable)
    }

    /// Syncs the folder that held a deleted object, or the nearest one above that is still there.
    async fn sync_above(&self, key: &str) -> Result<(), DepotError> {
        let Some(root) = self.local.clone() else {
            return Ok(());
        };
        let object = root.join(key);
        let synced = tokio::task::spawn_blocking(move || {
            let mut folder = object.parent();
            while let Some(at) = folder.filter(|at| at.starts_with(&root)) {
                match std::fs::File::open(at) {
                    Ok(file) => return file.sync_all(),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                        folder = at.parent();
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        });
        synced.await.map_err(unavailable)?.map_err(unavailable)
    }
}

impl Depot for ObjectDepot {
    fn facts(&self) -> DepotFacts {
        DepotFacts {
            region: self.region.clone(),
        }
    }

    fn create<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
    ) -> BoxFuture<'a, Result<Created, DepotError>> {
        Box::pin(async move {
            let options = PutOptions::from(PutMode::Create);
            match self
                .store
                .put_opts(&path(key)?, body.clone().into(), options)
                .await
            {
                Ok(_) => Ok(Created::New),
                // On a local disk any other error may be one of a sync: what is there then is not
                // known to be durable, so it counts as nothing, whatever reading back would say.
                Err(error)
                    if self.local.is_some() && !matches!(error, Error::AlreadyExists { .. }) =>
                {
                    Err(unavailable(error))
                }
                // Taken, or a lost answer to our own success: only reading back tells.
                Err(error) => match self.read_back(key).await? {
                    Some(there) if there == body => {
                        self.sync_object(key).await?;
                        Ok(Created::AlreadyMine)
                    }
                    Some(there) => Ok(Created::TakenBy(there)),
                    None => Err(unavailable(error)),
                },
            }
        })
    }

    fn read<'a>(
        &'a self,
        key: &'a str,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Bytes, DepotError>> {
        Box::pin(async move {
            let read = match range {
                Some(range) => return self.read_range(key, range).await,
                None => match self.store.get(&path(key)?).await {
                    Ok(found) => found.bytes().await,
                    Err(error) => Err(error),
                },
            };
            read.map_err(|error| match error {
                Error::NotFound { .. } => DepotError::Missing(key.to_owned()),
                other => unavailable(other),
            })
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, DepotError>> {
        Box::pin(async move {
            let folder = path(prefix.trim_end_matches('/'))?;
            let found: Vec<_> = self
                .store
                .list(Some(&folder))
                .try_collect()
                .await
                .map_err(unavailable)?;
            let mut keys: Vec<String> = found
                .into_iter()
                .map(|meta| meta.location.to_string())
                .collect();
            keys.retain(|key| key.starts_with(prefix));
            keys.sort();
            Ok(keys)
        })
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), DepotError>> {
        Box::pin(async move {
            for key in keys {
                match self.store.delete(&path(key)?).await {
                    Ok(()) | Err(Error::NotFound { .. }) => self.sync_above(key).await?,
                    Err(error) => return Err(unavailable(error)),
                }
            }
            for key in keys {
                match self.store.head(&path(key)?).await {
                    Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(unavailable(error)),
                    Ok(_) => {
                        return Err(unavailable("an object is still there after its deletion"));
                    }
                }
            }
            Ok(())
        })
    }
}

fn path(key: &str) -> Result<Path, DepotError> {
    Path::parse(key).map_err(unavailable)
}

fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DepotError {
    DepotError::Unavailable(error.into())
}
