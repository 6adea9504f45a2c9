//! The object store of attachments, asked at start-up what it keeps: one that gives back what was
//! deleted must not hold what is promised to be deleted. An attachment is not sealed under a key of
//! its own that dies with it, so no such store is admitted.

use std::sync::Arc;

use covenant_core::{BoxFuture, Random};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt as _};
use retention_policy::apply::FlushError;
use retention_policy::physical::bucket::{Scratch, Sealing, admit, probe};

use crate::error::StartError;
use crate::joints::{Wrap, wrapped};

/// The folder of the probe, apart from every region.
const FOLDER: &str = "covenant-probe";

/// One object that nobody else uses.
#[derive(Debug)]
struct Object {
    store: Arc<dyn ObjectStore>,
    path: Path,
}

/// Asks the store, and refuses one that keeps what was deleted.
///
/// # Errors
/// [`StartError::Bucket`]; [`StartError::Store`] when it cannot be asked.
// clause: P-52, P-59
pub(crate) async fn admitted(
    store: &Arc<dyn ObjectStore>,
    random: &dyn Random,
    wrap: Option<Wrap<dyn Scratch>>,
) -> Result<(), StartError> {
    let unready = |error| StartError::store("objects", error);
    let mut name = [0; 16];
    random
        .fill(&mut name)
        .map_err(|error| StartError::store("objects", error))?;
    let name = covenant_core::canon::hex(&name);
    let object = Object {
        store: Arc::clone(store),
        path: Path::from_iter([FOLDER, name.as_str()]),
    };
    let scratch = wrapped(wrap, Arc::new(object) as Arc<dyn Scratch>);
    let keeps = probe(scratch.as_ref()).await.map_err(unready)?;
    Ok(admit(keeps, Sealing::NotEvery)?)
}

impl Scratch for Object {
    fn put<'a>(&'a self, bytes: &'a [u8]) -> BoxFuture<'a, Result<Option<String>, FlushError>> {
        Box::pin(async move {
            let put = self.store.put(&self.path, bytes.to_vec().into()).await;
            Ok(put.map_err(failed)?.version)
        })
    }

    fn get<'a>(
        &'a self,
        version: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, FlushError>> {
        Box::pin(async move {
            let options = GetOptions {
                version: version.map(str::to_owned),
                ..GetOptions::default()
            };
            match self.store.get_opts(&self.path, options).await {
                Ok(found) => Ok(Some(found.bytes().await.map_err(failed)?.to_vec())),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(failed(error)),
            }
        })
    }

    fn delete(&self) -> BoxFuture<'_, Result<(), FlushError>> {
        Box::pin(async move {
            match self.store.delete(&self.path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(failed(error)),
            }
        })
    }
}

fn failed(error: object_store::Error) -> FlushError {
    FlushError::Unavailable(Box::new(error))
}
