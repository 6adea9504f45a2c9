//! Many records at once: one decision, one transaction, and for each table one event that counts its
//! rows, instead of one of each for every record.

use covenant_core::{Action, ItemId, TenantId};
use sql_store::{Args, Tx};
use tenant_isolation::level::Write;
use tenant_isolation::{AccessAction, Caller, Scope};
use time::UtcDateTime;

use crate::assembly::Covenant;
use crate::error::Error;
use crate::record::{salts, taken, target};

/// Records that one transaction takes at most; ours, so that no import holds the file for long.
pub(crate) const BULK_MAX: usize = 1_000;

/// What a bulk write does to each record.
#[derive(Debug, Clone, Copy)]
enum Bulk {
    Put,
    Change,
}

impl Bulk {
    /// The operation, as the triggers name it.
    const fn op(self) -> &'static str {
        match self {
            Self::Put => "insert",
            Self::Change => "update",
        }
    }

    async fn write(
        self,
        tx: &mut Tx,
        tenant: TenantId,
        id: &ItemId,
        body: &[u8],
        now: UtcDateTime,
    ) -> Result<(), Error> {
        let named = || Args::new().bind(tenant).bind(id);
        match self {
            Self::Put => {
                tx.execute(include_str!("../sql/insert_record.sql"), named().bind(now))
                    .await
                    .map_err(taken)?;
                let args = named().bind(body).bind(None::<Vec<u8>>);
                tx.execute(include_str!("../sql/insert_content.sql"), args)
                    .await?;
            }
            Self::Change => {
                let touched = tx
                    .execute(include_str!("../sql/touch_record.sql"), named().bind(now))
                    .await?;
                if touched == 0 {
                    return Err(Error::NotFound);
                }
                tx.execute(include_str!("../sql/update_body.sql"), named().bind(body))
                    .await?;
            }
        }
        Ok(())
    }
}

impl Covenant {
    /// Writes many new records that have a body and nothing else, in transactions of at most a
    /// thousand; returns the salt of each body in order.
    ///
    /// # Errors
    /// [`Error`]; the transactions before the failing one stay.
    // clause: R-20
    pub async fn put_many(
        &self,
        caller: &Caller,
        tenant: TenantId,
        records: &[(ItemId, Vec<u8>)],
    ) -> Result<Vec<[u8; 24]>, Error> {
        self.write_many(caller, tenant, records, Bulk::Put).await
    }

    /// Replaces the bodies of many records, in transactions of at most a thousand; returns the salt
    /// of each body in order.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a record that is not there or in the bin: its transaction is rolled
    /// back, those before it stay; else [`Error`].
    // clause: R-20
    pub async fn change_many(
        &self,
        caller: &Caller,
        tenant: TenantId,
        records: &[(ItemId, Vec<u8>)],
    ) -> Result<Vec<[u8; 24]>, Error> {
        self.write_many(caller, tenant, records, Bulk::Change).await
    }

    /// Moves many records into the bin, each with an event of its own, since each has a floor of its
    /// own; in transactions of at most a thousand.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a record that is not there or in the bin already: its transaction is
    /// rolled back, those before it stay; else [`Error`].
    // clause: P-51, R-20
    pub async fn delete_many(
        &self,
        caller: &Caller,
        tenant: TenantId,
        records: &[ItemId],
    ) -> Result<(), Error> {
        for batch in records.chunks(BULK_MAX) {
            let scope = self
                .enter::<Write>(caller, tenant, AccessAction::RecordWrite)
                .await?;
            let _writing = self.parts().writing(tenant).await;
            let events = self.deletions(&scope, caller, batch)?;
            let mut change = self.begin_change(&scope, events).await?;
            let now = self.parts().clock.now();
            let tables = self.parts().tables.clone();
            for id in batch {
                if tables.bin(change.tx().await?, tenant, id, now).await? == 0 {
                    return Err(Error::NotFound);
                }
            }
            self.plan_purge(change.tx().await?, tenant).await?;
            change.commit().await?;
        }
        Ok(())
    }

    async fn write_many(
        &self,
        caller: &Caller,
        tenant: TenantId,
        records: &[(ItemId, Vec<u8>)],
        bulk: Bulk,
    ) -> Result<Vec<[u8; 24]>, Error> {
        let mut all = Vec::new();
        for batch in records.chunks(BULK_MAX) {
            let scope = self
                .enter::<Write>(caller, tenant, AccessAction::RecordWrite)
                .await?;
            let _writing = self.parts().writing(tenant).await;
            let sealed = self.seal_bodies(tenant, batch).await?;
            let rows = u64::try_from(batch.len()).unwrap_or(u64::MAX);
            let events = ["record", "content"]
                .map(|table| self.bulk_event(&scope, caller, table, bulk.op(), rows));
            let events = events.into_iter().collect::<Result<_, _>>()?;
            let mut change = self.begin_change(&scope, events).await?;
            let now = self.parts().clock.now();
            let tx = change.tx().await?;
            for ((id, _), body) in batch.iter().zip(&sealed) {
                bulk.write(tx, tenant, id, body, now).await?;
                all.extend(salts(body));
            }
            change.commit().await?;
        }
        Ok(all)
    }

    fn deletions(
        &self,
        scope: &Scope<Write>,
        caller: &Caller,
        records: &[ItemId],
    ) -> Result<Vec<covenant_core::Event>, Error> {
        let event = |id: &ItemId| {
            let target = target(scope.tenant(), "record", id);
            self.row_event(caller, scope.decision(), Action::RecordDeleted, target)
        };
        records.iter().map(event).collect()
    }

    async fn seal_bodies(
        &self,
        tenant: TenantId,
        records: &[(ItemId, Vec<u8>)],
    ) -> Result<Vec<Vec<u8>>, Error> {
        let mut sealed = Vec::new();
        for (id, body) in records {
            sealed.push(self.seal_body(tenant, id, body).await?);
        }
        Ok(sealed)
    }
}
