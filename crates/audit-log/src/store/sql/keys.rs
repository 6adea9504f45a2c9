//! Signing keys of logs: one random seed per log, sealed under the operator's root and kept in the
//! audit database.

use std::sync::Arc;

use covenant_core::note::Ed25519Signer;
use covenant_core::sealer::{Owner, Place, Purpose};
use covenant_core::{BoxFuture, LogId, NoteSigner, Sealer, Secret};
use sql_store::{Args, Row};

use super::{LogKeys, SqlLog, store};
use crate::error::LogError;
use crate::field::OPERATOR_ROOT;

/// Keys that are made when a log is signed for the first time.
#[derive(Debug, Clone)]
pub struct SealedKeys {
    log: SqlLog,
    sealer: Arc<dyn Sealer>,
}

impl SealedKeys {
    /// The keys in this audit database, sealed by `sealer`.
    #[must_use]
    pub const fn new(log: SqlLog, sealer: Arc<dyn Sealer>) -> Self {
        Self { log, sealer }
    }

    /// The verifier key of a log, for those who check its checkpoints; `None` before the first.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn vkey(&self, log: LogId) -> Result<Option<String>, LogError> {
        let row = self.row(log).await?;
        row.map(|row| row.text("vkey").map(str::to_owned))
            .transpose()
            .map_err(store)
    }

    async fn row(&self, log: LogId) -> Result<Option<Row>, LogError> {
        let mut tx = self.log.reader().await?;
        let sql = include_str!("../../../sql/read_key.sql");
        tx.row(sql, Args::new().bind(log)).await.map_err(store)
    }

    async fn mint(&self, log: LogId, origin: &str) -> Result<(), LogError> {
        let mut seed = Secret::new([0_u8; 32]);
        let unavailable = |e| LogError::Unavailable(Box::new(e));
        self.log
            .random()
            .fill(seed.expose_mut())
            .map_err(unavailable)?;
        let signer = Ed25519Signer::from_seed(origin, &seed).or(Err(LogError::Signing(log)))?;
        let sealed = self.sealer.seal(&place(log)?, seed.expose()).await;
        let sealed = sealed.map_err(|error| LogError::Unavailable(error.into()))?;
        let args = Args::new()
            .bind(log)
            .bind(origin)
            .bind(signer.key())
            .bind(sealed);
        let mut tx = self.log.writer(None).await?;
        tx.execute(include_str!("../../../sql/insert_key.sql"), args)
            .await
            .map_err(store)?;
        tx.commit().await.map_err(store)
    }

    async fn open(&self, log: LogId, origin: &str) -> Result<Arc<dyn NoteSigner>, LogError> {
        if self.row(log).await?.is_none() {
            self.mint(log, origin).await?;
        }
        // read again: of two that made a key at once, one was kept
        let row = self.row(log).await?.ok_or(LogError::Signing(log))?;
        let sealed = row.bytes("seed").map_err(store)?;
        let opened = self.sealer.open(&place(log)?, sealed).await;
        let opened = opened.map_err(|error| LogError::Unavailable(error.into()))?;
        let seed = opened
            .expose()
            .as_slice()
            .try_into()
            .or(Err(LogError::Signing(log)))?;
        let signer = Ed25519Signer::from_seed(origin, &Secret::new(seed));
        let signer = signer.or(Err(LogError::Signing(log)))?;
        if row.text("origin").map_err(store)? != origin
            || row.text("vkey").map_err(store)? != signer.key()
        {
            return Err(LogError::Signing(log));
        }
        Ok(Arc::new(signer))
    }
}

fn place(log: LogId) -> Result<Place, LogError> {
    let owner = Owner::Platform(OPERATOR_ROOT);
    Place::new(
        owner,
        Purpose::Platform,
        "audit_key",
        "seed",
        log.as_bytes(),
    )
    .or(Err(LogError::Signing(log)))
}

impl LogKeys for SealedKeys {
    fn signer<'a>(
        &'a self,
        log: LogId,
        origin: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn NoteSigner>, LogError>> {
        Box::pin(self.open(log, origin))
    }
}
