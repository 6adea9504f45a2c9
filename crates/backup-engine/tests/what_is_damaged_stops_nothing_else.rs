//! One damaged object costs what it holds and nothing more: backups go on, other vaults expire, and a
//! check tells of all of it.

use backup_engine::testing::{MemorySource, Stage, at, six_months, stage};
use backup_engine::{BackupError, Backups as _, Depot as _, Domain, LogHead, Snapshot};
use covenant_core::TenantId;
use time::Duration;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const HEAD: LogHead = LogHead {
    size: 0,
    root: [0; 32],
};

async fn two_snapshots() -> Result<(Stage, Domain, [Snapshot; 2]), Box<dyn std::error::Error>> {
    let stage = stage(six_months(Duration::hours(49)), at("2027-02-28T03:00:00Z")?).await?;
    let domain = Domain::new(TenantId::from_bytes([1; 16]), "main")?;
    let mut source = MemorySource::of([("main.db", vec![3; 100_000])]);
    let first = stage.engine.run(&domain, &mut source, HEAD).await?;
    stage.clock.advance(std::time::Duration::from_secs(3600));
    source.files.insert("second".to_owned(), vec![4; 1000]);
    let second = stage.engine.run(&domain, &mut source, HEAD).await?;
    Ok((stage, domain, [first, second]))
}

async fn damage(stage: &Stage, key: &str) -> Outcome {
    let mut bytes = stage.depot.read(key, None).await?.to_vec();
    bytes
        .iter_mut()
        .skip(70)
        .take(1)
        .for_each(|byte| *byte ^= 1);
    stage.depot.delete(&[key.to_owned()]).await?;
    stage.depot.create(key, bytes.into()).await?;
    Ok(())
}

async fn key_with(stage: &Stage, part: &str) -> Result<String, Box<dyn std::error::Error>> {
    let all = stage.depot.list("d/").await?;
    let found = all.into_iter().rfind(|key| key.contains(part));
    Ok(found.ok_or("no such object")?)
}

#[tokio::test]
async fn a_damaged_newest_snapshot_does_not_stop_the_next() -> Outcome {
    let (stage, domain, [first, second]) = two_snapshots().await?;
    let key = key_with(&stage, "/snap/").await?;
    damage(&stage, &key).await?;
    let mut source = MemorySource::of([("main.db", vec![5; 100_000])]);
    let third = stage.engine.run(&domain, &mut source, HEAD).await?;
    let report = stage.engine.check(&domain).await?;
    assert_eq!(report.good, [first.id, third.id]);
    assert_eq!(report.corrupt, [key]);
    let folder = tempfile::tempdir()?;
    let refused = stage
        .engine
        .restore(&domain, second.id, folder.path())
        .await;
    assert!(matches!(refused, Err(BackupError::Corrupt { .. })));
    Ok(())
}

#[tokio::test]
async fn chunks_of_a_pack_that_is_gone_are_stored_again() -> Outcome {
    let (stage, domain, _) = two_snapshots().await?;
    let gone: Vec<String> = stage.depot.list("d/").await?;
    let gone: Vec<String> = gone.into_iter().filter(|k| k.contains("/pack/")).collect();
    stage.depot.delete(&gone).await?;
    let report = stage.engine.check(&domain).await?;
    assert_eq!((report.good.len(), report.corrupt), (0, gone));
    // The very source of the last snapshot, so that its token is the same.
    let mut source = MemorySource::of([("main.db", vec![3; 100_000]), ("second", vec![4; 1000])]);
    let third = stage.engine.run(&domain, &mut source, HEAD).await?;
    assert_eq!(stage.engine.check(&domain).await?.good, [third.id]);
    Ok(())
}

#[tokio::test]
async fn a_damaged_vault_record_stops_neither_the_check_of_others_nor_its_own_end() -> Outcome {
    let (stage, domain, [first, _]) = two_snapshots().await?;
    let key = key_with(&stage, "/vault").await?;
    stage.clock.advance(std::time::Duration::from_secs(86_400));
    let mut source = MemorySource::of([("main.db", vec![3; 100_000])]);
    let next_day = stage.engine.run(&domain, &mut source, HEAD).await?;
    // A record that parses and was not written under its root, and one that does not parse.
    for cut in [192, 40] {
        let mut bytes = stage.depot.read(&key, None).await?.to_vec();
        bytes.truncate(cut);
        bytes.iter_mut().skip(120).for_each(|byte| *byte ^= 1);
        stage.depot.delete(std::slice::from_ref(&key)).await?;
        stage.depot.create(&key, bytes.into()).await?;
        let report = stage.engine.check(&domain).await?;
        assert_eq!(report.good, [next_day.id]);
        assert_eq!(report.corrupt, std::slice::from_ref(&key));
        assert_eq!(stage.engine.items(&domain).await?.len(), 2);
    }
    stage.clock.advance_to(first.destroy_at);
    stage.engine.expire(&domain, first.epoch).await?;
    assert_eq!(stage.engine.items(&domain).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_record_that_points_to_another_vault_is_refused_by_backups_too() -> Outcome {
    let (stage, domain, _) = two_snapshots().await?;
    let old = key_with(&stage, "/vault").await?;
    stage.clock.advance(std::time::Duration::from_secs(86_400));
    let mut source = MemorySource::of([("main.db", vec![3; 1000])]);
    stage.engine.run(&domain, &mut source, HEAD).await?;
    let young = key_with(&stage, "/vault").await?;
    let mut forged = stage.depot.read(&young, None).await?.to_vec();
    let other = stage.depot.read(&old, None).await?;
    forged[64..112].copy_from_slice(&other[64..112]);
    stage.depot.delete(std::slice::from_ref(&young)).await?;
    stage.depot.create(&young, forged.into()).await?;
    let refused = stage.engine.run(&domain, &mut source, HEAD).await;
    assert!(
        matches!(refused, Err(BackupError::Corrupt { .. })),
        "{refused:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_source_that_could_not_be_restored_is_refused() -> Outcome {
    let (stage, domain, _) = two_snapshots().await?;
    for paths in [
        ["a", "a/b"],
        ["a", "../b"],
        ["a", "/b"],
        ["a", "b//c"],
        ["a", "b\\c"],
    ] {
        let mut source = MemorySource::of(paths.map(|path| (path, vec![1; 10])));
        let refused = stage.engine.run(&domain, &mut source, HEAD).await;
        assert!(
            matches!(refused, Err(BackupError::Source(_))),
            "{paths:?}: {refused:?}"
        );
        assert_eq!(stage.engine.snapshots(&domain).await?.len(), 2);
    }
    Ok(())
}
