//! The data map: every column of a tenant's store, sealed or plain with a reason, compared with the
//! live schema at start-up; and the places that sealed values are bound to.

use audit_log::changes::Watched;
use covenant_core::sealer::{PlaceError, Purpose};
use covenant_core::{ItemId, Owner, Place, TenantId};
use sql_store::Migrations;

/// How a column is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there is no third way to keep a column"
)]
pub enum Kept {
    /// Sealed: content.
    Sealed,
    /// Sealed twice, under two roots: especially sensitive content.
    SealedTwice,
    /// Plain, for this reason: no content.
    Plain(&'static str),
}

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a row of a constant table")]
pub struct Column {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// How it is kept.
    pub kept: Kept,
}

const fn column(table: &'static str, column: &'static str, kept: Kept) -> Column {
    Column {
        table,
        column,
        kept,
    }
}

const ID: Kept = Kept::Plain("an opaque id");
const INSTANT: Kept = Kept::Plain("an instant");
const LENGTH: Kept = Kept::Plain("a length");
const SALT: Kept = Kept::Plain("a salt, which is random");

const RULE: Kept = Kept::Plain("a name of the policy");

/// Every column of the tables of records.
// clause: P-12, Q-14
pub const DATA_MAP: &[Column] = &[
    column("record", "tenant", ID),
    column("record", "id", ID),
    column("record", "created_at", INSTANT),
    column("record", "changed_at", INSTANT),
    column("record", "deleted_at", INSTANT),
    column("content", "tenant", ID),
    column("content", "record", ID),
    column("content", "body", Kept::Sealed),
    column("content", "sensitive", Kept::SealedTwice),
    column("attachment", "tenant", ID),
    column("attachment", "id", ID),
    column("attachment", "record", ID),
    column("attachment", "stored_len", LENGTH),
    column("attachment", "probe", SALT),
    column("disposal", "tenant", ID),
    column("disposal", "record", ID),
    column("disposal", "ordered", ID),
    column(
        "disposal",
        "journal",
        Kept::Plain("ids, instants, and salts with every bit inverted"),
    ),
    column("disposal", "objects", Kept::Plain("opaque ids of objects")),
    column("disposal_order", "tenant", ID),
    column("disposal_order", "id", ID),
    column("disposal_order", "rule", RULE),
    column("disposal_order", "clause", RULE),
    column("disposal_order", "rules", Kept::Plain("a digest of rules")),
    column("withdrawal", "tenant", ID),
    column("withdrawal", "file", ID),
    column("withdrawal", "deleted_at", INSTANT),
    column(
        "withdrawal",
        "version",
        Kept::Plain("what the object store calls a version"),
    ),
];

/// Makes the tables of records.
pub(crate) const RECORDS: Migrations = Migrations {
    crate_name: "covenant",
    steps: &[
        (
            "0001_records",
            include_str!("../../migrations/0001_records.sql"),
        ),
        (
            "0002_withdrawals",
            include_str!("../../migrations/0002_withdrawals.sql"),
        ),
        ("0003_ages", include_str!("../../migrations/0003_ages.sql")),
    ],
};

/// The tables whose every row change must have an entry in the log.
// clause: R-20
pub(crate) const WATCHED: &[Watched] = &[
    audit_log::watched!("record", bytes "id"),
    audit_log::watched!("content", bytes "record"),
    audit_log::watched!("attachment", bytes "id"),
];

/// Tables of ours that hold no business rows.
pub(crate) const EXEMPT: &[&str] = &[
    "disposal",
    "disposal_order",
    "withdrawal",
    "covenant_identity",
    "hold",
    "hold_generation",
    "hold_passed",
];

/// The place of a record's body.
///
/// # Errors
/// [`PlaceError`] never, since ids are short; the type says it all the same.
pub fn body_place(tenant: TenantId, record: &ItemId) -> Result<Place, PlaceError> {
    place(tenant, "content", "body", record.as_bytes())
}

/// The place of a record's especially sensitive field: of its outer layer, from which the inner one
/// derives.
///
/// # Errors
/// [`PlaceError`] never, since ids are short.
pub fn sensitive_place(tenant: TenantId, record: &ItemId) -> Result<Place, PlaceError> {
    place(tenant, "content", "sensitive", record.as_bytes())
}

/// The place of an attached file: its path in the object store.
///
/// # Errors
/// [`PlaceError`] for a path longer than 1 KiB.
pub fn object_place(tenant: TenantId, path: &str) -> Result<Place, PlaceError> {
    place(tenant, "object", "v1", path.as_bytes())
}

fn place(
    tenant: TenantId,
    collection: &str,
    field: &str,
    locator: &[u8],
) -> Result<Place, PlaceError> {
    Place::new(
        Owner::Tenant(tenant),
        Purpose::Data,
        collection,
        field,
        locator,
    )
}
