//! The last step: one certificate for one order, made of the journal alone, so that whoever finishes
//! an order issues what whoever began it would have.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::{ItemId, OrderId};
use retention_policy::{Basis, DisposalPart, LineState, PartItem, Remain, Step, StoreLine};
use tenant_isolation::Scope;
use tenant_isolation::level::Maintain;
use time::UtcDateTime;

use super::journal::{self, Ground, Work};
use crate::assembly::Covenant;
use crate::certificate::{BACKUPS, Certificate, Progress, store};
use crate::error::Error;
use crate::profile::CLASS_RECORD;

impl Covenant {
    /// Issues the certificate of every order in the journal, and forgets those that are done.
    // clause: P-53
    pub(super) async fn certify_orders(
        &self,
        scope: &Scope<Maintain>,
        works: &[Work],
    ) -> Result<Vec<Certificate>, Error> {
        let orders: BTreeSet<OrderId> = works.iter().map(|work| work.disposal.order()).collect();
        let mut issued = Vec::new();
        for order in orders {
            let of_order = |work: &&Work| work.disposal.order() == order;
            let works: Vec<&Work> = works.iter().filter(of_order).collect();
            let certificate = self.certify_order(scope, order, &works).await?;
            if certificate.progress == Progress::Complete {
                self.forget_order(scope, order, &works).await?;
            }
            issued.push(certificate);
        }
        Ok(issued)
    }

    async fn certify_order(
        &self,
        scope: &Scope<Maintain>,
        order: OrderId,
        works: &[&Work],
    ) -> Result<Certificate, Error> {
        let (tenant, parts) = (scope.tenant(), self.parts());
        let mut tx = scope.begin(parts.tenants.as_ref()).await?;
        let ground = journal::read_order(tx.tx().await?, tenant, order).await?;
        drop(tx);
        let ids: Vec<ItemId> = works
            .iter()
            .map(|work| work.disposal.item().clone())
            .collect();
        let items = self.committed(tenant, CLASS_RECORD, &ids).await?;
        let policy = &parts.profile.backup;
        let verified = self.verified_at(works);
        // a backup of that day may have them still
        let gone_by = policy.destroy_at(policy.epoch_at(verified))?;
        let store = store(BACKUPS)?;
        let Ground {
            rule,
            clause,
            rules,
        } = ground;
        let mut whole: Option<DisposalPart> = None;
        for (work, item) in works.iter().zip(items) {
            let part = work.disposal.part(Basis {
                clause,
                rule: rule.clone(),
                rules,
                commitment: item.commitment,
                methods: BTreeMap::new(),
                remains: vec![Remain {
                    store: store.clone(),
                    gone_by,
                }],
                leaf: None,
            });
            match &mut whole {
                None => whole = Some(part),
                Some(whole) => join(whole, part),
            }
        }
        let whole = whole.ok_or(Error::NotFound)?;
        self.issue(&whole).await
    }

    /// When the last of the records was looked for and not found; now, when one is still to be.
    fn verified_at(&self, works: &[&Work]) -> UtcDateTime {
        let mut latest = None;
        for work in works {
            match work.disposal.verified_at() {
                Some(at) => latest = latest.max(Some(at)),
                None => return self.parts().clock.now(),
            }
        }
        latest.unwrap_or_else(|| self.parts().clock.now())
    }

    async fn forget_order(
        &self,
        scope: &Scope<Maintain>,
        order: OrderId,
        works: &[&Work],
    ) -> Result<(), Error> {
        let mut tx = scope.begin(self.parts().tenants.as_ref()).await?;
        let lent = tx.tx().await?;
        for work in works {
            let certified = matches!(work.disposal.next(), Step::Certify | Step::Done);
            if certified {
                retention_policy::hold::sql::settle(lent, work.disposal.target()).await?;
            }
        }
        journal::forget(lent, scope.tenant(), order).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Takes the part of one more record of the same order in: a store is as far as the record that is
/// behind there.
fn join(whole: &mut DisposalPart, part: DisposalPart) {
    let items: Vec<PartItem> = part.items;
    whole.items.extend(items);
    for (line, other) in whole.stores.iter_mut().zip(part.stores) {
        let StoreLine {
            state,
            scanned_bytes,
            at,
            ..
        } = other;
        line.state = match (line.state, state) {
            (LineState::Refused, _) | (_, LineState::Refused) => LineState::Refused,
            (LineState::Pending, _) | (_, LineState::Pending) => LineState::Pending,
            (LineState::Done, LineState::Done) => LineState::Done,
        };
        line.scanned_bytes = line.scanned_bytes.max(scanned_bytes);
        line.at = line.at.max(at);
    }
}
