//! The journal of disposals in a tenant's store: one row a record, as `retention-policy` writes it,
//! and one row an order, which says on what it rests. Every function works in the caller's
//! transaction.

use covenant_core::digest::Digest;
use covenant_core::{ClauseId, ItemId, OrderId, TenantId};
use retention_policy::{Disposal, RuleId};
use sql_store::{Args, Tx};

use crate::error::Error;

/// Bytes of an object's id: a UUID.
const OBJECT_ID_LEN_BYTES: usize = 16;

/// A record's disposal.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) disposal: Disposal,
    pub(super) objects: Vec<ItemId>,
}

/// On what an order rests.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    pub(super) rule: RuleId,
    pub(super) clause: Option<ClauseId>,
    /// The rules of then.
    pub(super) rules: Option<Digest>,
}

/// Whether disposals were begun and not finished.
pub(super) async fn is_begun(tx: &mut Tx, tenant: TenantId) -> Result<bool, Error> {
    let sql = include_str!("../../sql/count_disposals.sql");
    let row = tx.row(sql, Args::new().bind(tenant)).await?;
    Ok(row.map_or(Ok(0), |row| row.int("n"))? > 0)
}

/// Every disposal that was begun and not finished.
pub(super) async fn read(tx: &mut Tx, tenant: TenantId) -> Result<Vec<Work>, Error> {
    let sql = include_str!("../../sql/list_disposals.sql");
    let rows = tx.rows(sql, Args::new().bind(tenant)).await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in &rows {
        let disposal = Disposal::resume(row.bytes("journal")?).map_err(Error::unavailable)?;
        let ids = row.bytes("objects")?.chunks(OBJECT_ID_LEN_BYTES);
        let objects = ids.map(ItemId::try_from).collect::<Result<_, _>>()?;
        all.push(Work { disposal, objects });
    }
    Ok(all)
}

/// Begins a disposal.
pub(super) async fn insert(tx: &mut Tx, work: &Work) -> Result<(), Error> {
    let Work { disposal, objects } = work;
    let objects: Vec<u8> = objects
        .iter()
        .flat_map(|id| id.as_bytes().to_vec())
        .collect();
    let args = Args::new()
        .bind(disposal.tenant())
        .bind(disposal.item())
        .bind(disposal.order())
        .bind(disposal.journal())
        .bind(objects);
    let sql = include_str!("../../sql/insert_disposal.sql");
    tx.execute(sql, args).await?;
    Ok(())
}

/// Keeps how far a disposal is.
pub(super) async fn put(tx: &mut Tx, disposal: &Disposal) -> Result<(), Error> {
    let args = Args::new()
        .bind(disposal.tenant())
        .bind(disposal.item())
        .bind(disposal.journal());
    let sql = include_str!("../../sql/update_disposal.sql");
    tx.execute(sql, args).await?;
    Ok(())
}

/// Notes on what an order rests; the first note stays.
pub(super) async fn insert_order(
    tx: &mut Tx,
    tenant: TenantId,
    order: OrderId,
    ground: &Ground,
) -> Result<(), Error> {
    let args = Args::new()
        .bind(tenant)
        .bind(order)
        .bind(ground.rule.as_str())
        .bind(ground.clause.map(|clause| clause.to_string()))
        .bind(ground.rules.map(|rules| rules.as_bytes().to_vec()));
    let sql = include_str!("../../sql/insert_order.sql");
    tx.execute(sql, args).await?;
    Ok(())
}

/// On what an order rests.
pub(super) async fn read_order(
    tx: &mut Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Ground, Error> {
    let sql = include_str!("../../sql/read_order.sql");
    let row = tx.row(sql, Args::new().bind(tenant).bind(order)).await?;
    let row = row.ok_or_else(|| Error::unavailable("the order of a disposal is missing"))?;
    let clause = row.opt_text("clause")?.map(str::parse).transpose();
    let rules = row.opt_bytes("rules")?.map(<[u8; 32]>::try_from);
    Ok(Ground {
        rule: row.text("rule")?.parse().map_err(Error::unavailable)?,
        clause: clause.map_err(Error::unavailable)?,
        rules: rules
            .transpose()
            .map_err(Error::unavailable)?
            .map(Digest::from_bytes),
    })
}

/// Forgets an order and its disposals: all of it is done.
pub(super) async fn forget(tx: &mut Tx, tenant: TenantId, order: OrderId) -> Result<(), Error> {
    let args = || Args::new().bind(tenant).bind(order);
    let sql = include_str!("../../sql/delete_disposals.sql");
    tx.execute(sql, args()).await?;
    let sql = include_str!("../../sql/delete_order.sql");
    tx.execute(sql, args()).await?;
    Ok(())
}
