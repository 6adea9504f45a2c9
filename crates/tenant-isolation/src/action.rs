//! The closed table of what can be asked for, and the levels of access.

use std::fmt;
use std::str::FromStr;

use covenant_core::LogSafe;

/// How far a scope reaches into a tenant's store; each level includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new level must be looked at by every rule"
)]
pub enum AccessLevel {
    /// What the store looks like from outside; never a row.
    Metadata,
    /// Rows, in transactions that the database itself opened read-only.
    Read,
    /// Rows, read and written.
    Write,
    /// The whole store: copy, flush, replace, remove.
    Maintain,
}

impl AccessLevel {
    /// Every level, the lowest first.
    pub const ALL: [Self; 4] = [Self::Metadata, Self::Read, Self::Write, Self::Maintain];

    /// The name, as stored and printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Read => "read",
            Self::Write => "write",
            Self::Maintain => "maintain",
        }
    }
}

impl fmt::Display for AccessLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl LogSafe for AccessLevel {}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $level:expr;)*) => {
        /// What is asked for. Not to be confused with `covenant_core::Action`, the table of what
        /// happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum AccessAction { $($(#[$doc])* $variant),* }

        impl AccessAction {
            /// Every action, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name, as stored and printed.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The level that the action needs in the tenant's store; `None` for an action on the
            /// registry, for which no scope arises.
            #[must_use]
            pub const fn level(self) -> Option<AccessLevel> {
                match self { $(Self::$variant => $level),* }
            }
        }

        impl FromStr for AccessAction {
            type Err = UnknownAccessAction;

            fn from_str(name: &str) -> Result<Self, UnknownAccessAction> {
                match name { $($name => Ok(Self::$variant),)* _ => Err(UnknownAccessAction) }
            }
        }
    };
}

actions! {
    /// Look at the store from outside: sizes, never a row.
    MetadataRead = "metadata.read", Some(AccessLevel::Metadata);
    /// Read records.
    RecordRead = "record.read", Some(AccessLevel::Read);
    /// Put, change, delete to the bin and restore from it.
    RecordWrite = "record.write", Some(AccessLevel::Write);
    /// Purge records by hand, before the bin would.
    RecordPurge = "record.purge", Some(AccessLevel::Write);
    /// Dispose of what is due, and make its bytes leave the file.
    StoreSweep = "store.sweep", Some(AccessLevel::Maintain);
    /// Copy the store into a backup.
    StoreBackup = "store.backup", Some(AccessLevel::Maintain);
    /// Put a restored store in place.
    StoreRestore = "store.restore", Some(AccessLevel::Maintain);
    /// Remove the store of a deleted tenant.
    StoreRemove = "store.remove", Some(AccessLevel::Maintain);
    /// Create the tenant.
    DatabaseCreate = "database.create", None;
    /// State that the trial or the subscription has ended.
    DatabaseExpire = "database.expire", None;
    /// Keep an expired database locked until it is deleted.
    DatabaseLock = "database.lock", None;
    /// Let an expired database be used again.
    DatabaseResume = "database.resume", None;
    /// Delete the database.
    DatabaseDelete = "database.delete", None;
    /// End the contract: the database is deleted, and all of the tenant goes.
    DatabaseTerminate = "database.terminate", None;
    /// Bring a deleted database back.
    DatabaseRestore = "database.restore", None;
    /// Adopt a restored store for a database in use.
    DatabaseRepoint = "database.repoint", None;
    /// State that the bytes of a deleted database have left the live stores.
    DatabasePurge = "database.purge", None;
    /// Let a member in, change its role, or put it out.
    MemberSet = "member.set", None;
    /// Set the tenant's own retention rules.
    RulesSet = "rules.set", Some(AccessLevel::Metadata);
}

/// A name that is not in the table of what can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a name of the table of access actions")]
pub struct UnknownAccessAction;

impl fmt::Display for AccessAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl LogSafe for AccessAction {}
