//! Groups of key-encryption keys, and the name of a backup epoch.

use std::fmt;
use std::str::FromStr;

use covenant_core::sealer::Purpose;
use covenant_core::{LogSafe, TenantId};

/// Longest [`EpochName`] in bytes: a bound of ours.
pub const EPOCH_NAME_LEN_BYTES_MAX: usize = 64;

/// The name of a backup epoch: 1 to 64 of `A-Z a-z 0-9 . _ + : -`, such as `2026-11-21`. All
/// vaults of the epoch hang on one KEK, so the name tells apart whatever has a day of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochName(Box<str>);

/// A text cannot name an epoch or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a key group")]
pub struct GroupNameError;

impl EpochName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EpochName {
    type Err = GroupNameError;

    fn from_str(name: &str) -> Result<Self, GroupNameError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._+:-".contains(&b);
        let fits = (1..=EPOCH_NAME_LEN_BYTES_MAX).contains(&name.len());
        if fits && name.bytes().all(allowed) {
            Ok(Self(name.into()))
        } else {
            Err(GroupNameError)
        }
    }
}

impl fmt::Display for EpochName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl LogSafe for EpochName {}

/// Whose KEKs wrap the roots of a tenant, of its data subjects and of its vaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a tenant shares KEKs or it does not"
)]
pub enum Isolation {
    /// Those of all tenants that share; its roots die one by one.
    #[default]
    Shared,
    /// Its own, epochs included: with them dies everything of the tenant at once.
    Dedicated,
}

impl Isolation {
    /// The tenant's group for this.
    #[must_use]
    pub fn group(self, tenant: TenantId, kind: GroupKind) -> GroupName {
        match self {
            Self::Shared => GroupName::shared(kind),
            Self::Dedicated => GroupName::Dedicated(tenant, kind),
        }
    }
}

/// What the KEK of a group wraps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new kind must be met wherever groups are chosen"
)]
pub enum GroupKind {
    /// Roots of tenants, of data subjects and of the platform.
    Standard,
    /// Roots of the second layer, under a KEK of their own.
    Sensitive,
    /// Roots of vaults of one backup epoch.
    Epoch(EpochName),
}

impl GroupKind {
    /// The kind for every root but a vault's; `None` for a vault's, which its epoch decides.
    #[must_use]
    pub const fn of(purpose: Purpose) -> Option<Self> {
        match purpose {
            Purpose::Sensitive => Some(Self::Sensitive),
            Purpose::Data | Purpose::Index | Purpose::Subject | Purpose::Platform => {
                Some(Self::Standard)
            }
            _ => None,
        }
    }
}

impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard => f.write_str("standard"),
            Self::Sensitive => f.write_str("sensitive"),
            Self::Epoch(name) => write!(f, "epoch/{name}"),
        }
    }
}
impl LogSafe for GroupKind {}

impl FromStr for GroupKind {
    type Err = GroupNameError;

    fn from_str(name: &str) -> Result<Self, GroupNameError> {
        match name {
            "standard" => Ok(Self::Standard),
            "sensitive" => Ok(Self::Sensitive),
            _ => name
                .strip_prefix("epoch/")
                .ok_or(GroupNameError)?
                .parse()
                .map(Self::Epoch),
        }
    }
}

/// Which KEK wraps a root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum GroupName {
    /// Roots of tenants, of data subjects and of the platform.
    Standard,
    /// Roots of the second layer, under a KEK of their own.
    Sensitive,
    /// Roots of all vaults of one backup epoch.
    Epoch(EpochName),
    /// The same for one tenant alone.
    Dedicated(TenantId, GroupKind),
}

impl GroupName {
    /// The group of all tenants that share their KEKs.
    #[must_use]
    pub fn shared(kind: GroupKind) -> Self {
        match kind {
            GroupKind::Standard => Self::Standard,
            GroupKind::Sensitive => Self::Sensitive,
            GroupKind::Epoch(name) => Self::Epoch(name),
        }
    }

    /// The tenant that has the group for itself, if one has.
    #[must_use]
    pub const fn tenant(&self) -> Option<TenantId> {
        match self {
            Self::Dedicated(tenant, _) => Some(*tenant),
            Self::Standard | Self::Sensitive | Self::Epoch(_) => None,
        }
    }

    /// Whether its KEK dies on a planned day, and so has no expiry.
    #[must_use]
    pub const fn is_epoch(&self) -> bool {
        matches!(
            self,
            Self::Epoch(_) | Self::Dedicated(_, GroupKind::Epoch(_))
        )
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard => GroupKind::Standard.fmt(f),
            Self::Sensitive => GroupKind::Sensitive.fmt(f),
            Self::Epoch(name) => write!(f, "epoch/{name}"),
            Self::Dedicated(tenant, kind) => write!(f, "tenant/{tenant}/{kind}"),
        }
    }
}
impl LogSafe for GroupName {}

impl FromStr for GroupName {
    type Err = GroupNameError;

    fn from_str(name: &str) -> Result<Self, GroupNameError> {
        let Some(of_tenant) = name.strip_prefix("tenant/") else {
            return name.parse().map(Self::shared);
        };
        let (id, kind) = of_tenant.split_once('/').ok_or(GroupNameError)?;
        let tenant: TenantId = id.parse().or(Err(GroupNameError))?;
        // one group, one name
        if tenant.to_string() != id {
            return Err(GroupNameError);
        }
        Ok(Self::Dedicated(tenant, kind.parse()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_names_parse_and_print_alike() {
        for name in [
            "standard",
            "sensitive",
            "epoch/2026-11-21",
            "epoch/a:b+c_d.e",
            "tenant/01a1fb67-1800-72ba-a373-fab72394743b/standard",
            "tenant/01a1fb67-1800-72ba-a373-fab72394743b/sensitive",
            "tenant/01a1fb67-1800-72ba-a373-fab72394743b/epoch/2026-11-21",
        ] {
            assert_eq!(name.parse::<GroupName>().expect("parses").to_string(), name);
        }
    }

    #[test]
    fn other_names_are_refused() {
        let long = format!("epoch/{}", "x".repeat(EPOCH_NAME_LEN_BYTES_MAX + 1));
        for name in [
            "",
            "Standard",
            "epoch",
            "epoch/",
            "epoch/a/b",
            "epoch/a b",
            "epoch/\u{e9}",
            "tenant",
            "tenant/01a1fb67-1800-72ba-a373-fab72394743b",
            "tenant/01a1fb67-1800-72ba-a373-fab72394743b/",
            "tenant/01A1FB67-1800-72BA-A373-FAB72394743B/standard",
            "tenant/01a1fb67180072baa373fab72394743b/standard",
            "tenant/01a1fb67-1800-72ba-a373-fab72394743b/epoch/",
            "tenant/01a1fb67-1800-72ba-a373-fab72394743b/tenant/a/standard",
            &long,
        ] {
            assert_eq!(name.parse::<GroupName>(), Err(GroupNameError), "{name}");
        }
    }
}
