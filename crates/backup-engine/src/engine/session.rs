//! A session: mint or find the vault, copy what the source holds, and commit by creating one object.

use std::collections::BTreeSet;

use bytes::Bytes;
use covenant_core::digest::Digest;
use covenant_core::{Secret, SnapshotId, canon};
use crypto_envelope::cobblestone;
use time::UtcDateTime;

use super::Engine;
use crate::backups::Snapshot;
use crate::depot::{Created, DepotError};
use crate::domain::{Domain, Epoch};
use crate::error::BackupError;
use crate::format::snapshot::{Entry, LogHead, SnapshotBody};
use crate::source::{Source, SourceError};

/// How often a session that ran over the end of its epoch begins again.
const TRIES: usize = 3;

impl Engine {
    /// Runs sessions until one ends within the epoch in which it began.
    pub(super) async fn back_up(
        &self,
        domain: &Domain,
        source: &mut dyn Source,
        head: LogHead,
    ) -> Result<Snapshot, BackupError> {
        self.tell_missing(domain).await?;
        for _ in 1..TRIES {
            match self.session(domain, source, head).await {
                Err(BackupError::SessionExpired | BackupError::Source(SourceError::Changed)) => {}
                other => return other,
            }
        }
        self.session(domain, source, head).await
    }

    async fn session(
        &self,
        domain: &Domain,
        source: &mut dyn Source,
        head: LogHead,
    ) -> Result<Snapshot, BackupError> {
        let started = whole_seconds(self.parts.clock.now());
        let began = self.parts.clock.monotonic();
        let epoch = self.parts.policy.epoch_at(started);
        let (record, vault) = self.vault_for(domain, epoch).await?;
        let root = Self::seal_root(&vault)?;
        let parent = self.newest(domain, epoch, &root).await?;
        // Before the token: what had committed by then is in what the token stands for.
        let consistent_at = whole_seconds(self.parts.clock.now());
        let token = source.token().await?;
        let unchanged = parent.as_ref().filter(|parent| {
            parent.lost.is_empty() && !token.is_empty() && parent.body.token == token
        });
        let (members, entries) = match unchanged {
            Some(parent) => (parent.body.members.clone(), parent.body.entries.clone()),
            None => {
                let known = parent.into_iter().flat_map(Parent::into_placed);
                let copied = self.copy(domain, epoch, known, source).await;
                let ended = source.end().await;
                let copied = copied?;
                ended?;
                copied
            }
        };
        let completed = whole_seconds(self.parts.clock.now());
        let took = self.parts.clock.monotonic().saturating_sub(began);
        let limit = self.parts.policy.session;
        let in_time =
            took <= limit && (started..=started.saturating_add(limit)).contains(&completed);
        if self.parts.policy.epoch_at(completed) != epoch || !in_time {
            return Err(BackupError::SessionExpired);
        }
        let body = SnapshotBody {
            id: SnapshotId::from_bytes(self.random()?),
            started,
            consistent_at,
            completed,
            head,
            token,
            members,
            entries,
        };
        let digest = self.commit(domain, epoch, &root, &body).await?;
        self.tell_completed(domain, record.vault, &body, digest)
            .await?;
        Ok(Snapshot {
            id: body.id,
            epoch,
            completed,
            destroy_at: record.destroy_at,
        })
    }

    /// Creates the snapshot: the one step that commits.
    async fn commit(
        &self,
        domain: &Domain,
        epoch: Epoch,
        root: &Secret<[u8; 32]>,
        body: &SnapshotBody,
    ) -> Result<Digest, BackupError> {
        // What does not parse could never be restored, so it is not committed.
        if !body.is_sound() {
            let why = "files in one order, apart, and as long as they are";
            return Err(SourceError::Unfit(why).into());
        }
        let key = self
            .name_of(domain)
            .snapshot(epoch, body.completed, *body.id.as_bytes());
        let plain = Secret::new(body.encode());
        let context = self.snapshot_context(&key);
        let random = self.parts.random.as_ref();
        // clause: P-14, P-16
        let sealed = cobblestone::seal(root.expose(), &context, plain.expose(), random)?;
        let digest = Digest::of(&sealed);
        self.doubt(domain);
        match self.create(&key, Bytes::from(sealed)).await? {
            Created::New | Created::AlreadyMine => Ok(digest),
            Created::TakenBy(_) => Err(BackupError::Corrupt { key }),
        }
    }

    /// The newest snapshot of the vault that opens. One that does not is left to `check`: it must not
    /// keep the domain from being backed up.
    async fn newest(
        &self,
        domain: &Domain,
        epoch: Epoch,
        root: &Secret<[u8; 32]>,
    ) -> Result<Option<Parent>, BackupError> {
        let name = self.name_of(domain);
        let keys = self.parts.depot.list(&name.snapshots(epoch)).await?;
        for key in keys.iter().rev() {
            let body = match self.open_snapshot(key, root).await {
                Ok((body, _digest)) => body,
                Err(BackupError::Corrupt { .. } | BackupError::Depot(DepotError::Missing(_))) => {
                    continue;
                }
                Err(error) => return Err(error),
            };
            let packs: BTreeSet<String> = self
                .parts
                .depot
                .list(&name.packs(epoch))
                .await?
                .into_iter()
                .collect();
            let mut lost: BTreeSet<[u8; 16]> = body.entries.iter().map(|e| e.pack).collect();
            lost.retain(|pack| !packs.contains(&name.pack(epoch, *pack)));
            return Ok(Some(Parent { body, lost }));
        }
        Ok(None)
    }

    /// Opens one snapshot object; gives its digest too.
    pub(super) async fn open_snapshot(
        &self,
        key: &str,
        root: &Secret<[u8; 32]>,
    ) -> Result<(SnapshotBody, Digest), BackupError> {
        let corrupt = || BackupError::Corrupt {
            key: key.to_owned(),
        };
        let sealed = self.parts.depot.read(key, None).await?;
        let plain = cobblestone::open(root.expose(), &self.snapshot_context(key), &sealed);
        let plain = plain.map_err(|_opaque| corrupt())?;
        let body = SnapshotBody::parse(plain.expose()).map_err(|_error| corrupt())?;
        Ok((body, Digest::of(&sealed)))
    }

    /// What a snapshot is bound to: repository and path.
    fn snapshot_context(&self, key: &str) -> Vec<u8> {
        let mut writer = canon::Writer::new();
        writer
            .text("covenant/snapshot/0")
            .bytes(&self.parts.repo)
            .text(key);
        writer.finish()
    }

    /// What a chunk is bound to: repository, domain and its id; moving it changes no byte.
    pub(super) fn chunk_context(&self, domain: &Domain, id: [u8; 16]) -> Vec<u8> {
        let mut writer = canon::Writer::new();
        writer
            .text("covenant/chunk/0")
            .bytes(&self.parts.repo)
            .bytes(&self.name_of(domain).0)
            .bytes(&id);
        writer.finish()
    }
}

/// The newest snapshot of the vault, and packs that it names and the depot does not hold any more.
struct Parent {
    body: SnapshotBody,
    lost: BTreeSet<[u8; 16]>,
}

impl Parent {
    /// The chunks that still have a place; others are stored again.
    fn into_placed(self) -> impl Iterator<Item = Entry> {
        let Self { body, lost } = self;
        let entries = body.entries.into_iter();
        entries.filter(move |entry| !lost.contains(&entry.pack))
    }
}

/// Instants are stored in whole seconds.
fn whole_seconds(at: UtcDateTime) -> UtcDateTime {
    at.replace_nanosecond(0).unwrap_or(at)
}
