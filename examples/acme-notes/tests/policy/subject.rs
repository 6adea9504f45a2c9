//! Acme Notes as a subject of the kit: what each act means here, and the systems that must fail,
//! built by wrapping the clock and the disk that the service is given. The service has no switch.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use acme_notes::{Clock, Disk, Fact, Folder, Note, Notes, Refused, What};
use conformance::act::{PutSeen, Reader, Record, RecordSeen, Tenant};
use conformance::canary::Store;
use conformance::{
    Act, BuildError, Can, Canary, CrashPoint, Refusal, Sabotage, Seen, Sightings, Subject,
    SubjectError, SubjectFactory, SubjectInfo,
};
use covenant_core::event::ActorContext;
use covenant_core::{
    Action, BoxFuture, Event, EventId, ItemId, ManualClock, Outcome, Target, TenantId,
};
use policy_document::Document;
use tempfile::TempDir;
use time::{Duration, UtcDateTime};

/// How late a sabotaged service tidies up, and how early.
const LATE: Duration = Duration::days(3);
const EARLY: Duration = Duration::days(2);

/// Builds services on folders of their own.
pub struct AcmeFactory;

impl SubjectFactory for AcmeFactory {
    fn info(&self) -> SubjectInfo {
        SubjectInfo {
            name: "Acme Notes".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rows: "files".to_owned(),
            blobs: "the same files".to_owned(),
            keys: "none".to_owned(),
            notices: "none".to_owned(),
            synchronous: "off".to_owned(),
        }
    }

    fn can(&self, sabotage: Sabotage) -> Can {
        match sabotage {
            Sabotage::PurgeEarly
            | Sabotage::PurgeLate
            | Sabotage::ClockTrusted
            | Sabotage::IndexRowOnly
            | Sabotage::DeletedReadableInCache => Can::Built,
            // one file a notebook, without a database beneath
            Sabotage::NoVacuum | Sabotage::NoCheckpoint => Can::Unsupported,
            _ => Can::NotBuilt,
        }
    }

    fn build<'a>(
        &'a self,
        clock: Arc<ManualClock>,
        _: &'a Document,
        sabotage: Option<Sabotage>,
    ) -> BoxFuture<'a, Result<Box<dyn Subject>, BuildError>> {
        Box::pin(async move {
            let folder = tempfile::tempdir().map_err(|error| BuildError::NotStarted {
                reason: "no folder".to_owned(),
                source: Some(Box::new(error)),
            })?;
            let ahead = Arc::new(AtomicI64::new(0));
            let watch = Watch {
                born: covenant_core::Clock::now(clock.as_ref()),
                clock,
                ahead: Arc::clone(&ahead),
                sabotage,
            };
            let disk = Shelf {
                folder: Folder(folder.path().to_owned()),
                sabotage,
            };
            Ok(Box::new(Acme {
                notes: Notes::open(watch, disk),
                ahead,
                sabotage,
                numbers: BTreeMap::new(),
                cache: BTreeMap::new(),
                _folder: folder,
            }) as Box<dyn Subject>)
        })
    }
}

/// The kit's clock, as the service wants it.
struct Watch {
    clock: Arc<ManualClock>,
    born: UtcDateTime,
    /// Seconds by which a sabotaged clock runs ahead.
    ahead: Arc<AtomicI64>,
    sabotage: Option<Sabotage>,
}

impl Clock for Watch {
    fn wall(&self) -> UtcDateTime {
        let ahead = Duration::seconds(self.ahead.load(Ordering::Relaxed));
        covenant_core::Clock::now(self.clock.as_ref()) + ahead
    }

    fn running(&self) -> Duration {
        if self.sabotage == Some(Sabotage::ClockTrusted) {
            return self.wall() - self.born;
        }
        let ahead = Duration::seconds(self.ahead.load(Ordering::Relaxed));
        let lived = covenant_core::Clock::monotonic(self.clock.as_ref());
        Duration::try_from(lived).unwrap_or(Duration::MAX) + ahead
    }
}

/// The service's folder; a sabotaged one never drops what a purge leaves out.
struct Shelf {
    folder: Folder,
    sabotage: Option<Sabotage>,
}

impl Disk for Shelf {
    fn append(&mut self, notebook: u16, bytes: &[u8]) -> io::Result<()> {
        self.folder.append(notebook, bytes)
    }

    fn replace(&mut self, notebook: u16, bytes: &[u8]) -> io::Result<()> {
        let purges = self.folder.read(notebook).is_ok();
        if purges && self.sabotage == Some(Sabotage::IndexRowOnly) {
            return Ok(());
        }
        self.folder.replace(notebook, bytes)
    }

    fn remove(&mut self, notebook: u16) -> io::Result<()> {
        self.folder.remove(notebook)
    }

    fn read(&self, notebook: u16) -> io::Result<Vec<u8>> {
        self.folder.read(notebook)
    }
}

/// The service under test, and how the kit's numbers map to its own.
struct Acme {
    notes: Notes<Watch, Shelf>,
    ahead: Arc<AtomicI64>,
    sabotage: Option<Sabotage>,
    numbers: BTreeMap<(Tenant, Record), u64>,
    /// What a sabotaged session remembers.
    cache: BTreeMap<(Tenant, Record), RecordSeen>,
    _folder: TempDir,
}

impl Acme {
    fn is(&self, sabotage: Sabotage) -> bool {
        self.sabotage == Some(sabotage)
    }

    fn number(&self, tenant: Tenant, record: Record) -> Result<u64, Refusal> {
        let number = self.numbers.get(&(tenant, record)).copied();
        number.ok_or_else(|| Refusal::denied("no such note"))
    }

    fn read(&self, tenant: Tenant, record: Record) -> Result<RecordSeen, Refusal> {
        let number = self.number(tenant, record)?;
        let note = self.notes.read(tenant.0, number).map_err(refusal)?;
        Ok(RecordSeen {
            body: note.text,
            attachment: (!note.file.is_empty()).then_some(note.file),
            // a note has no field of two layers
            sensitive: None,
        })
    }

    fn read_from(&mut self, tenant: Tenant, record: Record, by: Reader) -> Result<Seen, Refusal> {
        match by {
            Reader::Front => self.read(tenant, record).map(Seen::Record),
            Reader::OpenSession if self.is(Sabotage::DeletedReadableInCache) => {
                if let Some(seen) = self.cache.get(&(tenant, record)) {
                    return Ok(Seen::Record(seen.clone()));
                }
                let seen = self.read(tenant, record)?;
                self.cache.insert((tenant, record), seen.clone());
                Ok(Seen::Record(seen))
            }
            Reader::OpenSession => self.read(tenant, record).map(Seen::Record),
            // one process on one disk, which remembers nothing
            _ => Ok(Seen::Absent),
        }
    }

    fn put(&mut self, tenant: Tenant, record: Record, note: &Note) -> Result<Seen, Refusal> {
        let (number, tag) = self.notes.write(tenant.0, note).map_err(refusal)?;
        self.numbers.insert((tenant, record), number);
        Ok(Seen::Put(PutSeen {
            item: item(number),
            body: vec![tag],
            sensitive: Vec::new(),
            attachment: Vec::new(),
        }))
    }

    /// A notebook that has lived: many notes, of which some go to the bin at once.
    fn churn(&mut self, tenant: Tenant, rows: u32, deletes: u32) -> Result<Seen, Refusal> {
        let mut tags = Vec::new();
        for row in 0..rows {
            let note = Note {
                text: format!("note {row}").into_bytes(),
                ..Note::default()
            };
            let (number, tag) = self.notes.write(tenant.0, &note).map_err(refusal)?;
            if row < deletes {
                self.notes.delete(tenant.0, number).map_err(refusal)?;
                tags.push(tag);
            }
        }
        Ok(Seen::Churned(Canary::of(b"").with_salts(tags)))
    }

    fn act(&mut self, act: &Act) -> Result<Seen, Refusal> {
        match act {
            Act::CreateTenant { tenant } => done(self.notes.create(tenant.0)),
            Act::PutRecord {
                tenant,
                record,
                body,
                sensitive,
                attachment,
            } => {
                let bytes = |canary: &Canary| canary.marker().to_vec();
                let note = Note {
                    text: bytes(body),
                    private: sensitive.as_ref().map(bytes).unwrap_or_default(),
                    file: attachment.as_ref().map(bytes).unwrap_or_default(),
                };
                self.put(*tenant, *record, &note)
            }
            Act::DeleteRecord { tenant, record } => {
                let number = self.number(*tenant, *record)?;
                done(self.notes.delete(tenant.0, number))
            }
            Act::RestoreRecord { tenant, record } => {
                let number = self.number(*tenant, *record)?;
                done(self.notes.restore(tenant.0, number))
            }
            Act::ReadRecord { tenant, record } => self.read(*tenant, *record).map(Seen::Record),
            Act::ReadFrom {
                tenant,
                record,
                reader,
            } => self.read_from(*tenant, *record, *reader),
            Act::RevealSensitive { tenant, record } => {
                let number = self.number(*tenant, *record)?;
                let note = self.notes.read(tenant.0, number).map_err(refusal)?;
                Ok(Seen::Revealed(note.private))
            }
            Act::ListRecords { tenant } => {
                let listed: BTreeSet<u64> = self
                    .notes
                    .list(tenant.0)
                    .map_err(refusal)?
                    .into_iter()
                    .collect();
                let ours = self.numbers.iter().filter(|((of, _), _)| of == tenant);
                let shown = ours.filter(|(_, number)| listed.contains(number));
                Ok(Seen::Records(
                    shown.map(|((_, record), _)| *record).collect(),
                ))
            }
            Act::DeleteDatabase { tenant } => done(self.notes.close(tenant.0)),
            Act::Churn {
                tenant,
                rows,
                deletes,
                ..
            } => self.churn(*tenant, *rows, *deletes),
            // there are no backups whose rhythm could be set
            Act::SetCadence { .. } | Act::StepClock { .. } => Ok(Seen::Done),
            other => Err(Refusal::Unsupported(other.kind())),
        }
    }

    /// How much later than it should a service tidies up that is sabotaged so.
    fn late(&self) -> Duration {
        if self.is(Sabotage::PurgeLate) {
            LATE
        } else {
            Duration::ZERO
        }
    }

    fn early(&self) -> Duration {
        if self.is(Sabotage::PurgeEarly) {
            EARLY
        } else {
            Duration::ZERO
        }
    }
}

impl Subject for Acme {
    fn perform<'a>(&'a mut self, act: &'a Act) -> BoxFuture<'a, Result<Seen, Refusal>> {
        Box::pin(async move { self.act(act) })
    }

    fn run_until(&mut self, at: UtcDateTime) -> BoxFuture<'_, Result<(), SubjectError>> {
        Box::pin(async move {
            if self.next_due().is_none_or(|due| due > at) {
                return Ok(());
            }
            self.ahead
                .store(self.early().whole_seconds(), Ordering::Relaxed);
            let tidied = self.notes.tidy();
            self.ahead.store(0, Ordering::Relaxed);
            tidied.map_err(SubjectError::from_source)
        })
    }

    fn next_due(&self) -> Option<UtcDateTime> {
        Some(self.notes.next_due()? + self.late() - self.early())
    }

    fn events(&mut self) -> BoxFuture<'_, Result<Vec<Event>, SubjectError>> {
        Box::pin(async { Ok((1..).zip(self.notes.facts()).map(event).collect()) })
    }

    fn find_bytes<'a>(
        &'a mut self,
        canary: &'a Canary,
    ) -> BoxFuture<'a, Result<Sightings, SubjectError>> {
        Box::pin(async move {
            let mut seen = Sightings::new();
            let files = self.notes.disk().folder.everything();
            for bytes in files.map_err(SubjectError::from_source)? {
                seen.look(Store::Rows, &bytes, canary);
            }
            Ok(seen)
        })
    }

    fn crash(&mut self, _: CrashPoint) -> BoxFuture<'_, Result<(), SubjectError>> {
        Box::pin(async { Err(SubjectError::new("crashes are not built here")) })
    }
}

fn done(outcome: Result<(), Refused>) -> Result<Seen, Refusal> {
    outcome.map(|()| Seen::Done).map_err(refusal)
}

fn refusal(refused: Refused) -> Refusal {
    match refused {
        Refused::NoNotebook => Refusal::denied("no such notebook"),
        Refused::NoNote => Refusal::denied("no such note"),
        Refused::Disk(error) => Refusal::failed(error),
    }
}

fn item(number: u64) -> ItemId {
    ItemId::from(i64::try_from(number).unwrap_or(i64::MAX))
}

fn event((number, fact): (u64, &Fact)) -> Event {
    let (action, kind) = match fact.what {
        What::Written => (Action::RecordCreated, "record"),
        What::Deleted => (Action::RecordDeleted, "record"),
        What::Restored => (Action::RecordRestored, "record"),
        What::Purged => (Action::RecordPurged, "record"),
        What::Closed => (Action::DatabaseDeleted, "database"),
    };
    let id = |number: u64| u128::from(number).to_be_bytes();
    let tenant = TenantId::from_bytes(id(u64::from(fact.notebook)));
    let target = Target::of(tenant, kind, item(fact.note));
    let actor = ActorContext::service("acme");
    Event::new(
        EventId::from_bytes(id(number)),
        fact.at,
        actor,
        action,
        target,
        Outcome::Ok,
    )
}
