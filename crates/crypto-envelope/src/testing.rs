//! For implementors of key stores and backends, and for adversary tests: suites that return the
//! first sentence of a contract that does not hold, backends and stores that fail on demand or
//! are wrong in one way, and a TLS server to point clients at.

mod around;
mod backend_suite;
mod escrow;
mod escrow_suite;
mod faults;
mod sabotage;
mod store_suite;
mod suite;
#[cfg(feature = "token")]
mod token_suite;
#[cfg(feature = "transit")]
pub mod transit;

pub use around::AroundStore;
pub use backend_suite::backend_suite;
pub use escrow::MemoryEscrow;
pub use escrow_suite::{escrow_suite, portable_suite};
pub use faults::{Faults, FaultyBackend, FaultyStore, Injected};
pub use sabotage::{
    BackendFlaw, EscrowFlaw, StoreFlaw, UnsoundBackend, UnsoundEscrow, UnsoundStore,
};
pub use store_suite::{restore_suite, store_suite};
pub use suite::{Ground, random_suite, suite, table_suite};
#[cfg(feature = "token")]
pub use token_suite::token_suite;

/// An implementation broke a sentence of its contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SuiteError(String);

impl SuiteError {
    fn of(what: impl ToString) -> Self {
        Self(what.to_string())
    }
}

/// Turns a failed check into the sentence that it checks.
macro_rules! that {
    ($holds:expr, $what:expr) => {
        if !$holds {
            return Err($crate::testing::SuiteError::of($what));
        }
    };
}
pub(crate) use that;
