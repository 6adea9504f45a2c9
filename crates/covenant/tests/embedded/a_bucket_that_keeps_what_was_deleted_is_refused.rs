//! A deployment does not start on an object store that gives back what was deleted; on the same
//! folder it starts once the store deletes.

use std::sync::Arc;

use covenant::{Covenant, StartError, Wraps};
use covenant_core::ManualClock;

use crate::common::{Outcome, START, Stage, files, profile, settings};
use crate::copies_of_keys_end_in_time::{Keeping, Keeps};

fn keeping() -> Wraps {
    Wraps {
        objects: Some(Box::new(|sound| Keeping::new(sound, Keeps::Openly))),
        ..Wraps::default()
    }
}

// clause: P-52, P-59
#[tokio::test]
async fn at_every_start() -> Outcome {
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(ManualClock::at(START));
    let profile = profile("prodb")?;
    let new = settings(&folder.path().join("d"), &profile, &clock, 1, keeping())?;
    let refused = Covenant::create(new).await;
    assert!(matches!(refused, Err(StartError::Bucket(_))), "{refused:?}");
    let mut stage = Stage::with(profile, Wraps::default()).await?;
    let objects = stage.covenant.layout().objects();
    assert!(files(&objects)?.is_empty(), "the probe leaves nothing");
    let refused = stage.start(keeping()).await?;
    assert!(matches!(refused, Err(StartError::Bucket(_))), "{refused:?}");
    stage.restart(Wraps::default()).await?;
    // what the wrong store kept of the probe, and nothing of the sound one's
    assert_eq!(files(&objects)?.len(), 1);
    Ok(())
}
