//! For tests of this crate's users and implementors: a seeded source of randomness, a sink and an
//! outbox in memory, what a run of the tests was given, and suites that every implementation of a
//! joint runs.
//!
//! Suites return [`SuiteError`] instead of panicking, so that a test is
//! `testing::clock_suite(&my_clock)?`. Nothing here belongs into a running service.

mod memory;
mod provided;
mod seeded;
mod suites;

pub use memory::{MemoryOutboxTx, MemorySink};
pub use provided::{NotProvided, provided};
pub use seeded::SeededRandom;
#[cfg(feature = "digest")]
pub use suites::note_signer_suite;
pub use suites::{
    SuiteError, clock_suite, event_sink_suite, outbox_tx_suite, random_suite, sealer_destroy_suite,
    sealer_suite,
};
