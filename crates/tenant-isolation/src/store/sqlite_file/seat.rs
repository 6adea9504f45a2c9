//! The open databases: one seat per tenant, at most so many taken at once, the least recently used
//! given up for the next. A database in use keeps its seat.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use covenant_core::TenantId;
use sql_store::Db;
use tokio::sync::{Notify, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::{StoreError, StoreIdentity};

/// How long to wait for the transactions of one database before trying the next.
const PATIENCE: Duration = Duration::from_millis(10);

/// The right to open, close or replace what sits in a seat; clones are the same right.
pub(super) type Door = Arc<OpenDoor>;

/// A door that is held; those who wait for a room learn when it is not any more.
#[derive(Debug)]
pub(super) struct OpenDoor {
    held: Option<OwnedMutexGuard<()>>,
    changed: Arc<Notify>,
}

impl Drop for OpenDoor {
    fn drop(&mut self) {
        drop(self.held.take());
        self.changed.notify_waiters();
    }
}

/// What came of closing a database for its room.
enum GaveUp {
    /// None could be tried.
    Nothing,
    /// Transactions are open in each that could be tried.
    AllInUse,
    /// One was closed.
    Room(OwnedSemaphorePermit),
}

/// The seats of all tenants that were ever open here.
#[derive(Debug)]
pub(super) struct Seats {
    all: Mutex<BTreeMap<TenantId, Arc<Seat>>>,
    rooms: Arc<Semaphore>,
    turnstile: tokio::sync::Mutex<()>,
    changed: Arc<Notify>,
    turn: AtomicU64,
    wait: Duration,
}

/// The place of one tenant's database.
#[derive(Debug)]
pub(super) struct Seat {
    tenant: TenantId,
    /// Held while the database is opened, closed, replaced, removed or kept for maintenance.
    door: Arc<tokio::sync::Mutex<()>>,
    changed: Arc<Notify>,
    open: Mutex<Option<Open>>,
    used: AtomicU64,
}

/// An open database, of a store whose identity was checked.
#[derive(Debug)]
struct Open {
    db: Db,
    identity: StoreIdentity,
    /// Given back, or handed on, when the database is closed.
    room: OwnedSemaphorePermit,
}

impl Seats {
    pub(super) fn new(open_max: usize, wait: Duration) -> Self {
        let rooms = Arc::new(Semaphore::new(open_max.clamp(1, Semaphore::MAX_PERMITS)));
        Self {
            all: Mutex::default(),
            rooms,
            turnstile: tokio::sync::Mutex::default(),
            changed: Arc::default(),
            turn: AtomicU64::new(0),
            wait,
        }
    }

    /// The seat of this tenant, used now.
    pub(super) fn of(&self, tenant: TenantId) -> Arc<Seat> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let seat = all
            .entry(tenant)
            .or_insert_with(|| Arc::new(Seat::new(tenant, Arc::clone(&self.changed))));
        seat.used
            .store(self.turn.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Arc::clone(seat)
    }

    /// How many databases are open.
    pub(super) fn open(&self) -> usize {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().filter(|seat| seat.is_open()).count()
    }

    /// Room for one more open database. If need be another one is closed for it: an idle one, the
    /// least recently used first, or else the first whose transactions end in time.
    pub(super) async fn room(&self, tenant: TenantId) -> Result<OwnedSemaphorePermit, StoreError> {
        if let Ok(room) = Arc::clone(&self.rooms).try_acquire_owned() {
            return Ok(room);
        }
        let freed = tokio::time::timeout(self.wait, self.freed_room()).await;
        freed.or(Err(StoreError::Busy { tenant }))
    }

    /// Waits for a room, and closes databases for it. One at a time, in order: whoever closes a
    /// database gets the room it had.
    async fn freed_room(&self) -> OwnedSemaphorePermit {
        let _turn = self.turnstile.lock().await;
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Ok(room) = Arc::clone(&self.rooms).try_acquire_owned() {
                return room;
            }
            let mut found = GaveUp::Nothing;
            for wait in [Duration::ZERO, PATIENCE] {
                found = self.give_up_one(wait).await;
                if let GaveUp::Room(room) = found {
                    return room;
                }
            }
            // All rooms are those of databases being opened, closed or maintained.
            if matches!(found, GaveUp::Nothing) {
                changed.await;
            }
        }
    }

    /// Closes a database whose transactions end within `wait`, the least recently used first; one
    /// whose door is held is passed over.
    async fn give_up_one(&self, wait: Duration) -> GaveUp {
        let mut open: Vec<Arc<Seat>> = {
            let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
            all.values()
                .filter(|seat| seat.is_open())
                .cloned()
                .collect()
        };
        open.sort_by_key(|seat| seat.used.load(Ordering::Relaxed));
        let mut gave_up = GaveUp::Nothing;
        for seat in open {
            let Ok(_door) = Arc::clone(&seat.door).try_lock_owned() else {
                continue;
            };
            match seat.close(wait).await {
                Ok(Some(room)) => return GaveUp::Room(room),
                Ok(None) => {}
                Err(_) => gave_up = GaveUp::AllInUse,
            }
        }
        gave_up
    }

    /// Closes every database, after waiting for its transactions.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        let all: Vec<Arc<Seat>> = {
            let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
            all.values().cloned().collect()
        };
        for seat in all {
            let _door = seat.enter(self.wait).await?;
            drop(seat.close(self.wait).await?);
        }
        Ok(())
    }
}

impl Seat {
    fn new(tenant: TenantId, changed: Arc<Notify>) -> Self {
        let door = Arc::default();
        Self {
            tenant,
            door,
            changed,
            open: Mutex::default(),
            used: AtomicU64::new(0),
        }
    }

    /// The right to change what sits here, after waiting for those who have it.
    pub(super) async fn enter(&self, wait: Duration) -> Result<Door, StoreError> {
        let door = Arc::clone(&self.door).lock_owned();
        let held = tokio::time::timeout(wait, door).await;
        let held = held.or(Err(StoreError::Busy {
            tenant: self.tenant,
        }))?;
        let changed = Arc::clone(&self.changed);
        Ok(Arc::new(OpenDoor {
            held: Some(held),
            changed,
        }))
    }

    /// The open database, when it was opened for this identity.
    pub(super) fn database(&self, identity: &StoreIdentity) -> Option<Db> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.as_ref()
            .filter(|open| open.identity == *identity)
            .map(|open| open.db.clone())
    }

    /// Seats an open database; the seat must be empty and its door held.
    pub(super) fn take(&self, db: Db, identity: StoreIdentity, room: OwnedSemaphorePermit) {
        let open = Some(Open { db, identity, room });
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = open;
    }

    /// Empties the seat, after waiting for the transactions of its database; the door must be held.
    /// Returns the room that the database had.
    pub(super) async fn close(
        &self,
        wait: Duration,
    ) -> Result<Option<OwnedSemaphorePermit>, StoreError> {
        let db = {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.as_ref().map(|open| open.db.clone())
        };
        let Some(db) = db else {
            return Ok(None);
        };
        let quiet = db.quiesce(wait).await;
        let quiet = quiet.or(Err(StoreError::Busy {
            tenant: self.tenant,
        }))?;
        // From here on a new begin finds no seat and waits at the door, or has the handle already,
        // and is refused as closed or waited for.
        let open = self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(quiet);
        db.close().await;
        Ok(open.map(|open| open.room))
    }

    fn is_open(&self) -> bool {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }
}
