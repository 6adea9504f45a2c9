//! Heads: what a log is at this moment, and the signed checkpoint that says so to others.

use std::fmt::Debug;
use std::sync::Arc;

use covenant_core::digest::Digest;
use covenant_core::note::{Note, Vkey};
use covenant_core::{BoxFuture, LogId, NoteSigner};
use sql_store::{Args, Row, Tx};

use super::{SqlLog, damaged, signed, store, unsigned};
use crate::checkpoint::Checkpoint;
use crate::error::LogError;
use crate::merkle::{Edge, TreeHead};
use crate::names::ServiceHost;

/// Where the signing key of each log comes from.
///
/// # Contract
/// The key's name is the log's origin, and stays the same key for the life of the log.
///
/// # Errors
/// [`LogError`].
pub trait LogKeys: Debug + Send + Sync {
    /// The key of this log, made when it has none yet.
    fn signer<'a>(
        &'a self,
        log: LogId,
        origin: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn NoteSigner>, LogError>>;
}

/// A head and the note that states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// The log.
    pub log: LogId,
    /// Size and root that are signed.
    pub head: TreeHead,
    /// The signed checkpoint, as text.
    pub note: String,
}

/// A stored head.
#[derive(Debug, Clone)]
pub(crate) struct HeadRow {
    pub(crate) head: TreeHead,
    pub(crate) edge: Edge,
    pub(crate) note: Option<(u64, String)>,
}

/// The stored head of a log; its size must go with its edge. Whether its root does is a matter of
/// verification.
pub(crate) async fn head_row(tx: &mut Tx, log: LogId) -> Result<Option<HeadRow>, LogError> {
    let sql = include_str!("../../../sql/read_head.sql");
    let Some(row) = tx.row(sql, Args::new().bind(log)).await.map_err(store)? else {
        return Ok(None);
    };
    let head = head_of(log, &row)?;
    let edge = row.bytes("edge").or(Err(damaged(log, head.size)))?;
    let edge = Edge::decode(head.size, edge).or(Err(damaged(log, head.size)))?;
    let note = match (row.opt_int("note_size"), row.opt_text("note")) {
        (Ok(Some(size)), Ok(Some(note))) => Some((unsigned(log, Ok(size))?, note.to_owned())),
        _ => None,
    };
    Ok(Some(HeadRow { head, edge, note }))
}

fn head_of(log: LogId, row: &Row) -> Result<TreeHead, LogError> {
    let size = unsigned(log, row.int("size"))?;
    let root: Digest = row.digest("root").or(Err(damaged(log, size)))?;
    Ok(TreeHead { size, root })
}

impl SqlLog {
    /// Signs the head of every log that grew since it was signed last, and stores the notes. The
    /// same head gives the same bytes: stopped anywhere, the same call repeats them.
    ///
    /// # Errors
    /// [`LogError`]; what was signed before the failure stays.
    pub async fn publish_heads(
        &self,
        host: &ServiceHost,
        keys: &dyn LogKeys,
    ) -> Result<Vec<SignedHead>, LogError> {
        let mut published = Vec::new();
        for (log, head) in self.grown().await? {
            let origin = host.origin(log);
            let signer = keys.signer(log, &origin).await?;
            let note = sign(log, &origin, head, &*signer).await?;
            let args = Args::new()
                .bind(log)
                .bind(signed(head.size))
                .bind(note.as_str());
            let mut tx = self.writer(None).await?;
            tx.execute(include_str!("../../../sql/update_note.sql"), args)
                .await
                .map_err(store)?;
            tx.commit().await.map_err(store)?;
            published.push(SignedHead { log, head, note });
        }
        Ok(published)
    }

    /// The newest signed checkpoint of a log; `None` before the first.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn signed_head(&self, log: LogId) -> Result<Option<SignedHead>, LogError> {
        let mut tx = self.reader().await?;
        let note = head_row(&mut tx, log).await?.and_then(|row| row.note);
        let Some((size, note)) = note else {
            return Ok(None);
        };
        let parsed: Note = note.parse().or(Err(LogError::Signing(log)))?;
        let checkpoint = Checkpoint::parse(parsed.text()).or(Err(LogError::Signing(log)))?;
        let head = checkpoint.head();
        if head.size != size {
            return Err(LogError::Signing(log));
        }
        Ok(Some(SignedHead { log, head, note }))
    }

    /// All logs that have leaves, with their heads.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn logs(&self) -> Result<Vec<(LogId, TreeHead)>, LogError> {
        let heads = self.heads().await?;
        Ok(heads
            .into_iter()
            .map(|(log, head, _)| (log, head))
            .collect())
    }

    async fn grown(&self) -> Result<Vec<(LogId, TreeHead)>, LogError> {
        let heads = self.heads().await?;
        let grown = heads
            .into_iter()
            .filter(|(_, head, note)| note.is_none_or(|n| n < head.size));
        Ok(grown.map(|(log, head, _)| (log, head)).collect())
    }

    async fn heads(&self) -> Result<Vec<(LogId, TreeHead, Option<u64>)>, LogError> {
        let mut tx = self.reader().await?;
        let sql = include_str!("../../../sql/list_heads.sql");
        let rows = tx.rows(sql, Args::new()).await.map_err(store)?;
        let head = |row: &Row| {
            let log = row.id("log").map_err(store)?;
            let note = row.opt_int("note_size").map_err(store)?;
            let note = note.map(|size| unsigned(log, Ok(size))).transpose()?;
            Ok((log, head_of(log, row)?, note))
        };
        rows.iter().map(head).collect()
    }
}

/// Signs a head and checks the note before anybody sees it.
async fn sign(
    log: LogId,
    origin: &str,
    head: TreeHead,
    signer: &dyn NoteSigner,
) -> Result<String, LogError> {
    let refused = LogError::Signing(log);
    let Ok(checkpoint) = Checkpoint::new(origin, head) else {
        return Err(refused);
    };
    let Ok(key) = signer.key().parse::<Vkey>() else {
        return Err(refused);
    };
    let note = Note::sign(&checkpoint.encode(), &[signer]).await;
    let note = note.map_err(|error| LogError::Unavailable(error.into()))?;
    if key.name() != origin || note.verify(&[key]).is_err() {
        return Err(refused);
    }
    Ok(note.to_string())
}
