//! This crate's part of a certificate of disposal: what was done, store by store, and what remains.
//! Signing it is not done here.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::digest::Digest;
use covenant_core::{ClauseId, EventId, KeyId, OrderId, TenantId};
use time::UtcDateTime;

use crate::protocol::Removed;
use crate::rule::Method;
use crate::{ClassId, Disposal, RuleId, StoreName};

/// What was done for one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisposalPart {
    /// The order.
    pub order: OrderId,
    /// Whose items.
    pub tenant: TenantId,
    /// The clause on which it rests.
    pub clause: Option<ClauseId>,
    /// The rule on which it rests.
    pub rule: RuleId,
    /// Digest of the rule set.
    pub rules: Option<Digest>,
    /// The items.
    pub items: Vec<PartItem>,
    /// One line for every store that was reached or should have been.
    pub stores: Vec<StoreLine>,
    /// Keys that were destroyed or are planned to be.
    pub keys: Vec<KeyLine>,
    /// Copies that remain, each with the day it goes.
    pub remains: Vec<Remain>,
    /// The event that recorded it.
    pub leaf: Option<EventId>,
}

/// One item of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartItem {
    /// Its class.
    pub class: ClassId,
    /// Commitment to its id (HMAC-SHA-256 under the tenant's certificate key, by the caller).
    pub commitment: [u8; 32],
}

/// How far a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a certificate has these three and no others"
)]
pub enum LineState {
    /// Removed and verified.
    Done,
    /// Not yet.
    Pending,
    /// The store refused.
    Refused,
}

/// One store of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreLine {
    /// The store.
    pub store: StoreName,
    /// How its bytes were removed.
    pub method: Method,
    /// How far it is.
    pub state: LineState,
    /// Bytes that were scanned; `None` where only a read-back was possible.
    pub scanned_bytes: Option<u64>,
    /// When it was verified.
    pub at: Option<UtcDateTime>,
}

/// How far a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a certificate has these two and no others"
)]
pub enum KeyState {
    /// Its destruction is planned.
    Planned,
    /// It is destroyed.
    Destroyed,
}

/// One key of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLine {
    /// The key.
    pub key: KeyId,
    /// How far it is.
    pub state: KeyState,
    /// When it was destroyed, or will be.
    pub at: UtcDateTime,
}

/// A copy that remains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remain {
    /// Where.
    pub store: StoreName,
    /// By when it is gone.
    pub gone_by: UtcDateTime,
}

/// On what a disposal rests, and what is said of it beside its own journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    /// The clause.
    pub clause: Option<ClauseId>,
    /// The rule.
    pub rule: RuleId,
    /// Digest of the rule set.
    pub rules: Option<Digest>,
    /// Commitment to the item's id, under the tenant's certificate key.
    pub commitment: [u8; 32],
    /// How the bytes of each store are removed; a store that is not here is deleted from.
    pub methods: BTreeMap<StoreName, Method>,
    /// Copies that remain.
    pub remains: Vec<Remain>,
    /// The event that recorded it.
    pub leaf: Option<EventId>,
}

impl Disposal {
    /// This disposal's part of the certificate, as far as it is: made of the journal alone, so that
    /// whoever finishes it hands over the same.
    #[must_use]
    pub fn part(&self, basis: Basis) -> DisposalPart {
        let Basis {
            clause,
            rule,
            rules,
            commitment,
            methods,
            remains,
            leaf,
        } = basis;
        let lines = self.lines().iter();
        let stores = lines.map(|line| StoreLine {
            store: line.store.clone(),
            method: methods.get(&line.store).copied().unwrap_or_default(),
            state: match (line.removed, line.verified) {
                (Removed::Refused, _) => LineState::Refused,
                (_, Some(_)) => LineState::Done,
                (_, None) => LineState::Pending,
            },
            scanned_bytes: line.verified.and_then(|verified| verified.scanned_bytes),
            at: line.verified.map(|verified| verified.at),
        });
        DisposalPart {
            order: self.order(),
            tenant: self.tenant(),
            clause,
            rule,
            rules,
            items: vec![PartItem {
                class: self.class().clone(),
                commitment,
            }],
            stores: stores.collect(),
            keys: self.key().cloned().into_iter().collect(),
            remains,
            leaf,
        }
    }
}

impl DisposalPart {
    /// Whether every store that was expected is done and verified; a store that is missing from
    /// the lines never is.
    #[must_use]
    pub fn is_complete(&self, expected: &BTreeSet<StoreName>) -> bool {
        let done: BTreeSet<&StoreName> = self
            .stores
            .iter()
            .filter(|line| line.state == LineState::Done && line.at.is_some())
            .map(|line| &line.store)
            .collect();
        expected.iter().all(|store| done.contains(store))
            && self.stores.iter().all(|line| line.state == LineState::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(stores: &[(&str, LineState)]) -> DisposalPart {
        DisposalPart {
            order: OrderId::from_bytes([1; 16]),
            tenant: TenantId::from_bytes([2; 16]),
            clause: "P-52".parse().ok(),
            rule: "gone-1".parse().unwrap(),
            rules: None,
            items: Vec::new(),
            stores: stores
                .iter()
                .map(|(store, state)| StoreLine {
                    store: store.parse().unwrap(),
                    method: Method::Delete,
                    state: *state,
                    scanned_bytes: Some(4_096),
                    at: Some(UtcDateTime::UNIX_EPOCH),
                })
                .collect(),
            keys: Vec::new(),
            remains: Vec::new(),
            leaf: None,
        }
    }

    #[test]
    fn what_was_not_reached_is_never_complete() {
        let expected: BTreeSet<StoreName> = ["rows", "objects"]
            .iter()
            .map(|name| name.parse().unwrap())
            .collect();
        let (done, pending) = (LineState::Done, LineState::Pending);
        assert!(part(&[("rows", done), ("objects", done)]).is_complete(&expected));
        assert!(!part(&[("rows", done)]).is_complete(&expected));
        assert!(!part(&[("rows", done), ("objects", pending)]).is_complete(&expected));
        assert!(!part(&[("rows", done), ("objects", LineState::Refused)]).is_complete(&expected));
        let mut unverified = part(&[("rows", done), ("objects", done)]);
        unverified.stores[1].at = None;
        assert!(!unverified.is_complete(&expected));
    }
}
