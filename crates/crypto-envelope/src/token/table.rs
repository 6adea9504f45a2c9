//! The side table of an index: which row has which tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError};

use covenant_core::{BoxFuture, ItemId, KeyId};

use super::Token;

/// The table could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the table is not available")]
pub struct TableError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl TableError {
    /// An error with what failed beneath.
    #[must_use]
    pub fn new(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(source))
    }
}

/// A table's answer, later.
pub type TableFuture<'a, T> = BoxFuture<'a, Result<T, TableError>>;

/// What became of a row that was to be filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it was filled or it was left")]
pub enum Filled {
    /// It has all of the tokens now.
    Now,
    /// It was left as it is: its value is another by now.
    Not,
}

/// What became of a row whose value no other may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it has it or another does")]
pub enum Claimed {
    /// It has the value now.
    Now,
    /// Another row has it, and nothing was changed.
    Taken,
}

/// Which row of one index has which tokens: columns (tenant, index, token, row).
///
/// # Contract
/// `put` replaces all tokens of the row, in one step; with none it forgets the row. `claim` does the
/// same unless another row has any of the tokens, also when both are written at once: of an index
/// either all rows are claimed or all are put. `find` gives the
/// rows that have any of the tokens, ordered and each once. `fill` adds tokens to a row that has the
/// first of them, and does nothing to any other, in one step. `lacking` gives rows that have tokens,
/// but none of this version, ordered, at most so many, and only those after the one given. `drop_version` removes every token of a version.
/// Write tokens in the transaction that writes the row.
///
/// # Errors
/// [`TableError`]; a failed call changed nothing and may be repeated.
///
/// # Implementing
/// [`MemoryTable`] is the model: do what it does. `testing::token_suite` (feature `testing`) compares
/// with it.
pub trait TokenTable: Debug + Send + Sync {
    /// Replaces the tokens of a row.
    fn put<'a>(&'a self, row: &'a ItemId, tokens: &'a [Token]) -> TableFuture<'a, ()>;
    /// Replaces the tokens of a row, unless another row has one of them.
    fn claim<'a>(&'a self, row: &'a ItemId, tokens: &'a [Token]) -> TableFuture<'a, Claimed>;
    /// The rows that have any of the tokens.
    fn find<'a>(&'a self, tokens: &'a [Token]) -> TableFuture<'a, Vec<ItemId>>;
    /// Adds tokens to a row that has the first of them.
    fn fill<'a>(&'a self, row: &'a ItemId, tokens: &'a [Token]) -> TableFuture<'a, Filled>;
    /// Rows without a token of this version.
    fn lacking<'a>(
        &'a self,
        version: KeyId,
        after: Option<&'a ItemId>,
        max: usize,
    ) -> TableFuture<'a, Vec<ItemId>>;
    /// Removes every token of a version.
    fn drop_version(&self, version: KeyId) -> TableFuture<'_, ()>;
}

/// A table in memory.
#[derive(Debug, Default)]
pub struct MemoryTable(Mutex<BTreeMap<ItemId, BTreeSet<Token>>>);

impl MemoryTable {
    /// A table without rows.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<ItemId, BTreeSet<Token>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn replace(rows: &mut BTreeMap<ItemId, BTreeSet<Token>>, row: &ItemId, tokens: &[Token]) {
    if tokens.is_empty() {
        rows.remove(row);
    } else {
        rows.insert(row.clone(), tokens.iter().copied().collect());
    }
}

impl TokenTable for MemoryTable {
    fn put<'a>(&'a self, row: &'a ItemId, tokens: &'a [Token]) -> TableFuture<'a, ()> {
        replace(&mut self.rows(), row, tokens);
        Box::pin(std::future::ready(Ok(())))
    }

    fn claim<'a>(&'a self, row: &'a ItemId, tokens: &'a [Token]) -> TableFuture<'a, Claimed> {
        let mut rows = self.rows();
        let taken = rows
            .iter()
            .any(|(other, has)| other != row && tokens.iter().any(|token| has.contains(token)));
        let claimed = if taken {
            Claimed::Taken
        } else {
            replace(&mut rows, row, tokens);
            Claimed::Now
        };
        Box::pin(std::future::ready(Ok(claimed)))
    }

    fn find<'a>(&'a self, tokens: &'a [Token]) -> TableFuture<'a, Vec<ItemId>> {
        let rows = self.rows();
        let has = rows
            .iter()
            .filter(|(_, has)| tokens.iter().any(|token| has.contains(token)));
        let found = has.map(|(row, _)| row.clone()).collect();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn fill<'a>(&'a self, row: &'a ItemId, tokens: &'a [Token]) -> TableFuture<'a, Filled> {
        let mut rows = self.rows();
        let has = rows.get_mut(row).zip(tokens.first());
        let filled = match has.filter(|(has, first)| has.contains(first)) {
            Some((has, _)) => {
                has.extend(tokens);
                Filled::Now
            }
            None => Filled::Not,
        };
        Box::pin(std::future::ready(Ok(filled)))
    }

    fn lacking<'a>(
        &'a self,
        version: KeyId,
        after: Option<&'a ItemId>,
        max: usize,
    ) -> TableFuture<'a, Vec<ItemId>> {
        let rows = self.rows();
        let lack = rows
            .iter()
            .filter(|(row, _)| after.is_none_or(|after| *row > after))
            .filter(|(_, has)| has.iter().all(|token| token.version() != version));
        let found = lack.map(|(row, _)| row.clone()).take(max).collect();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn drop_version(&self, version: KeyId) -> TableFuture<'_, ()> {
        let mut rows = self.rows();
        rows.retain(|_, has| {
            has.retain(|token| token.version() != version);
            !has.is_empty()
        });
        Box::pin(std::future::ready(Ok(())))
    }
}
