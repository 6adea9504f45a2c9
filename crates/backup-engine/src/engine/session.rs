//! A session: cut, seal each chunk under a key of its own, pack, and commit by creating one object.

use std::collections::BTreeMap;

use bytes::Bytes;
use covenant_core::digest::Digest;
use covenant_core::event::Datum;
use covenant_core::{Action, Secret, SnapshotId, canon};
use crypto_envelope::cobblestone;

use super::Engine;
use crate::backups::Snapshot;
use crate::depot::Created;
use crate::domain::{Domain, Epoch};
use crate::error::BackupError;
use crate::format::snapshot::{
    CHUNKS_MAX, Entry, LogHead, MEMBERS_MAX, Member, SnapshotBody, path_is_normal,
};
use crate::source::{Source, SourceError};

/// Bytes of one chunk (backup-engine 4.5: page-fixed, 64 KiB for files below 1 GB).
const CHUNK_LEN_BYTES: u32 = 65_536;
/// Bytes of sealed chunks after which a pack is written (backup-engine 4.1).
const PACK_LEN_BYTES: usize = 16 * 1024 * 1024;
/// How often a session that ran over the end of its epoch begins again.
const TRIES: usize = 3;

/// Chunks of a session: those that the vault has already, and those that are new.
#[derive(Default)]
struct Chunks {
    known: BTreeMap<(Digest, u32), Entry>,
    pack: Vec<u8>,
    unplaced: Vec<Entry>,
}

/// A file as it was cut: path, length, and its chunks by digest and length.
type Cut = (String, u64, Vec<(Digest, u32)>);

impl Engine {
    /// Runs sessions until one ends within the epoch in which it began.
    pub(super) async fn back_up(
        &self,
        domain: &Domain,
        source: &mut dyn Source,
        head: LogHead,
    ) -> Result<Snapshot, BackupError> {
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
        let started = self.parts.clock.now();
        let began = self.parts.clock.monotonic();
        let epoch = self.parts.policy.epoch_at(started);
        let (record, vault) = self.vault_for(domain, epoch).await?;
        let root = Self::seal_root(&vault)?;
        let parent = self.newest(domain, epoch, &root).await?;
        let token = source.token().await?;
        let unchanged = parent
            .as_ref()
            .filter(|p| !token.is_empty() && p.token == token);
        let consistent_at = self.parts.clock.now();
        let (members, entries) = match unchanged {
            Some(parent) => (parent.members.clone(), parent.entries.clone()),
            None => {
                let copied = self.copy(domain, epoch, parent.as_ref(), source).await;
                source.end().await?;
                copied?
            }
        };
        let completed = self.parts.clock.now();
        let took = self.parts.clock.monotonic().saturating_sub(began);
        if self.parts.policy.epoch_at(completed) != epoch || took > self.parts.policy.session {
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
        let sealed = self.commit(domain, epoch, &root, &body).await?;
        let data = [
            ("consistent_at", Datum::At(consistent_at)),
            ("vault", Datum::Id(record.vault.as_uuid())),
            ("log_size", Datum::Count(head.size)),
            (
                "snapshot_digest",
                Datum::Bytes(Digest::of(&sealed).as_bytes().to_vec()),
            ),
        ];
        self.tell(Action::BackupCompleted, domain, body.id.as_bytes(), data)
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
    ) -> Result<Bytes, BackupError> {
        let key = self
            .name_of(domain)
            .snapshot(epoch, body.completed, *body.id.as_bytes());
        let plain = Secret::new(body.encode());
        let context = self.snapshot_context(&key);
        let random = self.parts.random.as_ref();
        // clause: P-14, P-16
        let sealed = cobblestone::seal(root.expose(), &context, plain.expose(), random)?;
        let sealed = Bytes::from(sealed);
        match self.parts.depot.create(&key, sealed.clone()).await? {
            Created::New | Created::AlreadyMine => Ok(sealed),
            Created::TakenBy(_) => Err(BackupError::Corrupt { key }),
        }
    }

    /// Copies the source into packs of the vault.
    async fn copy(
        &self,
        domain: &Domain,
        epoch: Epoch,
        parent: Option<&SnapshotBody>,
        source: &mut dyn Source,
    ) -> Result<(Vec<Member>, Vec<Entry>), BackupError> {
        let mut chunks = Chunks::default();
        for entry in parent.iter().flat_map(|parent| &parent.entries) {
            chunks
                .known
                .insert((entry.digest, entry.raw_len), entry.clone());
        }
        let mut files = source.begin().await?;
        files.sort();
        if u32::try_from(files.len()).unwrap_or(u32::MAX) > MEMBERS_MAX {
            return Err(BackupError::TooLarge { what: "files" });
        }
        let mut cut: Vec<Cut> = Vec::new();
        for file in files {
            if !path_is_normal(&file.path) {
                return Err(SourceError::Changed.into());
            }
            let mut parts = Vec::new();
            let mut offset = 0_u64;
            while offset < file.len {
                let wanted = file
                    .len
                    .saturating_sub(offset)
                    .min(u64::from(CHUNK_LEN_BYTES));
                let wanted = u32::try_from(wanted).unwrap_or(CHUNK_LEN_BYTES);
                let bytes = source.read(&file.path, offset, wanted).await?;
                if u32::try_from(bytes.len()) != Ok(wanted) {
                    return Err(SourceError::Changed.into());
                }
                parts.push(
                    self.store(domain, epoch, &bytes, wanted, &mut chunks)
                        .await?,
                );
                offset = offset.saturating_add(u64::from(wanted));
            }
            cut.push((file.path, file.len, parts));
        }
        self.write_pack(domain, epoch, &mut chunks).await?;
        index(cut, &chunks)
    }

    /// Seals a chunk under a key of its own, unless the vault has it already.
    async fn store(
        &self,
        domain: &Domain,
        epoch: Epoch,
        bytes: &[u8],
        raw_len: u32,
        chunks: &mut Chunks,
    ) -> Result<(Digest, u32), BackupError> {
        let name = (Digest::of(bytes), raw_len);
        if chunks.known.contains_key(&name)
            || chunks
                .unplaced
                .iter()
                .any(|entry| (entry.digest, entry.raw_len) == name)
        {
            return Ok(name);
        }
        let (id, key) = (self.random()?, self.random()?);
        let context = self.chunk_context(domain, id);
        let sealed = cobblestone::seal(&key, &context, bytes, self.parts.random.as_ref())?;
        chunks.unplaced.push(Entry {
            id,
            key,
            digest: name.0,
            raw_len,
            pack: [0; 16],
            offset: u64::try_from(chunks.pack.len()).unwrap_or(u64::MAX),
            stored_len: u32::try_from(sealed.len()).unwrap_or(u32::MAX),
        });
        chunks.pack.extend(sealed);
        if chunks.pack.len() >= PACK_LEN_BYTES {
            self.write_pack(domain, epoch, chunks).await?;
        }
        Ok(name)
    }

    /// Makes the open pack durable; only then do its chunks have a place.
    async fn write_pack(
        &self,
        domain: &Domain,
        epoch: Epoch,
        chunks: &mut Chunks,
    ) -> Result<(), BackupError> {
        if chunks.unplaced.is_empty() {
            return Ok(());
        }
        let id = self.random()?;
        let key = self.name_of(domain).pack(epoch, id);
        let pack = Bytes::from(std::mem::take(&mut chunks.pack));
        match self.parts.depot.create(&key, pack).await? {
            Created::New | Created::AlreadyMine => {}
            Created::TakenBy(_) => return Err(BackupError::Corrupt { key }),
        }
        for mut entry in chunks.unplaced.drain(..) {
            entry.pack = id;
            chunks.known.insert((entry.digest, entry.raw_len), entry);
        }
        Ok(())
    }

    /// The newest snapshot of the vault, opened.
    async fn newest(
        &self,
        domain: &Domain,
        epoch: Epoch,
        root: &Secret<[u8; 32]>,
    ) -> Result<Option<SnapshotBody>, BackupError> {
        let prefix = self.name_of(domain).snapshots(epoch);
        let mut keys = self.parts.depot.list(&prefix).await?;
        keys.sort();
        match keys.pop() {
            Some(key) => self.open_snapshot(&key, root).await.map(Some),
            None => Ok(None),
        }
    }

    /// Opens one snapshot object.
    pub(super) async fn open_snapshot(
        &self,
        key: &str,
        root: &Secret<[u8; 32]>,
    ) -> Result<SnapshotBody, BackupError> {
        let corrupt = || BackupError::Corrupt {
            key: key.to_owned(),
        };
        let sealed = self.parts.depot.read(key, None).await?;
        let plain = cobblestone::open(root.expose(), &self.snapshot_context(key), &sealed);
        let plain = plain.map_err(|_opaque| corrupt())?;
        SnapshotBody::parse(plain.expose()).map_err(|_error| corrupt())
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

/// Members and entries in the order of the format: exactly the chunks that the files use.
fn index(cut: Vec<Cut>, chunks: &Chunks) -> Result<(Vec<Member>, Vec<Entry>), BackupError> {
    let mut used: BTreeMap<[u8; 16], Entry> = BTreeMap::new();
    for name in cut.iter().flat_map(|(_, _, parts)| parts) {
        if let Some(entry) = chunks.known.get(name) {
            used.entry(entry.id).or_insert_with(|| entry.clone());
        }
    }
    if u32::try_from(used.len()).unwrap_or(u32::MAX) > CHUNKS_MAX {
        return Err(BackupError::TooLarge { what: "chunks" });
    }
    let entries: Vec<Entry> = used.into_values().collect();
    let place: BTreeMap<(Digest, u32), u32> = (0_u32..)
        .zip(&entries)
        .map(|(at, entry)| ((entry.digest, entry.raw_len), at))
        .collect();
    let members = cut
        .into_iter()
        .map(|(path, len, parts)| {
            let chunks = parts
                .iter()
                .filter_map(|name| place.get(name).copied())
                .collect();
            Member { path, len, chunks }
        })
        .collect();
    Ok((members, entries))
}
