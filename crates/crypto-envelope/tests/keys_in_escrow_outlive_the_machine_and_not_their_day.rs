//! Every KEK is at each site before it wraps anything, sealed so that the site alone opens nothing;
//! it leaves the sites with its destruction; from the sites and the recovery key a new machine gets
//! every KEK back whose day has not come.
#![cfg(all(feature = "testing", feature = "object-store"))]

#[cfg(test)]
mod common;

use std::error::Error;
use std::sync::Arc;

use common::{TestResult, World, body, epoch, start};
use covenant_core::event::{Action, Outcome};
use covenant_core::sealer::Purpose;
use covenant_core::{KeyId, Owner, Sealer};
use crypto_envelope::backend::{KekBackend, MemoryBackend, PortableKeks, Presence};
use crypto_envelope::escrow::{
    ESCROWED_LEN_BYTES, Escrow, ModuleReplica, NoEscrow, ObjectEscrow, Reach,
};
use crypto_envelope::platform::Site;
use crypto_envelope::recovery::{Part, RecoveryKey};
use crypto_envelope::testing::{
    EscrowFlaw, MemoryEscrow, UnsoundEscrow, escrow_suite, portable_suite,
};
use crypto_envelope::{Envelope, KeyAdmin, KeyError, KeyFault, Keys, KeysOptions, VaultKeys};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use time::Duration;

const DAY: Duration = Duration::DAY;

/// A machine, its sites, and the people's key.
struct Rig {
    world: World,
    backend: Arc<MemoryBackend>,
    sites: Vec<Arc<InMemory>>,
    key: RecoveryKey,
    escrow: Arc<ObjectEscrow>,
}

impl Rig {
    fn new() -> Result<Self, Box<dyn Error>> {
        let mut world = World::in_memory();
        let backend = Arc::new(MemoryBackend::new(world.random.clone()));
        world.backend = backend.clone();
        let sites = vec![Arc::new(InMemory::new()), Arc::new(InMemory::new())];
        let key = RecoveryKey::mint(&*world.random)?;
        let escrow = escrow_of(&world, backend.clone(), &sites, &key)?;
        Ok(Self {
            world,
            backend,
            sites,
            key,
            escrow,
        })
    }

    async fn keys(&self, escrow: Arc<dyn Escrow>) -> Result<Keys, KeyError> {
        let mut options = KeysOptions::default();
        options.escrow = escrow;
        self.world.keys_with(options).await
    }
}

fn escrow_of(
    world: &World,
    backend: Arc<MemoryBackend>,
    sites: &[Arc<InMemory>],
    key: &RecoveryKey,
) -> Result<Arc<ObjectEscrow>, Box<dyn Error>> {
    let named = sites.iter().enumerate().map(|(n, store)| {
        let store: Arc<dyn ObjectStore> = store.clone();
        Ok(Site::new(format!("site-{n}").parse()?, store))
    });
    let named: Result<Vec<Site>, Box<dyn Error>> = named.collect();
    let escrow = ObjectEscrow::new(backend, named?, 1, world.random.clone());
    escrow.unlock(key.derive(Part::Escrow)?);
    Ok(Arc::new(escrow))
}

fn object(kek: KeyId) -> Path {
    Path::from(format!("platform/escrow/0001-{}", kek.simple()))
}

async fn lies_at(site: &InMemory, kek: KeyId) -> bool {
    site.head(&object(kek)).await.is_ok()
}

#[tokio::test]
async fn escrows_and_portable_backends_keep_their_contract() -> TestResult {
    let rig = Rig::new()?;
    let ids = rig.world.key_ids()?;
    escrow_suite(&*rig.escrow, &*rig.backend, ids).await?;
    let memory = MemoryEscrow::new(rig.backend.clone());
    escrow_suite(&memory, &*rig.backend, ids).await?;
    let [a, _] = rig.world.key_ids()?;
    let other = MemoryBackend::new(rig.world.random.clone());
    portable_suite(&*rig.backend, &other, a).await?;
    #[cfg(feature = "sqlite")]
    {
        let dir = tempfile::tempdir()?;
        let at = common::key_dir(dir.path());
        let files = crypto_envelope::backend::FileBackend::create(&at, rig.world.random.clone())?;
        portable_suite(&*rig.backend, &files, a).await?;
        portable_suite(&files, &*rig.backend, a).await?;
        assert_eq!(std::fs::read_dir(&at)?.count(), 0, "nothing is left");
    }
    Ok(())
}

#[tokio::test]
async fn the_suite_or_a_look_at_the_site_finds_every_unsound_escrow() -> TestResult {
    for (flaw, expect) in [
        (
            EscrowFlaw::DepositsNothing,
            Some("deposited a key that is not there"),
        ),
        (EscrowFlaw::Kept, Some("there after its removal")),
        // it says that the key is gone: a site that is looked at says that it is not
        (EscrowFlaw::KeptAndDenied, None),
    ] {
        let rig = Rig::new()?;
        let unsound = UnsoundEscrow::new(rig.escrow.clone(), flaw);
        let ids = rig.world.key_ids()?;
        let found = escrow_suite(&unsound, &*rig.backend, ids).await;
        match expect {
            Some(expect) => {
                let found = found.err().ok_or("not found")?.to_string();
                assert!(found.contains(expect), "{flaw:?}: {found}");
            }
            None => assert!(lies_at(&rig.sites[0], ids[0]).await, "{flaw:?}"),
        }
    }
    assert_eq!(EscrowFlaw::ALL.len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_kek_is_at_every_site_before_it_wraps_and_gone_with_it() -> TestResult {
    let rig = Rig::new()?;
    let keys = rig.keys(rig.escrow.clone()).await?;
    let tenant = rig.world.tenant()?;
    keys.create_tenant(tenant).await?;
    let day = start() + DAY * 10;
    let name = epoch("a")?;
    let vault = rig.world.vault()?;
    let epoch_kek = keys.vault_root(tenant, vault, &name, day).await?.kek;
    let keks = keys.list_keks().await?;
    assert_eq!(keks.len(), 3);
    for site in &rig.sites {
        for kek in &keks {
            let got = site.get(&object(kek.id)).await?.bytes().await?;
            assert_eq!(got.len(), ESCROWED_LEN_BYTES);
            let plain = rig.backend.export(kek.id).await?;
            let shown = got.windows(32).any(|part| part == plain.expose());
            assert!(!shown, "the site alone opens nothing");
        }
    }
    let admin = rig.world.admin();
    assert_eq!(keys.check(&admin, start()).await?.faults, []);

    rig.world.clock.advance_to(day);
    keys.destroy_due(day).await?;
    for site in &rig.sites {
        assert!(!lies_at(site, epoch_kek).await);
        assert!(lies_at(site, keks[0].id).await);
    }
    // an object that somebody removed is missed
    rig.sites[0].delete(&object(keks[0].id)).await?;
    rig.sites[1].delete(&object(keks[0].id)).await?;
    let missed = keys.check(&admin, day).await?.faults;
    assert_eq!(missed, [KeyFault::NotEscrowed(keks[0].id)]);
    Ok(())
}

#[tokio::test]
async fn while_a_site_is_down_creation_waits_and_destruction_goes_on_without_a_date() -> TestResult
{
    let world = World::in_memory();
    let backend = Arc::new(MemoryBackend::new(world.random.clone()));
    let world = World {
        backend: backend.clone(),
        ..world
    };
    let escrow = Arc::new(MemoryEscrow::new(backend.clone()));
    let mut options = KeysOptions::default();
    options.escrow = escrow.clone();
    escrow.take_down();
    let waits = world.keys_with(options.clone()).await;
    assert!(matches!(waits, Err(KeyError::Escrow(_))));
    escrow.bring_up();
    let keys = world.keys_with(options).await?;
    let keks = keys.list_keks().await?;
    assert_eq!(keks.len(), 2, "begun once, and gone on with");

    let (tenant, day) = (world.tenant()?, start() + DAY * 10);
    keys.create_tenant(tenant).await?;
    let (vault, name) = (world.vault()?, epoch("a")?);
    let kek = keys.vault_root(tenant, vault, &name, day).await?.kek;
    escrow.take_down();
    let waits = keys
        .vault_root(tenant, world.vault()?, &epoch("b")?, day)
        .await;
    assert!(matches!(waits, Err(KeyError::Escrow(_))));

    world.clock.advance_to(day);
    let failed = keys.destroy_due(day).await;
    assert!(matches!(failed, Err(KeyError::Escrow(_))));
    assert_eq!(backend.probe(kek).await?, Presence::Absent);
    let record = |keks: Vec<crypto_envelope::record::KekRecord>| {
        keks.into_iter().find(|found| found.id == kek)
    };
    let dying = record(keys.list_keks().await?).ok_or("no record")?;
    assert_eq!((dying.destroyed_at, dying.gone_at), (Some(day), None));
    let alarm = keys.events(u32::MAX).await?;
    let alarm = alarm.iter().any(|event| {
        let failed = (event.action, event.outcome) == (Action::KeyDestroyed, Outcome::Error);
        failed && event.key == Some(kek)
    });
    assert!(alarm, "nobody is told");

    escrow.bring_up();
    let later = day + DAY;
    world.clock.advance_to(later);
    keys.destroy_due(later).await?;
    let gone = record(keys.list_keks().await?).ok_or("no record")?;
    assert_eq!(gone.gone_at, Some(later), "its date is known now");
    assert_eq!(escrow.probe(kek).await?, Presence::Absent);
    Ok(())
}

#[tokio::test]
async fn a_new_machine_gets_back_what_still_has_days() -> TestResult {
    let rig = Rig::new()?;
    let keys = Arc::new(rig.keys(rig.escrow.clone()).await?);
    let tenant = rig.world.tenant()?;
    keys.create_tenant(tenant).await?;
    let place = body(Owner::Tenant(tenant), Purpose::Data)?;
    let sealed = Envelope::new(keys.clone()).seal(&place, b"text").await?;
    let (soon, late) = (start() + DAY * 8, start() + DAY * 20);
    let vaults = [rig.world.vault()?, rig.world.vault()?];
    let dead = keys
        .vault_root(tenant, vaults[0], &epoch("a")?, soon)
        .await?
        .kek;
    keys.vault_root(tenant, vaults[1], &epoch("b")?, late)
        .await?;
    let copy = keys.changes(0).await?;
    let young = keys
        .vault_root(tenant, rig.world.vault()?, &epoch("c")?, late)
        .await?
        .kek;

    // the machine is lost, and found missing after the first epoch's day
    let now = soon;
    let lost = KeyId::from_uuid(rig.world.uuid()?);
    let backend = Arc::new(MemoryBackend::new(rig.world.random.clone()));
    let again = RecoveryKey::parse(rig.key.to_text().expose())?;
    let escrow = escrow_of(&rig.world, backend.clone(), &rig.sites, &again)?;
    let mut records = copy.keks.clone();
    records.push(crypto_envelope::record::KekRecord {
        id: lost,
        ..records[0].clone()
    });
    // one site lost an object and holds another that is not authentic: the other site has both
    let kept: Vec<_> = copy.keks.iter().filter(|kek| kek.id != dead).collect();
    rig.sites[0].delete(&object(kept[0].id)).await?;
    let flipped = rig.sites[0].get(&object(kept[1].id)).await?.bytes().await?;
    let mut flipped = flipped.to_vec();
    flipped[60] ^= 1;
    rig.sites[0]
        .put(&object(kept[1].id), flipped.into())
        .await?;
    let done = escrow.restore(&records, now).await?;
    assert_eq!(done.removed, [dead]);
    assert_eq!(done.missing, [lost]);
    assert_eq!(done.unknown, [young], "younger than the copy: left alone");
    assert_eq!(done.restored.len(), 3);
    for site in &rig.sites {
        assert!(!lies_at(site, dead).await);
    }
    assert_eq!(backend.probe(dead).await?, Presence::Absent);
    assert_eq!(escrow.restore(&records, now).await?.restored, done.restored);

    rig.world.clock.advance_to(now);
    let store = rig.world.fresh_store().await?;
    store.restore(&[copy]).await?;
    let keys = Arc::new(rig.world.keys_over(store, backend).await?);
    keys.replay(&rig.world.admin(), &crypto_envelope::Replay::default())
        .await?;
    let opened = Envelope::new(keys.clone()).open(&place, &sealed).await?;
    assert_eq!(opened.expose(), b"text");
    assert!(keys.unlock_vault(tenant, vaults[0]).await.is_err());
    assert!(keys.unlock_vault(tenant, vaults[1]).await.is_ok());

    // another platform's recovery key opens nothing here
    let other = RecoveryKey::mint(&*rig.world.random)?;
    let empty = Arc::new(MemoryBackend::new(rig.world.random.clone()));
    let foreign = escrow_of(&rig.world, empty.clone(), &rig.sites, &other)?;
    let nothing = foreign.restore(&records, now).await?;
    assert_eq!(nothing.restored, []);
    assert_eq!(nothing.missing.len(), 4);
    Ok(())
}

#[tokio::test]
async fn what_an_object_is_not_is_refused() -> TestResult {
    let rig = Rig::new()?;
    let [a, b] = rig.world.key_ids()?;
    for id in [a, b] {
        rig.backend.create(id).await?;
        rig.escrow.deposit(id).await?;
    }
    // an object under another's name
    let copied = rig.sites[0].get(&object(a)).await?.bytes().await?;
    rig.sites[0].put(&object(b), copied.into()).await?;
    rig.sites[1].delete(&object(b)).await?;
    assert!(rig.escrow.read(b).await.is_err());
    assert!(rig.escrow.deposit(b).await.is_err(), "never overwritten");
    // a huge one is not read
    rig.sites[0]
        .put(&object(b), vec![0; 1 << 20].into())
        .await?;
    let huge = rig.escrow.read(b).await.err().ok_or("read")?;
    let huge = huge.source().ok_or("no source")?.to_string();
    assert!(huge.contains("larger than"), "{huge}");
    // names that are no escrow object's are no key's
    let stray = Path::from("platform/escrow/readme");
    let create = PutOptions::from(PutMode::Create);
    rig.sites[0].put_opts(&stray, "x".into(), create).await?;
    assert_eq!(rig.escrow.list().await?.len(), 2);
    // without its key nothing is deposited
    let site = Site::new("site".parse()?, rig.sites[0].clone());
    let locked = ObjectEscrow::new(rig.backend.clone(), vec![site], 1, rig.world.random.clone());
    assert!(locked.deposit(a).await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_module_keeps_its_own_copies_and_the_operator_attests_their_end() -> TestResult {
    let (tenant_day, lag) = (start() + DAY * 10, DAY * 3);
    for (escrow, expect) in [
        (Arc::new(NoEscrow) as Arc<dyn Escrow>, Some(tenant_day)),
        (
            Arc::new(ModuleReplica::attested(lag)),
            Some(tenant_day + lag),
        ),
        (Arc::new(ModuleReplica::unattested()), None),
    ] {
        let reach = escrow.reach();
        let world = World::in_memory();
        let mut options = KeysOptions::default();
        options.escrow = escrow;
        let keys = world.keys_with(options).await?;
        let tenant = world.tenant()?;
        keys.create_tenant(tenant).await?;
        let (vault, name) = (world.vault()?, epoch("a")?);
        let kek = keys.vault_root(tenant, vault, &name, tenant_day).await?.kek;
        let faults = keys.check(&world.admin(), start()).await?.faults;
        let unattested = faults == [KeyFault::Unattested];
        assert_eq!(unattested, reach == Reach::Unknown, "{faults:?}");
        world.clock.advance_to(tenant_day);
        let done = keys.destroy_due(tenant_day).await;
        let known = matches!(done, Err(KeyError::Unattested(id)) if id == kek);
        assert_eq!(known, expect.is_none(), "{done:?}");
        assert_eq!(world.backend.probe(kek).await?, Presence::Absent);
        let keks = keys.list_keks().await?;
        let record = keks.iter().find(|found| found.id == kek);
        assert_eq!(record.ok_or("no record")?.gone_at, expect);
    }
    Ok(())
}
