//! Envelope encryption with provable erase: every value sealed with AES-256-GCM in the C2SP
//! chunked-encryption format, bound to its place, under a root that one owner has for one purpose;
//! roots under key-encryption keys that can be destroyed on a planned day (P-12, P-13, P-14, P-16,
//! Q-13, Q-14, R-11).
//!
//! To seal and open bytes use [`Envelope`], which is a [`covenant_core::Sealer`]; for a typed field,
//! a column perhaps, use [`Sealed`]; for one that is sealed twice and revealed on record
//! [`Sensitive`] and [`reveal`]; to seal values again under a root's next version [`reseal`]; to give a backup vault a root that dies on its
//! day use [`VaultKeys`]; to create tenants and to destroy what is due use [`Keys`]; to check a
//! sealed value with a root in hand use [`sealed::open_with`]; to seal bytes that are no value of a
//! place use [`cobblestone`].
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use covenant_core::sealer::Purpose;
//! use covenant_core::{Owner, Place, Random, SystemClock, SystemRandom, TenantId};
//! use crypto_envelope::backend::MemoryBackend;
//! use crypto_envelope::store::MemoryStore;
//! use crypto_envelope::{Envelope, Keys, KeysOptions, Sealed};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (clock, random): (_, Arc<dyn Random>) = (SystemClock::new(), Arc::new(SystemRandom::new()));
//!     let tenant = TenantId::mint(&clock, &*random)?;
//!     let backend = Arc::new(MemoryBackend::new(random.clone()));
//!     let store = Arc::new(MemoryStore::new());
//!     let keys = Keys::open(store, backend, Arc::new(clock), random, KeysOptions::default()).await?;
//!     keys.create_tenant(tenant).await?;
//!     let sealer = Envelope::new(Arc::new(keys));
//!
//!     let row = |id: &[u8]| Place::new(Owner::Tenant(tenant), Purpose::Data, "note", "body", id);
//!     let note = "for row 1 alone".to_owned();
//!     let sealed = Sealed::seal(&sealer, &row(b"1")?, &note).await?;
//!     assert_eq!(sealed.open(&sealer, &row(b"1")?).await?.expose(), "for row 1 alone");
//!     assert!(sealed.open(&sealer, &row(b"2")?).await.is_err());
//!     Ok(())
//! }
//! ```
//!
//! # Features
//! - `sqlite`, `postgres`: key records in a database of their own; sealed fields as columns of
//!   `sqlx`. The backend that keeps KEKs in files is always there on Unix.
//! - `object-store`: sealed objects in any `object_store`, and copies of KEKs at other sites.
//! - `pkcs11`: KEKs that never leave a PKCS#11 module (on Unix).
//! - `testing`: suites for implementors of [`store::KeyStore`], [`backend::KekBackend`] and
//!   [`escrow::Escrow`], unsound ones that a suite must find, and the adversary's view of the keys.
//! - `token`: sealed fields are found by their value; with `sqlite` or `postgres` in a table beside them.
//! - `transit`: TLS 1.2 and 1.3 for servers and clients, and a probe (P-09, P-10, P-11, Q-12, R-10).
#![forbid(unsafe_code)]

mod admin;
pub mod backend;
pub mod blob;
mod cache;
pub mod cobblestone;
pub mod copies;
mod envelope;
mod error;
pub mod escrow;
mod field;
mod group;
pub mod guard;
pub mod journal;
mod keys;
#[cfg(feature = "object-store")]
pub mod platform;
pub mod record;
pub mod recovery;
pub mod reseal;
pub mod sealed;
mod sensitive;
mod service;
mod state;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "token")]
pub mod token;
#[cfg(feature = "transit")]
pub mod transit;
mod unlocked;
mod vault;
mod window;
pub mod wrapped;

pub use admin::{AdminCall, Gone, KeyAdmin, Listing, Replay, Replayed, Role, Rotated};
pub use cache::{CACHE_ENTRIES_MAX, CACHE_TTL_SECS, CACHE_TTL_SECS_MAX, CACHE_USES_MAX};
pub use envelope::Envelope;
pub use error::KeyError;
pub use field::{Sealable, Sealed};
pub use group::{
    EPOCH_NAME_LEN_BYTES_MAX, EpochName, GroupKind, GroupName, GroupNameError, Isolation,
};
#[cfg(feature = "testing")]
pub use keys::SurvivingRoot;
pub use keys::{
    Checked, DestroyedKey, KeyFault, KeyRecordInfo, Keys, KeysOptions, OwnFiles,
    PLAN_WAIT_DAYS_MIN, TenantRoots,
};
pub use sensitive::{
    MASK, Reveal, RevealError, Revealed, SENSITIVE_OVERHEAD_LEN_BYTES, Sensitive, reveal,
};
pub use service::{DataKey, KeyFuture, KeyService, Rewrap, WrapContext, WrapInfo};
pub use state::{Dueness, KeyState, Refused, Standing, Step, Trust, Verb};
pub use unlocked::Unlocked;
pub use vault::{VaultKey, VaultKeys, VaultRoot};
pub use window::{
    ExpiryError, KeyExpiry, PendingWindow, WINDOW_DAYS_MAX, WINDOW_DAYS_MIN, WindowError,
};
