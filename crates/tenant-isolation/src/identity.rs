//! The identity of a store: 126 bytes in the store itself that say whose it is, where it belongs
//! and which generation it is, under a MAC. A file swapped, put back by hand or moved to another
//! region does not open. The byte table is in `FORMAT.md`.
#![deny(clippy::arithmetic_side_effects)]

use covenant_core::digest::Hasher;
use covenant_core::{Region, Secret, StoreId, TenantId, canon};
use ring::hmac;
use subtle::ConstantTimeEq;
use time::UtcDateTime;

use crate::TenantRecord;

/// Length of an identity in bytes.
pub const IDENTITY_LEN_BYTES: usize = 126;
const MAC_LEN_BYTES: usize = 32;
const GENERATION_AT_BYTES: usize = 40;
const REGION_FIELD_LEN_BYTES: usize = 32;
const MAGIC: &[u8; 8] = b"COVSTID1";
const LABEL: &[u8] = b"covenant/store-identity/v1\0";
const KEY_LABEL: &[u8] = b"covenant/key-id/v1\0";

/// How a store keeps tenants apart; the code is part of the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StoreModel {
    /// One SQLite file per tenant: code 1.
    SqliteFile,
}

impl StoreModel {
    const fn code(self) -> u8 {
        match self {
            Self::SqliteFile => 1,
        }
    }
}

/// Whose a store is, where it belongs, and which generation it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreIdentity {
    tenant: TenantId,
    store: StoreId,
    generation: u64,
    created_ms: u64,
    model: StoreModel,
    region: Region,
}

impl StoreIdentity {
    /// The identity that the store of this tenant must have, by the registry's record.
    #[must_use]
    pub fn expected(tenant: TenantId, record: &TenantRecord, model: StoreModel) -> Self {
        let millis = record.created.unix_timestamp_nanos().div_euclid(1_000_000);
        Self {
            tenant,
            store: record.store,
            generation: record.generation,
            created_ms: u64::try_from(millis).unwrap_or(0),
            model,
            region: record.region.clone(),
        }
    }

    /// The identity of the store that replaces this one: the next generation of the same store.
    #[must_use]
    pub fn raised(&self) -> Self {
        Self {
            generation: self.generation.saturating_add(1),
            ..self.clone()
        }
    }

    /// Whose it is.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The store's id.
    #[must_use]
    pub const fn store(&self) -> StoreId {
        self.store
    }

    /// The generation, from 1.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Where it belongs.
    #[must_use]
    pub const fn region(&self) -> &Region {
        &self.region
    }

    /// The instant that the tenant was created, to the millisecond.
    #[must_use]
    pub fn created(&self) -> UtcDateTime {
        let nanos = i128::from(self.created_ms).saturating_mul(1_000_000);
        UtcDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(UtcDateTime::UNIX_EPOCH)
    }

    /// The 126 bytes.
    #[must_use]
    pub fn seal(&self, key: &IdentityKey) -> Vec<u8> {
        let mut bytes = self.body(key);
        let mac = hmac::sign(&key.mac, &[LABEL, &bytes].concat());
        bytes.extend_from_slice(mac.as_ref());
        bytes
    }

    /// Checks that the bytes are exactly this identity, authentic under the key.
    ///
    /// # Errors
    /// [`IdentityMismatch`] with the first field that differs. The MAC is compared first, in
    /// constant time, so nothing is told about bytes that were not made under the key.
    pub fn verify(&self, bytes: &[u8], key: &IdentityKey) -> Result<(), IdentityMismatch> {
        let mismatch = |field| Err(IdentityMismatch { field });
        let mut reader = canon::Reader::new(bytes);
        let mut take = |len| {
            reader
                .fixed(len)
                .or(Err(IdentityMismatch { field: "length" }))
        };
        let body = take(IDENTITY_LEN_BYTES.saturating_sub(MAC_LEN_BYTES))?;
        let mac = take(MAC_LEN_BYTES)?;
        if reader.left() != 0 {
            return mismatch("length");
        }
        let ours = hmac::sign(&key.mac, &[LABEL, body].concat());
        if !bool::from(ours.as_ref().ct_eq(mac)) {
            return mismatch("mac");
        }
        let mut theirs = canon::Reader::new(body);
        let expected = self.body(key);
        let mut expected = canon::Reader::new(&expected);
        for (field, len) in FIELDS {
            let theirs = theirs.fixed(len).or(Err(IdentityMismatch { field }))?;
            let ours = expected.fixed(len).or(Err(IdentityMismatch { field }))?;
            if theirs != ours {
                return mismatch(field);
            }
        }
        Ok(())
    }

    /// Checks that the bytes are the identity of this store, of this generation or an older one: what
    /// a restored copy carries.
    ///
    /// # Errors
    /// [`IdentityMismatch`], as [`StoreIdentity::verify`]; `generation` for a later one.
    pub fn verify_older(&self, bytes: &[u8], key: &IdentityKey) -> Result<(), IdentityMismatch> {
        let mut reader = canon::Reader::new(bytes);
        let generation = reader
            .fixed(GENERATION_AT_BYTES)
            .and_then(|_| reader.u64())
            .or(Err(IdentityMismatch { field: "length" }))?;
        Self {
            generation,
            ..self.clone()
        }
        .verify(bytes, key)?;
        if generation <= self.generation {
            Ok(())
        } else {
            Err(IdentityMismatch {
                field: "generation",
            })
        }
    }

    fn body(&self, key: &IdentityKey) -> Vec<u8> {
        let Self {
            tenant,
            store,
            generation,
            created_ms,
            model,
            region,
        } = self;
        let name = region.as_str().as_bytes();
        let mut padded = [0_u8; REGION_FIELD_LEN_BYTES];
        padded
            .iter_mut()
            .zip(name)
            .for_each(|(to, from)| *to = *from);
        let mut writer = canon::Writer::new();
        writer
            .fixed(MAGIC)
            .fixed(tenant.as_bytes())
            .fixed(store.as_bytes())
            .u64(*generation)
            .u64(*created_ms)
            .fixed(&key.id)
            .u8(model.code())
            // INVARIANT: a region's name has at most 32 bytes.
            .u8(u8::try_from(name.len()).unwrap_or(u8::MAX))
            .fixed(&padded);
        writer.finish()
    }
}

/// Fields of the body in order, with their lengths in bytes.
const FIELDS: [(&str, usize); 9] = [
    ("magic", 8),
    ("tenant", 16),
    ("store", 16),
    ("generation", 8),
    ("created", 8),
    ("key", 4),
    ("model", 1),
    ("region", 1),
    ("region", REGION_FIELD_LEN_BYTES),
];

/// The key under which store identities are made and checked. It is not wiped: `ring` keeps the
/// expanded key for as long as it lives.
pub struct IdentityKey {
    mac: hmac::Key,
    id: [u8; 4],
}

impl IdentityKey {
    /// The key of these 32 bytes.
    #[must_use]
    pub fn new(key: &Secret<[u8; 32]>) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(KEY_LABEL);
        hasher.update(key.expose());
        let mut id = [0_u8; 4];
        id.iter_mut()
            .zip(hasher.finish().as_bytes())
            .for_each(|(to, from)| *to = *from);
        Self {
            mac: hmac::Key::new(hmac::HMAC_SHA256, key.expose()),
            id,
        }
    }

    /// First 4 bytes of SHA-256 over label and key: names the key, tells nothing of it.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }
}

impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IdentityKey({})", canon::hex(&self.id))
    }
}

/// The identity found in a store is not the one that the registry expects there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store's identity differs in: {field}")]
pub struct IdentityMismatch {
    field: &'static str,
}

impl IdentityMismatch {
    /// The identity is missing altogether.
    pub(crate) const MISSING: Self = Self { field: "presence" };

    /// The first field that differs; `mac` when the bytes are not authentic, `length` or `presence`
    /// when there is no identity at all.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }
}

#[cfg(test)]
mod tests {
    use covenant_core::RegionSet;
    use uuid::Uuid;

    use super::*;
    use crate::{TenantEpoch, TenantState};

    fn key() -> IdentityKey {
        IdentityKey::new(&Secret::new(std::array::from_fn(|n| {
            u8::try_from(n).unwrap()
        })))
    }

    fn id(last: u8) -> Uuid {
        Uuid::parse_str(&format!("00000000-0000-4000-8000-0000000000{last:02x}")).unwrap()
    }

    fn identity() -> StoreIdentity {
        let regions = RegionSet::new(["us-chicago", "eu-west"]).unwrap();
        let record = TenantRecord {
            region: regions.region("us-chicago").unwrap(),
            state: TenantState::Active,
            epoch: TenantEpoch::FIRST,
            store: StoreId::from_uuid(id(0xee)),
            generation: 1,
            created: UtcDateTime::from_unix_timestamp(1_790_000_000).unwrap(),
        };
        StoreIdentity::expected(
            TenantId::from_uuid(id(0x0a)),
            &record,
            StoreModel::SqliteFile,
        )
    }

    #[test]
    fn the_vector_of_the_format_is_met() {
        let bytes = identity().seal(&key());
        assert_eq!(bytes.len(), IDENTITY_LEN_BYTES);
        assert_eq!(canon::hex(&key().id()), "fed3630d");
        assert_eq!(
            canon::hex(&bytes[94..]),
            "70da2c9f73321897d73e64d898fe5b2d9daa014fb0559c8d6f8e9035893560f9"
        );
        assert_eq!(identity().verify(&bytes, &key()), Ok(()));
        assert_eq!(identity().created().unix_timestamp(), 1_790_000_000);
    }

    #[test]
    fn every_flipped_bit_and_every_other_length_is_refused() {
        let good = identity().seal(&key());
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(
                    identity().verify(&bad, &key()).is_err(),
                    "byte {at} bit {bit}"
                );
            }
        }
        for len in 0..good.len() {
            assert_eq!(
                identity().verify(&good[..len], &key()).unwrap_err().field(),
                "length"
            );
        }
        let long = [good.as_slice(), &[0]].concat();
        assert_eq!(
            identity().verify(&long, &key()).unwrap_err().field(),
            "length"
        );
    }

    #[test]
    fn an_authentic_identity_of_another_store_names_the_field() {
        let check = |other: StoreIdentity, field: &str| {
            let bytes = other.seal(&key());
            assert_eq!(
                identity().verify(&bytes, &key()).unwrap_err().field(),
                field
            );
            assert_eq!(other.verify(&bytes, &key()), Ok(()), "positive control");
        };
        let eu = RegionSet::new(["eu-west"])
            .unwrap()
            .region("eu-west")
            .unwrap();
        check(
            StoreIdentity {
                tenant: TenantId::from_uuid(id(0x0b)),
                ..identity()
            },
            "tenant",
        );
        check(
            StoreIdentity {
                store: StoreId::from_uuid(id(0xef)),
                ..identity()
            },
            "store",
        );
        check(identity().raised(), "generation");
        check(
            StoreIdentity {
                created_ms: 0,
                ..identity()
            },
            "created",
        );
        check(
            StoreIdentity {
                region: eu,
                ..identity()
            },
            "region",
        );
    }

    #[test]
    fn an_older_generation_is_accepted_only_as_a_copy_to_restore() {
        let (older, newer) = (identity(), identity().raised());
        assert_eq!(newer.verify_older(&older.seal(&key()), &key()), Ok(()));
        assert_eq!(newer.verify_older(&newer.seal(&key()), &key()), Ok(()));
        let field = |bytes: &[u8]| older.verify_older(bytes, &key()).unwrap_err().field();
        assert_eq!(field(&newer.seal(&key())), "generation");
        assert_eq!(field(&[0; 40]), "length");
        let other = StoreIdentity {
            tenant: TenantId::from_uuid(id(0x0b)),
            ..identity()
        };
        assert_eq!(field(&other.seal(&key())), "tenant");
    }

    #[test]
    fn another_key_is_refused() {
        let other = IdentityKey::new(&Secret::new([7; 32]));
        let bytes = identity().seal(&other);
        assert_eq!(
            identity().verify(&bytes, &key()).unwrap_err().field(),
            "mac"
        );
        assert_eq!(identity().verify(&bytes, &other), Ok(()));
    }
}
