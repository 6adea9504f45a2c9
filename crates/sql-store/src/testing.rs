//! What every database behind [`crate::Db`] must do, as functions that a test calls.

pub mod cancel;
pub mod suite;
