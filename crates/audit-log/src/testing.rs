//! For tests of this crate's users and implementors: a sealer without cryptography.

mod escrow;

pub use escrow::EscrowSealer;
