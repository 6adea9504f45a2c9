//! What every [`KekBackend`] does.

use covenant_core::{KeyId, Secret};

use super::{SuiteError, that};
use crate::backend::{BackendError, KekBackend, Presence};
use crate::wrapped::WrappedKey;

/// Runs every sentence of the contract of [`KekBackend`]. The two ids are new to the backend, and
/// neither has a KEK there afterwards.
///
/// # Errors
/// [`SuiteError`] for the first sentence that does not hold.
pub async fn backend_suite(backend: &dyn KekBackend, ids: [KeyId; 2]) -> Result<(), SuiteError> {
    let [a, b] = ids;
    let root = Secret::new([7_u8; 32]);
    let absent = |result: Result<(), BackendError>| matches!(result, Err(BackendError::Absent(_)));

    that!(
        backend.probe(a).await.map_err(SuiteError::of)? == Presence::Absent,
        "there before"
    );
    let early = backend.wrap_root(a, b"x", &root).await.map(drop);
    that!(absent(early), "wrapped by a key that is not there");
    backend.destroy(a).await.map_err(SuiteError::of)?;

    backend.create(a).await.map_err(SuiteError::of)?;
    backend.create(b).await.map_err(SuiteError::of)?;
    that!(
        backend.probe(a).await.map_err(SuiteError::of)? == Presence::Present,
        "not there"
    );
    let wrapped = backend
        .wrap_root(a, b"x", &root)
        .await
        .map_err(SuiteError::of)?;
    let again = backend
        .wrap_root(a, b"x", &root)
        .await
        .map_err(SuiteError::of)?;
    that!(wrapped != again, "two wraps of one root are equal");
    that!(wrapped.kek() == a, "the wrapped root names another key");
    opens(backend, a, b"x", &wrapped, &root).await?;
    opens(backend, a, b"x", &again, &root).await?;

    backend.create(a).await.map_err(SuiteError::of)?;
    opens(backend, a, b"x", &wrapped, &root).await?;
    refused(backend, a, b"y", &wrapped, "for another context").await?;
    refused(backend, b, b"x", &wrapped, "by another key").await?;
    for at in 17..wrapped.as_bytes().len() {
        let mut bytes = *wrapped.as_bytes();
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1;
        }
        let wrong = WrappedKey::try_from(bytes.as_slice()).map_err(SuiteError::of)?;
        refused(backend, a, b"x", &wrong, "with a changed byte").await?;
    }

    backend.destroy(a).await.map_err(SuiteError::of)?;
    that!(
        backend.probe(a).await.map_err(SuiteError::of)? == Presence::Absent,
        "there after"
    );
    let late = backend.unwrap_root(a, b"x", &wrapped).await.map(drop);
    that!(absent(late), "unwrapped by a destroyed key");
    backend.destroy(a).await.map_err(SuiteError::of)?;
    let other = backend
        .wrap_root(b, b"x", &root)
        .await
        .map_err(SuiteError::of)?;
    opens(backend, b, b"x", &other, &root).await?;

    backend.create(a).await.map_err(SuiteError::of)?;
    refused(
        backend,
        a,
        b"x",
        &wrapped,
        "by a new key of a destroyed one's id",
    )
    .await?;
    backend.destroy(a).await.map_err(SuiteError::of)?;
    backend.destroy(b).await.map_err(SuiteError::of)
}

async fn opens(
    backend: &dyn KekBackend,
    id: KeyId,
    context: &[u8],
    wrapped: &WrappedKey,
    root: &Secret<[u8; 32]>,
) -> Result<(), SuiteError> {
    let back = backend
        .unwrap_root(id, context, wrapped)
        .await
        .map_err(SuiteError::of)?;
    that!(back.expose() == root.expose(), "another root came back");
    Ok(())
}

async fn refused(
    backend: &dyn KekBackend,
    id: KeyId,
    context: &[u8],
    wrapped: &WrappedKey,
    how: &str,
) -> Result<(), SuiteError> {
    let result = backend.unwrap_root(id, context, wrapped).await;
    let refused = matches!(result, Err(BackendError::NotAuthentic(_)));
    that!(
        refused,
        format_args!("unwrapped {how}, or refused otherwise than as not authentic")
    );
    Ok(())
}
