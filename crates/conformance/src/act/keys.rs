//! Keys, as an administrator sees and switches them.

use std::fmt;

use covenant_core::KeyId;
use time::UtcDateTime;

use super::Tenant;

/// In which role somebody reaches for keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KeyRole {
    /// Administers the system.
    SystemAdministrator,
    /// Of the operator's staff, and no administrator.
    Staff,
    /// A member of a tenant.
    Member,
    /// A part of the system that works by itself.
    Service,
}

impl KeyRole {
    /// Every role.
    pub const ALL: [Self; 4] = [
        Self::SystemAdministrator,
        Self::Staff,
        Self::Member,
        Self::Service,
    ];
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SystemAdministrator => "system-administrator",
            Self::Staff => "staff",
            Self::Member => "member",
            Self::Service => "service",
        })
    }
}

/// What is done to a key by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyVerb {
    /// It is switched on.
    Enable,
    /// It is switched off.
    Disable,
    /// It opens nothing now, and is destroyed after so many days.
    Schedule {
        /// Days of waiting.
        days: u8,
    },
    /// A scheduled destruction is taken back; the key is switched off then.
    Cancel,
    /// A new key takes its place.
    Rotate,
}

impl fmt::Display for KeyVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enable => f.write_str("enable"),
            Self::Disable => f.write_str("disable"),
            Self::Schedule { days } => write!(f, "schedule for {days} days on"),
            Self::Cancel => f.write_str("cancel"),
            Self::Rotate => f.write_str("rotate"),
        }
    }
}

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyStanding {
    /// It works.
    Enabled,
    /// It is switched off.
    Disabled,
    /// It waits for its destruction.
    Waiting,
    /// It is destroyed.
    Destroyed,
}

impl fmt::Display for KeyStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Waiting => "waiting",
            Self::Destroyed => "destroyed",
        })
    }
}

/// What a key serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum KeyUse {
    /// A tenant's contents.
    Contents(Tenant),
    /// The second layer of a tenant's especially sensitive fields.
    Sensitive(Tenant),
    /// It wraps keys of contents; there may be one for all tenants, or several.
    Wrapping,
    /// Anything else.
    Other,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySeen {
    /// Its id.
    pub id: KeyId,
    /// What it serves.
    pub serves: KeyUse,
    /// Where it stands.
    pub standing: KeyStanding,
    /// When it was made.
    pub created: UtcDateTime,
}
