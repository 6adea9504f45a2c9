//! Inclusion and consistency: which ranges a proof consists of (the recursion of RFC 6962 section
//! 2.1), and whether a proof holds (the loops of RFC 9162 sections 2.1.3.2 and 2.1.4.2).
#![deny(clippy::arithmetic_side_effects)]

use covenant_core::digest::Digest;

use super::{TreeHead, empty_root, node_hash};

/// A proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proof does not hold")]
pub struct ProofError;

/// Leaf ranges `(from, to)` whose roots are the audit path of leaf `index` in a tree of `size`
/// leaves, from the leaf upwards; `None` when there is no such leaf.
#[must_use]
pub fn inclusion_ranges(index: u64, size: u64) -> Option<Vec<(u64, u64)>> {
    if index >= size {
        return None;
    }
    let mut path = Vec::new();
    let (mut from, mut to) = (0_u64, size);
    while let Some(middle) = split(from, to) {
        if index < middle {
            path.push((middle, to));
            to = middle;
        } else {
            path.push((from, middle));
            from = middle;
        }
    }
    path.reverse();
    Some(path)
}

/// Leaf ranges whose roots prove that a tree of `old` leaves is a prefix of one of `new` leaves;
/// none for `old` 0 or equal to `new`; `None` when `old > new`.
#[must_use]
pub fn consistency_ranges(old: u64, new: u64) -> Option<Vec<(u64, u64)>> {
    if old > new {
        return None;
    }
    let mut path = Vec::new();
    if old == 0 {
        return Some(path);
    }
    let (mut from, mut to) = (0_u64, new);
    while old != to {
        let Some(middle) = split(from, to) else { break };
        if old <= middle {
            path.push((middle, to));
            to = middle;
        } else {
            path.push((from, middle));
            from = middle;
        }
    }
    // the old root itself is known to the verifier only when the recursion never went right
    if from > 0 {
        path.push((from, to));
    }
    path.reverse();
    Some(path)
}

/// Where RFC 6962 splits the leaves `from..to`; `None` for one leaf or none.
fn split(from: u64, to: u64) -> Option<u64> {
    let last = to
        .checked_sub(from)?
        .checked_sub(1)
        .filter(|last| *last > 0)?;
    from.checked_add(1_u64.checked_shl(last.ilog2())?)
}

/// Checks that the leaf with this hash is number `index` of the tree.
///
/// # Errors
/// [`ProofError`] when the path does not lead from the leaf to the root.
pub fn verify_inclusion(
    leaf: &Digest,
    index: u64,
    path: &[Digest],
    head: &TreeHead,
) -> Result<(), ProofError> {
    let mut at = index;
    let mut last = head
        .size
        .checked_sub(1)
        .filter(|last| at <= *last)
        .ok_or(ProofError)?;
    let mut hash = *leaf;
    for step in path {
        if last == 0 {
            return Err(ProofError);
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(step, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, step);
        }
        at >>= 1;
        last >>= 1;
    }
    if last == 0 && hash == head.root {
        Ok(())
    } else {
        Err(ProofError)
    }
}

/// Checks that the older tree is a prefix of the newer one.
///
/// # Errors
/// [`ProofError`] when it is not, or the proof does not show it.
pub fn verify_consistency(
    old: &TreeHead,
    new: &TreeHead,
    path: &[Digest],
) -> Result<(), ProofError> {
    if old.size == 0 || old.size == new.size {
        let same = old.root
            == if old.size == 0 {
                empty_root()
            } else {
                new.root
            };
        return if same && path.is_empty() {
            Ok(())
        } else {
            Err(ProofError)
        };
    }
    if old.size > new.size {
        return Err(ProofError);
    }
    let mut steps = path.iter();
    let first = if old.size.is_power_of_two() {
        &old.root
    } else {
        steps.next().ok_or(ProofError)?
    };
    let mut at = old.size.checked_sub(1).ok_or(ProofError)?;
    let mut last = new.size.checked_sub(1).ok_or(ProofError)?;
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (mut old_hash, mut new_hash) = (*first, *first);
    for step in steps {
        if last == 0 {
            return Err(ProofError);
        }
        if at & 1 == 1 || at == last {
            old_hash = node_hash(step, &old_hash);
            new_hash = node_hash(step, &new_hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, step);
        }
        at >>= 1;
        last >>= 1;
    }
    if last == 0 && old_hash == old.root && new_hash == new.root {
        Ok(())
    } else {
        Err(ProofError)
    }
}
