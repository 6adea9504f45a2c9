//! How a caller sees the joints: each may be wrapped before it is used, for metrics, for a second
//! opinion, or, in `conformance`, to sabotage it. The assembly has no other switch.

use std::fmt;
use std::sync::Arc;

use backup_engine::{Backups, Depot, Gate, Schedule};
use covenant_core::{Clock, EventSink, Sealer};
use crypto_envelope::VaultKeys;
use crypto_envelope::guard::DestructionGuard;
use crypto_envelope::store::KeyStore;
use object_store::ObjectStore;
use retention_policy::Retention;
use retention_policy::apply::Flush;
use retention_policy::physical::bucket::Scratch;
use tenant_isolation::{Registry, TenantStore};

use crate::files::PublicFiles;
use crate::held::Holdings;
use crate::hold::HoldTables;
use crate::own_rules::Narrowing;
use crate::record::RecordTables;

/// Takes a joint and gives what is used instead of it.
pub type Wrap<T> = Box<dyn FnOnce(Arc<T>) -> Arc<T> + Send>;

/// Likewise, for a joint that is made anew each time it is used.
pub type WrapEach<T> = Arc<dyn Fn(Arc<T>) -> Arc<T> + Send + Sync>;

/// What to wrap; nothing unless set.
#[derive(Default)]
pub struct Wraps {
    /// Time, as everything but the caller sees it.
    pub clock: Option<Wrap<dyn Clock>>,
    /// Records of keys.
    pub key_store: Option<Wrap<dyn KeyStore>>,
    /// What may keep a key from being destroyed: the sound one knows the floors over living backups,
    /// and a wrapper adds holds.
    pub guard: Option<Wrap<dyn DestructionGuard>>,
    /// Where the deployment's own folder keeps copies of its keys.
    pub site: Option<Wrap<dyn ObjectStore>>,
    /// Sealing of content.
    pub sealer: Option<Wrap<dyn Sealer>>,
    /// Where events go.
    pub sink: Option<Wrap<dyn EventSink>>,
    /// Facts about tenants.
    pub registry: Option<Wrap<dyn Registry>>,
    /// The stores of tenants.
    pub tenants: Option<Wrap<dyn TenantStore>>,
    /// Which stores there are.
    pub holdings: Option<Wrap<dyn Holdings>>,
    /// What holds the rules of tenants against those of everybody.
    pub narrowing: Option<Wrap<dyn Narrowing>>,
    /// What may and must go.
    pub retention: Option<Wrap<dyn Retention>>,
    /// Removal of bytes from database files.
    pub flush: Option<Wrap<dyn Flush>>,
    /// The rows of records.
    pub tables: Option<Wrap<dyn RecordTables>>,
    /// The rows of holds.
    pub holds: Option<Wrap<dyn HoldTables>>,
    /// Attached files.
    pub objects: Option<Wrap<dyn ObjectStore>>,
    /// The object of theirs by which a start asks what their store keeps of what was deleted.
    pub scratch: Option<Wrap<dyn Scratch>>,
    /// How attached files are public, and stop being so.
    pub files: Option<Wrap<dyn PublicFiles>>,
    /// Roots of vaults.
    pub vault_keys: Option<Wrap<dyn VaultKeys>>,
    /// Where backups lie.
    pub depot: Option<Wrap<dyn Depot>>,
    /// Backups and restores.
    pub backups: Option<Wrap<dyn Backups>>,
    /// What a restore passes before anybody can read it.
    pub gate: Option<WrapEach<dyn Gate>>,
    /// When backups are due.
    pub schedule: Option<Wrap<dyn Schedule>>,
}

impl fmt::Debug for Wraps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wraps")
    }
}

/// The joint, wrapped if it is to be.
pub(crate) fn wrapped<T: ?Sized>(wrap: Option<Wrap<T>>, sound: Arc<T>) -> Arc<T> {
    match wrap {
        Some(wrap) => wrap(sound),
        None => sound,
    }
}
