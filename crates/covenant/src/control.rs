//! What the assembly itself keeps in the control database: the last accepted time, the newest head
//! of each tenant's log that it has seen, the newest revision of the key store, disposals of whole
//! databases under way, certificates, plans that wait for a person, and the rules that tenants set for
//! themselves.

use std::collections::BTreeMap;

use audit_log::merkle::TreeHead;
use covenant_core::digest::Digest;
use covenant_core::{TenantId, TxTag, TxnId};
use sql_store::{Args, Db, DbError, Migrations, Mode, Tx};
use time::UtcDateTime;

/// Makes the tables.
pub(crate) const CLOCK: Migrations = Migrations {
    crate_name: "covenant",
    steps: &[
        ("0001_clock", include_str!("../migrations/0001_clock.sql")),
        ("0002_keys", include_str!("../migrations/0002_keys.sql")),
        ("0003_rules", include_str!("../migrations/0003_rules.sql")),
        (
            "0004_disposal",
            include_str!("../migrations/0004_disposal.sql"),
        ),
        ("0005_plans", include_str!("../migrations/0005_plans.sql")),
        (
            "0006_kinds_of_plans",
            include_str!("../migrations/0006_kinds_of_plans.sql"),
        ),
    ],
};

/// Heads of tenants' logs.
pub(crate) type Heads = BTreeMap<TenantId, TreeHead>;

/// The one row of the clock's table.
const CLOCK_ROW: i64 = 1;
/// The one row of the table of the key store.
const KEYS_ROW: i64 = 1;

/// The last accepted time; `None` in a new deployment.
pub(crate) async fn accepted(control: &Db) -> Result<Option<UtcDateTime>, DbError> {
    let mut tx = begin(control, Mode::ReadOnly).await?;
    let args = Args::new().bind(CLOCK_ROW);
    let row = tx.row(include_str!("../sql/read_clock.sql"), args).await?;
    row.map(|row| row.instant("accepted")).transpose()
}

/// Keeps a time that deletions were allowed to use.
pub(crate) async fn accept(control: &Db, at: UtcDateTime) -> Result<(), DbError> {
    let mut tx = begin(control, Mode::ReadWrite).await?;
    let args = Args::new().bind(CLOCK_ROW).bind(at);
    tx.execute(include_str!("../sql/put_clock.sql"), args)
        .await?;
    tx.commit().await
}

/// The newest revision of the key store that was kept; 0 in a new deployment.
pub(crate) async fn known_revision(control: &Db) -> Result<u64, DbError> {
    let mut tx = begin(control, Mode::ReadOnly).await?;
    let args = Args::new().bind(KEYS_ROW);
    let row = tx.row(include_str!("../sql/read_keys.sql"), args).await?;
    let revision = row.map(|row| row.int("revision")).transpose()?;
    Ok(u64::try_from(revision.unwrap_or(0)).unwrap_or(u64::MAX))
}

/// Keeps the revision of the key store. It goes back only after a replay.
pub(crate) async fn keep_revision(control: &Db, revision: u64) -> Result<(), DbError> {
    let mut tx = begin(control, Mode::ReadWrite).await?;
    let revision = i64::try_from(revision).unwrap_or(i64::MAX);
    let args = Args::new().bind(KEYS_ROW).bind(revision);
    tx.execute(include_str!("../sql/put_keys.sql"), args)
        .await?;
    tx.commit().await
}

/// Keeps the heads of logs that grew; a head never goes back.
pub(crate) async fn keep_heads(control: &Db, heads: &Heads) -> Result<(), DbError> {
    if heads.is_empty() {
        return Ok(());
    }
    let mut tx = begin(control, Mode::ReadWrite).await?;
    for (tenant, head) in heads {
        let size = i64::try_from(head.size).unwrap_or(i64::MAX);
        let args = Args::new().bind(*tenant).bind(size).bind(head.root);
        tx.execute(include_str!("../sql/put_head.sql"), args)
            .await?;
    }
    tx.commit().await
}

/// The newest head of the tenant's log that was kept.
pub(crate) async fn kept_head(control: &Db, tenant: TenantId) -> Result<Option<TreeHead>, DbError> {
    let mut tx = begin(control, Mode::ReadOnly).await?;
    let args = Args::new().bind(tenant);
    let row = tx.row(include_str!("../sql/read_head.sql"), args).await?;
    let head = |row: &sql_store::Row| {
        Ok(TreeHead {
            size: u64::try_from(row.int("size")?).unwrap_or(u64::MAX),
            root: Digest::from_bytes(row.array("root")?),
        })
    };
    row.as_ref().map(head).transpose()
}

/// A transaction of the assembly's own, under no decision.
pub(crate) async fn begin(control: &Db, mode: Mode) -> Result<Tx, DbError> {
    let tag = TxTag {
        txn: TxnId::from_bytes([0; 16]),
        tenant: None,
        decision: None,
    };
    control.begin_with(mode, tag).await
}
