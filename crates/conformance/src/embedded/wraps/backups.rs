//! Wrong about backups: a copy in the clear, failures that count, one root for all vaults, ends on
//! the wrong day, remains that stay.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use backup_engine::{
    BackupError, Backups, CheckReport, Domain, Epoch, Expired, ExpiryItem, LogHead, Quarantined,
    Snapshot, Source,
};
use covenant_core::{BoxFuture, Clock, SnapshotId, TenantId, VaultId};
use crypto_envelope::{EpochName, KeyError, VaultKey, VaultKeys, VaultRoot};
use time::{Duration, UtcDateTime};

/// How far an end is moved.
const OFF: Duration = Duration::days(10);
/// About as long as a record stays in a bin.
const BIN: Duration = Duration::days(30);
/// Well beyond the end of whatever it opens.
const FAR: Duration = Duration::days(60);
/// Bytes that are read at a time.
const PART_LEN_BYTES: u32 = 65_536;

/// Passes everything but the named methods on.
macro_rules! pass_on {
    ($($method:ident),* $(,)?) => { $(pass_on!(@ $method);)* };
    (@ run) => {
        fn run<'a>(
            &'a self,
            domain: &'a Domain,
            source: &'a mut dyn Source,
            head: LogHead,
        ) -> BoxFuture<'a, Result<Snapshot, BackupError>> {
            self.sound().run(domain, source, head)
        }
    };
    (@ snapshots) => {
        fn snapshots<'a>(
            &'a self,
            domain: &'a Domain,
        ) -> BoxFuture<'a, Result<Vec<Snapshot>, BackupError>> {
            self.sound().snapshots(domain)
        }
    };
    (@ items) => {
        fn items<'a>(
            &'a self,
            domain: &'a Domain,
        ) -> BoxFuture<'a, Result<Vec<ExpiryItem>, BackupError>> {
            self.sound().items(domain)
        }
    };
    (@ restore) => {
        fn restore<'a>(
            &'a self,
            domain: &'a Domain,
            snapshot: SnapshotId,
            into: &'a Path,
        ) -> BoxFuture<'a, Result<Quarantined, BackupError>> {
            self.sound().restore(domain, snapshot, into)
        }
    };
    (@ expire) => {
        fn expire<'a>(
            &'a self,
            domain: &'a Domain,
            epoch: Epoch,
        ) -> BoxFuture<'a, Result<Expired, BackupError>> {
            self.sound().expire(domain, epoch)
        }
    };
    (@ end) => {
        fn end<'a>(
            &'a self,
            domain: &'a Domain,
            epoch: Epoch,
        ) -> BoxFuture<'a, Result<Expired, BackupError>> {
            self.sound().end(domain, epoch)
        }
    };
    (@ check) => {
        fn check<'a>(
            &'a self,
            domain: &'a Domain,
        ) -> BoxFuture<'a, Result<CheckReport, BackupError>> {
            self.sound().check(domain)
        }
    };
}

/// Leaves a copy of the source beside each backup, as somebody left it who once had to debug.
#[derive(Debug)]
pub(super) struct LeavesCopy {
    sound: Arc<dyn Backups>,
    folder: PathBuf,
}

impl LeavesCopy {
    pub(super) fn new(sound: Arc<dyn Backups>, folder: PathBuf) -> Self {
        Self { sound, folder }
    }

    fn sound(&self) -> &dyn Backups {
        self.sound.as_ref()
    }

    async fn copy(&self, source: &mut dyn Source) -> Result<(), BackupError> {
        let files = source.begin().await?;
        for (number, file) in (0_u32..).zip(files) {
            let mut bytes = Vec::new();
            let mut offset = 0_u64;
            while offset < file.len {
                let part = source.read(&file.path, offset, PART_LEN_BYTES).await?;
                offset = offset.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
                bytes.extend(part);
            }
            std::fs::create_dir_all(&self.folder).map_err(BackupError::Target)?;
            let path = self.folder.join(format!("{number}.copy"));
            std::fs::write(path, bytes).map_err(BackupError::Target)?;
        }
        Ok(source.end().await?)
    }
}

impl Backups for LeavesCopy {
    fn run<'a>(
        &'a self,
        domain: &'a Domain,
        source: &'a mut dyn Source,
        head: LogHead,
    ) -> BoxFuture<'a, Result<Snapshot, BackupError>> {
        Box::pin(async move {
            let snapshot = self.sound.run(domain, source, head).await?;
            self.copy(source).await?;
            Ok(snapshot)
        })
    }

    pass_on!(snapshots, items, restore, expire, end, check);
}

/// Counts a run that failed as done.
#[derive(Debug)]
pub(super) struct Optimist {
    sound: Arc<dyn Backups>,
    clock: Arc<dyn Clock>,
    imagined: Mutex<Vec<(Domain, Snapshot)>>,
    /// What the depot listed when it last answered.
    listed: Mutex<Vec<Snapshot>>,
}

impl Optimist {
    pub(super) fn new(sound: Arc<dyn Backups>, clock: Arc<dyn Clock>) -> Self {
        Self {
            sound,
            clock,
            imagined: Mutex::default(),
            listed: Mutex::default(),
        }
    }

    fn sound(&self) -> &dyn Backups {
        self.sound.as_ref()
    }

    /// A snapshot that nobody made, completed now, in the vault of the last one that somebody did.
    fn imagine(&self, domain: &Domain) -> Option<Snapshot> {
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let last = listed.last()?.clone();
        let mut imagined = self.imagined.lock().unwrap_or_else(PoisonError::into_inner);
        let number = u8::try_from(imagined.len()).unwrap_or(u8::MAX);
        let (id, completed) = (SnapshotId::from_bytes([number; 16]), self.clock.now());
        let snapshot = Snapshot {
            id,
            completed,
            ..last
        };
        imagined.push((domain.clone(), snapshot.clone()));
        Some(snapshot)
    }
}

impl Backups for Optimist {
    fn run<'a>(
        &'a self,
        domain: &'a Domain,
        source: &'a mut dyn Source,
        head: LogHead,
    ) -> BoxFuture<'a, Result<Snapshot, BackupError>> {
        Box::pin(async move {
            match self.sound.run(domain, source, head).await {
                Ok(snapshot) => Ok(snapshot),
                Err(error) => self.imagine(domain).ok_or(error),
            }
        })
    }

    fn snapshots<'a>(
        &'a self,
        domain: &'a Domain,
    ) -> BoxFuture<'a, Result<Vec<Snapshot>, BackupError>> {
        Box::pin(async move {
            let answered = self.sound.snapshots(domain).await;
            let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
            if let Ok(answered) = answered {
                *listed = answered;
            }
            let imagined = self.imagined.lock().unwrap_or_else(PoisonError::into_inner);
            let mine = imagined
                .iter()
                .filter(|(d, _)| d == domain)
                .map(|(_, s)| s.clone());
            let mut all: Vec<Snapshot> = listed.iter().cloned().chain(mine).collect();
            all.sort_by_key(|snapshot| snapshot.completed);
            Ok(all)
        })
    }

    pass_on!(items, restore, expire, end, check);
}

/// One root for all vaults: the first one's.
#[derive(Debug)]
pub(super) struct OneRoot {
    sound: Arc<dyn VaultKeys>,
    first: Mutex<Option<(TenantId, VaultId, VaultRoot)>>,
}

impl OneRoot {
    pub(super) fn new(sound: Arc<dyn VaultKeys>) -> Self {
        Self {
            sound,
            first: Mutex::default(),
        }
    }

    fn first(&self) -> Option<(TenantId, VaultId, VaultRoot)> {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl VaultKeys for OneRoot {
    fn vault_root<'a>(
        &'a self,
        tenant: TenantId,
        vault: VaultId,
        epoch: &'a EpochName,
        destroy_at: UtcDateTime,
    ) -> BoxFuture<'a, Result<VaultRoot, KeyError>> {
        Box::pin(async move {
            if let Some((_, _, root)) = self.first() {
                return Ok(root);
            }
            let root = self
                .sound
                .vault_root(tenant, vault, epoch, destroy_at)
                .await?;
            let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
            *first = Some((tenant, vault, root));
            Ok(root)
        })
    }

    fn unlock_vault(
        &self,
        tenant: TenantId,
        vault: VaultId,
    ) -> BoxFuture<'_, Result<VaultKey, KeyError>> {
        let (tenant, vault) = self.first().map_or((tenant, vault), |(t, v, _)| (t, v));
        self.sound.unlock_vault(tenant, vault)
    }
}

/// Keys of vaults that die on another day than planned.
#[derive(Debug)]
pub(super) struct MovedEnd {
    sound: Arc<dyn VaultKeys>,
    by: Duration,
}

impl MovedEnd {
    pub(super) fn early(sound: Arc<dyn VaultKeys>) -> Self {
        Self {
            sound,
            by: Duration::ZERO.saturating_sub(OFF),
        }
    }

    pub(super) fn late(sound: Arc<dyn VaultKeys>) -> Self {
        Self { sound, by: OFF }
    }

    /// Counted from when the last record that was deleted before has left the bin.
    pub(super) fn by_bin(sound: Arc<dyn VaultKeys>) -> Self {
        Self { sound, by: BIN }
    }

    /// What opens chunks outlives them, and nothing else does.
    pub(super) fn outliving(sound: Arc<dyn VaultKeys>) -> Self {
        Self { sound, by: FAR }
    }
}

impl VaultKeys for MovedEnd {
    fn vault_root<'a>(
        &'a self,
        tenant: TenantId,
        vault: VaultId,
        epoch: &'a EpochName,
        destroy_at: UtcDateTime,
    ) -> BoxFuture<'a, Result<VaultRoot, KeyError>> {
        self.sound
            .vault_root(tenant, vault, epoch, destroy_at.saturating_add(self.by))
    }

    fn unlock_vault(
        &self,
        tenant: TenantId,
        vault: VaultId,
    ) -> BoxFuture<'_, Result<VaultKey, KeyError>> {
        self.sound.unlock_vault(tenant, vault)
    }
}

/// Says that a dead vault's remains are gone, and leaves them.
#[derive(Debug)]
pub(super) struct NeverExpires(pub(super) Arc<dyn Backups>);

impl NeverExpires {
    fn sound(&self) -> &dyn Backups {
        self.0.as_ref()
    }
}

impl Backups for NeverExpires {
    fn expire<'a>(
        &'a self,
        _domain: &'a Domain,
        _epoch: Epoch,
    ) -> BoxFuture<'a, Result<Expired, BackupError>> {
        Box::pin(async { Ok(Expired { objects: 0 }) })
    }

    pass_on!(run, snapshots, items, restore, end, check);
}
