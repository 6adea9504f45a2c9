//! Checks one stored log, level by level, against itself and against what is known of it outside.
//! A level that could not be run says so, and never counts as good.

use covenant_core::LogId;
use covenant_core::note::{Note, Vkey};
use sql_store::{Args, Tx};

use crate::checkpoint::Checkpoint;
use crate::error::LogError;
use crate::leaf::Leaf;
use crate::merkle::{Edge, MerkleTree, Subtree, TreeHead, leaf_hash};
use crate::merkle::{verify_consistency, verify_inclusion};
use crate::names::ServiceHost;
use crate::store::READ_LEN_MAX;
use crate::store::sql::{Columns, HeadRow, SqlLog, entry_rows, head_row, store, unsigned};

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Level {
    /// The signed checkpoint is the log's own, under a known key, and states a past head.
    Signature,
    /// Stored heads and hashes are those of the stored leaves.
    Tree,
    /// The signed head and the heads known outside are prefixes of the present one.
    Consistency,
    /// Every leaf has an audit path to the head.
    Inclusion,
    /// Every leaf is there, decodes, names its log and event, and has its stored hash.
    Content,
    /// The query columns say what the leaves say.
    IndexVsLog,
}

impl Level {
    /// Every level, in the order of a report.
    pub const ALL: [Self; 6] = [
        Self::Signature,
        Self::Tree,
        Self::Consistency,
        Self::Inclusion,
        Self::Content,
        Self::IndexVsLog,
    ];

    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Tree => "tree",
            Self::Consistency => "consistency",
            Self::Inclusion => "inclusion",
            Self::Content => "content",
            Self::IndexVsLog => "index_vs_log",
        }
    }
}

/// How a level ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a level that was not run must never pass as good"
)]
pub enum LevelResult {
    /// Everything holds.
    Good,
    /// Something does not hold.
    Failed(Vec<Finding>),
    /// The level could not be run, and why.
    NotRun(&'static str),
}

/// One thing that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// Number of the leaf, or size of the head, that it is about.
    pub index: u64,
    /// What does not hold.
    pub what: &'static str,
}

/// What is known outside the store, to check it against.
#[derive(Debug, Clone, Default)]
pub struct Outside<'a> {
    /// The service in the log's origin.
    pub host: Option<&'a ServiceHost>,
    /// Keys of the log.
    pub keys: &'a [Vkey],
    /// Heads that the log once had.
    pub heads: &'a [TreeHead],
}

/// The result of every level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    log: LogId,
    head: TreeHead,
    levels: Vec<(Level, LevelResult)>,
}

impl Report {
    /// The log.
    #[must_use]
    pub const fn log(&self) -> LogId {
        self.log
    }

    /// Its stored head.
    #[must_use]
    pub const fn head(&self) -> TreeHead {
        self.head
    }

    /// Every level with its result, in order.
    #[must_use]
    pub fn levels(&self) -> &[(Level, LevelResult)] {
        &self.levels
    }

    /// The result of one level.
    #[must_use]
    pub fn level(&self, level: Level) -> &LevelResult {
        let found = self.levels.iter().find(|(l, _)| *l == level);
        found.map_or(
            &LevelResult::NotRun("not part of this report"),
            |(_, result)| result,
        )
    }

    /// Whether no level failed; levels that were not run do not count, ask for them by name.
    #[must_use]
    pub fn nothing_failed(&self) -> bool {
        !self
            .levels
            .iter()
            .any(|(_, result)| matches!(result, LevelResult::Failed(_)))
    }

    /// Whether every level was run and is good.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.levels
            .iter()
            .all(|(_, result)| *result == LevelResult::Good)
    }
}

/// Checks a log at every level.
///
/// # Errors
/// [`LogError::Unavailable`] when the store cannot be read; what is read and wrong is a finding.
pub async fn verify(audit: &SqlLog, log: LogId, outside: &Outside<'_>) -> Result<Report, LogError> {
    let mut tx = audit.reader().await?;
    let mut check = Check::default();
    let stored = match head_row(&mut tx, log).await {
        Ok(stored) => stored,
        Err(LogError::Damaged { index, .. }) => {
            check.tree.push(Finding {
                index,
                what: "the stored head is damaged",
            });
            None
        }
        Err(error) => return Err(error),
    };
    let empty = HeadRow {
        head: TreeHead::empty(),
        edge: Edge::default(),
        note: None,
    };
    let HeadRow { head, edge, note } = stored.unwrap_or(empty);
    check.leaves(&mut tx, log, head).await?;
    check.tree(&mut tx, log, head, &edge).await?;
    check.inclusion(head);
    let signature = check.signature(log, note.as_ref(), outside);
    let consistency = check.consistency(head, outside.heads);
    let Check {
        content,
        index_vs_log,
        tree,
        inclusion,
        ..
    } = check;
    let levels = vec![
        (Level::Signature, signature),
        (Level::Tree, verdict(tree)),
        (Level::Consistency, consistency),
        (Level::Inclusion, verdict(inclusion)),
        (Level::Content, verdict(content)),
        (Level::IndexVsLog, verdict(index_vs_log)),
    ];
    Ok(Report { log, head, levels })
}

/// What has been found so far, and the tree of the leaves as they are stored.
#[derive(Debug, Default)]
struct Check {
    tree_of_leaves: MerkleTree,
    hashes: Vec<covenant_core::digest::Digest>,
    signed: Option<TreeHead>,
    content: Vec<Finding>,
    index_vs_log: Vec<Finding>,
    tree: Vec<Finding>,
    inclusion: Vec<Finding>,
}

impl Check {
    /// Reads every leaf, those beyond the head too: none may be there.
    async fn leaves(&mut self, tx: &mut Tx, log: LogId, head: TreeHead) -> Result<(), LogError> {
        let mut from = 0_u64;
        loop {
            let to = from.saturating_add(READ_LEN_MAX);
            let rows = entry_rows(tx, log, from..to).await?;
            if rows.is_empty() {
                break;
            }
            for (index, row) in rows {
                self.content_of(log, index, row);
            }
            from = to;
        }
        let size = self.tree_of_leaves.size();
        if size != head.size {
            let what = "the number of leaves is not the size of the head";
            self.content.push(Finding {
                index: size.min(head.size),
                what,
            });
        }
        Ok(())
    }

    fn content_of(&mut self, log: LogId, index: u64, row: Option<crate::store::sql::EntryRow>) {
        if index != self.tree_of_leaves.size() {
            self.content.push(Finding {
                index,
                what: "a leaf before this one is missing",
            });
        }
        let Some(row) = row else {
            self.tree_of_leaves.push(leaf_hash(&[]));
            self.hashes.push(leaf_hash(&[]));
            return self.content.push(Finding {
                index,
                what: "the entry cannot be read",
            });
        };
        let hash = leaf_hash(&row.leaf);
        self.tree_of_leaves.push(hash);
        self.hashes.push(hash);
        if hash != row.hash {
            self.content.push(Finding {
                index,
                what: "the leaf is not the one that was hashed",
            });
        }
        let Ok(leaf) = Leaf::decode(&row.leaf) else {
            return self.content.push(Finding {
                index,
                what: "the leaf is not in the format",
            });
        };
        if leaf.log != log {
            self.content.push(Finding {
                index,
                what: "the leaf is of another log",
            });
        }
        if leaf.event != row.event || Columns::of(&leaf).as_ref() != Some(&row.columns) {
            let what = "the query columns do not follow from the leaf";
            self.index_vs_log.push(Finding { index, what });
        }
    }

    async fn tree(
        &mut self,
        tx: &mut Tx,
        log: LogId,
        head: TreeHead,
        edge: &Edge,
    ) -> Result<(), LogError> {
        let index = head.size;
        if self.tree_of_leaves.head() != head {
            self.tree.push(Finding {
                index,
                what: "the head is not that of the leaves",
            });
        }
        if edge.head() != head {
            self.tree.push(Finding {
                index,
                what: "the edge is not that of the head",
            });
        }
        let sql = include_str!("../sql/list_levels.sql");
        let rows = tx.rows(sql, Args::new().bind(log)).await.map_err(store)?;
        let mut stored = 0_u64;
        for row in &rows {
            let height = u32::try_from(unsigned(log, row.int("height"))?).unwrap_or(u32::MAX);
            let at = Subtree {
                height,
                index: unsigned(log, row.int("idx"))?,
            };
            stored += 1;
            if row.digest("hash").ok() != self.tree_of_leaves.subtree(at) {
                let index = at.index.checked_shl(height).unwrap_or(u64::MAX);
                self.tree.push(Finding {
                    index,
                    what: "a stored hash is not that of its leaves",
                });
            }
        }
        let expected = (8..64)
            .step_by(8)
            .map(|height| head.size >> height)
            .sum::<u64>();
        if stored != expected {
            self.tree.push(Finding {
                index,
                what: "the number of stored hashes is wrong",
            });
        }
        Ok(())
    }

    fn inclusion(&mut self, head: TreeHead) {
        for (index, hash) in (0_u64..).zip(&self.hashes) {
            let path = self.tree_of_leaves.inclusion(index, head.size);
            let good = path.is_some_and(|p| verify_inclusion(hash, index, &p, &head).is_ok());
            if !good {
                let what = "the leaf has no audit path to the head";
                self.inclusion.push(Finding { index, what });
            }
        }
    }

    fn signature(
        &mut self,
        log: LogId,
        note: Option<&(u64, String)>,
        outside: &Outside<'_>,
    ) -> LevelResult {
        let Some((size, note)) = note else {
            return LevelResult::NotRun("nothing is signed yet");
        };
        let (Some(host), [_, ..]) = (outside.host, outside.keys) else {
            return LevelResult::NotRun("no key of the log is known");
        };
        let failed = |what| LevelResult::Failed(vec![Finding { index: *size, what }]);
        let Ok(note) = note.parse::<Note>() else {
            return failed("the note is malformed");
        };
        let origin = host.origin(log);
        let own = |key: &&Vkey| key.name() == origin;
        let keys: Vec<Vkey> = outside.keys.iter().filter(own).cloned().collect();
        if note.verify(&keys).is_err() {
            return failed("the note is not signed by a key of the log");
        }
        match Checkpoint::parse(note.text()) {
            Ok(checkpoint) if checkpoint.origin() == origin && checkpoint.head().size == *size => {
                self.signed = Some(checkpoint.head());
                LevelResult::Good
            }
            _ => failed("the note is not a checkpoint of the log"),
        }
    }

    fn consistency(&self, head: TreeHead, known: &[TreeHead]) -> LevelResult {
        let known: Vec<_> = self.signed.iter().chain(known).collect();
        if known.is_empty() {
            return LevelResult::NotRun("no earlier head is known");
        }
        let broken = known.into_iter().filter(|old| {
            let proof = self.tree_of_leaves.consistency(old.size, head.size);
            proof.is_none_or(|proof| verify_consistency(old, &head, &proof).is_err())
        });
        let what = "the head that was known here is no prefix of the present one";
        verdict(
            broken
                .map(|old| Finding {
                    index: old.size,
                    what,
                })
                .collect(),
        )
    }
}

fn verdict(findings: Vec<Finding>) -> LevelResult {
    if findings.is_empty() {
        LevelResult::Good
    } else {
        LevelResult::Failed(findings)
    }
}
