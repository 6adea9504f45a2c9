//! Holds in memory, in SQLite and in PostgreSQL keep one contract, and every change of them is an
//! event that commits with it.
#![cfg(feature = "testing")]
#[cfg(test)]
mod cases {
    use std::collections::BTreeSet;
    use std::error::Error;
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    use std::sync::Arc;

    use covenant_core::{HoldId, ItemId, TenantId};
    use proptest::prelude::*;
    use retention_policy::hold::{HoldFact, HoldReplay, Merged};
    use retention_policy::testing::holds::{hold, run};
    use retention_policy::{Hold, HoldMode, HoldRecord, HoldScope, ItemList, MemoryHolds};
    use time::{Duration, UtcDateTime};

    type TestResult = Result<(), Box<dyn Error>>;

    fn tenant() -> TenantId {
        TenantId::from_bytes([4; 16])
    }

    fn items(ids: impl IntoIterator<Item = i64>) -> HoldScope {
        let ids: BTreeSet<ItemId> = ids.into_iter().map(ItemId::from).collect();
        HoldScope::Items {
            class: "record".parse().unwrap(),
            ids: ItemList::try_from(ids).unwrap(),
        }
    }

    fn until(secs: i64) -> HoldMode {
        let until = UtcDateTime::UNIX_EPOCH + Duration::seconds(secs);
        HoldMode::Compliance { until }
    }

    #[tokio::test]
    async fn in_memory() -> TestResult {
        Ok(run(&MemoryHolds::new()).await?)
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn in_sqlite() -> TestResult {
        use covenant_core::testing::MemorySink;
        use retention_policy::hold::sql::SqlHolds;
        use sql_store::{Db, SqliteOptions, SqliteProfile};

        let dir = tempfile::tempdir()?;
        let clock = Arc::new(covenant_core::ManualClock::at(UtcDateTime::UNIX_EPOCH));
        let options = SqliteOptions::new(dir.path().join("holds.db"), SqliteProfile::Control);
        let db = Db::create_sqlite(options, clock).await?;
        let holds = SqlHolds::open(db, Arc::new(MemorySink::new())).await?;
        Ok(run(&holds).await?)
    }

    /// Runs against the server that the environment names, in a schema of its own.
    #[cfg(feature = "postgres")]
    #[tokio::test]
    async fn in_postgresql() -> TestResult {
        use covenant_core::testing::MemorySink;
        use retention_policy::hold::sql::SqlHolds;
        use sql_store::{Db, PgConnection, PostgresOptions, Transport};

        let Some(url) = server() else { return Ok(()) };
        let mut admin = <PgConnection as sqlx::Connection>::connect(&url).await?;
        let sql = "DROP SCHEMA IF EXISTS holds CASCADE; CREATE SCHEMA holds";
        sqlx::Executor::execute(&mut admin, sql).await?;
        let options = PostgresOptions::new(&url, "holds", Transport::Local)?;
        let clock = Arc::new(covenant_core::ManualClock::at(UtcDateTime::UNIX_EPOCH));
        let random = Arc::new(covenant_core::SystemRandom::new());
        let db = Db::open_postgres(options, clock, random).await?;
        let holds = SqlHolds::open(db, Arc::new(MemorySink::new())).await?;
        Ok(run(&holds).await?)
    }

    #[cfg(feature = "postgres")]
    #[expect(
        clippy::disallowed_methods,
        reason = "the test command names its server this way"
    )]
    fn server() -> Option<String> {
        match std::env::var("COVENANT_TEST_POSTGRES") {
            Ok(url) => Some(url),
            Err(_) if std::env::var("COVENANT_REQUIRE_SERVERS").is_ok() => {
                panic!("COVENANT_TEST_POSTGRES is not set, and servers are required");
            }
            Err(_) => {
                println!("not run: no PostgreSQL");
                None
            }
        }
    }

    fn some_hold() -> impl Strategy<Value = Hold> {
        let mode = prop_oneof![Just(HoldMode::Governance), (0_i64..1_000).prop_map(until)];
        let scope = prop_oneof![
            Just(HoldScope::Tenant),
            Just(HoldScope::Class("record".parse().unwrap())),
            Just(HoldScope::Subject(ItemId::from(9))),
            proptest::collection::btree_set(0_i64..5_000, 1..1_500).prop_map(items),
        ];
        (1..9_u8, scope, mode).prop_map(|(n, scope, mode)| hold(tenant(), n, scope, mode).unwrap())
    }

    proptest! {
        #[test]
        fn bytes_come_back_and_nothing_else_does(hold in some_hold(), at in 0..400_usize, bit in 0..8_u8) {
            let bytes = hold.bytes();
            prop_assert_eq!(Hold::from_bytes(&bytes).unwrap(), hold);
            let mut bad = bytes.clone();
            let at = at % bad.len();
            bad[at] ^= 1 << bit;
            if let Ok(other) = Hold::from_bytes(&bad) {
                prop_assert_eq!(other.bytes(), bad);
            }
            prop_assert!(Hold::from_bytes(&bytes[..at]).is_err());
        }

        /// The parts that a log keeps make the hold again, in any order, and each fits a leaf.
        #[test]
        fn parts_make_the_hold_again(hold in some_hold(), seed in any::<u64>()) {
            let mut parts = hold.parts();
            for part in &parts {
                prop_assert!(part.bytes().len() <= 16_000);
            }
            let turn = usize::try_from(seed % 64).unwrap() % parts.len();
            parts.rotate_left(turn);
            let replay = HoldReplay::of(parts.into_iter().map(HoldFact::Placed));
            prop_assert!(replay.damaged.is_empty());
            let record = replay.record(hold.id, None).unwrap();
            prop_assert_eq!(record.hold(), &hold);
        }
    }

    #[test]
    fn a_store_put_back_takes_over_what_the_log_says() {
        let placed = hold(tenant(), 1, items(0..900), until(100)).unwrap();
        let longer = Hold {
            mode: until(300),
            ..placed.clone()
        };
        let facts: Vec<HoldFact> = longer.parts().into_iter().map(HoldFact::Placed).collect();
        // the copy has the hold with its first end
        let copy = HoldRecord::new(placed.clone());
        let replay = HoldReplay::of(facts.clone());
        assert_eq!(
            replay.record(placed.id, Some(&copy)).unwrap().hold(),
            &longer
        );
        // the copy is of before it was placed
        assert_eq!(replay.record(placed.id, None).unwrap().hold(), &longer);
        // it was released meanwhile
        let at = UtcDateTime::UNIX_EPOCH + Duration::seconds(50);
        let released = HoldFact::Released { id: placed.id, at };
        let replay = HoldReplay::of([released.clone()]);
        let record = replay.record(placed.id, Some(&copy)).unwrap();
        assert_eq!(record.released_at(), Some(at));
        assert!(!record.is_active(at));
        // placed and released since: it stays on record, and holds nothing
        let replay = HoldReplay::of(facts.into_iter().chain([released]));
        assert!(!replay.record(placed.id, None).unwrap().is_active(at));
        assert_eq!(replay.ids().collect::<Vec<HoldId>>(), [placed.id]);
    }

    #[test]
    fn parts_of_different_holds_are_not_one() {
        let mut one = hold(tenant(), 1, items(0..3), until(1)).unwrap();
        let before = one.clone();
        let other = Hold {
            matter: "case-8".parse().unwrap(),
            ..one.clone()
        };
        assert_eq!(one.merge(&other), Merged::Other);
        let wide = hold(tenant(), 1, HoldScope::Tenant, until(1)).unwrap();
        assert_eq!(one.merge(&wide), Merged::Other);
        assert_eq!(one, before);
        let replay = HoldReplay::of([HoldFact::Placed(one), HoldFact::Placed(other)]);
        assert_eq!(replay.damaged.len(), 1);
    }
}
