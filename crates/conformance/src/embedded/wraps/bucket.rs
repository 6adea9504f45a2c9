//! What a store of attached files keeps: one that keeps every version, and a start that does not ask
//! for any.

use std::sync::{Arc, Mutex, PoisonError};

use covenant_core::BoxFuture;
use retention_policy::apply::FlushError;
use retention_policy::physical::bucket::Scratch;

/// A store with versions switched on: whoever knows the name of one reads it after its deletion.
#[derive(Debug)]
pub(super) struct Versioned {
    sound: Arc<dyn Scratch>,
    /// All that was ever written; a version is named by its place.
    versions: Mutex<Vec<Vec<u8>>>,
}

impl Versioned {
    pub(super) fn new(sound: Arc<dyn Scratch>) -> Self {
        Self {
            sound,
            versions: Mutex::default(),
        }
    }

    fn keep(&self, bytes: &[u8]) -> String {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.push(bytes.to_vec());
        versions.len().to_string()
    }

    fn kept(&self, version: &str) -> Option<Vec<u8>> {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let place = version.parse::<usize>().ok()?.checked_sub(1)?;
        versions.get(place).cloned()
    }
}

impl Scratch for Versioned {
    fn put<'a>(&'a self, bytes: &'a [u8]) -> BoxFuture<'a, Result<Option<String>, FlushError>> {
        Box::pin(async move {
            self.sound.put(bytes).await?;
            Ok(Some(self.keep(bytes)))
        })
    }

    fn get<'a>(
        &'a self,
        version: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, FlushError>> {
        match version {
            Some(version) => Box::pin(async move { Ok(self.kept(version)) }),
            None => self.sound.get(None),
        }
    }

    fn delete(&self) -> BoxFuture<'_, Result<(), FlushError>> {
        self.sound.delete()
    }
}

/// Asks for the object alone, and for no version of it.
#[derive(Debug)]
pub(super) struct Unasked(pub(super) Arc<dyn Scratch>);

impl Scratch for Unasked {
    fn put<'a>(&'a self, bytes: &'a [u8]) -> BoxFuture<'a, Result<Option<String>, FlushError>> {
        Box::pin(async move {
            self.0.put(bytes).await?;
            Ok(None)
        })
    }

    fn get<'a>(
        &'a self,
        _version: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, FlushError>> {
        self.0.get(None)
    }

    fn delete(&self) -> BoxFuture<'_, Result<(), FlushError>> {
        self.0.delete()
    }
}
