//! A deployment copies its key store each day and after each destruction, seals every copy, and lets
//! none live longer than five days. A site that keeps what it should remove is told of, and a copy
//! that it keeps in secret is found by whoever looks at the disk with the recovery key.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use covenant::Wraps;
use covenant_core::{Action, Clock, KeyId};
use crypto_envelope::copies::decode;
use crypto_envelope::platform::Site;
use crypto_envelope::recovery::{Part, RecoveryKey};
use crypto_envelope::{KeyAdmin, PendingWindow, Role};
use futures_util::stream::{BoxStream, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use time::{Duration, UtcDateTime};

use crate::a_key_store_that_comes_back_forgets_again::{call, root_of, two_tenants};
use crate::common::{Outcome, Stage, files, profile};
use crate::keys_lie_apart_and_their_story_is_told::told;

/// When the copy in this file was taken.
fn taken(copy: &std::path::Path) -> Outcome<UtcDateTime> {
    let name = copy.file_name().and_then(|name| name.to_str());
    let micros = name.and_then(|name| name.split('-').nth(1));
    let micros: i128 = micros.ok_or("no instant")?.parse()?;
    Ok(UtcDateTime::from_unix_timestamp_nanos(micros * 1_000)?)
}

fn copies(stage: &Stage) -> Outcome<Vec<PathBuf>> {
    files(&stage.covenant.layout().copies().join("platform/keys"))
}

/// Whether any copy on the disk still has the root, as its holder could use it.
fn still_held(stage: &Stage, recovery: &RecoveryKey, root: KeyId) -> Outcome<bool> {
    let key = recovery.derive(Part::KeyStore)?;
    for copy in copies(stage)? {
        let name = copy.file_name().and_then(|name| name.to_str());
        let plain = key.open(name.ok_or("no name")?, &std::fs::read(&copy)?)?;
        let roots = decode(plain.expose())?.roots;
        if roots.iter().any(|r| r.id == root && !r.wrapped.is_empty()) {
            return Ok(true);
        }
    }
    Ok(false)
}

// clause: P-56
#[tokio::test]
async fn each_day_and_after_each_destruction() -> Outcome {
    let stage = Stage::new("protopie").await?;
    let recovery = stage.covenant.take_recovery_key().ok_or("no key")?;
    two_tenants(&stage).await?;
    let (admin, root) = (call(Role::SysAdmin), root_of(&stage, 1).await?);
    let desk = stage.covenant.key_desk();
    let due = desk
        .schedule_destruction(&admin, root, PendingWindow::SHORTEST)
        .await?;
    let first = stage.clock.now();
    for hours in 0..10 * 24 {
        let swept = stage.run_until(first + Duration::hours(hours)).await?;
        assert_eq!(swept.failed, 0, "{swept:?}");
        let ages = copies(&stage)?
            .iter()
            .map(|copy| Ok(stage.clock.now() - taken(copy)?))
            .collect::<Outcome<Vec<Duration>>>()?;
        assert!(ages.iter().all(|age| *age < Duration::days(5)), "{ages:?}");
        let youngest = ages.iter().min().ok_or("no copy")?;
        assert!(*youngest <= Duration::DAY, "{youngest}");
    }
    // the destruction itself was copied when it happened
    let at = copies(&stage)?
        .iter()
        .map(|copy| taken(copy))
        .collect::<Outcome<Vec<_>>>()?;
    assert!(at.contains(&due), "{at:?}");
    let date = stage.covenant.keys().unrecoverable_at(root).await?;
    let date = date.ok_or("no date")?;
    assert!(date > due && date <= due + Duration::days(5));
    assert!(still_held(&stage, &recovery, root)?);
    stage.run_until(date).await?;
    assert!(!still_held(&stage, &recovery, root)?, "gone by its date");
    let faults = stage.covenant.keys().check(&admin, stage.clock.now());
    assert_eq!(faults.await?.faults, []);
    Ok(())
}

#[tokio::test]
async fn a_second_site_has_them_too() -> Outcome {
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(covenant_core::ManualClock::at(crate::common::START));
    let profile = profile("immidb")?;
    let root = folder.path().join("d");
    let mut settings = crate::common::settings(&root, &profile, &clock, 5, Wraps::default())?;
    let elsewhere = Arc::new(InMemory::new());
    settings.sites = vec![Site::new("second-site".parse()?, elsewhere.clone())];
    let covenant = covenant::Covenant::create(settings).await?;
    covenant.sweep().await?;
    let all: Vec<_> = elsewhere.list(None).collect().await;
    let names: Vec<String> = all
        .into_iter()
        .map(|meta| Ok(meta?.location.to_string()))
        .collect::<Result<_>>()?;
    let of = |part: &str| names.iter().filter(|name| name.contains(part)).count();
    assert_eq!((of("platform/escrow/"), of("platform/keys/")), (2, 1));
    Ok(())
}

/// How a site keeps what it should remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeps {
    Openly,
    InSecret,
}

#[derive(Debug)]
pub(crate) struct Keeping {
    sound: Arc<dyn ObjectStore>,
    keeps: Keeps,
    hidden: Arc<std::sync::Mutex<Vec<Path>>>,
}

impl Keeping {
    pub(crate) fn new(sound: Arc<dyn ObjectStore>, keeps: Keeps) -> Arc<Self> {
        Arc::new(Self {
            sound,
            keeps,
            hidden: Arc::default(),
        })
    }

    fn wraps(keeps: Keeps) -> Wraps {
        Wraps {
            site: Some(Box::new(move |sound| Self::new(sound, keeps))),
            ..Wraps::default()
        }
    }

    fn hides(&self, path: &Path) -> bool {
        self.hidden.lock().expect("one thread").contains(path)
    }
}

impl fmt::Display for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keeping")
    }
}

#[async_trait]
impl ObjectStore for Keeping {
    async fn put_opts(&self, at: &Path, bytes: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.sound.put_opts(at, bytes, how).await
    }
    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.sound.put_multipart_opts(at, how).await
    }
    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        if self.hides(at) {
            let path = at.to_string();
            return Err(object_store::Error::NotFound {
                path,
                source: "hidden".into(),
            });
        }
        self.sound.get_opts(at, how).await
    }
    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (hidden, keeps) = (Arc::clone(&self.hidden), self.keeps);
        let kept = paths.map(move |path| {
            let path = path?;
            if keeps == Keeps::InSecret {
                hidden.lock().expect("one thread").push(path.clone());
            }
            Ok(path)
        });
        kept.boxed()
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let hidden = Arc::clone(&self.hidden);
        let shown = move |meta: &Result<ObjectMeta>| {
            let hidden = hidden.lock().expect("one thread");
            let shown = !meta
                .as_ref()
                .is_ok_and(|meta| hidden.contains(&meta.location));
            futures_util::future::ready(shown)
        };
        self.sound.list(prefix).filter(shown).boxed()
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.sound.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.sound.copy_opts(from, to, how).await
    }
}

#[tokio::test]
async fn a_site_that_keeps_copies_is_told_of() -> Outcome {
    let stage = Stage::with(profile("protopie")?, Keeping::wraps(Keeps::Openly)).await?;
    two_tenants(&stage).await?;
    let first = stage.clock.now();
    let swept = stage.run_until(first + Duration::hours(118)).await?;
    assert_eq!(swept.failed, 0, "{swept:?}");
    let swept = stage.run_until(first + Duration::hours(121)).await?;
    assert!(swept.failed > 0, "{swept:?}");
    // past its end it is in the log, once a day
    assert!(told(&stage, Action::KeyListed).await?.contains(&none()));
    Ok(())
}

/// The id under which the log keeps what concerns all keys.
fn none() -> KeyId {
    KeyId::from_bytes([0; 16])
}

#[tokio::test]
async fn a_copy_kept_in_secret_opens_after_the_date() -> Outcome {
    let stage = Stage::with(profile("protopie")?, Keeping::wraps(Keeps::InSecret)).await?;
    let recovery = stage.covenant.take_recovery_key().ok_or("no key")?;
    two_tenants(&stage).await?;
    let (admin, root) = (call(Role::SysAdmin), root_of(&stage, 1).await?);
    let desk = stage.covenant.key_desk();
    let due = desk
        .schedule_destruction(&admin, root, PendingWindow::SHORTEST)
        .await?;
    stage.run_until(due).await?;
    let date = stage.covenant.keys().unrecoverable_at(root).await?;
    stage.run_until(date.ok_or("no date")?).await?;
    let held = still_held(&stage, &recovery, root)?;
    assert!(held, "a look at the disk misses what the site keeps");
    Ok(())
}
