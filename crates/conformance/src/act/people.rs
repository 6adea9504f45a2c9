//! Who asks for something, and the certificate that an order ends with.

use std::fmt;

/// Somebody who reaches for a tenant's database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Person {
    /// Administers the tenant's database.
    DatabaseAdministrator,
    /// Of the tenant, reads and writes.
    Member,
    /// Of the tenant, reads.
    Reader,
    /// Administers another tenant's database.
    Stranger,
    /// Of the operator's staff.
    Staff,
}

impl Person {
    /// Everybody.
    pub const ALL: [Self; 5] = [
        Self::DatabaseAdministrator,
        Self::Member,
        Self::Reader,
        Self::Stranger,
        Self::Staff,
    ];

    /// The word of policies and of evidence.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DatabaseAdministrator => "database-administrator",
            Self::Member => "member",
            Self::Reader => "reader",
            Self::Stranger => "stranger",
            Self::Staff => "staff",
        }
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A certificate of disposal: a statement that is signed as a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// The signed note.
    pub note: String,
    /// The verifier key of the system's certificates.
    pub key: String,
}
