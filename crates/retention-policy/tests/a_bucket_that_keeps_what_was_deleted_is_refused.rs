//! An object store is asked at start-up what it keeps: the stores in memory and on a local disk keep
//! nothing; one with versions, one that hides them and one that locks are refused for what must be
//! deletable, unless every object there is sealed under a key that dies.
#![cfg(feature = "apply")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use covenant_core::BoxFuture;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt as _};
use retention_policy::apply::FlushError;
use retention_policy::physical::bucket::{BucketRefused, Keeps, Scratch, Sealing, admit, probe};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The scratch object of a real store.
#[derive(Debug)]
struct Object(Arc<dyn ObjectStore>, Path);

fn failed(error: object_store::Error) -> FlushError {
    FlushError::Unavailable(Box::new(error))
}

impl Scratch for Object {
    fn put<'a>(&'a self, bytes: &'a [u8]) -> BoxFuture<'a, Result<Option<String>, FlushError>> {
        Box::pin(async move {
            let put = self.0.put(&self.1, bytes.to_vec().into()).await;
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
            match self.0.get_opts(&self.1, options).await {
                Ok(found) => Ok(Some(found.bytes().await.map_err(failed)?.to_vec())),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(failed(error)),
            }
        })
    }

    fn delete(&self) -> BoxFuture<'_, Result<(), FlushError>> {
        Box::pin(async move {
            match self.0.delete(&self.1).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(failed(error)),
            }
        })
    }
}

/// What a bucket of the tests does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// A deletion hides the newest version, as on S3.
    Versions,
    /// Likewise, and old versions are for other clients.
    VersionsOfOthers,
    /// A deletion is accepted and changes nothing.
    Locked,
    /// Likewise, and it names no versions.
    LockedWithoutVersions,
    /// A deletion takes the newest version away; the one before it stays.
    Older,
    /// It names versions and keeps no bytes.
    Forgetful,
}

#[derive(Debug)]
struct Bucket {
    habit: Habit,
    versions: Mutex<BTreeMap<u32, Option<Vec<u8>>>>,
}

impl Bucket {
    const fn new(habit: Habit) -> Self {
        let versions = Mutex::new(BTreeMap::new());
        Self { habit, versions }
    }

    fn versions(&self) -> MutexGuard<'_, BTreeMap<u32, Option<Vec<u8>>>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scratch for Bucket {
    fn put<'a>(&'a self, bytes: &'a [u8]) -> BoxFuture<'a, Result<Option<String>, FlushError>> {
        Box::pin(async move {
            let mut versions = self.versions();
            let next = u32::try_from(versions.len()).unwrap_or(u32::MAX);
            let kept = (self.habit != Habit::Forgetful).then(|| bytes.to_vec());
            versions.insert(next, kept);
            Ok((self.habit != Habit::LockedWithoutVersions).then(|| next.to_string()))
        })
    }

    fn get<'a>(
        &'a self,
        version: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, FlushError>> {
        Box::pin(async move {
            let versions = self.versions();
            Ok(match version {
                None => versions.values().next_back().cloned().flatten(),
                Some(_) if self.habit == Habit::VersionsOfOthers => None,
                Some(version) => {
                    let number = version.parse().ok();
                    number.and_then(|number: u32| versions.get(&number).cloned().flatten())
                }
            })
        })
    }

    fn delete(&self) -> BoxFuture<'_, Result<(), FlushError>> {
        Box::pin(async move {
            let mut versions = self.versions();
            let next = u32::try_from(versions.len()).unwrap_or(u32::MAX);
            match self.habit {
                Habit::Locked | Habit::LockedWithoutVersions => {}
                Habit::Older => {
                    versions.insert(next - 1, None);
                }
                _ => {
                    versions.insert(next, None);
                }
            }
            Ok(())
        })
    }
}

#[tokio::test]
async fn stores_without_versions_are_admitted() -> Outcome {
    let folder = tempfile::tempdir()?;
    let stores: [Arc<dyn ObjectStore>; 2] = [
        Arc::new(object_store::memory::InMemory::new()),
        Arc::new(object_store::local::LocalFileSystem::new_with_prefix(
            folder.path(),
        )?),
    ];
    for store in stores {
        let object = Object(Arc::clone(&store), Path::from("scratch/probe"));
        let keeps = probe(&object).await?;
        assert_eq!(keeps, Keeps::Nothing, "{store}");
        assert_eq!(admit(keeps, Sealing::NotEvery), Ok(()));
        assert!(
            object.get(None).await?.is_none(),
            "the probe leaves nothing"
        );
        // what was there before does not matter
        assert_eq!(probe(&object).await?, Keeps::Nothing);
    }
    Ok(())
}

// clause: P-52
#[tokio::test]
async fn versions_and_locks_are_refused_unless_everything_is_sealed() -> Outcome {
    for (habit, expect) in [
        (Habit::Versions, Keeps::Deleted),
        (Habit::VersionsOfOthers, Keeps::Hidden),
        (Habit::Locked, Keeps::Deleted),
        (Habit::LockedWithoutVersions, Keeps::Deleted),
        (Habit::Older, Keeps::Deleted),
    ] {
        let keeps = probe(&Bucket::new(habit)).await?;
        assert_eq!(keeps, expect, "{habit:?}");
        assert_eq!(
            admit(keeps, Sealing::NotEvery),
            Err(BucketRefused),
            "{habit:?}"
        );
        assert_eq!(admit(keeps, Sealing::EveryObject), Ok(()), "{habit:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_store_that_does_not_store_says_nothing() -> Outcome {
    let told = probe(&Bucket::new(Habit::Forgetful)).await;
    assert!(matches!(told, Err(FlushError::Unavailable(_))), "{told:?}");
    Ok(())
}
