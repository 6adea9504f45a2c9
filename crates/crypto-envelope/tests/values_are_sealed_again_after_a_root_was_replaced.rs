//! After a root was replaced its values are sealed again, in batches, while others write; a run that
//! died goes on, what does not open is named, and once nothing is left the old version can retire.
#![cfg(feature = "testing")]

#[cfg(test)]
mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::{TestResult, World, start};
use covenant_core::event::{ActorContext, Target};
use covenant_core::sealer::Purpose;
use covenant_core::testing::MemorySink;
use covenant_core::{BoxFuture, EventId, ItemId, KeyId, Owner, Place, TenantId};
use crypto_envelope::reseal::{
    Layers, Replaced, ResealError, Resealed, StoredValue, StoredValues, ValuesError, reseal,
};
use crypto_envelope::{Envelope, KeyAdmin, Reveal, Sealed, Sensitive, reveal};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A column in memory. It fails from its nth replacement on, if told to.
#[derive(Debug, Default)]
struct Column {
    values: Mutex<BTreeMap<ItemId, StoredValue>>,
    /// How many replacements are left before it fails.
    fails_after: Mutex<Option<u32>>,
    /// A row that others change while it is being sealed again.
    raced: Mutex<Option<ItemId>>,
}

#[derive(Debug, thiserror::Error)]
#[error("full")]
struct Full;

impl Column {
    fn put(&self, value: StoredValue) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.insert(value.row.clone(), value);
    }

    fn all(&self) -> Vec<StoredValue> {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.values().cloned().collect()
    }
}

impl StoredValues for Column {
    fn page<'a>(
        &'a self,
        after: Option<&'a ItemId>,
        max: usize,
    ) -> BoxFuture<'a, Result<Vec<StoredValue>, ValuesError>> {
        let mut page = self.all();
        page.retain(|value| after.is_none_or(|after| value.row > *after));
        page.truncate(max);
        Box::pin(std::future::ready(Ok(page)))
    }

    fn replace<'a>(
        &'a self,
        old: &'a StoredValue,
        sealed: Vec<u8>,
    ) -> BoxFuture<'a, Result<Replaced, ValuesError>> {
        let mut left = self
            .fails_after
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let full = *left == Some(0);
        *left = left.map(|left| left.saturating_sub(1));
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let mut raced = self.raced.lock().unwrap_or_else(PoisonError::into_inner);
        if raced.as_ref() == Some(&old.row) {
            *raced = None;
            values.remove(&old.row);
        }
        let answer = match values.get_mut(&old.row) {
            _ if full => Err(ValuesError::new(Full)),
            Some(value) if value.sealed == old.sealed => {
                value.sealed = sealed;
                Ok(Replaced::Done)
            }
            _ => Ok(Replaced::Changed),
        };
        Box::pin(std::future::ready(answer))
    }
}

struct Setting {
    world: World,
    sealer: Envelope,
    tenant: TenantId,
    column: Column,
}

impl Setting {
    /// Six fields of one layer and six of two.
    async fn new() -> Outcome<Self> {
        let world = World::in_memory();
        let sealer = Envelope::new(Arc::new(world.keys().await?));
        let tenant = world.tenant()?;
        sealer.keys().create_tenant(tenant).await?;
        let column = Column::default();
        let setting = Self {
            world,
            sealer,
            tenant,
            column,
        };
        for n in 0..12 {
            let layers = if n % 2 == 0 { Layers::One } else { Layers::Two };
            setting.column.put(setting.value(n, layers).await?);
        }
        Ok(setting)
    }

    fn place(&self, row: &ItemId) -> Outcome<Place> {
        let owner = Owner::Tenant(self.tenant);
        Ok(Place::new(
            owner,
            Purpose::Data,
            "note",
            "body",
            row.as_bytes(),
        )?)
    }

    async fn value(&self, n: i64, layers: Layers) -> Outcome<StoredValue> {
        let row = ItemId::from(n);
        let place = self.place(&row)?;
        let text = format!("text {n}");
        let sealed = match layers {
            Layers::One => Sealed::seal(&self.sealer, &place, &text)
                .await?
                .into_bytes(),
            Layers::Two => Sensitive::seal(&self.sealer, &place, &text)
                .await?
                .into_bytes(),
        };
        Ok(StoredValue {
            row,
            place,
            layers,
            sealed,
        })
    }

    async fn text(&self, value: &StoredValue) -> Outcome<String> {
        match value.layers {
            Layers::One => {
                let sealed = Sealed::<String>::try_from(value.sealed.as_slice())?;
                Ok(sealed
                    .open(&self.sealer, &value.place)
                    .await?
                    .expose()
                    .clone())
            }
            Layers::Two => {
                let sealed = Sensitive::<String>::try_from(value.sealed.as_slice())?;
                let why = Reveal {
                    event: EventId::from_uuid(self.world.uuid()?),
                    at: start(),
                    actor: ActorContext::service("test"),
                    target: Target::of(self.tenant, "record", value.row.clone()),
                    decision: None,
                };
                let sink = MemorySink::new();
                let shown = reveal(&self.sealer, &sealed, &value.place, &why, &sink).await?;
                Ok(shown.expose().clone())
            }
        }
    }

    async fn rotate(&self, purpose: Purpose) -> Outcome<KeyId> {
        let owner = Owner::Tenant(self.tenant);
        let old = self.sealer.unlock(owner, purpose).await?.version();
        let keys = self.sealer.keys();
        keys.rotate(&self.world.admin(), old).await?;
        self.world.clock.advance(Duration::from_secs(301));
        keys.rotate_due(covenant_core::Clock::now(&*self.world.clock))
            .await?;
        assert_ne!(self.sealer.unlock(owner, purpose).await?.version(), old);
        Ok(old)
    }

    /// One pass over all, in batches.
    async fn pass(&self, batch: usize) -> Result<Resealed, ResealError> {
        let mut all = Resealed::default();
        loop {
            let done = reseal(&self.sealer, &self.column, all.ended.as_ref(), batch).await?;
            all.resealed += done.resealed;
            all.left += done.left;
            all.unopened.extend(done.unopened);
            match done.ended {
                Some(ended) => all.ended = Some(ended),
                None => return Ok(all),
            }
        }
    }

    /// Opens every value, and checks that each is what it was.
    async fn all_are_there(&self) -> TestResult {
        for value in self.column.all() {
            let number = i64::from_be_bytes(value.row.as_bytes().try_into()?);
            assert_eq!(self.text(&value).await?, format!("text {number}"));
        }
        Ok(())
    }
}

#[tokio::test]
async fn each_value_is_moved_once_and_the_old_version_retires() -> TestResult {
    let setting = Setting::new().await?;
    let counts = |done: &Resealed| (done.resealed, done.left);
    assert_eq!(counts(&setting.pass(5).await?), (0, 0), "nothing is old");
    let old = setting.rotate(Purpose::Data).await?;
    setting.all_are_there().await?;
    assert_eq!(counts(&setting.pass(5).await?), (12, 0));
    assert_eq!(counts(&setting.pass(1).await?), (0, 0));
    setting.all_are_there().await?;
    let bytes = setting.column.all();
    let names_old = |value: &StoredValue| value.sealed[1..17] == *old.as_bytes();
    assert!(!bytes.iter().any(names_old));
    setting.sealer.keys().retire(old).await?;
    setting.all_are_there().await?;
    Ok(())
}

#[tokio::test]
async fn the_inner_layer_moves_with_its_own_root() -> TestResult {
    let setting = Setting::new().await?;
    let before = setting.column.all();
    setting.rotate(Purpose::Sensitive).await?;
    let done = setting.pass(4).await?;
    assert_eq!((done.resealed, done.left), (6, 0));
    for (old, new) in before.iter().zip(setting.column.all()) {
        assert_eq!(old.sealed == new.sealed, old.layers == Layers::One);
    }
    assert_eq!(setting.pass(4).await?.resealed, 0);
    setting.all_are_there().await
}

#[tokio::test]
async fn a_run_that_died_goes_on_and_nothing_is_lost() -> TestResult {
    let setting = Setting::new().await?;
    setting.rotate(Purpose::Data).await?;
    let mut moved = 0;
    for _ in 0..3 {
        *setting
            .column
            .fails_after
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(3);
        let died = setting.pass(4).await;
        assert!(matches!(died, Err(ResealError::Values(_))), "{died:?}");
        setting.all_are_there().await?;
        moved += 3;
    }
    *setting
        .column
        .fails_after
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = None;
    assert_eq!(setting.pass(4).await?.resealed, 12 - moved);
    setting.all_are_there().await
}

#[tokio::test]
async fn what_others_change_meanwhile_is_theirs_and_counted() -> TestResult {
    let setting = Setting::new().await?;
    setting.rotate(Purpose::Data).await?;
    let row = ItemId::from(4_i64);
    *setting
        .column
        .raced
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = Some(row.clone());
    let done = setting.pass(5).await?;
    assert_eq!((done.resealed, done.left, done.unopened.len()), (11, 1, 0));
    assert!(setting.column.all().iter().all(|value| value.row != row));
    let done = setting.pass(5).await?;
    assert_eq!((done.resealed, done.left), (0, 0));
    Ok(())
}

#[tokio::test]
async fn what_does_not_open_is_named_and_stops_nothing() -> TestResult {
    let setting = Setting::new().await?;
    let subject = setting.world.uuid()?;
    let erased = {
        let owner = Owner::Subject(setting.tenant, subject);
        let row = ItemId::from(20_i64);
        let place = Place::new(owner, Purpose::Subject, "note", "body", row.as_bytes())?;
        let text = "text 20".to_owned();
        let sealed = Sealed::seal(&setting.sealer, &place, &text)
            .await?
            .into_bytes();
        let layers = Layers::One;
        StoredValue {
            row,
            place,
            layers,
            sealed,
        }
    };
    setting.column.put(erased.clone());
    let order = setting.world.order(setting.tenant, subject)?;
    covenant_core::Sealer::destroy(&setting.sealer, &order).await?;
    let mut damaged = Vec::new();
    for (n, at) in [(0, 60), (1, 60), (2, 0)] {
        let layers = if n == 1 { Layers::Two } else { Layers::One };
        let mut value = setting.value(n, layers).await?;
        value.sealed[at] ^= 1;
        damaged.push(value.row.clone());
        setting.column.put(value);
    }
    setting.rotate(Purpose::Data).await?;
    let done = setting.pass(5).await?;
    damaged.push(erased.row);
    assert_eq!(done.unopened, damaged);
    assert_eq!((done.resealed, done.left), (9, 4));
    // a tenant that is locked is left as it is, and goes on once it is not
    let setting = Setting::new().await?;
    let old = setting.rotate(Purpose::Data).await?;
    let admin = setting.world.admin();
    setting.sealer.keys().disable(&admin, old).await?;
    assert_eq!(setting.pass(5).await?.left, 12);
    setting.sealer.keys().enable(&admin, old).await?;
    assert_eq!(setting.pass(5).await?.resealed, 12);
    Ok(())
}
