//! The stores of tenants: where rows are, and how a transaction of one tenant is had.

mod sqlite_file;

use std::any::Any;
use std::fmt;
use std::path::{Path, PathBuf};

use covenant_core::{BoxFuture, Region, RegionSet, TenantId};
use sql_store::{DbError, MigrateError, Migrations, OpenError, Tx};

pub use sqlite_file::{SqliteFileOptions, SqliteFileStore};

use crate::{IdentityMismatch, Permit, StoreIdentity, StoreModel};

/// Where tenants' rows are kept.
///
/// # Contract
/// Every method that takes a [`Permit`] works in the store of the permit's tenant and in no other,
/// and only when that store carries the identity that the permit names. Nothing but `provision`
/// and `replace` ever creates a store. A transaction of a permit at level `read` is one that the
/// database itself opened read-only.
///
/// # Errors
/// [`StoreError`]; after one nothing was changed, but for `remove`, which may be repeated.
///
/// # Implementing
/// A permit comes only from a live scope, whose methods call this trait; nobody else can. Run
/// `testing::store_suite` (feature `testing`).
pub trait TenantStore: fmt::Debug + Send + Sync {
    /// How tenants are kept apart, and where.
    fn placement(&self) -> Placement;
    /// Looks for whatever would break the isolation.
    fn self_check(&self) -> BoxFuture<'_, Result<IsolationReport, StoreError>>;
    /// Makes the store of this identity, with these tables; one that is already there, with this
    /// identity, gets the steps that it lacks.
    fn provision<'s>(
        &'s self,
        identity: &'s StoreIdentity,
        tables: &'s [Migrations],
    ) -> BoxFuture<'s, Result<(), StoreError>>;
    /// Begins a transaction.
    fn begin<'s>(&'s self, permit: Permit<'s>) -> BoxFuture<'s, Result<Tx, StoreError>>;
    /// Tells how large the store is.
    fn metadata<'s>(
        &'s self,
        permit: Permit<'s>,
    ) -> BoxFuture<'s, Result<StoreMetadata, StoreError>>;
    /// Waits until no transaction is open, and keeps everybody out of the store until the slot is
    /// dropped: for a flush or a copy.
    fn maintain<'s>(
        &'s self,
        permit: Permit<'s>,
    ) -> BoxFuture<'s, Result<MaintenanceSlot, StoreError>>;
    /// Puts a restored store in place, as the next generation: the file must be one of the same
    /// tenant and store, of this generation or an older one. It is copied; the permit's own
    /// generation is refused from then on.
    fn replace<'s>(
        &'s self,
        permit: Permit<'s>,
        restored: &'s Path,
    ) -> BoxFuture<'s, Result<(), StoreError>>;
    /// Removes the store with everything beside it, durably; lists what was there. A store that is
    /// not there is no error, so that a removal can be repeated.
    fn remove<'s>(&'s self, permit: Permit<'s>) -> BoxFuture<'s, Result<Vec<PathBuf>, StoreError>>;
}

/// How a store keeps tenants apart, and the regions in which it can keep them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// How tenants are kept apart.
    pub model: StoreModel,
    /// Where.
    pub regions: RegionSet,
}

impl Placement {
    /// Checks that a tenant of this region may be kept here.
    ///
    /// # Errors
    /// [`StoreError::WrongRegion`].
    pub fn check(&self, region: &Region) -> Result<(), StoreError> {
        if self.regions.contains(region) {
            Ok(())
        } else {
            Err(StoreError::WrongRegion {
                region: region.clone(),
            })
        }
    }
}

/// What may be known of a store without seeing a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreMetadata {
    /// How many bytes it has on the disk, side files included.
    pub bytes: u64,
}

/// What a check of the isolation found; an empty list is a pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IsolationReport {
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Something that breaks, or may break, the isolation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The path.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Exclusive use of one tenant's store, until dropped.
#[must_use = "dropped at once it keeps nobody out"]
pub struct MaintenanceSlot {
    file: PathBuf,
    #[expect(dead_code, reason = "held for its destructor")]
    hold: Box<dyn Any + Send + Sync>,
}

impl MaintenanceSlot {
    /// The slot of this file; `hold` keeps everybody out as long as it lives.
    pub fn new(file: PathBuf, hold: Box<dyn Any + Send + Sync>) -> Self {
        Self { file, hold }
    }

    /// The database file, for a maintenance connection.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }
}

impl fmt::Debug for MaintenanceSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaintenanceSlot")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// A store refused, or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// All stores that may be open at once are in use, or this one is kept for maintenance.
    #[error("the store of tenant {tenant} is busy")]
    Busy {
        /// The tenant.
        tenant: TenantId,
    },
    /// The database failed.
    #[error("the database of the store failed")]
    Database(#[from] DbError),
    /// The store is not the one that the registry expects there.
    #[error("the store of tenant {tenant} was refused")]
    Identity {
        /// The tenant.
        tenant: TenantId,
        /// What differs.
        #[source]
        mismatch: IdentityMismatch,
    },
    /// The file system refused.
    #[error("{} cannot be used", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The tables cannot be made.
    #[error("the tables of the store cannot be made")]
    Migrate(#[from] MigrateError),
    /// The store is not there; it is never created by the way.
    #[error("the store of tenant {tenant} is missing")]
    Missing {
        /// The tenant.
        tenant: TenantId,
    },
    /// The action of the scope is not the one that this takes.
    #[error("action {action} does not permit this")]
    NotPermitted {
        /// The action of the scope.
        action: crate::AccessAction,
    },
    /// The database cannot be opened.
    #[error("the database of the store cannot be opened")]
    Open(#[from] OpenError),
    /// A folder or file is not as it must be: a link, of another kind, or open to others.
    #[error("{} is refused: {what}", path.display())]
    Unsafe {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The tenant's region is not one of this store's.
    #[error("this store keeps nothing in region {region}")]
    WrongRegion {
        /// The tenant's region.
        region: Region,
    },
}
