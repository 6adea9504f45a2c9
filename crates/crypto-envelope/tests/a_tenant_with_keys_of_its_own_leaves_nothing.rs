//! A tenant with KEKs of its own: at the end of its contract all of them are planned, backup epochs
//! included, and on that day no root of it opens from the store, the backend or any copy kept
//! before; a tenant that shares its KEKs opens all along.

#[cfg(test)]
mod common;

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;

use common::{TestResult, World, body, epoch, start};
use covenant_core::sealer::{OpenError, Purpose, Sealer};
use covenant_core::{KeyId, Owner, Place, TenantId, VaultId, Zone};
use crypto_envelope::backend::Presence;
use crypto_envelope::record::{KekState, RootRecord};
use crypto_envelope::wrapped::{WrappedKey, wrap_context};
use crypto_envelope::{
    Envelope, GroupKind, GroupName, Isolation, KeyAdmin, KeyError, Keys, PendingWindow, VaultKeys,
};
use time::{Duration, UtcDateTime};

const DAY: Duration = Duration::DAY;
/// How long a backup epoch lives here: far beyond the end of the contract.
const EPOCH: Duration = Duration::days(90);

/// One tenant and all that is sealed for it.
struct Home {
    tenant: TenantId,
    values: Vec<(Place, Vec<u8>)>,
    vaults: Vec<VaultId>,
}

impl Home {
    async fn new(
        world: &World,
        keys: &Arc<Keys>,
        isolation: Isolation,
    ) -> Result<Self, Box<dyn Error>> {
        let tenant = world.tenant()?;
        keys.create_tenant_with(tenant, isolation).await?;
        let mut home = Self {
            tenant,
            values: Vec::new(),
            vaults: Vec::new(),
        };
        let owner = Owner::Tenant(tenant);
        let person = Owner::Subject(tenant, world.uuid()?);
        for (owner, purpose) in [
            (owner, Purpose::Data),
            (owner, Purpose::Sensitive),
            (person, Purpose::Subject),
            (person, Purpose::Sensitive),
        ] {
            home.seal(keys, owner, purpose).await?;
        }
        Ok(home)
    }

    async fn seal(&mut self, keys: &Arc<Keys>, owner: Owner, purpose: Purpose) -> TestResult {
        let place = body(owner, purpose)?;
        let sealed = Envelope::new(keys.clone()).seal(&place, b"text").await?;
        self.values.push((place, sealed));
        Ok(())
    }

    async fn back_up(
        &mut self,
        world: &World,
        keys: &Keys,
        day: &str,
        end: UtcDateTime,
    ) -> Result<UtcDateTime, Box<dyn Error>> {
        let vault = world.vault()?;
        let root = keys
            .vault_root(self.tenant, vault, &epoch(day)?, end)
            .await?;
        self.vaults.push(vault);
        Ok(root.destroy_at)
    }

    /// How many of its values and vaults open.
    async fn opens(&self, keys: &Arc<Keys>) -> Result<usize, Box<dyn Error>> {
        let sealer = Envelope::new(keys.clone());
        let mut opened = 0;
        for (place, sealed) in &self.values {
            match sealer.open(place, sealed).await {
                Ok(plain) => {
                    assert_eq!(plain.expose(), b"text");
                    opened += 1;
                }
                Err(OpenError::Key(_)) => {}
                Err(other) => return Err(other.into()),
            }
        }
        for vault in &self.vaults {
            match keys.unlock_vault(self.tenant, *vault).await {
                Ok(_) => opened += 1,
                Err(KeyError::State(_)) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Ok(opened)
    }

    fn all(&self) -> usize {
        self.values.len() + self.vaults.len()
    }
}

/// The roots of the tenant that the backend still unwraps, from these records.
async fn unwrapped(world: &World, tenant: TenantId, records: &[RootRecord]) -> BTreeSet<KeyId> {
    let mut opened = BTreeSet::new();
    for root in records {
        let Ok(wrapped) = WrappedKey::try_from(root.wrapped.as_slice()) else {
            continue;
        };
        let context = wrap_context(root.kek, root.owner, root.purpose, root.id);
        let back = world
            .backend
            .unwrap_root(root.kek, &context, &wrapped)
            .await;
        if root.owner.tenant() == Some(tenant) && back.is_ok() {
            opened.insert(root.id);
        }
    }
    opened
}

#[tokio::test]
async fn in_memory() -> TestResult {
    contract(World::in_memory()).await
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn on_sqlite_and_files() -> TestResult {
    let dir = tempfile::tempdir()?;
    contract(World::on_files(dir.path()).await?).await
}

#[cfg(all(feature = "sqlite", feature = "postgres"))]
#[tokio::test]
async fn on_postgres_and_files() -> TestResult {
    let dir = tempfile::tempdir()?;
    let Some(world) = World::on_postgres("key_dedicated", dir.path()).await? else {
        return Ok(());
    };
    contract(world).await
}

async fn contract(world: World) -> TestResult {
    let keys = Arc::new(world.keys().await?);
    let mut own = Home::new(&world, &keys, Isolation::Dedicated).await?;
    let mut sharing = Home::new(&world, &keys, Isolation::Shared).await?;
    for home in [&mut own, &mut sharing] {
        let end = home
            .back_up(&world, &keys, "day-0", start() + EPOCH)
            .await?;
        assert_eq!(end, start() + EPOCH);
    }
    groups_are_apart(&keys, &own, &sharing).await?;

    // a copy of the key store from before, which nobody ever removes
    let copy = world.store.changes(0).await?.roots;
    let noon = start() + DAY * 3 + Duration::hours(12);
    world.clock.advance_to(noon);
    let end = PendingWindow::SHORTEST.end(noon, &Zone::UTC);
    keys.plan_tenant(own.tenant, end).await?;
    keys.plan_tenant(own.tenant, end).await?;
    for kek in keys.tenant_keks(own.tenant).await? {
        assert_eq!(kek.destroy_at, Some(end), "{}", kek.group);
    }
    // who comes in the last days goes with the rest; a KEK made now too, however near the day is
    world.clock.advance_to(end - DAY);
    let person = Owner::Subject(own.tenant, world.uuid()?);
    own.seal(&keys, person, Purpose::Subject).await?;
    for day in ["day-0", "day-9", "day-9"] {
        let died = own.back_up(&world, &keys, day, start() + EPOCH).await?;
        assert_eq!(died, end, "{day}");
    }
    let end_of_shared = sharing
        .back_up(&world, &keys, "day-9", start() + EPOCH)
        .await?;
    assert_eq!(end_of_shared, start() + EPOCH);
    assert_eq!(own.opens(&keys).await?, own.all());

    world.clock.advance_to(end - Duration::SECOND);
    assert_eq!(keys.destroy_due(end - Duration::SECOND).await?, []);
    assert_eq!(own.opens(&keys).await?, own.all(), "to the last second");
    let before = unwrapped(&world, own.tenant, &copy).await;
    assert!(before.len() >= 5, "the control: a copy opens until then");

    world.clock.advance_to(end);
    assert_eq!(own.opens(&keys).await?, 0, "before the sweep");
    keys.destroy_due(end).await?;
    assert_eq!(keys.destroy_due(end).await?, [], "once");
    assert_eq!(own.opens(&keys).await?, 0);
    assert_eq!(own.opens(&Arc::new(world.keys().await?)).await?, 0);
    for kek in keys.tenant_keks(own.tenant).await? {
        assert_eq!(kek.state, KekState::Destroyed, "{}", kek.group);
        assert_eq!(world.backend.probe(kek.id).await?, Presence::Absent);
    }
    let live = world.store.changes(0).await?.roots;
    for records in [&live, &copy] {
        assert!(unwrapped(&world, own.tenant, records).await.is_empty());
        let others = unwrapped(&world, sharing.tenant, records).await;
        assert!(others.len() >= 5, "the other tenant's are there");
    }
    assert_eq!(sharing.opens(&keys).await?, sharing.all());
    let again = keys
        .create_tenant_with(own.tenant, Isolation::Dedicated)
        .await;
    assert!(matches!(again, Err(KeyError::State("destroyed"))));
    let late = own.back_up(&world, &keys, "day-10", start() + EPOCH).await;
    assert!(late.is_err(), "no backup of what is gone");
    Ok(())
}

/// One tenant's roots lie under KEKs that wrap nothing else, the other's under the common ones.
async fn groups_are_apart(keys: &Keys, own: &Home, sharing: &Home) -> TestResult {
    let keks = keys.list_keks().await?;
    let mut met = BTreeSet::new();
    for root in keys.list().await? {
        let kek = keks.iter().find(|kek| kek.id == root.kek).ok_or("no KEK")?;
        let dedicated = root.owner.tenant() == Some(own.tenant);
        assert_eq!(kek.group.tenant(), dedicated.then_some(own.tenant));
        if dedicated {
            met.insert(kek.group.clone());
        }
    }
    let own_groups = [
        GroupKind::Standard,
        GroupKind::Sensitive,
        GroupKind::Epoch(epoch("day-0")?),
    ];
    let own_groups = own_groups.map(|kind| GroupName::Dedicated(own.tenant, kind));
    assert_eq!(met, BTreeSet::from(own_groups));
    assert!(keys.tenant_keks(sharing.tenant).await?.is_empty());
    assert_eq!(keys.isolation(own.tenant).await?, Isolation::Dedicated);
    assert_eq!(keys.isolation(sharing.tenant).await?, Isolation::Shared);
    Ok(())
}

#[tokio::test]
async fn a_tenant_cannot_change_its_kind() -> TestResult {
    let world = World::in_memory();
    let keys = world.keys().await?;
    let kinds = [Isolation::Shared, Isolation::Dedicated];
    for (kind, other) in [(kinds[0], kinds[1]), (kinds[1], kinds[0])] {
        let tenant = world.tenant()?;
        let roots = keys.create_tenant_with(tenant, kind).await?;
        assert_eq!(keys.create_tenant_with(tenant, kind).await?, roots);
        let keks = keys.list_keks().await?.len();
        let changed = keys.create_tenant_with(tenant, other).await;
        assert!(matches!(changed, Err(KeyError::OtherIsolation(id)) if id == tenant));
        assert_eq!(keys.list_keks().await?.len(), keks, "nothing was made");
    }
    Ok(())
}

// clause: Q-17
#[tokio::test]
async fn its_keks_are_replaced_within_their_group() -> TestResult {
    let world = World::in_memory();
    let keys = Arc::new(world.keys().await?);
    let own = Home::new(&world, &keys, Isolation::Dedicated).await?;
    let year = start() + DAY * 365;
    world.clock.advance_to(year);
    let rotated = keys.rotate_due(year).await?;
    assert_eq!(rotated.len(), 4, "two shared KEKs and two of its own");
    assert_eq!(keys.rotate_due(year).await?, [], "once");
    for kek in keys.tenant_keks(own.tenant).await? {
        let under = world.store.roots_under(kek.id, None, u32::MAX).await?.len();
        assert_eq!(under > 0, kek.n == 2, "{} #{}", kek.group, kek.n);
    }
    assert_eq!(own.opens(&Arc::new(world.keys().await?)).await?, own.all());
    // a root is replaced within it too
    let data = keys
        .versions(Owner::Tenant(own.tenant), Purpose::Data)
        .await?;
    let next = keys.rotate(&world.admin(), data[0].id).await?.new;
    let next = world.store.root(next).await?.ok_or("no root")?;
    let kek = world.store.kek(next.kek).await?.ok_or("no KEK")?;
    assert_eq!(kek.group.tenant(), Some(own.tenant));
    Ok(())
}

/// By hand, one of its KEKs takes what lies under it along when its wait is over; a shared one is
/// kept by it.
#[tokio::test]
async fn its_records_go_with_a_kek_scheduled_by_hand() -> TestResult {
    let world = World::in_memory();
    let keys = Arc::new(world.keys().await?);
    let admin = world.admin();
    let own = Home::new(&world, &keys, Isolation::Dedicated).await?;
    let sharing = Home::new(&world, &keys, Isolation::Shared).await?;
    let standard = async |group: GroupName| -> Result<KeyId, Box<dyn Error>> {
        let keks = world.store.keks_of(&group).await?;
        Ok(keks.first().ok_or("no KEK")?.id)
    };
    let of_own = standard(GroupName::Dedicated(own.tenant, GroupKind::Standard)).await?;
    let common = standard(GroupName::Standard).await?;
    let week = PendingWindow::SHORTEST;
    let due = keys.schedule_destruction(&admin, of_own, week).await?;
    assert_eq!(keys.schedule_destruction(&admin, common, week).await?, due);
    assert_eq!(own.opens(&keys).await?, 2, "second layers have their own");
    world.clock.advance_to(due);
    let left = keys.destroy_due(due).await;
    assert!(matches!(left, Err(KeyError::RecordsLeft { key, .. }) if key == common));
    let gone = world.store.kek(of_own).await?.ok_or("no KEK")?;
    assert_eq!(gone.state, KekState::Destroyed);
    let roots = world.store.roots_under(of_own, None, u32::MAX).await?;
    assert!(roots.is_empty(), "no living root is left under it");
    // taken back, the shared one opens as before
    keys.cancel_destruction(&admin, common).await?;
    keys.enable(&admin, common).await?;
    assert_eq!(sharing.opens(&keys).await?, sharing.all());
    Ok(())
}
