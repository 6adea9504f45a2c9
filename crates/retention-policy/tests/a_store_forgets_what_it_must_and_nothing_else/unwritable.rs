//! Holds that cannot be asked, an outbox or a journal that cannot be written: nothing is deleted, the
//! deadline passes visibly, and all of it goes once the obstacle is away.

use retention_policy::{HoldView, Item, Moment, Occurrence, Retention as _, State};
use sql_store::Args;

use crate::world::{Act, DELETED, Outcome, SECOND, World, begin, bounds, rules, tenant};

async fn run(world: &World, sql: &'static str) -> Outcome {
    let mut tx = begin(world.rows.db()).await?;
    tx.execute(sql, Args::new()).await?;
    Ok(tx.commit().await?)
}

// clause: P-47, P-52
#[tokio::test]
async fn nothing_is_deleted_that_cannot_be_written_down() -> Outcome {
    let [floor, ceiling] = bounds()?;
    for (away, back) in [
        (
            "ALTER TABLE hold_generation RENAME TO away",
            "ALTER TABLE away RENAME TO hold_generation",
        ),
        (
            "ALTER TABLE outbox RENAME TO away",
            "ALTER TABLE away RENAME TO outbox",
        ),
        (
            "ALTER TABLE row_disposal RENAME TO away",
            "ALTER TABLE away RENAME TO row_disposal",
        ),
    ] {
        let folder = tempfile::tempdir()?;
        let world = World::create(&folder.path().join("store")).await?;
        world.act(Act::Delete, DELETED).await?;
        let (before, _) = world.readable().await?;
        run(&world, away).await?;
        for now in [floor, ceiling + SECOND] {
            let swept = world.sweep(now).await;
            assert!(swept.is_err(), "{away}: {swept:?}");
        }
        // meanwhile the ceiling counts, and says so
        let events = [Occurrence::new("note.deleted", DELETED)];
        let item = Item::new(tenant(), "note", 1_i64, &events);
        let late = rules()?.evaluate(&item, &HoldView::none(), &Moment::at(ceiling + SECOND));
        assert_eq!((late.state, late.gone_by), (State::Overdue, Some(ceiling)));
        run(&world, back).await?;
        assert_eq!(world.readable().await?.0, before, "{away}");
        assert_eq!(world.sweep(ceiling + SECOND).await?, 3, "{away}");
        assert_eq!(world.readable().await?.0.len(), before.len() - 3);
    }
    Ok(())
}
