//! An auditor's check without our service: is this event in the log that its owner signed?
//!
//! Four files, of which only the key must come from somewhere that the auditor trusts: the signed
//! checkpoint (a C2SP signed note over origin, size and root), the leaf's bytes, and the RFC 6962
//! path from the leaf to the root. They were written by a log of five events.
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;

use audit_log::checkpoint::Checkpoint;
use audit_log::merkle::{TreeHead, leaf_hash, verify_inclusion};
use covenant_core::digest::Digest;
use covenant_core::note::{Note, Vkey};

const CHECKPOINT: &str = include_str!("data/checkpoint.txt");
const KEY: &str = include_str!("data/key.txt");
const LEAF: &[u8] = include_bytes!("data/leaf.json");
const PATH: &str = include_str!("data/path.txt");
/// The leaf's number in the log, from 0.
const INDEX: u64 = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let head = verify(CHECKPOINT, KEY, LEAF, INDEX, PATH)?;
    println!("event {INDEX} is in the log of {} events", head.size);
    println!("{}", str::from_utf8(LEAF)?);
    Ok(())
}

/// The head that the owner signed, once the leaf is proven to be in it.
fn verify(
    checkpoint: &str,
    key: &str,
    leaf: &[u8],
    index: u64,
    path: &str,
) -> Result<TreeHead, Box<dyn Error>> {
    let key: Vkey = key.trim_end().parse()?;
    let note: Note = checkpoint.parse()?;
    note.verify(std::slice::from_ref(&key))?;
    let signed = Checkpoint::parse(note.text())?;
    // a log signs under its own name, so that one log's head is never taken for another's
    if signed.origin() != key.name() {
        return Err("the checkpoint is of another log".into());
    }
    let path = path.lines().map(str::parse);
    let path = path.collect::<Result<Vec<Digest>, _>>()?;
    verify_inclusion(&leaf_hash(leaf), index, &path, &signed.head())?;
    Ok(signed.head())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs() {
        main().unwrap();
    }

    #[test]
    fn whatever_was_changed_is_refused() {
        let other = KEY.replacen("db.", "dc.", 1);
        assert!(verify(CHECKPOINT, &other, LEAF, INDEX, PATH).is_err());
        let size = CHECKPOINT.replacen("\n5\n", "\n6\n", 1);
        assert!(verify(&size, KEY, LEAF, INDEX, PATH).is_err());
        assert!(verify(CHECKPOINT, KEY, LEAF, INDEX + 1, PATH).is_err());
        let shorter: String = PATH.lines().skip(1).collect();
        assert!(verify(CHECKPOINT, KEY, LEAF, INDEX, &shorter).is_err());
        for at in 0..LEAF.len() {
            let mut leaf = LEAF.to_vec();
            leaf[at] ^= 1;
            assert!(verify(CHECKPOINT, KEY, &leaf, INDEX, PATH).is_err(), "{at}");
        }
        assert_eq!(verify(CHECKPOINT, KEY, LEAF, INDEX, PATH).unwrap().size, 5);
    }
}
