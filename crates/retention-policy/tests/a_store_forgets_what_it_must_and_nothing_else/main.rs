//! Rows in a SQLite file with their ledger beside it: no purged row comes back with a copy of the file,
//! no row that was restored from the bin is lost, no hold is lost and no erasure undone, whichever
//! copy is put back when; and nothing goes that cannot be written down, or of which nobody can say
//! whether it is held.
#![cfg(all(feature = "sqlite", feature = "serde"))]

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod unwritable;
#[cfg(test)]
mod world;
