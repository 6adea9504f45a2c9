//! Flush and backup of one tenant take turns: the backup that runs finishes first, a flush that
//! waits goes before every backup that came later or not, tenants do not wait for each other, and
//! whoever gives up leaves no trace.
#![cfg(feature = "sqlite")]

use std::future::Future as _;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use covenant_core::TenantId;
use retention_policy::apply::FlushError;
use retention_policy::physical::{BACKUP_READ_MAX, Turns};

fn tenant(n: u8) -> TenantId {
    TenantId::from_bytes([n; 16])
}

/// Lets every task that can go on do so.
async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

// clause: P-52
#[tokio::test]
async fn in_every_order_of_asking() -> Result<(), Box<dyn std::error::Error>> {
    // all orders of two flushes and two backups that ask while a backup runs
    for order in 0..16_u8 {
        let flushes = (0..4).filter(|n| order >> n & 1 == 1).count();
        if flushes != 2 {
            continue;
        }
        let turns = Turns::new();
        let running = turns.backup(tenant(1)).await;
        let done = Arc::new(Mutex::new(String::new()));
        let mut tasks = Vec::new();
        for n in 0..4 {
            let (turns, done) = (turns.clone(), Arc::clone(&done));
            tasks.push(tokio::spawn(async move {
                let (turn, letter) = if order >> n & 1 == 1 {
                    let turn = turns.flush(tenant(1), BACKUP_READ_MAX).await;
                    (turn.map_err(|error| error.to_string())?, 'f')
                } else {
                    (turns.backup(tenant(1)).await, 'b')
                };
                done.lock().map_err(|e| e.to_string())?.push(letter);
                // others get the chance to come in, and must not
                settle().await;
                done.lock().map_err(|e| e.to_string())?.push(letter);
                drop(turn);
                Ok::<_, String>(())
            }));
            settle().await;
        }
        assert!(
            done.lock().map_err(|e| e.to_string())?.is_empty(),
            "one runs"
        );
        assert!(turns.flush_waits(tenant(1)));
        drop(running);
        for task in tasks {
            task.await??;
        }
        assert_eq!(
            *done.lock().map_err(|e| e.to_string())?,
            "ffffbbbb",
            "{order:04b}"
        );
        assert!(!turns.flush_waits(tenant(1)));
    }
    Ok(())
}

// clause: P-52
#[tokio::test]
async fn a_backup_that_asks_once_the_turn_is_free_still_comes_after_the_flush()
-> Result<(), Box<dyn std::error::Error>> {
    let turns = Turns::new();
    let running = turns.backup(tenant(1)).await;
    let waiting = {
        let turns = turns.clone();
        tokio::spawn(async move { turns.flush(tenant(1), BACKUP_READ_MAX).await })
    };
    settle().await;
    drop(running);
    // the turn is free, and the flush has not been woken yet
    let mut late = pin!(turns.backup(tenant(1)));
    let mut first = Context::from_waker(Waker::noop());
    assert!(late.as_mut().poll(&mut first).is_pending());
    let flush = waiting.await??;
    assert!(late.as_mut().poll(&mut first).is_pending());
    drop(flush);
    drop(late.await);
    let after = format!("{turns:?}");
    assert!(after.contains("data: {}"), "nobody is remembered: {after}");
    Ok(())
}

#[tokio::test]
async fn tenants_do_not_wait_for_each_other() -> Result<(), FlushError> {
    let turns = Turns::new();
    let _one = turns.backup(tenant(1)).await;
    let _two = turns.flush(tenant(2), Duration::ZERO).await?;
    let _three = turns.backup(tenant(3)).await;
    Ok(())
}

#[tokio::test]
async fn who_gives_up_lets_the_others_go_on() -> Result<(), Box<dyn std::error::Error>> {
    let turns = Turns::new();
    let running = turns.flush(tenant(1), Duration::ZERO).await?;
    // in vain, at once
    let refused = turns.flush(tenant(1), Duration::ZERO).await;
    assert!(matches!(refused, Err(FlushError::Busy)), "{refused:?}");
    let waiting = {
        let turns = turns.clone();
        tokio::spawn(async move { turns.flush(tenant(1), BACKUP_READ_MAX).await.map(drop) })
    };
    settle().await;
    let backup = {
        let turns = turns.clone();
        tokio::spawn(async move { drop(turns.backup(tenant(1)).await) })
    };
    settle().await;
    drop(running);
    waiting.abort();
    backup.await?;
    assert!(!turns.flush_waits(tenant(1)));
    drop(turns.flush(tenant(1), Duration::ZERO).await?);
    Ok(())
}
