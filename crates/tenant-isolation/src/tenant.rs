//! What is known of a tenant: its state, the transitions between states, and the facts that one
//! decision rests on. Pure; where facts come from is the registry's matter.

use std::fmt;
use std::str::FromStr;

use covenant_core::{LogSafe, Region, StoreId, TenantId, UserId};
use time::UtcDateTime;

/// Where a tenant is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new state must be looked at by every rule"
)]
pub enum TenantState {
    /// In use.
    Active,
    /// The trial or subscription has ended.
    Expired,
    /// Expired, paid: kept until it is deleted.
    Locked,
    /// Deleted: gone for its users, bytes still in the live stores.
    Deleted,
    /// Its bytes have left the live stores; a copy may still be restorable.
    Purged,
    /// No copy can be restored; the row stays as tombstone.
    Gone,
}

impl TenantState {
    /// Every state, in order of life.
    pub const ALL: [Self; 6] = [
        Self::Active,
        Self::Expired,
        Self::Locked,
        Self::Deleted,
        Self::Purged,
        Self::Gone,
    ];

    /// The name, as stored and printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Locked => "locked",
            Self::Deleted => "deleted",
            Self::Purged => "purged",
            Self::Gone => "gone",
        }
    }

    /// The state after a transition.
    ///
    /// # Errors
    /// [`IllegalTransition`] for every pair that is not in the table, the same state included; only
    /// a contract may end when its database is deleted or purged already.
    pub const fn after(self, transition: Transition) -> Result<Self, IllegalTransition> {
        match (self, transition) {
            (Self::Active, Transition::Expire) => Ok(Self::Expired),
            (Self::Expired, Transition::Lock) => Ok(Self::Locked),
            (Self::Expired | Self::Locked, Transition::Resume) => Ok(Self::Active),
            (Self::Active | Self::Expired | Self::Locked, Transition::Delete) => Ok(Self::Deleted),
            (
                Self::Active | Self::Expired | Self::Locked | Self::Deleted,
                Transition::Terminate,
            ) => Ok(Self::Deleted),
            (Self::Purged, Transition::Terminate) => Ok(Self::Purged),
            (Self::Deleted, Transition::Purge) => Ok(Self::Purged),
            (Self::Deleted | Self::Purged, Transition::Restore) => Ok(Self::Active),
            _ => Err(IllegalTransition {
                from: self,
                transition,
            }),
        }
    }
}

/// A step from one state to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Transition {
    /// `active` to `expired`: the trial or the subscription has ended.
    Expire,
    /// `expired` to `locked`: kept until it is deleted, its keys switched off.
    Lock,
    /// `expired` or `locked` to `active`: a subscription has started.
    Resume,
    /// `active`, `expired` or `locked` to `deleted`: gone at the next read.
    Delete,
    /// To `deleted` from every state before it: the contract has ended. What is deleted or purged
    /// already stays so.
    Terminate,
    /// `deleted` to `purged`: the bytes have left the live stores.
    Purge,
    /// `deleted` or `purged` to `active`: the same tenant, the next generation of its store.
    Restore,
}

impl Transition {
    /// Every transition.
    pub const ALL: [Self; 7] = [
        Self::Expire,
        Self::Lock,
        Self::Resume,
        Self::Delete,
        Self::Terminate,
        Self::Purge,
        Self::Restore,
    ];

    /// The name, as printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expire => "expire",
            Self::Lock => "lock",
            Self::Resume => "resume",
            Self::Delete => "delete",
            Self::Terminate => "terminate",
            Self::Purge => "purge",
            Self::Restore => "restore",
        }
    }

    /// How many generations the store advances: a restored store is a new one.
    #[must_use]
    pub const fn generations(self) -> u64 {
        match self {
            Self::Expire
            | Self::Lock
            | Self::Resume
            | Self::Delete
            | Self::Terminate
            | Self::Purge => 0,
            Self::Restore => 1,
        }
    }
}

/// A transition that the state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tenant in state {from} does not allow {transition}")]
pub struct IllegalTransition {
    from: TenantState,
    transition: Transition,
}

impl IllegalTransition {
    /// The state that the tenant is in.
    #[must_use]
    pub const fn from(&self) -> TenantState {
        self.from
    }
}

/// A text names no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a state of a tenant")]
pub struct UnknownState;

impl FromStr for TenantState {
    type Err = UnknownState;

    fn from_str(name: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or(UnknownState)
    }
}
impl fmt::Display for TenantState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl LogSafe for TenantState {}
impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl LogSafe for Transition {}

/// What a member may do in its tenant; given by the tenant's admins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new role must be looked at by every rule"
)]
pub enum Role {
    /// Reads.
    Reader,
    /// Reads and writes.
    Member,
    /// Reads, writes, purges by hand, lets members in, deletes and restores the database.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Member, Self::Admin];

    /// The name, as stored and printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}

/// A text names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a role")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == name)
            .ok_or(UnknownRole)
    }
}
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl LogSafe for Role {}

/// The tenant's revocation counter: whatever may turn an allow into a deny raises it, by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantEpoch(u64);

impl TenantEpoch {
    /// The epoch of a tenant that was just created.
    pub const FIRST: Self = Self(1);

    /// The epoch with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The next epoch; stays at the last representable one, which no tenant reaches.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// One tenant, as the registry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRecord {
    /// Where its data is, all of it.
    pub region: Region,
    /// Where it is in its life.
    pub state: TenantState,
    /// Its revocation counter.
    pub epoch: TenantEpoch,
    /// The one store that holds its rows.
    pub store: StoreId,
    /// Generation of the store, from 1; a restore raises it, so that an old file is refused.
    pub generation: u64,
    /// When the tenant was created; milliseconds are kept.
    pub created: UtcDateTime,
}

impl TenantRecord {
    /// The record after a transition: state, epoch and generation change together.
    ///
    /// # Errors
    /// [`IllegalTransition`].
    pub fn after(&self, transition: Transition) -> Result<Self, IllegalTransition> {
        Ok(Self {
            state: self.state.after(transition)?,
            epoch: self.epoch.next(),
            generation: self.generation.saturating_add(transition.generations()),
            ..self.clone()
        })
    }
}

/// The facts of one decision: what the registry knew of a tenant and of one of its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantSnapshot {
    /// Whom the facts are about.
    pub tenant: TenantId,
    /// The tenant's record; `None` when there never was such a tenant.
    pub record: Option<TenantRecord>,
    /// The member that was asked for, and the role it has in this tenant.
    pub role: Option<(UserId, Role)>,
}

impl TenantSnapshot {
    /// The facts about a tenant that does not exist.
    #[must_use]
    pub const fn absent(tenant: TenantId) -> Self {
        Self {
            tenant,
            record: None,
            role: None,
        }
    }

    /// The tenant's epoch; `None` when there is no such tenant.
    #[must_use]
    pub fn epoch(&self) -> Option<TenantEpoch> {
        self.record.as_ref().map(|record| record.epoch)
    }

    /// The role of this member, when the facts are about it.
    #[must_use]
    pub fn role_of(&self, user: UserId) -> Option<Role> {
        self.role
            .filter(|(known, _)| *known == user)
            .map(|(_, role)| role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_transitions_of_the_table_are_legal() {
        let legal: Vec<String> = TenantState::ALL
            .into_iter()
            .flat_map(|state| Transition::ALL.map(|step| (state, step)))
            .filter_map(|(state, step)| {
                state
                    .after(step)
                    .ok()
                    .map(|next| format!("{state} {step} {next}"))
            })
            .collect();
        assert_eq!(
            legal,
            [
                "active expire expired",
                "active delete deleted",
                "active terminate deleted",
                "expired lock locked",
                "expired resume active",
                "expired delete deleted",
                "expired terminate deleted",
                "locked resume active",
                "locked delete deleted",
                "locked terminate deleted",
                "deleted terminate deleted",
                "deleted purge purged",
                "deleted restore active",
                "purged terminate purged",
                "purged restore active"
            ]
        );
    }

    #[test]
    fn names_read_back() {
        for state in TenantState::ALL {
            assert_eq!(state.name().parse(), Ok(state));
        }
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
        }
        assert_eq!("Active".parse::<TenantState>(), Err(UnknownState));
        assert_eq!("owner".parse::<Role>(), Err(UnknownRole));
    }
}
