//! What keeps a key from being destroyed: floors over the bytes under it, and legal holds. Neither
//! is known here; the assembly joins them in.

use std::fmt::Debug;

use covenant_core::sealer::{DestroyOrder, Purpose};
use covenant_core::{BoxFuture, ClauseId, KeyId, Owner};
use time::UtcDateTime;
use uuid::Uuid;

use crate::group::GroupName;

/// What a key is, for whoever must know what hangs on it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a key is a KEK or a root")]
pub enum KeyKind {
    /// The KEK of a group: everything under it goes with it.
    Kek(GroupName),
    /// A root version.
    Root(Owner, Purpose),
}

/// Why a key is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth way")]
pub enum Cause<'a> {
    /// The instant planned for it.
    Plan,
    /// The window of a scheduled destruction.
    Window,
    /// An order to erase a data subject, whose clause may waive a floor.
    Order(&'a DestroyOrder),
}

/// Whether a key may go.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller decides on each of these")]
pub enum Verdict {
    /// It may.
    Free,
    /// A hold keeps bytes under it, for as long as the hold stands.
    Held {
        /// The hold.
        hold: Uuid,
    },
    /// A floor keeps bytes under it.
    Floor {
        /// Until then.
        until: UtcDateTime,
        /// The clause that says so.
        clause: ClauseId,
    },
}

/// Floors and holds could not be read, so nothing is destroyed.
#[derive(Debug, thiserror::Error)]
#[error("floors and holds cannot be read")]
pub struct GuardError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Says whether a key may go at an instant.
///
/// # Contract
/// The answer takes in every floor and every hold that is known when it is given. It is asked when
/// a destruction is planned, of the planned instant, where a hold does not refuse; and again, last,
/// when the key is due.
///
/// # Errors
/// [`GuardError`]: the key stays.
///
/// # Implementing
/// The assembly joins the floors of its stores and its registry of holds.
pub trait DestructionGuard: Debug + Send + Sync {
    /// Whether this key may go at this instant.
    fn may_go<'a>(
        &'a self,
        key: KeyId,
        kind: &'a KeyKind,
        cause: &'a Cause<'a>,
        at: UtcDateTime,
    ) -> BoxFuture<'a, Result<Verdict, GuardError>>;
}

/// No floors and no holds: dates are checked by whoever sets them.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoGuard;

impl DestructionGuard for NoGuard {
    fn may_go<'a>(
        &'a self,
        _key: KeyId,
        _kind: &'a KeyKind,
        _cause: &'a Cause<'a>,
        _at: UtcDateTime,
    ) -> BoxFuture<'a, Result<Verdict, GuardError>> {
        Box::pin(async { Ok(Verdict::Free) })
    }
}
