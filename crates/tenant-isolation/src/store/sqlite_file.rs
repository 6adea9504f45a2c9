//! One SQLite file per tenant: isolation is the file's. A file opens only when it carries the
//! identity that the registry expects of it, so a file swapped, put back by hand or moved to
//! another region is refused.

mod folder;
mod seat;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use covenant_core::{BoxFuture, Clock, Region, RegionSet, TenantId, TxTag, TxnId};
use sql_store::{
    Args, Db, DbError, Durability, Migrations, Mode, OpenError, SqliteOptions, SqliteProfile, Tx,
};

use crate::store::{
    IsolationReport, MaintenanceSlot, Placement, StoreError, StoreMetadata, TenantStore,
};
use crate::{IdentityKey, IdentityMismatch, Permit, StoreIdentity, StoreModel};
use folder::Folder;
use seat::{Door, Seat, Seats};

const IDENTITY: Migrations = Migrations {
    crate_name: "tenant-isolation",
    steps: &[(
        "0001_identity",
        include_str!("../../migrations/0001_identity.sql"),
    )],
};
const READ_IDENTITY: &str = include_str!("../../sql/read_identity.sql");
const PUT_IDENTITY: &str = include_str!("../../sql/put_identity.sql");

/// Settings of the store; the figures of the default are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqliteFileOptions {
    /// Most databases open at once.
    pub open_tenants_max: usize,
    /// Readers of each.
    pub readers: u32,
    /// How long to wait for a database, a connection or a lock.
    pub busy_wait: Duration,
    /// Whether commits survive a loss of power.
    pub durability: Durability,
}

impl Default for SqliteFileOptions {
    fn default() -> Self {
        Self {
            open_tenants_max: 50,
            readers: 4,
            busy_wait: Duration::from_secs(5),
            durability: Durability::Full,
        }
    }
}

/// Stores of tenants as files below one folder. Clones are the same store.
#[derive(Debug, Clone)]
pub struct SqliteFileStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    regions: RegionSet,
    key: IdentityKey,
    clock: Arc<dyn Clock>,
    options: SqliteFileOptions,
    seats: Seats,
}

impl SqliteFileStore {
    /// The store below `root`, a folder that exists, for tenants of these regions. Identities are
    /// made and checked under `key`.
    ///
    /// # Errors
    /// [`StoreError::Io`] or [`StoreError::Unsafe`] when the root is no folder.
    pub fn open(
        root: impl Into<PathBuf>,
        regions: RegionSet,
        key: IdentityKey,
        clock: Arc<dyn Clock>,
        options: SqliteFileOptions,
    ) -> Result<Self, StoreError> {
        let root = root.into();
        match root.metadata() {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => {
                return Err(StoreError::Unsafe {
                    path: root,
                    what: "not a folder",
                });
            }
            Err(source) => return Err(StoreError::Io { path: root, source }),
        }
        let seats = Seats::new(options.open_tenants_max, options.busy_wait);
        Ok(Self {
            shared: Arc::new(Shared {
                root,
                regions,
                key,
                clock,
                options,
                seats,
            }),
        })
    }

    /// The tenants that have a folder in this region, in the order of ids.
    ///
    /// # Errors
    /// [`StoreError::WrongRegion`] for a region of another store; [`StoreError::Io`].
    pub fn tenants(&self, region: &Region) -> Result<Vec<TenantId>, StoreError> {
        self.placement().check(region)?;
        folder::tenants(&self.shared.root, region)
    }

    /// How many databases are open now.
    #[must_use]
    pub fn open_tenants(&self) -> usize {
        self.shared.seats.open()
    }

    /// Closes all databases, after waiting for their transactions.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when one does not end in time; the others stay open too.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.shared.seats.close().await
    }
}

impl TenantStore for SqliteFileStore {
    fn placement(&self) -> Placement {
        Placement {
            model: StoreModel::SqliteFile,
            regions: self.shared.regions.clone(),
        }
    }

    fn self_check(&self) -> BoxFuture<'_, Result<IsolationReport, StoreError>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let survey = move || folder::survey(&shared.root, &shared.regions);
            Ok(IsolationReport {
                findings: blocking(survey).await?,
            })
        })
    }

    fn provision<'s>(
        &'s self,
        identity: &'s StoreIdentity,
        tables: &'s [Migrations],
    ) -> BoxFuture<'s, Result<(), StoreError>> {
        Box::pin(async move {
            let (seat, door) = self.shared.enter(identity).await?;
            let folder = self.shared.folder(identity);
            if on(&folder, &door, Folder::is_provisioned).await? {
                let db = self.shared.seated(&seat, &door, identity).await?;
                return migrate(&db, tables).await;
            }
            on(&folder, &door, |folder| {
                folder.create().and_then(|()| folder.clear_new())
            })
            .await?;
            let options = self.shared.sqlite(folder.new_file());
            let db = Db::create_sqlite(options, Arc::clone(&self.shared.clock)).await?;
            migrate(&db, &[IDENTITY]).await?;
            migrate(&db, tables).await?;
            put_identity(&db, identity.seal(&self.shared.key)).await?;
            db.close().await;
            on(&folder, &door, Folder::adopt_new).await
        })
    }

    fn begin<'s>(&'s self, permit: Permit<'s>) -> BoxFuture<'s, Result<Tx, StoreError>> {
        Box::pin(async move {
            let identity = permit.identity();
            self.placement().check(identity.region())?;
            let seat = self.shared.seats.of(identity.tenant());
            if let Some(db) = seat.database(identity) {
                match db.begin_with(permit.mode(), permit.tag()).await {
                    // Given up for another tenant between the look and the begin: open it again.
                    Err(DbError::Closed) => {}
                    begun => return Ok(begun?),
                }
            }
            // With the door held until the transaction has begun, nobody closes it again.
            let door = seat.enter(self.shared.options.busy_wait).await?;
            let db = self.shared.seated(&seat, &door, identity).await?;
            Ok(db.begin_with(permit.mode(), permit.tag()).await?)
        })
    }

    fn metadata<'s>(
        &'s self,
        permit: Permit<'s>,
    ) -> BoxFuture<'s, Result<StoreMetadata, StoreError>> {
        Box::pin(async move {
            self.placement().check(permit.identity().region())?;
            let folder = self.shared.folder(permit.identity());
            Ok(StoreMetadata {
                bytes: blocking(move || folder.bytes()).await?,
            })
        })
    }

    fn maintain<'s>(
        &'s self,
        permit: Permit<'s>,
    ) -> BoxFuture<'s, Result<MaintenanceSlot, StoreError>> {
        Box::pin(async move {
            let (seat, door) = self.shared.enter(permit.identity()).await?;
            let db = self.shared.seated(&seat, &door, permit.identity()).await?;
            let quiet = db.quiesce(self.shared.options.busy_wait).await;
            let quiet = quiet.or(Err(StoreError::Busy {
                tenant: permit.tenant(),
            }))?;
            let file = self.shared.folder(permit.identity()).main();
            Ok(MaintenanceSlot::new(file, Box::new((quiet, door))))
        })
    }

    fn replace<'s>(
        &'s self,
        permit: Permit<'s>,
        restored: &'s Path,
    ) -> BoxFuture<'s, Result<(), StoreError>> {
        Box::pin(async move {
            let identity = permit.identity();
            let (seat, door) = self.shared.enter(identity).await?;
            let folder = self.shared.folder(identity);
            let from = restored.to_owned();
            on(&folder, &door, move |folder| {
                folder.create()?;
                folder.clear_new()?;
                folder.copy_new(&from)
            })
            .await?;
            let raised = self.shared.raise(identity, folder.new_file()).await;
            if let Err(error) = raised {
                on(&folder, &door, Folder::clear_new).await?;
                return Err(error);
            }
            drop(seat.close(self.shared.options.busy_wait).await?);
            on(&folder, &door, Folder::adopt_new).await
        })
    }

    fn remove<'s>(&'s self, permit: Permit<'s>) -> BoxFuture<'s, Result<Vec<PathBuf>, StoreError>> {
        Box::pin(async move {
            let (seat, door) = self.shared.enter(permit.identity()).await?;
            drop(seat.close(self.shared.options.busy_wait).await?);
            on(
                &self.shared.folder(permit.identity()),
                &door,
                Folder::remove,
            )
            .await
        })
    }
}

impl Shared {
    fn folder(&self, identity: &StoreIdentity) -> Folder {
        Folder::of(&self.root, identity, self.options.durability)
    }

    fn sqlite(&self, path: PathBuf) -> SqliteOptions {
        let mut options = SqliteOptions::new(path, SqliteProfile::Tenant);
        options.durability = self.options.durability;
        options.readers = self.options.readers;
        options.busy_wait = self.options.busy_wait;
        options
    }

    /// The seat of the tenant and the right to change what sits there.
    async fn enter(&self, identity: &StoreIdentity) -> Result<(Arc<Seat>, Door), StoreError> {
        let placement = Placement {
            model: StoreModel::SqliteFile,
            regions: self.regions.clone(),
        };
        placement.check(identity.region())?;
        let seat = self.seats.of(identity.tenant());
        let door = seat.enter(self.options.busy_wait).await?;
        Ok((seat, door))
    }

    /// The open database of this identity; opened, checked and seated unless it is already. The
    /// door is the seat's.
    async fn seated(
        &self,
        seat: &Seat,
        door: &Door,
        identity: &StoreIdentity,
    ) -> Result<Db, StoreError> {
        if let Some(db) = seat.database(identity) {
            return Ok(db);
        }
        // Of another generation: what sits there is no longer the tenant's store.
        drop(seat.close(self.options.busy_wait).await?);
        let folder = self.folder(identity);
        on(&folder, door, Folder::check).await?;
        let room = self.seats.room(identity.tenant()).await?;
        let options = self.sqlite(folder.main());
        let tenant = identity.tenant();
        let db = match Db::open_sqlite(options, Arc::clone(&self.clock)).await {
            Err(OpenError::Missing { .. }) => return Err(StoreError::Missing { tenant }),
            opened => opened?,
        };
        let found = read_identity(&db).await;
        let verdict = found.and_then(|found| {
            let found = found.ok_or(IdentityMismatch::MISSING);
            let verified = found.and_then(|bytes| identity.verify(&bytes, &self.key));
            verified.map_err(|mismatch| StoreError::Identity { tenant, mismatch })
        });
        if let Err(refused) = verdict {
            db.close().await;
            return Err(refused);
        }
        seat.take(db.clone(), identity.clone(), room);
        Ok(db)
    }

    /// Checks that a restored file is one of this store, and makes it the next generation.
    async fn raise(&self, identity: &StoreIdentity, file: PathBuf) -> Result<(), StoreError> {
        let tenant = identity.tenant();
        let db = Db::open_sqlite(self.sqlite(file), Arc::clone(&self.clock)).await?;
        let raised = async {
            let found = read_identity(&db).await?.ok_or(IdentityMismatch::MISSING);
            found
                .and_then(|bytes| identity.verify_older(&bytes, &self.key))
                .map_err(|mismatch| StoreError::Identity { tenant, mismatch })?;
            put_identity(&db, identity.raised().seal(&self.key)).await
        };
        let raised = raised.await;
        db.close().await;
        raised
    }
}

async fn migrate(db: &Db, tables: &[Migrations]) -> Result<(), StoreError> {
    for migrations in tables {
        db.migrate(migrations).await?;
    }
    Ok(())
}

/// The identity's own transactions are nobody's business transaction.
const fn tag() -> TxTag {
    TxTag {
        txn: TxnId::from_bytes([0; 16]),
        tenant: None,
        decision: None,
    }
}

async fn read_identity(db: &Db) -> Result<Option<Vec<u8>>, StoreError> {
    let mut tx = db.begin_with(Mode::ReadOnly, tag()).await?;
    let row = match tx.row(READ_IDENTITY, Args::new()).await {
        // No such table: a file that this crate never made.
        Err(DbError::Rejected(_)) => return Ok(None),
        row => row?,
    };
    let record = row
        .map(|row| row.bytes("record").map(<[u8]>::to_vec))
        .transpose()?;
    tx.commit().await?;
    Ok(record)
}

async fn put_identity(db: &Db, record: Vec<u8>) -> Result<(), StoreError> {
    let mut tx = db.begin_with(Mode::ReadWrite, tag()).await?;
    tx.execute(PUT_IDENTITY, Args::new().bind(record)).await?;
    Ok(tx.commit().await?)
}

/// Runs file operations of a folder where they may block. They keep the door until they are done,
/// even when nobody waits for them any more.
async fn on<T: Send + 'static>(
    folder: &Folder,
    door: &Door,
    run: impl FnOnce(&Folder) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let (folder, door) = (folder.clone(), Arc::clone(door));
    let done = blocking(move || {
        let result = run(&folder);
        drop(door);
        result
    });
    done.await
}

async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(run).await {
        Ok(result) => result,
        Err(error) => {
            let source = std::io::Error::other(error);
            Err(StoreError::Io {
                path: PathBuf::new(),
                source,
            })
        }
    }
}
