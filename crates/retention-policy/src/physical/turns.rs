//! Whose turn it is: flush and backup of a tenant share one lock, so that no backup reads what a
//! flush removes, and no flush is refused because a backup reads.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use covenant_core::TenantId;
use tokio::sync::Notify;

use crate::apply::FlushError;

/// Longest read of a backup that a flush waits for: the backup's own tolerance (P-15).
pub const BACKUP_READ_MAX: Duration = Duration::from_secs(300);

/// One lock for each tenant. A backup that runs finishes first; a flush that waits goes before the
/// next backup. Whoever drops its future while waiting leaves the queue.
#[derive(Debug, Clone, Default)]
pub struct Turns(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    lanes: Mutex<HashMap<TenantId, Lane>>,
    /// Told whenever a turn ends or a waiting flush gives up.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Lane {
    taken: bool,
    flushes_waiting: u32,
}

/// A turn; it ends when it is dropped.
#[must_use = "dropped at once it keeps nobody out"]
pub struct Turn {
    shared: Arc<Shared>,
    tenant: TenantId,
}

/// A flush in the queue.
struct Waiting<'a> {
    shared: &'a Shared,
    tenant: TenantId,
}

impl Turns {
    /// No turns yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The tenant's turn for a flush, before every backup that has not begun; waits so long at most,
    /// and [`BACKUP_READ_MAX`] is enough for any backup that keeps its own bound.
    ///
    /// # Errors
    /// [`FlushError::Busy`] when it did not come in time.
    // clause: P-52
    pub async fn flush(&self, tenant: TenantId, wait: Duration) -> Result<Turn, FlushError> {
        let _waiting = Waiting::enter(&self.0, tenant);
        let turn = self.take(tenant, |lane| !lane.taken);
        tokio::time::timeout(wait, turn)
            .await
            .or(Err(FlushError::Busy))
    }

    /// The tenant's turn for a backup, after every flush that waits.
    pub async fn backup(&self, tenant: TenantId) -> Turn {
        self.take(tenant, |lane| !lane.taken && lane.flushes_waiting == 0)
            .await
    }

    /// Whether a flush of this tenant waits: a backup that could stop early asks this.
    #[must_use]
    pub fn flush_waits(&self, tenant: TenantId) -> bool {
        let lanes = self.0.lanes();
        lanes
            .get(&tenant)
            .is_some_and(|lane| lane.flushes_waiting > 0)
    }

    async fn take(&self, tenant: TenantId, free: impl Fn(&Lane) -> bool) -> Turn {
        loop {
            // listens before it looks, so that no change is missed
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut lanes = self.0.lanes();
                let lane = lanes.entry(tenant).or_default();
                if free(lane) {
                    lane.taken = true;
                    return Turn {
                        shared: Arc::clone(&self.0),
                        tenant,
                    };
                }
            }
            changed.await;
        }
    }
}

impl Shared {
    fn lanes(&self) -> MutexGuard<'_, HashMap<TenantId, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a lane, forgets it when nobody is in it, and tells those who wait.
    fn change(&self, tenant: TenantId, change: impl FnOnce(&mut Lane)) {
        let mut lanes = self.lanes();
        let lane = lanes.entry(tenant).or_default();
        change(lane);
        if !lane.taken && lane.flushes_waiting == 0 {
            lanes.remove(&tenant);
        }
        drop(lanes);
        self.changed.notify_waiters();
    }
}

impl<'a> Waiting<'a> {
    fn enter(shared: &'a Shared, tenant: TenantId) -> Self {
        shared.change(tenant, |lane| {
            lane.flushes_waiting = lane.flushes_waiting.saturating_add(1);
        });
        Self { shared, tenant }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.change(self.tenant, |lane| {
            lane.flushes_waiting = lane.flushes_waiting.saturating_sub(1);
        });
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.shared.change(self.tenant, |lane| lane.taken = false);
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}
