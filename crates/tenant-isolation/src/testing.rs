//! For tests: a small deployment in a folder, and the suites that every registry and every store of
//! tenants passes.
//!
//! Suites return [`SuiteError`] instead of panicking, so that a test is
//! `testing::registry_suite(&my_registry, ..).await?`. Nothing here belongs into a running service.

mod deployment;
mod registry;
mod store;

pub use deployment::{Backing, Deployment, NOTES};
pub use registry::registry_suite;
pub use store::store_suite;

/// What a suite, or the deployment it runs on, found wrong.
pub type SuiteError = Box<dyn std::error::Error + Send + Sync>;

/// Fails with this text unless both are equal.
fn same<T: PartialEq + std::fmt::Debug>(
    found: T,
    expected: T,
    what: &str,
) -> Result<(), SuiteError> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: found {found:?}, expected {expected:?}").into())
    }
}

/// Takes the error of what must fail.
fn refused<T, E>(result: Result<T, E>, what: &str) -> Result<E, SuiteError> {
    result
        .err()
        .ok_or_else(|| format!("{what} was not refused").into())
}
