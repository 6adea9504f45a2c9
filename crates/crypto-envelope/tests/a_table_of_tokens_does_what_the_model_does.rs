//! The side table of an index answers alike in memory, in SQLite and in PostgreSQL; it is written with
//! its row or not at all, a value that is claimed has one row however many ask at once, and an index is
//! rotated on it while it is used.
#![cfg(all(
    feature = "token",
    feature = "testing",
    feature = "sqlite",
    feature = "postgres"
))]

#[cfg(test)]
mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{SEED, TestResult, World};
use covenant_core::sealer::Purpose;
use covenant_core::testing::SeededRandom;
use covenant_core::{Clock as _, ItemId, KeyId, Owner, TenantId, TxTag, TxnId};
use crypto_envelope::testing::token_suite;
use crypto_envelope::token::{
    Claimed, Field, Filled, Index, MemoryTable, Normaliser, SqlTable, TableFuture, Token,
    TokenError, TokenTable,
};
use crypto_envelope::{KeyAdmin, Keys};
use sql_store::{
    Args, Db, Durability, Mode, PgConnection, PostgresOptions, SqliteOptions, SqliteProfile,
    Transport,
};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn field(tenant: TenantId, name: &str) -> Field {
    Field {
        tenant: Some(tenant),
        collection: "person".to_owned(),
        field: name.to_owned(),
        normaliser: Normaliser::NfkcLower,
    }
}

async fn sqlite(dir: &Path, world: &World) -> Outcome<Db> {
    let options = SqliteOptions::new(dir.join("rows.db"), SqliteProfile::Control);
    let options = options.durability(Durability::Off);
    Ok(Db::create_sqlite(options, world.clock.clone()).await?)
}

/// An empty schema of the server that the environment names; `None` when there is no server and none
/// is required.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the test command names its server this way, and hears that there is none"
)]
async fn postgres(schema: &str, world: &World) -> Outcome<Option<Db>> {
    let Ok(url) = std::env::var("COVENANT_TEST_POSTGRES") else {
        if std::env::var("COVENANT_REQUIRE_SERVERS").is_ok() {
            return Err("COVENANT_TEST_POSTGRES is not set, and servers are required".into());
        }
        println!("not run: no PostgreSQL");
        return Ok(None);
    };
    let mut admin = <PgConnection as sqlx::Connection>::connect(&url).await?;
    let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    sqlx::Executor::execute(&mut admin, sqlx::AssertSqlSafe(sql)).await?;
    let options = PostgresOptions::new(&url, schema, Transport::Local)?;
    let random = Arc::new(SeededRandom::new(SEED));
    Ok(Some(
        Db::open_postgres(options, world.clock.clone(), random).await?,
    ))
}

async fn suite_on(db: Db, world: &World) -> TestResult {
    let tenant = world.tenant()?;
    let email = SqlTable::open(db.clone(), &field(tenant, "email")).await?;
    let phone = SqlTable::open(db.clone(), &field(tenant, "phone")).await?;
    token_suite(&email, &phone).await?;
    // and of another tenant the same field
    let theirs = SqlTable::open(db, &field(world.tenant()?, "email")).await?;
    token_suite(&theirs, &email).await?;
    Ok(())
}

#[tokio::test]
async fn memory_passes_the_suite() -> TestResult {
    token_suite(&MemoryTable::new(), &MemoryTable::new()).await?;
    Ok(())
}

#[tokio::test]
async fn sqlite_passes_the_suite() -> TestResult {
    let (world, dir) = (World::in_memory(), tempfile::tempdir()?);
    suite_on(sqlite(dir.path(), &world).await?, &world).await
}

#[tokio::test]
async fn postgresql_passes_the_suite() -> TestResult {
    let world = World::in_memory();
    match postgres("token_suite", &world).await? {
        Some(db) => suite_on(db, &world).await,
        None => Ok(()),
    }
}

/// What is wrong with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    ClaimsWhatIsTaken,
    FillsWhatChanged,
    ForgetsNoVersion,
    KeepsOldTokens,
    LacksNothing,
    SharesIndexes,
    UnorderedRows,
}

#[derive(Debug)]
struct Unsound(Arc<MemoryTable>, Flaw);

impl TokenTable for Unsound {
    fn put<'a>(&'a self, row: &'a ItemId, tokens: &'a [Token]) -> TableFuture<'a, ()> {
        Box::pin(async move {
            let keeps = self.1 == Flaw::KeepsOldTokens && !tokens.is_empty();
            if keeps && self.0.fill(row, &[]).await? == Filled::Not {
                // adds to what is there by each token that the row may have
                for token in tokens {
                    self.0.fill(row, &[*token]).await?;
                }
                if self.0.find(tokens).await?.contains(row) {
                    return Ok(());
                }
            }
            self.0.put(row, tokens).await
        })
    }
    fn claim<'a>(&'a self, row: &'a ItemId, tokens: &'a [Token]) -> TableFuture<'a, Claimed> {
        Box::pin(async move {
            if self.1 == Flaw::ClaimsWhatIsTaken {
                self.0.put(row, tokens).await?;
                return Ok(Claimed::Now);
            }
            self.0.claim(row, tokens).await
        })
    }
    fn find<'a>(&'a self, tokens: &'a [Token]) -> TableFuture<'a, Vec<ItemId>> {
        Box::pin(async move {
            let mut found = self.0.find(tokens).await?;
            if self.1 == Flaw::UnorderedRows {
                found.reverse();
            }
            Ok(found)
        })
    }
    fn fill<'a>(&'a self, row: &'a ItemId, tokens: &'a [Token]) -> TableFuture<'a, Filled> {
        Box::pin(async move {
            if self.1 == Flaw::FillsWhatChanged {
                self.0.put(row, tokens).await?;
                return Ok(Filled::Now);
            }
            self.0.fill(row, tokens).await
        })
    }
    fn lacking<'a>(
        &'a self,
        version: KeyId,
        after: Option<&'a ItemId>,
        max: usize,
    ) -> TableFuture<'a, Vec<ItemId>> {
        Box::pin(async move {
            if self.1 == Flaw::LacksNothing {
                return Ok(Vec::new());
            }
            self.0.lacking(version, after, max).await
        })
    }
    fn drop_version(&self, version: KeyId) -> TableFuture<'_, ()> {
        Box::pin(async move {
            if self.1 == Flaw::ForgetsNoVersion {
                return Ok(());
            }
            self.0.drop_version(version).await
        })
    }
}

#[tokio::test]
async fn the_suite_finds_each_unsound_table() -> TestResult {
    for flaw in [
        Flaw::ClaimsWhatIsTaken,
        Flaw::FillsWhatChanged,
        Flaw::ForgetsNoVersion,
        Flaw::KeepsOldTokens,
        Flaw::LacksNothing,
        Flaw::SharesIndexes,
        Flaw::UnorderedRows,
    ] {
        let memory = Arc::new(MemoryTable::new());
        let other = match flaw {
            Flaw::SharesIndexes => memory.clone(),
            _ => Arc::new(MemoryTable::new()),
        };
        let found = token_suite(&Unsound(memory, flaw), &Unsound(other, flaw)).await;
        assert!(found.is_err(), "{flaw:?}");
    }
    Ok(())
}

struct Rotated {
    world: World,
    keys: Arc<Keys>,
    owner: Owner,
    field: Field,
}

impl Rotated {
    async fn new() -> Outcome<Self> {
        let world = World::in_memory();
        let keys = Arc::new(world.keys().await?);
        let tenant = world.tenant()?;
        keys.create_tenant(tenant).await?;
        keys.create_index(tenant).await?;
        Ok(Self {
            world,
            keys,
            owner: Owner::Tenant(tenant),
            field: field(tenant, "email"),
        })
    }

    async fn index(&self) -> Result<Index, TokenError> {
        Index::of(&self.keys, self.owner, self.field.clone()).await
    }

    /// Replaces the root of the index; returns the version before.
    async fn rotate(&self) -> Outcome<KeyId> {
        let old = self.keys.unlock(self.owner, Purpose::Index).await?;
        let admin = self.world.admin();
        self.keys.rotate(&admin, old.version()).await?;
        self.world.clock.advance(Duration::from_secs(301));
        self.keys.rotate_due(self.world.clock.now()).await?;
        Ok(old.version())
    }
}

async fn is_rotated_live(db: Db, setting: &Rotated) -> TestResult {
    let table = SqlTable::open(db, &setting.field).await?;
    let rows: [ItemId; 10] = [0_i64, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(ItemId::from);
    let value = |row: &ItemId| format!("user{}@example.org", row.hex());
    let before = setting.index().await?;
    for row in &rows {
        assert_eq!(before.claim(&table, row, &value(row)).await?, Claimed::Now);
    }
    let old_tokens = before.tokens(&value(&rows[0]))?;
    assert_eq!(table.find(&old_tokens).await?, [rows[0].clone()]);
    let old = setting.rotate().await?;
    let index = setting.index().await?;
    assert_eq!(index.versions().len(), 2);
    assert_eq!(index.versions().first(), Some(&old));
    let all_found = async |index: &Index| -> TestResult {
        for row in &rows {
            let found = index.candidates(&table, &value(row)).await?;
            assert_eq!(found, std::slice::from_ref(row));
        }
        Ok(())
    };
    all_found(&index).await?;
    // a value keeps its one row under both versions, and while the backfill is half done
    let taken = |index: Index| {
        let (table, value) = (table.clone(), value(&rows[3]));
        async move { index.claim(&table, &ItemId::from(99_i64), &value).await }
    };
    assert_eq!(taken(index.clone()).await?, Claimed::Taken);
    let values = async |row: &ItemId| Ok(Some(value(row)));
    let early = index.clone().rotated(&table).await;
    assert!(matches!(early, Err(TokenError::NotBackfilled(_))));
    let first = index.backfill(&table, None, 4, values).await?;
    assert_eq!(first.filled, 4);
    all_found(&index).await?;
    assert_eq!(taken(index.clone()).await?, Claimed::Taken);
    // the process died; the next one begins anew, and finds what is done
    let index = setting.index().await?;
    let mut after = None;
    let mut filled = 0;
    loop {
        let done = index.backfill(&table, after.as_ref(), 4, values).await?;
        filled += done.filled;
        after = done.ended;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(filled, 6);
    let index = index.rotated(&table).await?;
    all_found(&index).await?;
    assert_eq!(taken(index).await?, Claimed::Taken);
    setting.keys.retire(old).await?;
    let index = setting.index().await?;
    assert_eq!(index.versions().len(), 1);
    all_found(&index).await?;
    assert_eq!(taken(index).await?, Claimed::Taken);
    // the tokens of the version before are gone
    assert!(table.find(&old_tokens).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_index_is_rotated_while_it_is_used() -> TestResult {
    let (setting, dir) = (Rotated::new().await?, tempfile::tempdir()?);
    is_rotated_live(sqlite(dir.path(), &setting.world).await?, &setting).await?;
    let setting = Rotated::new().await?;
    if let Some(db) = postgres("token_rotated", &setting.world).await? {
        is_rotated_live(db, &setting).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_second_rotation_waits_for_the_first_to_end() -> TestResult {
    let setting = Rotated::new().await?;
    let first = setting.rotate().await?;
    setting.rotate().await?;
    let early = setting.index().await;
    let Err(TokenError::Unfinished(version)) = early else {
        return Err(format!("{early:?}").into());
    };
    assert_eq!(version, first);
    setting.keys.retire(first).await?;
    assert_eq!(setting.index().await?.versions().len(), 2);
    Ok(())
}

fn tag() -> TxTag {
    TxTag {
        txn: TxnId::from_bytes([0; 16]),
        tenant: None,
        decision: None,
    }
}

async fn is_written_with_its_row(db: Db, setting: &Rotated) -> TestResult {
    let table = SqlTable::open(db.clone(), &setting.field).await?;
    let index = setting.index().await?;
    let (row, tokens) = (ItemId::from(1_i64), index.tokens("ann@example.org")?);
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    table.put_in(&mut tx, &row, &tokens).await?;
    tx.rollback().await?;
    assert!(table.find(&tokens).await?.is_empty());
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    assert_eq!(table.claim_in(&mut tx, &row, &tokens).await?, Claimed::Now);
    let sql = "SELECT COUNT(*) AS n FROM token";
    let seen = tx.row(sql, Args::new()).await?.ok_or("no row")?;
    assert_eq!(seen.int("n")?, 1);
    tx.commit().await?;
    assert_eq!(table.find(&tokens).await?, [row]);
    Ok(())
}

/// Sixteen ask at once for one value, again and again.
async fn one_has_it(db: Db, setting: &Rotated) -> TestResult {
    let table = SqlTable::open(db, &setting.field).await?;
    let index = setting.index().await?;
    for round in 0..5 {
        let value = format!("round{round}@example.org");
        let mut asking = tokio::task::JoinSet::new();
        for n in 0..16_i64 {
            let (index, table, value) = (index.clone(), table.clone(), value.clone());
            asking.spawn(async move { index.claim(&table, &ItemId::from(n), &value).await });
        }
        let mut claimed = 0;
        while let Some(asked) = asking.join_next().await {
            claimed += usize::from(asked?? == Claimed::Now);
        }
        assert_eq!(claimed, 1, "round {round}");
        assert_eq!(index.candidates(&table, &value).await?.len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn tokens_are_written_with_their_row_or_not_at_all() -> TestResult {
    let (setting, dir) = (Rotated::new().await?, tempfile::tempdir()?);
    is_written_with_its_row(sqlite(dir.path(), &setting.world).await?, &setting).await?;
    if let Some(db) = postgres("token_in_tx", &setting.world).await? {
        is_written_with_its_row(db, &setting).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_value_that_many_claim_at_once_has_one_row() -> TestResult {
    let (setting, dir) = (Rotated::new().await?, tempfile::tempdir()?);
    one_has_it(sqlite(dir.path(), &setting.world).await?, &setting).await?;
    if let Some(db) = postgres("token_claimed", &setting.world).await? {
        one_has_it(db, &setting).await?;
    }
    Ok(())
}
