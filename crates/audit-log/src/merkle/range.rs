//! Perfect subtrees, the ranges they tile, and the right edge of a growing tree.
#![deny(clippy::arithmetic_side_effects)]

use covenant_core::digest::Digest;

use super::{TreeHead, empty_root, node_hash};

/// A perfect subtree: 2^height leaves, the `index`-th of its height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subtree {
    /// Height above the leaves; 0 is a leaf.
    pub height: u32,
    /// Position among the subtrees of this height, from 0.
    pub index: u64,
}

/// The perfect subtrees that tile leaves `from..to`, left to right. In an RFC 6962 tree `from` is a
/// multiple of a power of two that is not smaller than the range, so their sizes strictly decrease.
#[must_use]
pub fn subtrees(from: u64, to: u64) -> Vec<Subtree> {
    let mut found = Vec::new();
    let mut at = from;
    while let Some(left) = to.checked_sub(at).filter(|left| *left > 0) {
        let fits = left.ilog2();
        let height = if at == 0 {
            fits
        } else {
            fits.min(at.trailing_zeros())
        };
        let width = 1_u64.checked_shl(height).unwrap_or(u64::MAX);
        found.push(Subtree {
            height,
            index: at.checked_shr(height).unwrap_or(0),
        });
        at = at.saturating_add(width);
    }
    found
}

/// Root over neighbouring subtrees of decreasing size, given left to right.
#[must_use]
pub fn combine(peaks: &[Digest]) -> Digest {
    let mut peaks = peaks.iter().rev();
    let Some(last) = peaks.next() else {
        return empty_root();
    };
    peaks.fold(*last, |right, left| node_hash(left, &right))
}

/// The right edge of a tree: the hashes of its perfect subtrees, largest first. All that is needed
/// to append leaves and to know the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    peaks: Vec<Digest>,
}

/// Bytes are not the edge of a tree of this size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the edge of a tree of {size} leaves")]
pub struct EdgeError {
    size: u64,
}

impl Edge {
    /// The edge of a tree of `size` leaves from its peaks, largest first.
    ///
    /// # Errors
    /// [`EdgeError`] when their number is not the number of one bits in `size`.
    pub fn new(size: u64, peaks: Vec<Digest>) -> Result<Self, EdgeError> {
        if u32::try_from(peaks.len()) != Ok(size.count_ones()) {
            return Err(EdgeError { size });
        }
        Ok(Self { size, peaks })
    }

    /// Reads what [`Edge::encode`] wrote.
    ///
    /// # Errors
    /// [`EdgeError`] when the length does not fit the size.
    pub fn decode(size: u64, bytes: &[u8]) -> Result<Self, EdgeError> {
        let (hashes, []) = bytes.as_chunks::<32>() else {
            return Err(EdgeError { size });
        };
        Self::new(
            size,
            hashes
                .iter()
                .map(|hash| Digest::from_bytes(*hash))
                .collect(),
        )
    }

    /// Appends one leaf, given as its hash, and hands every subtree that it completes to `done`,
    /// lowest first, the leaf itself included.
    pub fn push(&mut self, leaf: Digest, mut done: impl FnMut(Subtree, Digest)) {
        let mut subtree = Subtree {
            height: 0,
            index: self.size,
        };
        let mut hash = leaf;
        done(subtree, hash);
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(&left, &hash);
            subtree = Subtree {
                height: subtree.height.saturating_add(1),
                index: subtree.index >> 1,
            };
            done(subtree, hash);
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Size and root.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        TreeHead {
            size: self.size,
            root: combine(&self.peaks),
        }
    }

    /// The peaks, 32 bytes each, largest first.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.peaks
            .iter()
            .flat_map(|hash| *hash.as_bytes())
            .collect()
    }
}
