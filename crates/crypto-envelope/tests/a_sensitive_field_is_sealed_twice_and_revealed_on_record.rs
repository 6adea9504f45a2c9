//! Two layers under two roots that hang on two KEKs, of which the outer alone opens nothing; and a
//! reveal that is on record before the plaintext exists.
#![cfg(feature = "testing")]

#[cfg(test)]
mod common;

use std::sync::Arc;

use common::{TestResult, World, body, start};
use covenant_core::event::{ActorContext, Event, EventSink, Prepared, SinkError, Target};
use covenant_core::outbox::OutboxTx;
use covenant_core::sealer::{Layer, OpenError, Purpose, SealError};
use covenant_core::testing::MemorySink;
use covenant_core::{Action, BoxFuture, EventId, KeyId, Owner, Place, Sealer, TenantId};
use crypto_envelope::backend::{BackendFuture, KekBackend, Presence};
use crypto_envelope::sealed::{SealedBytes, open_with};
use crypto_envelope::wrapped::WrappedKey;
use crypto_envelope::{
    Envelope, KeyError, Reveal, RevealError, SENSITIVE_OVERHEAD_LEN_BYTES, Sealed, Sensitive,
    reveal,
};

struct Field {
    world: World,
    sealer: Envelope,
    tenant: TenantId,
    place: Place,
}

impl Field {
    async fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let world = World::in_memory();
        let sealer = Envelope::new(Arc::new(world.keys().await?));
        let tenant = world.tenant()?;
        sealer.keys().create_tenant(tenant).await?;
        let place = body(Owner::Tenant(tenant), Purpose::Data)?;
        Ok(Self {
            world,
            sealer,
            tenant,
            place,
        })
    }

    async fn seal(&self) -> Result<Sensitive<String>, SealError> {
        Sensitive::seal(&self.sealer, &self.place, &"secret".to_owned()).await
    }

    fn why(&self) -> Result<Reveal, Box<dyn std::error::Error>> {
        Ok(Reveal {
            event: EventId::from_uuid(self.world.uuid()?),
            at: start(),
            actor: ActorContext::service("test"),
            target: Target::of(self.tenant, "record", 1_i64.into()),
            decision: None,
        })
    }
}

// clause: R-11
#[tokio::test]
async fn no_single_root_opens_a_sensitive_field() -> TestResult {
    let field = Field::new().await?;
    let sealed = field.seal().await?.into_bytes();
    assert_eq!(sealed.len(), b"secret".len() + SENSITIVE_OVERHEAD_LEN_BYTES);
    let outer = field.place.layered(Layer::Outer, Purpose::Data);
    let inner = field.place.layered(Layer::Inner, Purpose::Sensitive);

    let roots = field.sealer.keys().surviving_roots().await?;
    let infos = field.sealer.keys().list().await?;
    let kek = |id: KeyId| infos.iter().find(|info| info.id == id).map(|info| info.kek);
    let version = SealedBytes::parse(&sealed)?.key();
    let mut middle = None;
    for root in &roots {
        for place in [&field.place, &outer, &inner] {
            if let Ok(opened) = open_with(root.root.expose(), version, place, &sealed) {
                assert_eq!((place, root.purpose), (&outer, Purpose::Data));
                assert!(
                    middle.replace((root, opened)).is_none(),
                    "two roots open the outer layer"
                );
            }
        }
    }
    let (first, middle) = middle.ok_or("no root opens the outer layer")?;
    assert!(
        !middle.expose().windows(6).any(|window| window == b"secret"),
        "one layer only"
    );
    let version = SealedBytes::parse(middle.expose())?.key();
    let opens = |root: &&crypto_envelope::SurvivingRoot| {
        open_with(root.root.expose(), version, &inner, middle.expose()).is_ok()
    };
    let second: Vec<_> = roots.iter().filter(opens).collect();
    assert_eq!(second.len(), 1);
    assert_ne!(first.root.expose(), second[0].root.expose());
    assert_ne!(
        kek(first.version),
        kek(second[0].version),
        "both layers hang on one KEK"
    );
    Ok(())
}

// clause: R-12
#[tokio::test]
async fn a_reveal_is_recorded_and_gives_the_plaintext() -> TestResult {
    let field = Field::new().await?;
    let sink = MemorySink::new();
    let sealed = field.seal().await?;
    let (place, why) = (&field.place, field.why()?);
    let plain = reveal(&field.sealer, &sealed, place, &why, &sink).await?;
    assert_eq!(plain.expose(), "secret");
    assert_eq!(sink.actions(), [Action::FieldRevealed]);
    assert_eq!(sink.events()[0].id, why.event);
    // a plain open is no way round it
    let opened = field.sealer.open(place, sealed.as_bytes()).await;
    assert!(matches!(opened, Err(OpenError::NotAuthentic)));
    for place in [
        place.clone(),
        place.layered(Layer::Outer, Purpose::Data),
        place.layered(Layer::Inner, Purpose::Sensitive),
    ] {
        let cast = Sealed::<Vec<u8>>::try_from(sealed.as_bytes())?;
        let opened = cast.open(&field.sealer, &place).await;
        assert!(matches!(opened, Err(OpenError::NotAuthentic)), "{place:?}");
    }
    Ok(())
}

// clause: R-12
#[tokio::test]
async fn without_a_record_there_is_no_plaintext() -> TestResult {
    let field = Field::new().await?;
    let sealed = field.seal().await?;
    let (place, why) = (&field.place, field.why()?);
    let counting = Arc::new(Counting {
        inner: field.sealer.clone(),
        opens: 0.into(),
    });
    let refused = reveal(&*counting, &sealed, place, &why, &Deaf).await;
    assert!(matches!(refused, Err(RevealError::NotAudited(_))));
    let opens = counting.opens.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(
        opens, 1,
        "the inner layer was opened before the event was recorded"
    );
    let sink = MemorySink::new();
    let shown = reveal(&*counting, &sealed, place, &why, &sink).await;
    assert!(shown.is_ok());
    // nor is a refusal told that could not be recorded
    let other = body(Owner::Tenant(field.world.tenant()?), Purpose::Data)?;
    let refused = reveal(&*counting, &sealed, &other, &why, &Deaf).await;
    assert!(matches!(refused, Err(RevealError::NotAudited(_))));
    Ok(())
}

#[tokio::test]
async fn layers_cannot_be_exchanged_or_moved() -> TestResult {
    let field = Field::new().await?;
    let sink = MemorySink::new();
    let sealed = field.seal().await?;
    let other = Place::new(
        Owner::Tenant(field.tenant),
        Purpose::Data,
        "note",
        "body",
        b"row-2",
    )?;
    let single = field.sealer.seal(&field.place, b"secret").await?;
    let swapped = {
        let outer = field.place.layered(Layer::Outer, Purpose::Data);
        let bare = field.sealer.seal(&outer, &single).await?;
        Sensitive::try_from(bare)?
    };
    for (place, sealed) in [(&other, &sealed), (&field.place, &swapped)] {
        let refused = reveal(&field.sealer, sealed, place, &field.why()?, &sink).await;
        let refused = refused.err();
        let unopened = matches!(&refused, Some(RevealError::Open(OpenError::NotAuthentic)));
        assert!(unopened, "{refused:?}");
    }
    // the first is refused before anything is shown, the second after it was on record
    assert_eq!(
        sink.actions(),
        [Action::FieldRefused, Action::FieldRevealed]
    );
    // one layer has no room for a second
    let short = Sensitive::<String>::try_from(single);
    assert!(short.is_err());
    Ok(())
}

#[tokio::test]
async fn a_value_of_another_type_is_not_revealed() -> TestResult {
    let field = Field::new().await?;
    let sink = MemorySink::new();
    let sealed = field.seal().await?;
    let as_number = Sensitive::<u64>::try_from(sealed.as_bytes())?;
    let why = field.why()?;
    let refused = reveal(&field.sealer, &as_number, &field.place, &why, &sink).await;
    assert!(matches!(
        refused,
        Err(RevealError::Open(OpenError::NotAuthentic))
    ));
    let as_bytes = Sensitive::<[u8; 6]>::try_from(sealed.as_bytes())?;
    let shown = reveal(&field.sealer, &as_bytes, &field.place, &why, &sink).await?;
    assert_eq!(shown.expose(), b"secret");
    Ok(())
}

#[tokio::test]
async fn a_subject_takes_both_layers_along() -> TestResult {
    let field = Field::new().await?;
    let subject = field.world.uuid()?;
    let place = body(Owner::Subject(field.tenant, subject), Purpose::Subject)?;
    let sealed = Sensitive::seal(&field.sealer, &place, &"secret".to_owned()).await?;
    let order = field.world.order(field.tenant, subject)?;
    assert_eq!(field.sealer.destroy(&order).await?.keys.len(), 2);
    let sink = MemorySink::new();
    let gone = reveal(&field.sealer, &sealed, &place, &field.why()?, &sink).await;
    assert!(matches!(
        gone,
        Err(RevealError::Open(OpenError::Key("destroyed")))
    ));
    let late = Sensitive::seal(&field.sealer, &place, &"secret".to_owned()).await;
    assert!(matches!(late, Err(SealError::Key("destroyed"))));
    Ok(())
}

#[tokio::test]
async fn one_backend_key_behind_both_layers_is_refused() -> TestResult {
    let world = World::in_memory();
    let one = Arc::new(OneKey {
        inner: world.backend.clone(),
        key: world.key_ids()?[0],
    });
    let refused = world.keys_over(world.store.clone(), one).await;
    assert!(matches!(refused, Err(KeyError::OneKeyForTwoLayers)));
    let world = World::in_memory();
    assert!(world.keys().await.is_ok());
    Ok(())
}

/// A sink that records nothing.
#[derive(Debug)]
struct Deaf;

impl EventSink for Deaf {
    fn prepare(&self, _: Event) -> BoxFuture<'_, Result<Prepared, SinkError>> {
        Box::pin(async { Err(SinkError::Incomplete("everything")) })
    }
    fn record<'a>(
        &'a self,
        _: &'a mut dyn OutboxTx,
        _: Prepared,
    ) -> BoxFuture<'a, Result<EventId, SinkError>> {
        Box::pin(async { Err(SinkError::Incomplete("everything")) })
    }
    fn emit(&self, _: Event) -> BoxFuture<'_, Result<EventId, SinkError>> {
        Box::pin(async { Err(SinkError::Incomplete("everything")) })
    }
}

/// Counts what is opened.
#[derive(Debug)]
struct Counting {
    inner: Envelope,
    opens: std::sync::atomic::AtomicU64,
}

impl Sealer for Counting {
    fn subject_keys(&self) -> bool {
        self.inner.subject_keys()
    }
    fn seal<'a>(
        &'a self,
        place: &'a Place,
        plain: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, SealError>> {
        self.inner.seal(place, plain)
    }
    fn open<'a>(
        &'a self,
        place: &'a Place,
        sealed: &'a [u8],
    ) -> BoxFuture<'a, Result<covenant_core::Secret<Vec<u8>>, OpenError>> {
        self.opens.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        self.inner.open(place, sealed)
    }
    fn destroy<'a>(
        &'a self,
        order: &'a covenant_core::sealer::DestroyOrder,
    ) -> BoxFuture<'a, Result<covenant_core::sealer::Destroyed, covenant_core::sealer::DestroyError>>
    {
        self.inner.destroy(order)
    }
}

/// A backend that works with one key whatever it is asked for.
#[derive(Debug)]
struct OneKey {
    inner: Arc<dyn KekBackend>,
    key: KeyId,
}

impl KekBackend for OneKey {
    fn create(&self, _: KeyId) -> BackendFuture<'_, ()> {
        self.inner.create(self.key)
    }
    fn wrap_root<'a>(
        &'a self,
        _: KeyId,
        context: &'a [u8],
        root: &'a covenant_core::Secret<[u8; 32]>,
    ) -> BackendFuture<'a, WrappedKey> {
        self.inner.wrap_root(self.key, context, root)
    }
    fn unwrap_root<'a>(
        &'a self,
        _: KeyId,
        context: &'a [u8],
        wrapped: &'a WrappedKey,
    ) -> BackendFuture<'a, covenant_core::Secret<[u8; 32]>> {
        self.inner.unwrap_root(self.key, context, wrapped)
    }
    fn destroy(&self, _: KeyId) -> BackendFuture<'_, ()> {
        self.inner.destroy(self.key)
    }
    fn probe(&self, _: KeyId) -> BackendFuture<'_, Presence> {
        self.inner.probe(self.key)
    }
}
