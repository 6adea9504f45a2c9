//! A field has a type and one place: it opens there as that type, under whichever version of the root
//! sealed it, and is a column of `sqlx` on both databases.
#![cfg(all(feature = "testing", feature = "sqlite", feature = "postgres"))]

#[cfg(test)]
mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{TestResult, World, body, start};
use covenant_core::event::{ActorContext, Target};
use covenant_core::sealer::{OpenError, Purpose};
use covenant_core::testing::{MemorySink, provided};
use covenant_core::{EventId, Owner, Place};
use crypto_envelope::{Envelope, KeyAdmin, KeyError, Reveal, Sealable, Sealed, Sensitive, reveal};
use proptest::prelude::*;
use sqlx::{Connection as _, Row as _};

struct Field {
    world: World,
    sealer: Envelope,
    owner: Owner,
    place: Place,
}

impl Field {
    async fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let world = World::in_memory();
        let sealer = Envelope::new(Arc::new(world.keys().await?));
        let tenant = world.tenant()?;
        sealer.keys().create_tenant(tenant).await?;
        let owner = Owner::Tenant(tenant);
        let place = body(owner, Purpose::Data)?;
        Ok(Self {
            world,
            sealer,
            owner,
            place,
        })
    }

    /// Puts the next version in the place of the data root's, and waits until it seals.
    async fn rotate(&self) -> TestResult {
        let root = self.sealer.unlock(self.owner, Purpose::Data).await?;
        let keys = self.sealer.keys();
        keys.rotate(&self.world.admin(), root.version()).await?;
        let ripe = Duration::from_secs(301);
        self.world.clock.advance(ripe);
        keys.rotate_due(start() + ripe).await?;
        Ok(())
    }
}

async fn comes_back<T>(field: &Field, value: T) -> TestResult
where
    T: Sealable + PartialEq + std::fmt::Debug,
{
    let sealed = Sealed::seal(&field.sealer, &field.place, &value).await?;
    let stored = Sealed::<T>::try_from(sealed.as_bytes())?;
    let opened = stored.open(&field.sealer, &field.place).await?;
    assert_eq!(opened.expose(), &value);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]

    #[test]
    fn what_was_sealed_comes_back(
        text: String, bytes: Vec<u8>, number: i64, key: [u8; 32], yes: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let field = Field::new().await.expect("keys");
            comes_back(&field, text).await.expect("comes back");
            comes_back(&field, bytes).await.expect("comes back");
            comes_back(&field, number).await.expect("comes back");
            comes_back(&field, key).await.expect("comes back");
            comes_back(&field, yes).await.expect("comes back");
        });
    }
}

// clause: P-12, Q-14
#[tokio::test]
async fn a_field_opens_at_its_place_as_its_type_alone() -> TestResult {
    let field = Field::new().await?;
    let name = "Zoë".to_owned();
    let sealed = Sealed::seal(&field.sealer, &field.place, &name).await?;
    assert!(!sealed.as_bytes().windows(4).any(|w| w == name.as_bytes()));
    assert_eq!(
        sealed.open(&field.sealer, &field.place).await?.expose(),
        "Zoë"
    );
    let elsewhere = Place::new(field.owner, Purpose::Data, "note", "body", b"row-2")?;
    let refused = sealed.open(&field.sealer, &elsewhere).await;
    assert!(matches!(refused, Err(OpenError::NotAuthentic)));
    let number = Sealed::<u64>::try_from(sealed.as_bytes())?;
    let refused = number.open(&field.sealer, &field.place).await;
    assert!(matches!(refused, Err(OpenError::NotAuthentic)));
    let root = field.sealer.unlock(field.owner, Purpose::Data).await?;
    let refused = number.open_with(&root, &field.place);
    assert!(matches!(refused, Err(KeyError::NotAuthentic)));
    for cut in [0, 16, 88] {
        assert!(Sealed::<String>::try_from(&sealed.as_bytes()[..cut]).is_err());
    }
    assert_eq!(sealed.key(), root.version());
    assert_eq!(sealed.salt()[..], sealed.as_bytes()[17..41]);
    Ok(())
}

#[tokio::test]
async fn a_root_in_hand_says_which_version_a_value_needs() -> TestResult {
    let field = Field::new().await?;
    let old = field.sealer.unlock(field.owner, Purpose::Data).await?;
    let note = "before".to_owned();
    let before = Sealed::seal_with(&old, &field.place, &note)?;
    assert_eq!(before.open_with(&old, &field.place)?.expose(), "before");
    field.rotate().await?;
    let new = field.sealer.unlock(field.owner, Purpose::Data).await?;
    assert_ne!(new.version(), old.version());
    let after = Sealed::seal(&field.sealer, &field.place, &note).await?;
    assert_eq!(after.key(), new.version());
    assert_eq!(after.open_with(&new, &field.place)?.expose(), "before");
    let needs = before.open_with(&new, &field.place);
    let Err(KeyError::NeedVersion(version)) = needs else {
        return Err(format!("{needs:?}").into());
    };
    assert_eq!(version, old.version());
    // which the envelope finds
    let opened = before.open(&field.sealer, &field.place).await?;
    assert_eq!(opened.expose(), "before");
    // and not when it is nobody's
    let mut forged = before.into_bytes();
    forged[1] ^= 1;
    let forged = Sealed::<String>::try_from(forged)?;
    let needs = forged.open_with(&new, &field.place);
    assert!(matches!(needs, Err(KeyError::NeedVersion(_))));
    let refused = forged.open(&field.sealer, &field.place).await;
    assert!(matches!(refused, Err(OpenError::NotAuthentic)));
    Ok(())
}

/// Writes a field of each kind into a table and reads them back.
macro_rules! columns {
    ($connection:expr, $blob:literal, $field:expr) => {{
        let (connection, field): (_, &Field) = ($connection, $field);
        let name = "Zoë".to_owned();
        let one = Sealed::seal(&field.sealer, &field.place, &name).await?;
        let two = Sensitive::seal(&field.sealer, &field.place, &name).await?;
        let sql = concat!("CREATE TABLE person (one ", $blob, ", two ", $blob, ")");
        sqlx::query(sql).execute(&mut *connection).await?;
        let sql = "INSERT INTO person (one, two) VALUES ($1, $2)";
        let rows = [(Some(&one), Some(&two)), (None, None)];
        for (one, two) in rows {
            let query = sqlx::query(sql).bind(one).bind(two.cloned());
            query.execute(&mut *connection).await?;
        }
        let sql = "SELECT one, two FROM person ORDER BY one IS NULL";
        let rows = sqlx::query(sql).fetch_all(&mut *connection).await?;
        let read: Sealed<String> = rows[0].try_get("one")?;
        assert_eq!(read.as_bytes(), one.as_bytes());
        assert_eq!(
            read.open(&field.sealer, &field.place).await?.expose(),
            "Zoë"
        );
        let read: Sensitive<String> = rows[0].try_get("two")?;
        let why = Reveal {
            event: EventId::from_uuid(field.world.uuid()?),
            at: start(),
            actor: ActorContext::service("test"),
            target: Target::of(field.world.tenant()?, "record", 1_i64.into()),
            decision: None,
        };
        let sink = MemorySink::new();
        let shown = reveal(&field.sealer, &read, &field.place, &why, &sink).await?;
        assert_eq!(shown.expose(), "Zoë");
        assert!(
            rows[1]
                .try_get::<Option<Sealed<String>>, _>("one")?
                .is_none()
        );
        assert!(rows[1].try_get::<Sealed<String>, _>("one").is_err());
        let rows = sqlx::query("SELECT one AS plain FROM person WHERE one IS NOT NULL");
        let row = rows.fetch_one(&mut *connection).await?;
        // one layer is no sensitive field, and a text is no column of either
        assert!(row.try_get::<Sensitive<String>, _>("plain").is_err());
        let row = sqlx::query("SELECT 'x' AS plain")
            .fetch_one(&mut *connection)
            .await?;
        assert!(row.try_get::<Sealed<String>, _>("plain").is_err());
    }};
}

#[tokio::test]
async fn a_field_is_a_column_of_sqlite() -> TestResult {
    let field = Field::new().await?;
    let mut connection = sqlx::SqliteConnection::connect("sqlite::memory:").await?;
    columns!(&mut connection, "BLOB", &field);
    Ok(())
}

#[tokio::test]
async fn a_field_is_a_column_of_postgresql() -> TestResult {
    let Some(url) = provided("COVENANT_TEST_POSTGRES")? else {
        return Ok(());
    };
    let field = Field::new().await?;
    let mut connection = sqlx::PgConnection::connect(&url).await?;
    let sql = "DROP SCHEMA IF EXISTS typed_fields CASCADE; CREATE SCHEMA typed_fields; \
               SET search_path TO typed_fields";
    sqlx::raw_sql(sql).execute(&mut connection).await?;
    columns!(&mut connection, "BYTEA", &field);
    Ok(())
}
