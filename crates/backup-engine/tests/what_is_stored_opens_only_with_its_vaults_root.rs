//! An adversary with every byte ever stored and every root that survives opens the living vaults
//! and nothing of a dead one; and nothing that was sealed stands anywhere in the clear.

use backup_engine::testing::{MemorySource, at, six_months, stage};
use backup_engine::{Backups as _, Depot as _, Domain, LogHead};
use covenant_core::{Action, Owner, TenantId};
use time::Duration;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const MARKER: &[u8] = b"a marker that stands in the source";
const HEAD: LogHead = LogHead {
    size: 0,
    root: [0; 32],
};

// clause: P-14, P-16, P-18, Q-13
#[tokio::test]
async fn a_dead_epoch_opens_with_no_root_that_survives() -> Outcome {
    let stage = stage(six_months(Duration::hours(49)), at("2027-02-28T03:00:00Z")?).await?;
    let domain = Domain::new(TenantId::from_bytes([1; 16]), "main")?;
    let mut source = MemorySource::of([("main.db", MARKER.repeat(4000))]);
    let old = stage.engine.run(&domain, &mut source, HEAD).await?;
    let kept: Vec<String> = stage.depot.list("d/").await?;
    let mut stored = Vec::new();
    for key in &kept {
        stored.push(stage.depot.read(key, None).await?);
    }
    assert!(
        stored
            .iter()
            .all(|b| !b.windows(MARKER.len()).any(|w| w == MARKER))
    );
    stage.clock.advance_to(old.destroy_at - Duration::days(2));
    let young = stage.engine.run(&domain, &mut source, HEAD).await?;
    let vaults = stage.engine.items(&domain).await?;
    assert_eq!(vaults.len(), 2, "an epoch has a vault of its own");
    let has_root = |survivors: &[crypto_envelope::SurvivingRoot], vault| {
        survivors
            .iter()
            .any(|r| r.owner == Owner::Vault(domain.tenant(), vault))
    };
    assert!(has_root(
        &stage.keys.surviving_roots().await?,
        vaults[0].vault
    ));

    stage.clock.advance_to(old.destroy_at);
    stage.keys.destroy_due(old.destroy_at).await?;
    let survivors = stage.keys.surviving_roots().await?;
    assert!(
        !has_root(&survivors, vaults[0].vault),
        "the dead epoch's root is gone"
    );
    assert!(
        has_root(&survivors, vaults[1].vault),
        "the living one's is not"
    );
    let folder = tempfile::tempdir()?;
    assert!(
        stage
            .engine
            .restore(&domain, old.id, folder.path())
            .await
            .is_err()
    );
    stage
        .engine
        .restore(&domain, young.id, folder.path())
        .await?;
    assert_eq!(stage.engine.expire(&domain, old.epoch).await?.objects, 3);
    let left = stage.depot.list("d/").await?;
    assert!(left.iter().all(|key| !kept.contains(key)), "{left:?}");
    assert!(stage.sink.actions().contains(&Action::BackupPurged));
    Ok(())
}

#[tokio::test]
async fn every_flipped_byte_and_every_swapped_object_is_corrupt() -> Outcome {
    let stage = stage(six_months(Duration::hours(49)), at("2027-02-28T03:00:00Z")?).await?;
    let domain = Domain::new(TenantId::from_bytes([1; 16]), "main")?;
    let mut source = MemorySource::of([("main.db", MARKER.to_vec())]);
    let snapshot = stage.engine.run(&domain, &mut source, HEAD).await?;
    let good = stage.engine.check(&domain).await?;
    assert_eq!(
        (good.good.as_slice(), good.corrupt.len()),
        ([snapshot.id].as_slice(), 0)
    );
    for key in stage.depot.list("d/").await? {
        let sound = stage.depot.read(&key, None).await?;
        for byte in 0..sound.len() {
            let mut bad = sound.to_vec();
            bad[byte] ^= 1;
            stage.depot.delete(std::slice::from_ref(&key)).await?;
            stage.depot.create(&key, bad.into()).await?;
            let folder = tempfile::tempdir()?;
            let restored = stage
                .engine
                .restore(&domain, snapshot.id, folder.path())
                .await;
            assert!(restored.is_err(), "byte {byte} of {key} does not matter");
            let left = std::fs::read_dir(folder.path())?.count();
            assert_eq!(left, 0, "a failed restore leaves nothing behind");
        }
        stage.depot.delete(std::slice::from_ref(&key)).await?;
        stage.depot.create(&key, sound).await?;
    }
    let folder = tempfile::tempdir()?;
    stage
        .engine
        .restore(&domain, snapshot.id, folder.path())
        .await?;
    Ok(())
}
