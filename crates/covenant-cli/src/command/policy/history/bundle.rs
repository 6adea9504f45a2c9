//! A log as an audit bundle: a folder of C2SP `tlog-tiles` files. Nothing of it is judged before its
//! checkpoint was found authentic and all of its leaves to be those that the checkpoint covers.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use audit_log::bundle::{self, BUNDLE_LEN_BYTES_MAX, CHECKPOINT_PATH};
use audit_log::checkpoint::Checkpoint;
use audit_log::leaf::Leaf;
use audit_log::merkle::{Edge, TreeHead, leaf_hash};
use covenant_core::digest::Digest;
use covenant_core::note::{NOTE_LEN_BYTES_MAX, Note, Vkey};
use policy_document::monitor::Recorded;

use super::Item;
use crate::input;
use crate::output::Failure;
use crate::progress::Progress;

/// Length of a hash in a tile, in bytes.
const HASH_LEN_BYTES: usize = 32;

/// A folder whose checkpoint is authentic, and whose leaves it covers.
#[derive(Debug)]
pub(in super::super) struct Bundle {
    folder: PathBuf,
    checkpoint: Checkpoint,
    /// Digests of the bundles of entries as they were checked; `None` for one that is not there,
    /// but whose hashes are.
    checked: Vec<Option<Digest>>,
    bundle: usize,
    entries: VecDeque<Vec<u8>>,
    entry: u64,
}

impl Bundle {
    /// Checks the signature of the checkpoint, then every leaf against its root.
    pub(in super::super) fn open(folder: &Path, keys: &[Vkey]) -> Result<Self, Failure> {
        let checkpoint = checkpoint(folder, keys)?;
        let TreeHead { size, .. } = checkpoint.head();
        let count = size.div_ceil(u64::from(bundle::BUNDLE_ENTRIES_MAX));
        let progress = Progress::new("checking", usize::try_from(count).unwrap_or(usize::MAX));
        let mut edge = Edge::default();
        let mut checked = Vec::new();
        for number in 0..count {
            checked.push(cover(folder, number, size, &mut edge)?);
            progress.step();
        }
        if edge.head() != checkpoint.head() {
            let folder = folder.display();
            let what = "its leaves are not those that the checkpoint covers";
            return Err(Failure::found(format!("{folder}: {what}")));
        }
        Ok(Self {
            folder: folder.to_owned(),
            checkpoint,
            checked,
            bundle: 0,
            entries: VecDeque::new(),
            entry: 0,
        })
    }

    /// The checkpoint that was found authentic.
    pub(in super::super) const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    pub(super) fn next(&mut self) -> Result<Option<Item>, Failure> {
        let Some(entry) = self.entries.pop_front() else {
            return self.turn();
        };
        let event = self.read(&entry)?;
        self.entry = self.entry.saturating_add(1);
        Ok(Some(Item::Event(Box::new(event))))
    }

    /// Goes on to the next bundle of entries.
    fn turn(&mut self) -> Result<Option<Item>, Failure> {
        let Some(checked) = self.checked.get(self.bundle).copied() else {
            return Ok(None);
        };
        let number = u64::try_from(self.bundle).unwrap_or(u64::MAX);
        self.bundle = self.bundle.saturating_add(1);
        self.entry = number.saturating_mul(u64::from(bundle::BUNDLE_ENTRIES_MAX));
        let Some(checked) = checked else {
            return Ok(Some(Item::Gap));
        };
        let size = self.checkpoint.head().size;
        let changed = || {
            let what = "the files changed while they were read";
            Failure::found(format!("{}: {what}", self.folder.display()))
        };
        let path = bundle::entries_path(number, size).ok_or_else(changed)?;
        let bytes = input::bytes(&self.folder.join(path), BUNDLE_LEN_BYTES_MAX)?;
        if Digest::of(&bytes) != checked {
            return Err(changed());
        }
        let width = bundle::width(number, size).ok_or_else(changed)?;
        let entries = bundle::decode(&bytes, width).map_err(|_checked_before| changed())?;
        self.entries = entries.into_iter().map(<[u8]>::to_vec).collect();
        self.next()
    }

    fn read(&self, entry: &[u8]) -> Result<Recorded, Failure> {
        let broken = |what: &str| Failure::found(format!("{}: {what}", self.place()));
        let leaf = Leaf::decode(entry).map_err(|error| broken(&error.to_string()))?;
        let log = format!("/audit/{}", leaf.log.simple());
        if !self.checkpoint.origin().ends_with(&log) {
            return Err(broken("the leaf is of another log"));
        }
        Recorded::from_exported(entry).map_err(|error| broken(&error.to_string()))
    }

    pub(super) fn place(&self) -> String {
        format!("{}: entry {}", self.folder.display(), self.entry)
    }

    pub(super) fn name(&self) -> String {
        self.folder.display().to_string()
    }
}

fn checkpoint(folder: &Path, keys: &[Vkey]) -> Result<Checkpoint, Failure> {
    let path = folder.join(CHECKPOINT_PATH);
    let shown = path.display();
    let text = input::text(&path, NOTE_LEN_BYTES_MAX)?;
    let refused = |what: String| Failure::found(format!("{shown}: not authentic: {what}"));
    let note: Note = text
        .parse()
        .map_err(|e| refused(format!("no signed text: {e}")))?;
    let signers = note.verify(keys).map_err(|e| refused(e.to_string()))?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|e| refused(e.to_string()))?;
    // a witness's word is not the log's
    if !signers.iter().any(|key| key.name() == checkpoint.origin()) {
        let what = format!("no key given is that of {}", checkpoint.origin());
        return Err(refused(what));
    }
    Ok(checkpoint)
}

/// Adds the leaves of one bundle to the tree; the digest of the file, or `None` where only the
/// hashes of its leaves are there.
fn cover(
    folder: &Path,
    number: u64,
    size: u64,
    edge: &mut Edge,
) -> Result<Option<Digest>, Failure> {
    let outside = || Failure::found(format!("{}: it has no such entry", folder.display()));
    let width = bundle::width(number, size).ok_or_else(outside)?;
    let path = folder.join(bundle::entries_path(number, size).ok_or_else(outside)?);
    let broken = |path: &Path, what: &str| Failure::found(format!("{}: {what}", path.display()));
    if !is_absent(&path) {
        let bytes = input::bytes(&path, BUNDLE_LEN_BYTES_MAX)?;
        let entries = bundle::decode(&bytes, width);
        for entry in entries.map_err(|error| broken(&path, &error.to_string()))? {
            edge.push(leaf_hash(entry), |_, _| {});
        }
        return Ok(Some(Digest::of(&bytes)));
    }
    let hashes = folder.join(bundle::hashes_path(number, size).ok_or_else(outside)?);
    if is_absent(&hashes) {
        return Err(broken(
            &path,
            "neither the entries nor their hashes are there",
        ));
    }
    let len = usize::from(width).saturating_mul(HASH_LEN_BYTES);
    let bytes = input::bytes(&hashes, len)?;
    let (hash, rest) = bytes.as_chunks::<HASH_LEN_BYTES>();
    if bytes.len() != len || !rest.is_empty() {
        return Err(broken(&hashes, "not a tile of that many hashes"));
    }
    for hash in hash {
        edge.push(Digest::from_bytes(*hash), |_, _| {});
    }
    Ok(None)
}

/// Whether nothing is there; what is there and may not be read is told when it is read.
fn is_absent(path: &Path) -> bool {
    path.symlink_metadata()
        .is_err_and(|error| error.kind() == ErrorKind::NotFound)
}
