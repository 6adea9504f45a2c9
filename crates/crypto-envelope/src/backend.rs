//! Where key-encryption keys live. A KEK never leaves its backend: roots go in to be wrapped, and
//! wrapped roots to be unwrapped.

#[cfg(unix)]
pub mod file;
pub mod memory;
#[cfg(all(unix, feature = "pkcs11"))]
pub mod pkcs11;

use std::fmt::Debug;
use std::path::PathBuf;

use covenant_core::{BoxFuture, KeyId, RandomError, Secret};
use subtle::ConstantTimeEq;

use crate::cobblestone::NotAuthentic;
use crate::wrapped::WrappedKey;

#[cfg(unix)]
pub use file::{FileBackend, Syncing};
pub use memory::MemoryBackend;

/// Whether a backend has a KEK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a key is there or it is not")]
pub enum Presence {
    /// It can wrap and unwrap.
    Present,
    /// Nothing of it is left that the backend could use.
    Absent,
}

/// A backend failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The backend has no such KEK.
    #[error("the backend has no key {0}")]
    Absent(KeyId),
    /// The backend has a KEK of this id, and it is another one.
    #[error("the backend has another key {0}")]
    Differs(KeyId),
    /// The wrapped root was not made by this KEK for this context.
    #[error("the wrapped root does not open")]
    NotAuthentic(#[source] NotAuthentic),
    /// No randomness.
    #[error("no randomness for a key")]
    Random(#[source] RandomError),
    /// The file of a KEK, or its directory, is not as it must be; the text says in which respect.
    #[error("{}: {what}", path.display())]
    Unsafe {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The operating system, the module or the network failed.
    #[error("the key backend failed")]
    Io(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a backend can do by itself. The windows of scheduled destructions are ours, whatever it can.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Days that the backend itself waits before a destruction, at least; `None` when it destroys
    /// at once.
    pub native_window_days: Option<u8>,
    /// Longest plaintext that one call wraps, in bytes; `None` when only roots of 32 bytes pass.
    pub plaintext_len_bytes_max: Option<usize>,
}

/// A backend's answer, later.
pub type BackendFuture<'a, T> = BoxFuture<'a, Result<T, BackendError>>;

/// Keeps key-encryption keys and works with them.
///
/// # Contract
/// `create` makes a KEK from fresh randomness and is idempotent: when the KEK is there already, it
/// stays as it is. It returns once the KEK is durable. `unwrap_root` gives back exactly what
/// `wrap_root` was given, under the same id and context, and fails with
/// [`BackendError::NotAuthentic`] otherwise; it tries the key, and does not rely on the id inside
/// the wrapped root. Calls for many roots do what as many calls for one do. After `destroy` returned,
/// nothing that this KEK wrapped opens again here, whatever crashes before or after; destroying what
/// is not there succeeds. `probe` says whether the KEK could still unwrap. Which KEKs may be created or
/// destroyed is not the backend's business.
///
/// # Errors
/// [`BackendError`]; a failed call may be repeated.
///
/// # Implementing
/// Run `testing::backend_suite` (feature `testing`) against the implementation.
pub trait KekBackend: Debug + Send + Sync {
    /// Makes the KEK, unless it is there.
    fn create(&self, id: KeyId) -> BackendFuture<'_, ()>;
    /// Wraps a root.
    fn wrap_root<'a>(
        &'a self,
        id: KeyId,
        context: &'a [u8],
        root: &'a Secret<[u8; 32]>,
    ) -> BackendFuture<'a, WrappedKey>;
    /// Unwraps a root.
    fn unwrap_root<'a>(
        &'a self,
        id: KeyId,
        context: &'a [u8],
        wrapped: &'a WrappedKey,
    ) -> BackendFuture<'a, Secret<[u8; 32]>>;
    /// Wraps roots, each for its context, in their order; all of them or none. A backend that has to
    /// find its KEK for a call finds it once here.
    fn wrap_roots<'a>(
        &'a self,
        id: KeyId,
        roots: &'a [(Vec<u8>, Secret<[u8; 32]>)],
    ) -> BackendFuture<'a, Vec<WrappedKey>> {
        Box::pin(async move {
            let mut all = Vec::with_capacity(roots.len());
            for (context, root) in roots {
                all.push(self.wrap_root(id, context, root).await?);
            }
            Ok(all)
        })
    }
    /// Unwraps roots, each for its context, in their order; all of them or none, and the error does
    /// not say which one was at fault.
    fn unwrap_roots<'a>(
        &'a self,
        id: KeyId,
        wrapped: &'a [(Vec<u8>, WrappedKey)],
    ) -> BackendFuture<'a, Vec<Secret<[u8; 32]>>> {
        Box::pin(async move {
            let mut all = Vec::with_capacity(wrapped.len());
            for (context, wrapped) in wrapped {
                all.push(self.unwrap_root(id, context, wrapped).await?);
            }
            Ok(all)
        })
    }
    /// Destroys the KEK.
    fn destroy(&self, id: KeyId) -> BackendFuture<'_, ()>;
    /// Whether the KEK is there.
    fn probe(&self, id: KeyId) -> BackendFuture<'_, Presence>;
    /// What it can do by itself; a backend that says nothing destroys at once.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
}

/// Lets KEKs out and in again, for escrow and for the recovery of a lost machine, and for nothing
/// else. A module whose keys never leave it does not implement this: it keeps copies by itself.
///
/// # Contract
/// `export` gives the bytes of the KEK and leaves it as it is. `import` makes the KEK from bytes,
/// durable when it returns; when the KEK is there already with the same bytes, it stays as it is.
///
/// # Errors
/// [`BackendError::Absent`] for an export of what is not there; [`BackendError::Differs`] for an
/// import over other bytes, which stay.
///
/// # Implementing
/// Run `testing::portable_suite` (feature `testing`) against the implementation.
pub trait PortableKeks: KekBackend {
    /// The bytes of a KEK.
    fn export(&self, id: KeyId) -> BackendFuture<'_, Secret<[u8; 32]>>;
    /// Makes a KEK from its bytes.
    fn import<'a>(&'a self, id: KeyId, key: &'a Secret<[u8; 32]>) -> BackendFuture<'a, ()>;
}

/// Whether the KEK that is there is the one that was to be put there.
pub(crate) fn same(
    id: KeyId,
    found: &Secret<[u8; 32]>,
    wanted: &Secret<[u8; 32]>,
) -> Result<(), BackendError> {
    if bool::from(found.expose().ct_eq(wanted.expose())) {
        Ok(())
    } else {
        Err(BackendError::Differs(id))
    }
}
