//! Every byte of a message matters, the commitment's too: a reader that derives the key and opens
//! the chunk, and never looks at the commitment, is found by the same check that ours passes.

use std::error::Error;

use crypto_envelope::cobblestone;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA512, KeyType, Prk};

type Outcome = Result<(), Box<dyn Error>>;

const ROOT: [u8; 32] = [3; 32];
const CONTEXT: &[u8] = b"row 1";
const PLAIN: &[u8] = b"of one chunk";
/// Bytes 24 to 56 of a message.
const COMMITMENT: std::ops::Range<usize> = 24..56;

/// Key, nonce and commitment together.
struct Derived;

impl KeyType for Derived {
    fn len(&self) -> usize {
        76
    }
}

/// Opens a message of one chunk, whatever its commitment.
fn careless(message: &[u8]) -> Option<Vec<u8>> {
    let (salt, rest) = message.split_at_checked(24)?;
    let mut chunk = rest.get(32..)?.to_vec();
    let label = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";
    let mut derived = [0; 76];
    let prk = Prk::new_less_safe(HKDF_SHA512, &ROOT);
    let info: [&[u8]; 3] = [label, salt, CONTEXT];
    prk.expand(&info, Derived).ok()?.fill(&mut derived).ok()?;
    let key = UnboundKey::new(&AES_256_GCM, derived.get(..32)?).ok()?;
    let nonce = Nonce::try_assume_unique_for_key(derived.get(32..44)?).ok()?;
    let key = LessSafeKey::new(key);
    let plain = key.open_in_place(nonce, Aad::empty(), &mut chunk).ok()?;
    Some(plain.to_vec())
}

fn ours(message: &[u8]) -> Option<Vec<u8>> {
    let plain = cobblestone::open(&ROOT, CONTEXT, message).ok()?;
    Some(plain.expose().clone())
}

/// The bytes of a message that an opener does not miss when they are others.
fn unheeded(open: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Result<Vec<usize>, Box<dyn Error>> {
    let message = cobblestone::seal_with_salt(&ROOT, CONTEXT, PLAIN, &[9; 24])?;
    if open(&message).as_deref() != Some(PLAIN) {
        return Err("it does not open what was sealed".into());
    }
    let mut unheeded = Vec::new();
    for at in 0..message.len() {
        let mut other = message.clone();
        if let Some(byte) = other.get_mut(at) {
            *byte ^= 0x10;
        }
        if open(&other).is_some() {
            unheeded.push(at);
        }
    }
    Ok(unheeded)
}

#[test]
fn every_byte_matters_to_ours_and_the_commitment_not_to_the_careless_one() -> Outcome {
    assert_eq!(unheeded(ours)?, Vec::<usize>::new());
    assert_eq!(unheeded(careless)?, COMMITMENT.collect::<Vec<_>>());
    Ok(())
}
