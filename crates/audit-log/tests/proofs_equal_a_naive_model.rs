//! Roots and proofs equal those of the obvious recursion over a list of leaves, every proof holds
//! for what it proves, and holds for nothing else.

use audit_log::merkle::{
    Edge, MerkleTree, ProofError, TreeHead, empty_root, leaf_hash, verify_consistency,
    verify_inclusion,
};
use covenant_core::digest::Digest;
use proptest::prelude::*;

const SIZE: u64 = 600;

fn leaf(n: u64) -> Digest {
    leaf_hash(&n.to_be_bytes())
}

/// RFC 6962 as it stands in the text.
#[cfg(test)]
mod naive {
    use audit_log::merkle::{empty_root, node_hash};
    use covenant_core::digest::Digest;

    /// MTH of RFC 6962 section 2.1, word for word.
    pub(super) fn root(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => empty_root(),
            [one] => *one,
            _ => {
                let k = leaves.len().next_power_of_two() / 2;
                node_hash(&root(&leaves[..k]), &root(&leaves[k..]))
            }
        }
    }

    /// PATH of RFC 6962 section 2.1.1, word for word.
    pub(super) fn path(m: usize, leaves: &[Digest]) -> Vec<Digest> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let k = leaves.len().next_power_of_two() / 2;
        let (mut found, other) = if m < k {
            (path(m, &leaves[..k]), root(&leaves[k..]))
        } else {
            (path(m - k, &leaves[k..]), root(&leaves[..k]))
        };
        found.push(other);
        found
    }

    #[derive(Clone, Copy, PartialEq)]
    pub(super) enum Known {
        Yes,
        No,
    }

    /// SUBPROOF of RFC 6962 section 2.1.2, word for word.
    pub(super) fn subproof(m: usize, leaves: &[Digest], known: Known) -> Vec<Digest> {
        if m == leaves.len() {
            return if known == Known::Yes {
                Vec::new()
            } else {
                vec![root(leaves)]
            };
        }
        let k = leaves.len().next_power_of_two() / 2;
        let (mut found, other) = if m <= k {
            (subproof(m, &leaves[..k], known), root(&leaves[k..]))
        } else {
            (subproof(m - k, &leaves[k..], Known::No), root(&leaves[..k]))
        };
        found.push(other);
        found
    }
}

fn tree(size: u64) -> (MerkleTree, Vec<Digest>) {
    let leaves: Vec<_> = (0..size).map(leaf).collect();
    let mut tree = MerkleTree::new();
    leaves.iter().for_each(|hash| tree.push(*hash));
    (tree, leaves)
}

#[test]
fn roots_of_all_sizes() {
    let (tree, leaves) = tree(SIZE);
    let mut edge = Edge::default();
    for size in 0..=SIZE {
        let root = naive::root(&leaves[..usize::try_from(size).unwrap()]);
        assert_eq!(tree.head_at(size), Some(TreeHead { size, root }));
        assert_eq!(edge.head(), TreeHead { size, root });
        assert_eq!(Edge::decode(size, &edge.encode()), Ok(edge.clone()));
        if size > 0 {
            assert!(
                Edge::decode(size - 1, &edge.encode()).is_err()
                    || size.count_ones() == (size - 1).count_ones()
            );
        }
        edge.push(leaf(size), |_, _| ());
    }
    assert_eq!(tree.head_at(SIZE + 1), None);
}

#[test]
fn known_roots_of_rfc_6962_implementations() {
    // the empty tree and the tree of one empty leaf, as published with Certificate Transparency
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let one = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
    assert_eq!(empty_root().to_string(), empty);
    assert_eq!(leaf_hash(b"").to_string(), one);
}

#[test]
fn every_inclusion_proof_to_size_600() {
    let (tree, leaves) = tree(SIZE);
    for size in (1..=SIZE).filter(|size| *size <= 70 || size % 37 == 0 || *size > 510) {
        let head = tree.head_at(size).unwrap();
        for index in 0..size {
            let path = tree.inclusion(index, size).unwrap();
            if size <= 70 || size == SIZE {
                let n = usize::try_from(size).unwrap();
                assert_eq!(
                    path,
                    naive::path(usize::try_from(index).unwrap(), &leaves[..n])
                );
            }
            assert_eq!(verify_inclusion(&leaf(index), index, &path, &head), Ok(()));
            assert!(verify_inclusion(&leaf(index + 1), index, &path, &head).is_err());
            let next = verify_inclusion(&leaf(index), index + 1, &path, &head);
            assert_eq!(next, Err(ProofError));
        }
        assert_eq!(tree.inclusion(size, size), None);
    }
}

#[test]
fn every_consistency_proof_to_size_600() {
    let (tree, leaves) = tree(SIZE);
    for new in (0..=SIZE).filter(|size| *size <= 70 || size % 53 == 0 || *size == SIZE) {
        let to = tree.head_at(new).unwrap();
        for old in 0..=new {
            let from = tree.head_at(old).unwrap();
            let path = tree.consistency(old, new).unwrap();
            if old > 0 && new <= 70 {
                let n = usize::try_from(new).unwrap();
                let naive = naive::subproof(
                    usize::try_from(old).unwrap(),
                    &leaves[..n],
                    naive::Known::Yes,
                );
                assert_eq!(path, naive);
            }
            assert_eq!(verify_consistency(&from, &to, &path), Ok(()));
            let forked = TreeHead {
                root: leaf(old),
                ..from
            };
            assert_eq!(verify_consistency(&forked, &to, &path), Err(ProofError));
            let forked = TreeHead {
                root: leaf(new),
                ..to
            };
            let verdict = verify_consistency(&from, &forked, &path);
            assert_eq!(verdict.is_ok(), old == 0, "{old} {new}");
        }
        assert_eq!(tree.consistency(new + 1, new), None);
    }
}

#[test]
fn sizes_around_powers_of_256() {
    let (tree, leaves) = tree(65_537);
    for size in [255, 256, 257, 65_535, 65_536, 65_537] {
        let head = tree.head_at(size).unwrap();
        assert_eq!(
            head.root,
            naive::root(&leaves[..usize::try_from(size).unwrap()])
        );
        for index in [0, 1, 254, 255, 256, 65_534, 65_535, 65_536] {
            let Some(path) = tree.inclusion(index, size) else {
                assert!(index >= size);
                continue;
            };
            assert_eq!(verify_inclusion(&leaf(index), index, &path, &head), Ok(()));
        }
        for old in [1, 255, 256, 257, 65_535, 65_536]
            .into_iter()
            .filter(|old| *old <= size)
        {
            let path = tree.consistency(old, size).unwrap();
            assert_eq!(
                verify_consistency(&tree.head_at(old).unwrap(), &head, &path),
                Ok(())
            );
        }
    }
}

proptest! {
    #[test]
    fn a_changed_proof_holds_for_nothing(size in 2_u64..300, pick in any::<u64>(), at in any::<usize>(), bit in 0_usize..256) {
        let (tree, _) = tree(size);
        let head = tree.head();
        let index = pick % size;
        let mut path = tree.inclusion(index, size).unwrap();
        let at = at % path.len();
        let mut bytes = *path[at].as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        path[at] = Digest::from_bytes(bytes);
        prop_assert_eq!(verify_inclusion(&leaf(index), index, &path, &head), Err(ProofError));
        path.pop();
        prop_assert_eq!(verify_inclusion(&leaf(index), index, &path, &head), Err(ProofError));
        let old = 1 + pick % (size - 1);
        let mut path = tree.consistency(old, size).unwrap();
        let from = tree.head_at(old).unwrap();
        let at = at % path.len();
        path[at] = Digest::from_bytes(bytes);
        prop_assert_eq!(verify_consistency(&from, &head, &path), Err(ProofError));
        path.clear();
        prop_assert_eq!(verify_consistency(&from, &head, &path), Err(ProofError));
    }

    #[test]
    fn any_path_verifies_without_panic(index in any::<u64>(), size in any::<u64>(), old in any::<u64>(), len in 0_usize..80) {
        let path = vec![leaf(1); len];
        let head = TreeHead { size, root: leaf(2) };
        let from = TreeHead { size: old, root: leaf(3) };
        prop_assert!(verify_inclusion(&leaf(4), index, &path, &head).is_err());
        prop_assert!(verify_consistency(&from, &head, &path).is_err());
    }
}
