//! One record's way: decided, sealed, written with its event in one transaction; read, changed,
//! deleted to the bin and taken out of it.

pub(crate) mod map;
mod session;
pub(crate) mod tables;

use covenant_core::event::{Change, Datum};
use covenant_core::sealer::OpenError;
use covenant_core::{Action, DecisionId, Event, Id, ItemId, Outcome, Redacted, Target, TenantId};
use crypto_envelope::sealed::SealedBytes;
use crypto_envelope::{Reveal, RevealError, Revealed, Sensitive};
use object_store::{ObjectStoreExt as _, PutMode, PutOptions};
use sql_store::{Args, DbError};
use tenant_isolation::level::{Level, Read, Rows, Write};
use tenant_isolation::{AccessAction, AccessRequest, Caller, Scope, TenantTx};

use crate::assembly::Covenant;
use crate::error::Error;
use map::{body_place, object_place, sensitive_place};

use session::read_row;

pub use session::Session;
pub use tables::{ErasedRows, RecordTables, SqlTables};

/// Most files of one record: a bound of ours, far below what one disposal can look for; a record beyond
/// that could never be purged, and would keep the rest of its bin.
pub const ATTACHMENTS_MAX: usize = 10_000;

/// What a record is made of, before it is sealed.
#[derive(Debug, Clone, Default)]
pub struct NewRecord {
    /// Its content.
    pub body: Vec<u8>,
    /// Its especially sensitive field, shown only by [`Covenant::reveal`].
    pub sensitive: Option<Vec<u8>>,
    /// Its attached files, at most [`ATTACHMENTS_MAX`].
    pub attachments: Vec<Vec<u8>>,
}

/// A record as a normal read shows it: the especially sensitive field is masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its id.
    pub id: ItemId,
    /// Its content.
    pub body: Redacted<Vec<u8>>,
    /// Its attached files.
    pub attachments: Vec<Redacted<Vec<u8>>>,
    /// Whether it has an especially sensitive field.
    pub has_sensitive: bool,
}

/// An attached file, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its id.
    pub id: ItemId,
    /// How many bytes it has in the store, sealed.
    pub stored_len: u64,
}

impl Record {
    /// What is shown in the place of the especially sensitive field, when there is one: the same for
    /// every value and length. The value is had by [`Covenant::reveal`] alone.
    // clause: R-12
    #[must_use]
    pub fn shown_sensitive(&self) -> Option<&'static str> {
        self.has_sensitive.then_some(crypto_envelope::MASK)
    }
}

/// What a write left in the stores: the salts of its sealed values, which are no content, and by
/// which their bytes are found again when they should be gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Of the body.
    pub body: Vec<[u8; 24]>,
    /// Of the especially sensitive field, its outer layer.
    pub sensitive: Vec<[u8; 24]>,
    /// Of the attached files.
    pub attachments: Vec<[u8; 24]>,
}

/// The sealed values of a new record.
struct Sealed<'a> {
    id: &'a ItemId,
    body: &'a [u8],
    sensitive: Option<&'a [u8]>,
}

/// An attached file, sealed and stored, not yet named by a row.
struct StoredObject {
    id: ItemId,
    len: u64,
    salt: [u8; 24],
}

impl Covenant {
    /// Writes a new record.
    ///
    /// # Errors
    /// [`Error::TooManyFiles`] for a record that could not be purged; else [`Error`]. Nothing was
    /// written then, but for sealed objects that no row names.
    // clause: P-12, P-13, P-36, Q-14, R-10, R-11, R-20
    pub async fn put(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: &ItemId,
        record: &NewRecord,
    ) -> Result<Written, Error> {
        let scope = self
            .enter::<Write>(caller, tenant, AccessAction::RecordWrite)
            .await?;
        if record.attachments.len() > ATTACHMENTS_MAX {
            return Err(Error::TooManyFiles {
                max: ATTACHMENTS_MAX,
            });
        }
        let _writing = self.parts().writing(tenant).await;
        let body = self.seal_body(tenant, id, &record.body).await?;
        let sensitive = self
            .seal_sensitive(tenant, id, record.sensitive.as_ref())
            .await?;
        let mut objects = Vec::new();
        let sealed = Sealed {
            id,
            body: &body,
            sensitive: sensitive.as_ref().map(Sensitive::as_bytes),
        };
        let written = self
            .write_rows(caller, &scope, &sealed, record, &mut objects)
            .await;
        let change = match written {
            Ok(change) => change,
            Err(error) => {
                self.drop_objects(&scope, &objects).await;
                return Err(error);
            }
        };
        change.commit().await?;
        Ok(Written {
            body: salts(&body),
            sensitive: sensitive.iter().map(Sensitive::salt).collect(),
            attachments: objects.iter().map(|object| object.salt).collect(),
        })
    }

    /// Stores the files and writes the rows of a new record with their events; the caller commits.
    async fn write_rows<'s>(
        &self,
        caller: &Caller,
        scope: &'s Scope<Write>,
        sealed: &Sealed<'_>,
        record: &NewRecord,
        objects: &mut Vec<StoredObject>,
    ) -> Result<OpenChange<'s, Write>, Error> {
        let tenant = scope.tenant();
        let Sealed {
            id,
            body,
            sensitive,
        } = *sealed;
        for bytes in &record.attachments {
            objects.push(self.store_object(scope, bytes).await?);
        }
        let decision = scope.decision();
        let mut events = vec![
            self.row_event(
                caller,
                decision,
                Action::RecordCreated,
                target(tenant, "record", id),
            )?,
            self.row_event(
                caller,
                decision,
                Action::ChangeRecorded,
                target(tenant, "content", id),
            )?
            .with("op", Datum::Token("insert"))
            .with_change(changed("body", None, Some(&record.body))?),
        ];
        for object in objects.iter() {
            let target = target(tenant, "attachment", &object.id);
            let event = self.row_event(caller, decision, Action::ChangeRecorded, target)?;
            events.push(event.with("op", Datum::Token("insert")));
        }
        let mut change = self.begin_change(scope, events).await?;
        let now = self.parts().clock.now();
        let tx = change.tx().await?;
        let args = Args::new().bind(tenant).bind(id).bind(now);
        tx.execute(include_str!("../sql/insert_record.sql"), args)
            .await
            .map_err(taken)?;
        let args = Args::new()
            .bind(tenant)
            .bind(id)
            .bind(body)
            .bind(sensitive.map(<[u8]>::to_vec));
        tx.execute(include_str!("../sql/insert_content.sql"), args)
            .await?;
        for object in objects.iter() {
            let len = i64::try_from(object.len).unwrap_or(i64::MAX);
            let args = Args::new().bind(tenant).bind(&object.id).bind(id).bind(len);
            let args = args.bind(object.salt);
            tx.execute(include_str!("../sql/insert_attachment.sql"), args)
                .await?;
        }
        Ok(change)
    }

    /// Removes the files of a record that was not written. What cannot be removed is sealed and
    /// named by no row.
    async fn drop_objects(&self, scope: &Scope<Write>, objects: &[StoredObject]) {
        for object in objects {
            let path = object_path(scope, &object.id);
            drop(self.parts().objects.delete(&path).await);
        }
    }

    /// Replaces the body of a record.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a record that is not there or in the bin; else [`Error`].
    // clause: R-20
    pub async fn change(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: &ItemId,
        body: &[u8],
    ) -> Result<Written, Error> {
        let scope = self
            .enter::<Write>(caller, tenant, AccessAction::RecordWrite)
            .await?;
        let _writing = self.parts().writing(tenant).await;
        let sealed = self.seal_body(tenant, id, body).await?;
        let decision = scope.decision();
        let action = Action::ChangeRecorded;
        let events = vec![
            self.row_event(caller, decision, action, target(tenant, "record", id))?,
            self.row_event(caller, decision, action, target(tenant, "content", id))?
                .with_change(changed("body", None, Some(body))?),
        ];
        let mut change = self.begin_change(&scope, events).await?;
        let now = self.parts().clock.now();
        let tx = change.tx().await?;
        let args = Args::new().bind(tenant).bind(id).bind(now);
        if tx
            .execute(include_str!("../sql/touch_record.sql"), args)
            .await?
            == 0
        {
            return Err(Error::NotFound);
        }
        let args = Args::new().bind(tenant).bind(id).bind(&sealed);
        tx.execute(include_str!("../sql/update_body.sql"), args)
            .await?;
        change.commit().await?;
        Ok(Written {
            body: salts(&sealed),
            ..Written::default()
        })
    }

    /// Moves a record into the bin: invisible to normal reads from the commit on, restorable until
    /// its floor ends.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a record that is not there or in the bin already; else [`Error`].
    // clause: P-51, R-20
    pub async fn delete(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: &ItemId,
    ) -> Result<(), Error> {
        let scope = self
            .enter::<Write>(caller, tenant, AccessAction::RecordWrite)
            .await?;
        let _writing = self.parts().writing(tenant).await;
        let target = target(tenant, "record", id);
        let event = self.row_event(caller, scope.decision(), Action::RecordDeleted, target)?;
        let mut change = self.begin_change(&scope, vec![event]).await?;
        let now = self.parts().clock.now();
        let tables = self.parts().tables.clone();
        if tables.bin(change.tx().await?, tenant, id, now).await? == 0 {
            return Err(Error::NotFound);
        }
        self.plan_purge(change.tx().await?, tenant).await?;
        change.commit().await?;
        Ok(())
    }

    /// Takes a record out of the bin.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a record that is not in the bin; else [`Error`].
    // clause: P-51, R-20
    pub async fn restore(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: &ItemId,
    ) -> Result<(), Error> {
        let scope = self
            .enter::<Write>(caller, tenant, AccessAction::RecordWrite)
            .await?;
        let _writing = self.parts().writing(tenant).await;
        let target = target(tenant, "record", id);
        let event = self.row_event(caller, scope.decision(), Action::RecordRestored, target)?;
        let mut change = self.begin_change(&scope, vec![event]).await?;
        let tables = self.parts().tables.clone();
        if tables.unbin(change.tx().await?, tenant, id).await? == 0 {
            return Err(Error::NotFound);
        }
        self.plan_live(change.tx().await?, tenant).await?;
        change.commit().await?;
        Ok(())
    }

    /// Reads a record by a fresh request.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a record that is not there or in the bin; else [`Error`].
    // clause: P-58
    pub async fn get(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: &ItemId,
    ) -> Result<Record, Error> {
        let session = self.open_session(caller, tenant).await?;
        session.get(id).await
    }

    /// Lists the records that are not in the bin.
    ///
    /// # Errors
    /// [`Error`].
    // clause: P-58
    pub async fn list(&self, caller: &Caller, tenant: TenantId) -> Result<Vec<ItemId>, Error> {
        let session = self.open_session(caller, tenant).await?;
        session.list().await
    }

    /// Lists the attached files of a record.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a record that is not there or in the bin; else [`Error`].
    pub async fn attachments(
        &self,
        caller: &Caller,
        tenant: TenantId,
        record: &ItemId,
    ) -> Result<Vec<Attachment>, Error> {
        let session = self.open_session(caller, tenant).await?;
        session.attachments(record).await
    }

    /// Reads one attached file.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a file of no record, or of one in the bin; else [`Error`].
    pub async fn attachment(
        &self,
        caller: &Caller,
        tenant: TenantId,
        file: &ItemId,
    ) -> Result<Redacted<Vec<u8>>, Error> {
        let session = self.open_session(caller, tenant).await?;
        session.attachment(file).await
    }

    /// Opens a reading session: one decision, many reads, until it ends or the tenant's state
    /// changes.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn open_session(&self, caller: &Caller, tenant: TenantId) -> Result<Session, Error> {
        let scope = self
            .enter::<Read>(caller, tenant, AccessAction::RecordRead)
            .await?;
        Ok(Session::new(self.clone(), scope))
    }

    /// Shows an especially sensitive field; the act is on record before the plaintext exists.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such record or field; else [`Error`].
    // clause: R-11
    pub async fn reveal(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: &ItemId,
    ) -> Result<Revealed<Vec<u8>>, Error> {
        let scope = self
            .enter::<Read>(caller, tenant, AccessAction::RecordRead)
            .await?;
        let mut tx = scope.begin(self.parts().tenants.as_ref()).await?;
        let row = read_row(&mut tx, tenant, id)
            .await?
            .ok_or(Error::NotFound)?;
        drop(tx);
        let sealed = row.sensitive.ok_or(Error::NotFound)?;
        let field = Sensitive::try_from(sealed).or(Err(OpenError::NotAuthentic))?;
        let why = Reveal {
            event: self.mint()?,
            at: self.parts().clock.now(),
            actor: caller.actor(),
            target: target(tenant, "content", id),
            decision: Some(scope.decision()),
        };
        let parts = self.parts();
        let place = sensitive_place(tenant, id)?;
        let (sealer, sink) = (parts.sealer.as_ref(), parts.sink.as_ref());
        let revealed = crypto_envelope::reveal(sealer, &field, &place, &why, sink).await;
        revealed.map_err(|error| match error {
            RevealError::NotAudited(error) => Error::NotAudited(error),
            RevealError::Open(error) => error.into(),
            other => Error::unavailable(other),
        })
    }

    pub(crate) async fn seal_body(
        &self,
        tenant: TenantId,
        id: &ItemId,
        body: &[u8],
    ) -> Result<Vec<u8>, Error> {
        Ok(self
            .parts()
            .sealer
            .seal(&body_place(tenant, id)?, body)
            .await?)
    }

    async fn seal_sensitive(
        &self,
        tenant: TenantId,
        id: &ItemId,
        value: Option<&Vec<u8>>,
    ) -> Result<Option<Sensitive<Vec<u8>>>, Error> {
        let Some(value) = value else { return Ok(None) };
        let place = sensitive_place(tenant, id)?;
        let sealer = self.parts().sealer.as_ref();
        Ok(Some(Sensitive::seal(sealer, &place, value).await?))
    }

    /// Seals a file and stores it under a new name.
    async fn store_object(
        &self,
        scope: &Scope<Write>,
        bytes: &[u8],
    ) -> Result<StoredObject, Error> {
        let object: Id<covenant_core::kind::Store> = self.mint()?;
        let id = ItemId::from(object.as_uuid());
        let path = object_path(scope, &id);
        let place = object_place(scope.tenant(), path.as_ref())?;
        let sealed = self.parts().sealer.seal(&place, bytes).await?;
        let salt = salts(&sealed).first().copied().unwrap_or_default();
        let len = u64::try_from(sealed.len()).unwrap_or(u64::MAX);
        let options = PutOptions::from(PutMode::Create);
        self.parts()
            .objects
            .put_opts(&path, sealed.into(), options)
            .await?;
        Ok(StoredObject { id, len, salt })
    }

    /// An event about one row, by this caller, now.
    pub(crate) fn row_event(
        &self,
        caller: &Caller,
        decision: DecisionId,
        action: Action,
        target: Target,
    ) -> Result<Event, Error> {
        let now = self.parts().clock.now();
        let event = Event::new(
            self.mint()?,
            now,
            caller.actor(),
            action,
            target,
            Outcome::Ok,
        );
        Ok(event.with_decision(decision))
    }

    /// A scope for this caller.
    pub(crate) async fn enter<L: Level>(
        &self,
        caller: &Caller,
        tenant: TenantId,
        action: AccessAction,
    ) -> Result<Scope<L>, Error> {
        let request = AccessRequest::new(caller.clone(), tenant, action);
        Ok(self.parts().guard.enter::<L>(request).await?)
    }

    /// Prepares the events, begins a transaction, announces it to the triggers and records the
    /// events in it.
    pub(crate) async fn begin_change<'s, L: Rows>(
        &self,
        scope: &'s Scope<L>,
        events: Vec<Event>,
    ) -> Result<OpenChange<'s, L>, Error> {
        let sink = self.parts().sink.clone();
        let mut prepared = Vec::new();
        for event in in_order(events) {
            prepared.push(sink.prepare(event).await?);
        }
        let mut tx = scope.begin(self.parts().tenants.as_ref()).await?;
        audit_log::changes::begin_change(tx.tx().await?).await?;
        for event in prepared {
            sink.record(tx.outbox(), event).await?;
        }
        let marks = MarkWritten {
            covenant: self.clone(),
            tenant: scope.tenant(),
        };
        Ok(OpenChange { tx, marks })
    }
}

/// The events with their ids in their own order: a log has those of one instant by their ids, which
/// are drawn, and an order by hand comes before the purge that it is about.
// clause: P-51
fn in_order(mut events: Vec<Event>) -> Vec<Event> {
    let mut ids: Vec<_> = events.iter().map(|event| event.id).collect();
    ids.sort_unstable();
    for (event, id) in events.iter_mut().zip(ids) {
        event.id = id;
    }
    events
}

/// A transaction that changes rows, announced to the triggers, its events recorded. Dropped, it is
/// rolled back with its events.
#[derive(Debug)]
pub(crate) struct OpenChange<'s, L> {
    tx: TenantTx<'s, L>,
    marks: MarkWritten,
}

/// Notes, when dropped, that the tenant's outbox may hold something: also when whoever committed
/// does not live to see the end of it.
#[derive(Debug)]
struct MarkWritten {
    covenant: Covenant,
    tenant: TenantId,
}

impl Drop for MarkWritten {
    fn drop(&mut self) {
        self.covenant.parts().mark_dirty(self.tenant);
    }
}

impl<L: Rows> OpenChange<'_, L> {
    pub(crate) async fn tx(&mut self) -> Result<&mut sql_store::Tx, Error> {
        Ok(self.tx.tx().await?)
    }

    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        audit_log::changes::end_change(self.tx.tx().await?).await?;
        let Self { tx, marks } = self;
        let committed = tx.commit().await;
        drop(marks);
        Ok(committed?)
    }
}

/// Where an object of the scope's tenant lies.
pub(crate) fn object_path<L: Level>(scope: &Scope<L>, id: &ItemId) -> object_store::path::Path {
    let region = scope.region();
    object_store::path::Path::from_iter([region.as_str(), &scope.tenant().simple(), &id.hex()])
}

/// The row of a table as a target.
pub(crate) fn target(tenant: TenantId, table: &'static str, id: &ItemId) -> Target {
    Target::row(tenant, "record", table, id.clone())
}

/// A changed column: the log commits to its values and keeps none of them.
fn changed(
    column: &'static str,
    before: Option<&[u8]>,
    after: Option<&[u8]>,
) -> Result<Change, Error> {
    Ok(Change {
        column: ItemId::try_from(column)?,
        before: before.map(|value| Redacted(value.to_vec())),
        after: after.map(|value| Redacted(value.to_vec())),
    })
}

/// The salt of a sealed value.
pub(crate) fn salts(sealed: &[u8]) -> Vec<[u8; 24]> {
    SealedBytes::parse(sealed)
        .ok()
        .map(|parsed| *parsed.salt())
        .into_iter()
        .collect()
}

/// A record of this id is there already, if that is what the database refused.
pub(crate) fn taken(error: DbError) -> Error {
    match error {
        DbError::Constraint { .. } => Error::Exists,
        other => other.into(),
    }
}
