//! Many records at once: one decision, one transaction, and for each table one event that counts its
//! rows, instead of one of each for every record.

use covenant_core::{Action, ItemId, TenantId};
use sql_store::Args;
use tenant_isolation::level::Write;
use tenant_isolation::{AccessAction, Caller, Scope};

use crate::assembly::Covenant;
use crate::error::Error;
use crate::record::{salts, taken, target};

/// Records that one transaction takes at most; ours, so that no import holds the file for long.
pub(crate) const BULK_MAX: usize = 1_000;

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
        let mut all = Vec::new();
        for batch in records.chunks(BULK_MAX) {
            let scope = self
                .enter::<Write>(caller, tenant, AccessAction::RecordWrite)
                .await?;
            let _writing = self.parts().writing(tenant).await;
            let sealed = self.seal_bodies(tenant, batch).await?;
            let rows = u64::try_from(batch.len()).unwrap_or(u64::MAX);
            let events = ["record", "content"]
                .map(|table| self.bulk_event(&scope, caller, table, "insert", rows));
            let events = events.into_iter().collect::<Result<_, _>>()?;
            let mut change = self.begin_change(&scope, events).await?;
            let now = self.parts().clock.now();
            let tx = change.tx().await?;
            for ((id, _), body) in batch.iter().zip(&sealed) {
                let args = Args::new().bind(tenant).bind(id).bind(now);
                tx.execute(include_str!("../sql/insert_record.sql"), args)
                    .await
                    .map_err(taken)?;
                let args = Args::new()
                    .bind(tenant)
                    .bind(id)
                    .bind(body)
                    .bind(None::<Vec<u8>>);
                tx.execute(include_str!("../sql/insert_content.sql"), args)
                    .await?;
                all.extend(salts(body));
            }
            change.commit().await?;
        }
        Ok(all)
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
        let mut all = Vec::new();
        for batch in records.chunks(BULK_MAX) {
            let scope = self
                .enter::<Write>(caller, tenant, AccessAction::RecordWrite)
                .await?;
            let _writing = self.parts().writing(tenant).await;
            let sealed = self.seal_bodies(tenant, batch).await?;
            let rows = u64::try_from(batch.len()).unwrap_or(u64::MAX);
            let events = ["record", "content"]
                .map(|table| self.bulk_event(&scope, caller, table, "update", rows));
            let events = events.into_iter().collect::<Result<_, _>>()?;
            let mut change = self.begin_change(&scope, events).await?;
            let now = self.parts().clock.now();
            let tx = change.tx().await?;
            for ((id, _), body) in batch.iter().zip(&sealed) {
                let args = Args::new().bind(tenant).bind(id).bind(now);
                if tx
                    .execute(include_str!("../sql/touch_record.sql"), args)
                    .await?
                    == 0
                {
                    return Err(Error::NotFound);
                }
                let args = Args::new().bind(tenant).bind(id).bind(body);
                tx.execute(include_str!("../sql/update_body.sql"), args)
                    .await?;
                all.extend(salts(body));
            }
            change.commit().await?;
        }
        Ok(all)
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
