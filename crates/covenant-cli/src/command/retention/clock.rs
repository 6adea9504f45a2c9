//! Which time a deletion by command may trust. A command has no past of its own: the store remembers
//! the last time that a deletion was allowed to use, and a clock that is further ahead of it than
//! anybody pauses, or apart from the database server's, deletes nothing until a person confirms.

use covenant_core::{Period, Reading, TenantId};
use retention_policy::{ClockGuard, Trust};
use sql_store::{Mode, Tx};
use time::{Duration, UtcDateTime};

use super::shown;
use super::store::{Opened, unread};
use crate::command::key_place::chain;
use crate::output::Failure;

/// How far this machine's clock and the database server's may be apart: a figure of ours.
const APART_MAX: Duration = Duration::minutes(5);

/// Whether a person looked at the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looked {
    /// A person says that it is right.
    Confirmed,
    /// Nobody did.
    Unsaid,
}

/// The time that deletions may use; the store remembers it.
// clause: P-51
pub(super) async fn trusted(
    opened: &Opened,
    tenant: TenantId,
    pause_max: Period,
    reading: &Reading,
    looked: Looked,
) -> Result<UtcDateTime, Failure> {
    let (wall, monotonic) = (opened.clock.now(), opened.clock.monotonic());
    let mark = opened.rows.mark(tenant).await;
    let before = mark.map_err(|error| unread(&error))?.accepted_at;
    let before = before.unwrap_or(wall);
    if looked == Looked::Confirmed {
        // what was accepted may have been wrong, and must not stand for the time of now
        let confirmed = opened.rows.confirm(tenant, wall).await;
        confirmed.map_err(|error| unread(&error))?;
        return Ok(wall);
    }
    if before - wall > APART_MAX {
        let (claimed, before) = (shown(wall), shown(before));
        return Err(Failure::refused(format!(
            "the clock says {claimed}, and the last deletion was later, at {before}: look, then say \
             --clock-is-right"
        )));
    }
    let latest = pause_max.resolve(before, reading);
    let latest = latest
        .map_err(|error| Failure::usage(error.to_string()))?
        .latest;
    let step_max = std::time::Duration::try_from(latest - before).unwrap_or_default();
    let mut guard = ClockGuard::new(before, monotonic, step_max);
    let now = match guard.observe(wall, monotonic) {
        Trust::Trusted(now) => now,
        Trust::Doubt(doubt) => {
            let (claimed, before) = (shown(doubt.claimed), shown(before));
            return Err(Failure::refused(format!(
                "the clock says {claimed}, the last deletion was at {before}, more than {pause_max} \
                 before: look, then say --clock-is-right"
            )));
        }
    };
    not_apart(opened, tenant, wall).await?;
    let accepted = opened.rows.accept(tenant, now).await;
    accepted.map_err(|error| unread(&error))?;
    Ok(now)
}

async fn not_apart(opened: &Opened, tenant: TenantId, wall: UtcDateTime) -> Result<(), Failure> {
    let tag = covenant_core::TxTag {
        txn: covenant_core::TxnId::from_bytes(*tenant.as_bytes()),
        tenant: Some(tenant),
        decision: None,
    };
    let tx: Tx = opened
        .rows
        .db()
        .begin_with(Mode::ReadOnly, tag)
        .await
        .map_err(|error| Failure::unreachable(chain(&error)))?;
    match tx.database_now() {
        Some(server) if (wall - server).abs() > APART_MAX => Err(Failure::refused(format!(
            "the clock says {}, the database server's {}: look, then say --clock-is-right",
            shown(wall),
            shown(server)
        ))),
        _ => Ok(()),
    }
}
