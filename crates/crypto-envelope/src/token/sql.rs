//! The side table in SQLite or PostgreSQL, beside the rows that it finds.
//!
//! Two writers of one row are put in an order: SQLite has one writer at a time, and on PostgreSQL each
//! holds a lock of the row's until its transaction ends. Isolation is `read committed`, as `sql_store`
//! sets it, or `serializable`.

use std::collections::BTreeMap;

use covenant_core::digest::Digest;
use covenant_core::{ItemId, KeyId, TxTag, TxnId, canon};
use sql_store::{Args, Constraint, Db, DbError, Dialect, Migrations, Mode, Row, Tx};
use uuid::Uuid;

use super::table::{Claimed, Filled, TableError, TableFuture, TokenTable};
use super::{Field, Token};

/// The table of tokens, for the database in which the rows are. [`SqlTable::open`] makes it.
pub const MIGRATIONS: Migrations = Migrations {
    crate_name: "crypto-envelope-token",
    steps: &[("token", include_str!("../../migrations/0001_token.sql"))],
};

/// How often a transaction that collided with another is run again.
const ATTEMPTS: u32 = 8;

/// Runs a transaction again while it collides with others.
macro_rules! retried {
    ($transaction:expr) => {{
        let mut left = ATTEMPTS;
        loop {
            match $transaction.await {
                Err(error) if error.is_transient() && left > 0 => left = left.saturating_sub(1),
                done => break done,
            }
        }
    }};
}

/// What an index holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Tally {
    /// Rows that have tokens.
    pub rows: u64,
    /// How many of them have one of each version.
    pub versions: BTreeMap<KeyId, u64>,
}

/// The tokens of one index in a table that all indexes of a database share.
#[derive(Debug, Clone)]
pub struct SqlTable {
    db: Db,
    tenant: Uuid,
    field: Vec<u8>,
}

impl SqlTable {
    /// The tokens of this field in this database, whose table is made unless it is there.
    ///
    /// # Errors
    /// [`TableError`] when the table cannot be made or is not as expected.
    pub async fn open(db: Db, field: &Field) -> Result<Self, TableError> {
        db.migrate(&MIGRATIONS).await.map_err(TableError::new)?;
        Ok(Self::within(db, field))
    }

    /// The tokens of this field in a database that has the table: nothing is made or changed.
    #[must_use]
    pub fn within(db: Db, field: &Field) -> Self {
        let Field {
            tenant,
            collection,
            field,
            normaliser,
        } = field;
        let mut w = canon::Writer::new();
        w.text(collection).text(field).text(&normaliser.to_string());
        Self {
            db,
            tenant: tenant.map_or(Uuid::nil(), |tenant| tenant.as_uuid()),
            field: w.finish(),
        }
    }

    /// How many rows have tokens, and of which versions.
    ///
    /// # Errors
    /// [`TableError`] when there is no such table, or it cannot be read.
    pub async fn tally(&self) -> Result<Tally, TableError> {
        let count = |row: &Row| -> Result<u64, TableError> {
            let items = row.int("items").map_err(TableError::new)?;
            Ok(u64::try_from(items).unwrap_or(0))
        };
        let sql = include_str!("../../sql/count_items.sql");
        let all = self.read(sql, self.args()).await.map_err(TableError::new)?;
        let rows = all.first().map(count).transpose()?.unwrap_or(0);
        let sql = include_str!("../../sql/count_version_items.sql");
        let each = self.read(sql, self.args()).await.map_err(TableError::new)?;
        let mut versions = BTreeMap::new();
        for row in &each {
            let version = row.id("version").map_err(TableError::new)?;
            versions.insert(version, count(row)?);
        }
        Ok(Tally { rows, versions })
    }

    /// Whether any index of the same tenant in this database still has a token of the version: all
    /// of them share the tenant's root.
    ///
    /// # Errors
    /// As [`SqlTable::tally`].
    pub async fn has_version(&self, version: KeyId) -> Result<bool, TableError> {
        let sql = include_str!("../../sql/find_version_token.sql");
        let args = Args::new().bind(self.tenant).bind(version);
        let found = self.read(sql, args).await.map_err(TableError::new)?;
        Ok(!found.is_empty())
    }

    /// Replaces all tokens of a row in the transaction that writes the row; with none it forgets
    /// the row.
    ///
    /// # Errors
    /// [`DbError`]; the transaction can only be rolled back then.
    pub async fn put_in(&self, tx: &mut Tx, row: &ItemId, tokens: &[Token]) -> Result<(), DbError> {
        self.replace(tx, row, tokens, Sole::No).await
    }

    /// The same, unless another row has any of the tokens.
    ///
    /// # Errors
    /// [`DbError::Constraint`] when another row took the value at the same time; else as
    /// [`SqlTable::put_in`].
    pub async fn claim_in(
        &self,
        tx: &mut Tx,
        row: &ItemId,
        tokens: &[Token],
    ) -> Result<Claimed, DbError> {
        let sql = include_str!("../../sql/find_other_item.sql");
        for pair in pairs(tokens) {
            let args = self.args().bind(pair[0]).bind(pair[1]).bind(row);
            if tx.row(sql, args).await?.is_some() {
                return Ok(Claimed::Taken);
            }
        }
        self.replace(tx, row, tokens, Sole::Yes).await?;
        Ok(Claimed::Now)
    }

    async fn replace(
        &self,
        tx: &mut Tx,
        row: &ItemId,
        tokens: &[Token],
        sole: Sole,
    ) -> Result<(), DbError> {
        self.lock(tx, row).await?;
        let sql = include_str!("../../sql/delete_item_tokens.sql");
        tx.execute(sql, self.args().bind(row)).await?;
        self.add(tx, row, tokens, sole).await
    }

    async fn add(
        &self,
        tx: &mut Tx,
        row: &ItemId,
        tokens: &[Token],
        sole: Sole,
    ) -> Result<(), DbError> {
        let sql = include_str!("../../sql/add_token.sql");
        for token in tokens {
            let args = self.args().bind(row).bind(token.as_bytes());
            let args = args.bind(token.version()).bind(sole.number());
            tx.execute(sql, args).await?;
        }
        Ok(())
    }

    /// Waits until no other transaction writes the row's tokens.
    async fn lock(&self, tx: &mut Tx, row: &ItemId) -> Result<(), DbError> {
        if tx.dialect() == Dialect::Postgres {
            let mut w = canon::Writer::new();
            w.bytes(self.tenant.as_bytes());
            w.bytes(&self.field).bytes(row.as_bytes());
            let digest = Digest::of(&w.finish());
            let name = digest.as_bytes().first_chunk().copied().unwrap_or_default();
            let args = Args::new().bind(i64::from_be_bytes(name));
            let sql = include_str!("../../sql/postgres/lock_item_tokens.sql");
            tx.row(sql, args).await?;
        }
        Ok(())
    }

    async fn write_put(&self, row: &ItemId, tokens: &[Token]) -> Result<(), DbError> {
        let mut tx = self.begin(Mode::ReadWrite).await?;
        self.put_in(&mut tx, row, tokens).await?;
        tx.commit().await
    }

    async fn write_claim(&self, row: &ItemId, tokens: &[Token]) -> Result<Claimed, DbError> {
        let mut tx = self.begin(Mode::ReadWrite).await?;
        match self.claim_in(&mut tx, row, tokens).await {
            Ok(Claimed::Now) => tx.commit().await.map(|()| Claimed::Now),
            Err(DbError::Constraint {
                kind: Constraint::Unique,
                ..
            }) => Ok(Claimed::Taken),
            other => other,
        }
    }

    async fn write_fill(&self, row: &ItemId, tokens: &[Token]) -> Result<Filled, DbError> {
        let Some(first) = tokens.first() else {
            return Ok(Filled::Not);
        };
        let mut tx = self.begin(Mode::ReadWrite).await?;
        self.lock(&mut tx, row).await?;
        let sql = include_str!("../../sql/read_token.sql");
        let args = self.args().bind(row).bind(first.as_bytes());
        let Some(has) = tx.row(sql, args).await? else {
            return Ok(Filled::Not);
        };
        let sole = if has.int("sole")? == Sole::Yes.number() {
            Sole::Yes
        } else {
            Sole::No
        };
        self.add(&mut tx, row, tokens, sole).await?;
        tx.commit().await?;
        Ok(Filled::Now)
    }

    async fn write_drop(&self, version: KeyId) -> Result<(), DbError> {
        let mut tx = self.begin(Mode::ReadWrite).await?;
        let sql = include_str!("../../sql/drop_token_version.sql");
        tx.execute(sql, self.args().bind(version)).await?;
        tx.commit().await
    }

    async fn read(&self, sql: &'static str, args: Args) -> Result<Vec<Row>, DbError> {
        let mut tx = self.begin(Mode::ReadOnly).await?;
        let rows = tx.rows(sql, args).await?;
        tx.commit().await?;
        Ok(rows)
    }

    async fn begin(&self, mode: Mode) -> Result<Tx, DbError> {
        let tag = TxTag {
            txn: TxnId::from_bytes([0; 16]),
            tenant: None,
            decision: None,
        };
        self.db.begin_with(mode, tag).await
    }

    fn args(&self) -> Args {
        Args::new().bind(self.tenant).bind(&self.field)
    }
}

impl TokenTable for SqlTable {
    fn put<'a>(&'a self, row: &'a ItemId, tokens: &'a [Token]) -> TableFuture<'a, ()> {
        Box::pin(async move { retried!(self.write_put(row, tokens)).map_err(TableError::new) })
    }

    fn claim<'a>(&'a self, row: &'a ItemId, tokens: &'a [Token]) -> TableFuture<'a, Claimed> {
        Box::pin(async move { retried!(self.write_claim(row, tokens)).map_err(TableError::new) })
    }

    fn find<'a>(&'a self, tokens: &'a [Token]) -> TableFuture<'a, Vec<ItemId>> {
        Box::pin(async move {
            let sql = include_str!("../../sql/find_items.sql");
            let mut found = Vec::new();
            for pair in pairs(tokens) {
                let args = self.args().bind(pair[0]).bind(pair[1]);
                let rows = self.read(sql, args).await.map_err(TableError::new)?;
                found.append(&mut items(&rows)?);
            }
            found.sort_unstable();
            found.dedup();
            Ok(found)
        })
    }

    fn fill<'a>(&'a self, row: &'a ItemId, tokens: &'a [Token]) -> TableFuture<'a, Filled> {
        Box::pin(async move { retried!(self.write_fill(row, tokens)).map_err(TableError::new) })
    }

    fn lacking<'a>(
        &'a self,
        version: KeyId,
        after: Option<&'a ItemId>,
        max: usize,
    ) -> TableFuture<'a, Vec<ItemId>> {
        Box::pin(async move {
            let max = i64::try_from(max).unwrap_or(i64::MAX);
            let after = after.map_or(&[][..], ItemId::as_bytes);
            let args = self.args().bind(after).bind(version).bind(max);
            let sql = include_str!("../../sql/list_lacking.sql");
            let rows = self.read(sql, args).await.map_err(TableError::new)?;
            items(&rows)
        })
    }

    fn drop_version(&self, version: KeyId) -> TableFuture<'_, ()> {
        Box::pin(async move { retried!(self.write_drop(version)).map_err(TableError::new) })
    }
}

/// Whether no other row may have the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sole {
    Yes,
    No,
}

impl Sole {
    const fn number(self) -> i64 {
        match self {
            Self::Yes => 1,
            Self::No => 0,
        }
    }
}

/// The tokens two by two, as the statements take them: of the versions that live there are two at
/// most. One without a second is its own.
fn pairs(tokens: &[Token]) -> impl Iterator<Item = [&[u8; super::TOKEN_LEN_BYTES]; 2]> {
    tokens.chunks(2).filter_map(|pair| {
        let (first, last) = (pair.first()?, pair.last()?);
        Some([first.as_bytes(), last.as_bytes()])
    })
}

fn items(rows: &[Row]) -> Result<Vec<ItemId>, TableError> {
    rows.iter()
        .map(|row| {
            let bytes = row.bytes("item").map_err(TableError::new)?;
            ItemId::try_from(bytes).map_err(TableError::new)
        })
        .collect()
}
