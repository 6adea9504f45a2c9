//! Progress: how far a run is, told to whoever wants to show it.

use std::fmt;

/// Where progress is told.
///
/// # Contract
/// Called from several threads; must not block for long.
pub trait Progress: fmt::Debug + Send + Sync {
    /// So many runs are planned.
    fn planned(&self, total: usize);
    /// One more run has ended; `what` names scenario, document and subject.
    fn ended(&self, done: usize, total: usize, what: &str);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn planned(&self, _: usize) {}
    fn ended(&self, _: usize, _: usize, _: &str) {}
}
