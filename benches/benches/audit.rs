//! The audit log: a tree over many leaves costs little more than hashing its bytes.

use std::error::Error;
use std::hint::black_box;

use audit_log::merkle::{MerkleTree, leaf_hash, verify_inclusion};
use benches::{Bar, Measure, compare};
use ring::digest::{SHA256, digest};

const LEAVES: u32 = 100_000;
const LEAF_LEN_BYTES: usize = 512;
/// A byte that says node, and two hashes (RFC 6962).
const NODE: [u8; 65] = [1; 65];

fn main() -> Result<(), Box<dyn Error>> {
    let leaves: Vec<Vec<u8>> = (0..LEAVES)
        .map(|n| n.to_be_bytes().repeat(LEAF_LEN_BYTES / 4))
        .collect();
    let root = || {
        let mut tree = MerkleTree::new();
        for leaf in &leaves {
            tree.push(leaf_hash(leaf));
        }
        tree
    };
    let tree = root();
    let (head, last) = (tree.head(), u64::from(LEAVES - 1));
    let proof = tree.inclusion(last, head.size).ok_or("no proof")?;
    let leaf = leaf_hash(leaves.last().ok_or("no leaf")?);
    verify_inclusion(&leaf, last, &proof, &head)?;
    // as many bytes, in as many pieces: a leaf with its prefix each, and a node less than leaves
    let pieces: Vec<Vec<u8>> = leaves
        .iter()
        .map(|leaf| [&[0], &leaf[..]].concat())
        .collect();
    let compared = compare(
        || root().head(),
        || {
            for piece in &pieces {
                black_box(digest(&SHA256, piece));
            }
            for _ in 1..LEAVES {
                black_box(digest(&SHA256, black_box(&NODE)));
            }
        },
    );
    Measure {
        id: "audit-log/root-of-100000",
        value: compared.ratio,
        unit: "times the peer's time",
        peer: "limit: SHA-256 of the same bytes in ring, leaf by leaf and node by node",
        bar: Bar::AtMost(1.3),
    }
    .print()?;
    Ok(())
}
