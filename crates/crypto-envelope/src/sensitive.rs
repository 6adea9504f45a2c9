//! Especially sensitive fields: sealed twice under two independent roots, and shown only by an
//! act that is on record before the plaintext exists.
//!
//! [`reveal`] is the only way from a [`Sensitive`] to its value; what it gives is a [`Revealed`],
//! which is neither copied nor printed, and wiped when dropped.

use std::fmt;
use std::marker::PhantomData;

use covenant_core::event::{Action, ActorContext, Datum, Outcome, SinkError, Target};
use covenant_core::sealer::{Layer, OpenError, Purpose, SealError};
use covenant_core::{DecisionId, Event, EventId, EventSink, Place, Sealer, Secret};
use time::UtcDateTime;
use zeroize::Zeroize;

use crate::cobblestone::{NotAuthentic, SALT_LEN_BYTES, plain_len};
use crate::field::{Plain, Sealable, value};
use crate::sealed::{self, SealedBytes};

/// Bytes that two layers add to a value shorter than 16,295 bytes.
pub const SENSITIVE_OVERHEAD_LEN_BYTES: usize = 178;

/// What is shown in the place of a field that was not revealed: the same for every value, so that it
/// tells nothing, its length included (R-12).
pub const MASK: &str = "\u{2022}\u{2022}\u{2022}\u{2022}\u{2022}\u{2022}\u{2022}\u{2022}";

/// A value of a type, sealed twice. Its bytes are a SealedValue around a SealedValue (FORMAT.md) and
/// no secret. With feature `sqlite` or `postgres` it is a column of `sqlx`, BLOB or BYTEA.
///
/// It has no way to be opened:
/// ```compile_fail
/// # use covenant_core::{Place, Sealer};
/// async fn peek(field: crypto_envelope::Sensitive<String>, sealer: &dyn Sealer, at: &Place) {
///     let _ = field.open(sealer, at).await;
/// }
/// ```
/// nor is it taken for a field of one layer:
/// ```compile_fail
/// fn cast(field: crypto_envelope::Sensitive<String>) -> crypto_envelope::Sealed<String> {
///     field.into()
/// }
/// ```
pub struct Sensitive<T> {
    bytes: Vec<u8>,
    value: PhantomData<fn() -> T>,
}

impl<T> Sensitive<T> {
    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes to store, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The salt of the outer layer: random, unique, no content; the probe by which its bytes are
    /// found again after they should be gone.
    #[must_use]
    pub fn salt(&self) -> [u8; SALT_LEN_BYTES] {
        SealedBytes::parse(&self.bytes).map_or([0; SALT_LEN_BYTES], |parts| *parts.salt())
    }

    pub(crate) const fn of(bytes: Vec<u8>) -> Self {
        let value = PhantomData;
        Self { bytes, value }
    }
}

impl<T: Sealable> Sensitive<T> {
    /// Seals a value twice: the inner layer under the owner's root for sensitive fields, which hangs
    /// on a KEK of its own, the outer one under the place's own root.
    ///
    /// # Errors
    /// As [`Sealer::seal`].
    pub async fn seal(sealer: &dyn Sealer, place: &Place, value: &T) -> Result<Self, SealError> {
        // clause: R-11
        let (inner, outer) = layers(place);
        let plain = Plain::of(value);
        let sealed = sealer.seal(&inner, plain.bytes()).await?;
        sealer.seal(&outer, &sealed).await.map(Self::of)
    }
}

impl<T> Clone for Sensitive<T> {
    fn clone(&self) -> Self {
        Self::of(self.bytes.clone())
    }
}

impl<T> TryFrom<Vec<u8>> for Sensitive<T> {
    type Error = NotAuthentic;

    /// Bytes from a store; whether they are authentic is known once they are revealed.
    fn try_from(bytes: Vec<u8>) -> Result<Self, NotAuthentic> {
        let message = SealedBytes::parse(&bytes)?.message();
        let inside = u64::try_from(message.len()).ok().and_then(plain_len);
        let inside = inside.and_then(|len| usize::try_from(len).ok());
        if inside.is_none_or(|len| len < sealed::OVERHEAD_LEN_BYTES) {
            return Err(NotAuthentic);
        }
        Ok(Self::of(bytes))
    }
}

impl<T> TryFrom<&[u8]> for Sensitive<T> {
    type Error = NotAuthentic;

    fn try_from(bytes: &[u8]) -> Result<Self, NotAuthentic> {
        Self::try_from(bytes.to_vec())
    }
}

impl<T> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sensitive]")
    }
}

/// The value of a sensitive field, in the clear: wiped when dropped. It is not copied, shown or sent
/// by accident:
/// ```compile_fail
/// fn copied(value: &crypto_envelope::Revealed<String>) -> crypto_envelope::Revealed<String> {
///     value.clone()
/// }
/// ```
/// ```compile_fail
/// fn shown(value: &crypto_envelope::Revealed<String>) -> String {
///     value.to_string()
/// }
/// ```
/// ```compile_fail
/// fn sent(value: &crypto_envelope::Revealed<String>) -> impl serde::Serialize + '_ {
///     value
/// }
/// ```
pub struct Revealed<T: Zeroize>(Secret<T>);

impl<T: Zeroize> Revealed<T> {
    /// Lends the value; whoever copies it out is responsible for the copy.
    #[must_use]
    pub const fn expose(&self) -> &T {
        self.0.expose()
    }
}

impl<T: Zeroize> fmt::Debug for Revealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[revealed]")
    }
}

/// Who reveals a field, and why he may.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a caller states all of it")]
pub struct Reveal {
    /// Id of the event that will record it.
    pub event: EventId,
    /// When.
    pub at: UtcDateTime,
    /// Who.
    pub actor: ActorContext,
    /// Whose row or object.
    pub target: Target,
    /// The access decision that allows it.
    pub decision: Option<DecisionId>,
}

impl Reveal {
    fn event(&self, action: Action, outcome: Outcome, place: &Place) -> Event {
        let Self {
            event,
            at,
            actor,
            target,
            decision,
        } = self.clone();
        let mut event = Event::new(event, at, actor, action, target, outcome)
            .with("purpose", Datum::Token(place.purpose().name()));
        event.decision = decision;
        event
    }
}

/// A field was not revealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevealError {
    /// It does not open.
    #[error("the field was not revealed")]
    Open(#[source] OpenError),
    /// The revelation, or that it was refused, could not be recorded, so there is no plaintext.
    #[error("the revelation could not be recorded")]
    NotAudited(#[source] SinkError),
}

/// Reveals a field: opens the outer layer, has the event recorded durably, and only then opens the
/// inner one. A field whose outer layer does not open is recorded as refused; when the inner one
/// does not open afterwards, the record of the attempt stays.
///
/// # Errors
/// [`RevealError::Open`] as [`Sealer::open`], with [`OpenError::NotAuthentic`] also for authentic
/// bytes that are no `T`; [`RevealError::NotAudited`] when the sink fails: there is no plaintext
/// then.
// clause: R-12
pub async fn reveal<T: Sealable>(
    sealer: &dyn Sealer,
    field: &Sensitive<T>,
    place: &Place,
    why: &Reveal,
    sink: &dyn EventSink,
) -> Result<Revealed<T>, RevealError> {
    let (inner, outer) = layers(place);
    let middle = match sealer.open(&outer, &field.bytes).await {
        Ok(middle) => middle,
        Err(error) => {
            let refused = why.event(Action::FieldRefused, Outcome::Error, place);
            sink.emit(refused).await.map_err(RevealError::NotAudited)?;
            return Err(RevealError::Open(error));
        }
    };
    let revealed = why.event(Action::FieldRevealed, Outcome::Ok, place);
    sink.emit(revealed).await.map_err(RevealError::NotAudited)?;
    let plain = sealer.open(&inner, middle.expose()).await;
    let plain = plain.map_err(RevealError::Open)?;
    let value = value(&plain).ok_or(RevealError::Open(OpenError::NotAuthentic))?;
    Ok(Revealed(value))
}

pub(crate) fn layers(place: &Place) -> (Place, Place) {
    let inner = place.layered(Layer::Inner, Purpose::Sensitive);
    (inner, place.layered(Layer::Outer, place.purpose()))
}
