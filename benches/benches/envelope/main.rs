//! The envelope: what it costs over ring doing the one derivation and the one AEAD that there are.

#![expect(clippy::print_stderr, reason = "a bench says what it could not run")]

mod blob;
mod peers;
mod range;
mod rewrap;

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;

use benches::{Bar, Measure, compare};
use covenant_core::sealer::Purpose;
use covenant_core::{Owner, Place, Random as _, SystemClock, SystemRandom, TenantId};
use crypto_envelope::backend::MemoryBackend;
use crypto_envelope::sealed::SealedBytes;
use crypto_envelope::store::MemoryStore;
use crypto_envelope::{Keys, KeysOptions, Unlocked, cobblestone};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA512, KeyType, Prk};

type Outcome = Result<(), Box<dyn Error>>;

const ROOT: [u8; 32] = [7; 32];
const VALUE: [u8; 64] = [3; 64];
const BLOB_LEN_BYTES: usize = 16 << 20;
/// `c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM` and a zero.
const LABEL_LEN_BYTES: usize = 48;
/// Key, nonce and commitment: what a message derives.
const DERIVED_LEN_BYTES: usize = 76;

fn main() -> Outcome {
    blob::run()?;
    peers::run()?;
    range::run()?;
    rewrap::run()?;
    small_values()?;
    one_shot()
}

/// The least that sealing 64 bytes under a fresh key can do.
struct Limit;

impl KeyType for Limit {
    fn len(&self) -> usize {
        DERIVED_LEN_BYTES
    }
}

impl Limit {
    fn key(info: &[u8]) -> Option<LessSafeKey> {
        let mut derived = [0_u8; DERIVED_LEN_BYTES];
        let prk = Prk::new_less_safe(HKDF_SHA512, black_box(&ROOT));
        prk.expand(&[info], Self).ok()?.fill(&mut derived).ok()?;
        let key = UnboundKey::new(&AES_256_GCM, derived.first_chunk::<32>()?);
        Some(LessSafeKey::new(key.ok()?))
    }

    fn seal(random: &SystemRandom, info: &[u8]) -> Option<Vec<u8>> {
        let mut salt = [0_u8; cobblestone::SALT_LEN_BYTES];
        random.fill(&mut salt).ok()?;
        let mut sealed = Vec::with_capacity(VALUE.len() + 16);
        sealed.extend_from_slice(black_box(&VALUE));
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let key = Self::key(info)?;
        key.seal_in_place_append_tag(nonce, Aad::empty(), &mut sealed)
            .ok()?;
        Some(sealed)
    }

    fn open(info: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut plain = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let key = Self::key(info)?;
        let len = key
            .open_in_place(nonce, Aad::empty(), &mut plain)
            .ok()?
            .len();
        plain.truncate(len);
        Some(plain)
    }
}

/// A tenant's root in the cache, where it is while the tenant works.
fn unlocked() -> Result<(Unlocked, Place), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let random = Arc::new(SystemRandom::new());
        let keys = Keys::open(
            Arc::new(MemoryStore::new()),
            Arc::new(MemoryBackend::new(random.clone())),
            Arc::new(SystemClock::new()),
            random,
            KeysOptions::default(),
        )
        .await?;
        let tenant = TenantId::derive(&uuid::Uuid::NAMESPACE_DNS, "customer-17");
        keys.create_tenant(tenant).await?;
        let owner = Owner::Tenant(tenant);
        let place = Place::new(owner, Purpose::Data, "records", "title", &[5; 16])?;
        Ok((keys.unlock(owner, Purpose::Data).await?, place))
    })
}

fn small_values() -> Outcome {
    let (unlocked, place) = unlocked()?;
    let random = SystemRandom::new();
    // as long as ours: label, salt and context
    let sealed = unlocked.seal(&place, &VALUE)?;
    let context = place.context(SealedBytes::parse(&sealed)?.key());
    let info = vec![9_u8; LABEL_LEN_BYTES + cobblestone::SALT_LEN_BYTES + context.len()];
    let compared = compare(
        || unlocked.seal(&place, black_box(&VALUE)),
        || Limit::seal(&random, &info),
    );
    let peer =
        "one HKDF-Expand-SHA512 of 76 bytes, one AES-256-GCM, and for sealing one salt, in ring";
    let measure = |id, value| Measure {
        id,
        value,
        unit: "times the peer's time",
        peer,
        bar: Bar::AtMost(1.3),
    };
    measure("crypto-envelope/seal-64", compared.ratio).print()?;
    if unlocked.open(&place, &sealed)?.expose().as_slice() != VALUE {
        return Err("what was sealed does not open".into());
    }
    let theirs = Limit::seal(&random, &info).ok_or("ring does not seal")?;
    if Limit::open(&info, &theirs).ok_or("ring does not open")? != VALUE {
        return Err("what ring sealed does not open".into());
    }
    let compared = compare(
        || unlocked.open(&place, black_box(&sealed)),
        || Limit::open(&info, black_box(&theirs)),
    );
    measure("crypto-envelope/open-64", compared.ratio).print()?;
    Ok(())
}

fn one_shot() -> Outcome {
    let plain = vec![1_u8; BLOB_LEN_BYTES];
    let random = SystemRandom::new();
    let key = Limit::key(b"blob").ok_or("ring derives no key")?;
    let theirs = || {
        let mut sealed = Vec::with_capacity(BLOB_LEN_BYTES + (BLOB_LEN_BYTES >> 10));
        for (chunk, n) in plain.chunks(cobblestone::CHUNK_LEN_BYTES).zip(0_u64..) {
            let start = sealed.len();
            sealed.extend_from_slice(chunk);
            let mut nonce = [0_u8; NONCE_LEN];
            let counter = nonce.iter_mut().rev().zip(n.to_le_bytes());
            counter.for_each(|(to, from)| *to = from);
            let nonce = Nonce::assume_unique_for_key(nonce);
            let part = sealed.get_mut(start..)?;
            let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), part);
            sealed.extend_from_slice(tag.ok()?.as_ref());
        }
        Some(sealed)
    };
    if theirs().is_none() || cobblestone::seal(&ROOT, b"blob", &plain, &random).is_err() {
        return Err("a blob is not sealed".into());
    }
    let compared = compare(
        || cobblestone::seal(&ROOT, b"blob", &plain, &random),
        theirs,
    );
    Measure {
        id: "crypto-envelope/blob-16-mib",
        value: 1.0 / compared.ratio,
        unit: "times the peer's throughput",
        peer: "limit: AES-256-GCM on chunks of 16 KiB in ring, one core",
        bar: Bar::AtLeast(0.9),
    }
    .print()?;
    Ok(())
}
