//! The objects below a prefix of an object store, as they were when the consistent point was taken:
//! one that is overwritten or deleted meanwhile makes the session begin again. Objects are create-only
//! in `covenant`, so that reading them after the database misses none it names.

use std::collections::BTreeMap;
use std::sync::Arc;

use covenant_core::{BoxFuture, canon};
use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectMeta, ObjectStore};

use super::{Source, SourceError, SourceFile};

/// Objects below a prefix.
#[derive(Debug)]
pub struct ObjectsSource {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// What each object was known by when the consistent point was taken.
    begun: BTreeMap<String, Option<String>>,
}

/// An object as it is listed.
struct Listed {
    file: SourceFile,
    meta: ObjectMeta,
}

impl ObjectsSource {
    /// The objects below `prefix`.
    #[must_use]
    pub const fn new(store: Arc<dyn ObjectStore>, prefix: Path) -> Self {
        Self {
            store,
            prefix,
            begun: BTreeMap::new(),
        }
    }

    async fn list(&self) -> Result<Vec<Listed>, SourceError> {
        let listed: Vec<_> = self
            .store
            .list(Some(&self.prefix))
            .try_collect()
            .await
            .map_err(SourceError::unavailable)?;
        let mut files: Vec<Listed> = listed
            .into_iter()
            .filter_map(|meta| {
                let rest = meta.location.prefix_match(&self.prefix)?;
                let parts: Vec<String> = rest.map(|part| part.as_ref().to_owned()).collect();
                let file = SourceFile {
                    path: parts.join("/"),
                    len: meta.size,
                };
                Some(Listed { file, meta })
            })
            .collect();
        files.sort_by(|a, b| a.file.cmp(&b.file));
        Ok(files)
    }
}

impl Source for ObjectsSource {
    fn token(&mut self) -> BoxFuture<'_, Result<Vec<u8>, SourceError>> {
        Box::pin(async move {
            let mut all = canon::Writer::new();
            for Listed { file, meta } in self.list().await? {
                let tag = |tag: Option<String>| tag.unwrap_or_default();
                all.text(&file.path)
                    .u64(file.len)
                    .text(&tag(meta.e_tag))
                    .text(&tag(meta.version))
                    .text(&meta.last_modified.to_rfc3339());
            }
            Ok(covenant_core::digest::Digest::of(all.as_bytes())
                .as_bytes()
                .to_vec())
        })
    }

    fn begin(&mut self) -> BoxFuture<'_, Result<Vec<SourceFile>, SourceError>> {
        Box::pin(async move {
            let listed = self.list().await?;
            self.begun = listed
                .iter()
                .map(|l| (l.file.path.clone(), l.meta.e_tag.clone()))
                .collect();
            Ok(listed.into_iter().map(|listed| listed.file).collect())
        })
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
            let options = GetOptions {
                range: Some(GetRange::Bounded(offset..end)),
                if_match: self.begun.get(path).cloned().flatten(),
                ..GetOptions::default()
            };
            let read = match self.store.get_opts(&object, options).await {
                Ok(found) => found.bytes().await,
                Err(error) => Err(error),
            };
            match read {
                Ok(bytes) => Ok(bytes.to_vec()),
                Err(Error::NotFound { .. } | Error::Precondition { .. }) => {
                    Err(SourceError::Changed)
                }
                Err(error) => Err(SourceError::unavailable(error)),
            }
        })
    }

    fn end(&mut self) -> BoxFuture<'_, Result<(), SourceError>> {
        self.begun.clear();
        Box::pin(async { Ok(()) })
    }
}
