//! PostgreSQL: the tenant's database lies in a tablespace on the disk that is full, the server's log
//! does not. Needs the server of `cargo xtask test`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use covenant_core::testing::{MemorySink, SeededRandom};
use covenant_core::{BoxFuture, ItemId, ManualClock, TenantId};
use retention_policy::apply::{
    Certifier, DisposeError, Disposer, Ended, Flush as _, FlushError, Joints,
};
use retention_policy::hold::sql::SqlHolds;
use retention_policy::physical::{FlushRate, Forecast, LogTurn, PostgresFlush, Verify as _};
use retention_policy::rows::{
    Order, RowDisposer, RowJournal, Rows, RowsUnder, Underneath, carry_out,
};
use retention_policy::scan::Needle;
use retention_policy::{
    Disposal, Moment, PlanContext, Probe, Retention as _, RuleSet, Slack, Step, plan,
};
use sql_store::{Db, PgConnection, PostgresOptions, Transport};
use sqlx::{AssertSqlSafe, Connection as _};
use time::UtcDateTime;

use crate::disk::{Disk, Outcome};

/// Room beside the tables: enough to delete and to write down what was done, too little to write the
/// largest table again.
const SLACK_BYTES: u64 = 3 << 20;
/// Room for everything twice.
const ROOMY_BYTES: u64 = 256 << 20;
const ROWS: i64 = 6_000;
/// One row in so many goes.
const EVERY: i64 = 1_000;
/// How often the flush is tried while there is no room: what a budget of retries comes to.
const TRIES: u32 = 3;
const NOW: UtcDateTime = UtcDateTime::UNIX_EPOCH.saturating_add(time::Duration::days(20_000));

const RULES: &str = r#"
format = "covenant/rules/v1"
reviewed = 2026-11-22
[reading]
zones = ["+00:00"]
[[class]]
id = "note"
[[store]]
id = "main"
kind = "sql"
[[rule]]
id = "gone"
class = ["note"]
store = ["main"]
bound = "ceiling"
from = "note.deleted"
to = "note.purged"
period = "P30D"
"#;

/// The server's URL; `None`, with a note, when there is none and none is required.
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

async fn run(db: &mut PgConnection, sql: &str) -> Outcome {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(db)
        .await?;
    Ok(())
}

fn tenant() -> TenantId {
    TenantId::from_bytes([7; 16])
}

/// The 24 bytes by which a row is found, which the server makes of its number.
fn probe(n: i64) -> Probe {
    let mut bytes = [0; 24];
    bytes.copy_from_slice(format!("full-disk-salt-{n:09}").as_bytes());
    Probe::new(bytes)
}

fn goes(n: i64) -> bool {
    n % EVERY == 3
}

fn needles(of: impl Fn(i64) -> bool) -> Vec<Needle> {
    let rows = (0..ROWS).filter(|n| of(*n));
    rows.map(|n| Needle::from(&probe(n))).collect()
}

/// The server, and a tenant's database on the disk.
struct Tenant {
    server: String,
    url: String,
    place: PathBuf,
    disk: Disk,
}

impl Tenant {
    async fn create(server: String, folder: &std::path::Path) -> Outcome<Option<Self>> {
        let mut admin = PgConnection::connect(&server).await?;
        let place: String = sqlx::query_scalar("SHOW data_directory")
            .fetch_one(&mut admin)
            .await?;
        let place = PathBuf::from(place);
        let Some(disk) = Disk::mount(folder, ROOMY_BYTES, Some(&place))? else {
            return Ok(None);
        };
        for sql in [
            "DROP DATABASE IF EXISTS full_disk WITH (FORCE)".to_owned(),
            "DROP TABLESPACE IF EXISTS full_disk".to_owned(),
            format!(
                "CREATE TABLESPACE full_disk LOCATION '{}'",
                disk.folder().display()
            ),
            "CREATE DATABASE full_disk TEMPLATE template0 TABLESPACE full_disk".to_owned(),
        ] {
            run(&mut admin, &sql).await?;
        }
        admin.close().await?;
        let (at, _) = server.rsplit_once('/').ok_or("no database in the URL")?;
        let url = format!("{at}/full_disk");
        Ok(Some(Self {
            server,
            url,
            place,
            disk,
        }))
    }

    async fn connect(&self) -> Outcome<PgConnection> {
        Ok(PgConnection::connect(&self.url).await?)
    }

    /// Rows of half a kilobyte, and the views that say what they are.
    async fn fill(&self) -> Outcome {
        let mut db = self.connect().await?;
        run(&mut db, "CREATE SCHEMA tenant; SET search_path = tenant").await?;
        let of = tenant();
        for sql in [
            "CREATE TABLE note (n BIGINT PRIMARY KEY, salt BYTEA, body TEXT) \
             WITH (autovacuum_enabled = off)"
                .to_owned(),
            format!(
                "INSERT INTO note SELECT n, convert_to('full-disk-salt-' \
                 || lpad(n::text, 9, '0'), 'UTF8'), repeat('0123456789abcdef', 60) || n \
                 FROM generate_series(0, {}::bigint) n",
                ROWS - 1
            ),
            format!(
                "CREATE VIEW retention_item AS SELECT '{of}' AS tenant, 'main' AS store, \
                 'note' AS class, n::text AS id, length(body)::bigint AS bytes, \
                 0::bigint AS made_at FROM note"
            ),
            format!(
                "CREATE VIEW retention_event AS SELECT '{of}' AS tenant, 'note' AS class, \
                 n::text AS id, 'note.deleted' AS name, 0::bigint AS happened_at \
                 FROM note WHERE n % {EVERY} = 3"
            ),
            format!(
                "CREATE VIEW retention_probe AS SELECT '{of}' AS tenant, 'note' AS class, \
                 n::text AS id, salt AS probe FROM note"
            ),
            "CREATE FUNCTION goes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             DELETE FROM tenant.note WHERE n = OLD.id::bigint; RETURN OLD; END $$"
                .to_owned(),
            "CREATE TRIGGER goes INSTEAD OF DELETE ON retention_item \
             FOR EACH ROW EXECUTE FUNCTION goes()"
                .to_owned(),
            // what a rewrite of everything takes off now, a full disk cannot be short of later
            "VACUUM (FULL, ANALYZE)".to_owned(),
            "CHECKPOINT".to_owned(),
        ] {
            run(&mut db, &sql).await?;
        }
        Ok(db.close().await?)
    }

    fn options(&self) -> Outcome<PostgresOptions> {
        Ok(PostgresOptions::new(&self.url, "tenant", Transport::Local)?)
    }

    async fn count(&self) -> Outcome<i64> {
        let mut db = self.connect().await?;
        let count = sqlx::query_scalar("SELECT count(*) FROM tenant.note")
            .fetch_one(&mut db)
            .await?;
        db.close().await?;
        Ok(count)
    }

    async fn remove(self) -> Outcome {
        let mut admin = PgConnection::connect(&self.server).await?;
        run(&mut admin, "DROP DATABASE full_disk WITH (FORCE)").await?;
        run(&mut admin, "DROP TABLESPACE full_disk").await?;
        Ok(admin.close().await?)
    }
}

/// Takes parts, and remembers of which items.
#[derive(Debug, Default)]
struct Desk(Mutex<Vec<ItemId>>);

impl Certifier for Desk {
    fn certify<'a>(&'a self, disposal: &'a Disposal) -> BoxFuture<'a, Result<(), DisposeError>> {
        if let Ok(mut parts) = self.0.lock() {
            parts.push(disposal.item().clone());
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

// clause: P-52
#[tokio::test]
async fn an_order_waits_for_room_and_is_then_carried_out() -> Outcome {
    let Some(server) = server() else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let Some(tenant) = Tenant::create(server, folder.path()).await? else {
        return Ok(());
    };
    tenant.fill().await?;
    let clock = Arc::new(ManualClock::at(NOW));
    let random = Arc::new(SeededRandom::new(7));
    let db = Db::open_postgres(tenant.options()?, clock, random).await?;
    let rows = Rows::open(db.clone()).await?;
    let rules = Arc::new(RuleSet::from_toml(RULES).map_err(|errors| errors.to_string())?);
    let of = self::tenant();

    // the plan, and the order of it
    let seen = rows.seen(of).await?;
    let occurrences = seen.items.occurrences();
    let found: Vec<_> = seen
        .items
        .views(&occurrences)
        .into_iter()
        .map(|item| {
            let verdict = rules.evaluate(&item, &seen.holds, &Moment::at(NOW));
            (item, verdict)
        })
        .collect();
    let plan = plan(&found, NOW, &PlanContext::of(&rules));
    let due: Vec<i64> = (0..ROWS).filter(|n| goes(*n)).collect();
    assert_eq!(plan.items().len(), due.len());
    let order = Order::new(of, plan.hash(), [9; 32]);
    let probes = rows.probes(of, plan.items()).await?;
    let disposals = order.disposals(&plan, &rules, &probes, |_, _| None);
    let mut disposals = disposals.ok_or("no disposals")?;
    rows.admit(&order, &disposals, NOW).await?;

    // who carries it out
    let flush = Arc::new(PostgresFlush::new(tenant.options()?, LogTurn::Over));
    let files = Underneath {
        place: tenant.place.clone(),
        flush: Arc::clone(&flush) as _,
        verify: Arc::clone(&flush) as _,
        wait: Duration::from_secs(5),
    };
    let under = RowsUnder::new(db.clone(), rules, Slack::NONE, order.id(), Some(files));
    under.expect(&disposals);
    let disposer = RowDisposer::new("main".parse()?, under);
    let holds = SqlHolds::open(db.clone(), Arc::new(MemorySink::new())).await?;
    let desk = Desk::default();
    let joints = Joints {
        disposers: BTreeMap::from([(disposer.store().clone(), &disposer as &dyn Disposer)]),
        holds: &holds,
        certifier: &desk,
    };
    let journal = RowJournal::new(db.clone());

    // no room
    let taken = tenant.disk.used_bytes()?;
    tenant.disk.resize(taken + SLACK_BYTES)?;
    let rate = FlushRate::measured(1 << 20, Duration::from_millis(1)).ok_or("no rate")?;
    let forecast = rate.forecast(taken, tenant.disk.free_bytes()?);
    assert!(
        matches!(forecast, Forecast::NoRoom { .. }),
        "the alarm comes before the night: {forecast:?}"
    );
    let mut before = None;
    for attempt in 0..TRIES {
        let ended = carry_out(&mut disposals, &joints, &journal, NOW).await?;
        assert!(ended.iter().all(|end| *end == Ended::Waiting), "{ended:?}");
        assert!(disposals.iter().all(|one| one.next() == Step::Flush));
        // the state is the same after every try, and the same as it is written down
        let state = before.get_or_insert_with(|| disposals.clone());
        assert_eq!(*state, disposals, "{attempt}");
        let (_, written) = rows.order(of, order.id()).await?.ok_or("no order")?;
        assert_eq!(written.len(), due.len());
        assert!(written.iter().all(|one| disposals.contains(one)));
    }
    let full = flush.flush(&tenant.place).await;
    assert!(matches!(full, Err(FlushError::Full)), "{full:?}");
    assert!(desk.0.lock().is_ok_and(|parts| parts.is_empty()), "no part");
    let left = ROWS - i64::try_from(due.len())?;
    assert_eq!(tenant.count().await?, left, "nothing is lost");
    let mut admin = tenant.connect().await?;
    run(&mut admin, "CHECKPOINT").await?;
    let kept = flush.verify(&tenant.place, &needles(|n| !goes(n))).await?;
    assert!(kept.live.sightings.len() >= usize::try_from(left)?);
    let seen = flush.verify(&tenant.place, &needles(goes)).await?;
    assert!(!seen.live.sightings.is_empty(), "and nothing removed");
    // what was begun in vain is taken away
    assert!(tenant.disk.used_bytes()? < taken + SLACK_BYTES);
    admin.close().await?;

    // room
    tenant.disk.resize(ROOMY_BYTES)?;
    let ended = carry_out(&mut disposals, &joints, &journal, NOW).await?;
    assert!(ended.iter().all(|end| *end == Ended::Done), "{ended:?}");
    let parts = desk.0.lock().map(|parts| parts.len()).unwrap_or_default();
    assert_eq!(parts, due.len(), "a part of each");
    assert_eq!(tenant.count().await?, left);
    let seen = flush.verify(&tenant.place, &needles(goes)).await?;
    assert!(seen.is_absent(), "{seen:?}");
    let kept = flush.verify(&tenant.place, &needles(|n| !goes(n))).await?;
    assert!(kept.live.sightings.len() >= usize::try_from(left)?);
    db.close().await;
    tenant.remove().await
}
