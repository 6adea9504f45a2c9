//! Physical erasure: what must happen under a database so that no file of it holds a byte of what was
//! deleted, and the look that shows it. One pair of traits for every database: [`Flush`] removes,
//! [`Verify`] looks. The suite of [`crate::testing`] runs over each pair.

use std::fmt::Debug;
use std::path::Path;

use covenant_core::BoxFuture;

#[cfg(doc)]
use crate::apply::Flush;
use crate::apply::FlushError;
use crate::scan::{Needle, Scanned};

pub mod bucket;
mod forecast;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod turns;

pub use forecast::{FLUSH_TIME_MAX, FlushRate, Forecast, ROOM_FACTOR};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use turns::{BACKUP_READ_MAX, Turn, Turns};

#[cfg(feature = "postgres")]
pub use postgres::{LogTurn, PostgresFlush};

/// Where needles were seen under a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// In files that a flush answers for: anything here means that bytes are still present.
    pub live: Scanned,
    /// In logs that the server recycles in its own time: what is here goes on the certificate as
    /// remaining, with the date by which it goes.
    pub remains: Scanned,
}

impl Verified {
    /// Whether nothing was seen anywhere.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        self.live.sightings.is_empty() && self.remains.sightings.is_empty()
    }
}

/// Looks for bytes under a database, in every file of it, live or not.
///
/// # Contract
/// Whatever a needle is found in, it is reported: free pages, gaps of live pages, logs and journals
/// included. Looking changes nothing.
///
/// # Errors
/// [`FlushError::Unavailable`]; nothing is known then.
///
/// # Implementing
/// Run `testing::physical` over it.
pub trait Verify: Debug + Send + Sync {
    /// Looks under the database at this place: the file of SQLite, the data directory of PostgreSQL.
    fn verify<'a>(
        &'a self,
        place: &'a Path,
        needles: &'a [Needle],
    ) -> BoxFuture<'a, Result<Verified, FlushError>>;
}
