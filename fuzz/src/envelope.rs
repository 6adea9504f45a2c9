//! crypto-envelope: what opens is byte for byte what sealing makes, key files and wrapped keys
//! encode to themselves, certificates are judged alike, and nothing panics.

use covenant_core::sealer::Purpose;
use covenant_core::{Owner, Place, TenantId};
use crypto_envelope::backend::file;
use crypto_envelope::cobblestone::seal_with_salt;
use crypto_envelope::sealed::{SealedBytes, open_with};
use crypto_envelope::token::Token;
use crypto_envelope::transit::chain;
use crypto_envelope::transit::rustls::pki_types::CertificateDer;
use crypto_envelope::wrapped::{WrappedKey, wrap_context};
use crypto_envelope::{SENSITIVE_OVERHEAD_LEN_BYTES, Sealable, Sealed, Sensitive};

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

/// Values, fields and tokens that are taken from a store are exactly what is put there.
pub fn typed_field(data: &[u8]) {
    fn is_itself<T: Sealable>(data: &[u8]) {
        if let Some(value) = T::from_plain(data) {
            assert_eq!(*value.to_plain(), *data);
        }
    }
    is_itself::<String>(data);
    is_itself::<Vec<u8>>(data);
    is_itself::<[u8; 16]>(data);
    is_itself::<bool>(data);
    is_itself::<u16>(data);
    is_itself::<i64>(data);
    is_itself::<u128>(data);
    let field = Sealed::<String>::try_from(data);
    assert_eq!(field.is_ok(), SealedBytes::parse(data).is_ok());
    if let Ok(twice) = Sensitive::<String>::try_from(data) {
        assert!(data.len() >= SENSITIVE_OVERHEAD_LEN_BYTES);
        assert_eq!(twice.as_bytes(), data);
        assert_eq!(field.as_ref().map(Sealed::salt).ok(), Some(twice.salt()));
    }
    if let Ok(field) = field {
        assert_eq!(data.get(1..17), Some(&field.key().as_bytes()[..]));
        assert_eq!(field.into_bytes(), data);
    }
    if let Ok(token) = Token::try_from(data) {
        assert_eq!(token.as_bytes().as_slice(), data);
        assert_eq!(data.get(1..17), Some(&token.version().as_bytes()[..]));
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

/// Judging certificates, each behind its length in two bytes, never panics and says the same twice;
/// what a chain accepts is accepted alone and as a root, and not with a byte more.
pub fn cert_chain(mut data: &[u8]) {
    let mut certificates = Vec::new();
    while let Some((len, rest)) = data.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes(*len));
        let (certificate, rest) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        certificates.push(CertificateDer::from(certificate));
        data = rest;
    }
    let judged = chain::check(&certificates);
    assert_eq!(judged, chain::check(&certificates));
    let Ok(infos) = judged else { return };
    for (info, certificate) in infos.iter().zip(&certificates) {
        let alone = chain::check(std::slice::from_ref(certificate));
        assert_eq!(alone.as_deref(), Ok(std::slice::from_ref(info)));
        let root = chain::check_root(certificate).map(|root| root.key);
        assert_eq!(root, Ok(info.key));
        let longer = CertificateDer::from([certificate, &[0][..]].concat());
        assert!(chain::check(&[longer]).is_err());
    }
}
