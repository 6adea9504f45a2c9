//! On SQLite files that have lived, whoever made them and however they are journaled, a flush leaves
//! no byte of any version of a deleted row: `flush` shows it, `table` what happens without.
#![cfg(feature = "sqlite")]

#[cfg(test)]
mod flush;
#[cfg(test)]
mod lived;
#[cfg(test)]
mod table;
