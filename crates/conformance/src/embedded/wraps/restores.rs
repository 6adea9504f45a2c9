//! Wrong about restores and holds: a gate that lets everything pass, one that takes any log for the
//! newest, holds that nobody asks and holds that a restored store does not have.

use std::path::Path;
use std::sync::Arc;

use backup_engine::{Domain, Gate, GateError, LogHead, ReplayReport};
use covenant::hold::HoldTables;
use covenant_core::{BoxFuture, TenantId};
use retention_policy::hold::HoldReplay;
use retention_policy::{DisposalTarget, HoldError, HoldView, StoreName};
use sql_store::{Mode, Tx};
use time::UtcDateTime;

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

/// Finds no hold.
#[derive(Debug)]
pub(super) struct HoldIgnored(pub(super) Arc<dyn HoldTables>);

impl HoldTables for HoldIgnored {
    fn view<'a>(
        &'a self,
        _tx: &'a mut Tx,
        _tenant: TenantId,
        _mode: Mode,
    ) -> BoxFuture<'a, Result<HoldView, HoldError>> {
        Box::pin(async { Ok(HoldView::none()) })
    }

    fn pass<'a>(
        &'a self,
        _tx: &'a mut Tx,
        _target: &'a DisposalTarget,
        _store: &'a StoreName,
        _now: UtcDateTime,
    ) -> BoxFuture<'a, Result<(), HoldError>> {
        Box::pin(async { Ok(()) })
    }

    fn replay<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        facts: &'a HoldReplay,
    ) -> BoxFuture<'a, Result<(), HoldError>> {
        self.0.replay(tx, tenant, facts)
    }
}

/// Takes over no hold into a restored store.
#[derive(Debug)]
pub(super) struct HoldLost(pub(super) Arc<dyn HoldTables>);

impl HoldTables for HoldLost {
    fn view<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        mode: Mode,
    ) -> BoxFuture<'a, Result<HoldView, HoldError>> {
        self.0.view(tx, tenant, mode)
    }

    fn pass<'a>(
        &'a self,
        tx: &'a mut Tx,
        target: &'a DisposalTarget,
        store: &'a StoreName,
        now: UtcDateTime,
    ) -> BoxFuture<'a, Result<(), HoldError>> {
        self.0.pass(tx, target, store, now)
    }

    fn replay<'a>(
        &'a self,
        _tx: &'a mut Tx,
        _tenant: TenantId,
        _facts: &'a HoldReplay,
    ) -> BoxFuture<'a, Result<(), HoldError>> {
        Box::pin(async { Ok(()) })
    }
}
