//! Acts: what a scenario asks of a system, and what the system answers.
//!
//! One closed vocabulary, so that the same scenario runs on any system. A scenario names tenants and
//! records by numbers of its own; the subject maps them to whatever ids it uses.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use covenant_core::{ItemId, KeyId, Period, SnapshotId, VaultId};
use time::UtcDateTime;

use crate::canary::{Canary, Salt};

mod files;
mod keys;
mod own_rules;
mod people;
mod ruled;

pub use files::FileWay;
pub use keys::{KeyRole, KeySeen, KeyStanding, KeyUse, KeyVerb};
pub use own_rules::{Asks, Matter, OwnRule, RuleSeen, Whose};
pub use people::{Certified, Person};
pub use ruled::{Lacking, StoreSeen};

/// A tenant, by the scenario's own number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(pub u16);

/// A record of one tenant, by the scenario's own number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record(pub u32);

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tenant {}", self.0)
    }
}
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {}", self.0)
    }
}

/// A way by which a record can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reader {
    /// A fresh request.
    Front,
    /// A session that was opened, and had read, before.
    OpenSession,
    /// Whatever keeps answers: a cache of rows, scopes, keys or handles.
    Cache,
    /// Another process on the same stores.
    SecondProcess,
    /// A read-only copy of the stores.
    Replica,
}

impl Reader {
    /// Every way.
    pub const ALL: &'static [Self] = &[
        Self::Front,
        Self::OpenSession,
        Self::Cache,
        Self::SecondProcess,
        Self::Replica,
    ];
}

/// How often the subject backs up by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cadence {
    /// As the policy promises.
    AsPromised,
    /// Once a day.
    Daily,
    /// Never: only [`Act::BackUp`] makes a backup.
    Off,
}

/// What is wrong with the depot of the backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DepotFault {
    /// Every call fails.
    Down,
    /// No object can be created; reading works.
    Full,
    /// Every call takes half a minute of virtual time.
    Slow,
}

/// Which keys a restore may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeysAtHand {
    /// Those of the system.
    All,
    /// None: the depot's bytes alone.
    None,
}

/// A first message to the listener of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Hello {
    /// A request of HTTP, not encrypted.
    Plaintext,
    /// SSL 3.0.
    Ssl3,
    /// TLS 1.0.
    Tls10,
    /// TLS 1.1.
    Tls11,
    /// Dressed as TLS 1.2, and its list of versions has 1.1 and 1.0 alone.
    OldVersions,
    /// TLS 1.2 with suites of 256 bits.
    Tls12,
    /// TLS 1.2 with suites of 128 bits alone.
    Tls12Aes128,
    /// TLS 1.3 with suites of 256 bits.
    Tls13,
    /// TLS 1.3 with suites of 128 bits alone.
    Tls13Aes128,
}

impl fmt::Display for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plaintext => "a request in plaintext",
            Self::Ssl3 => "ssl-3.0",
            Self::Tls10 => "tls-1.0",
            Self::Tls11 => "tls-1.1",
            Self::OldVersions => "a list of tls-1.1 and tls-1.0",
            Self::Tls12 => "tls-1.2",
            Self::Tls12Aes128 => "tls-1.2 with 128 bits",
            Self::Tls13 => "tls-1.3",
            Self::Tls13Aes128 => "tls-1.3 with 128 bits",
        })
    }
}

macro_rules! acts {
    ($($(#[$doc:meta])* $variant:ident $({ $($(#[$field_doc:meta])* $field:ident : $kind:ty),* $(,)? })?),* $(,)?) => {
        /// What a scenario asks of a system.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Act { $($(#[$doc])* $variant $({ $($(#[$field_doc])* $field: $kind),* })?),* }

        /// The kind of an [`Act`], for the list of what a scenario needs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ActKind { $(#[doc = concat!("[`Act::", stringify!($variant), "`]")] $variant),* }

        impl Act {
            /// Its kind.
            #[must_use]
            pub const fn kind(&self) -> ActKind {
                match self { $(Self::$variant { .. } => ActKind::$variant),* }
            }
        }
        impl fmt::Display for ActKind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => stringify!($variant)),* })
            }
        }
    };
}

acts! {
    /// Creates a tenant with an empty database. Answer: [`Seen::Done`].
    CreateTenant {
        /// The tenant.
        tenant: Tenant,
    },
    /// Writes a record as a member of the tenant. Answer: [`Seen::Put`].
    PutRecord {
        /// The tenant.
        tenant: Tenant,
        /// The record, new.
        record: Record,
        /// Goes into every text and blob column of content.
        body: Canary,
        /// Goes into the especially sensitive field.
        sensitive: Option<Canary>,
        /// Goes into an attached file.
        attachment: Option<Canary>,
    },
    /// Replaces the body of a record as a member. Answer: [`Seen::Put`].
    ChangeRecord {
        /// The tenant.
        tenant: Tenant,
        /// The record.
        record: Record,
        /// The new body.
        body: Canary,
    },
    /// Deletes a record to the bin as a member. Answer: [`Seen::Done`].
    DeleteRecord {
        /// The tenant.
        tenant: Tenant,
        /// The record.
        record: Record,
    },
    /// Takes a record out of the bin as a member. Answer: [`Seen::Done`].
    RestoreRecord {
        /// The tenant.
        tenant: Tenant,
        /// The record.
        record: Record,
    },
    /// Reads a record as a member, by a fresh request. Answer: [`Seen::Record`].
    ReadRecord {
        /// The tenant.
        tenant: Tenant,
        /// The record.
        record: Record,
    },
    /// Reads a record by another way. Answer: [`Seen::Record`], or [`Seen::Absent`] when the system
    /// has no such way.
    ReadFrom {
        /// The tenant.
        tenant: Tenant,
        /// The record.
        record: Record,
        /// By which way.
        reader: Reader,
    },
    /// Opens the especially sensitive field as a member. Answer: [`Seen::Revealed`].
    RevealSensitive {
        /// The tenant.
        tenant: Tenant,
        /// The record.
        record: Record,
    },
    /// Lists the records that normal reads see. Answer: [`Seen::Records`].
    ListRecords {
        /// The tenant.
        tenant: Tenant,
    },
    /// Deletes the attached file of a record as a member, for good. Answer: [`Seen::File`].
    DeleteAttachment {
        /// The tenant.
        tenant: Tenant,
        /// The record, which stays.
        record: Record,
    },
    /// Reaches for the file that the record has, or had, as somebody outside who knows its id and its
    /// name. Answer: [`Seen::Done`] when it is there, [`Seen::Absent`] when the system has no such way;
    /// where nothing is there, [`crate::Refusal::Denied`].
    ReachAttachment {
        /// The tenant.
        tenant: Tenant,
        /// The record.
        record: Record,
        /// By which way.
        way: FileWay,
    },
    /// Purges by hand, before the floor of the bin ends. Answer: [`Seen::Certified`]; somebody who
    /// may not, or a record that is not in the bin, is [`crate::Refusal::Denied`].
    PurgeByHand {
        /// The tenant.
        tenant: Tenant,
        /// The record; the whole bin when there is none.
        record: Option<Record>,
        /// Who orders it.
        by: Person,
    },
    /// Reads a record as somebody else than the member of [`Act::ReadRecord`]. Answer:
    /// [`Seen::Record`]; somebody who may not is [`crate::Refusal::Denied`].
    ReadAs {
        /// The tenant.
        tenant: Tenant,
        /// The record.
        record: Record,
        /// Who reads.
        by: Person,
    },
    /// The tenant's trial has ended. Answer: [`Seen::Done`].
    EndTrial {
        /// The tenant.
        tenant: Tenant,
    },
    /// The tenant's subscription was cancelled. Answer: [`Seen::Done`].
    CancelSubscription {
        /// The tenant.
        tenant: Tenant,
    },
    /// A subscription of a tenant whose database is expired has started. Answer: [`Seen::Done`]; where
    /// there is nothing to start from, [`crate::Refusal::Denied`].
    StartSubscription {
        /// The tenant.
        tenant: Tenant,
    },
    /// The contract of the tenant ends, as the operator says. Answer: [`Seen::Done`].
    EndContract {
        /// The tenant.
        tenant: Tenant,
    },
    /// Deletes the tenant's whole database as its administrator. Answer: [`Seen::Done`].
    DeleteDatabase {
        /// The tenant.
        tenant: Tenant,
    },
    /// Makes the tenant's database one that has lived: `rows` records under random keys of the seed,
    /// updates that grow, then `deletes` of them to the bin in one go. None of them has a
    /// [`Record`] number. Answer: [`Seen::Churned`].
    Churn {
        /// The tenant.
        tenant: Tenant,
        /// How many records are written.
        rows: u32,
        /// How many of them are deleted, at most `rows`.
        deletes: u32,
        /// What the keys and contents are drawn from.
        seed: u64,
    },
    /// Backs the tenant up, now. Answer: [`Seen::Snapshot`].
    BackUp {
        /// The tenant.
        tenant: Tenant,
    },
    /// Lists the tenant's completed backups, oldest first. Answer: [`Seen::Snapshots`].
    ListSnapshots {
        /// The tenant.
        tenant: Tenant,
    },
    /// Restores a backup beside the live tenant, replays what was deleted since, says what can be
    /// read, and throws the copy away. Answer: [`Seen::Restored`]; a backup that may not or cannot
    /// be restored any more is [`crate::Refusal::Denied`].
    RestoreSnapshot {
        /// The tenant.
        tenant: Tenant,
        /// The backup.
        snapshot: SnapshotId,
        /// With which keys.
        keys: KeysAtHand,
    },
    /// Places a hold on all that the tenant has, as a legal desk does. Answer: [`Seen::Done`].
    PlaceHold {
        /// The tenant.
        tenant: Tenant,
    },
    /// Ends the hold, as two people of the legal desk do. Answer: [`Seen::Done`].
    ReleaseHold {
        /// The tenant.
        tenant: Tenant,
    },
    /// Puts a backup in the place of the live store, with what was deleted since replayed. Answer:
    /// [`Seen::Done`].
    RestoreInPlace {
        /// The tenant.
        tenant: Tenant,
        /// The backup.
        snapshot: SnapshotId,
    },
    /// Restores a backup as [`Act::RestoreSnapshot`] does, with all keys, on a copy of the whole system
    /// in which the audit log is as it was when the backup was made. The system itself stays as it is.
    /// Answer: [`Seen::Restored`]; one that is refused is [`crate::Refusal::Denied`].
    RestoreBehindLog {
        /// The tenant.
        tenant: Tenant,
        /// The backup, made by [`Act::BackUp`].
        snapshot: SnapshotId,
    },
    /// Sets how often the subject backs up by itself. Answer: [`Seen::Done`].
    SetCadence {
        /// How often.
        cadence: Cadence,
    },
    /// Breaks the depot from now on until the instant. Answer: [`Seen::Done`].
    Fault {
        /// What is wrong with it.
        fault: DepotFault,
        /// Until when.
        until: UtcDateTime,
    },
    /// The wall clock alone has been set to this instant; monotonic time has not moved. The
    /// simulator has already set the shared clock. Answer: [`Seen::Done`].
    StepClock {
        /// The new wall time.
        to: UtcDateTime,
    },
    /// Measures how much of what was written is accounted for. Answer: [`Seen::Coverage`].
    AuditCoverage {
        /// The tenant.
        tenant: Tenant,
    },
    /// Lists all living vaults. Answer: [`Seen::Vaults`].
    ListVaults,
    /// Tries to open a sealed object of one vault under the root of another (or of the same), with
    /// nothing else. Answer: [`Seen::Trial`].
    TryVaultRoot {
        /// The vault whose object is tried.
        vault: VaultId,
        /// The vault whose root is used.
        root_of: VaultId,
    },
    /// Opens, with an opener of its own, the stored value that holds the canary, and tells how it
    /// was sealed. Answer: [`Seen::Sealing`].
    DescribeSealing {
        /// The tenant.
        tenant: Tenant,
        /// The record that holds it.
        record: Record,
        /// The canary, with its salts.
        canary: Canary,
    },
    /// Lists every way by which bytes enter or leave: listeners, databases, stores of objects and
    /// of keys. Answer: [`Seen::Endpoints`].
    ListEndpoints,
    /// Sends a first message to the listener, as a stranger would. Answer: [`Seen::Answer`].
    SendHello {
        /// The message.
        hello: Hello,
    },
    /// Reads the certificate chain that the listener presents. Answer: [`Seen::Chain`].
    ShowChain,
    /// Configures an address of a database, a store or a mail server for production, without opening
    /// it. Answer: [`Seen::Done`]; an address that is not secure is [`crate::Refusal::Denied`].
    UseEndpoint {
        /// The address, as a URL.
        address: String,
    },
    /// Sets the tenant's own retention rules, in the place of those it had. Answer: [`Seen::Done`];
    /// somebody who may not, and rules that weaken or contradict those of everybody, are
    /// [`crate::Refusal::Denied`], which names rules of both sides.
    SetRules {
        /// The tenant.
        tenant: Tenant,
        /// The rules.
        rules: Vec<OwnRule>,
        /// Who sets them.
        by: Person,
    },
    /// Lists the rules that the tenant's items are under, as far as they are of these kinds. Answer:
    /// [`Seen::Rules`].
    ListRules {
        /// The tenant.
        tenant: Tenant,
    },
    /// Lists every store in which something of a tenant lies, and the rules of each class in it. Answer:
    /// [`Seen::Stores`].
    ListStores,
    /// Starts another deployment of the same system, with stores of its own, whose rules lack
    /// something; it ends at once. Answer: [`Seen::Done`]; one that does not start is
    /// [`crate::Refusal::Denied`].
    StartAnother {
        /// What its rules lack.
        lacking: Lacking,
    },
    /// Lists all keys. Answer: [`Seen::Keys`]; a role that may not is [`crate::Refusal::Denied`].
    ListKeys {
        /// In which role.
        role: KeyRole,
    },
    /// Does something to a key by hand. Answer: [`Seen::Done`]; a role that may not, a wait that is
    /// none, or a state that forbids it is [`crate::Refusal::Denied`].
    AdministerKey {
        /// In which role.
        role: KeyRole,
        /// The key.
        key: KeyId,
        /// What.
        verb: KeyVerb,
    },
    /// Sets after how long keys that wrap keys are replaced, those in use included. Answer:
    /// [`Seen::Done`]; a time that the system does not offer is [`crate::Refusal::Denied`].
    SetKeyExpiry {
        /// The time.
        expiry: Period,
    },
}

/// What a system answers to an [`Act`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seen {
    /// It was done.
    Done,
    /// The system has no such thing; not the same as [`crate::Refusal::Unsupported`].
    Absent,
    /// A record was written.
    Put(PutSeen),
    /// A record was read.
    Record(RecordSeen),
    /// The sensitive field's content.
    Revealed(Vec<u8>),
    /// The id under which events name a file.
    File(ItemId),
    /// The records that normal reads see.
    Records(BTreeSet<Record>),
    /// The deleted records of a churned database, as one canary that has all their salts.
    Churned(Canary),
    /// Something was disposed of, and a certificate of it was issued.
    Certified(Certified),
    /// A backup was completed.
    Snapshot(SnapshotSeen),
    /// Completed backups, oldest first.
    Snapshots(Vec<SnapshotSeen>),
    /// Numbered records that can be read in the restored copy, with their bodies.
    Restored(BTreeMap<Record, Vec<u8>>),
    /// What of the written rows is accounted for.
    Coverage(CoverageSeen),
    /// All living vaults.
    Vaults(Vec<VaultSeen>),
    /// What a trial opened.
    Trial(Opening),
    /// How a value is sealed.
    Sealing(SealingSeen),
    /// Every way by which bytes enter or leave.
    Endpoints(Vec<EndpointSeen>),
    /// How the listener answered.
    Answer(AnswerSeen),
    /// The certificates that the listener presents, leaf first.
    Chain(Vec<CertificateSeen>),
    /// All keys.
    Keys(Vec<KeySeen>),
    /// All stores.
    Stores(Vec<StoreSeen>),
    /// All rules.
    Rules(Vec<RuleSeen>),
}

/// What a put tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutSeen {
    /// The id under which events name the record.
    pub item: ItemId,
    /// Salts of the sealed values that hold the body.
    pub body: Vec<Salt>,
    /// Salts of the sealed value that holds the sensitive field, of all its layers.
    pub sensitive: Vec<Salt>,
    /// Salts of the sealed attachment.
    pub attachment: Vec<Salt>,
}

/// What a read tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSeen {
    /// The body.
    pub body: Vec<u8>,
    /// The attached file, when there is one.
    pub attachment: Option<Vec<u8>>,
    /// What stands in the place of the especially sensitive field, when there is one: a mask.
    pub sensitive: Option<Vec<u8>>,
}

/// One completed backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotSeen {
    /// Its id.
    pub id: SnapshotId,
    /// The instant whose state it holds.
    pub consistent_at: UtcDateTime,
    /// When it was complete.
    pub completed_at: UtcDateTime,
}

/// What of the written rows is accounted for, measured by triggers of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoverageSeen {
    /// Rows that were inserted, updated or deleted.
    pub touched: u64,
    /// Those whose transaction has an entry in the log.
    pub attributed: u64,
}

/// One living vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultSeen {
    /// Its id.
    pub vault: VaultId,
    /// Whose it is.
    pub tenant: Tenant,
    /// Which root version seals it.
    pub root: KeyId,
}

/// What came of opening something sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a sealed thing opens or it does not"
)]
pub enum Opening {
    /// It opened.
    Opened,
    /// It did not.
    Refused,
}

/// One layer of a sealed value, outermost first, as an independent opener verified it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSeen {
    /// The cipher, in the spelling of the policies: `aes-256`.
    pub cipher: String,
    /// Bits of the key that opened it.
    pub key_bits: u16,
    /// The root version under which it opened.
    pub root: KeyId,
}

/// How a value is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingSeen {
    /// The layers, outermost first; empty when it is not sealed at all.
    pub layers: Vec<LayerSeen>,
    /// Whether the root of the outermost layer, alone, gives the content.
    pub outer_alone: Opening,
    /// The column that holds the value, as `table.column`; for a file, the store's name.
    pub column: String,
    /// Every column of content that the live schema has, as `table.column`.
    pub content_columns: Vec<String>,
    /// Columns of content that the live schema declares plain, as `table.column: reason`.
    pub plain_columns: Vec<String>,
    /// Columns of the live schema that nothing declares, as `table.column`.
    pub undeclared_columns: Vec<String>,
}

/// How bytes travel at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Carrier {
    /// A file or folder of the host.
    LocalFile,
    /// Nothing encrypts them.
    Plaintext,
    /// TLS, verified.
    Tls,
    /// A socket in the host's file system.
    UnixSocket,
}

/// One way by which bytes enter or leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSeen {
    /// What it is for.
    pub name: String,
    /// How bytes travel there.
    pub carrier: Carrier,
}

/// How a listener answered a first message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerSeen {
    /// It goes on with the handshake.
    Accepted {
        /// In which version, in the spelling of the policies: `tls-1.2`.
        version: String,
        /// Bits of the key of the suite that it chose.
        key_bits: u16,
    },
    /// It answered in the clear.
    Clear,
    /// It refused.
    Refused,
}

/// One certificate of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSeen {
    /// The hash under its signature: `sha-256`; or how else it is signed.
    pub signature: String,
    /// Its key: `rsa-2048`, `p-256`, `p-384`, `ed25519`; or what else it is.
    pub key: String,
}
