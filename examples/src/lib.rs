//! One program for each kind of user; this library is empty.
//!
//! | user | program | needs |
//! |---|---|---|
//! | integrator who embeds the retention rules alone | `retention_only` | no database, no runtime, no cryptography |
//! | auditor | `verify_log_offline` | a checkpoint, a leaf, a proof and a key, as files |
#![forbid(unsafe_code)]
