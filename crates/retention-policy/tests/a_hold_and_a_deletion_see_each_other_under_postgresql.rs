//! Under PostgreSQL a hold and a deletion never miss each other: a hold that is placed at any point
//! of a deletion either keeps the item or is told that it came too late, and a deletion that begins
//! at any point of a placement is refused. Needs the server of `cargo xtask test`.
#![cfg(all(feature = "postgres", feature = "testing"))]
#[cfg(test)]
mod cases {
    use std::error::Error;
    use std::sync::Arc;

    use covenant_core::event::ActorContext;
    use covenant_core::testing::{MemorySink, provided};
    use covenant_core::{HoldId, ItemId, ManualClock, TenantId, TxTag, TxnId};
    use retention_policy::hold::sql::{self, SqlHolds};
    use retention_policy::testing::holds::hold;
    use retention_policy::{
        DisposalTarget, Hold, HoldError, HoldMode, HoldScope, Holds as _, Placed,
    };
    use sql_store::{Args, Db, DbError, Mode, PgConnection, PostgresOptions, Transport, Tx};
    use time::UtcDateTime;
    use tokio::task::JoinHandle;

    type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

    /// Times that a look at the server is repeated until it shows what must come.
    const LOOKS_MAX: usize = 100_000;

    /// Where the other side comes in.
    const POINTS: [Point; 5] = [
        Point::Before,
        Point::Begun,
        Point::Passed,
        Point::Deleted,
        Point::Committed,
    ];

    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    enum Point {
        Before,
        Begun,
        Passed,
        Deleted,
        Committed,
    }

    /// Two connections, as two processes have them, and one to look with.
    struct Rig {
        worker: Db,
        holds: Arc<SqlHolds>,
        look: PgConnection,
    }

    impl Rig {
        async fn new(url: &str, schema: &'static str) -> Outcome<Self> {
            let mut look = <PgConnection as sqlx::Connection>::connect(url).await?;
            let sql = format!(
                "DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}; \
                 CREATE TABLE {schema}.record (tenant UUID NOT NULL, n BIGINT NOT NULL)"
            );
            sqlx::Executor::execute(&mut look, sqlx::AssertSqlSafe(sql)).await?;
            let db = async || -> Outcome<Db> {
                let options = PostgresOptions::new(url, schema, Transport::Local)?;
                let clock = Arc::new(ManualClock::at(UtcDateTime::UNIX_EPOCH));
                let random = Arc::new(covenant_core::SystemRandom::new());
                Ok(Db::open_postgres(options, clock, random).await?)
            };
            let holds = SqlHolds::open(db().await?, Arc::new(MemorySink::new())).await?;
            Ok(Self {
                worker: db().await?,
                holds: Arc::new(holds),
                look,
            })
        }

        async fn begin(&self) -> Outcome<Tx> {
            let tag = TxTag {
                txn: TxnId::from_bytes([1; 16]),
                tenant: None,
                decision: None,
            };
            Ok(self.worker.begin_with(Mode::ReadWrite, tag).await?)
        }

        async fn fill(&self, tenant: TenantId) -> Outcome {
            let mut tx = self.begin().await?;
            let args = Args::new().bind(tenant);
            tx.execute("INSERT INTO record VALUES ($1, 1)", args)
                .await?;
            Ok(tx.commit().await?)
        }

        async fn is_there(&self, tenant: TenantId) -> Outcome<bool> {
            let mut tx = self.begin().await?;
            let args = Args::new().bind(tenant);
            let sql = "SELECT n FROM record WHERE tenant = $1";
            Ok(tx.row(sql, args).await?.is_some())
        }

        fn place(&self, tenant: TenantId) -> Outcome<JoinHandle<Result<Placed, HoldError>>> {
            let (holds, hold) = (Arc::clone(&self.holds), one(tenant)?);
            Ok(tokio::spawn(async move {
                holds.place(&hold, ActorContext::system()).await
            }))
        }

        /// Returns once a session of this server waits for a lock of another.
        async fn someone_waits(&mut self) -> Outcome {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
            for _ in 0..LOOKS_MAX {
                let waits: i64 = sqlx::query_scalar(sql).fetch_one(&mut self.look).await?;
                if waits > 0 {
                    return Ok(());
                }
            }
            Err("nobody waits for a lock".into())
        }
    }

    fn one(tenant: TenantId) -> Outcome<Hold> {
        Ok(hold(tenant, 1, HoldScope::Tenant, HoldMode::Governance)?)
    }

    fn target(tenant: TenantId) -> Outcome<DisposalTarget> {
        Ok(DisposalTarget::new(
            tenant,
            "record".parse()?,
            ItemId::from(1_i64),
        ))
    }

    fn is_transient(error: &HoldError) -> bool {
        let HoldError::Unavailable(error) = error else {
            return false;
        };
        let error = error.downcast_ref::<DbError>();
        error.is_some_and(DbError::is_transient)
    }

    /// Held, however often the collision with the hold makes the worker begin again.
    async fn refused(rig: &Rig, target: &DisposalTarget) -> Outcome<bool> {
        loop {
            let mut tx = rig.begin().await?;
            match sql::pass(&mut tx, target, &"main".parse()?, UtcDateTime::UNIX_EPOCH).await {
                Ok(()) => return Ok(false),
                Err(HoldError::Held(by)) => return Ok(by == [HoldId::from_bytes([1; 16])]),
                Err(error) if is_transient(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    // clause: P-47
    #[tokio::test(flavor = "multi_thread")]
    async fn a_hold_placed_at_any_point_of_a_deletion_keeps_the_item_or_is_told() -> Outcome {
        let Some(url) = provided("COVENANT_TEST_POSTGRES")? else {
            return Ok(());
        };
        let mut rig = Rig::new(&url, "hold_or_told").await?;
        let (mut kept, mut told) = (0, 0);
        for (n, point) in (1..).zip(POINTS) {
            let tenant = TenantId::from_bytes([n; 16]);
            let target = target(tenant)?;
            rig.fill(tenant).await?;
            let mut placing = None;
            let mut placed = None;
            if point == Point::Before {
                placed = Some(rig.place(tenant)?.await??);
            }
            let mut tx = rig.begin().await?;
            if point == Point::Begun {
                placed = Some(rig.place(tenant)?.await??);
            }
            let store = "main".parse()?;
            let passed = sql::pass(&mut tx, &target, &store, UtcDateTime::UNIX_EPOCH).await;
            if placed.is_some() {
                // the hold was first
                drop(tx);
                let held = match passed {
                    Err(HoldError::Held(_)) => true,
                    Err(error) if is_transient(&error) => refused(&rig, &target).await?,
                    other => return Err(format!("{point:?}: {other:?}").into()),
                };
                assert!(held, "{point:?}: the deletion does not see the hold");
            } else {
                passed?;
                if point == Point::Passed {
                    placing = Some(rig.place(tenant)?);
                    rig.someone_waits().await?;
                }
                let args = Args::new().bind(tenant);
                let deleted = tx
                    .execute("DELETE FROM record WHERE tenant = $1", args)
                    .await?;
                assert_eq!(deleted, 1, "{point:?}");
                if point == Point::Deleted {
                    placing = Some(rig.place(tenant)?);
                    rig.someone_waits().await?;
                }
                tx.commit().await?;
                if point == Point::Committed {
                    placing = Some(rig.place(tenant)?);
                }
            }
            if let Some(placing) = placing {
                placed = Some(placing.await??);
            }
            let placed = placed.ok_or("no hold was placed")?;
            let late = placed.beyond.iter().any(|passed| passed.id == target.id);
            let there = rig.is_there(tenant).await?;
            assert_ne!(there, late, "{point:?}: neither kept nor told, or both");
            kept += usize::from(there);
            told += usize::from(late);
        }
        assert_eq!((kept, told), (2, 3));
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_deletion_begun_at_any_point_of_a_placement_waits_and_is_refused() -> Outcome {
        let Some(url) = provided("COVENANT_TEST_POSTGRES")? else {
            return Ok(());
        };
        let mut rig = Rig::new(&url, "hold_first").await?;
        // placed and not committed: the deletion waits; rolled back: it goes on
        for (n, commits) in [(1, true), (2, false)] {
            let tenant = TenantId::from_bytes([n; 16]);
            let target = target(tenant)?;
            rig.fill(tenant).await?;
            let mut tx = rig.begin().await?;
            let placed = sql::place(&mut tx, &one(tenant)?).await?;
            assert!(placed.beyond.is_empty());
            let (holds, store) = (Arc::clone(&rig.holds), "main".parse()?);
            let deleting =
                tokio::spawn(
                    async move { holds.pass(&target, &store, UtcDateTime::UNIX_EPOCH).await },
                );
            rig.someone_waits().await?;
            if commits {
                tx.commit().await?;
            } else {
                tx.rollback().await?;
            }
            match (deleting.await?, commits) {
                (Err(HoldError::Held(by)), true) => {
                    assert_eq!(by, [HoldId::from_bytes([1; 16])]);
                }
                (Ok(()), false) => {}
                other => return Err(format!("{other:?}").into()),
            }
        }
        Ok(())
    }
}
