//! What the assembled system told its audit log, and what an export of that log gives back, are the
//! same events to a monitor: a simulation and a production history are judged alike.
#![cfg(feature = "embedded")]

use std::collections::BTreeMap;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use audit_log::store::entries_from;
use audit_log::{log_of, operator_log};
use conformance::testing::load;
use covenant::{Covenant, NewRecord, Profile, Settings, Wraps};
use covenant_core::event::{Prepared, SinkError};
use covenant_core::testing::SeededRandom;
use covenant_core::{
    Action, BoxFuture, Clock, Event, EventId, EventSink, ItemId, ManualClock, OutboxTx, RegionSet,
    TenantId, UserId,
};
use policy_document::monitor::{MonitorSet, Recorded, Value, Watched};
use sql_store::Durability;
use tenant_isolation::Caller;
use time::macros::utc_datetime;
use time::{Duration, UtcDateTime};
use uuid::Uuid;

type Told = Arc<Mutex<Vec<Event>>>;

/// Keeps a copy of every event on its way to the log.
#[derive(Debug)]
struct Listening(Arc<dyn EventSink>, Told);

impl Listening {
    fn keep(&self, event: &Event) {
        let mut told = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        told.push(event.clone());
    }
}

impl EventSink for Listening {
    fn prepare(&self, event: Event) -> BoxFuture<'_, Result<Prepared, SinkError>> {
        self.keep(&event);
        self.0.prepare(event)
    }

    fn record<'a>(
        &'a self,
        tx: &'a mut dyn OutboxTx,
        prepared: Prepared,
    ) -> BoxFuture<'a, Result<EventId, SinkError>> {
        self.0.record(tx, prepared)
    }

    fn emit(&self, event: Event) -> BoxFuture<'_, Result<EventId, SinkError>> {
        self.keep(&event);
        self.0.emit(event)
    }
}

/// As a text of a leaf spells it: bytes are a word.
fn spelled(mut recorded: Recorded) -> Recorded {
    for value in recorded.attributes.values_mut() {
        if let Value::Bytes(bytes) = value {
            let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            *value = Value::Word(text.into());
        }
    }
    recorded
}

fn judge(
    document: &policy_document::Document,
    mut trace: Vec<Recorded>,
    end: UtcDateTime,
) -> Result<Vec<Watched>, Box<dyn Error>> {
    trace.sort_by_key(|event| event.at);
    let mut set = MonitorSet::new(document.monitors());
    for event in &trace {
        set.see(&event.observed())?;
    }
    Ok(set.close(end))
}

#[tokio::test]
async fn events_that_were_told_are_events_that_are_exported() -> Result<(), Box<dyn Error>> {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let documents = load(&policies, &["immidb"])?;
    let document = documents.first().ok_or("no document")?;
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(ManualClock::at(utc_datetime!(2027-03-10 12:00)));
    let told = Told::default();
    let mut wraps = Wraps::default();
    let copy = Arc::clone(&told);
    wraps.sink = Some(Box::new(move |sound| Arc::new(Listening(sound, copy))));
    let covenant = Covenant::create(Settings {
        folder: folder.path().join("stores"),
        profile: Profile::from_document(document, RegionSet::new(["embedded"])?)?,
        clock: clock.clone(),
        random: Arc::new(SeededRandom::new(7)),
        durability: Durability::Off,
        sites: Vec::new(),
        host: "export.covenant.invalid".parse()?,
        wraps,
    })
    .await?;
    let (tenant, admin) = (
        TenantId::from_uuid(Uuid::from_u128(1)),
        UserId::from_uuid(Uuid::from_u128(2)),
    );
    covenant.create_tenant(tenant, admin).await?;
    let who = Caller::member(tenant, admin, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 17)));
    let record = NewRecord {
        body: b"one".to_vec(),
        sensitive: None,
        attachments: Vec::new(),
    };
    for number in [1_i64, 2] {
        let item = ItemId::from(number);
        covenant.put(&who, tenant, &item, &record).await?;
        covenant.delete(&who, tenant, &item).await?;
    }
    covenant.restore(&who, tenant, &ItemId::from(1_i64)).await?;
    let end = clock.now() + Duration::days(4);
    while let Some(due) = covenant.next_due().await?.filter(|due| *due < end) {
        clock.advance_to(due.max(clock.now() + Duration::SECOND));
        covenant.sweep().await?;
    }
    covenant.sequence().await?;
    let mut exported = BTreeMap::new();
    for log in [log_of(tenant), operator_log()] {
        for entry in entries_from(covenant.log().as_ref(), log, 0).await? {
            let line = entry.leaf.encode()?;
            exported.insert(entry.leaf.event, Recorded::from_exported(&line)?);
        }
    }
    let told = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut simulated = Vec::new();
    for event in told.iter().filter(|event| exported.contains_key(&event.id)) {
        let back = exported.get(&event.id).ok_or("was there")?;
        let mut own = spelled(Recorded::from(event));
        assert!(back.txn.is_some(), "every entry has a transaction");
        // the sink is told before there is a transaction
        own.txn = back.txn;
        assert_eq!(&own, back);
        if !simulated.contains(&own) {
            simulated.push(own);
        }
    }
    assert_eq!(simulated.len(), exported.len(), "nothing else was exported");
    let actions = [
        Action::BackupCompleted,
        Action::RecordDeleted,
        Action::ChangeRecorded,
    ];
    for action in actions {
        assert!(
            simulated.iter().any(|event| event.action == action),
            "{action}"
        );
    }
    let back = judge(document, exported.into_values().collect(), end)?;
    assert_eq!(judge(document, simulated, end)?, back);
    let held = back.iter().filter(|watched| watched.held());
    let held: Vec<_> = held.map(|watched| watched.clause.to_string()).collect();
    assert!(
        held.contains(&"R-20".to_owned()) && held.contains(&"R-22".to_owned()),
        "{held:?}"
    );
    Ok(())
}
