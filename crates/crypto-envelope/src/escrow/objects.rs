//! Escrow at sites: one object per KEK, created once, sealed under a key that is derived from the
//! recovery key. The site alone opens nothing.

use std::fmt;
use std::sync::{Arc, OnceLock};

use covenant_core::{KeyId, Random, Secret};
use subtle::ConstantTimeEq;

use super::{Escrow, EscrowError, EscrowFuture};
use crate::backend::{PortableKeks, Presence};
use crate::cobblestone::NotAuthentic;
use crate::platform::{Site, SiteError};
use crate::recovery::{Part, PartKey};
use crate::sealed::OVERHEAD_LEN_BYTES;

/// Bytes of an object: a sealed KEK.
pub const ESCROWED_LEN_BYTES: usize = 32 + OVERHEAD_LEN_BYTES;

/// What is wrong with an escrow at sites, besides its sites.
#[derive(Debug, thiserror::Error)]
enum Fault {
    /// The key of the part is not there yet.
    #[error("the key of the escrow is not there")]
    Locked,
    /// What lies at a site is not this KEK.
    #[error("what site {site} holds of key {kek} is another key")]
    Other { site: String, kek: KeyId },
}

/// KEKs at sites. A deposit is written, read back, opened and compared before it counts.
pub struct ObjectEscrow {
    keks: Arc<dyn PortableKeks>,
    sites: Vec<Site>,
    generation: u32,
    key: OnceLock<PartKey>,
    random: Arc<dyn Random>,
}

impl ObjectEscrow {
    /// Escrow of the KEKs of this backend at these sites, under the recovery key of this number:
    /// each recovery of the platform raises it. Nothing can be deposited before
    /// [`ObjectEscrow::unlock`].
    #[must_use]
    pub fn new(
        keks: Arc<dyn PortableKeks>,
        sites: Vec<Site>,
        generation: u32,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            keks,
            sites,
            generation,
            key: OnceLock::new(),
            random,
        }
    }

    /// Gives it the key of its part; the first one counts.
    pub fn unlock(&self, key: PartKey) {
        drop(self.key.set(key));
    }

    /// The KEKs of which any site holds an object, ascending.
    ///
    /// # Errors
    /// [`EscrowError`].
    pub async fn list(&self) -> Result<Vec<KeyId>, EscrowError> {
        let mut found = std::collections::BTreeSet::new();
        for site in &self.sites {
            let names = site.list(Part::Escrow).await.map_err(EscrowError::of)?;
            found.extend(names.iter().filter_map(|name| kek_of(name)));
        }
        Ok(found.into_iter().collect())
    }

    /// The KEK as the first site gives it whose object opens; `None` when no site has one.
    ///
    /// # Errors
    /// [`EscrowError`] when no object opens, or none can be read.
    pub async fn read(&self, kek: KeyId) -> Result<Option<Secret<[u8; 32]>>, EscrowError> {
        let mut failed = None;
        for site in &self.sites {
            match self.read_at(site, kek).await {
                Ok(Some(key)) => return Ok(Some(key)),
                Ok(None) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    async fn read_at(
        &self,
        site: &Site,
        kek: KeyId,
    ) -> Result<Option<Secret<[u8; 32]>>, EscrowError> {
        let key = self.key.get().ok_or(EscrowError::of(Fault::Locked))?;
        let name = self.name(kek);
        let max = u64::try_from(ESCROWED_LEN_BYTES).unwrap_or(u64::MAX);
        let read = site.read(Part::Escrow, &name, max).await;
        let Some(sealed) = read.map_err(EscrowError::of)? else {
            return Ok(None);
        };
        let plain = key.open(&name, &sealed).map_err(EscrowError::of)?;
        let bytes: [u8; 32] = plain
            .expose()
            .as_slice()
            .try_into()
            .or(Err(EscrowError::of(NotAuthentic)))?;
        Ok(Some(Secret::new(bytes)))
    }

    /// Deposits at one site: what lies there afterwards opens to the KEK.
    async fn deposit_at(
        &self,
        site: &Site,
        kek: KeyId,
        bytes: &Secret<[u8; 32]>,
    ) -> Result<(), EscrowError> {
        let key = self.key.get().ok_or(EscrowError::of(Fault::Locked))?;
        let name = self.name(kek);
        let sealed = key.seal(&name, bytes.expose(), &*self.random);
        let sealed = sealed.map_err(EscrowError::of)?;
        match site.create(Part::Escrow, &name, sealed).await {
            // deposited before, by a process that died then
            Ok(()) | Err(SiteError::Taken { .. }) => {}
            Err(error) => return Err(EscrowError::of(error)),
        }
        match self.read_at(site, kek).await? {
            Some(found) if bool::from(found.expose().ct_eq(bytes.expose())) => Ok(()),
            _ => Err(EscrowError::of(Fault::Other {
                site: site.name().to_string(),
                kek,
            })),
        }
    }

    pub(super) fn keks(&self) -> &dyn PortableKeks {
        &*self.keks
    }

    fn name(&self, kek: KeyId) -> String {
        format!("{:04}-{}", self.generation, kek.simple())
    }
}

impl Escrow for ObjectEscrow {
    fn deposit(&self, kek: KeyId) -> EscrowFuture<'_, ()> {
        Box::pin(async move {
            let bytes = self.keks.export(kek).await.map_err(EscrowError::of)?;
            for site in &self.sites {
                self.deposit_at(site, kek, &bytes).await?;
            }
            Ok(())
        })
    }

    /// Every site is tried, and every object of the KEK, of an older recovery key too.
    fn remove(&self, kek: KeyId) -> EscrowFuture<'_, ()> {
        Box::pin(async move {
            let mut failed = None;
            for site in &self.sites {
                if let Err(error) = remove_at(site, kek).await {
                    failed = failed.or(Some(error));
                }
            }
            failed.map_or(Ok(()), |error| Err(EscrowError::of(error)))
        })
    }

    fn probe(&self, kek: KeyId) -> EscrowFuture<'_, Presence> {
        Box::pin(async move {
            for site in &self.sites {
                let names = site.list(Part::Escrow).await.map_err(EscrowError::of)?;
                if names.iter().any(|name| kek_of(name) == Some(kek)) {
                    return Ok(Presence::Present);
                }
            }
            Ok(Presence::Absent)
        })
    }
}

async fn remove_at(site: &Site, kek: KeyId) -> Result<(), SiteError> {
    for name in site.list(Part::Escrow).await? {
        if kek_of(&name) == Some(kek) {
            site.remove(Part::Escrow, &name).await?;
        }
    }
    Ok(())
}

/// The KEK that the object of this name holds.
fn kek_of(name: &str) -> Option<KeyId> {
    let (generation, id) = name.split_once('-')?;
    generation.parse::<u32>().ok()?;
    let kek: KeyId = id.parse().ok()?;
    (kek.simple() == id).then_some(kek)
}

impl fmt::Debug for ObjectEscrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectEscrow")
            .field("sites", &self.sites)
            .finish_non_exhaustive()
    }
}
