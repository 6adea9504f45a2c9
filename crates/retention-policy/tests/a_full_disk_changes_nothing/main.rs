//! A flush that finds no room says so, loses nothing and removes nothing, however often it is tried;
//! once there is room again it leaves no byte. On SQLite, and on PostgreSQL by a whole order of
//! deletions, of which nothing is certified before. The disk is a small one in memory, which only
//! root can mount.
#![cfg(all(feature = "sqlite", feature = "postgres", target_os = "linux"))]

#[cfg(test)]
mod disk;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod sqlite;
