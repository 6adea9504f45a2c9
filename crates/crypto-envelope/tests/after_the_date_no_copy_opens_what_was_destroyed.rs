//! Six virtual months of daily copies of the key store, with one rotation, one tenant purged and
//! one data subject erased: after the computed date no kept copy opens them with any surviving KEK
//! or escrow; every other tenant opens all along; the purged tenant's backups open until their own
//! last day.
#![cfg(feature = "testing")]

#[cfg(test)]
mod common;

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;

use common::{TestResult, World, body, epoch, start};
use covenant_core::sealer::{Purpose, Sealer};
use covenant_core::{KeyId, Owner, Place, TenantId, VaultId};
use crypto_envelope::backend::{KekBackend, MemoryBackend};
use crypto_envelope::copies::{CopyEnd, KeyCopy};
use crypto_envelope::store::Changes;
use crypto_envelope::testing::MemoryEscrow;
use crypto_envelope::wrapped::{WrappedKey, wrap_context};
use crypto_envelope::{Envelope, GroupName, KeyAdmin, Keys, KeysOptions, OwnFiles, VaultKeys};
use time::{Duration, UtcDateTime};

const DAY: Duration = Duration::DAY;
const DAYS: i64 = 183;
/// How long a backup epoch lives here.
const EPOCH: Duration = Duration::days(30);
/// How long a copy of the key store lives.
const COPY: Duration = Duration::days(5);
const ROTATED: i64 = 60;
const ERASED: i64 = 80;
const PLANNED: i64 = 90;
const PURGED: i64 = 110;

/// A platform that lives, and everything that lies about it.
struct Platform {
    world: World,
    keys: Arc<Keys>,
    escrow: Option<Arc<MemoryEscrow>>,
    kept: Vec<(KeyCopy, Changes)>,
    vaults: Vec<(TenantId, VaultId, UtcDateTime)>,
}

impl Platform {
    /// The versions that anybody opens who has the live store, every copy that is kept, the
    /// backend and the escrow.
    async fn adversary(&self) -> Result<BTreeSet<KeyId>, Box<dyn Error>> {
        let live = self.world.store.roots().await?;
        let copied = self.kept.iter().flat_map(|(_, records)| &records.roots);
        let mut opened = BTreeSet::new();
        for root in live.iter().chain(copied) {
            let Ok(wrapped) = WrappedKey::try_from(root.wrapped.as_slice()) else {
                continue;
            };
            let context = wrap_context(root.kek, root.owner, root.purpose, root.id);
            let backend = &self.world.backend;
            let by_backend = backend.unwrap_root(root.kek, &context, &wrapped).await;
            let escrow = self.escrow.as_ref();
            let by_escrow = escrow.and_then(|escrow| escrow.unwrap_root(&context, &wrapped));
            if by_backend.is_ok() || by_escrow.is_some() {
                opened.insert(root.id);
            }
        }
        Ok(opened)
    }

    /// Copies that are over go; a new full one is recorded, and then taken.
    async fn copy(&mut self, now: UtcDateTime) -> TestResult {
        let (over, kept) = std::mem::take(&mut self.kept)
            .into_iter()
            .partition(|(copy, _)| copy.ends_at(now).is_some_and(|end| end <= now));
        self.kept = kept;
        let over: Vec<(KeyCopy, Changes)> = over;
        for (copy, _) in over {
            assert_eq!(copy.fault(now - Duration::SECOND), None);
            self.keys.forget_copy(copy.id).await?;
        }
        let records = self.keys.changes(0).await?;
        let copy = KeyCopy {
            id: self.world.uuid()?,
            site: "second-site".to_owned(),
            revision: records.revision,
            taken_at: now,
            end: CopyEnd::At(now + COPY),
            removed_at: None,
        };
        self.keys.record_copy(&copy).await?;
        self.kept.push((copy, records));
        Ok(())
    }

    async fn check_vaults(&self, now: UtcDateTime) -> TestResult {
        for (tenant, vault, end) in &self.vaults {
            let opens = self.keys.unlock_vault(*tenant, *vault).await.is_ok();
            assert_eq!(opens, now < *end, "vault of {tenant} that ends at {end}");
        }
        Ok(())
    }
}

#[tokio::test]
async fn in_memory_with_escrow() -> TestResult {
    let world = World::in_memory();
    let backend = Arc::new(MemoryBackend::new(world.random.clone()));
    let escrow = Arc::new(MemoryEscrow::new(backend.clone()));
    let mut options = KeysOptions::default();
    options.escrow = escrow.clone();
    let backend: Arc<dyn KekBackend> = backend;
    let world = World { backend, ..world };
    live(world, Some(escrow), options).await
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn on_sqlite_and_files() -> TestResult {
    let dir = tempfile::tempdir()?;
    let world = World::on_files(dir.path()).await?;
    live(world, None, KeysOptions::default()).await
}

#[cfg(all(feature = "sqlite", feature = "postgres"))]
#[tokio::test]
async fn on_postgres_and_files() -> TestResult {
    let dir = tempfile::tempdir()?;
    let Some(world) = World::on_postgres("key_months", dir.path()).await? else {
        return Ok(());
    };
    let mut options = KeysOptions::default();
    options.own_files = OwnFiles::GoneAfter(COPY);
    live(world, None, options).await
}

async fn live(world: World, escrow: Option<Arc<MemoryEscrow>>, options: KeysOptions) -> TestResult {
    let keys = Arc::new(world.keys_with(options).await?);
    let sealer = Envelope::new(keys.clone());
    let mut platform = Platform {
        keys: keys.clone(),
        escrow,
        kept: Vec::new(),
        vaults: Vec::new(),
        world,
    };
    let world = &platform.world;
    let (living, purged, person) = (world.tenant()?, world.tenant()?, world.uuid()?);
    let tenants = [living, purged, world.tenant()?];
    let clock = world.clock.clone();
    let mut values: Vec<(Place, Vec<u8>)> = Vec::new();
    for tenant in tenants {
        keys.create_tenant(tenant).await?;
        for purpose in [Purpose::Data, Purpose::Sensitive] {
            let place = body(Owner::Tenant(tenant), purpose)?;
            let sealed = sealer.seal(&place, b"text").await?;
            values.push((place, sealed));
        }
    }
    let subject = Owner::Subject(living, person);
    let place = body(subject, Purpose::Subject)?;
    values.push((place.clone(), sealer.seal(&place, b"person").await?));
    let erased = keys.unlock(subject, Purpose::Subject).await?.version();
    let of_purged: Vec<KeyId> = keys
        .list()
        .await?
        .iter()
        .filter(|root| root.owner == Owner::Tenant(purged))
        .map(|root| root.id)
        .collect();

    let mut complete_by = None;
    let mut gone_by = None;
    let mut rotated = None;
    let mut opened_late = 0;
    for day in 0..DAYS {
        let now = start() + DAY * i32::try_from(day)?;
        clock.advance_to(now);
        keys.rotate_due(now).await?;
        keys.destroy_due(now).await?;
        let name = epoch(&format!("day-{day}"))?;
        for tenant in tenants.iter().filter(|t| **t != purged || day < PURGED) {
            let vault = platform.world.vault()?;
            keys.vault_root(*tenant, vault, &name, now + EPOCH).await?;
            platform.vaults.push((*tenant, vault, now + EPOCH));
        }
        if day == ROTATED {
            let keks = keys.list_keks().await?;
            let standard = keks.iter().find(|kek| kek.group == GroupName::Standard);
            let old = standard.ok_or("no KEK")?.id;
            let done = keys.rotate(&platform.world.admin(), old).await?;
            assert_eq!(done.rewrapped, 4, "three tenants and a subject");
            rotated = done.old_ends_at;
        }
        if day == ERASED {
            let order = platform.world.order(living, person)?;
            let done = keys.destroy_subject(&order).await?;
            assert_eq!(done.keys, [erased]);
            let date = done.complete_by.ok_or("no date")?;
            // the youngest copy that holds the key was taken the day before
            assert!(date <= now + COPY && date > now + COPY - DAY * 2, "{date}");
            complete_by = Some(date);
        }
        if day == PLANNED {
            let at = start() + DAY * i32::try_from(PURGED)?;
            keys.plan_tenant(purged, at).await?;
            gone_by = Some(at + COPY + Duration::HOUR);
        }
        platform.copy(now).await?;

        // looked at every day about every instant that counts, else once in ten days
        let counts = [ERASED, PURGED].map(|day| day - 2..day + 8);
        if day % 10 == 3 || counts.iter().any(|days| days.contains(&day)) {
            let opened = platform.adversary().await?;
            check_gone(complete_by, now, &[erased], &opened, &mut opened_late);
            check_gone(gone_by, now, &of_purged, &opened, &mut opened_late);
        }
        for (place, sealed) in &values {
            let owner = place.owner();
            let dead = (owner == subject && day >= ERASED)
                || (owner == Owner::Tenant(purged) && day >= PURGED);
            let opens = sealer.open(place, sealed).await.is_ok();
            assert_eq!(opens, !dead, "day {day}: {owner:?}");
        }
        if day % 10 == 0 {
            platform.check_vaults(now).await?;
        }
        if rotated.is_some_and(|end| now >= end) {
            let keks = keys.list_keks().await?;
            let alive = keks.iter().filter(|kek| kek.gone_at.is_none());
            let epochs = usize::try_from(day.min(29))? + 1;
            assert_eq!(alive.count(), 2 + epochs, "day {day}");
        }
    }
    assert!(
        opened_late >= 6,
        "copies opened {opened_late} times between"
    );
    // one second before its planned instant a vault opens, and not at it
    let end = start() + DAY * i32::try_from(DAYS)?;
    clock.advance_to(end - Duration::SECOND);
    platform.check_vaults(end - Duration::SECOND).await?;
    clock.advance_to(end);
    platform.check_vaults(end).await?;
    Ok(())
}

/// From the date on nothing opens; before it, something may, and is counted.
fn check_gone(
    date: Option<UtcDateTime>,
    now: UtcDateTime,
    keys: &[KeyId],
    opened: &BTreeSet<KeyId>,
    opened_late: &mut u32,
) {
    let open = keys.iter().any(|key| opened.contains(key));
    match date {
        Some(date) if date <= now => assert!(!open, "at {now} a copy opens what is gone"),
        Some(_) if open => *opened_late += 1,
        Some(_) => {}
        None => assert!(open, "the control: it opens while it lives"),
    }
}
