//! On a PostgreSQL server a flush leaves no byte of any version of a deleted row in heap, index,
//! out-of-line values or statistics, and dropping a tenant's database none of the tenant; what the
//! write-ahead log still holds is reported as remaining, and goes when the log is turned over.
//! Measured, with and without each step. Needs the server of `cargo xtask test`.
#![cfg(all(feature = "postgres", feature = "testing"))]

#[cfg(test)]
mod laws;
#[cfg(test)]
mod lived;
#[cfg(test)]
#[path = "../common/markers.rs"]
mod markers;
#[cfg(test)]
mod table;
