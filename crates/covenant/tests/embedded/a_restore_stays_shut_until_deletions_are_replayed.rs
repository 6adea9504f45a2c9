//! What was deleted since a backup does not come back with it: binned since, it is in the bin with
//! the date of its deletion; purged since, it is gone to the bytes; restored from the bin since, it
//! stays. A log that is older than what is known of it opens nothing.

use covenant::{Error, Wraps};
use covenant_core::{Clock as _, ItemId};
use sql_store::{Args, Db, Mode, SqliteOptions, SqliteProfile};
use time::{Duration, UtcDateTime};

use crate::common::{
    Outcome, Stage, admin, admin_id, copy_database, full, item, plain, profile, sightings, tenant,
};

/// The instant at which a record of a restored copy was deleted; `None` when it is not there.
async fn deleted_at(stage: &Stage, folder: &std::path::Path, id: &ItemId) -> Outcome<Deleted> {
    let file = folder.join("rows").join("main.db");
    let options = SqliteOptions::new(file, SqliteProfile::Control).readers(1);
    let db = Db::open_sqlite(options, stage.clock.clone()).await?;
    let tag = covenant_core::TxTag {
        txn: covenant_core::TxnId::from_bytes([0; 16]),
        tenant: None,
        decision: None,
    };
    let mut tx = db.begin_with(Mode::ReadOnly, tag).await?;
    let sql = "SELECT deleted_at FROM record WHERE id = $1";
    let row = tx.row(sql, Args::new().bind(id)).await?;
    let found = match row {
        None => Deleted::NotThere,
        Some(row) => row
            .opt_instant("deleted_at")?
            .map_or(Deleted::Live, Deleted::At),
    };
    drop(tx);
    db.close().await;
    Ok(found)
}

#[derive(Debug, PartialEq, Eq)]
enum Deleted {
    At(UtcDateTime),
    Live,
    NotThere,
}

// clause: P-14, P-51, P-52
#[tokio::test]
async fn the_last_word_on_every_record_counts() -> Outcome {
    let stage = Stage::with(profile("immidb")?, Wraps::default()).await?;
    let (covenant, me, who) = (&stage.covenant, tenant(1), admin(1));
    covenant.create_tenant(me, admin_id(1)).await?;
    let names = ["binned", "purged", "restored", "rebinned", "untouched"];
    let [binned, purged, restored, rebinned, untouched] = names.map(item);
    let (binned, purged, restored, rebinned, untouched) =
        (binned?, purged?, restored?, rebinned?, untouched?);
    for id in [&binned, &restored, &rebinned, &untouched] {
        covenant.put(&who, me, id, &plain("body")).await?;
    }
    let written = covenant.put(&who, me, &purged, &full("purged")).await?;
    let salts = [written.body, written.sensitive, written.attachments].concat();
    for id in [&restored, &rebinned] {
        covenant.delete(&who, me, id).await?;
    }
    stage.run_for(Duration::days(1)).await?;
    let snapshot = covenant.back_up(me).await?;

    covenant.restore(&who, me, &restored).await?;
    covenant.restore(&who, me, &rebinned).await?;
    covenant.delete(&who, me, &purged).await?;
    stage.run_for(Duration::days(20)).await?;
    covenant.delete(&who, me, &rebinned).await?;
    covenant.delete(&who, me, &binned).await?;
    let deleted = stage.clock.now();
    // Written since: no part of the backup.
    covenant
        .put(&who, me, &item("later")?, &plain("later"))
        .await?;
    stage.run_for(Duration::days(12)).await?;

    let copy = covenant.restore_beside(me, snapshot.id).await?;
    let ids: Vec<ItemId> = copy.records().await?.into_iter().map(|r| r.id).collect();
    assert_eq!(ids, [restored.clone(), untouched.clone()]);
    assert_eq!((copy.report().binned, copy.report().purged), (2, 1));
    assert_eq!(sightings(copy.folder(), &salts)?, 0);
    for (id, expect) in [
        (&binned, Deleted::At(deleted)),
        (&rebinned, Deleted::At(deleted)),
        (&purged, Deleted::NotThere),
        (&restored, Deleted::Live),
        (&untouched, Deleted::Live),
    ] {
        assert_eq!(
            deleted_at(&stage, copy.folder(), id).await?,
            expect,
            "{id:?}"
        );
    }
    let folder = copy.folder().to_path_buf();
    drop(copy);
    assert!(!folder.exists(), "a copy outlives its handle");
    Ok(())
}

/// What a restore says after the log was put back to what it was before (`Before`) or after
/// (`After`) the backup, and a deletion since.
async fn rolled_back(when: When) -> Outcome<Result<usize, Error>> {
    let mut stage = Stage::new("prodb").await?;
    let (me, who, id) = (tenant(1), admin(1), item("gone")?);
    stage.covenant.create_tenant(me, admin_id(1)).await?;
    stage.covenant.put(&who, me, &id, &plain("gone")).await?;
    let (log, aside) = (
        stage.covenant.layout().audit(),
        stage.folder.path().join("aside"),
    );
    stage.covenant.sequence().await?;
    if when == When::Before {
        copy_database(&log, &aside)?;
    }
    let snapshot = stage.covenant.back_up(me).await?;
    stage.covenant.sequence().await?;
    if when == When::After {
        copy_database(&log, &aside)?;
    }
    stage.covenant.delete(&who, me, &id).await?;
    stage.covenant.sequence().await?;
    stage.covenant.log().db().close().await;
    if when != When::Never {
        copy_database(&aside, &log)?;
    }
    stage.restart(Wraps::default()).await?;
    Ok(match stage.covenant.restore_beside(me, snapshot.id).await {
        Ok(restored) => Ok(restored.records().await?.len()),
        Err(error) => {
            let left = crate::common::files(&stage.covenant.layout().scratch())?;
            assert!(left.is_empty(), "a shut restore lies about: {left:?}");
            Err(error)
        }
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    After,
    Never,
}

#[tokio::test]
async fn a_log_that_is_older_than_known_opens_nothing() -> Outcome {
    for when in [When::Before, When::After] {
        let refused = rolled_back(when).await?;
        assert!(
            matches!(refused, Err(Error::Shut(_))),
            "{when:?}: {refused:?}"
        );
    }
    let open = rolled_back(When::Never).await?;
    assert!(matches!(open, Ok(0)), "{open:?}");
    Ok(())
}
