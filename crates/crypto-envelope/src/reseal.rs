//! Values that lie under a replaced version of a root are sealed again under the newest: batch by
//! batch, while others read and write, and going on where a run died.
//!
//! This is what renews the keys of values; rotating a KEK does not (`Rotated` says so by its two
//! counts). Once a whole pass has left nothing, [`crate::Keys::retire`] ends the old version's life.

use std::fmt::Debug;

use covenant_core::sealer::{OpenError, SealError};
use covenant_core::{BoxFuture, ItemId, Place, Sealer as _};

use crate::envelope::Envelope;
use crate::error::KeyError;
use crate::sealed::SealedBytes;
use crate::sensitive::layers;

/// Values that are looked at in one call: a bound of ours on memory.
pub const RESEAL_BATCH_MAX: usize = 1_000;

/// How often a value is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there are fields of one layer and of two"
)]
pub enum Layers {
    /// As [`crate::Sealed`].
    One,
    /// As [`crate::Sensitive`].
    Two,
}

/// A sealed value as it lies in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a store states all of it")]
pub struct StoredValue {
    /// Its row.
    pub row: ItemId,
    /// The place for which it was sealed.
    pub place: Place,
    /// How often.
    pub layers: Layers,
    /// Its bytes.
    pub sealed: Vec<u8>,
}

/// What became of a value that was to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it was replaced or it was left")]
pub enum Replaced {
    /// The new bytes lie there.
    Done,
    /// Others had changed or removed it meanwhile, and it was left as they made it.
    Changed,
}

/// The store of the values failed.
#[derive(Debug, thiserror::Error)]
#[error("the values are not available")]
pub struct ValuesError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl ValuesError {
    /// An error with what failed beneath.
    #[must_use]
    pub fn new(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(source))
    }
}

/// A column of sealed values.
///
/// # Contract
/// `page` gives values ordered by row, at most so many, and only those after the row given. `replace`
/// writes the new bytes in one step if the row still holds exactly the old ones, and else changes
/// nothing.
///
/// # Errors
/// [`ValuesError`]; a failed call changed nothing and may be repeated.
pub trait StoredValues: Debug + Send + Sync {
    /// The next values.
    fn page<'a>(
        &'a self,
        after: Option<&'a ItemId>,
        max: usize,
    ) -> BoxFuture<'a, Result<Vec<StoredValue>, ValuesError>>;
    /// Puts new bytes in the place of the old.
    fn replace<'a>(
        &'a self,
        old: &'a StoredValue,
        sealed: Vec<u8>,
    ) -> BoxFuture<'a, Result<Replaced, ValuesError>>;
}

/// What one call of [`reseal`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resealed {
    /// Values that lie under the newest version now, and did not before.
    pub resealed: u64,
    /// Values that were met under an old version and may still lie there: those of `unopened`, and
    /// those that others changed meanwhile.
    pub left: u64,
    /// Rows whose value does not open, or whose owner's key is switched off or destroyed.
    pub unopened: Vec<ItemId>,
    /// The last row that was looked at; none when there was none left.
    pub ended: Option<ItemId>,
}

/// Values could not be sealed again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResealError {
    /// The keys failed.
    #[error("values could not be sealed again")]
    Key(#[from] KeyError),
    /// A value could not be opened, for want of keys.
    #[error("a value could not be opened to be sealed again")]
    Open(#[source] OpenError),
    /// A value could not be sealed.
    #[error("a value could not be sealed again")]
    Seal(#[source] SealError),
    /// The store of the values failed.
    #[error("the store of the values failed")]
    Values(#[from] ValuesError),
}

/// Seals again what lies under a replaced version: at most `batch` values (and at most
/// [`RESEAL_BATCH_MAX`]) that come after `after`. Call it with where the last call ended until it
/// ends nowhere; one that died may begin anew, since what is done is found done. Whole passes until
/// one leaves nothing find also what others wrote under the old version meanwhile.
///
/// The values are in the clear for the time between, inside this call alone, and wiped: a sensitive
/// field is sealed again and not revealed.
///
/// # Errors
/// [`ResealError`]; what was sealed again stays so.
pub async fn reseal(
    envelope: &Envelope,
    values: &dyn StoredValues,
    after: Option<&ItemId>,
    batch: usize,
) -> Result<Resealed, ResealError> {
    let page = values.page(after, batch.clamp(1, RESEAL_BATCH_MAX)).await?;
    let mut done = Resealed::default();
    for value in page {
        match again(envelope, &value).await? {
            Again::Newest => {}
            Again::Unopened => {
                done.left = done.left.saturating_add(1);
                done.unopened.push(value.row.clone());
            }
            Again::Sealed(sealed) => match values.replace(&value, sealed).await? {
                Replaced::Done => done.resealed = done.resealed.saturating_add(1),
                Replaced::Changed => done.left = done.left.saturating_add(1),
            },
        }
        done.ended = Some(value.row);
    }
    Ok(done)
}

enum Again {
    /// It lies under the newest version.
    Newest,
    /// It does not open.
    Unopened,
    /// The same value under the newest version.
    Sealed(Vec<u8>),
}

async fn again(envelope: &Envelope, value: &StoredValue) -> Result<Again, ResealError> {
    let StoredValue {
        row: _,
        place,
        layers: count,
        sealed,
    } = value;
    let (inner, outer) = layers(place);
    let outer = match count {
        Layers::One => place,
        Layers::Two => &outer,
    };
    let Some(new_outer) = is_old(envelope, outer, sealed).await? else {
        return Ok(Again::Unopened);
    };
    if *count == Layers::One && !new_outer {
        return Ok(Again::Newest);
    }
    let Some(middle) = opened(envelope.open(outer, sealed).await)? else {
        return Ok(Again::Unopened);
    };
    if *count == Layers::One {
        let sealed = envelope.seal(outer, middle.expose()).await;
        return Ok(Again::Sealed(sealed.map_err(ResealError::Seal)?));
    }
    let Some(new_inner) = is_old(envelope, &inner, middle.expose()).await? else {
        return Ok(Again::Unopened);
    };
    if !new_inner && !new_outer {
        return Ok(Again::Newest);
    }
    let mut within = middle.expose().clone();
    if new_inner {
        let Some(plain) = opened(envelope.open(&inner, &within).await)? else {
            return Ok(Again::Unopened);
        };
        let sealed = envelope.seal(&inner, plain.expose()).await;
        within = sealed.map_err(ResealError::Seal)?;
    }
    let sealed = envelope.seal(outer, &within).await;
    Ok(Again::Sealed(sealed.map_err(ResealError::Seal)?))
}

/// Whether the bytes name another version than the newest of their place's root; `None` when they
/// are no sealed value, or their owner has no root that may be used.
async fn is_old(
    envelope: &Envelope,
    place: &Place,
    sealed: &[u8],
) -> Result<Option<bool>, ResealError> {
    let Ok(parts) = SealedBytes::parse(sealed) else {
        return Ok(None);
    };
    match envelope.unlock(place.owner(), place.purpose()).await {
        Ok(newest) => Ok(Some(parts.key() != newest.version())),
        Err(KeyError::State(_) | KeyError::Absent | KeyError::NoSuchRoot) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn opened<T>(opened: Result<T, OpenError>) -> Result<Option<T>, ResealError> {
    match opened {
        Ok(plain) => Ok(Some(plain)),
        Err(OpenError::NotAuthentic | OpenError::Key(_)) => Ok(None),
        Err(error) => Err(ResealError::Open(error)),
    }
}
