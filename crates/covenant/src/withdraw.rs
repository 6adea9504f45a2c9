//! Deleting one attached file of a record: from the commit on no record shows it, its bytes are
//! removed at once, and the log says so only when every way to its name was tried and led nowhere. A
//! journal in the tenant's store makes every step repeatable.

use std::str::FromStr as _;

use covenant_core::{Action, ItemId, TenantId};
use retention_policy::{DisposalTarget, HoldError, HoldView, Item, Occurrence, State, StoreName};
use sql_store::due::Due;
use sql_store::{Args, Mode, Row};
use tenant_isolation::level::{Maintain, Write};
use tenant_isolation::{AccessAction, Caller, Scope, ServiceKind};
use time::{Duration, UtcDateTime};

use crate::assembly::Covenant;
use crate::error::Error;
use crate::files::{Reached, Way};
use crate::record::{object_path, target};
use crate::sweep::{RETRY, kind};

/// The one store of files, as holds name what passed.
const STORE_OBJECTS: &str = "objects";
/// Bytes of a file's id: a UUID.
const FILE_ID_LEN_BYTES: usize = 16;
/// The shortest wait before a removal that failed is tried again; ours.
const RETRY_MIN: Duration = Duration::SECOND;

/// How far the deletion of a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a deleted file is out of reach or on its way"
)]
pub enum Withdrawn {
    /// No way leads to it any more, and the log says so.
    Unreachable,
    /// No record shows it any more; its name could not be shown to lead nowhere yet, and sweeps go on
    /// until it is.
    Pending,
}

impl Covenant {
    /// Deletes one attached file of a record that is not in the bin, for good: it has no bin of its
    /// own. Backups keep it until their own day, and give none back that was deleted since.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a file of no such record; [`Error::Hold`] while it or its record is
    /// held; [`Error::Kept`] where the rules keep it: nothing was changed then. [`Error`] otherwise;
    /// nothing was changed either.
    // clause
    pub async fn delete_attachment(
        &self,
        caller: &Caller,
        tenant: TenantId,
        file: &ItemId,
    ) -> Result<Withdrawn, Error> {
        let parts = self.parts();
        let scope = self
            .enter::<Write>(caller, tenant, AccessAction::RecordWrite)
            .await?;
        let _writing = parts.writing(tenant).await;
        let deleted = parts.clock.now();
        let due = withdrawal_row(tenant, file, deleted, deleted);
        // From before the first effect on, so that a sweep finishes what is stopped in between.
        self.put_due(&due).await?;
        match self.unname(caller, &scope, file, deleted).await {
            Ok(()) => {}
            Err(error) => {
                // What cannot be taken back off the queue a sweep takes off: it finds nothing to do.
                drop(self.unplan(&scope, file, &due).await);
                if let Error::Hold(HoldError::Held(holds)) = &error {
                    self.tell_held(tenant, "attachment", file, holds).await?;
                }
                return Err(error);
            }
        }
        match self.finish_here(tenant, file, &due).await {
            Ok(()) => Ok(Withdrawn::Unreachable),
            Err(_failed) => {
                // Put anew: a sweep that came before the commit found nothing to do.
                let due_at = parts.clock.now().saturating_add(RETRY_MIN);
                self.put_due(&Due { due_at, ..due }).await?;
                Ok(Withdrawn::Pending)
            }
        }
    }

    /// The name under which a file of the tenant lies in the object store.
    #[must_use]
    pub fn public_name(&self, tenant: TenantId, file: &ItemId) -> String {
        let region = self.parts().region.as_str();
        format!("{region}/{}/{}", tenant.simple(), file.hex())
    }

    /// Takes the row of a deletion that was refused off the queue. A deletion of the same file that
    /// was begun in the same second has the same row, and needs it until it is finished.
    async fn unplan(&self, scope: &Scope<Write>, file: &ItemId, due: &Due) -> Result<(), Error> {
        let mut tx = scope.begin(self.parts().tenants.as_ref()).await?;
        let args = Args::new().bind(due.tenant).bind(file);
        let sql = include_str!("../sql/read_withdrawal.sql");
        let begun = tx.tx().await?.row(sql, args).await?.is_some();
        drop(tx);
        if begun {
            return Ok(());
        }
        self.cancel_due(due.tenant, &due.kind, &due.key).await
    }

    /// One transaction: event, journal, and the row gone.
    async fn unname(
        &self,
        caller: &Caller,
        scope: &Scope<Write>,
        file: &ItemId,
        deleted: UtcDateTime,
    ) -> Result<(), Error> {
        let parts = self.parts();
        let tenant = scope.tenant();
        let name = object_path(scope, file);
        let version = parts.files.version(name.as_ref()).await?;
        let target = target(tenant, "attachment", file);
        let event = self.row_event(caller, scope.decision(), Action::ObjectDeleted, target)?;
        let mut change = self.begin_change(scope, vec![event]).await?;
        let tx = change.tx().await?;
        let args = || Args::new().bind(tenant).bind(file);
        let sql = include_str!("../sql/read_attachment.sql");
        let row = tx.row(sql, args()).await?.ok_or(Error::NotFound)?;
        let holds = parts.holds.view(tx, tenant, Mode::ReadWrite).await?;
        self.permit_file(tenant, file, &row, &holds, deleted)?;
        let store = StoreName::from_str(STORE_OBJECTS).map_err(Error::unavailable)?;
        for class in &parts.profile.file_classes {
            let target = DisposalTarget {
                made_at: Some(row.instant("created_at")?),
                ..DisposalTarget::new(tenant, class.clone(), file.clone())
            };
            parts.holds.pass(tx, &target, &store, deleted).await?;
        }
        if parts.files.unname(tx, tenant, file).await? == 0 {
            return Err(Error::NotFound);
        }
        let sql = include_str!("../sql/insert_withdrawal.sql");
        tx.execute(sql, args().bind(deleted).bind(version)).await?;
        change.commit().await
    }

    /// Whether neither a hold, on the file or its record, nor a rule keeps it.
    fn permit_file(
        &self,
        tenant: TenantId,
        file: &ItemId,
        row: &Row,
        holds: &HoldView,
        now: UtcDateTime,
    ) -> Result<(), Error> {
        let parts = self.parts();
        let made_at = Some(row.instant("created_at")?);
        let record = ItemId::try_from(row.bytes("record")?)?;
        let record = DisposalTarget {
            made_at,
            ..DisposalTarget::new(tenant, parts.class_record.clone(), record)
        };
        holds.permit(&record, now)?;
        let events = [Occurrence::new(Action::ObjectDeleted.name(), now)];
        for class in &parts.profile.file_classes {
            let target = DisposalTarget {
                made_at,
                ..DisposalTarget::new(tenant, class.clone(), file.clone())
            };
            holds.permit(&target, now)?;
            // a document without a store of objects has no rule about files
            let Some(store) = &parts.profile.file_store else {
                continue;
            };
            let item = Item {
                events: &events,
                ..target.item()
            }
            .in_store(store);
            let none = HoldView::none();
            let verdict = parts.retention.evaluate(&item, &none, &self.moment(now));
            if matches!(verdict.state, State::Keep | State::Conflict) {
                return Err(Error::Kept);
            }
        }
        Ok(())
    }

    /// Finishes a deletion in the process that began it; the caller keeps the store from being
    /// replaced.
    async fn finish_here(&self, tenant: TenantId, file: &ItemId, due: &Due) -> Result<(), Error> {
        let service = Caller::service(ServiceKind::Retention);
        let scope = self
            .enter::<Maintain>(&service, tenant, AccessAction::StoreSweep)
            .await?;
        self.finish_withdrawal(&scope, file).await?;
        self.cancel_due(tenant, &due.kind, &due.key).await
    }

    /// Finishes the deletion that the key of a row of the due-queue names. Says whether there was
    /// anything left to do.
    pub(crate) async fn withdraw_again(&self, tenant: TenantId, key: &[u8]) -> Result<bool, Error> {
        let Some((file, _)) = parse_key(key) else {
            return Ok(false);
        };
        let _writing = self.parts().writing(tenant).await;
        // Also of a database that was deleted meanwhile: its files are public until they are gone.
        let scope = self.store_scope(tenant).await?;
        self.finish_withdrawal(&scope, &file).await
    }

    /// Removes the bytes, tries every way to them, and only then tells the log; a deletion that was
    /// finished before is left alone.
    async fn finish_withdrawal(
        &self,
        scope: &Scope<Maintain>,
        file: &ItemId,
    ) -> Result<bool, Error> {
        let parts = self.parts();
        let tenant = scope.tenant();
        let args = || Args::new().bind(tenant).bind(file);
        let mut tx = scope.begin(parts.tenants.as_ref()).await?;
        let sql = include_str!("../sql/read_withdrawal.sql");
        let row = tx.tx().await?.row(sql, args()).await?;
        drop(tx);
        let Some(row) = row else { return Ok(false) };
        let version = row.opt_text("version")?.map(str::to_owned);
        let name = object_path(scope, file);
        parts.files.remove(name.as_ref()).await?;
        for way in Way::all(version.as_deref()) {
            if parts.files.reach(name.as_ref(), &way).await? == Reached::Open {
                return Err(Error::StillPresent);
            }
        }
        // The deletion is in the log before what follows from it: events of one instant have no order
        // of their own until they are.
        self.sequence().await?;
        let service = Caller::service(ServiceKind::Retention);
        let target = target(tenant, "attachment", file);
        let action = Action::ObjectUnreachable;
        let event = self.row_event(&service, scope.decision(), action, target)?;
        let mut change = self.begin_change(scope, vec![event]).await?;
        let tx = change.tx().await?;
        let sql = include_str!("../sql/delete_withdrawal.sql");
        if tx.execute(sql, args()).await? == 0 {
            // Somebody else was faster, and has told the log.
            return Ok(false);
        }
        for class in &parts.profile.file_classes {
            let target = DisposalTarget::new(tenant, class.clone(), file.clone());
            retention_policy::hold::sql::settle(tx, &target).await?;
        }
        change.commit().await?;
        Ok(true)
    }

    /// Plans what the tenant's journal says is not finished.
    pub(crate) async fn plan_withdrawals(&self, scope: &Scope<Maintain>) -> Result<(), Error> {
        let tenant = scope.tenant();
        let mut tx = scope.begin(self.parts().tenants.as_ref()).await?;
        let sql = include_str!("../sql/list_withdrawals.sql");
        let rows = tx.tx().await?.rows(sql, Args::new().bind(tenant)).await?;
        drop(tx);
        let now = self.parts().clock.now();
        for row in &rows {
            let file = ItemId::try_from(row.bytes("file")?)?;
            let deleted = row.instant("deleted_at")?;
            let due = withdrawal_row(tenant, &file, deleted, now);
            self.put_due(&due).await?;
        }
        Ok(())
    }
}

/// How long a removal that failed waits: as long as it is overdue by now, so that waits double, from
/// one second to what other work waits.
pub(crate) fn retry_after(key: &[u8], now: UtcDateTime) -> Duration {
    let since = parse_key(key).map_or(RETRY, |(_, deleted)| now - deleted);
    since.clamp(RETRY_MIN, RETRY)
}

fn withdrawal_row(
    tenant: TenantId,
    file: &ItemId,
    deleted: UtcDateTime,
    due_at: UtcDateTime,
) -> Due {
    let mut key = file.as_bytes().to_vec();
    key.extend(deleted.unix_timestamp().to_be_bytes());
    Due {
        due_at,
        kind: kind::OBJECT.to_owned(),
        tenant,
        key,
    }
}

/// The file, and the second of its deletion.
fn parse_key(key: &[u8]) -> Option<(ItemId, UtcDateTime)> {
    let (file, deleted) = key.split_at_checked(FILE_ID_LEN_BYTES)?;
    let deleted = i64::from_be_bytes(deleted.try_into().ok()?);
    let deleted = UtcDateTime::from_unix_timestamp(deleted).ok()?;
    Some((ItemId::try_from(file).ok()?, deleted))
}
