//! No key lies in what is served or backed up: a start refuses it, by name. What an administrator
//! does to keys is in the audit log when he has his answer, without a sweep.

use std::os::unix::fs::symlink;

use audit_log::operator_log;
use audit_log::store::entries_from;
use covenant::{StartError, Wraps};
use covenant_core::{Action, KeyId};
use crypto_envelope::{KeyAdmin, KeyError, Role};

use crate::a_key_store_that_comes_back_forgets_again::{call, root_of, two_tenants};
use crate::common::{Outcome, Stage};

/// The keys of which the operator's log says this.
pub(crate) async fn told(stage: &Stage, action: Action) -> Outcome<Vec<KeyId>> {
    let log = stage.covenant.log();
    log.drain(&[]).await?;
    let entries = entries_from(log.as_ref(), operator_log(), 0).await?;
    let about = entries.iter().filter(|entry| entry.leaf.action == action);
    let keys = about.filter_map(|entry| entry.leaf.target.id.as_ref());
    keys.map(|id| Ok(KeyId::from_bytes(id.as_bytes().try_into()?)))
        .collect()
}

// clause: Q-16
#[tokio::test]
async fn an_act_on_a_key_is_in_the_log_with_its_answer() -> Outcome {
    let stage = Stage::new("protopie").await?;
    two_tenants(&stage).await?;
    let root = root_of(&stage, 1).await?;
    let desk = stage.covenant.key_desk();
    assert!(!told(&stage, Action::KeyDisabled).await?.contains(&root));
    desk.disable(&call(Role::SysAdmin), root).await?;
    assert!(told(&stage, Action::KeyDisabled).await?.contains(&root));
    let refused = desk.enable(&call(Role::Staff), root).await;
    assert!(matches!(refused, Err(KeyError::NotAdmin)));
    let refused = told(&stage, Action::KeyEnabled).await?;
    assert!(refused.contains(&root), "refusals too");
    assert!(stage.covenant.keys().events(1).await?.is_empty());
    // and what changed is copied at once
    let now = covenant_core::Clock::now(&*stage.clock);
    assert_eq!(stage.covenant.next_due().await?, Some(now));
    stage.covenant.sweep().await?;
    assert_ne!(stage.covenant.next_due().await?, Some(now));
    Ok(())
}

// clause: P-14
#[tokio::test]
async fn a_folder_of_keys_in_what_is_backed_up_is_refused() -> Outcome {
    let mut stage = Stage::new("immidb").await?;
    two_tenants(&stage).await?;
    stage.restart(Wraps::default()).await?;
    let layout = stage.covenant.layout().clone();
    let place = stage.covenant.region().as_str().to_owned();
    for link in [
        layout.objects().join("linked"),
        layout.objects().join(&place).join("linked"),
        layout.depot().join("linked"),
    ] {
        std::fs::create_dir_all(link.parent().ok_or("no folder")?)?;
        symlink(layout.keks(), &link)?;
        let refused = stage.start(Wraps::default()).await?;
        let Err(StartError::Store { what, source }) = refused else {
            return Err(format!("{refused:?}").into());
        };
        assert_eq!(what, "keks");
        assert!(source.to_string().contains("keks"), "{source}");
        std::fs::remove_file(&link)?;
    }
    // the folder itself, moved into the objects
    let inside = layout.objects().join("keks");
    std::fs::rename(layout.keks(), &inside)?;
    symlink(&inside, layout.keks())?;
    assert!(stage.start(Wraps::default()).await?.is_err());
    std::fs::remove_file(layout.keks())?;
    std::fs::rename(&inside, layout.keks())?;
    stage.restart(Wraps::default()).await
}
