//! Change coverage: which row changes, as triggers saw them, an event accounts for. A figure, and
//! the list of what is missing.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::{Action, ItemId, Outcome, TxnId};

use crate::action::{self, Class, Op};
use crate::leaf::Leaf;

/// One row change, as a trigger saw it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Touch {
    /// Number in the store, in order.
    pub seq: u64,
    /// The transaction that was announced; `None` when none was.
    pub txn: Option<TxnId>,
    /// The table.
    pub table: String,
    /// What happened to the row.
    pub op: Op,
    /// The row's key.
    pub key: ItemId,
}

/// What accounts for row changes: a sequenced leaf that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    txn: TxnId,
    table: Option<String>,
    ops: Vec<Op>,
    reach: Reach,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Reach {
    /// One row.
    Row(ItemId),
    /// So many rows of a table.
    Rows(u64),
    /// Every insertion of the transaction: a restore's.
    Restore,
}

/// How many row changes were seen, and how many an event accounts for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Row changes seen by triggers, by table.
    pub touched: BTreeMap<String, u64>,
    /// Of those, how many an event accounts for.
    pub attributed: BTreeMap<String, u64>,
    /// The others.
    pub unattributed: Vec<Touch>,
}

impl Coverage {
    /// All row changes seen.
    #[must_use]
    pub fn touched_rows(&self) -> u64 {
        self.touched.values().sum()
    }

    /// All that an event accounts for.
    #[must_use]
    pub fn attributed_rows(&self) -> u64 {
        self.attributed.values().sum()
    }

    /// Whether an event accounts for every change.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.unattributed.is_empty()
    }
}

impl Account {
    /// What a leaf accounts for; `None` when it is about no change, or about one that was refused.
    #[must_use]
    pub fn of(leaf: &Leaf) -> Option<Self> {
        let txn = leaf.txn?;
        if leaf.outcome != Outcome::Ok {
            return None;
        }
        let table = leaf.target.table.clone();
        if leaf.action == Action::RestoreCompleted {
            let ops = vec![Op::Insert];
            return Some(Self {
                txn,
                table: None,
                ops,
                reach: Reach::Restore,
            });
        }
        let settings = action::settings(leaf.action)?;
        if settings.class() != Class::Change || settings.ops().is_empty() {
            return None;
        }
        let named = leaf.data.get("op").and_then(|op| Op::named(op.text()?));
        let ops = named.map_or_else(|| settings.ops().to_vec(), |op| vec![op]);
        let reach = match (&leaf.target.id, leaf.rows) {
            (Some(id), _) => Reach::Row(id.clone()),
            (None, rows) => Reach::Rows(rows?),
        };
        table.as_ref()?;
        Some(Self {
            txn,
            table,
            ops,
            reach,
        })
    }
}

/// Compares what triggers saw with what events account for.
///
/// A touch counts when an event of the same transaction names its table and operation, and its row;
/// or, for a bulk statement, as many rows as there are touches of that table and operation left in
/// the transaction.
#[must_use]
pub fn measure(touches: &[Touch], accounts: &[Account]) -> Coverage {
    let mut rows = BTreeSet::new();
    let mut bulks: BTreeMap<(TxnId, &str, Op), BTreeSet<u64>> = BTreeMap::new();
    let mut restores = BTreeSet::new();
    for Account {
        txn,
        table,
        ops,
        reach,
    } in accounts
    {
        let table = table.as_deref().unwrap_or_default();
        for op in ops {
            match reach {
                Reach::Row(id) => {
                    rows.insert((*txn, table, *op, id));
                }
                Reach::Rows(count) => {
                    bulks.entry((*txn, table, *op)).or_default().insert(*count);
                }
                Reach::Restore => {
                    restores.insert((*txn, *op));
                }
            }
        }
    }
    let single = |touch: &Touch, txn: TxnId| {
        rows.contains(&(txn, touch.table.as_str(), touch.op, &touch.key))
            || restores.contains(&(txn, touch.op))
    };
    let mut left: BTreeMap<(TxnId, &str, Op), u64> = BTreeMap::new();
    for touch in touches {
        if let Some(txn) = touch.txn.filter(|txn| !single(touch, *txn)) {
            let left = left.entry((txn, &touch.table, touch.op)).or_default();
            *left = left.saturating_add(1);
        }
    }
    let bulk = |touch: &Touch, txn: TxnId| {
        let key = (txn, touch.table.as_str(), touch.op);
        let counted = left.get(&key).copied().unwrap_or_default();
        bulks
            .get(&key)
            .is_some_and(|counts| counts.contains(&counted))
    };
    let mut coverage = Coverage::default();
    for touch in touches {
        let count = |of: &mut BTreeMap<String, u64>| {
            let rows = of.entry(touch.table.clone()).or_default();
            *rows = rows.saturating_add(1);
        };
        count(&mut coverage.touched);
        if touch
            .txn
            .is_some_and(|txn| single(touch, txn) || bulk(touch, txn))
        {
            count(&mut coverage.attributed);
        } else {
            coverage.unattributed.push(touch.clone());
        }
    }
    coverage
}
