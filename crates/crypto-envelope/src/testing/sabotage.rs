//! Backends, escrows and stores that are wrong in one way each: a suite or a check that does not
//! find every one of them does not look.

mod backend;
mod escrow;
mod store;

pub use backend::{BackendFlaw, UnsoundBackend};
pub use escrow::{EscrowFlaw, UnsoundEscrow};
pub use store::{StoreFlaw, UnsoundStore};
