//! A key lives as long as a promise owes what lies under it: a date before the floor of a living
//! backup is refused, naming the clause; a hold keeps a key that is due. Without the guard an owed
//! backup is lost, and that is seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use covenant::Wraps;
use covenant_core::{Action, BoxFuture, KeyId};
use crypto_envelope::guard::{Cause, DestructionGuard, GuardError, KeyKind, NoGuard, Verdict};
use crypto_envelope::{KeyAdmin, KeyError, PendingWindow, Role};
use time::{Duration, UtcDateTime};
use uuid::Uuid;

use crate::a_key_store_that_comes_back_forgets_again::{call, root_of, two_tenants};
use crate::common::{Outcome, Stage, profile, tenant};
use crate::keys_lie_apart_and_their_story_is_told::told;

// clause: P-18, P-60
#[tokio::test]
async fn a_date_before_the_floor_of_a_backup_is_refused() -> Outcome {
    let stage = Stage::new("prodb").await?;
    two_tenants(&stage).await?;
    let desk = stage.covenant.key_desk();
    let (admin, root) = (call(Role::SysAdmin), root_of(&stage, 1).await?);
    stage.run_for(Duration::hours(3)).await?;
    let made = stage.covenant.snapshots(tenant(1)).await?;
    let last = made.last().ok_or("no backup")?.completed;
    let policy = &stage.covenant.profile().backup;
    let floor = policy.keep_until(last)?;
    let week = PendingWindow::SHORTEST;
    let refused = desk.schedule_destruction(&admin, root, week).await;
    let Err(KeyError::Floor { until, clause, .. }) = refused else {
        return Err(format!("{refused:?}").into());
    };
    assert_eq!((until, clause), (floor, "P-18".parse()?));
    let early = desk
        .plan_destruction(&admin, root, floor - Duration::SECOND)
        .await;
    assert!(matches!(early, Err(KeyError::Floor { .. })), "{early:?}");
    desk.plan_destruction(&admin, root, floor).await?;
    // a purge plans its own date, after every floor
    assert!(told(&stage, Action::KeyPlanned).await?.contains(&root));
    Ok(())
}

#[tokio::test]
async fn without_the_guard_an_owed_backup_is_lost() -> Outcome {
    let wraps = Wraps {
        guard: Some(Box::new(|_sound| Arc::new(NoGuard))),
        ..Wraps::default()
    };
    let stage = Stage::with(profile("prodb")?, wraps).await?;
    two_tenants(&stage).await?;
    stage.run_for(Duration::hours(2)).await?;
    let made = stage.covenant.snapshots(tenant(1)).await?;
    let owed = made.last().ok_or("no backup")?.id;
    let restored = stage.covenant.restore_beside(tenant(1), owed).await?;
    assert_eq!(restored.records().await?.len(), 1);
    let (admin, root) = (call(Role::SysAdmin), root_of(&stage, 1).await?);
    let desk = stage.covenant.key_desk();
    let due = desk
        .schedule_destruction(&admin, root, PendingWindow::SHORTEST)
        .await?;
    stage.clock.advance_to(due);
    stage.covenant.sweep().await?;
    let restored = stage.covenant.restore_beside(tenant(1), owed).await?;
    assert!(restored.records().await.is_err(), "the sabotage shows");
    Ok(())
}

/// Keeps everything while it stands.
#[derive(Debug)]
struct Hold {
    sound: Arc<dyn DestructionGuard>,
    stands: Arc<AtomicBool>,
}

const MATTER: Uuid = Uuid::from_u128(0x5eed);

impl DestructionGuard for Hold {
    fn may_go<'a>(
        &'a self,
        key: KeyId,
        kind: &'a KeyKind,
        cause: &'a Cause<'a>,
        at: UtcDateTime,
    ) -> BoxFuture<'a, Result<Verdict, GuardError>> {
        if self.stands.load(Ordering::SeqCst) {
            return Box::pin(async { Ok(Verdict::Held { hold: MATTER }) });
        }
        self.sound.may_go(key, kind, cause, at)
    }
}

#[tokio::test]
async fn a_hold_that_is_joined_in_keeps_a_key_past_its_day() -> Outcome {
    let stands = Arc::new(AtomicBool::new(true));
    let joined = Arc::clone(&stands);
    let wraps = Wraps {
        guard: Some(Box::new(move |sound| {
            Arc::new(Hold {
                sound,
                stands: joined,
            })
        })),
        ..Wraps::default()
    };
    let stage = Stage::with(profile("protopie")?, wraps).await?;
    two_tenants(&stage).await?;
    let (admin, root) = (call(Role::SysAdmin), root_of(&stage, 1).await?);
    let desk = stage.covenant.key_desk();
    let due = desk
        .schedule_destruction(&admin, root, PendingWindow::SHORTEST)
        .await?;
    let swept = stage.run_until(due + Duration::hours(1)).await?;
    assert_eq!(swept.keys, 0);
    assert!(swept.failed > 0, "somebody is told");
    assert!(told(&stage, Action::RefusedHeld).await?.contains(&root));
    stands.store(false, Ordering::SeqCst);
    let swept = stage.run_for(Duration::hours(1)).await?;
    assert_eq!(swept.keys, 1, "{swept:?}");
    Ok(())
}
