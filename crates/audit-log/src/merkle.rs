//! RFC 6962 Merkle trees: hashes, the right edge that grows, roots of ranges, proofs and their
//! verification. Proofs are made by the recursion of RFC 6962 and verified by the loops of
//! RFC 9162, which share no code.
#![deny(clippy::arithmetic_side_effects)]

mod hash;
mod proof;
mod range;

use covenant_core::digest::Digest;

pub use hash::{empty_root, leaf_hash, node_hash};
pub use proof::{
    ProofError, consistency_ranges, inclusion_ranges, verify_consistency, verify_inclusion,
};
pub use range::{Edge, EdgeError, Subtree, combine, subtrees};

/// A log at one moment: how many leaves it has and their RFC 6962 root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeHead {
    /// Number of leaves.
    pub size: u64,
    /// Merkle tree hash over them.
    pub root: Digest,
}

impl TreeHead {
    /// The head of a log without leaves.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            size: 0,
            root: empty_root(),
        }
    }
}

/// A whole tree in memory: the hashes of all perfect subtrees, by height.
#[derive(Debug, Clone, Default)]
pub struct MerkleTree {
    edge: Edge,
    levels: Vec<Vec<Digest>>,
}

impl MerkleTree {
    /// A tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one leaf, given as its hash.
    pub fn push(&mut self, leaf: Digest) {
        let Self { edge, levels } = self;
        edge.push(leaf, |subtree, hash| {
            let height = usize::try_from(subtree.height).unwrap_or(usize::MAX);
            match levels.get_mut(height) {
                Some(level) => level.push(hash),
                None => levels.push(vec![hash]),
            }
        });
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.edge.size()
    }

    /// Size and root as of now.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        self.edge.head()
    }

    /// Size and root when the tree had `size` leaves; `None` when it never had that many.
    #[must_use]
    pub fn head_at(&self, size: u64) -> Option<TreeHead> {
        if size > self.size() {
            return None;
        }
        Some(TreeHead {
            size,
            root: self.root_of(0, size)?,
        })
    }

    /// Hash of one perfect subtree; `None` when it is not complete.
    #[must_use]
    pub fn subtree(&self, at: Subtree) -> Option<Digest> {
        let level = self.levels.get(usize::try_from(at.height).ok()?)?;
        level.get(usize::try_from(at.index).ok()?).copied()
    }

    /// The audit path of a leaf in the tree of `size` leaves, from the leaf upwards; `None` when
    /// there is no such leaf or size.
    #[must_use]
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Digest>> {
        if size > self.size() {
            return None;
        }
        self.roots(inclusion_ranges(index, size)?)
    }

    /// The proof that the tree of `old` leaves is a prefix of that of `new` leaves; `None` when
    /// `old > new` or the tree never had `new` leaves.
    #[must_use]
    pub fn consistency(&self, old: u64, new: u64) -> Option<Vec<Digest>> {
        if new > self.size() {
            return None;
        }
        self.roots(consistency_ranges(old, new)?)
    }

    fn roots(&self, ranges: Vec<(u64, u64)>) -> Option<Vec<Digest>> {
        ranges
            .into_iter()
            .map(|(from, to)| self.root_of(from, to))
            .collect()
    }

    fn root_of(&self, from: u64, to: u64) -> Option<Digest> {
        let parts: Option<Vec<_>> = subtrees(from, to)
            .into_iter()
            .map(|at| self.subtree(at))
            .collect();
        Some(combine(&parts?))
    }
}
