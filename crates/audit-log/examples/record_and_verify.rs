//! One change and its event commit together, become a leaf, and verify against a signed checkpoint.
//! The sealer here keeps plaintexts in memory; a service passes the one of `crypto-envelope`.
#![expect(clippy::print_stdout, reason = "an example that shows what it found")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use audit_log::store::sql::{Feed, LogKeys as _, SealedKeys, SqlLog};
use audit_log::testing::EscrowSealer;
use audit_log::verify::{Outside, verify};
use audit_log::{ServiceHost, Sink, log_of, sequencer::Serves};
use covenant_core::{
    Action, ActorContext, Clock, Event, EventSink as _, Id, ItemId, Outcome, Random, Sealer,
    SystemClock, Target, TenantId, TxTag,
};
use sql_store::{Args, Db, Migrations, Mode, OUTBOX, SqliteOptions, SqliteProfile};
use uuid::Uuid;

const SCHEMA: Migrations = Migrations {
    crate_name: "example",
    steps: &[(
        "0001_records",
        "CREATE TABLE records (id BIGINT PRIMARY KEY, body TEXT)",
    )],
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let random: Arc<dyn Random> = Arc::new(covenant_core::SystemRandom::new());
    let sealer: Arc<dyn Sealer> = Arc::new(EscrowSealer::new());
    let tenant: TenantId = Id::mint(&*clock, &*random)?;
    let open = |name: &str, profile| {
        let options = SqliteOptions::new(folder.path().join(name), profile);
        Db::create_sqlite(options, Arc::clone(&clock))
    };
    let store = open("tenant.db", SqliteProfile::Tenant).await?;
    store.migrate(&OUTBOX).await?;
    store.migrate(&SCHEMA).await?;
    let audit = open("audit.db", SqliteProfile::Control).await?;
    let log = SqlLog::open(audit, Arc::clone(&random)).await?;
    let sink = Sink::new(
        Arc::clone(&sealer),
        Arc::clone(&random),
        Arc::new(log.clone()),
    );

    // prepared before the transaction, recorded in it
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let actor = ActorContext::member(Uuid::from_u128(7), address);
    let target = Target::row(tenant, "record", "records", ItemId::from(1));
    let id = Id::mint(&*clock, &*random)?;
    let action = Action::RecordCreated;
    let event = Event::new(id, clock.now(), actor, action, target, Outcome::Ok);
    let prepared = sink.prepare(event).await?;
    let tag = TxTag {
        txn: Id::mint(&*clock, &*random)?,
        tenant: Some(tenant),
        decision: None,
    };
    let mut tx = store.begin_with(Mode::ReadWrite, tag).await?;
    tx.execute(
        "INSERT INTO records (id, body) VALUES (1, $1)",
        Args::new().bind("a"),
    )
    .await?;
    sink.record(&mut tx, prepared).await?;
    tx.commit().await?;

    log.drain(&[Feed::new(store, Serves::Tenant(tenant))])
        .await?;
    let host: ServiceHost = "db.example.org".parse()?;
    let keys = SealedKeys::new(log.clone(), sealer);
    for signed in log.publish_heads(&host, &keys).await? {
        println!("{}", signed.note);
    }
    let origin = host.origin(log_of(tenant));
    let key = keys.signer(log_of(tenant), &origin).await?.key().parse()?;
    let outside = Outside {
        host: Some(&host),
        keys: &[key],
        heads: &[],
    };
    for (level, result) in verify(&log, log_of(tenant), &outside).await?.levels() {
        println!("{}: {result:?}", level.name());
    }
    Ok(())
}
