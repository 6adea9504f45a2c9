//! The objects below a prefix of an object store, as they are when each is read. Objects are
//! create-only in `covenant`, so that reading them after the database misses none it names.

use std::sync::Arc;

use covenant_core::{BoxFuture, canon};
use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _};

use super::{Source, SourceError, SourceFile};

/// Objects below a prefix.
#[derive(Debug)]
pub struct ObjectsSource {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl ObjectsSource {
    /// The objects below `prefix`.
    #[must_use]
    pub const fn new(store: Arc<dyn ObjectStore>, prefix: Path) -> Self {
        Self { store, prefix }
    }

    async fn list(&self) -> Result<Vec<SourceFile>, SourceError> {
        let listed: Vec<_> = self
            .store
            .list(Some(&self.prefix))
            .try_collect()
            .await
            .map_err(SourceError::unavailable)?;
        let mut files: Vec<SourceFile> = listed
            .into_iter()
            .filter_map(|meta| {
                let rest = meta.location.prefix_match(&self.prefix)?;
                let parts: Vec<String> = rest.map(|part| part.as_ref().to_owned()).collect();
                Some(SourceFile {
                    path: parts.join("/"),
                    len: meta.size,
                })
            })
            .collect();
        files.sort();
        Ok(files)
    }
}

impl Source for ObjectsSource {
    fn token(&mut self) -> BoxFuture<'_, Result<Vec<u8>, SourceError>> {
        Box::pin(async move {
            let mut all = canon::Writer::new();
            for file in self.list().await? {
                all.text(&file.path).u64(file.len);
            }
            Ok(covenant_core::digest::Digest::of(all.as_bytes())
                .as_bytes()
                .to_vec())
        })
    }

    fn begin(&mut self) -> BoxFuture<'_, Result<Vec<SourceFile>, SourceError>> {
        Box::pin(async move { self.list().await })
    }

    fn read<'a>(
        &'a mut self,
        path: &'a str,
        offset: u64,
        len: u32,
    ) -> BoxFuture<'a, Result<Vec<u8>, SourceError>> {
        Box::pin(async move {
            let object =
                Path::parse(format!("{}/{path}", self.prefix)).map_err(SourceError::unavailable)?;
            let end = offset.saturating_add(u64::from(len));
            match self.store.get_range(&object, offset..end).await {
                Ok(bytes) => Ok(bytes.to_vec()),
                Err(Error::NotFound { .. }) => Err(SourceError::Changed),
                Err(error) => Err(SourceError::unavailable(error)),
            }
        })
    }

    fn end(&mut self) -> BoxFuture<'_, Result<(), SourceError>> {
        Box::pin(async { Ok(()) })
    }
}
