//! A clock for the tests.

use std::sync::Arc;

use covenant_core::ManualClock;
use time::UtcDateTime;

/// A clock that stands at a round instant.
pub(crate) fn clock() -> Arc<ManualClock> {
    let at = UtcDateTime::from_unix_timestamp(1_790_000_000).unwrap();
    Arc::new(ManualClock::at(at))
}
