//! Sabotages: the closed catalogue of faulty systems that scenarios must be able to tell from a
//! sound one.
//!
//! A sabotage is built by a [`crate::SubjectFactory`] that assembles the system with one joint
//! wrapped; production code has no switch for any of them. Which of them are built is the factory's
//! answer; one that is not built counts as not caught.

use std::fmt;
use std::str::FromStr;

macro_rules! sabotages {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// One way of not keeping a promise.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Sabotage { $(#[doc = concat!("`", $name, "`")] $variant),* }

        impl Sabotage {
            /// The whole catalogue, in its order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name, as policies and reports spell it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }

        impl FromStr for Sabotage {
            type Err = UnknownSabotage;

            fn from_str(name: &str) -> Result<Self, UnknownSabotage> {
                match name { $($name => Ok(Self::$variant),)* _ => Err(UnknownSabotage) }
            }
        }
    };
}

sabotages! {
    // time
    PurgeLate = "purge-late",
    PurgeEarly = "purge-early",
    ClockTrusted = "clock-trusted",
    WrongStartEvent = "wrong-start-event",
    TrialForgotten = "trial-forgotten",
    TerminationLate = "termination-late",
    // deletion
    IndexRowOnly = "index-row-only",
    NoVacuum = "no-vacuum",
    NoCheckpoint = "no-checkpoint",
    StoreSkipped = "store-skipped",
    BinVisible = "bin-visible",
    BinLost = "bin-lost",
    ExpiredReadable = "expired-readable",
    DeletedReadableInCache = "deleted-readable-in-cache",
    LockWithoutKey = "lock-without-key",
    DeleteDropped = "delete-dropped",
    TenantWeakens = "tenant-weakens",
    ObjectStillPublic = "object-still-public",
    BucketUnasked = "bucket-unasked",
    // holds, restore
    HoldIgnored = "hold-ignored",
    HoldLostOnRestore = "hold-lost-on-restore",
    RestoreWithoutReplay = "restore-without-replay",
    ReplayFirstState = "replay-first-state",
    LogRolledBack = "log-rolled-back",
    RestoreTruncated = "restore-truncated",
    PlatformCopyMissing = "platform-copy-missing",
    DrillFake = "drill-fake",
    DrillSkipped = "drill-skipped",
    // backup
    BackupGap = "backup-gap",
    FailedCountedAsDone = "failed-counted-as-done",
    BackupPlaintext = "backup-plaintext",
    VaultKeyShared = "vault-key-shared",
    ChunkKeyKept = "chunk-key-kept",
    BackupKeptLate = "backup-kept-late",
    BackupGoneEarly = "backup-gone-early",
    ReplicaMissingOne = "replica-missing-one",
    ReplicaLate = "replica-late",
    NightSkippedAtDst = "night-skipped-at-dst",
    StatusSilent = "status-silent",
    AlertAt80 = "alert-at-80",
    AlertNever = "alert-never",
    RegionIgnored = "region-ignored",
    RemovableAllowed = "removable-allowed",
    // keys, transit
    FieldPlain = "field-plain",
    OneLayer = "one-layer",
    Aes128 = "aes-128",
    Tls11Allowed = "tls11-allowed",
    PlaintextListener = "plaintext-listener",
    WeakChain = "weak-chain",
    DisabledKeyWorks = "disabled-key-works",
    DestroyedAtOnce = "destroyed-at-once",
    DestroyedLate = "destroyed-late",
    KeyWithPurge = "key-with-purge",
    RotationMissed = "rotation-missed",
    RotationLosesOld = "rotation-loses-old",
    MemberUnwraps = "member-unwraps",
    // access
    TenantFilterDropped = "tenant-filter-dropped",
    SchemaLeak = "schema-leak",
    GrantIgnored = "grant-ignored",
    GrantNeverEnds = "grant-never-ends",
    MetadataWrites = "metadata-writes",
    RosterIgnored = "roster-ignored",
    StaffCapIgnored = "staff-cap-ignored",
    IpListIgnored = "ip-list-ignored",
    SecondFactorIgnored = "second-factor-ignored",
    IntegrationOn = "integration-on",
    RoleByMember = "role-by-member",
    WrongStoreKind = "wrong-store-kind",
    // audit, notices
    AccessUnlogged = "access-unlogged",
    IpMissing = "ip-missing",
    TileByteFlipped = "tile-byte-flipped",
    UnwrapUnlogged = "unwrap-unlogged",
    ChangeUnlogged = "change-unlogged",
    NoticeLost = "notice-lost",
    NoticeLate = "notice-late",
    ClockFromConfirmation = "clock-from-confirmation",
    OneCustomerMissed = "one-customer-missed",
    BreakglassSilent = "breakglass-silent",
    UpdateToldLate = "update-told-late",
    WindowIgnored = "window-ignored",
    DisclosureWithoutOrder = "disclosure-without-order",
    DisclosureSilent = "disclosure-silent",
    ExportWrongTenant = "export-wrong-tenant",
    ConsentIgnored = "consent-ignored",
    StatusUnlogged = "status-unlogged",
    // privacy, export
    FieldNotCleared = "field-not-cleared",
    RowRemoved = "row-removed",
    UnmappedColumn = "unmapped-column",
    CookiePersonal = "cookie-personal",
    CookieUnlisted = "cookie-unlisted",
    CookieFlags = "cookie-flags",
    CanaryLogged = "canary-logged",
    ExportIncomplete = "export-incomplete",
    // document
    LineChanged = "line-changed",
    LineUncovered = "line-uncovered",
}

/// A name is not in the catalogue of sabotages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a name of the catalogue of sabotages")]
pub struct UnknownSabotage;

impl fmt::Display for Sabotage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_back_and_no_other_does() {
        for sabotage in Sabotage::ALL {
            assert_eq!(sabotage.name().parse(), Ok(*sabotage));
        }
        for wrong in [
            "",
            "no-secure-delete",
            "Purge-Late",
            "purge_late",
            "purge-late ",
        ] {
            assert_eq!(wrong.parse::<Sabotage>(), Err(UnknownSabotage), "{wrong}");
        }
    }
}
