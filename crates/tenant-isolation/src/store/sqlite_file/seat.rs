//! The open databases: one seat per tenant, at most so many taken at once, the least recently used
//! given up for the next. A database in use keeps its seat.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use covenant_core::TenantId;
use sql_store::Db;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::{StoreError, StoreIdentity};

/// The right to open, close or replace what sits in a seat; clones are the same right.
pub(super) type Door = Arc<OwnedMutexGuard<()>>;

/// The seats of all tenants that were ever open here.
#[derive(Debug)]
pub(super) struct Seats {
    all: Mutex<BTreeMap<TenantId, Arc<Seat>>>,
    rooms: Arc<Semaphore>,
    turn: AtomicU64,
    wait: Duration,
}

/// The place of one tenant's database.
#[derive(Debug)]
pub(super) struct Seat {
    tenant: TenantId,
    /// Held while the database is opened, closed, replaced, removed or kept for maintenance.
    door: Arc<tokio::sync::Mutex<()>>,
    open: Mutex<Option<Open>>,
    used: AtomicU64,
}

/// An open database, of a store whose identity was checked.
#[derive(Debug)]
struct Open {
    db: Db,
    identity: StoreIdentity,
    #[expect(
        dead_code,
        reason = "held for its destructor: one database less is open"
    )]
    room: OwnedSemaphorePermit,
}

impl Seats {
    pub(super) fn new(open_max: usize, wait: Duration) -> Self {
        let rooms = Arc::new(Semaphore::new(open_max.clamp(1, Semaphore::MAX_PERMITS)));
        Self {
            all: Mutex::default(),
            rooms,
            turn: AtomicU64::new(0),
            wait,
        }
    }

    /// The seat of this tenant, used now.
    pub(super) fn of(&self, tenant: TenantId) -> Arc<Seat> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let seat = all
            .entry(tenant)
            .or_insert_with(|| Arc::new(Seat::new(tenant)));
        seat.used
            .store(self.turn.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Arc::clone(seat)
    }

    /// How many databases are open.
    pub(super) fn open(&self) -> usize {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().filter(|seat| seat.is_open()).count()
    }

    /// Room for one more open database; an idle one is closed for it if need be.
    pub(super) async fn room(&self, tenant: TenantId) -> Result<OwnedSemaphorePermit, StoreError> {
        if let Ok(room) = Arc::clone(&self.rooms).try_acquire_owned() {
            return Ok(room);
        }
        self.give_up_one().await?;
        let room = Arc::clone(&self.rooms).acquire_owned();
        match tokio::time::timeout(self.wait, room).await {
            Ok(Ok(room)) => Ok(room),
            Ok(Err(_)) | Err(_) => Err(StoreError::Busy { tenant }),
        }
    }

    /// Closes the least recently used database that nobody uses.
    async fn give_up_one(&self) -> Result<(), StoreError> {
        let mut open: Vec<Arc<Seat>> = {
            let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
            all.values()
                .filter(|seat| seat.is_open())
                .cloned()
                .collect()
        };
        open.sort_by_key(|seat| seat.used.load(Ordering::Relaxed));
        for seat in open {
            let Ok(_door) = Arc::clone(&seat.door).try_lock_owned() else {
                continue;
            };
            if seat.close(Duration::ZERO).await.is_ok() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Closes every database, after waiting for its transactions.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        let all: Vec<Arc<Seat>> = {
            let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
            all.values().cloned().collect()
        };
        for seat in all {
            let _door = seat.enter(self.wait).await?;
            seat.close(self.wait).await?;
        }
        Ok(())
    }
}

impl Seat {
    fn new(tenant: TenantId) -> Self {
        let door = Arc::default();
        Self {
            tenant,
            door,
            open: Mutex::default(),
            used: AtomicU64::new(0),
        }
    }

    /// The right to change what sits here, after waiting for those who have it.
    pub(super) async fn enter(&self, wait: Duration) -> Result<Door, StoreError> {
        let door = Arc::clone(&self.door).lock_owned();
        let entered = tokio::time::timeout(wait, door).await;
        entered.map(Arc::new).or(Err(StoreError::Busy {
            tenant: self.tenant,
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
    pub(super) async fn close(&self, wait: Duration) -> Result<(), StoreError> {
        let db = {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.as_ref().map(|open| open.db.clone())
        };
        let Some(db) = db else {
            return Ok(());
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
        drop(open);
        Ok(())
    }

    fn is_open(&self) -> bool {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }
}
