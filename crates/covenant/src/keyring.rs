//! The keys of a deployment, opened: where KEKs and copies of the key store lie besides the machine,
//! what the recovery key gave for it, and what a key store that was put back must forget first.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use audit_log::operator_log;
use audit_log::sequencer::Serves;
use audit_log::store::AuditLog as _;
use audit_log::store::sql::{Feed, SqlLog};
use covenant_core::{Action, Clock, ItemId, KeyId, Outcome, Random};
use crypto_envelope::backend::{FileBackend, Syncing};
use crypto_envelope::copies::StoreCopies;
use crypto_envelope::escrow::ObjectEscrow;
use crypto_envelope::guard::DestructionGuard;
use crypto_envelope::platform::Site;
use crypto_envelope::recovery::{Part, RecoveryKey};
use crypto_envelope::store::{Gate, KeyStore, SqlStore};
use crypto_envelope::{AdminCall, Gone, KeyAdmin as _, Keys, KeysOptions, Replay, Replayed};
use object_store::ObjectStore;
use sql_store::{Db, Durability};

use crate::assembly::lock;
use crate::control;
use crate::error::StartError;
use crate::joints::{Wrap, wrapped};
use crate::stores::{self, Begin, Layout};

/// Number of the recovery key of a deployment that was never recovered.
pub(crate) const GENERATION: u32 = 1;
/// Name of the site in the deployment's own folder.
const OWN_SITE: &str = "own-folder";

/// What a start does with a key store that is shut.
#[derive(Debug)]
pub(crate) enum OnShut<'a> {
    /// The start is refused.
    Refuse,
    /// What was destroyed since is destroyed again, on this administrator's call.
    Replay(&'a AdminCall),
}

/// Everything that keys are opened with.
pub(crate) struct Opening<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) random: &'a Arc<dyn Random>,
    pub(crate) durability: Durability,
    pub(crate) begin: Begin,
    pub(crate) sites: Vec<Site>,
    pub(crate) options: KeysOptions,
    pub(crate) control: &'a Db,
    pub(crate) log: &'a SqlLog,
    pub(crate) guard: Arc<dyn DestructionGuard>,
    pub(crate) key_store: Option<Wrap<dyn KeyStore>>,
}

/// The keys, open.
pub(crate) struct Keyring {
    pub(crate) keys: Arc<Keys>,
    pub(crate) copies: StoreCopies,
    /// The recovery key of a new deployment, until somebody takes it.
    pub(crate) recovery: Mutex<Option<RecoveryKey>>,
    /// What a replay did.
    pub(crate) replayed: Option<Replayed>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

/// The sites of a deployment: its own folder first, then those that the operator names.
pub(crate) fn sites(
    layout: &Layout,
    durability: Durability,
    wrap: Option<Wrap<dyn ObjectStore>>,
    named: Vec<Site>,
) -> Result<Vec<Site>, StartError> {
    let name = OWN_SITE.parse();
    let name = name.map_err(|error| StartError::store("copies", error))?;
    let own = stores::objects(&layout.copies(), durability)?;
    let own = Site::new(name, wrapped(wrap, Arc::new(own)));
    Ok(std::iter::once(own).chain(named).collect())
}

impl Keyring {
    /// Opens the keys. A new deployment gets a recovery key, and keeps what is derived from it.
    pub(crate) async fn open(
        opening: Opening<'_>,
        backend: FileBackend,
        on_shut: OnShut<'_>,
    ) -> Result<Self, StartError> {
        let Opening {
            layout,
            clock,
            random,
            durability,
            begin,
            sites,
            mut options,
            control,
            log,
            guard,
            key_store,
        } = opening;
        let failed = |error| StartError::store("keys", error);
        let backend = Arc::new(match durability {
            Durability::Off => backend.syncing(Syncing::Off),
            Durability::Full => backend,
        });
        // clause: P-14
        let data: Vec<PathBuf> = layout.sources().into();
        for kept in [layout.keks(), layout.keys()] {
            let apart = FileBackend::check_apart(&kept, &data);
            apart.map_err(|error| StartError::store("keks", error))?;
        }
        let db = stores::database("keys", &layout.keys(), begin, durability, clock).await?;
        let store = SqlStore::open(db).await;
        let store = store.map_err(|error| StartError::store("keys", error))?;
        let escrow = ObjectEscrow::new(
            backend.clone(),
            sites.clone(),
            GENERATION,
            Arc::clone(random),
        );
        let escrow = Arc::new(escrow);
        let recovery = match begin {
            Begin::Open => None,
            Begin::Create => {
                let minted = RecoveryKey::mint(&**random);
                let minted = minted.map_err(|error| StartError::store("recovery key", error))?;
                let key = minted.derive(Part::Escrow);
                escrow.unlock(key.map_err(|error| StartError::store("recovery key", error))?);
                Some(minted)
            }
        };
        let known = control::known_revision(control).await;
        options.escrow = escrow.clone();
        options.guard = guard;
        options.known_revision = known.map_err(|error| StartError::store("control", error))?;
        let keys = Keys::open(
            wrapped(key_store, Arc::new(store.durability(durability))),
            backend,
            Arc::clone(clock),
            Arc::clone(random),
            options,
        );
        let keys = Arc::new(keys.await.map_err(failed)?);
        let replayed = match (keys.standing().await.map_err(failed)?.gate, on_shut) {
            (Gate::Open, _) => None,
            (Gate::Shut, OnShut::Refuse) => return Err(StartError::KeysNotReplayed),
            (Gate::Shut, OnShut::Replay(call)) => {
                let since = destroyed(log, control).await?;
                Some(keys.replay(call, &since).await.map_err(failed)?)
            }
        };
        if let Some(recovery) = &recovery {
            for part in Part::ALL {
                let key = recovery.derive(part);
                let key = key.map_err(|error| StartError::store("recovery key", error))?;
                keys.keep_part_key(&key).await.map_err(failed)?;
            }
        }
        escrow.unlock(keys.part_key(Part::Escrow).await.map_err(failed)?);
        let key = keys.part_key(Part::KeyStore).await.map_err(failed)?;
        let copies = StoreCopies::new(sites, GENERATION, key, Arc::clone(random));
        let seen = keys.standing().await.map_err(failed)?.revision;
        let kept = control::keep_revision(control, seen).await;
        kept.map_err(|error| StartError::store("control", error))?;
        Ok(Self {
            keys,
            copies,
            recovery: Mutex::new(recovery),
            replayed,
        })
    }

    pub(crate) fn take_recovery_key(&self) -> Option<RecoveryKey> {
        lock(&self.recovery).take()
    }
}

/// What the operator's log says of destroyed keys, events that wait for it included.
async fn destroyed(log: &SqlLog, control: &Db) -> Result<Replay, StartError> {
    let failed = |error| StartError::store("audit", error);
    let waiting = [Feed::new(control.clone(), Serves::All)];
    log.drain(&waiting).await.map_err(failed)?;
    let operator = operator_log();
    let head = log.head(operator).await.map_err(failed)?;
    let mut since = Replay::default();
    let mut at = 0;
    while at < head.size {
        let entries = log.read(operator, at..head.size).await.map_err(failed)?;
        let Some(last) = entries.last() else {
            return Err(StartError::Missing("a part of the operator's log"));
        };
        at = last.index.saturating_add(1);
        let gone = entries.iter().filter_map(|entry| {
            let leaf = &entry.leaf;
            let told = (leaf.action, leaf.outcome) == (Action::KeyDestroyed, Outcome::Ok);
            let key = leaf.target.id.as_ref().and_then(key_of);
            let key = key.filter(|_| told && leaf.target.kind == "key")?;
            Some(Gone { key, at: leaf.at })
        });
        since.destroyed.extend(gone);
    }
    Ok(since)
}

/// The key that an event is about; `None` for what concerns them all.
fn key_of(id: &ItemId) -> Option<KeyId> {
    let bytes: [u8; 16] = id.as_bytes().try_into().ok()?;
    let key = KeyId::from_bytes(bytes);
    (!key.as_uuid().is_nil()).then_some(key)
}
