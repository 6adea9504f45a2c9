//! On SQLite files that have lived, whoever made them and however they are journaled, a flush leaves
//! no byte of any version of a deleted row: `flush` shows it, `table` what happens without, `laws`
//! that the suite finds each flush that does half the work.
#![cfg(feature = "sqlite")]

#[cfg(test)]
mod flush;
#[cfg(all(test, feature = "testing"))]
mod laws;
#[cfg(test)]
mod lived;
#[cfg(test)]
#[path = "../common/markers.rs"]
mod markers;
#[cfg(test)]
mod table;
