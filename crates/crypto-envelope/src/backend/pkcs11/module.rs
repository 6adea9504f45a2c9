//! A loaded module and its pool of sessions. A session that failed in any way is closed, and the next
//! call opens another: that is how a token that was put back, or whose software was restarted, is
//! found again.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use covenant_core::Secret;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as ModuleError, RvError};
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

use super::{Pkcs11Error, Pkcs11Url, SESSIONS_MAX};
use crate::backend::BackendError;

/// Longest file that holds a PIN in bytes: that of a PIN by PKCS #11 in practice.
const PIN_LEN_BYTES_MAX: usize = 256;
/// The label of the object that shows that the token answers.
const MARK: &[u8] = b"covenant key-encryption keys";

pub(super) struct Module {
    url: Pkcs11Url,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    loaded: Option<Pkcs11>,
    idle: Vec<Session>,
    /// The token said no; it is not asked again.
    refused: Option<Refused>,
}

/// What a token said to a PIN.
#[derive(Debug, Clone, Copy)]
enum Refused {
    Locked,
    Wrong,
}

impl Module {
    pub(super) fn new(url: Pkcs11Url) -> Self {
        Self {
            url,
            state: Mutex::default(),
        }
    }

    pub(super) const fn url(&self) -> &Pkcs11Url {
        &self.url
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn idle(&self) -> usize {
        self.state().idle.len()
    }

    /// Closes everything, and loads the module anew.
    pub(super) fn renew(&self) -> Result<(), BackendError> {
        let mut state = self.state();
        let loaded = std::mem::take(&mut *state).loaded;
        if let Some(loaded) = loaded {
            match loaded.finalize() {
                Ok(()) | Err(ModuleError::Pkcs11(RvError::CryptokiNotInitialized, _)) => {}
                Err(error) => return Err(Pkcs11Error::from(error).into()),
            }
        }
        Ok(())
    }

    /// Runs work in an idle session or in a new one. Work that failed because its session was stale
    /// runs once more in a new one; it must bear that.
    pub(super) fn with_session<T>(
        &self,
        work: &impl Fn(&Session) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let idle = self.state().idle.pop();
        if let Some(session) = idle {
            match work(&session) {
                Ok(done) => {
                    self.give_back(session);
                    return Ok(done);
                }
                Err(error) if is_final(&error) => {
                    self.give_back(session);
                    return Err(error);
                }
                // that session and those beside it are of no more use
                Err(_stale) => self.state().idle.clear(),
            }
        }
        let session = self.login()?;
        let done = work(&session);
        if done.as_ref().err().is_none_or(is_final) {
            self.give_back(session);
        }
        done
    }

    fn give_back(&self, session: Session) {
        let mut state = self.state();
        if state.idle.len() < SESSIONS_MAX {
            state.idle.push(session);
        }
    }

    fn login(&self) -> Result<Session, BackendError> {
        let mut state = self.state();
        match state.refused {
            Some(Refused::Locked) => return Err(Pkcs11Error::PinLocked.into()),
            Some(Refused::Wrong) => return Err(Pkcs11Error::PinRefused.into()),
            None => {}
        }
        let slot = self.slot(&mut state)?;
        let module = state.loaded.as_ref().ok_or(Pkcs11Error::TokenAbsent)?;
        let session = module.open_rw_session(slot).map_err(Pkcs11Error::from)?;
        let pin = self.pin()?;
        match session.login(UserType::User, Some(&pin)) {
            Ok(()) | Err(ModuleError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(error) => {
                let error = Pkcs11Error::from(error);
                state.refused = match error {
                    Pkcs11Error::PinLocked => Some(Refused::Locked),
                    Pkcs11Error::PinRefused => Some(Refused::Wrong),
                    _ => None,
                };
                Err(error.into())
            }
        }
    }

    /// The slot of the token; loads the module when it is not, or no longer, there.
    fn slot(&self, state: &mut State) -> Result<Slot, BackendError> {
        if let Some(module) = &state.loaded {
            match self.slot_of(module) {
                Err(Pkcs11Error::Module(ModuleError::Pkcs11(
                    RvError::CryptokiNotInitialized,
                    _,
                ))) => {}
                other => return Ok(other?),
            }
        }
        let module = Pkcs11::new(self.url.module()).map_err(Pkcs11Error::from)?;
        let locking = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        match module.initialize(locking) {
            // another backend of this process was first
            Ok(()) | Err(ModuleError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(Pkcs11Error::from(error).into()),
        }
        let slot = self.slot_of(&module)?;
        state.loaded = Some(module);
        Ok(slot)
    }

    fn slot_of(&self, module: &Pkcs11) -> Result<Slot, Pkcs11Error> {
        let mut found = None;
        for slot in module.get_slots_with_token()? {
            let token = match module.get_token_info(slot) {
                Ok(token) => token,
                // the token of another slot went while we looked
                Err(ModuleError::Pkcs11(
                    RvError::TokenNotPresent | RvError::TokenNotRecognized | RvError::DeviceRemoved,
                    _,
                )) => continue,
                Err(error) => return Err(error.into()),
            };
            let serial = self.url.serial();
            let is_ours = token.label() == self.url.token()
                && serial.is_none_or(|serial| token.serial_number() == serial);
            if is_ours && found.replace(slot).is_some() {
                return Err(Pkcs11Error::TokenAmbiguous);
            }
        }
        found.ok_or(Pkcs11Error::TokenAbsent)
    }

    /// The PIN, read anew for each login, from a file that nobody else can read.
    fn pin(&self) -> Result<AuthPin, Pkcs11Error> {
        let unreadable = Pkcs11Error::PinSource("the file is not there or may not be read");
        let Ok(file) = fs::File::open(self.url.pin()) else {
            return Err(unreadable);
        };
        let Ok(about) = file.metadata() else {
            return Err(unreadable);
        };
        if !about.is_file() || about.mode() & 0o077 != 0 {
            return Err(Pkcs11Error::PinSource("the file is not private"));
        }
        let mut text = Secret::new(Vec::with_capacity(PIN_LEN_BYTES_MAX.saturating_add(1)));
        let cap = u64::try_from(PIN_LEN_BYTES_MAX).unwrap_or(u64::MAX);
        let mut capped = file.take(cap.saturating_add(1));
        if capped.read_to_end(text.expose_mut()).is_err() {
            return Err(unreadable);
        }
        let bytes = text.expose();
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        match str::from_utf8(bytes) {
            Ok(pin) if (1..=PIN_LEN_BYTES_MAX).contains(&pin.len()) => Ok(AuthPin::new(pin.into())),
            _ => Err(Pkcs11Error::PinSource("the file holds no PIN")),
        }
    }
}

/// Whether an answer would be the same in another session.
const fn is_final(error: &BackendError) -> bool {
    matches!(
        error,
        BackendError::Absent(_) | BackendError::NotAuthentic(_)
    )
}

fn mark() -> [Attribute; 2] {
    [
        Attribute::Class(ObjectClass::DATA),
        Attribute::Label(MARK.to_vec()),
    ]
}

/// Leaves the mark, unless it is there.
pub(super) fn leave_mark(session: &Session) -> Result<(), BackendError> {
    let seen = session.find_objects(&mark()).map_err(Pkcs11Error::from)?;
    if seen.is_empty() {
        let [class, label] = mark();
        let template = [
            class,
            label,
            Attribute::Token(true),
            Attribute::Private(false),
        ];
        session
            .create_object(&template)
            .map_err(Pkcs11Error::from)?;
    }
    Ok(())
}

/// That the token which has the keys still answers.
pub(super) fn seen_mark(session: &Session) -> Result<(), BackendError> {
    let seen = session.find_objects(&mark()).map_err(Pkcs11Error::from)?;
    if seen.is_empty() {
        return Err(Pkcs11Error::TokenAbsent.into());
    }
    Ok(())
}
