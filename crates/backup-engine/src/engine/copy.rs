//! Copying a source: cut, seal each chunk under a key of its own, pack.

use std::collections::BTreeMap;

use bytes::Bytes;
use covenant_core::Secret;
use covenant_core::digest::Digest;
use crypto_envelope::cobblestone;

use super::Engine;
use crate::depot::Created;
use crate::domain::{Domain, Epoch};
use crate::error::BackupError;
use crate::format::snapshot::{CHUNKS_MAX, Entry, MEMBERS_MAX, Member, path_is_normal};
use crate::source::{Source, SourceError};

/// Bytes of one chunk (backup-engine 4.5: page-fixed, 64 KiB for files below 1 GB).
const CHUNK_LEN_BYTES: u32 = 65_536;
/// Bytes of sealed chunks after which a pack is written (backup-engine 4.1).
const PACK_LEN_BYTES: usize = 16 * 1024 * 1024;

/// What a chunk is known by within a session: the digest and the length of its plaintext.
type Name = (Digest, u32);

/// A file as it was cut: path, length, and its chunks.
type Cut = (String, u64, Vec<Name>);

/// Chunks of a session: those that have a place, and those of the open pack.
#[derive(Default)]
struct Chunks {
    placed: BTreeMap<Name, Entry>,
    pack: Vec<u8>,
    unplaced: BTreeMap<Name, Entry>,
}

impl Engine {
    /// Copies the source into packs of the vault; what is placed already is not stored again.
    pub(super) async fn copy(
        &self,
        domain: &Domain,
        epoch: Epoch,
        placed: impl Iterator<Item = Entry> + Send,
        source: &mut dyn Source,
    ) -> Result<(Vec<Member>, Vec<Entry>), BackupError> {
        let mut chunks = Chunks {
            placed: placed.map(|e| ((e.digest, e.raw_len), e)).collect(),
            ..Chunks::default()
        };
        let mut files = source.begin().await?;
        files.sort();
        if u32::try_from(files.len()).unwrap_or(u32::MAX) > MEMBERS_MAX {
            return Err(BackupError::TooLarge { what: "files" });
        }
        let mut cut: Vec<Cut> = Vec::new();
        for file in files {
            if !path_is_normal(&file.path) {
                return Err(SourceError::Unfit("paths in normal form").into());
            }
            let mut parts = Vec::new();
            let mut offset = 0_u64;
            while offset < file.len {
                let left = file.len.saturating_sub(offset);
                let wanted = u32::try_from(left).unwrap_or(u32::MAX).min(CHUNK_LEN_BYTES);
                let bytes = Secret::new(source.read(&file.path, offset, wanted).await?);
                if u32::try_from(bytes.expose().len()) != Ok(wanted) {
                    return Err(SourceError::Changed.into());
                }
                let name = (Digest::of(bytes.expose()), wanted);
                self.store(domain, epoch, &bytes, name, &mut chunks).await?;
                parts.push(name);
                offset = offset.saturating_add(u64::from(wanted));
            }
            cut.push((file.path, file.len, parts));
        }
        self.write_pack(domain, epoch, &mut chunks).await?;
        index(cut, &chunks.placed)
    }

    /// Seals a chunk under a key of its own, unless the vault has it already.
    async fn store(
        &self,
        domain: &Domain,
        epoch: Epoch,
        bytes: &Secret<Vec<u8>>,
        name: Name,
        chunks: &mut Chunks,
    ) -> Result<(), BackupError> {
        if chunks.placed.contains_key(&name) || chunks.unplaced.contains_key(&name) {
            return Ok(());
        }
        let id = self.random()?;
        let key = Secret::new(self.random::<32>()?);
        let context = self.chunk_context(domain, id);
        let random = self.parts.random.as_ref();
        // clause: P-14, P-16
        let sealed = cobblestone::seal(key.expose(), &context, bytes.expose(), random)?;
        let entry = Entry {
            id,
            key: *key.expose(),
            digest: name.0,
            raw_len: name.1,
            pack: [0; 16],
            offset: u64::try_from(chunks.pack.len()).unwrap_or(u64::MAX),
            stored_len: u32::try_from(sealed.len()).unwrap_or(u32::MAX),
        };
        chunks.unplaced.insert(name, entry);
        chunks.pack.extend(sealed);
        if chunks.pack.len() >= PACK_LEN_BYTES {
            self.write_pack(domain, epoch, chunks).await?;
        }
        Ok(())
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
        match self.create(&key, pack).await? {
            Created::New | Created::AlreadyMine => {}
            Created::TakenBy(_) => return Err(BackupError::Corrupt { key }),
        }
        for (name, mut entry) in std::mem::take(&mut chunks.unplaced) {
            entry.pack = id;
            chunks.placed.insert(name, entry);
        }
        Ok(())
    }
}

/// Members and entries in the order of the format: exactly the chunks that the files use.
fn index(
    cut: Vec<Cut>,
    placed: &BTreeMap<Name, Entry>,
) -> Result<(Vec<Member>, Vec<Entry>), BackupError> {
    let mut used: BTreeMap<[u8; 16], Entry> = BTreeMap::new();
    for name in cut.iter().flat_map(|(_, _, parts)| parts) {
        if let Some(entry) = placed.get(name) {
            used.entry(entry.id).or_insert_with(|| entry.clone());
        }
    }
    if u32::try_from(used.len()).unwrap_or(u32::MAX) > CHUNKS_MAX {
        return Err(BackupError::TooLarge { what: "chunks" });
    }
    let entries: Vec<Entry> = used.into_values().collect();
    let place: BTreeMap<Name, u32> = (0_u32..)
        .zip(&entries)
        .map(|(at, entry)| ((entry.digest, entry.raw_len), at))
        .collect();
    // A chunk without a place would leave its file too short, which no commit lets pass.
    let member = |(path, len, parts): Cut| Member {
        path,
        len,
        chunks: parts
            .iter()
            .filter_map(|name| place.get(name).copied())
            .collect(),
    };
    Ok((cut.into_iter().map(member).collect(), entries))
}
