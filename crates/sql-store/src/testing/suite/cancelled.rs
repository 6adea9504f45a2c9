//! The law of cancelled calls.

use super::super::cancel::polled;
use super::{Outcome, PUT, TABLES, broken, count, law, read, tag};
use crate::{Args, Db, Mode};

/// Begin, statement, commit and rollback dropped at every await: the next transaction is a new one,
/// nothing is half done, and no connection is lost.
///
/// # Errors
/// [`SuiteError`](super::SuiteError).
pub async fn cancelled_calls_leave_nothing_open(db: &Db) -> Outcome {
    db.migrate(&TABLES).await?;
    let mut id = 1_000_i64;
    let mut dropped = 0_u32;
    for warm in [Warm::No, Warm::Yes] {
        for mode in [Mode::ReadOnly, Mode::ReadWrite] {
            for polls in 0.. {
                if warm == Warm::Yes {
                    db.begin_with(mode, tag(1)).await?.commit().await?;
                }
                let begun = polled(db.begin_with(mode, tag(1)), polls).await;
                let ended = begun.transpose()?.is_some();
                id = id.saturating_add(1);
                usable(db, id).await?;
                if ended {
                    break;
                }
                dropped = dropped.saturating_add(u32::from(polls > 0));
            }
        }
    }
    for step in [Step::Statement, Step::Commit, Step::Rollback] {
        for polls in 0.. {
            id = id.saturating_add(1);
            let mut tx = db.begin_with(Mode::ReadWrite, tag(1)).await?;
            let put = Args::new().bind(id).bind("x");
            let ended = match step {
                Step::Statement => {
                    let ended = polled(tx.execute(PUT, put), polls).await.map(drop);
                    drop(tx);
                    ended
                }
                Step::Commit => {
                    tx.execute(PUT, put).await?;
                    polled(tx.commit(), polls).await.transpose()?
                }
                Step::Rollback => {
                    tx.execute(PUT, put).await?;
                    polled(tx.rollback(), polls).await.transpose()?
                }
            };
            let (was, next) = (id, id.saturating_add(1));
            id = next;
            usable(db, next).await?;
            let found = count(db, was).await?;
            let as_it_must = match (step, ended) {
                (Step::Commit, Some(())) => found == 1,
                // dropped in the middle, a commit may or may not have happened
                (Step::Commit, None) => found <= 1,
                _ => found == 0,
            };
            law!(as_it_must, "nothing is half done")?;
            if ended.is_some() {
                break;
            }
            dropped = dropped.saturating_add(u32::from(polls > 0));
        }
    }
    // one that is never polled does nothing; so those count that were polled and had to wait
    law!(dropped > 0, "futures were dropped at their awaits")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Warm {
    No,
    Yes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Commit,
    Rollback,
    Statement,
}

/// The next transaction is one of its own: what it writes is not there before, and is after.
async fn usable(db: &Db, id: i64) -> Outcome {
    let mut tx = db.begin_with(Mode::ReadWrite, tag(9)).await?;
    law!(
        read(&mut tx, id).await? == 0,
        "a new transaction starts with what was committed",
    )?;
    tx.execute(PUT, Args::new().bind(id).bind("x")).await?;
    tx.commit().await?;
    law!(count(db, id).await? == 1, "and commits what it wrote")
}
