//! The model's database file: bytes in slots, freed pages that keep what was in them until a
//! vacuum, and a write-ahead log that keeps every version until a checkpoint.

use std::collections::BTreeMap;

use crate::canary::{Canary, Sightings, Store};

/// Freed pages that a flush without a vacuum leaves: few of many, as on a real file.
const LEFT_WITHOUT_VACUUM: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Disk {
    slots: BTreeMap<u64, Vec<u8>>,
    free: Vec<Vec<u8>>,
    log: Vec<Vec<u8>>,
}

impl Disk {
    pub(super) fn write(&mut self, slot: u64, bytes: Vec<u8>) {
        self.log.push(bytes.clone());
        if let Some(old) = self.slots.insert(slot, bytes) {
            self.free.push(old);
        }
    }

    pub(super) fn free(&mut self, slot: u64) {
        self.free.extend(self.slots.remove(&slot));
    }

    pub(super) fn read(&self, slot: u64) -> Option<&[u8]> {
        self.slots.get(&slot).map(Vec::as_slice)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &[u8]> {
        let all = self.slots.values().chain(&self.free).chain(&self.log);
        all.map(Vec::as_slice)
    }

    pub(super) fn vacuum(&mut self) {
        self.free.clear();
    }

    pub(super) fn vacuum_badly(&mut self) {
        self.free.truncate(LEFT_WITHOUT_VACUUM);
    }

    pub(super) fn checkpoint(&mut self) {
        self.log.clear();
    }

    pub(super) fn look(&self, seen: &mut Sightings, canary: &Canary) {
        let parts = self.slots.values().chain(&self.free).chain(&self.log);
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend_from_slice(part);
        }
        seen.look(Store::Rows, &bytes, canary);
    }
}
