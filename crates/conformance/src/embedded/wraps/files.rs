//! Wrong about attached files: names that lead to deleted ones, by all ways or by one alone.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use covenant::{Error, PublicFiles, Reached, Way};
use covenant_core::{BoxFuture, ItemId, TenantId};
use sql_store::Tx;

use crate::act::FileWay;

/// What an older version is called by a store that should keep none.
const OLDER: &str = "older";

/// Says that a file is removed, and leaves it.
#[derive(Debug)]
pub(super) struct Unremoved(pub(super) Arc<dyn PublicFiles>);

impl PublicFiles for Unremoved {
    fn unname<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        file: &'a ItemId,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        self.0.unname(tx, tenant, file)
    }

    fn remove<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    fn reach<'a>(&'a self, name: &'a str, way: &'a Way) -> BoxFuture<'a, Result<Reached, Error>> {
        self.0.reach(name, way)
    }

    fn version<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<String>, Error>> {
        self.0.version(name)
    }
}

/// Removes a file, and leaves one way to it open: not to the system, whose own look after the removal
/// finds it closed, but to everybody who tries it later.
#[derive(Debug)]
pub(super) struct OneWayOpen {
    sound: Arc<dyn PublicFiles>,
    way: FileWay,
    removed: Mutex<BTreeSet<String>>,
    /// Names that the system itself has looked for.
    looked: Mutex<BTreeSet<(String, Way)>>,
}

impl OneWayOpen {
    pub(super) fn new(sound: Arc<dyn PublicFiles>, way: FileWay) -> Self {
        Self {
            sound,
            way,
            removed: Mutex::default(),
            looked: Mutex::default(),
        }
    }

    fn is_mine(&self, way: &Way) -> bool {
        matches!(
            (self.way, way),
            (FileWay::Get, Way::Get)
                | (FileWay::Head, Way::Head)
                | (FileWay::List, Way::List)
                | (FileWay::Copy, Way::Copy)
                | (FileWay::Signed, Way::Signed)
                | (FileWay::OlderVersion, Way::Older(_))
        )
    }

    /// Whether the row stays, and the file with it: the front reads both.
    fn keeps_all(&self) -> bool {
        self.way == FileWay::Service
    }

    fn is_removed(&self, name: &str) -> bool {
        let removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
        removed.contains(name)
    }

    /// Whether this is the first look for a removed name by this way, which is the system's own.
    fn is_first(&self, name: &str, way: &Way) -> bool {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.insert((name.to_owned(), way.clone()))
    }
}

impl PublicFiles for OneWayOpen {
    fn unname<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        file: &'a ItemId,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        if self.keeps_all() {
            return Box::pin(async { Ok(1) });
        }
        self.sound.unname(tx, tenant, file)
    }

    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        self.removed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned());
        if self.keeps_all() {
            return Box::pin(async { Ok(()) });
        }
        self.sound.remove(name)
    }

    fn reach<'a>(&'a self, name: &'a str, way: &'a Way) -> BoxFuture<'a, Result<Reached, Error>> {
        Box::pin(async move {
            if !self.is_removed(name) {
                let extra = matches!(way, Way::Signed | Way::Older(_)) && self.is_mine(way);
                // a way that the sound store has not
                let way = if extra { &Way::Head } else { way };
                return self.sound.reach(name, way).await;
            }
            if self.is_first(name, way) {
                return Ok(Reached::Closed);
            }
            if self.is_mine(way) {
                return Ok(Reached::Open);
            }
            self.sound.reach(name, way).await
        })
    }

    fn version<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<String>, Error>> {
        if self.way == FileWay::OlderVersion {
            return Box::pin(async { Ok(Some(OLDER.to_owned())) });
        }
        self.sound.version(name)
    }
}
