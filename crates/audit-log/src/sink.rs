//! The event sink: turns an event into a leaf with commitments and sealed side values, and puts it
//! into the caller's transaction, or into the log's own outbox.

use std::fmt::Debug;
use std::sync::Arc;

use covenant_core::event::{ActorKind, Datum, Path, Prepared};
use covenant_core::outbox::LEAF_LEN_BYTES_MAX;
use covenant_core::sealer::SealError;
use covenant_core::{
    BoxFuture, Event, EventId, EventSink, LogId, OutboxRow, OutboxTx, Outcome, Random, Sealer,
    SinkError, canon,
};

use crate::action::{self, Class, Effect};
use crate::field::{self, Keep, SALT_LEN_BYTES, SealedField};
use crate::jcs::INT_MAX;
use crate::leaf::{
    FIELDS_MAX, Leaf, LeafActor, LeafChange, LeafDatum, LeafError, LeafField, LeafSource,
    LeafTarget,
};
use crate::names::log_for;
use crate::rfc3339;

/// Kind of an outbox row that holds a leaf.
pub const ROW_KIND_LEAF: u8 = 0;
/// Path of the commitment to the source address.
pub const ADDRESS_PATH: &str = "src.ip";
/// Path of the commitment to all changes of an event with too many for one leaf.
pub const MANIFEST_PATH: &str = "changes";
/// Bytes of a leaf kept free for what the sequencer stamps: an instant and a UUID.
const STAMP_LEN_BYTES: usize = 72;

/// The log's own outbox, for facts without a transaction.
///
/// # Contract
/// `accept` returns when the row is durable. A row whose event is already there or already sequenced
/// is absorbed when both leaves state the same fact, and [`SinkError::Taken`] otherwise.
///
/// # Errors
/// [`SinkError`].
pub trait Inbox: Debug + Send + Sync {
    /// Takes one row, durably.
    fn accept(&self, row: OutboxRow) -> BoxFuture<'_, Result<(), SinkError>>;
}

/// The sink of every log of a deployment.
#[derive(Debug, Clone)]
pub struct Sink {
    sealer: Arc<dyn Sealer>,
    random: Arc<dyn Random>,
    inbox: Arc<dyn Inbox>,
}

impl Sink {
    /// A sink that seals source addresses with `sealer`, and gives facts without a transaction to
    /// `inbox`.
    #[must_use]
    pub const fn new(
        sealer: Arc<dyn Sealer>,
        random: Arc<dyn Random>,
        inbox: Arc<dyn Inbox>,
    ) -> Self {
        Self {
            sealer,
            random,
            inbox,
        }
    }

    async fn leaf(&self, event: Event) -> Result<Prepared, SinkError> {
        check(&event)?;
        let log = log_for(event.target.tenant);
        let mut fields = Fields {
            sink: self,
            log,
            event: event.id,
            list: vec![],
            sealed: vec![],
        };
        let address = match &event.actor.address {
            Some(address) => {
                let value = field::address_value(address.0);
                Some(fields.sealed(ADDRESS_PATH, value.as_bytes()).await?)
            }
            None => None,
        };
        let changes = fields.changes(&event)?;
        let Fields { list, sealed, .. } = fields;
        let tenant = event.target.tenant;
        let (id, action) = (event.id, event.action);
        let leaf = leaf_of(event, log, address, changes, list)?;
        let leaf = leaf.encode().map_err(refused)?;
        if leaf.len() > LEAF_LEN_BYTES_MAX - STAMP_LEN_BYTES {
            return Err(refused(LeafError::TooLarge));
        }
        let sealed = field::encode_sealed(&sealed);
        let row = OutboxRow {
            event: id,
            log,
            kind: ROW_KIND_LEAF,
            leaf,
            sealed,
        };
        Ok(Prepared {
            event: id,
            tenant,
            action,
            rows: vec![row],
        })
    }

    fn salt(&self) -> Result<[u8; SALT_LEN_BYTES], SinkError> {
        let mut salt = [0; SALT_LEN_BYTES];
        self.random.fill(&mut salt).map_err(unavailable)?;
        Ok(salt)
    }
}

// clause: R-20
impl EventSink for Sink {
    fn prepare(&self, event: Event) -> BoxFuture<'_, Result<Prepared, SinkError>> {
        Box::pin(self.leaf(event))
    }

    fn record<'a>(
        &'a self,
        tx: &'a mut dyn OutboxTx,
        prepared: Prepared,
    ) -> BoxFuture<'a, Result<EventId, SinkError>> {
        Box::pin(async move {
            let log = log_for(prepared.tenant);
            let foreign = tx
                .tag()
                .tenant
                .is_some_and(|tenant| Some(tenant) != prepared.tenant);
            if foreign || prepared.rows.iter().any(|row| row.log != log) {
                return Err(SinkError::WrongTenant);
            }
            for row in prepared.rows {
                tx.put(row).await.map_err(SinkError::Outbox)?;
            }
            Ok(prepared.event)
        })
    }

    fn emit(&self, event: Event) -> BoxFuture<'_, Result<EventId, SinkError>> {
        Box::pin(async move {
            let prepared = self.leaf(event).await?;
            for row in prepared.rows {
                self.inbox.accept(row).await?;
            }
            Ok(prepared.event)
        })
    }
}

/// The commitments of one event in the making.
struct Fields<'a> {
    sink: &'a Sink,
    log: LogId,
    event: EventId,
    list: Vec<LeafField>,
    sealed: Vec<SealedField>,
}

impl Fields<'_> {
    /// Commits to a value and seals it. Under a key that is no more, nothing could ever be opened:
    /// then the salt is thrown away.
    async fn sealed(&mut self, path: &str, value: &[u8]) -> Result<u64, SinkError> {
        let salt = self.sink.salt()?;
        let place = field::place(self.log, self.event, path).map_err(unavailable)?;
        let plain = field::salted(&salt, value);
        let keep = match self.sink.sealer.seal(&place, plain.expose()).await {
            Ok(sealed) => {
                self.sealed.push(SealedField {
                    path: path.to_owned(),
                    sealed,
                });
                Keep::Sealed
            }
            Err(SealError::Key(_)) => Keep::Never,
            Err(error) => return Err(unavailable(error)),
        };
        Ok(self.add(path.to_owned(), &salt, value, keep))
    }

    fn never(&mut self, path: String, value: &[u8]) -> Result<u64, SinkError> {
        let salt = self.sink.salt()?;
        Ok(self.add(path, &salt, value, Keep::Never))
    }

    fn add(&mut self, path: String, salt: &[u8; 32], value: &[u8], keep: Keep) -> u64 {
        let index = u64::try_from(self.list.len()).unwrap_or(u64::MAX);
        let commitment = field::commit(self.event, &path, salt, value);
        self.list.push(LeafField {
            path,
            commitment,
            keep,
        });
        index
    }

    /// Commits to both values of every changed column; to all of them at once when there are more
    /// than a leaf holds.
    fn changes(&mut self, event: &Event) -> Result<Vec<LeafChange>, SinkError> {
        if event.changes.len().saturating_mul(2) >= FIELDS_MAX {
            self.never(MANIFEST_PATH.to_owned(), &manifest(event))?;
            return Ok(Vec::new());
        }
        let mut changes = Vec::new();
        for (n, change) in event.changes.iter().enumerate() {
            let mut side = |end: &str, value: &Option<covenant_core::Redacted<Vec<u8>>>| {
                value
                    .as_ref()
                    .map(|v| self.never(format!("changes.{n}.{end}"), &v.0))
                    .transpose()
            };
            let (before, after) = (side("b", &change.before)?, side("a", &change.after)?);
            changes.push(LeafChange {
                column: change.column.clone(),
                before,
                after,
            });
        }
        Ok(changes)
    }
}

/// All changes of an event, canonically: column, then each value with a byte for its presence.
fn manifest(event: &Event) -> Vec<u8> {
    let mut w = canon::Writer::new();
    for change in &event.changes {
        w.bytes(change.column.as_bytes());
        for value in [&change.before, &change.after] {
            match value {
                Some(value) => w.u8(1).bytes(&value.0),
                None => w.u8(0),
            };
        }
    }
    w.finish()
}

/// Refuses an event that lacks what its action requires, before anything is written.
fn check(event: &Event) -> Result<(), SinkError> {
    let settings = action::settings(event.action);
    let settings = settings.ok_or(SinkError::Incomplete("an action that this log knows"))?;
    let Event {
        actor,
        target,
        outcome,
        rows,
        ..
    } = event;
    let named = match actor.kind {
        ActorKind::System => true,
        ActorKind::Unknown => *outcome != Outcome::Ok,
        _ => actor.id.is_some(),
    };
    if !named {
        return Err(SinkError::Incomplete("an actor"));
    }
    if actor.path != Path::System && actor.address.is_none() {
        return Err(SinkError::Incomplete("a source address"));
    }
    let item = matches!(
        settings.effect(),
        Some(Effect::Hidden | Effect::Live | Effect::Purged)
    );
    if settings.class() == Class::Change && target.id.is_none() && (item || rows.is_none()) {
        return Err(SinkError::Incomplete("the row that changed"));
    }
    if settings.effect().is_some() && target.tenant.is_none() {
        return Err(SinkError::Incomplete("a tenant"));
    }
    Ok(())
}

fn leaf_of(
    event: Event,
    log: LogId,
    address: Option<u64>,
    changes: Vec<LeafChange>,
    fields: Vec<LeafField>,
) -> Result<Leaf, SinkError> {
    let Event {
        id,
        at,
        actor,
        action,
        target,
        outcome,
        code,
        decision,
        clauses,
        changes: _,
        rows,
        data,
    } = event;
    let data: Result<_, _> = data
        .into_iter()
        .map(|(name, datum)| Ok((name.to_owned(), datum_of(datum)?)))
        .collect();
    Ok(Leaf {
        log,
        event: id,
        at: rfc3339::to_micros(at),
        recorded_at: None,
        txn: None,
        action,
        outcome,
        code: code.map(str::to_owned),
        actor: LeafActor {
            kind: actor.kind,
            id: actor.id,
        },
        on_behalf_of: actor.on_behalf_of,
        source: LeafSource {
            path: actor.path,
            address,
        },
        target: LeafTarget {
            kind: target.kind.to_owned(),
            table: target.table.map(str::to_owned),
            id: target.id,
        },
        decision,
        changes,
        rows,
        fields,
        clauses,
        data: data?,
    })
}

fn datum_of(datum: Datum) -> Result<LeafDatum, SinkError> {
    match datum {
        Datum::Count(count) if count <= INT_MAX => Ok(LeafDatum::Count(count)),
        Datum::Token(word) => Ok(LeafDatum::Text(word.to_owned())),
        Datum::Id(id) => Ok(LeafDatum::Text(id.as_hyphenated().to_string())),
        Datum::At(at) => rfc3339::print(at)
            .map(LeafDatum::Text)
            .ok_or(SinkError::Incomplete(
                "an instant within the years 0 to 9999",
            )),
        Datum::Bytes(bytes) => Ok(LeafDatum::Text(canon::hex(&bytes))),
        _ => Err(SinkError::Incomplete("a value that a leaf can hold")),
    }
}

fn refused(error: LeafError) -> SinkError {
    SinkError::Incomplete(match error {
        LeafError::TooLarge => "a size that fits an entry",
        LeafError::Part(part) => part,
    })
}

pub(crate) fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SinkError {
    SinkError::Unavailable(error.into())
}
