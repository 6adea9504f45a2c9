//! The sealer of the workspace: finds the root of a place and seals or opens with it.

use std::sync::Arc;

use covenant_core::sealer::{DestroyError, DestroyOrder, Destroyed, OpenError, Purpose, SealError};
use covenant_core::{BoxFuture, Owner, Place, Sealer, Secret};

use crate::error::KeyError;
use crate::keys::Keys;
use crate::sealed::SealedBytes;
use crate::unlocked::Unlocked;

/// Seals every value under the root of its place's owner and purpose.
#[derive(Debug, Clone)]
pub struct Envelope(Arc<Keys>);

impl Envelope {
    /// A sealer over these keys.
    #[must_use]
    pub const fn new(keys: Arc<Keys>) -> Self {
        Self(keys)
    }

    /// The keys.
    #[must_use]
    pub const fn keys(&self) -> &Arc<Keys> {
        &self.0
    }

    /// The owner's root in hand, which seals and opens without I/O for as long as its lease runs.
    /// A value under an older version is [`KeyError::NeedVersion`] there; here it opens.
    ///
    /// # Errors
    /// As [`Keys::unlock`].
    pub async fn unlock(&self, owner: Owner, purpose: Purpose) -> Result<Unlocked, KeyError> {
        self.0.unlock(owner, purpose).await
    }

    async fn seal_once(&self, place: &Place, plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.0
            .unlock(place.owner(), place.purpose())
            .await?
            .seal(place, plain)
    }

    async fn open_once(&self, place: &Place, sealed: &[u8]) -> Result<Secret<Vec<u8>>, KeyError> {
        let version = SealedBytes::parse(sealed)
            .or(Err(KeyError::NotAuthentic))?
            .key();
        let root = self
            .0
            .unlock_version(version, place.owner(), place.purpose())
            .await?;
        root.open(place, sealed)
    }
}

impl Sealer for Envelope {
    fn subject_keys(&self) -> bool {
        true
    }

    // clause: P-12, P-13, Q-14
    fn seal<'a>(
        &'a self,
        place: &'a Place,
        plain: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, SealError>> {
        Box::pin(async move {
            match self.seal_once(place, plain).await {
                // the lease ran out between the two steps: unlock once more
                Err(KeyError::LeaseOver(_)) => self.seal_once(place, plain).await,
                other => other,
            }
            .map_err(KeyError::into_seal_error)
        })
    }

    fn open<'a>(
        &'a self,
        place: &'a Place,
        sealed: &'a [u8],
    ) -> BoxFuture<'a, Result<Secret<Vec<u8>>, OpenError>> {
        Box::pin(async move {
            match self.open_once(place, sealed).await {
                Err(KeyError::LeaseOver(_)) => self.open_once(place, sealed).await,
                other => other,
            }
            .map_err(KeyError::into_open_error)
        })
    }

    fn destroy<'a>(
        &'a self,
        order: &'a DestroyOrder,
    ) -> BoxFuture<'a, Result<Destroyed, DestroyError>> {
        Box::pin(async move {
            self.0
                .destroy_subject(order)
                .await
                .map_err(KeyError::into_destroy_error)
        })
    }
}
