//! What holds a key or a plaintext cannot be displayed, serialized, compared or copied by accident,
//! and neither its `Debug` nor any error says a byte of it.
#![cfg(feature = "testing")]

#[cfg(test)]
mod common;

use std::error::Error;
use std::fmt::{Debug, Write};
use std::sync::Arc;

use common::{TestResult, World, body, epoch, start};
use covenant_core::event::{ActorContext, Target};
use covenant_core::sealer::Purpose;
use covenant_core::testing::MemorySink;
use covenant_core::{EventId, KeyId, Owner, Place, Sealer, Secret};
use crypto_envelope::sealed::open_with;
use crypto_envelope::testing::{Faults, FaultyBackend, FaultyStore};
use crypto_envelope::wrapped::WrappedKey;
use crypto_envelope::{
    DataKey, Envelope, GroupName, KeyAdmin, KeyService, Keys, Reveal, Revealed, Sealed, Sensitive,
    SurvivingRoot, Unlocked, VaultKey, VaultKeys, WrapContext, cobblestone, reveal,
};
use time::Duration;

/// That a type lacks a trait that `String` has: the inherent constant is there only where the
/// bound holds, and wins.
macro_rules! lacks {
    ($type:ty, $($bound:tt)+) => {{
        trait Fallback {
            const HAS: bool = false;
        }
        impl<T: ?Sized> Fallback for T {}
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        impl<T: ?Sized + $($bound)+> Probe<T> {
            const HAS: bool = true;
        }
        let has = [<Probe<String>>::HAS, <Probe<$type>>::HAS];
        let what = concat!(stringify!($type), ": ", stringify!($($bound)+));
        assert_eq!(has, [true, false], "{what}");
    }};
}

/// What must not show or compare itself, trait by trait.
macro_rules! shows_nothing {
    ($($type:ty),+) => {$(
        lacks!($type, std::fmt::Display);
        lacks!($type, serde::Serialize);
        lacks!($type, AsRef<[u8]>);
        lacks!($type, Into<Vec<u8>>);
        lacks!($type, PartialEq);
        lacks!($type, Default);
    )+};
}

// clause
#[test]
fn no_holder_of_a_secret_has_a_way_to_show_it() {
    shows_nothing!(DataKey, Unlocked, VaultKey, SurvivingRoot);
    shows_nothing!(Secret<[u8; 32]>, Secret<Vec<u8>>, Keys, Envelope);
    shows_nothing!(Revealed<String>, Revealed<Vec<u8>>);
    // ciphertext may be copied, and is not taken for what it holds
    shows_nothing!(Sealed<String>, Sensitive<String>);
    lacks!(Revealed<String>, Clone);
    lacks!(Revealed<String>, std::ops::Deref);
    lacks!(Revealed<String>, Into<String>);
    lacks!(DataKey, Clone);
    lacks!(SurvivingRoot, Clone);
    lacks!(Secret<[u8; 32]>, Clone);
    lacks!(Secret<Vec<u8>>, Clone);
}

/// Everything that was printed, to be searched for what must not be in it.
#[derive(Default)]
struct Printed(String);

impl Printed {
    fn debug(&mut self, what: &dyn Debug) -> TestResult {
        write!(self.0, "{what:?}\n{what:#?}\n")?;
        Ok(())
    }

    /// An error, and all that it rests on.
    fn error(&mut self, error: &(dyn Error + 'static)) -> TestResult {
        let mut next = Some(error);
        while let Some(error) = next {
            writeln!(self.0, "{error}")?;
            self.debug(&error)?;
            next = error.source();
        }
        Ok(())
    }

    /// Finds bytes as text, as hex, as Rust prints a list of them, on one line or on many.
    fn finds(&self, secret: &[u8]) -> Option<&'static str> {
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let list: Vec<_> = secret.iter().map(u8::to_string).collect();
        let text = std::str::from_utf8(secret).unwrap_or("\u{0}never printed");
        let squeezed: String = self.0.split_whitespace().collect();
        [
            ("text", text.to_owned()),
            ("hex", hex.clone()),
            ("upper hex", hex.to_uppercase()),
            ("list", list.join(",")),
            ("escaped", secret.escape_ascii().to_string()),
        ]
        .into_iter()
        .find(|(_, form)| self.0.contains(form) || squeezed.contains(form))
        .map(|(form, _)| form)
    }
}

const CANARY: &[u8] = b"canary-4711-of-a-customer";

#[test]
fn the_search_finds_each_form() -> TestResult {
    for shown in [
        String::from_utf8(CANARY.to_vec())?,
        format!("{CANARY:?}"),
        format!("{CANARY:#?}"),
        CANARY.iter().map(|byte| format!("{byte:02x}")).collect(),
        CANARY.iter().map(|byte| format!("{byte:02X}")).collect(),
    ] {
        assert!(Printed(shown.clone()).finds(CANARY).is_some(), "{shown}");
    }
    assert_eq!(Printed("[secret]".to_owned()).finds(CANARY), None);
    Ok(())
}

// clause: Q-10
#[tokio::test]
async fn no_debug_and_no_error_says_a_byte_of_a_key_or_of_content() -> TestResult {
    let world = World::in_memory();
    let keys = Arc::new(world.keys().await?);
    let sealer = Envelope::new(keys.clone());
    let tenant = world.tenant()?;
    keys.create_tenant(tenant).await?;
    let owner = Owner::Tenant(tenant);
    let place = body(owner, Purpose::Data)?;
    let other = Place::new(owner, Purpose::Data, "note", "body", b"row-2")?;
    let mut printed = Printed::default();

    let unlocked = keys.unlock(owner, Purpose::Data).await?;
    let derived = unlocked.derive(b"test/info");
    printed.debug(&(
        &unlocked,
        &derived,
        &keys,
        &sealer,
        &world.store,
        &world.backend,
    ))?;
    let (vault, day) = (world.vault()?, start() + Duration::days(20));
    keys.vault_root(tenant, vault, &epoch("a")?, day).await?;
    let vault_key = keys.unlock_vault(tenant, vault).await?;
    let of_vault = vault_key.derive(b"test/info")?;
    printed.debug(&(&vault_key, &of_vault))?;
    let version = KeyId::from_uuid(world.uuid()?);
    let context = WrapContext {
        owner,
        purpose: Purpose::Data,
        version,
    };
    let (data_key, wrapped) = keys.generate(&GroupName::Standard, &context).await?;
    printed.debug(&(&data_key, &wrapped))?;
    let survivors = keys.surviving_roots().await?;
    printed.debug(&survivors)?;

    let sealed = sealer.seal(&place, CANARY).await?;
    let canary = String::from_utf8(CANARY.to_vec())?;
    let field = Sealed::seal(&sealer, &place, &canary).await?;
    assert_eq!(field.open(&sealer, &place).await?.expose(), &canary);
    let twice = Sensitive::seal(&sealer, &place, &canary).await?;
    let why = Reveal {
        event: EventId::from_uuid(world.uuid()?),
        at: start(),
        actor: ActorContext::service("test"),
        target: Target::of(tenant, "record", 1_i64.into()),
        decision: None,
    };
    let sink = MemorySink::new();
    let shown = reveal(&sealer, &twice, &place, &why, &sink).await?;
    assert_eq!(shown.expose(), &canary);
    printed.debug(&(&field, &twice, &shown, &why, sink.events()))?;
    let why = Reveal {
        event: EventId::from_uuid(world.uuid()?),
        ..why
    };
    let refused = reveal(&sealer, &twice, &other, &why, &sink).await;
    printed.error(&refused.err().ok_or("revealed")?)?;
    let number = Sealed::<u64>::try_from(field.as_bytes())?;
    printed.error(&number.open(&sealer, &place).await.err().ok_or("opened")?)?;
    let opened = sealer.open(&place, &sealed).await?;
    assert_eq!(opened.expose(), CANARY);
    printed.debug(&opened)?;
    let root_of = |id: KeyId| survivors.iter().find(|root| root.version == id);
    let root = root_of(unlocked.version()).ok_or("no such root")?;
    let in_hand = open_with(root.root.expose(), root.version, &place, &sealed)?;
    assert_eq!(in_hand.expose(), CANARY);
    printed.debug(&in_hand)?;

    // every way to fail to open it
    for at in [0, 1, 20, 50, sealed.len() - 1] {
        let mut broken = sealed.clone();
        broken[at] ^= 1;
        printed.error(&sealer.open(&place, &broken).await.err().ok_or("opened")?)?;
        let held = unlocked.open(&place, &broken).err().ok_or("opened")?;
        printed.error(&held)?;
    }
    printed.error(&sealer.open(&other, &sealed).await.err().ok_or("opened")?)?;
    printed.error(
        &sealer
            .open(&other, twice.as_bytes())
            .await
            .err()
            .ok_or("opened")?,
    )?;
    let elsewhere = WrapContext {
        version: unlocked.version(),
        ..context
    };
    let refused = keys.unwrap_key(&wrapped, &elsewhere).await;
    printed.error(&refused.err().ok_or("unwrapped")?)?;
    let refused = cobblestone::open(root.root.expose(), b"elsewhere", &sealed[17..]);
    printed.error(&refused.err().ok_or("opened")?)?;
    let refused = WrappedKey::try_from(&wrapped.as_bytes()[1..]);
    printed.error(&refused.err().ok_or("parsed")?)?;

    // every call that fails, before its effect and after it
    let faults = Faults::none();
    let store = Arc::new(FaultyStore::new(world.store.clone(), faults.clone()));
    let backend = Arc::new(FaultyBackend::new(world.backend.clone(), faults.clone()));
    for point in 0..12 {
        let broken = Arc::new(world.keys_over(store.clone(), backend.clone()).await?);
        let broken = Envelope::new(broken);
        faults.fail_at(point);
        for error in [
            broken
                .open(&place, &sealed)
                .await
                .err()
                .map(Box::<dyn Error>::from),
            broken
                .seal(&place, CANARY)
                .await
                .err()
                .map(Box::<dyn Error>::from),
        ] {
            error.map_or(Ok(()), |error| printed.error(&*error))?;
        }
        faults.heal();
    }
    keys.disable(&world.admin(), unlocked.version()).await?;
    printed.error(&sealer.open(&place, &sealed).await.err().ok_or("opened")?)?;
    printed.error(&sealer.seal(&place, CANARY).await.err().ok_or("sealed")?)?;
    let events = world.store.events(1000).await?;
    assert!(events.len() > 5 && printed.0.len() > 1000);
    printed.debug(&events)?;
    printed.debug(&(world.admin(), ActorContext::service("x")))?;

    let derived = derived?;
    let roots = survivors.iter().map(|root| root.root.expose().as_slice());
    let secrets = [
        CANARY,
        derived.expose(),
        of_vault.expose(),
        data_key.expose(),
    ];
    for secret in roots.chain(secrets) {
        assert_eq!(printed.finds(secret), None, "{}", printed.0);
    }
    Ok(())
}
