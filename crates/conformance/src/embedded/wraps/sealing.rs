//! Wrong about sealing: no seal, half a key, one layer instead of two.

use std::sync::Arc;

use covenant_core::sealer::{DestroyError, DestroyOrder, Destroyed, Layer, OpenError, SealError};
use covenant_core::testing::SeededRandom;
use covenant_core::{BoxFuture, KeyId, Place, Random, Sealer, Secret};
use crypto_envelope::sealed;

/// Bytes of a sealed value before its content: format, key version, salt, commitment.
const HEAD_LEN_BYTES: usize = 1 + 16 + 24 + 32;
/// Bytes of a sealed value after its content: the tag.
const TAIL_LEN_BYTES: usize = 16;

/// Writes what looks like a sealed value, with the content in clear.
#[derive(Debug)]
pub(super) struct Plain(pub(super) Arc<dyn Sealer>);

impl Sealer for Plain {
    fn subject_keys(&self) -> bool {
        self.0.subject_keys()
    }

    fn seal<'a>(
        &'a self,
        place: &'a Place,
        plain: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, SealError>> {
        Box::pin(async move {
            // The head of a real seal, so that its salt is as good as any.
            let real = self.0.seal(place, b"").await?;
            let mut bytes: Vec<u8> = real.into_iter().take(HEAD_LEN_BYTES).collect();
            bytes.extend_from_slice(plain);
            bytes.extend([0; TAIL_LEN_BYTES]);
            Ok(bytes)
        })
    }

    fn open<'a>(
        &'a self,
        _place: &'a Place,
        sealed: &'a [u8],
    ) -> BoxFuture<'a, Result<Secret<Vec<u8>>, OpenError>> {
        let end = sealed.len().saturating_sub(TAIL_LEN_BYTES);
        let plain = sealed.get(HEAD_LEN_BYTES..end).map(<[u8]>::to_vec);
        Box::pin(async move { plain.map(Secret::new).ok_or(OpenError::NotAuthentic) })
    }

    fn destroy<'a>(
        &'a self,
        order: &'a DestroyOrder,
    ) -> BoxFuture<'a, Result<Destroyed, DestroyError>> {
        self.0.destroy(order)
    }
}

/// Seals under a key of 128 bits, the other half zeros.
#[derive(Debug)]
pub(super) struct HalfKey(pub(super) Arc<dyn Sealer>);

impl HalfKey {
    const VERSION: KeyId = KeyId::from_bytes([0x80; 16]);

    fn key() -> [u8; 32] {
        let mut key = [0_u8; 32];
        let drawn = [0x5a_u8; 16];
        key.iter_mut().zip(drawn).for_each(|(to, from)| *to = from);
        key
    }
}

impl Sealer for HalfKey {
    fn subject_keys(&self) -> bool {
        self.0.subject_keys()
    }

    fn seal<'a>(
        &'a self,
        place: &'a Place,
        plain: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, SealError>> {
        Box::pin(async move {
            // A salt of its own for every value, as a real seal has it.
            let seed = self.0.seal(place, b"").await?;
            let seed = seed
                .iter()
                .skip(17)
                .take(8)
                .fold(0, |sum: u64, byte| sum.rotate_left(8) ^ u64::from(*byte));
            let random = SeededRandom::new(seed);
            let random: &dyn Random = &random;
            sealed::seal_with(&Self::key(), Self::VERSION, place, plain, random)
        })
    }

    fn open<'a>(
        &'a self,
        place: &'a Place,
        sealed: &'a [u8],
    ) -> BoxFuture<'a, Result<Secret<Vec<u8>>, OpenError>> {
        let opened = sealed::open_with(&Self::key(), Self::VERSION, place, sealed);
        Box::pin(async move { opened.map_err(|_opaque| OpenError::NotAuthentic) })
    }

    fn destroy<'a>(
        &'a self,
        order: &'a DestroyOrder,
    ) -> BoxFuture<'a, Result<Destroyed, DestroyError>> {
        self.0.destroy(order)
    }
}

/// Seals the outer layer and leaves the inner one out: as many zeros stand there as it would add, so
/// that by its length the field has two.
#[derive(Debug)]
pub(super) struct OneLayer(pub(super) Arc<dyn Sealer>);

impl Sealer for OneLayer {
    fn subject_keys(&self) -> bool {
        self.0.subject_keys()
    }

    fn seal<'a>(
        &'a self,
        place: &'a Place,
        plain: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, SealError>> {
        if place.layer() == Layer::Inner {
            return Box::pin(async move {
                let mut bare = vec![0; sealed::OVERHEAD_LEN_BYTES];
                bare.extend_from_slice(plain);
                Ok(bare)
            });
        }
        self.0.seal(place, plain)
    }

    fn open<'a>(
        &'a self,
        place: &'a Place,
        sealed: &'a [u8],
    ) -> BoxFuture<'a, Result<Secret<Vec<u8>>, OpenError>> {
        if place.layer() == Layer::Inner {
            let plain = sealed.get(sealed::OVERHEAD_LEN_BYTES..);
            let plain = plain.map(|plain| Secret::new(plain.to_vec()));
            return Box::pin(async move { plain.ok_or(OpenError::NotAuthentic) });
        }
        self.0.open(place, sealed)
    }

    fn destroy<'a>(
        &'a self,
        order: &'a DestroyOrder,
    ) -> BoxFuture<'a, Result<Destroyed, DestroyError>> {
        self.0.destroy(order)
    }
}
