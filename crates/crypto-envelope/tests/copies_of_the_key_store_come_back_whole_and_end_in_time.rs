//! Copies of the key store at sites: a full one a day, an increment for each change, on record
//! before they leave, gone before their end. From them the date of every destruction is computed,
//! and from them a lost store is put together again, or as much of it as is unbroken.
#![cfg(all(feature = "testing", feature = "object-store"))]

#[cfg(test)]
mod common;

use std::error::Error;
use std::sync::Arc;

use common::{TestResult, World, body, epoch, start};
use covenant_core::sealer::Purpose;
use covenant_core::{Owner, Sealer};
use crypto_envelope::copies::{Chain, CopyEnd, StoreCopies, decode, encode};
use crypto_envelope::platform::Site;
use crypto_envelope::recovery::{Part, RecoveryKey};
use crypto_envelope::store::KeyStore;
use crypto_envelope::{Envelope, KeyAdmin, KeyFault, Keys, PendingWindow, Replay, VaultKeys};
use futures_util::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use time::{Duration, UtcDateTime};

const DAY: Duration = Duration::DAY;
const HOUR: Duration = Duration::HOUR;

struct Rig {
    world: World,
    keys: Arc<Keys>,
    site: Arc<InMemory>,
    recovery: RecoveryKey,
    copies: StoreCopies,
}

impl Rig {
    async fn new() -> Result<Self, Box<dyn Error>> {
        let world = World::in_memory();
        let site = Arc::new(InMemory::new());
        let recovery = RecoveryKey::mint(&*world.random)?;
        let keys = Arc::new(world.keys().await?);
        keys.keep_part_key(&recovery.derive(Part::KeyStore)?)
            .await?;
        let copies = copies(&world, vec![named(&site)?], &recovery)?;
        Ok(Self {
            world,
            keys,
            site,
            recovery,
            copies,
        })
    }

    async fn tend(&self, at: UtcDateTime) -> Result<(u64, u64), Box<dyn Error>> {
        self.world.clock.advance_to(at);
        let done = self.copies.tend(&self.keys, at).await?;
        assert!(done.next.is_some_and(|next| next > at), "{done:?}");
        Ok((done.made, done.removed))
    }

    async fn objects(&self) -> Result<Vec<Path>, Box<dyn Error>> {
        objects(&self.site).await
    }

    async fn chain(&self) -> Result<Option<Chain>, Box<dyn Error>> {
        Ok(self.copies.newest().await?)
    }
}

fn named(site: &Arc<InMemory>) -> Result<Site, Box<dyn Error>> {
    Ok(Site::new("second-site".parse()?, site.clone()))
}

fn copies(
    world: &World,
    sites: Vec<Site>,
    recovery: &RecoveryKey,
) -> Result<StoreCopies, Box<dyn Error>> {
    let key = recovery.derive(Part::KeyStore)?;
    Ok(StoreCopies::new(sites, 1, key, world.random.clone()))
}

async fn objects(site: &InMemory) -> Result<Vec<Path>, Box<dyn Error>> {
    let all: Vec<_> = site.list(None).try_collect().await?;
    let mut all: Vec<Path> = all.into_iter().map(|meta| meta.location).collect();
    all.sort();
    Ok(all)
}

/// The store that a chain gives, in memory.
async fn put_together(world: &World, chain: &Chain) -> Result<Arc<dyn KeyStore>, Box<dyn Error>> {
    let store = world.fresh_store().await?;
    store.restore(&chain.copies).await?;
    Ok(store)
}

#[tokio::test]
async fn a_day_of_copies_is_a_full_one_and_its_changes() -> TestResult {
    let rig = Rig::new().await?;
    assert_eq!(rig.tend(start()).await?, (1, 0), "a full one");
    assert_eq!(rig.tend(start() + HOUR).await?, (0, 0), "nothing changed");
    let tenant = rig.world.tenant()?;
    rig.keys.create_tenant(tenant).await?;
    assert_eq!(rig.tend(start() + HOUR * 2).await?, (1, 0), "an increment");
    assert_eq!(rig.tend(start() + HOUR * 23).await?, (0, 0));
    assert_eq!(rig.tend(start() + HOUR * 24).await?, (1, 0), "a full one");

    let there = rig.objects().await?;
    assert_eq!(there.len(), 3);
    let sealed = rig.site.get(&there[0]).await?.bytes().await?;
    assert!(decode(&sealed).is_err(), "sealed, and no copy by itself");
    // on record with its end, five days after it was taken
    let admin = rig.world.admin();
    let known = rig.keys.copies(&admin).await?;
    assert_eq!(known.len(), 3);
    for copy in &known {
        assert_eq!(copy.end, CopyEnd::At(copy.taken_at + DAY * 5));
        assert_eq!(copy.site, "second-site");
    }
    assert_eq!(rig.keys.check(&admin, start() + DAY).await?.faults, []);

    // the copies are the store
    let chain = rig.chain().await?.ok_or("no chain")?;
    assert_eq!(chain.skipped, Vec::<String>::new());
    let again = put_together(&rig.world, &chain).await?;
    assert_eq!(again.roots().await?, rig.world.store.roots().await?);
    assert_eq!(again.keks().await?, rig.world.store.keks().await?);
    Ok(())
}

#[tokio::test]
async fn copies_go_an_hour_before_their_end_even_without_newer_ones() -> TestResult {
    let rig = Rig::new().await?;
    rig.tend(start()).await?;
    let end = start() + DAY * 5;
    // nobody made another one: an alarm from 25 hours on
    let admin = rig.world.admin();
    let fault = |at| rig.keys.check(&admin, at);
    assert_eq!(fault(start() + HOUR * 25).await?.faults, []);
    let stale = fault(start() + HOUR * 25 + Duration::SECOND).await?.faults;
    assert_eq!(stale, [KeyFault::NoFreshCopy]);

    let (made, removed) = rig.tend(end - HOUR).await?;
    assert_eq!((made, removed), (1, 1));
    assert_eq!(rig.objects().await?.len(), 1);
    let known = rig.keys.copies(&admin).await?;
    let there = known.iter().filter(|copy| copy.removed_at.is_none());
    assert_eq!(there.count(), 1);
    assert_eq!(fault(end).await?.faults, []);
    // a copy that a wrong clock dated goes as well
    rig.tend(end + DAY * 400).await?;
    let back = rig.copies.tend(&rig.keys, end + DAY).await?;
    assert_eq!((back.made, back.removed), (1, 1));
    Ok(())
}

// clause: P-56
#[tokio::test]
async fn the_date_of_a_destruction_is_the_end_of_the_last_copy_that_may_hold_it() -> TestResult {
    let rig = Rig::new().await?;
    let sealer = Envelope::new(rig.keys.clone());
    let (tenant, subject) = (rig.world.tenant()?, rig.world.uuid()?);
    rig.keys.create_tenant(tenant).await?;
    let place = body(Owner::Subject(tenant, subject), Purpose::Subject)?;
    let sealed = sealer.seal(&place, b"person").await?;
    rig.tend(start()).await?;
    rig.tend(start() + DAY).await?;
    let last = start() + DAY;
    let at = start() + HOUR * 30;
    rig.world.clock.advance_to(at);
    let order = rig.world.order(tenant, subject)?;
    let done = rig.keys.destroy_subject(&order).await?;
    assert_eq!(done.complete_by, Some(last + DAY * 5));
    let key = done.keys[0];
    assert_eq!(rig.keys.unrecoverable_at(key).await?, done.complete_by);
    // copies from after it hold nothing, and move no date
    assert_eq!(rig.tend(at).await?, (1, 0), "an increment for it");
    for day in 2..6 {
        rig.tend(start() + DAY * day).await?;
    }
    assert_eq!(rig.keys.unrecoverable_at(key).await?, done.complete_by);

    // whoever took everything at the sites on the date opens nothing with the recovery key
    rig.tend(last + DAY * 5).await?;
    for object in rig.objects().await? {
        let name = object.filename().ok_or("no name")?;
        let got = rig.site.get(&object).await?.bytes().await?;
        let plain = rig.recovery.derive(Part::KeyStore)?.open(name, &got)?;
        let copy = decode(plain.expose())?;
        let held = copy.roots.iter().find(|root| root.id == key);
        assert!(held.is_none_or(|root| root.wrapped.is_empty()), "{name}");
    }
    assert!(sealer.open(&place, &sealed).await.is_err());
    let living = rig.keys.create_tenant(tenant).await?.data;
    assert_eq!(rig.keys.unrecoverable_at(living).await?, None);
    Ok(())
}

/// A site that says that it removes, and does not: found by whoever looks at it on the date.
#[tokio::test]
async fn a_copy_that_is_kept_opens_after_its_date_and_is_found() -> TestResult {
    let rig = Rig::new().await?;
    let elsewhere: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let lying = named(&rig.site)?.removing_through(elsewhere);
    let copies = copies(&rig.world, vec![lying], &rig.recovery)?;
    let tenant = rig.world.tenant()?;
    let root = rig.keys.create_tenant(tenant).await?.data;
    copies.tend(&rig.keys, start()).await?;
    let admin = rig.world.admin();
    let due = rig
        .keys
        .schedule_destruction(&admin, root, PendingWindow::SHORTEST)
        .await?;
    rig.world.clock.advance_to(due);
    rig.keys.destroy_due(due).await?;
    copies.tend(&rig.keys, due).await?;
    let date = rig.keys.unrecoverable_at(root).await?.ok_or("no date")?;
    rig.world.clock.advance_to(date);
    copies.tend(&rig.keys, date).await?;
    let mut found = false;
    for object in rig.objects().await? {
        let name = object.filename().ok_or("no name")?;
        let got = rig.site.get(&object).await?.bytes().await?;
        let plain = rig.recovery.derive(Part::KeyStore)?.open(name, &got)?;
        let copy = decode(plain.expose())?;
        found |= copy
            .roots
            .iter()
            .any(|held| held.id == root && !held.wrapped.is_empty());
    }
    assert!(found, "a look at the site misses what is kept there");
    Ok(())
}

#[tokio::test]
async fn a_chain_goes_as_far_as_it_is_unbroken() -> TestResult {
    let rig = Rig::new().await?;
    rig.tend(start()).await?;
    let mut tenants = Vec::new();
    for hour in 1..4 {
        let tenant = rig.world.tenant()?;
        rig.keys.create_tenant(tenant).await?;
        tenants.push(tenant);
        rig.tend(start() + HOUR * hour).await?;
    }
    let objects = rig.objects().await?;
    assert_eq!(objects.len(), 4);
    // the second increment is damaged: what follows it cannot be used
    let mut bytes = rig.site.get(&objects[2]).await?.bytes().await?.to_vec();
    bytes[100] ^= 1;
    rig.site.put(&objects[2], bytes.into()).await?;
    let chain = rig.chain().await?.ok_or("no chain")?;
    assert_eq!(chain.copies.len(), 2);
    assert_eq!(chain.taken_at, start() + HOUR, "the last instant is told");
    assert_eq!(chain.skipped.len(), 1);
    assert!(chain.skipped[0].contains(objects[2].filename().ok_or("no name")?));

    // another site has it whole
    let other = Arc::new(InMemory::new());
    let both = vec![
        named(&rig.site)?,
        Site::new("third-site".parse()?, other.clone()),
    ];
    let two = copies(&rig.world, both, &rig.recovery)?;
    two.tend(&rig.keys, start() + HOUR * 5).await?;
    let chain = two.newest().await?.ok_or("no chain")?;
    let again = put_together(&rig.world, &chain).await?;
    assert_eq!(again.roots().await?, rig.world.store.roots().await?);

    // a full one that is missing leaves nothing to go on from; another platform's opens nothing
    rig.site.delete(&objects[0]).await?;
    assert!(rig.chain().await?.is_none());
    let foreign = RecoveryKey::mint(&*rig.world.random)?;
    let foreign = copies(&rig.world, vec![named(&other)?], &foreign)?;
    assert!(foreign.newest().await?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_store_put_back_knows_the_copies_that_were_made_after_it() -> TestResult {
    let rig = Rig::new().await?;
    rig.tend(start()).await?;
    let chain = rig.chain().await?.ok_or("no chain")?;
    rig.keys.create_tenant(rig.world.tenant()?).await?;
    rig.tend(start() + HOUR).await?;

    let store = put_together(&rig.world, &chain).await?;
    let backend = rig.world.backend.clone();
    let keys = rig.world.keys_over(store, backend).await?;
    let admin = rig.world.admin();
    keys.replay(&admin, &Replay::default()).await?;
    assert!(keys.copies(&admin).await?.is_empty(), "it knows of none");
    let kept = rig.copies.tend(&keys, start() + HOUR * 2).await?;
    assert_eq!(kept.made, 1, "behind what was copied: a full one");
    assert_eq!(keys.copies(&admin).await?.len(), 3);
    // and they end in time
    rig.copies.tend(&keys, start() + DAY * 5 + HOUR).await?;
    assert_eq!(rig.objects().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn the_bytes_of_a_copy_are_the_records_and_nothing_else() -> TestResult {
    let rig = Rig::new().await?;
    let (tenant, subject) = (rig.world.tenant()?, rig.world.uuid()?);
    rig.keys.create_tenant(tenant).await?;
    let sealer = Envelope::new(rig.keys.clone());
    let place = body(Owner::Subject(tenant, subject), Purpose::Subject)?;
    sealer.seal(&place, b"person").await?;
    let day = start() + DAY * 9 + Duration::microseconds(7);
    rig.keys
        .vault_root(tenant, rig.world.vault()?, &epoch("a")?, day)
        .await?;
    rig.keys
        .destroy_subject(&rig.world.order(tenant, subject)?)
        .await?;
    let copy = rig.keys.changes(0).await?;
    assert_eq!(copy.erasures.len(), 1);
    let bytes = encode(&copy);
    assert_eq!(decode(&bytes)?, copy);
    for len in 0..bytes.len() {
        assert!(decode(&bytes[..len]).is_err(), "cut to {len}");
    }
    let longer = [bytes.clone(), vec![0]].concat();
    assert!(decode(&longer).is_err());
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 0x15;
        if let Ok(decoded) = decode(&other) {
            assert_ne!(decoded, copy);
            assert_eq!(encode(&decoded), other, "changed at {at}");
        }
    }
    let mut many = bytes.clone();
    let count = 4 + 25 + 16;
    many[count..count + 4].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(decode(&many).is_err(), "no room is made for a count");
    Ok(())
}

#[tokio::test]
async fn the_key_of_a_part_survives_in_the_key_store_and_rotation() -> TestResult {
    let rig = Rig::new().await?;
    let kept = rig.keys.part_key(Part::KeyStore).await?;
    let derived = rig.recovery.derive(Part::KeyStore)?;
    assert_eq!(kept.root().expose(), derived.root().expose());
    assert!(rig.keys.part_key(Part::Escrow).await.is_err());
    // the first one counts
    let other = RecoveryKey::mint(&*rig.world.random)?;
    rig.keys
        .keep_part_key(&other.derive(Part::KeyStore)?)
        .await?;
    let admin = rig.world.admin();
    for kek in rig.keys.list_keks().await? {
        rig.keys.rotate(&admin, kek.id).await?;
    }
    let again = rig.world.keys().await?.part_key(Part::KeyStore).await?;
    assert_eq!(again.root().expose(), derived.root().expose());
    Ok(())
}
