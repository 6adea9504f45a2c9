//! One approved plan of one tenant, written down before its first effect: its disposals, which any
//! worker may take up, and the key under which its items are committed to.

use std::collections::BTreeMap;
use std::sync::Arc;

use covenant_core::digest::Digest;
use covenant_core::{BoxFuture, ItemId, OrderId, TenantId};
use sql_store::{Args, Db, DbError, Mode, Tx};
use time::UtcDateTime;

use super::{RowsError, begin, order_of};
use crate::apply::{self, DisposeError, Ended, Joints, Journal};
use crate::{ClassId, Disposal, DisposalTarget, OwnsKey, Plan, Probe, RuleSet, Step, StepOutcome};

/// Bytes of the key of an order's commitments.
const COMMIT_KEY_LEN_BYTES: usize = 32;
/// Block of SHA-256 in bytes (FIPS 180-4, 1).
const BLOCK_LEN_BYTES: usize = 64;

/// An approved plan of one tenant.
#[derive(Clone, PartialEq, Eq)]
pub struct Order {
    id: OrderId,
    tenant: TenantId,
    plan: Digest,
    key: [u8; COMMIT_KEY_LEN_BYTES],
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (id, tenant, plan) = (&self.id, &self.tenant, &self.plan);
        f.debug_struct("Order")
            .field("id", id)
            .field("tenant", tenant)
            .field("plan", plan)
            .finish_non_exhaustive()
    }
}

impl Order {
    /// The order of this plan, whose items are committed to under these random bytes.
    #[must_use]
    pub fn new(tenant: TenantId, plan: Digest, key: [u8; 32]) -> Self {
        Self {
            id: order_of(tenant, &plan),
            tenant,
            plan,
            key,
        }
    }

    /// Its id: the same plan of the same tenant has the same.
    #[must_use]
    pub const fn id(&self) -> OrderId {
        self.id
    }

    /// Whose items.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The plan that was approved.
    #[must_use]
    pub const fn plan(&self) -> &Digest {
        &self.plan
    }

    /// What a certificate says instead of an item's id: HMAC-SHA-256 of class and id, which only
    /// who has the key of the order can make.
    #[must_use]
    pub fn commitment(&self, class: &ClassId, id: &ItemId) -> [u8; 32] {
        let message = [class.as_str().as_bytes(), b"/", id.as_bytes()].concat();
        *hmac(&self.key, &message).as_bytes()
    }

    /// The disposals of the plan: an item that several stores have goes from what is fed before it
    /// goes from what feeds. `None` for an item with more stores or probes than one may have, or of
    /// a class that has no name.
    #[must_use]
    pub fn disposals(
        &self,
        plan: &Plan,
        rules: &RuleSet,
        probes: &BTreeMap<(Arc<str>, ItemId), Vec<Probe>>,
        made_at: impl Fn(&str, &ItemId) -> Option<UtcDateTime>,
    ) -> Option<Vec<Disposal>> {
        let mut stores: BTreeMap<(Arc<str>, ItemId), Vec<crate::StoreName>> = BTreeMap::new();
        for item in plan.items() {
            let key = (item.class.clone(), item.id.clone());
            stores
                .entry(key)
                .or_default()
                .push(item.store.parse().ok()?);
        }
        let none = Vec::new();
        stores
            .into_iter()
            .map(|((class, id), mut stores)| {
                let fed = |name: &crate::StoreName| {
                    let store = rules.store(name.as_str());
                    store.is_some_and(|store| !store.fed_by().is_empty())
                };
                stores.sort_by_key(|name| !fed(name));
                let mut target = DisposalTarget::new(self.tenant, class.parse().ok()?, id.clone());
                target.made_at = made_at(&class, &id);
                let probes = probes.get(&(class, id)).unwrap_or(&none);
                Disposal::new(self.id, target, &stores, probes, OwnsKey::No)
            })
            .collect()
    }
}

/// HMAC (RFC 2104) with SHA-256, of a key shorter than a block.
fn hmac(key: &[u8; COMMIT_KEY_LEN_BYTES], message: &[u8]) -> Digest {
    let pad = |byte: u8| {
        let mut block = [byte; BLOCK_LEN_BYTES];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block
    };
    let inner = Digest::of(&[&pad(0x36), message].concat());
    Digest::of(&[pad(0x5c).as_slice(), inner.as_bytes()].concat())
}

/// Keeps journal rows of orders beside the rows that they are about.
#[derive(Debug, Clone)]
pub struct RowJournal {
    db: Db,
}

impl RowJournal {
    /// The journal in this database.
    #[must_use]
    pub const fn new(db: Db) -> Self {
        Self { db }
    }
}

impl Journal for RowJournal {
    fn put<'a>(
        &'a self,
        disposal: &'a Disposal,
    ) -> BoxFuture<'a, Result<(), Box<dyn std::error::Error + Send + Sync>>> {
        Box::pin(async move {
            let mut tx = begin(&self.db, disposal.tenant(), Mode::ReadWrite).await?;
            put(&mut tx, disposal).await?;
            Ok(tx.commit().await?)
        })
    }
}

/// Carries disposals out, as far as each goes now: all are deleted before the files are flushed, so
/// that one flush serves all. Says of each how it ended, in their order; what did not end is taken up
/// by the next call.
///
/// # Errors
/// [`DisposeError`]; what was done is in the journal.
// clause: P-47, P-52
pub async fn carry_out(
    disposals: &mut [Disposal],
    joints: &Joints<'_>,
    journal: &dyn Journal,
    now: UtcDateTime,
) -> Result<Vec<Ended>, DisposeError> {
    let mut stopped = Vec::with_capacity(disposals.len());
    for disposal in disposals.iter_mut() {
        let mut ended = None;
        while ended.is_none()
            && matches!(
                disposal.next(),
                Step::Record | Step::Delete { .. } | Step::PlanKey
            )
        {
            let outcome = apply::step(disposal, joints, now).await?;
            journal.put(disposal).await.map_err(DisposeError::Journal)?;
            ended = match outcome {
                StepOutcome::Held => Some(Ended::Held),
                StepOutcome::Failed | StepOutcome::Refused => Some(Ended::Waiting),
                _ => None,
            };
        }
        stopped.push(ended);
    }
    let mut all = Vec::with_capacity(disposals.len());
    for (disposal, stopped) in disposals.iter_mut().zip(stopped) {
        all.push(match stopped {
            Some(ended) => ended,
            None => apply::run(disposal, joints, journal, now).await?,
        });
    }
    Ok(all)
}

async fn put(tx: &mut Tx, disposal: &Disposal) -> Result<(), DbError> {
    let args = Args::new()
        .bind(disposal.tenant())
        .bind(disposal.order())
        .bind(disposal.class().as_str())
        .bind(disposal.item())
        .bind(disposal.journal());
    let sql = include_str!("../../sql/put_row_disposal.sql");
    tx.execute(sql, args).await.map(drop)
}

pub(super) async fn write(
    tx: &mut Tx,
    order: &Order,
    disposals: &[Disposal],
    at: UtcDateTime,
) -> Result<(), DbError> {
    let Order {
        id,
        tenant,
        plan,
        key,
    } = order;
    let args = Args::new()
        .bind(*tenant)
        .bind(*id)
        .bind(*plan)
        .bind(key.as_slice())
        .bind(at);
    let sql = include_str!("../../sql/insert_row_order.sql");
    tx.execute(sql, args).await?;
    for disposal in disposals {
        put(tx, disposal).await?;
    }
    Ok(())
}

pub(super) async fn read(
    tx: &mut Tx,
    tenant: TenantId,
    id: OrderId,
) -> Result<Option<Order>, DbError> {
    let sql = include_str!("../../sql/read_row_order.sql");
    let row = tx.row(sql, Args::new().bind(tenant).bind(id)).await?;
    row.map(|row| {
        Ok(Order {
            id,
            tenant,
            plan: row.digest("plan")?,
            key: row.array("commit_key")?,
        })
    })
    .transpose()
}

pub(super) async fn disposals(
    tx: &mut Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Vec<Disposal>, RowsError> {
    let sql = include_str!("../../sql/list_row_disposals.sql");
    let rows = tx.rows(sql, Args::new().bind(tenant).bind(order)).await?;
    let mut disposals = Vec::with_capacity(rows.len());
    for row in &rows {
        let disposal = Disposal::resume(row.bytes("journal")?);
        disposals.push(disposal.or(Err(RowsError::Malformed {
            view: "row_disposal",
            what: "a journal row cannot be read",
        }))?);
    }
    Ok(disposals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commitment_is_the_hmac_that_others_compute() {
        // RFC 4231, test case 1, whose key of 20 bytes is the same with zeroes behind it
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        assert_eq!(
            hmac(&key, b"Hi There").to_string(),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
    }
}
