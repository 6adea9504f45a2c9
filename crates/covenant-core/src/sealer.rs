//! Sealing: the joint through which every crate encrypts, and the place that a seal is bound to.

use std::fmt::Debug;

use time::UtcDateTime;
use uuid::Uuid;

use crate::{BoxFuture, ClauseId, KeyId, OrderId, Secret, TenantId, VaultId, canon};

/// Longest part of a place in bytes (crypto-envelope 4.2).
pub const PLACE_PART_LEN_BYTES_MAX: usize = 1024;
/// Longest context in bytes (crypto-envelope 4.2).
pub const PLACE_LEN_BYTES_MAX: usize = 4096;
/// Bytes of a context beside its named parts, at most: eight lengths, the label, version, owner,
/// the longest purpose and the layer.
const CONTEXT_REST_LEN_BYTES: usize = 8 * 4 + 17 + 16 + 33 + 9 + 1;

/// Whose key seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Owner {
    /// A tenant's root.
    Tenant(TenantId),
    /// A data subject's root: destroying it erases one person.
    Subject(TenantId, Uuid),
    /// A vault's root.
    Vault(TenantId, VaultId),
    /// A root of the platform, which belongs to no tenant.
    Platform(Uuid),
}

impl Owner {
    /// The 33 bytes of crypto-envelope 4.2: class, tenant, id; zeros where absent.
    #[must_use]
    pub fn encode(&self) -> [u8; 33] {
        let nil = Uuid::nil();
        let (class, tenant, id) = match *self {
            Self::Tenant(tenant) => (1, tenant.as_uuid(), nil),
            Self::Subject(tenant, subject) => (2, tenant.as_uuid(), subject),
            Self::Vault(tenant, vault) => (3, tenant.as_uuid(), vault.as_uuid()),
            Self::Platform(id) => (4, nil, id),
        };
        let mut bytes = [0_u8; 33];
        let parts = [class]
            .into_iter()
            .chain(*tenant.as_bytes())
            .chain(*id.as_bytes());
        bytes
            .iter_mut()
            .zip(parts)
            .for_each(|(to, from)| *to = from);
        bytes
    }

    /// The tenant, if it has one.
    #[must_use]
    pub const fn tenant(&self) -> Option<TenantId> {
        match *self {
            Self::Tenant(tenant) | Self::Subject(tenant, _) | Self::Vault(tenant, _) => {
                Some(tenant)
            }
            Self::Platform(_) => None,
        }
    }
}

/// Which root of the owner seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// A tenant's data.
    Data,
    /// A tenant's search tokens.
    Index,
    /// The second layer of especially sensitive data, under a group of its own.
    Sensitive,
    /// A data subject's data.
    Subject,
    /// A vault.
    Vault,
    /// The platform's own.
    Platform,
}

impl Purpose {
    /// The name, as it stands in contexts and key records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Index => "index",
            Self::Sensitive => "sensitive",
            Self::Subject => "subject",
            Self::Vault => "vault",
            Self::Platform => "platform",
        }
    }
}

/// Which layer a seal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the layer byte of SealedValue version 1 is final"
)]
pub enum Layer {
    /// The only one.
    Single,
    /// The outer of two.
    Outer,
    /// The inner of two.
    Inner,
}

impl Layer {
    /// The layer byte of crypto-envelope 4.2.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Single => 0,
            Self::Outer => 1,
            Self::Inner => 2,
        }
    }
}

/// What a seal is bound to: opened at any other place it is not authentic.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    owner: Owner,
    purpose: Purpose,
    collection: String,
    field: String,
    locator: Vec<u8>,
    layer: Layer,
}

/// A place is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a part of a place has at most {PLACE_PART_LEN_BYTES_MAX} bytes")]
pub struct PlaceError;

impl Place {
    /// The place of one value: table and column, or kind and version of an object; the locator is
    /// the row's [`crate::ItemId`] or the object's path.
    ///
    /// # Errors
    /// [`PlaceError`] when a part is longer than 1 KiB.
    pub fn new(
        owner: Owner,
        purpose: Purpose,
        collection: &str,
        field: &str,
        locator: &[u8],
    ) -> Result<Self, PlaceError> {
        let lengths = [collection.len(), field.len(), locator.len()];
        if lengths
            .into_iter()
            .any(|len| len > PLACE_PART_LEN_BYTES_MAX)
        {
            return Err(PlaceError);
        }
        Ok(Self {
            owner,
            purpose,
            collection: collection.to_owned(),
            field: field.to_owned(),
            locator: locator.to_vec(),
            layer: Layer::Single,
        })
    }

    /// The same place as one of two layers, under the root of this purpose.
    #[must_use]
    pub fn layered(&self, layer: Layer, purpose: Purpose) -> Self {
        Self {
            layer,
            purpose,
            ..self.clone()
        }
    }

    /// Whose key seals.
    #[must_use]
    pub const fn owner(&self) -> Owner {
        self.owner
    }

    /// Which root of the owner.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Which layer.
    #[must_use]
    pub const fn layer(&self) -> Layer {
        self.layer
    }

    /// The context of crypto-envelope 4.2 under this version of the root.
    #[must_use]
    pub fn context(&self, version: KeyId) -> Vec<u8> {
        let Self {
            owner,
            purpose,
            collection,
            field,
            locator,
            layer,
        } = self;
        let named = [collection.len(), field.len(), locator.len()];
        let len: usize = CONTEXT_REST_LEN_BYTES.saturating_add(named.into_iter().sum());
        let mut w = canon::Writer::with_capacity(len);
        w.text("covenant/sealed/1")
            .bytes(version.as_bytes())
            .bytes(&owner.encode())
            .text(purpose.name())
            .text(collection)
            .text(field)
            .bytes(locator)
            .bytes(&[layer.byte()]);
        w.finish()
    }
}

/// Sealing failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The key's state forbids it; the text is the state.
    #[error("the key is {0}")]
    Key(&'static str),
    /// The plaintext is larger than the cap.
    #[error("the value is larger than {max} bytes")]
    TooLarge {
        /// The cap, in bytes.
        max: u64,
    },
    /// The key store or backend is not available.
    #[error("the keys are not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Opening failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The key's state forbids it; the text is the state.
    #[error("the key is {0}")]
    Key(&'static str),
    /// Not what was sealed at this place. Nothing tells which byte was wrong.
    #[error("not authentic")]
    NotAuthentic,
    /// The key store or backend is not available.
    #[error("the keys are not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// An order to destroy the keys of one data subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestroyOrder {
    /// The order's id; the same order twice is done once.
    pub id: OrderId,
    /// The tenant.
    pub tenant: TenantId,
    /// The data subject.
    pub subject: Uuid,
    /// When it was ordered.
    pub at: UtcDateTime,
    /// The clause on which it rests.
    pub clause: ClauseId,
}

/// What became of a [`DestroyOrder`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destroyed {
    /// Versions of the subject's root that were destroyed.
    pub keys: Vec<KeyId>,
    /// When.
    pub destroyed_at: UtcDateTime,
    /// From when on no copy of a key exists anywhere; `None` when that is not known.
    pub complete_by: Option<UtcDateTime>,
    /// SHA-256 of the sealer's part of the order's certificate.
    pub part: [u8; 32],
}

/// Destroying failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DestroyError {
    /// A hold or a floor forbids it.
    #[error("the keys are held")]
    Held,
    /// This sealer has no keys of data subjects.
    #[error("no keys of data subjects here")]
    NoSubjectKeys,
    /// The key store or backend is not available; what was done stays done.
    #[error("the keys are not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Seals and opens bytes, each bound to its [`Place`].
///
/// # Contract
/// What `seal` returns opens at the same place and nowhere else; equal plaintexts give different
/// seals. `open` fails with [`OpenError::NotAuthentic`] for everything that was not sealed there,
/// without telling why. After `destroy` nothing sealed under the subject's root opens again, here
/// at once and elsewhere by `complete_by`; the same order again returns the same answer.
///
/// # Errors
/// [`SealError`], [`OpenError`], [`DestroyError`].
pub trait Sealer: Debug + Send + Sync {
    /// Whether data subjects have keys of their own here.
    fn subject_keys(&self) -> bool;
    /// Seals the bytes at the place.
    fn seal<'a>(
        &'a self,
        place: &'a Place,
        plain: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, SealError>>;
    /// Opens what was sealed at the place.
    fn open<'a>(
        &'a self,
        place: &'a Place,
        sealed: &'a [u8],
    ) -> BoxFuture<'a, Result<Secret<Vec<u8>>, OpenError>>;
    /// Destroys every version of a data subject's root.
    fn destroy<'a>(
        &'a self,
        order: &'a DestroyOrder,
    ) -> BoxFuture<'a, Result<Destroyed, DestroyError>>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canon::hex;

    fn place(owner: Owner, collection: &str, field: &str, locator: &[u8]) -> Place {
        Place::new(owner, Purpose::Data, collection, field, locator).unwrap()
    }

    #[test]
    fn contexts_are_the_documented_bytes() {
        let tenant = TenantId::from_bytes([0x11; 16]);
        let version = KeyId::from_bytes([0x22; 16]);
        let context = place(Owner::Tenant(tenant), "t", "c", b"\x07").context(version);
        let expect = [
            "00000011636f76656e616e742f7365616c65642f31",
            "00000010",
            &"22".repeat(16),
            "0000002101",
            &"11".repeat(16),
            &"00".repeat(16),
            "0000000464617461",
            "0000000174",
            "0000000163",
            "0000000107",
            "0000000100",
        ];
        assert_eq!(hex(&context), expect.concat());
    }

    #[test]
    fn no_two_places_have_one_context() {
        let (a, b) = (TenantId::from_bytes([1; 16]), TenantId::from_bytes([2; 16]));
        let (x, y) = (Uuid::from_u128(3), Uuid::from_u128(4));
        let owners = [
            Owner::Tenant(a),
            Owner::Tenant(b),
            Owner::Subject(a, x),
            Owner::Subject(a, y),
            Owner::Subject(b, x),
            Owner::Vault(a, VaultId::from_uuid(x)),
            Owner::Platform(x),
        ];
        let mut contexts = std::collections::BTreeSet::new();
        let mut count = 0;
        for owner in owners {
            for (collection, field, locator) in [
                ("ab", "c", "d"),
                ("a", "bc", "d"),
                ("ab", "", "cd"),
                ("", "abc", "d"),
            ] {
                let place = place(owner, collection, field, locator.as_bytes());
                let places = [
                    place.clone(),
                    place.layered(Layer::Outer, Purpose::Data),
                    place.layered(Layer::Inner, Purpose::Data),
                    place.layered(Layer::Inner, Purpose::Sensitive),
                ];
                for place in places {
                    for version in [1, 2] {
                        count += 1;
                        contexts.insert(place.context(KeyId::from_bytes([version; 16])));
                    }
                }
            }
        }
        assert_eq!(contexts.len(), count);
        assert!(contexts.iter().all(|c| c.len() <= PLACE_LEN_BYTES_MAX));
    }

    #[test]
    fn parts_are_bounded_and_so_is_the_context() {
        let owner = Owner::Platform(Uuid::nil());
        let longest = "x".repeat(PLACE_PART_LEN_BYTES_MAX);
        let place = place(owner, &longest, &longest, longest.as_bytes());
        assert!(place.context(KeyId::from_bytes([0; 16])).len() <= PLACE_LEN_BYTES_MAX);
        let over = "x".repeat(PLACE_PART_LEN_BYTES_MAX + 1);
        for (collection, field, locator) in
            [(over.as_str(), "", ""), ("", &over, ""), ("", "", &over)]
        {
            let place = Place::new(owner, Purpose::Data, collection, field, locator.as_bytes());
            assert_eq!(place, Err(PlaceError));
        }
    }
}
