//! A table of `sqlx` with a sealed column and a sensitive one: a person is found by the e-mail address
//! without the database knowing it, and the number of the passport is shown on record alone.

use std::error::Error;
use std::sync::Arc;

use covenant_core::event::{ActorContext, EventSink, Target};
use covenant_core::sealer::{PlaceError, Purpose};
use covenant_core::testing::MemorySink;
use covenant_core::{
    Clock as _, EventId, ItemId, Owner, Place, Random, SystemClock, SystemRandom, TenantId,
};
use crypto_envelope::backend::MemoryBackend;
use crypto_envelope::store::MemoryStore;
use crypto_envelope::token::{Field, Index, MemoryTable, Normaliser};
use crypto_envelope::{Envelope, Keys, KeysOptions, MASK, Reveal, Sealed, Sensitive, reveal};
use sqlx::{Connection as _, Row as _, SqliteConnection};

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let clock = Arc::new(SystemClock::new());
    let random: Arc<dyn Random> = Arc::new(SystemRandom::new());
    let tenant = TenantId::mint(&*clock, &*random)?;
    let backend = Arc::new(MemoryBackend::new(random.clone()));
    let options = KeysOptions::default();
    let store = Arc::new(MemoryStore::new());
    let keys = Keys::open(store, backend, clock.clone(), random.clone(), options).await?;
    keys.create_tenant(tenant).await?;
    keys.create_index(tenant).await?;
    let sealer = Envelope::new(Arc::new(keys));
    let place = |column: &str, row: i64| -> Result<Place, PlaceError> {
        let owner = Owner::Tenant(tenant);
        Place::new(owner, Purpose::Data, "person", column, &row.to_be_bytes())
    };
    let email = Field {
        tenant: Some(tenant),
        collection: "person".to_owned(),
        field: "email".to_owned(),
        normaliser: Normaliser::NfkcLower,
    };
    let index = Index::of(sealer.keys(), Owner::Tenant(tenant), email).await?;
    // `token::SqlTable` lies beside the rows; this one is in memory
    let tokens = MemoryTable::new();

    let mut db = SqliteConnection::connect("sqlite::memory:").await?;
    sqlx::query("CREATE TABLE person (id INTEGER PRIMARY KEY, email BLOB, passport BLOB)")
        .execute(&mut db)
        .await?;
    for (id, email, passport) in [
        (1, "ann@example.org", "P-100"),
        (2, "bob@example.org", "P-200"),
    ] {
        let (email, passport) = (email.to_owned(), passport.to_owned());
        sqlx::query("INSERT INTO person VALUES ($1, $2, $3)")
            .bind(id)
            .bind(Sealed::seal(&sealer, &place("email", id)?, &email).await?)
            .bind(Sensitive::seal(&sealer, &place("passport", id)?, &passport).await?)
            .execute(&mut db)
            .await?;
        index.claim(&tokens, &ItemId::from(id), &email).await?;
    }

    let asked = "Bob@Example.org";
    let found = index.candidates(&tokens, asked).await?;
    let id = i64::from_be_bytes(found.first().ok_or("nobody")?.as_bytes().try_into()?);
    let row = sqlx::query("SELECT email, passport FROM person WHERE id = $1");
    let row = row.bind(id).fetch_one(&mut db).await?;
    let email: Sealed<String> = row.try_get("email")?;
    let email = email.open(&sealer, &place("email", id)?).await?;
    // a candidate is compared
    assert!(email.expose().eq_ignore_ascii_case(asked));
    println!("person {id}: {}, passport {MASK}", email.expose());

    let passport: Sensitive<String> = row.try_get("passport")?;
    let log = MemorySink::new();
    let why = Reveal {
        event: EventId::mint(&*clock, &*random)?,
        at: clock.now(),
        actor: ActorContext::service("front desk"),
        target: Target::row(tenant, "record", "person", ItemId::from(id)),
        decision: None,
    };
    let sink: &dyn EventSink = &log;
    let shown = reveal(&sealer, &passport, &place("passport", id)?, &why, sink).await?;
    println!(
        "passport {}, on record: {:?}",
        shown.expose(),
        log.actions()
    );
    Ok(())
}
