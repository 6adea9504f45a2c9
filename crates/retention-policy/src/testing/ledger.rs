//! The suite of [`Ledger`]: [`run`] takes a rig, through which facts are appended the way its
//! ledger's users do.

use std::fmt::Debug;

use covenant_core::{Action, BoxFuture, EventId, ItemId, TenantId};
use time::{Duration, UtcDateTime};

use super::holds::{Broken, hold};
use crate::ledger::{Entry, Head, Ledger, LedgerError, LedgerKey};
use crate::{Hold, HoldMode, HoldScope};

/// A ledger, and the way facts get into it.
pub trait Rig: Debug + Send + Sync {
    /// Records a fact, durably, and returns the head after it.
    fn append<'a>(
        &'a self,
        tenant: TenantId,
        event: EventId,
        at: UtcDateTime,
        action: Action,
        about: About<'a>,
    ) -> BoxFuture<'a, Result<Head, LedgerError>>;
    /// The ledger.
    fn ledger(&self) -> &dyn Ledger;
}

/// What a fact of the suite is about.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_enums, reason = "a rig serves every case")]
pub enum About<'a> {
    /// The database.
    Database,
    /// A record.
    Record(&'a ItemId),
    /// A hold that is placed.
    Hold(&'a Hold),
}

fn at(n: u8) -> UtcDateTime {
    UtcDateTime::UNIX_EPOCH.saturating_add(Duration::seconds(1_000_000 + i64::from(n)))
}

fn event(n: u8) -> EventId {
    EventId::from_bytes([n; 16])
}

/// Runs every case.
///
/// # Errors
/// [`Broken`], for the first case that fails.
pub async fn run(rig: &dyn Rig) -> Result<(), Broken> {
    let failed = |_: LedgerError| Broken::Contract("a ledger answers");
    let tenant = TenantId::from_bytes([0xb1; 16]);
    let other = TenantId::from_bytes([0xb2; 16]);
    let (one, two) = (ItemId::from(1_i64), ItemId::from(2_i64));
    let placed = hold(tenant, 9, HoldScope::Tenant, HoldMode::Governance)?;
    let facts = [
        (1, Action::RecordDeleted, About::Record(&one)),
        (2, Action::RecordDeleted, About::Record(&two)),
        (3, Action::RecordRestored, About::Record(&one)),
        (4, Action::HoldPlaced, About::Hold(&placed)),
        (5, Action::RecordPurged, About::Record(&two)),
        (6, Action::DatabaseDeleted, About::Database),
    ];
    let mut heads = Vec::new();
    let mut expected = Vec::new();
    for (n, action, about) in facts {
        let appended = rig.append(tenant, event(n), at(n), action, about).await;
        heads.push(appended.map_err(failed)?);
        let (key, hold) = match about {
            About::Database => (LedgerKey::Database, None),
            About::Record(id) => {
                let class = "record".to_owned();
                let id = id.clone();
                (LedgerKey::Item { class, id }, None)
            }
            About::Hold(hold) => (LedgerKey::Hold(hold.id), Some(hold.clone())),
        };
        expected.push(Entry {
            seq: u64::from(n) - 1,
            event: event(n),
            at: at(n),
            action,
            key,
            hold,
        });
    }
    let foreign = About::Record(&one);
    let elsewhere = rig.append(other, event(1), at(1), Action::RecordPurged, foreign);
    let elsewhere = elsewhere.await.map_err(failed)?;
    let newest = heads.last().copied();
    let newest = newest.ok_or(Broken::Contract("a head for every fact"))?;
    // Every head since opens exactly what follows it.
    for (n, head) in heads.iter().enumerate() {
        let entries = rig.ledger().since(tenant, *head, &[newest]).await;
        let rest = expected.get(n + 1..).unwrap_or_default();
        if entries.map_err(failed)? != rest {
            return Err(Broken::Contract("exactly what followed a head"));
        }
    }
    let again = rig.append(
        tenant,
        event(6),
        at(6),
        Action::DatabaseDeleted,
        About::Database,
    );
    drop(again.await);
    let entries = rig.ledger().since(tenant, newest, &[newest]).await;
    if !entries.map_err(failed)?.is_empty() {
        return Err(Broken::Contract("the same event is one fact"));
    }
    let longer = Head {
        size: newest.size + 1,
        ..newest
    };
    let forged = Head {
        root: elsewhere.root,
        ..newest
    };
    for (from, known) in [
        (newest, longer),
        (newest, forged),
        (longer, newest),
        (forged, newest),
        (elsewhere, newest),
    ] {
        let answer = rig.ledger().since(tenant, from, &[known]).await;
        if !matches!(answer, Err(LedgerError::Behind { .. })) {
            return Err(Broken::Contract(
                "a head that it does not extend is refused",
            ));
        }
    }
    Ok(())
}
