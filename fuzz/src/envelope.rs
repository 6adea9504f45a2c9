//! crypto-envelope: what opens is byte for byte what sealing makes, key files and wrapped keys
//! encode to themselves, and nothing panics.

use covenant_core::sealer::Purpose;
use covenant_core::{Owner, Place, TenantId};
use crypto_envelope::backend::file;
use crypto_envelope::cobblestone::seal_with_salt;
use crypto_envelope::sealed::{SealedBytes, open_with};
use crypto_envelope::wrapped::{WrappedKey, wrap_context};

/// The root and the key-encryption key of the seeds.
pub const KEY: [u8; 32] = [7; 32];

/// The owner of the seeds.
#[must_use]
pub fn owner() -> Owner {
    Owner::Tenant(TenantId::from_bytes([5; 16]))
}

/// Where the seeds were sealed; `None` never.
#[must_use]
pub fn place() -> Option<Place> {
    Place::new(owner(), Purpose::Data, "seeds", "value", b"1").ok()
}

/// Sealed values are their parts, and one that opens is what sealing the same bytes gives.
pub fn sealed_value(data: &[u8]) {
    let Ok(parts) = SealedBytes::parse(data) else {
        return;
    };
    let (key, message) = (parts.key(), parts.message());
    assert_eq!([&[1], &key.as_bytes()[..], message].concat(), data);
    assert_eq!(Some(&parts.salt()[..]), data.get(17..41));
    let Some(place) = place() else {
        return;
    };
    if let Ok(plain) = open_with(&KEY, key, &place, data) {
        let again = seal_with_salt(&KEY, &place.context(key), plain.expose(), parts.salt());
        assert_eq!(again.as_deref().ok(), Some(message));
    }
}

/// Wrapped keys are their bytes, and unwrapping one changes nothing.
pub fn wrapped_key(data: &[u8]) {
    let Ok(wrapped) = WrappedKey::try_from(data) else {
        return;
    };
    assert_eq!(wrapped.as_bytes().as_slice(), data);
    let kek = wrapped.kek();
    assert_eq!(Some(&kek.as_bytes()[..]), data.get(1..17));
    let context = wrap_context(kek, owner(), Purpose::Data, kek);
    let once = wrapped.unwrap_with(&KEY, &context).map(|k| *k.expose());
    let twice = wrapped.unwrap_with(&KEY, &context).map(|k| *k.expose());
    assert_eq!(once.ok(), twice.ok());
    assert!(wrapped.unwrap_with(&KEY, b"another context").is_err());
}

/// Key files encode to themselves.
pub fn kek_file(data: &[u8]) {
    if let Ok((id, key)) = file::decode(data) {
        assert_eq!(file::encode(id, key.expose()).expose().as_slice(), data);
    }
}
