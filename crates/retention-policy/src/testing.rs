//! For those who implement the traits of this crate: the laws each implementation must keep, and
//! implementations that are wrong in one way each, on which the laws are tried.

pub mod holds;
pub mod ledger;
#[cfg(feature = "apply")]
pub mod physical;
