//! A depot in memory: the model.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use covenant_core::{BoxFuture, Region};

use super::{Created, Depot, DepotError, DepotFacts};

/// Keeps objects in a map.
#[derive(Debug)]
pub struct MemoryDepot {
    region: Region,
    objects: Mutex<BTreeMap<String, Bytes>>,
}

impl MemoryDepot {
    /// An empty depot in this region.
    #[must_use]
    pub const fn new(region: Region) -> Self {
        Self {
            region,
            objects: Mutex::new(BTreeMap::new()),
        }
    }

    fn with<T>(&self, f: impl FnOnce(&mut BTreeMap<String, Bytes>) -> T) -> T {
        f(&mut self.objects.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Depot for MemoryDepot {
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
        let created = self.with(|objects| match objects.get(key) {
            Some(there) if *there == body => Created::AlreadyMine,
            Some(there) => Created::TakenBy(there.clone()),
            None => {
                objects.insert(key.to_owned(), body);
                Created::New
            }
        });
        Box::pin(async { Ok(created) })
    }

    fn read<'a>(
        &'a self,
        key: &'a str,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Bytes, DepotError>> {
        let found = self.with(|objects| objects.get(key).cloned());
        Box::pin(async move {
            let body = found.ok_or_else(|| DepotError::Missing(key.to_owned()))?;
            let Some(range) = range else { return Ok(body) };
            let bound = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
            Ok(body.slice(bound(range.start)..bound(range.end.max(range.start))))
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, DepotError>> {
        let keys = self.with(|objects| {
            objects
                .keys()
                .filter(|key| key.starts_with(prefix))
                .cloned()
                .collect()
        });
        Box::pin(async { Ok(keys) })
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), DepotError>> {
        self.with(|objects| objects.retain(|key, _| !keys.contains(key)));
        Box::pin(async { Ok(()) })
    }
}
