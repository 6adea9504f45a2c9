//! PostgreSQL: a pool whose connections start with the serving profile, are scrubbed when they come
//! back, and are closed unless they are proven clean.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use covenant_core::{BoxFuture, Clock, Random, TxTag};

use uuid::Uuid;

use crate::db::{Backend, Quiet, Shared};
use crate::pool::{Origin, Pool};
use crate::tx::Session;
use crate::{Db, DbError, Dialect, Mode, OpenError};

mod connect;
mod failure;
mod maintenance;
mod options;
mod scrub;
mod session;

pub use maintenance::PostgresMaintenance;
pub use options::{Isolation, PostgresOptions, Transport};
pub(crate) use session::execute;

use connect::Opener;
use session::PgSession;

#[derive(Debug)]
struct Server {
    pool: Arc<Pool<Opener>>,
}

impl Db {
    /// Opens a database of a PostgreSQL server. Random bytes make the nonce by which a connection
    /// knows itself again: a pooler that swaps sessions, or drops start-up options, is found out.
    ///
    /// # Errors
    /// [`OpenError::Version`] for a server with known leaks, [`OpenError::Setting`] when a setting
    /// of the serving profile did not arrive, [`OpenError::Options`], else [`OpenError::Database`].
    // clause: Q-03
    pub async fn open_postgres(
        options: PostgresOptions,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, OpenError> {
        options.check()?;
        let (size, wait) = (options.connections, options.acquire_wait);
        let opener = Opener::new(options, Arc::clone(&clock), random);
        let pool = Arc::new(Pool::new(opener, size, wait));
        // the first connection tells whether server and settings are right
        pool.put_first(pool.connector().open().await?);
        let shared = Shared::new(clock, Dialect::Postgres, Uuid::nil());
        Ok(Self::new(Arc::new(Server { pool }), shared))
    }
}

impl Backend for Server {
    fn begin(&self, mode: Mode, tag: TxTag) -> BoxFuture<'_, Result<Box<dyn Session>, DbError>> {
        Box::pin(async move {
            loop {
                let mut slot = self.pool.take().await?;
                let origin = slot.origin;
                // dropped here, the slot closes its connection, begun or not
                match connect::begin(&mut slot.conn, mode, tag).await {
                    Ok(()) => return Ok(Box::new(PgSession::new(slot, tag)) as Box<dyn Session>),
                    // an idle connection may have died with its server; a new one tells
                    Err(_) if origin == Origin::Idle => drop(slot),
                    Err(error) => return Err(error),
                }
            }
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.pool.close())
    }

    fn quiesce(&self, wait: Duration) -> BoxFuture<'_, Result<Quiet, DbError>> {
        Box::pin(async move { Ok(Quiet::new(vec![self.pool.quiesce(wait).await?])) })
    }

    fn file(&self) -> Option<&Path> {
        None
    }

    fn rejected(&self) -> u64 {
        self.pool.rejected()
    }
}
