//! Wrong about restores: a gate that lets everything pass, and one that takes any log for the newest.

use std::path::Path;
use std::sync::Arc;

use backup_engine::{Domain, Gate, GateError, LogHead, ReplayReport};
use covenant_core::BoxFuture;

/// Replays nothing.
#[derive(Debug)]
pub(super) struct OpenGate;

impl Gate for OpenGate {
    fn replay<'a>(
        &'a self,
        _domain: &'a Domain,
        _folder: &'a Path,
        _head: LogHead,
    ) -> BoxFuture<'a, Result<ReplayReport, GateError>> {
        Box::pin(async { Ok(ReplayReport::default()) })
    }
}

/// Replays what the log tells, and does not ask whether the log is behind what is known of it.
pub(super) struct AnyLog(pub(super) Arc<dyn Gate>);

impl Gate for AnyLog {
    fn replay<'a>(
        &'a self,
        domain: &'a Domain,
        folder: &'a Path,
        head: LogHead,
    ) -> BoxFuture<'a, Result<ReplayReport, GateError>> {
        Box::pin(async move {
            match self.0.replay(domain, folder, head).await {
                Err(GateError::Behind) => Ok(ReplayReport::default()),
                replayed => replayed,
            }
        })
    }
}
