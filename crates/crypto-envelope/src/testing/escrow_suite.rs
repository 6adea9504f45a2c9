//! What every [`Escrow`] does, and what every backend does that lets KEKs out.

use covenant_core::{KeyId, Secret};

use super::{SuiteError, that};
use crate::backend::{BackendError, KekBackend, PortableKeks, Presence};
use crate::escrow::{Escrow, Reach};

/// Runs every sentence of the contract of [`Escrow`] that can be seen from here; whether a site
/// really holds nothing after a removal is seen at the site alone. The two ids are new to the
/// backend whose KEKs are deposited, and neither is there or in escrow afterwards.
///
/// # Errors
/// [`SuiteError`] for the first sentence that does not hold.
pub async fn escrow_suite(
    escrow: &dyn Escrow,
    backend: &dyn KekBackend,
    ids: [KeyId; 2],
) -> Result<(), SuiteError> {
    let [a, b] = ids;
    that!(escrow.reach() == Reach::Ours, "copies out of reach");
    absent(escrow, a, "there before").await?;
    let early = escrow.deposit(a).await;
    that!(early.is_err(), "deposited a key that is not there");
    absent(escrow, a, "there after a deposit that failed").await?;
    escrow.remove(a).await.map_err(SuiteError::of)?;

    for id in ids {
        backend.create(id).await.map_err(SuiteError::of)?;
    }
    escrow.deposit(a).await.map_err(SuiteError::of)?;
    present(escrow, a, "not there after its deposit").await?;
    absent(escrow, b, "another key was deposited").await?;
    escrow.deposit(a).await.map_err(SuiteError::of)?;
    escrow.deposit(b).await.map_err(SuiteError::of)?;

    backend.destroy(a).await.map_err(SuiteError::of)?;
    present(escrow, a, "gone with its backend's key").await?;
    escrow.remove(a).await.map_err(SuiteError::of)?;
    absent(escrow, a, "there after its removal").await?;
    present(escrow, b, "gone with another key").await?;
    escrow.remove(a).await.map_err(SuiteError::of)?;

    // a key of another one's id is not taken for it
    backend.destroy(b).await.map_err(SuiteError::of)?;
    backend.create(b).await.map_err(SuiteError::of)?;
    let other = escrow.deposit(b).await;
    that!(other.is_err(), "another key of the same id passes for it");
    escrow.remove(b).await.map_err(SuiteError::of)?;
    escrow.deposit(b).await.map_err(SuiteError::of)?;
    escrow.remove(b).await.map_err(SuiteError::of)?;
    absent(escrow, b, "there after its removal").await?;
    backend.destroy(b).await.map_err(SuiteError::of)
}

/// Runs every sentence of the contract of [`PortableKeks`] between two backends. The id is new to
/// both, and neither has the KEK afterwards.
///
/// # Errors
/// [`SuiteError`] for the first sentence that does not hold.
pub async fn portable_suite(
    from: &dyn PortableKeks,
    to: &dyn PortableKeks,
    id: KeyId,
) -> Result<(), SuiteError> {
    let early = from.export(id).await;
    let refused = matches!(early, Err(BackendError::Absent(_)));
    that!(refused, "exported a key that is not there");
    from.create(id).await.map_err(SuiteError::of)?;
    let root = Secret::new([9_u8; 32]);
    let wrapped = from.wrap_root(id, b"x", &root).await;
    let wrapped = wrapped.map_err(SuiteError::of)?;
    let key = from.export(id).await.map_err(SuiteError::of)?;
    for _ in 0..2 {
        to.import(id, &key).await.map_err(SuiteError::of)?;
        let back = to.unwrap_root(id, b"x", &wrapped).await;
        let back = back.map_err(SuiteError::of)?;
        that!(back.expose() == root.expose(), "another key was put there");
    }
    let other = Secret::new([10_u8; 32]);
    let refused = to.import(id, &other).await;
    let refused = matches!(refused, Err(BackendError::Differs(_)));
    that!(refused, "a key was put over another one");
    for backend in [from, to] {
        let back = backend.unwrap_root(id, b"x", &wrapped).await;
        that!(back.is_ok(), "the key is not what it was");
        backend.destroy(id).await.map_err(SuiteError::of)?;
    }
    Ok(())
}

async fn absent(escrow: &dyn Escrow, id: KeyId, what: &str) -> Result<(), SuiteError> {
    let found = escrow.probe(id).await.map_err(SuiteError::of)?;
    that!(found == Presence::Absent, what);
    Ok(())
}

async fn present(escrow: &dyn Escrow, id: KeyId, what: &str) -> Result<(), SuiteError> {
    let found = escrow.probe(id).await.map_err(SuiteError::of)?;
    that!(found == Presence::Present, what);
    Ok(())
}
