//! Especially sensitive fields: sealed twice under two independent roots, and shown only by an
//! act that is on record before the plaintext exists.

use covenant_core::event::{Action, ActorContext, Datum, Outcome, SinkError, Target};
use covenant_core::sealer::{Layer, OpenError, Purpose, SealError};
use covenant_core::{DecisionId, Event, EventId, EventSink, Place, Sealer, Secret};
use time::UtcDateTime;

/// Bytes that two layers add to a value shorter than 16,295 bytes.
pub const OVERHEAD_LEN_BYTES: usize = 178;

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

/// A field was not revealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevealError {
    /// It does not open.
    #[error("the field was not revealed")]
    Open(#[source] OpenError),
    /// The revelation could not be recorded, so there is none.
    #[error("the revelation could not be recorded")]
    NotAudited(#[source] SinkError),
}

/// Seals the bytes twice: the inner layer under the owner's root for sensitive fields, which hangs
/// on a KEK of its own, the outer one under the place's own root.
///
/// # Errors
/// As [`Sealer::seal`].
pub async fn seal(sealer: &dyn Sealer, place: &Place, plain: &[u8]) -> Result<Vec<u8>, SealError> {
    // clause: R-11
    let (inner, outer) = layers(place);
    let sealed = sealer.seal(&inner, plain).await?;
    sealer.seal(&outer, &sealed).await
}

/// Reveals a field: opens the outer layer, has the event recorded durably, and only then opens the
/// inner one. When the inner layer does not open afterwards, the record of the attempt stays.
///
/// # Errors
/// [`RevealError::Open`] as [`Sealer::open`]; [`RevealError::NotAudited`] when the sink fails:
/// there is no plaintext then.
pub async fn reveal(
    sealer: &dyn Sealer,
    place: &Place,
    sealed: &[u8],
    why: Reveal,
    sink: &dyn EventSink,
) -> Result<Secret<Vec<u8>>, RevealError> {
    let (inner, outer) = layers(place);
    let middle = sealer
        .open(&outer, sealed)
        .await
        .map_err(RevealError::Open)?;
    let Reveal {
        event,
        at,
        actor,
        target,
        decision,
    } = why;
    let mut event = Event::new(event, at, actor, Action::FieldRevealed, target, Outcome::Ok)
        .with("purpose", Datum::Token(place.purpose().name()));
    event.decision = decision;
    sink.emit(event).await.map_err(RevealError::NotAudited)?;
    sealer
        .open(&inner, middle.expose())
        .await
        .map_err(RevealError::Open)
}

fn layers(place: &Place) -> (Place, Place) {
    let inner = place.layered(Layer::Inner, Purpose::Sensitive);
    (inner, place.layered(Layer::Outer, place.purpose()))
}
