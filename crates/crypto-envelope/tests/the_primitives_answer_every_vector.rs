//! The primitives, called as the crate calls them, give what Project Wycheproof's vectors say:
//! AES-256-GCM, which is what wraps keys too, HKDF-SHA512 and HMAC-SHA-256. A valid vector is
//! answered with its bytes, an invalid one with a refusal.

use std::error::Error;

use covenant_core::{KeyId, SystemRandom};
use crypto_envelope::wrapped::WrappedKey;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA512, KeyType, Prk};
use ring::hmac;
use wycheproof::{TestResult, aead, hkdf, mac};

/// What opens, in place and with the tag behind, under a key and nonce of the lengths that exist here.
fn opened(key: &[u8], nonce: &[u8], aad: &[u8], mut sealed: Vec<u8>) -> Option<Vec<u8>> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
    let nonce = Nonce::assume_unique_for_key(<[u8; NONCE_LEN]>::try_from(nonce).ok()?);
    let opened = key.open_in_place(nonce, Aad::from(aad), &mut sealed);
    Some(opened.ok()?.to_vec())
}

/// What is sealed, with the tag apart.
fn sealed(key: &[u8], nonce: &[u8], aad: &[u8], plain: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
    let nonce = Nonce::assume_unique_for_key(<[u8; NONCE_LEN]>::try_from(nonce).ok()?);
    let mut text = plain.to_vec();
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), &mut text);
    Some((text, tag.ok()?.as_ref().to_vec()))
}

// clause: P-12
#[test]
fn aes_256_gcm() -> Result<(), Box<dyn Error>> {
    let set = aead::TestSet::load(aead::TestName::AesGcm)?;
    let groups = set.test_groups.iter();
    let groups = groups.filter(|group| group.key_size == 256 && group.tag_size == 128);
    let (mut valid, mut invalid) = (0, 0);
    for test in groups.flat_map(|group| &group.tests) {
        let why = format!("{}: {}", test.tc_id, test.comment);
        let (key, nonce, aad) = (&test.key[..], &test.nonce[..], &test.aad[..]);
        let whole = [&test.ct[..], &test.tag[..]].concat();
        let plain = opened(key, nonce, aad, whole);
        if test.result == TestResult::Valid && nonce.len() == NONCE_LEN {
            valid += 1;
            assert_eq!(plain.as_deref(), Some(&test.pt[..]), "{why}");
            let (text, tag) = sealed(key, nonce, aad, &test.pt).ok_or("not sealed")?;
            assert_eq!(
                (&text[..], &tag[..]),
                (&test.ct[..], &test.tag[..]),
                "{why}"
            );
        } else {
            // nonces of another length are refused too
            invalid += 1;
            assert_eq!(plain, None, "{why}");
        }
    }
    assert!(valid >= 30 && invalid >= 20, "{valid} {invalid}");
    Ok(())
}

#[test]
fn a_wrapped_key_is_that_gcm() -> Result<(), Box<dyn Error>> {
    // no vector is as long as a root: what was held against them above opens it
    let (kek, root) = ([3; 32], [4; 32]);
    let id = KeyId::from_bytes([9; 16]);
    let wrapped = WrappedKey::wrap(&kek, id, b"context", &root, &SystemRandom::new())?;
    let (iv, text) = wrapped.as_bytes()[17..].split_at(NONCE_LEN);
    let plain = opened(&kek, iv, b"context", text.to_vec());
    assert_eq!(plain.as_deref(), Some(&root[..]));
    assert_eq!(opened(&kek, iv, b"contexT", text.to_vec()), None);
    assert_eq!(opened(&[5; 32], iv, b"context", text.to_vec()), None);
    Ok(())
}

struct Len(usize);

impl KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

// clause: P-12
#[test]
fn hkdf_sha512() -> Result<(), Box<dyn Error>> {
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha512)?;
    let (mut valid, mut invalid) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let why = format!("{}: {}", test.tc_id, test.comment);
        // the extract step, which roots do without; expanded as roots are
        let salt = hmac::Key::new(hmac::HMAC_SHA512, &test.salt);
        let prk = Prk::new_less_safe(HKDF_SHA512, hmac::sign(&salt, &test.ikm).as_ref());
        let mut out = vec![0; test.size];
        let info = [&test.info[..]];
        let filled = prk.expand(&info, Len(test.size));
        let filled = filled.and_then(|okm| okm.fill(&mut out));
        if test.result == TestResult::Valid {
            valid += 1;
            assert_eq!(filled, Ok(()), "{why}");
            assert_eq!(out, test.okm[..], "{why}");
        } else {
            invalid += 1;
            assert!(filled.is_err(), "{why}");
        }
    }
    assert!(valid >= 50 && invalid >= 1, "{valid} {invalid}");
    Ok(())
}

#[test]
fn hmac_sha256() -> Result<(), Box<dyn Error>> {
    let set = mac::TestSet::load(mac::TestName::HmacSha256)?;
    let (mut valid, mut invalid) = (0, 0);
    for group in &set.test_groups {
        for test in &group.tests {
            let why = format!("{}: {}", test.tc_id, test.comment);
            let key = hmac::Key::new(hmac::HMAC_SHA256, &test.key);
            let tag = hmac::sign(&key, &test.msg);
            // shorter tags are the beginning of it
            let same = tag.as_ref().get(..test.tag.len()) == Some(&test.tag[..]);
            let right = same && test.tag.len() * 8 == group.tag_size;
            assert_eq!(right, test.result == TestResult::Valid, "{why}");
            *if right { &mut valid } else { &mut invalid } += 1;
        }
    }
    assert!(valid >= 50 && invalid >= 50, "{valid} {invalid}");
    Ok(())
}
