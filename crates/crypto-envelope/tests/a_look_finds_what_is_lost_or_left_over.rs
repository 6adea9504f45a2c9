//! A look at all keys: nothing is wrong with a sound store; a lost KEK, a record that does not
//! open, a KEK that outlived its destruction, a key past its day and copies without an end are told.
#![cfg(feature = "testing")]

#[cfg(test)]
mod common;

use common::{TestResult, World, epoch, start};
use crypto_envelope::copies::{CopyEnd, CopyFault, KeyCopy};
use crypto_envelope::{AdminCall, KeyError, KeyFault, Role, VaultKeys};
use time::Duration;

const DAY: Duration = Duration::DAY;

#[tokio::test]
async fn each_fault_by_its_name() -> TestResult {
    let world = World::in_memory();
    let keys = world.keys().await?;
    let (tenant, admin) = (world.tenant()?, world.admin());
    let roots = keys.create_tenant(tenant).await?;
    let day = start() + DAY * 10;
    let name = epoch("a")?;
    let vault = keys.vault_root(tenant, world.vault()?, &name, day).await?;
    let other = AdminCall {
        role: Role::Staff,
        ..world.admin()
    };
    let refused = keys.check(&other, start()).await;
    assert!(matches!(refused, Err(KeyError::NotAdmin)));
    let sound = keys.check(&admin, start()).await?;
    assert_eq!((sound.keks, sound.roots, sound.faults), (3, 3, vec![]));

    let late = keys.check(&admin, day).await?;
    assert_eq!(late.faults, [KeyFault::Overdue(vault.kek)]);
    world.clock.advance_to(day);
    keys.destroy_due(day).await?;
    let gone = keys.check(&admin, day).await?;
    assert_eq!((gone.keks, gone.roots, gone.faults), (2, 2, vec![]));
    world.backend.create(vault.kek).await?;
    let remains = keys.check(&admin, day).await?;
    assert_eq!(remains.faults, [KeyFault::KekRemains(vault.kek)]);
    world.backend.destroy(vault.kek).await?;

    let mut copy = KeyCopy {
        id: world.uuid()?,
        site: "second-site".to_owned(),
        revision: 1,
        taken_at: day,
        end: CopyEnd::Unknown,
        removed_at: None,
    };
    keys.record_copy(&copy).await?;
    let unknown = keys.check(&admin, day).await?;
    let fault = KeyFault::Copy(copy.id, CopyFault::UnknownEnd);
    assert_eq!(unknown.faults, [fault]);
    copy.end = CopyEnd::At(day + DAY * 5);
    keys.record_copy(&copy).await?;
    let fresh = day + Duration::hours(25);
    assert_eq!(keys.check(&admin, fresh).await?.faults, []);
    let stale = keys.check(&admin, fresh + Duration::SECOND).await?;
    assert_eq!(stale.faults, [KeyFault::NoFreshCopy]);

    // a KEK that was lost and made anew opens nothing of the old one's
    let standard = keys.list().await?;
    let standard = standard.iter().find(|root| root.id == roots.data);
    let kek = standard.ok_or("no root")?.kek;
    world.backend.destroy(kek).await?;
    world.backend.create(kek).await?;
    let lost = keys.check(&admin, day).await?;
    let expect = [KeyFault::KekLost(kek), KeyFault::RootLost(roots.data)];
    assert_eq!(lost.faults, expect);
    Ok(())
}
