//! KEKs in a PKCS#11 module: AES-256 keys that the token makes, never gives out, and works with. Roots
//! go in to be encrypted, so that the module's own key wrapping, which few have for GCM, is not
//! needed.
//!
//! A token destroys at once; the waiting time lies in the layer above. Copies of a token (escrow,
//! replicas) are the module's own business, and only its operator can attest their end.

mod module;
mod url;

use std::fmt;
use std::sync::Arc;

use covenant_core::{KeyId, Random, Secret};
use cryptoki::error::{Error as ModuleError, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use tokio::sync::Semaphore;

use super::{BackendError, BackendFuture, KekBackend, Presence};
use crate::cobblestone::NotAuthentic;
use crate::wrapped::{WRAPPED_VERSION, WrappedKey};
use module::Module;
pub use url::{Pkcs11Url, Pkcs11UrlError};

/// Most sessions at once, and most calls: a bound of ours; small modules have tens.
pub const SESSIONS_MAX: usize = 8;

const IV_LEN_BYTES: usize = 12;
const TAG_LEN_BITS: u64 = 128;
/// Bytes of a wrapped root behind its IV: ciphertext and tag.
const SEALED_LEN_BYTES: usize = 48;

/// Why a module could not be used; always inside [`BackendError::Io`], since for the caller the keys
/// are not available.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Pkcs11Error {
    /// The module could not be loaded, or failed.
    #[error("the module failed")]
    Module(#[source] ModuleError),
    /// The PIN cannot be read from its source; the text says why.
    #[error("the PIN cannot be read: {0}")]
    PinSource(&'static str),
    /// The token refused the PIN, and is not asked again until [`Pkcs11Backend::reopen`]: every wrong
    /// try brings a token closer to locking itself.
    #[error("the token refuses the PIN: correct it and reopen")]
    PinRefused,
    /// The token has locked its PIN; its security officer can set a new one.
    #[error("the PIN of the token is locked")]
    PinLocked,
    /// No token has the label, or the one that had it is gone or was replaced.
    #[error("no such token")]
    TokenAbsent,
    /// More than one token has the label.
    #[error("more than one token has the label: give its serial number")]
    TokenAmbiguous,
    /// A key on the token is not as it must be; the text says in which respect.
    #[error("a key of the token {0}")]
    KeyUnsafe(&'static str),
    /// The work was stopped.
    #[error("the work was stopped")]
    Stopped,
}

impl From<ModuleError> for Pkcs11Error {
    fn from(error: ModuleError) -> Self {
        match error {
            ModuleError::Pkcs11(RvError::PinLocked, _) => Self::PinLocked,
            ModuleError::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
                _,
            ) => Self::PinRefused,
            ModuleError::Pkcs11(
                RvError::DeviceRemoved
                | RvError::SlotIdInvalid
                | RvError::TokenNotPresent
                | RvError::TokenNotRecognized,
                _,
            ) => Self::TokenAbsent,
            other => Self::Module(other),
        }
    }
}

impl From<Pkcs11Error> for BackendError {
    fn from(error: Pkcs11Error) -> Self {
        Self::Io(Box::new(error))
    }
}

/// KEKs on one token of a PKCS#11 module. Its calls need a tokio runtime: the module works on threads
/// for blocking work.
pub struct Pkcs11Backend {
    module: Arc<Module>,
    random: Arc<dyn Random>,
    permits: Arc<Semaphore>,
}

impl Pkcs11Backend {
    /// Loads the module, finds the token, and logs in. The first time, a small public object is left
    /// on the token: as long as it is seen, a key that is not seen is absent, and not out of reach.
    ///
    /// # Errors
    /// [`BackendError::Io`] with a [`Pkcs11Error`] inside.
    pub async fn open(url: Pkcs11Url, random: Arc<dyn Random>) -> Result<Self, BackendError> {
        let backend = Self {
            module: Arc::new(Module::new(url)),
            random,
            permits: Arc::new(Semaphore::new(SESSIONS_MAX)),
        };
        backend.run(module::leave_mark).await?;
        Ok(backend)
    }

    /// Forgets every session and what was refused, and loads the module anew: after a token was put
    /// back, its PIN corrected or its software restarted.
    ///
    /// # Errors
    /// [`BackendError::Io`] with a [`Pkcs11Error`] inside.
    pub async fn reopen(&self) -> Result<(), BackendError> {
        let module = Arc::clone(&self.module);
        let renewed = tokio::task::spawn_blocking(move || module.renew()).await;
        renewed.or(Err(Pkcs11Error::Stopped))??;
        self.run(module::seen_mark).await
    }

    /// How many sessions wait for work: with no call under way, all that are open.
    #[must_use]
    pub fn idle_sessions(&self) -> usize {
        self.module.idle()
    }

    /// Runs work in a session, on a thread that may block.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Fn(&Session) -> Result<T, BackendError> + Send + 'static,
    ) -> Result<T, BackendError> {
        let permits = Arc::clone(&self.permits);
        let permit = permits.acquire_owned().await;
        let permit = permit.or(Err(Pkcs11Error::Stopped))?;
        let module = Arc::clone(&self.module);
        let done = tokio::task::spawn_blocking(move || {
            let done = module.with_session(&work);
            drop(permit);
            done
        });
        done.await.or(Err(Pkcs11Error::Stopped))?
    }
}

impl KekBackend for Pkcs11Backend {
    fn create(&self, id: KeyId) -> BackendFuture<'_, ()> {
        Box::pin(self.run(move |session| {
            if found(session, id)?.is_empty() {
                let template = template(id);
                session
                    .generate_key(&Mechanism::AesKeyGen, &template)
                    .map_err(Pkcs11Error::from)?;
            }
            let keys = found(session, id)?;
            if keys.is_empty() {
                return Err(BackendError::Absent(id));
            }
            keys.into_iter().try_for_each(|key| check(session, key))
        }))
    }

    fn wrap_root<'a>(
        &'a self,
        id: KeyId,
        context: &'a [u8],
        root: &'a Secret<[u8; 32]>,
    ) -> BackendFuture<'a, WrappedKey> {
        let (context, root) = (context.to_vec(), Secret::new(*root.expose()));
        let random = Arc::clone(&self.random);
        Box::pin(self.run(move |session| {
            let mut iv = [0_u8; IV_LEN_BYTES];
            random.fill(&mut iv).map_err(BackendError::Random)?;
            let key = found(session, id)?.first().copied();
            let key = key.ok_or(BackendError::Absent(id))?;
            wrap(session, key, id, iv, &context, root.expose())
        }))
    }

    fn unwrap_root<'a>(
        &'a self,
        id: KeyId,
        context: &'a [u8],
        wrapped: &'a WrappedKey,
    ) -> BackendFuture<'a, Secret<[u8; 32]>> {
        let (context, wrapped) = (context.to_vec(), wrapped.clone());
        let random = Arc::clone(&self.random);
        Box::pin(self.run(move |session| {
            let keys = found(session, id)?;
            if keys.is_empty() {
                return Err(BackendError::Absent(id));
            }
            let mut failed = None;
            for key in keys {
                match unwrap(session, key, &context, &wrapped) {
                    Ok(root) => return Ok(root),
                    Err(error) => {
                        // a module says "general error" of a wrong tag as of a broken board: the
                        // key shows which by opening what it has just made
                        let mut iv = [0_u8; IV_LEN_BYTES];
                        random.fill(&mut iv).map_err(BackendError::Random)?;
                        let trial = wrap(session, key, id, iv, &context, &[0; 32])?;
                        if unwrap(session, key, &context, &trial).is_err() {
                            return Err(error.into());
                        }
                        failed = Some(BackendError::NotAuthentic(NotAuthentic));
                    }
                }
            }
            Err(failed.unwrap_or(BackendError::Absent(id)))
        }))
    }

    fn destroy(&self, id: KeyId) -> BackendFuture<'_, ()> {
        Box::pin(self.run(move |session| {
            for key in found(session, id)? {
                session.destroy_object(key).map_err(Pkcs11Error::from)?;
            }
            if found(session, id)?.is_empty() {
                Ok(())
            } else {
                Err(Pkcs11Error::KeyUnsafe("was destroyed and is still there").into())
            }
        }))
    }

    fn probe(&self, id: KeyId) -> BackendFuture<'_, Presence> {
        Box::pin(self.run(move |session| {
            Ok(if found(session, id)?.is_empty() {
                Presence::Absent
            } else {
                Presence::Present
            })
        }))
    }
}

impl fmt::Debug for Pkcs11Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11Backend")
            .field("url", self.module.url())
            .finish_non_exhaustive()
    }
}

/// A key that is made on the token, stays on it, and encrypts.
fn template(id: KeyId) -> [Attribute; 11] {
    [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(32.into()),
        Attribute::Id(id.as_bytes().to_vec()),
        Attribute::Label(format!("covenant {id}").into_bytes()),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
    ]
}

/// Every key of this id: one, or more when several processes made it at once, each of which may have
/// wrapped something.
fn found(session: &Session, id: KeyId) -> Result<Vec<ObjectHandle>, BackendError> {
    let keys = session
        .find_objects(&[
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Id(id.as_bytes().to_vec()),
        ])
        .map_err(Pkcs11Error::from)?;
    if keys.is_empty() {
        module::seen_mark(session)?;
    }
    Ok(keys)
}

/// Refuses a key that could leave the token.
fn check(session: &Session, key: ObjectHandle) -> Result<(), BackendError> {
    use cryptoki::object::AttributeType::{AlwaysSensitive, Extractable, NeverExtractable, Token};

    let asked = [AlwaysSensitive, Extractable, NeverExtractable, Token];
    let attributes = session
        .get_attributes(key, &asked)
        .map_err(Pkcs11Error::from)?;
    for wanted in [
        Attribute::AlwaysSensitive(true),
        Attribute::Extractable(false),
        Attribute::NeverExtractable(true),
        Attribute::Token(true),
    ] {
        if !attributes.contains(&wanted) {
            return Err(Pkcs11Error::KeyUnsafe("was not made on it to stay there").into());
        }
    }
    Ok(())
}

fn wrap(
    session: &Session,
    key: ObjectHandle,
    id: KeyId,
    mut iv: [u8; IV_LEN_BYTES],
    context: &[u8],
    root: &[u8; 32],
) -> Result<WrappedKey, BackendError> {
    let params = GcmParams::new(&mut iv, context, bits()).map_err(Pkcs11Error::from)?;
    let sealed = session
        .encrypt(&Mechanism::AesGcm(params), key, root)
        .map_err(Pkcs11Error::from)?;
    if sealed.len() != SEALED_LEN_BYTES {
        return Err(Pkcs11Error::KeyUnsafe("encrypts to another length").into());
    }
    // the IV is read back: a token may have put one of its own there
    let bytes = [&[WRAPPED_VERSION], id.as_bytes().as_slice(), &iv, &sealed].concat();
    WrappedKey::try_from(bytes.as_slice()).map_err(BackendError::NotAuthentic)
}

fn unwrap(
    session: &Session,
    key: ObjectHandle,
    context: &[u8],
    wrapped: &WrappedKey,
) -> Result<Secret<[u8; 32]>, Pkcs11Error> {
    let malformed = Pkcs11Error::KeyUnsafe("decrypts to another length");
    let Some((iv, sealed)) = wrapped
        .as_bytes()
        .get(17..)
        .and_then(|rest| rest.split_first_chunk::<IV_LEN_BYTES>())
    else {
        return Err(malformed);
    };
    let mut iv = *iv;
    let params = GcmParams::new(&mut iv, context, bits())?;
    let opened = Secret::new(session.decrypt(&Mechanism::AesGcm(params), key, sealed)?);
    let Ok(root) = <[u8; 32]>::try_from(opened.expose().as_slice()) else {
        return Err(malformed);
    };
    Ok(Secret::new(root))
}

fn bits() -> cryptoki::types::Ulong {
    TAG_LEN_BITS.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cryptoki::context::Function;

    /// SoftHSM2 never locks a PIN, so what a module says is put into its mouth.
    #[test]
    fn a_locked_pin_is_told_from_a_wrong_one() {
        let said = |value| Pkcs11Error::from(ModuleError::Pkcs11(value, Function::Login));
        assert!(matches!(said(RvError::PinLocked), Pkcs11Error::PinLocked));
        for wrong in [
            RvError::PinIncorrect,
            RvError::PinInvalid,
            RvError::PinLenRange,
        ] {
            assert!(matches!(said(wrong), Pkcs11Error::PinRefused));
        }
        let other = said(RvError::DeviceError);
        assert!(matches!(other, Pkcs11Error::Module(_)), "{other}");
    }
}
