//! Copies of the key store as the deployment makes them: full each day, an increment for each
//! destruction and whatever else changed; and the way back from them when the key store is lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use covenant_core::KeyId;
use crypto_envelope::backend::{FileBackend, KekBackend as _, Presence, Syncing};
use crypto_envelope::copies::{Chain, StoreCopies};
use crypto_envelope::escrow::{ObjectEscrow, RestoredKeks};
use crypto_envelope::record::KekRecord;
use crypto_envelope::recovery::{Part, RecoveryKey};
use crypto_envelope::store::{KeyStore as _, SqlStore};
use sql_store::Durability;
use time::UtcDateTime;

use crate::assembly::{Covenant, Settings, lock};
use crate::control;
use crate::error::{Error, StartError};
use crate::keyring::{self, GENERATION};
use crate::stores::{self, Begin, Layout};
use crate::sweep::{RETRY, Swept};

/// What came back of a lost key store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveredKeys {
    /// The instant of the last copy: what happened to keys later is not in the store.
    pub taken_at: UtcDateTime,
    /// Copies that do not open, or are not what their names say, each with its site.
    pub skipped: Vec<String>,
    /// What became of the key-encryption keys.
    pub keks: RestoredKeks,
}

impl Covenant {
    /// Makes and removes copies of the key store, as far as that is due, and tells the log of those
    /// that are late or past their end.
    // clause: P-56
    pub(crate) async fn tend_copies(&self, now: UtcDateTime, wall: UtcDateTime, swept: &mut Swept) {
        let parts = self.parts();
        let tended = parts.ring.copies.tend(&parts.keys, now).await;
        let told = parts.keys.tell_copies(now).await;
        let kept = match (&tended, &told) {
            (Ok(_), Ok(_)) => self.keep_revision().await,
            _ => Ok(()),
        };
        let of = ("key-copies", None);
        if let Err(error) = &tended {
            self.failed(swept, of, wall, error);
        } else if let Err(error) = &told {
            self.failed(swept, of, wall, error);
        } else if let Err(error) = &kept {
            self.failed(swept, of, wall, error);
        }
        let next = match tended {
            Ok(tended) => tended.next,
            Err(_failed) => Some(wall.saturating_add(RETRY)),
        };
        *lock(&parts.copies_due) = next;
    }

    /// Notes that somebody may have changed keys: what changed is copied with the next sweep, which
    /// is due at once.
    pub(crate) async fn note_keys(&self) -> Result<(), Error> {
        let parts = self.parts();
        let known = control::known_revision(&parts.control).await?;
        if parts.keys.standing().await?.revision != known {
            *lock(&parts.copies_due) = Some(parts.clock.now());
            self.keep_revision().await?;
        }
        Ok(())
    }

    async fn keep_revision(&self) -> Result<(), Error> {
        let parts = self.parts();
        let revision = parts.keys.standing().await?.revision;
        Ok(control::keep_revision(&parts.control, revision).await?)
    }

    /// Puts a lost key store together again from the copies at the deployment's sites, and the
    /// key-encryption keys that are missing from their escrow, but none whose day has come. The store
    /// is shut then: [`Covenant::open_replaying`] starts it. A run that fails may be repeated.
    ///
    /// # Errors
    /// [`StartError::KeyStoreThere`] when there is one; [`StartError::CopiesIncomplete`] when no
    /// copy opens with this recovery key, or a living key-encryption key is nowhere;
    /// [`StartError::ClockBehind`] for a clock before the newest copy.
    pub async fn recover_keys(
        settings: &Settings,
        recovery: &RecoveryKey,
    ) -> Result<RecoveredKeys, StartError> {
        let layout = Layout::new(&settings.folder);
        if layout.keys().exists() {
            return Err(StartError::KeyStoreThere);
        }
        let Settings {
            clock,
            random,
            durability,
            sites,
            ..
        } = settings;
        let sites = keyring::sites(&layout, *durability, None, sites.clone())?;
        let derive = |part| {
            let key = recovery.derive(part);
            key.map_err(|error| StartError::store("recovery key", error))
        };
        let key = derive(Part::KeyStore)?;
        let copies = StoreCopies::new(sites.clone(), GENERATION, key, Arc::clone(random));
        let chain = copies.newest().await;
        let chain = chain.map_err(|error| StartError::store("copies", error))?;
        let chain = chain.ok_or_else(|| incomplete("no full copy of the key store opens"))?;
        let now = clock.now();
        if now < chain.taken_at {
            return Err(StartError::ClockBehind);
        }

        let keks = layout.keks();
        let backend = if keks.is_dir() {
            FileBackend::open(&keks, Arc::clone(random))
        } else {
            FileBackend::create(&keks, Arc::clone(random))
        };
        let backend = backend.map_err(|error| StartError::store("keks", error))?;
        let backend = Arc::new(match durability {
            Durability::Off => backend.syncing(Syncing::Off),
            Durability::Full => backend,
        });
        let escrow = ObjectEscrow::new(backend.clone(), sites, GENERATION, Arc::clone(random));
        escrow.unlock(derive(Part::Escrow)?);
        let restored = escrow.restore(&records(&chain), now).await;
        let restored = restored.map_err(|error| StartError::store("escrow", error))?;
        for kek in &restored.missing {
            let there = backend.probe(*kek).await;
            if there.map_err(|error| StartError::store("keks", error))? == Presence::Absent {
                return Err(incomplete(&format!("no site has key-encryption key {kek}")));
            }
        }
        put_together(settings, &layout, &chain).await?;
        Ok(RecoveredKeys {
            taken_at: chain.taken_at,
            skipped: chain.skipped,
            keks: restored,
        })
    }
}

/// The KEKs as the last copy has them.
fn records(chain: &Chain) -> Vec<KekRecord> {
    let all = chain.copies.iter().flat_map(|copy| &copy.keks);
    let last: BTreeMap<KeyId, &KekRecord> = all.map(|kek| (kek.id, kek)).collect();
    last.into_values().cloned().collect()
}

/// Fills a store beside its place, and moves it there when it is whole.
async fn put_together(
    settings: &Settings,
    layout: &Layout,
    chain: &Chain,
) -> Result<(), StartError> {
    let failed = |error| StartError::store("keys", error);
    let folder = layout.scratch();
    stores::private_folder(&folder)?;
    let mut name = [0_u8; 8];
    let drawn = settings.random.fill(&mut name);
    drawn.map_err(|error| StartError::store("keys", error))?;
    let file = folder.join(format!("keys-{}.db", covenant_core::canon::hex(&name)));
    let (durability, clock) = (settings.durability, &settings.clock);
    let db = stores::database("keys", &file, Begin::Create, durability, clock).await?;
    let store = SqlStore::open(db.clone()).await.map_err(failed)?;
    let store = store.durability(durability);
    store.restore(&chain.copies).await.map_err(failed)?;
    drop(store);
    db.close().await;
    std::fs::rename(&file, layout.keys()).map_err(|source| StartError::Io {
        what: "keys",
        source,
    })
}

fn incomplete(what: &str) -> StartError {
    StartError::CopiesIncomplete(what.to_owned())
}
