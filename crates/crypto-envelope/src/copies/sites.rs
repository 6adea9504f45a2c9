//! Copies of the key store at sites: a full one each day, an increment whenever something changed,
//! each under a name of its own, sealed under the key of its part, on record before it leaves the
//! store, and removed before its end.

mod name;

use std::fmt;
use std::sync::Arc;

use covenant_core::sealer::{OpenError, SealError};
use covenant_core::{Random, RandomError};
use time::{Duration, UtcDateTime};
use uuid::Uuid;

use super::{COPY_AGE_HOURS_MAX, COPY_DAYS_MAX, CopyEnd, KeyCopy, NotACopy, decode, encode};
use crate::error::KeyError;
use crate::keys::Keys;
use crate::platform::{Site, SiteError};
use crate::recovery::{Part, PartKey};
use crate::store::Changes;
use name::CopyName;

/// Hours between two full copies.
const FULL_HOURS: i64 = 24;
/// Hours before its end at which a copy is removed: a sweep, so that the end is kept.
const REMOVED_AHEAD_HOURS: i64 = 1;
/// Most bytes of a copy that are read: a bound of ours, for some million records.
const COPY_LEN_BYTES_MAX: u64 = 1 << 30;

/// Copies could not be made, removed or read; what could be done was done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopiesError {
    /// A site failed.
    #[error("a site for copies of the key store failed")]
    Site(#[from] SiteError),
    /// The keys failed.
    #[error("the key store cannot be copied")]
    Keys(#[from] KeyError),
    /// A copy could not be sealed.
    #[error("a copy of the key store cannot be sealed")]
    Seal(#[from] SealError),
    /// No randomness for the id of a copy.
    #[error("no randomness for a copy")]
    Random(#[from] RandomError),
}

/// A copy cannot be read; another one may stand in for it.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error(transparent)]
    Site(#[from] SiteError),
    #[error(transparent)]
    Sealed(#[from] OpenError),
    #[error(transparent)]
    Bytes(#[from] NotACopy),
    #[error("it is not the copy that its name says")]
    Named,
}

/// What one round did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tended {
    /// Copies made.
    pub made: u64,
    /// Copies removed.
    pub removed: u64,
    /// When the next full copy or removal is due, if nothing changes before; `None` without a site.
    pub next: Option<UtcDateTime>,
}

/// The newest state that can be put together from copies.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Chain {
    /// A full copy, and the increments after it, without a gap.
    pub copies: Vec<Changes>,
    /// When the last of them was taken: nothing later is in them.
    pub taken_at: UtcDateTime,
    /// Objects that do not open, or are not what their names say, each with its site.
    pub skipped: Vec<String>,
}

/// Makes copies of the key store at sites, removes them before their end, and reads them.
pub struct StoreCopies {
    sites: Vec<Site>,
    generation: u32,
    key: PartKey,
    random: Arc<dyn Random>,
}

impl StoreCopies {
    /// Copies at these sites, under the recovery key of this number.
    #[must_use]
    pub fn new(sites: Vec<Site>, generation: u32, key: PartKey, random: Arc<dyn Random>) -> Self {
        Self {
            sites,
            generation,
            key,
            random,
        }
    }

    /// One round: what is within an hour of its end goes, a full copy is made where none is younger
    /// than a day, and an increment where something changed since the last copy. What lies at a site
    /// and is not on record is put there; what is on record and was removed by others is taken off.
    ///
    /// The caller vouches for `now`: a copy that says that it was taken later goes too.
    ///
    /// # Errors
    /// The first failure, after every site was tried.
    pub async fn tend(&self, keys: &Keys, now: UtcDateTime) -> Result<Tended, CopiesError> {
        let mut done = Tended::default();
        let mut failed = None;
        for site in &self.sites {
            if let Err(error) = self.tend_at(site, keys, now, &mut done).await {
                failed = failed.or(Some(error));
            }
        }
        failed.map_or(Ok(done), Err)
    }

    async fn tend_at(
        &self,
        site: &Site,
        keys: &Keys,
        now: UtcDateTime,
        done: &mut Tended,
    ) -> Result<(), CopiesError> {
        let known = self.names(site).await?;
        let (over, mut kept): (Vec<_>, Vec<_>) = known
            .into_iter()
            .partition(|name| removed_at(name) <= now || name.taken_at > now);
        let mut failed = None;
        for name in over {
            match site.remove(Part::KeyStore, &name.to_string()).await {
                Ok(()) => done.removed = done.removed.saturating_add(1),
                Err(error) => {
                    failed = failed.or(Some(error));
                    kept.push(name);
                }
            }
        }
        self.settle(site, keys, &kept, now).await?;
        kept.retain(|name| name.taken_at <= now && removed_at(name) > now);

        let full = kept.iter().filter(|name| name.after == 0);
        let full = full.map(|name| name.taken_at).max();
        let day = Duration::hours(FULL_HOURS);
        let revision = keys.standing().await?.revision;
        let newest = kept.iter().map(|name| name.revision).max();
        let after = match (full, newest) {
            (Some(at), _) if at.saturating_add(day) <= now => Some(0),
            (Some(_), Some(newest)) if newest < revision => Some(newest),
            // a store that was put back is behind what was copied before
            (Some(_), Some(newest)) if newest > revision => Some(0),
            (Some(_), Some(_)) => None,
            _ => Some(0),
        };
        if let Some(after) = after {
            kept.push(self.make(site, keys, after, now).await?);
            done.made = done.made.saturating_add(1);
        }
        let next_full = kept.iter().filter(|name| name.after == 0);
        let next_full = next_full
            .map(|name| name.taken_at.saturating_add(day))
            .max();
        let next = kept.iter().map(removed_at).chain(next_full).min();
        done.next = done.next.into_iter().chain(next).min();
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Records, copies, seals, and lets the copy go.
    async fn make(
        &self,
        site: &Site,
        keys: &Keys,
        after: u64,
        now: UtcDateTime,
    ) -> Result<CopyName, CopiesError> {
        let changes = keys.changes(after).await?;
        let mut id = [0_u8; 16];
        self.random.fill(&mut id)?;
        let name = CopyName {
            generation: self.generation,
            taken_at: crate::keys::whole_micros(now),
            after,
            revision: changes.revision,
            id: Uuid::from_bytes(id),
        };
        // clause: P-56
        keys.record_copy(&record(site, &name)).await?;
        let object = name.to_string();
        let sealed = self.key.seal(&object, &encode(&changes), &*self.random)?;
        site.create(Part::KeyStore, &object, sealed).await?;
        Ok(name)
    }

    /// Makes the records of copies say what lies at the site. The newest record stays after its
    /// copy, so that a look at the keys misses a fresh one.
    async fn settle(
        &self,
        site: &Site,
        keys: &Keys,
        kept: &[CopyName],
        now: UtcDateTime,
    ) -> Result<(), CopiesError> {
        let on_record = keys.known_copies().await?;
        let here: Vec<&KeyCopy> = on_record
            .iter()
            .filter(|copy| copy.site == site.name().as_str())
            .collect();
        for name in kept {
            if !here.iter().any(|copy| copy.id == name.id) {
                keys.record_copy(&record(site, name)).await?;
            }
        }
        let newest = here.iter().max_by_key(|copy| copy.taken_at);
        for copy in &here {
            if kept.iter().any(|name| name.id == copy.id) {
                continue;
            }
            let is_newest = newest.is_some_and(|newest| newest.id == copy.id);
            if is_newest && kept.is_empty() {
                let removed = KeyCopy {
                    removed_at: copy.removed_at.or(Some(now)),
                    ..(*copy).clone()
                };
                keys.record_copy(&removed).await?;
            } else {
                keys.forget_copy(copy.id).await?;
            }
        }
        Ok(())
    }

    /// The newest state that the sites give: a full copy that opens and every increment that leads on
    /// from it. What does not open is skipped, by its name. `None` when no full copy opens.
    ///
    /// # Errors
    /// [`CopiesError::Site`] when no site can be listed.
    pub async fn newest(&self) -> Result<Option<Chain>, CopiesError> {
        let mut all: Vec<(CopyName, &Site)> = Vec::new();
        let (mut listed, mut failed) = (0_u64, None);
        for site in &self.sites {
            match self.names(site).await {
                Ok(names) => {
                    listed = listed.saturating_add(1);
                    all.extend(names.into_iter().map(|name| (name, site)));
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let (0, Some(error)) = (listed, failed) {
            return Err(error.into());
        }
        all.sort_by_key(|(name, _)| (name.revision, name.taken_at));
        let mut skipped = Vec::new();
        let mut chain: Option<(Changes, UtcDateTime)> = None;
        for (name, site) in all.iter().rev().filter(|(name, _)| name.after == 0) {
            match self.open(name, site).await {
                Ok(changes) => {
                    chain = Some((changes, name.taken_at));
                    break;
                }
                Err(_unread) => skipped.push(format!("{}: {name}", site.name())),
            }
        }
        let Some((full, mut taken_at)) = chain else {
            return Ok(None);
        };
        let mut revision = full.revision;
        let mut copies = vec![full];
        // ascending by revision: each one that leads on from what is known is taken
        for (name, site) in all.iter().filter(|(name, _)| name.after > 0) {
            if name.revision <= revision || name.after > revision {
                continue;
            }
            match self.open(name, site).await {
                Ok(changes) => {
                    revision = changes.revision;
                    taken_at = taken_at.max(name.taken_at);
                    copies.push(changes);
                }
                Err(_unread) => skipped.push(format!("{}: {name}", site.name())),
            }
        }
        Ok(Some(Chain {
            copies,
            taken_at,
            skipped,
        }))
    }

    async fn open(&self, name: &CopyName, site: &Site) -> Result<Changes, Unread> {
        let object = name.to_string();
        let read = site.read(Part::KeyStore, &object, COPY_LEN_BYTES_MAX);
        let sealed = read.await?.ok_or(Unread::Named)?;
        let plain = self.key.open(&object, &sealed)?;
        let changes = decode(plain.expose())?;
        if (changes.after, changes.revision) != (name.after, name.revision) {
            return Err(Unread::Named);
        }
        Ok(changes)
    }

    /// The copies at a site, oldest first; other names are nobody's.
    async fn names(&self, site: &Site) -> Result<Vec<CopyName>, SiteError> {
        let names = site.list(Part::KeyStore).await?;
        let mut known: Vec<CopyName> = names.iter().filter_map(|name| name.parse().ok()).collect();
        known.sort_by_key(|name| name.taken_at);
        Ok(known)
    }
}

impl fmt::Debug for StoreCopies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreCopies")
            .field("sites", &self.sites)
            .finish_non_exhaustive()
    }
}

/// When a copy is removed: a sweep before the end that is on record.
fn removed_at(name: &CopyName) -> UtcDateTime {
    end(name).saturating_sub(Duration::hours(REMOVED_AHEAD_HOURS))
}

fn end(name: &CopyName) -> UtcDateTime {
    name.taken_at.saturating_add(Duration::days(COPY_DAYS_MAX))
}

fn record(site: &Site, name: &CopyName) -> KeyCopy {
    KeyCopy {
        id: name.id,
        site: site.name().to_string(),
        revision: name.revision,
        taken_at: name.taken_at,
        end: CopyEnd::At(end(name)),
        removed_at: None,
    }
}

// a full copy each day is younger than the age that raises an alarm
const _: () = assert!(FULL_HOURS < COPY_AGE_HOURS_MAX);
