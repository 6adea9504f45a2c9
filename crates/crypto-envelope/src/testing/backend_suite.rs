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

    many(backend, a, b).await?;

    backend.destroy(a).await.map_err(SuiteError::of)?;
    that!(
        backend.probe(a).await.map_err(SuiteError::of)? == Presence::Absent,
        "there after"
    );
    let late = [(b"x".to_vec(), wrapped.clone())];
    let late = backend.unwrap_roots(a, &late).await.map(drop);
    that!(absent(late), "many unwrapped by a destroyed key");
    let late = [(b"x".to_vec(), Secret::new([7; 32]))];
    let late = backend.wrap_roots(a, &late).await.map(drop);
    that!(absent(late), "many wrapped by a destroyed key");
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

/// Calls for many roots do what as many calls for one do.
async fn many(backend: &dyn KekBackend, a: KeyId, b: KeyId) -> Result<(), SuiteError> {
    let roots: Vec<_> = (0..5_u8).map(|n| (vec![n], Secret::new([n; 32]))).collect();
    let wrapped = backend.wrap_roots(a, &roots).await;
    let wrapped = wrapped.map_err(SuiteError::of)?;
    that!(
        wrapped.len() == roots.len(),
        "not one wrapped root for each"
    );
    for ((context, root), wrapped) in roots.iter().zip(&wrapped) {
        that!(wrapped.kek() == a, "a wrapped root names another key");
        opens(backend, a, context, wrapped, root).await?;
    }
    let contexts = roots.iter().map(|(context, _)| context.clone());
    let mut bound: Vec<_> = contexts.zip(wrapped).collect();
    let back = backend.unwrap_roots(a, &bound).await;
    let back = back.map_err(SuiteError::of)?;
    let same = roots.iter().zip(&back);
    let same = same.filter(|((_, root), back)| root.expose() == back.expose());
    that!(same.count() == roots.len(), "other roots came back");
    let refused =
        |result: Result<Vec<_>, BackendError>| matches!(result, Err(BackendError::NotAuthentic(_)));
    that!(
        refused(backend.unwrap_roots(b, &bound).await),
        "many unwrapped by another key"
    );
    if let Some((context, _)) = bound.last_mut() {
        context.push(0);
    }
    that!(
        refused(backend.unwrap_roots(a, &bound).await),
        "many unwrapped, one of them for another context"
    );
    let none = backend.unwrap_roots(a, &[]).await.map_err(SuiteError::of)?;
    that!(none.is_empty(), "roots came of nothing");
    Ok(())
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
