//! audit-log: what is accepted encodes to itself, no proof holds by accident, and nothing panics.

use audit_log::checkpoint::Checkpoint;
use audit_log::field::{decode_sealed, encode_sealed};
use audit_log::jcs;
use audit_log::leaf::Leaf;

/// Leaves, their JSON and their side values encode to themselves.
pub fn leaf(data: &[u8]) {
    if let Ok(value) = jcs::decode(data) {
        assert_eq!(jcs::encode(&value).as_deref(), Ok(data));
    }
    if let Ok(leaf) = Leaf::decode(data) {
        assert_eq!(leaf.encode().as_deref(), Ok(data));
        assert!(leaf.same_fact(&leaf));
    }
    if let Ok(fields) = decode_sealed(data) {
        assert_eq!(encode_sealed(&fields), data);
    }
}

/// Checkpoints encode to themselves.
pub fn checkpoint(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.encode(), text);
    }
}
