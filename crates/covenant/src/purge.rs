//! Purging by hand: an administrator of the database takes what is in its bin out for good, at once,
//! and gets a signed certificate.

use covenant_core::{ItemId, OrderId, TenantId};
use tenant_isolation::level::{Maintain, Write};
use tenant_isolation::{AccessAction, Caller, Scope, ServiceKind};

use crate::assembly::Covenant;
use crate::disposal::{ByHand, Wanted};
use crate::error::Error;

/// What of the bin is purged by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "one record of the bin or all of it; there is no third"
)]
pub enum FromBin<'r> {
    /// One record.
    One(&'r ItemId),
    /// All of it.
    All,
}

/// What a purge by hand did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purged {
    /// The order.
    pub order: OrderId,
    /// How many records went.
    pub records: u64,
    /// The certificate: a statement of kind `disposal`, signed as a note under
    /// [`Covenant::certificate_key`].
    pub certificate: String,
}

impl Covenant {
    /// Takes records out of the bin for good, before its floor ends: rows, files and bytes, at once.
    /// Backups keep them until their own day, which the certificate tells.
    ///
    /// # Errors
    /// [`Error::Denied`] to everybody but an administrator of the database; [`Error::NotFound`]
    /// where nothing of it is in the bin; [`Error::Kept`] where the rules let nothing of it go:
    /// nothing was changed then. After any other error the order stands, the next sweep does the rest
    /// of it, and [`Covenant::certificates`] has its certificate.
    // clause: P-48, P-53
    pub async fn purge(
        &self,
        caller: &Caller,
        tenant: TenantId,
        what: FromBin<'_>,
    ) -> Result<Purged, Error> {
        let parts = self.parts();
        let ordered = self
            .enter::<Write>(caller, tenant, AccessAction::RecordPurge)
            .await?;
        self.refresh_rules().await?;
        // Before everybody else is kept out: a backup that runs may take a while.
        let _turn = self.flush_turn(tenant).await?;
        // Alone: the journal of another purge must not be taken for this one's.
        let _alone = parts.replacing(tenant).await;
        let service = Caller::service(ServiceKind::Retention);
        let scope = self
            .enter::<Maintain>(&service, tenant, AccessAction::StoreSweep)
            .await?;
        let only = match what {
            FromBin::One(id) => Some(id),
            FromBin::All => None,
        };
        if !self.is_binned(&scope, only).await? {
            return Err(Error::NotFound);
        }
        let order: OrderId = self.mint()?;
        let hand = ByHand {
            only,
            caller,
            decision: ordered.decision(),
        };
        let now = parts.clock.now();
        // From before the first effect on, so that a sweep finishes what is stopped in between.
        self.put_due(&self.bin_row(tenant, now)).await?;
        let recorded = self
            .record_all(&scope, &service, now, order, Wanted::ByHand(hand))
            .await?;
        let issued = self.carry_out(&scope, &service, now).await?;
        self.plan_bin_in(&scope, None).await?;
        if recorded.records == 0 {
            return Err(Error::Kept);
        }
        let ours = issued.into_iter().find(|issued| issued.order == order);
        Ok(Purged {
            order,
            records: recorded.records,
            certificate: ours.ok_or(Error::StillPresent)?.note,
        })
    }

    /// Whether this record, or any, is in the bin.
    async fn is_binned(
        &self,
        scope: &Scope<Maintain>,
        only: Option<&ItemId>,
    ) -> Result<bool, Error> {
        let mut tx = scope.begin(self.parts().tenants.as_ref()).await?;
        let (tx, tenant) = (tx.tx().await?, scope.tenant());
        let args = sql_store::Args::new().bind(tenant);
        let row = match only {
            Some(id) => {
                let sql = include_str!("../sql/read_deleted.sql");
                let row = tx.row(sql, args.bind(id)).await?;
                row.map_or(Ok(None), |row| row.opt_instant("deleted_at"))?
            }
            None => {
                let row = tx
                    .row(include_str!("../sql/first_binned.sql"), args)
                    .await?;
                row.map_or(Ok(None), |row| row.opt_instant("first"))?
            }
        };
        Ok(row.is_some())
    }
}
