//! A root in hand: seals, opens and derives without I/O, for as long as its lease runs.

use std::fmt;
use std::sync::Arc;

use covenant_core::sealer::{OpenError, Purpose, SealError};
use covenant_core::{KeyId, Owner, Place, Secret};

use crate::cache::{Lease, Terms, UseFor};
use crate::cobblestone::{self, Opening, Sealing};
use crate::error::KeyError;
use crate::sealed;

/// An unlocked root. Every use checks that the lease still runs, that the root was not destroyed
/// meanwhile, and that its planned instant has not come.
#[derive(Clone)]
pub struct Unlocked {
    lease: Arc<Lease>,
    terms: Arc<Terms>,
}

impl Unlocked {
    pub(crate) const fn new(lease: Arc<Lease>, terms: Arc<Terms>) -> Self {
        Self { lease, terms }
    }

    /// The version of the root.
    #[must_use]
    pub fn version(&self) -> KeyId {
        self.lease.version
    }

    /// The KEK under which it lies.
    #[must_use]
    pub fn kek(&self) -> KeyId {
        self.lease.kek
    }

    /// Whose root.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.lease.owner
    }

    /// What for.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        self.lease.purpose
    }

    /// HKDF-Expand-SHA512(root, info, 32): a key of the caller's own, which outlives the lease.
    ///
    /// # Errors
    /// [`KeyError::LeaseOver`], [`KeyError::State`]; [`KeyError::ReservedInfo`] for an info that
    /// begins like the sealing format's.
    pub fn derive(&self, info: &[u8]) -> Result<Secret<[u8; 32]>, KeyError> {
        self.terms.spend(&self.lease)?;
        if info.starts_with(cobblestone::LABEL_PREFIX) {
            return Err(KeyError::ReservedInfo);
        }
        cobblestone::expand(self.lease.root.expose(), &[info]).ok_or(KeyError::ReservedInfo)
    }

    /// Seals the bytes at a place of this root's owner and purpose.
    ///
    /// # Errors
    /// [`KeyError::LeaseOver`]; [`KeyError::State`], also for a version that a newer one replaced;
    /// [`KeyError::TooLarge`],
    /// [`KeyError::NoSuchRoot`] for a place of another owner or purpose, [`KeyError::Random`].
    pub fn seal(&self, place: &Place, plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.check_seals(place)?;
        let (root, version) = (self.lease.root.expose(), self.lease.version);
        sealed::seal_with(root, version, place, plain, &*self.terms.random).map_err(|e| match e {
            SealError::TooLarge { max } => KeyError::TooLarge { max },
            _ => KeyError::Random(covenant_core::RandomError),
        })
    }

    /// Opens what was sealed at the place.
    ///
    /// # Errors
    /// [`KeyError::LeaseOver`], [`KeyError::State`]; [`KeyError::NeedVersion`] for what names another
    /// version, which [`crate::Envelope`] finds if it is the owner's; [`KeyError::NotAuthentic`] for
    /// everything else that was not sealed there.
    pub fn open(&self, place: &Place, sealed: &[u8]) -> Result<Secret<Vec<u8>>, KeyError> {
        self.terms.spend(&self.lease)?;
        if !self.serves(place) {
            return Err(KeyError::NotAuthentic);
        }
        let (root, version) = (self.lease.root.expose(), self.lease.version);
        let named = sealed::SealedBytes::parse(sealed).map(|parts| parts.key());
        let named = named.or(Err(KeyError::NotAuthentic))?;
        if named != version {
            return Err(KeyError::NeedVersion(named));
        }
        sealed::open_with(root, version, place, sealed).map_err(|e| match e {
            OpenError::Key(state) => KeyError::State(state),
            _ => KeyError::NotAuthentic,
        })
    }

    /// Begins a message at a place of this root's owner and purpose.
    pub(crate) fn begin_sealing(&self, place: &Place) -> Result<Sealing, KeyError> {
        self.check_seals(place)?;
        let (root, version) = (self.lease.root.expose(), self.lease.version);
        let begun = Sealing::begin(root, &place.context(version), &*self.terms.random);
        begun.or(Err(KeyError::Random(covenant_core::RandomError)))
    }

    /// Begins to open a message that was sealed at the place.
    pub(crate) fn begin_opening(
        &self,
        place: &Place,
        header: &[u8],
        sealed_len: u64,
    ) -> Result<Opening, KeyError> {
        self.terms.spend(&self.lease)?;
        if !self.serves(place) {
            return Err(KeyError::NotAuthentic);
        }
        let (root, version) = (self.lease.root.expose(), self.lease.version);
        let begun = Opening::begin(root, &place.context(version), header, sealed_len);
        begun.or(Err(KeyError::NotAuthentic))
    }

    /// HMAC-SHA-256 under the root of an index, which serves nothing else.
    #[cfg(feature = "token")]
    pub(crate) fn mac(&self, message: &[u8]) -> Result<ring::hmac::Tag, KeyError> {
        use ring::hmac::{HMAC_SHA256, Key, sign};

        self.terms.spend(&self.lease)?;
        if self.lease.purpose != Purpose::Index {
            return Err(KeyError::NoSuchRoot);
        }
        let key = Key::new(HMAC_SHA256, self.lease.root.expose());
        Ok(sign(&key, message))
    }

    /// Whether the root may be used now.
    /// The root itself, for what is kept under it by the recovery key's format.
    pub(crate) fn root(&self) -> Result<&Secret<[u8; 32]>, KeyError> {
        self.terms.check(&self.lease)?;
        Ok(&self.lease.root)
    }

    pub(crate) fn check(&self) -> Result<(), KeyError> {
        self.terms.check(&self.lease)
    }

    /// Whether the root may seal at this place now.
    fn check_seals(&self, place: &Place) -> Result<(), KeyError> {
        self.terms.spend(&self.lease)?;
        if !self.serves(place) {
            return Err(KeyError::NoSuchRoot);
        }
        match self.lease.use_for {
            UseFor::Sealing => Ok(()),
            UseFor::Opening(state) => Err(KeyError::State(state)),
        }
    }

    fn serves(&self, place: &Place) -> bool {
        place.owner() == self.lease.owner && place.purpose() == self.lease.purpose
    }
}

impl fmt::Debug for Unlocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unlocked")
            .field("version", &self.lease.version)
            .finish_non_exhaustive()
    }
}
