//! The snapshot: what was backed up, when, and the key and place of every chunk of it. Stored
//! sealed under the vault's root, so that a chunk's key dies with the vault.
#![deny(clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;

use covenant_core::canon::{CanonError, Reader, Writer};
use covenant_core::digest::Digest;
use covenant_core::{Secret, SnapshotId};
use crypto_envelope::cobblestone;
use time::UtcDateTime;

use super::FormatError;

const MAGIC: &[u8; 8] = b"CVNTSNP0";

/// Longest path of a member in bytes; a bound of ours, as long as Linux allows.
pub const PATH_LEN_BYTES_MAX: usize = 4096;
/// Longest part of a path in bytes, as long as Linux allows.
pub const NAME_LEN_BYTES_MAX: usize = 255;
/// Most members of a snapshot; a bound of ours.
pub const MEMBERS_MAX: u32 = 1_000_000;
/// Most chunks of a snapshot; a bound of ours.
pub const CHUNKS_MAX: u32 = 4_000_000;
/// Longest change token in bytes.
pub const TOKEN_LEN_BYTES_MAX: usize = 256;
/// Longest chunk in bytes, before sealing (backup-engine 4.2: raw at most 4 MiB).
pub const CHUNK_LEN_BYTES_MAX: u32 = 4_194_304;

/// The head of the tenant's audit log as a snapshot knows it: read before the consistent point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// Leaves in the log.
    pub size: u64,
    /// Root of its tree.
    pub root: [u8; 32],
}

/// Where one chunk lies, and what opens it.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The chunk's id.
    pub id: [u8; 16],
    /// Its key: random, for this one message.
    pub key: [u8; 32],
    /// SHA-256 of its plaintext.
    pub digest: Digest,
    /// Length of its plaintext in bytes.
    pub raw_len: u32,
    /// The pack that holds it.
    pub pack: [u8; 16],
    /// Offset in the pack.
    pub offset: u64,
    /// Length of the sealed chunk in bytes.
    pub stored_len: u32,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("id", &self.id)
            .field("pack", &self.pack)
            .finish_non_exhaustive()
    }
}

impl Entry {
    /// Whether the lengths can be those of a sealed chunk in a pack.
    fn is_sound(&self) -> bool {
        (1..=CHUNK_LEN_BYTES_MAX).contains(&self.raw_len)
            && cobblestone::sealed_len(u64::from(self.raw_len)) == Some(u64::from(self.stored_len))
            && self
                .offset
                .checked_add(u64::from(self.stored_len))
                .is_some()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.key);
    }
}

/// One file of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Path from the source's root, with forward slashes, in normal form.
    pub path: String,
    /// Length in bytes.
    pub len: u64,
    /// Its chunks in order: indices into the snapshot's entries.
    pub chunks: Vec<u32>,
}

/// Everything a snapshot says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotBody {
    /// The snapshot's id.
    pub id: SnapshotId,
    /// When the session began.
    pub started: UtcDateTime,
    /// The consistent point: all that had committed by then is in it.
    pub consistent_at: UtcDateTime,
    /// When it completed.
    pub completed: UtcDateTime,
    /// The audit log's head, read before the consistent point.
    pub head: LogHead,
    /// What the source was known by; equal tokens mean an unchanged source.
    pub token: Vec<u8>,
    /// The files, in order of their paths.
    pub members: Vec<Member>,
    /// The chunks, in order of their ids.
    pub entries: Vec<Entry>,
}

impl SnapshotBody {
    /// The bytes that are sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self {
            id,
            started,
            consistent_at,
            completed,
            head,
            token,
            members,
            entries,
        } = self;
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let mut writer = Writer::new();
        writer
            .fixed(MAGIC)
            .fixed(id.as_bytes())
            .instant(*started)
            .instant(*consistent_at)
            .instant(*completed)
            .u64(head.size)
            .fixed(&head.root)
            .bytes(token)
            .u32(count(members.len()));
        for Member { path, len, chunks } in members {
            writer.text(path).u64(*len).u32(count(chunks.len()));
            for index in chunks {
                writer.u32(*index);
            }
        }
        writer.u32(count(entries.len()));
        for entry in entries {
            writer
                .fixed(&entry.id)
                .fixed(&entry.key)
                .fixed(entry.digest.as_bytes())
                .u32(entry.raw_len)
                .fixed(&entry.pack)
                .u64(entry.offset)
                .u32(entry.stored_len);
        }
        writer.finish()
    }

    /// A snapshot out of opened bytes.
    ///
    /// # Errors
    /// [`FormatError`] for anything that does not encode back to the same bytes, has a path that
    /// leads out of the source, or names a chunk that is not there.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let error = FormatError { kind: "snapshot" };
        let body = Self::read(bytes).or(Err(error))?.ok_or(error)?;
        // It holds the chunks' keys too.
        let again = Secret::new(body.encode());
        if again.expose() == bytes && body.is_sound() {
            Ok(body)
        } else {
            Err(error)
        }
    }

    /// Whether it would parse: within the caps, in order, every path and every length possible.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let within = |len: usize, max: u32| u32::try_from(len).is_ok_and(|len| len <= max);
        let ids_sorted = self.entries.is_sorted_by(|a, b| a.id < b.id);
        self.token.len() <= TOKEN_LEN_BYTES_MAX
            && within(self.members.len(), MEMBERS_MAX)
            && within(self.entries.len(), CHUNKS_MAX)
            && paths_are_sound(self.members.iter().map(|member| member.path.as_str()))
            && ids_sorted
            && self.entries.iter().all(Entry::is_sound)
            && self.members.iter().all(|m| self.member_is_sound(m))
    }

    fn member_is_sound(&self, member: &Member) -> bool {
        let lens = member.chunks.iter().map(|index| {
            let index = usize::try_from(*index).ok()?;
            self.entries
                .get(index)
                .map(|entry| u64::from(entry.raw_len))
        });
        let total = lens.sum::<Option<u64>>();
        total == Some(member.len)
    }

    fn read(bytes: &[u8]) -> Result<Option<Self>, CanonError> {
        let mut reader = Reader::new(bytes);
        let magic: [u8; 8] = reader.array()?;
        if &magic != MAGIC {
            return Ok(None);
        }
        let id = SnapshotId::from_bytes(reader.array()?);
        let (started, consistent_at) = (reader.instant()?, reader.instant()?);
        let completed = reader.instant()?;
        let head = LogHead {
            size: reader.u64()?,
            root: reader.array()?,
        };
        let token = reader.bytes(TOKEN_LEN_BYTES_MAX)?.to_vec();
        let count = reader.u32()?;
        if count > MEMBERS_MAX {
            return Ok(None);
        }
        // Nothing is reserved by a count: what is not there ends the loop with an error.
        let mut members = Vec::new();
        for _ in 0..count {
            let path = reader.text(PATH_LEN_BYTES_MAX)?.to_owned();
            let len = reader.u64()?;
            let chunk_count = reader.u32()?;
            let mut chunks = Vec::new();
            for _ in 0..chunk_count {
                chunks.push(reader.u32()?);
            }
            members.push(Member { path, len, chunks });
        }
        let count = reader.u32()?;
        if count > CHUNKS_MAX {
            return Ok(None);
        }
        let mut entries = Vec::new();
        for _ in 0..count {
            let entry = Entry {
                id: reader.array()?,
                key: reader.array()?,
                digest: Digest::from_bytes(reader.array()?),
                raw_len: reader.u32()?,
                pack: reader.array()?,
                offset: reader.u64()?,
                stored_len: reader.u32()?,
            };
            entries.push(entry);
        }
        reader.end()?;
        Ok(Some(Self {
            id,
            started,
            consistent_at,
            completed,
            head,
            token,
            members,
            entries,
        }))
    }
}

/// Whether a path leads below the root and nowhere else, and its parts can be names of files: no
/// empty, `.` or `..` part, none longer than [`NAME_LEN_BYTES_MAX`], no NUL, no backslash, no leading
/// slash.
#[must_use]
pub fn path_is_normal(path: &str) -> bool {
    let fits = (1..=PATH_LEN_BYTES_MAX).contains(&path.len());
    let is_name =
        |part: &str| (1..=NAME_LEN_BYTES_MAX).contains(&part.len()) && !matches!(part, "." | "..");
    fits && !path.contains(['\0', '\\']) && path.split('/').all(is_name)
}

/// Whether all paths are normal, in order, different, and none lies below another, as no file can lie
/// below a file.
pub(crate) fn paths_are_sound<'p>(paths: impl Iterator<Item = &'p str> + Clone) -> bool {
    let all: BTreeSet<&str> = paths.clone().collect();
    let below_another = |path: &str| {
        path.match_indices('/')
            .any(|(at, _)| path.get(..at).is_some_and(|above| all.contains(above)))
    };
    paths.clone().is_sorted_by(|a, b| a < b)
        && paths
            .into_iter()
            .all(|path| path_is_normal(path) && !below_another(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> SnapshotBody {
        let at = |seconds| UtcDateTime::from_unix_timestamp(seconds).unwrap();
        let entry = |id: u8, raw_len| Entry {
            id: [id; 16],
            key: [id; 32],
            digest: Digest::of(&[id]),
            raw_len,
            pack: [9; 16],
            offset: 0,
            stored_len: raw_len.saturating_add(72),
        };
        SnapshotBody {
            id: SnapshotId::from_bytes([1; 16]),
            started: at(10),
            consistent_at: at(11),
            completed: at(12),
            head: LogHead {
                size: 3,
                root: [2; 32],
            },
            token: vec![1, 2],
            members: vec![
                Member {
                    path: "a/b".into(),
                    len: 12,
                    chunks: vec![0, 1],
                },
                Member {
                    path: "empty".into(),
                    len: 0,
                    chunks: vec![],
                },
            ],
            entries: vec![entry(4, 5), entry(6, 7)],
        }
    }

    #[test]
    fn what_parses_encodes_to_the_same_bytes_and_cuts_do_not_parse() {
        let bytes = body().encode();
        assert_eq!(SnapshotBody::parse(&bytes).unwrap(), body());
        for cut in 0..bytes.len() {
            assert!(SnapshotBody::parse(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn hostile_bodies_are_refused() {
        let refuse = |change: fn(&mut SnapshotBody)| {
            let mut hostile = body();
            change(&mut hostile);
            assert!(
                SnapshotBody::parse(&hostile.encode()).is_err(),
                "{hostile:?}"
            );
        };
        refuse(|b| b.members[0].path = "../a".into());
        refuse(|b| b.members[0].path = "/a".into());
        refuse(|b| b.members[0].path = "a//b".into());
        refuse(|b| b.members[0].path = "a\0".into());
        refuse(|b| b.members.swap(0, 1));
        refuse(|b| b.members[1].path = "a/b".into());
        refuse(|b| b.members[0].len = 13);
        refuse(|b| b.members[0].chunks = vec![0, 2]);
        refuse(|b| b.entries[1].id = [4; 16]);
        refuse(|b| b.members[1].path = "a/b/c".into());
        refuse(|b| b.members[0].path = "n".repeat(NAME_LEN_BYTES_MAX + 1));
        refuse(|b| b.token = vec![0; TOKEN_LEN_BYTES_MAX + 1]);
        refuse(|b| b.entries[0].stored_len += 1);
        refuse(|b| b.entries[0].offset = u64::MAX);
        refuse(|b| {
            let chunk = CHUNK_LEN_BYTES_MAX + 1;
            b.entries[0].raw_len = chunk;
            b.entries[0].stored_len =
                u32::try_from(cobblestone::sealed_len(chunk.into()).unwrap()).unwrap();
            b.members[0].len = u64::from(chunk) + 7;
        });
        refuse(|b| {
            b.entries[0].raw_len = 0;
            b.entries[0].stored_len = 72;
            b.members[0].len = 7;
        });
    }

    #[test]
    fn a_count_allocates_nothing() {
        let mut bytes = body().encode();
        let at = 8 + 16 + 24 + 8 + 32 + 4 + 2;
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(SnapshotBody::parse(&bytes).is_err());
    }
}
