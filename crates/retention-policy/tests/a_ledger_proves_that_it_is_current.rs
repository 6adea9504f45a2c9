//! A ledger in memory, in SQLite or in PostgreSQL gives exactly what followed a head, and refuses
//! when it does not extend every head that is known: a log that was cut opens nothing.
#![cfg(feature = "testing")]
#![cfg(feature = "sqlite")]
#[cfg(test)]
mod cases {
    use std::collections::BTreeSet;
    use std::error::Error;
    use std::sync::Arc;

    use covenant_core::event::{ActorContext, Datum};
    use covenant_core::{
        Action, BoxFuture, Event, EventId, EventSink, HoldId, ItemId, ManualClock, Outcome, Target,
        TenantId, TxTag, TxnId,
    };
    use proptest::prelude::*;
    use retention_policy::ledger::{MemoryLedger, SqlLedger};
    use retention_policy::testing::holds::hold;
    use retention_policy::testing::ledger::{About, Rig, run};
    use retention_policy::{
        Entry, Head, HoldMode, HoldScope, Later, Ledger, LedgerError, LedgerKey,
    };
    use sql_store::{Args, Db, Mode, SqliteOptions, SqliteProfile};
    use time::UtcDateTime;

    type TestResult = Result<(), Box<dyn Error>>;

    #[derive(Debug, Default)]
    struct InMemory {
        ledger: MemoryLedger,
        seen: std::sync::Mutex<BTreeSet<(TenantId, EventId)>>,
    }

    impl Rig for InMemory {
        fn append<'a>(
            &'a self,
            tenant: TenantId,
            event: EventId,
            at: UtcDateTime,
            action: Action,
            about: About<'a>,
        ) -> BoxFuture<'a, Result<Head, LedgerError>> {
            if !self.seen.lock().unwrap().insert((tenant, event)) {
                return Box::pin(std::future::ready(Ok(self.ledger.head(tenant))));
            }
            let item = |id: &ItemId| LedgerKey::Item {
                class: "record".to_owned(),
                id: id.clone(),
            };
            let head = match about {
                About::Hold(hold) => self.ledger.append_hold(hold, event, at),
                About::Database => {
                    self.ledger
                        .append(tenant, event, at, action, LedgerKey::Database)
                }
                About::Record(id) => self.ledger.append(tenant, event, at, action, item(id)),
            };
            Box::pin(std::future::ready(Ok(head)))
        }

        fn ledger(&self) -> &dyn Ledger {
            &self.ledger
        }
    }

    /// Facts commit in the outbox of a business database, and are drained.
    #[derive(Debug)]
    struct InSql {
        ledger: SqlLedger,
        business: Db,
    }

    impl InSql {
        async fn commit(&self, event: Event) -> Result<(), Box<dyn Error + Send + Sync>> {
            let prepared = self.ledger.prepare(event).await?;
            let tag = TxTag {
                txn: TxnId::from_bytes([1; 16]),
                tenant: prepared.tenant,
                decision: None,
            };
            let mut tx = self.business.begin_with(Mode::ReadWrite, tag).await?;
            self.ledger.record(&mut tx, prepared).await?;
            Ok(tx.commit().await?)
        }
    }

    impl Rig for InSql {
        fn append<'a>(
            &'a self,
            tenant: TenantId,
            event: EventId,
            at: UtcDateTime,
            action: Action,
            about: About<'a>,
        ) -> BoxFuture<'a, Result<Head, LedgerError>> {
            let target = match about {
                About::Database => Target::of(tenant, "database", ItemId::from(0_i64)),
                About::Record(id) => Target::of(tenant, "record", id.clone()),
                About::Hold(hold) => Target::of(tenant, "hold", ItemId::from(hold.id.as_uuid())),
            };
            let actor = ActorContext::system();
            let mut event = Event::new(event, at, actor, action, target, Outcome::Ok);
            if let About::Hold(hold) = about {
                event = event.with("hold", Datum::Bytes(hold.bytes()));
            }
            Box::pin(async move {
                self.commit(event).await.map_err(LedgerError::Unavailable)?;
                self.ledger.drain(&self.business).await?;
                self.ledger.drain(&self.business).await?;
                self.ledger.head(tenant).await
            })
        }

        fn ledger(&self) -> &dyn Ledger {
            &self.ledger
        }
    }

    async fn sqlite(file: std::path::PathBuf) -> Result<Db, Box<dyn Error>> {
        let clock = Arc::new(ManualClock::at(UtcDateTime::UNIX_EPOCH));
        let options = SqliteOptions::new(file, SqliteProfile::Control);
        Ok(Db::create_sqlite(options, clock).await?)
    }

    async fn rig(dir: &std::path::Path) -> Result<InSql, Box<dyn Error>> {
        let business = sqlite(dir.join("business.db")).await?;
        business.migrate(&sql_store::OUTBOX).await?;
        let ledger = SqlLedger::open(sqlite(dir.join("ledger.db")).await?).await?;
        Ok(InSql { ledger, business })
    }

    #[tokio::test]
    async fn in_memory() -> TestResult {
        Ok(run(&InMemory::default()).await?)
    }

    #[tokio::test]
    async fn in_sqlite() -> TestResult {
        let dir = tempfile::tempdir()?;
        Ok(run(&rig(dir.path()).await?).await?)
    }

    /// Runs against the server that the environment names, in schemas of its own.
    #[cfg(feature = "postgres")]
    #[tokio::test]
    async fn in_postgresql() -> TestResult {
        let Some(url) = covenant_core::testing::provided("COVENANT_TEST_POSTGRES")? else {
            return Ok(());
        };
        let business = postgres(&url, "ledger_business").await?;
        business.migrate(&sql_store::OUTBOX).await?;
        let ledger = SqlLedger::open(postgres(&url, "ledger").await?).await?;
        Ok(run(&InSql { ledger, business }).await?)
    }

    #[cfg(feature = "postgres")]
    async fn postgres(url: &str, schema: &'static str) -> Result<Db, Box<dyn Error>> {
        use sql_store::{PgConnection, PostgresOptions, Transport};

        let mut admin = <PgConnection as sqlx::Connection>::connect(url).await?;
        let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
        sqlx::Executor::execute(&mut admin, sqlx::AssertSqlSafe(sql)).await?;
        let options = PostgresOptions::new(url, schema, Transport::Local)?;
        let clock = Arc::new(ManualClock::at(UtcDateTime::UNIX_EPOCH));
        let random = Arc::new(covenant_core::SystemRandom::new());
        Ok(Db::open_postgres(options, clock, random).await?)
    }

    // clause: P-52
    #[tokio::test]
    async fn a_row_that_was_changed_or_taken_out_is_found() -> TestResult {
        let (tenant, record) = (TenantId::from_bytes([3; 16]), ItemId::from(5_i64));
        for (sql, still) in [
            ("UPDATE ledger_entry SET body = body WHERE seq = 1", true),
            ("DELETE FROM ledger_entry WHERE seq = 2", false),
            ("DELETE FROM ledger_entry WHERE seq = 1", false),
            (
                "UPDATE ledger_entry SET body = (SELECT body FROM ledger_entry WHERE seq = 2) \
                 WHERE seq = 1",
                false,
            ),
            // in its place, and of another event
            (
                "UPDATE ledger_entry SET body = unhex(replace(hex(body), '02020202', '09090909')) \
                 WHERE seq = 1",
                false,
            ),
        ] {
            let dir = tempfile::tempdir()?;
            let rig = rig(dir.path()).await?;
            let mut heads = Vec::new();
            for n in 1..=3 {
                let (id, at) = (EventId::from_bytes([n; 16]), UtcDateTime::UNIX_EPOCH);
                let about = About::Record(&record);
                let action = Action::RecordDeleted;
                heads.push(rig.append(tenant, id, at, action, about).await?);
            }
            let file = dir.path().join("ledger.db");
            let options = SqliteOptions::new(file, SqliteProfile::Control);
            let clock = Arc::new(ManualClock::at(UtcDateTime::UNIX_EPOCH));
            let db = Db::open_sqlite(options, clock).await?;
            let tag = TxTag {
                txn: TxnId::from_bytes([1; 16]),
                tenant: None,
                decision: None,
            };
            let mut tx = db.begin_with(Mode::ReadWrite, tag).await?;
            assert!(tx.execute(sql, Args::new()).await? > 0);
            tx.commit().await?;
            let answer = rig.ledger.since(tenant, heads[0], &[heads[2]]).await;
            assert_eq!(answer.is_ok(), still, "{sql}");
        }
        Ok(())
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let key = prop_oneof![
            Just(LedgerKey::Database),
            ("[a-z]{1,8}", any::<i64>()).prop_map(|(class, id)| LedgerKey::Item {
                class,
                id: ItemId::from(id)
            }),
            any::<[u8; 16]>().prop_map(|id| LedgerKey::Hold(HoldId::from_bytes(id))),
        ];
        let tenant = TenantId::from_bytes([4; 16]);
        let placed = hold(tenant, 1, HoldScope::Tenant, HoldMode::Governance).unwrap();
        let placed = proptest::option::of(Just(placed));
        let action = proptest::sample::select(Action::ALL.to_vec());
        (
            any::<u64>(),
            any::<[u8; 16]>(),
            0_i64..1 << 40,
            action,
            key,
            placed,
        )
            .prop_map(|(seq, event, secs, action, key, hold)| Entry {
                seq,
                event: EventId::from_bytes(event),
                at: UtcDateTime::from_unix_timestamp(secs % 200_000_000_000).unwrap(),
                action,
                key,
                hold: hold.map(|hold| retention_policy::Hold {
                    later: Later::Free,
                    ..hold
                }),
            })
    }

    proptest! {
        #[test]
        fn bytes_of_an_entry_come_back_and_nothing_else_does(
            entry in entry(), at in 0..200_usize, bit in 0..8_u8,
        ) {
            let bytes = entry.bytes();
            prop_assert_eq!(Entry::from_bytes(&bytes), Ok(entry));
            let mut bad = bytes.clone();
            let at = at % bad.len();
            bad[at] ^= 1 << bit;
            if let Ok(other) = Entry::from_bytes(&bad) {
                prop_assert_eq!(other.bytes(), bad);
            }
            prop_assert!(Entry::from_bytes(&bytes[..at]).is_err());
        }
    }
}
