//! What is sealed at a place opens there, in another process too, and nowhere else: every part of
//! the place, every byte of the value and every owner's root matters.

#[cfg(test)]
mod common;

use std::sync::Arc;

use common::{TestResult, World, body};
use covenant_core::sealer::{Layer, OpenError, Purpose, SealError};
use covenant_core::{Owner, Place, Random, Sealer, VaultId};
use crypto_envelope::Envelope;
use crypto_envelope::sealed::OVERHEAD_LEN_BYTES;

// clause: P-12, P-13, Q-14
#[tokio::test]
async fn a_value_survives_at_every_length() -> TestResult {
    let world = World::in_memory();
    let sealer = Envelope::new(Arc::new(world.keys().await?));
    let tenant = world.tenant()?;
    sealer.keys().create_tenant(tenant).await?;
    let again = Envelope::new(Arc::new(world.keys().await?));
    let place = body(Owner::Tenant(tenant), Purpose::Data)?;
    for len in [0, 1, 64, 16_383, 16_384, 16_385, 32_768] {
        let mut plain = vec![0; len];
        world.random.fill(&mut plain)?;
        let sealed = sealer.seal(&place, &plain).await?;
        assert_eq!(
            sealed.len(),
            len + OVERHEAD_LEN_BYTES + len / 16_384 * 16,
            "length {len}"
        );
        if len >= 8 {
            assert!(
                !sealed.windows(8).any(|window| window == &plain[..8]),
                "plaintext is in it"
            );
        }
        assert_eq!(sealer.open(&place, &sealed).await?.expose(), &plain);
        assert_eq!(
            again.open(&place, &sealed).await?.expose(),
            &plain,
            "another process"
        );
    }
    Ok(())
}

#[tokio::test]
async fn every_part_of_the_place_matters() -> TestResult {
    let world = World::in_memory();
    let sealer = Envelope::new(Arc::new(world.keys().await?));
    let (tenant, other, id) = (world.tenant()?, world.tenant()?, world.uuid()?);
    for tenant in [tenant, other] {
        sealer.keys().create_tenant(tenant).await?;
    }
    let owner = Owner::Tenant(tenant);
    let place = body(owner, Purpose::Data)?;
    let sealed = sealer.seal(&place, b"text").await?;
    let elsewhere = [
        body(Owner::Tenant(other), Purpose::Data)?,
        body(Owner::Subject(tenant, id), Purpose::Subject)?,
        body(Owner::Platform(id), Purpose::Platform)?,
        body(Owner::Vault(tenant, VaultId::from_uuid(id)), Purpose::Vault)?,
        body(owner, Purpose::Sensitive)?,
        body(owner, Purpose::Index)?,
        body(owner, Purpose::Vault)?,
        Place::new(owner, Purpose::Data, "notes", "body", b"row-1")?,
        Place::new(owner, Purpose::Data, "note", "bod", b"row-1")?,
        Place::new(owner, Purpose::Data, "noteb", "ody", b"row-1")?,
        Place::new(owner, Purpose::Data, "note", "body", b"row-2")?,
        Place::new(owner, Purpose::Data, "note", "body", b"")?,
        place.layered(Layer::Outer, Purpose::Data),
        place.layered(Layer::Inner, Purpose::Data),
    ];
    for elsewhere in elsewhere {
        let opened = sealer.open(&elsewhere, &sealed).await;
        assert!(
            matches!(opened, Err(OpenError::NotAuthentic)),
            "opened at {elsewhere:?}"
        );
    }
    assert_eq!(sealer.open(&place, &sealed).await?.expose(), b"text");
    Ok(())
}

#[tokio::test]
async fn every_byte_of_the_value_matters() -> TestResult {
    let world = World::in_memory();
    let sealer = Envelope::new(Arc::new(world.keys().await?));
    let tenant = world.tenant()?;
    sealer.keys().create_tenant(tenant).await?;
    let place = body(Owner::Tenant(tenant), Purpose::Data)?;
    let sealed = sealer.seal(&place, b"twelve bytes").await?;
    for at in 0..sealed.len() {
        let mut wrong = sealed.clone();
        wrong[at] ^= 0x80;
        let opened = sealer.open(&place, &wrong).await;
        assert!(matches!(opened, Err(OpenError::NotAuthentic)), "byte {at}");
        let cut = sealer.open(&place, &sealed[..at]).await;
        assert!(
            matches!(cut, Err(OpenError::NotAuthentic)),
            "cut to {at} bytes"
        );
    }
    assert!(sealer.open(&place, &sealed).await.is_ok());
    Ok(())
}

#[tokio::test]
async fn owners_have_the_roots_of_their_class_only() -> TestResult {
    let world = World::in_memory();
    let keys = Arc::new(world.keys().await?);
    let sealer = Envelope::new(keys.clone());
    let (tenant, id) = (world.tenant()?, world.uuid()?);
    let seal = async |owner, purpose| {
        let place = body(owner, purpose).or(Err(SealError::Key("no place")))?;
        sealer.seal(&place, b"text").await
    };
    let data = (Owner::Tenant(tenant), Purpose::Data);
    let early = seal(data.0, data.1).await;
    assert!(
        matches!(early, Err(SealError::Key("absent"))),
        "before the tenant was created"
    );
    let early = seal(Owner::Subject(tenant, id), Purpose::Subject).await;
    assert!(
        matches!(early, Err(SealError::Key("absent"))),
        "a subject of no tenant"
    );

    let roots = keys.create_tenant(tenant).await?;
    assert_eq!(keys.create_tenant(tenant).await?, roots, "created twice");
    let vault = Owner::Vault(tenant, world.vault()?);
    let good = [
        data,
        (Owner::Tenant(tenant), Purpose::Sensitive),
        (Owner::Subject(tenant, id), Purpose::Subject),
        (Owner::Subject(tenant, id), Purpose::Sensitive),
        (Owner::Platform(id), Purpose::Platform),
    ];
    let bad = [
        (Owner::Subject(tenant, id), Purpose::Data),
        (Owner::Platform(id), Purpose::Data),
        (Owner::Tenant(tenant), Purpose::Platform),
        (Owner::Tenant(tenant), Purpose::Index),
        (vault, Purpose::Data),
        (vault, Purpose::Vault),
    ];
    for (owner, purpose) in good {
        assert!(seal(owner, purpose).await.is_ok(), "{owner:?} {purpose:?}");
    }
    for (owner, purpose) in bad {
        let refused = matches!(seal(owner, purpose).await, Err(SealError::Key(_)));
        assert!(refused, "{owner:?} {purpose:?}");
    }
    Ok(())
}

#[cfg(feature = "testing")]
#[tokio::test]
async fn a_value_opens_with_its_root_in_hand_and_no_other() -> TestResult {
    use crypto_envelope::sealed::{SealedBytes, open_with};

    let world = World::in_memory();
    let keys = Arc::new(world.keys().await?);
    let tenant = world.tenant()?;
    let data = keys.create_tenant(tenant).await?.data;
    let place = body(Owner::Tenant(tenant), Purpose::Data)?;
    let sealed = Envelope::new(keys.clone()).seal(&place, b"text").await?;
    let version = SealedBytes::parse(&sealed)?.key();
    assert_eq!(version, data);
    let mut opened = 0;
    for survivor in keys.surviving_roots().await? {
        match open_with(survivor.root.expose(), version, &place, &sealed) {
            Ok(plain) => {
                assert_eq!(
                    (survivor.version, plain.expose().as_slice()),
                    (data, &b"text"[..])
                );
                opened += 1;
            }
            Err(error) => assert!(matches!(error, OpenError::NotAuthentic)),
        }
    }
    assert_eq!(opened, 1);
    Ok(())
}
