//! A deployment in a temporary folder, under a clock that stands still until it is moved.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit_log::changes::coverage;
use audit_log::log_of;
use audit_log::verify::{Outside, verify};
use covenant::{Covenant, NewRecord, Profile, Settings, StartError, Swept, Wraps};
use covenant_core::testing::SeededRandom;
use covenant_core::{Clock, ItemId, ManualClock, RegionSet, TenantId, TxTag, TxnId, UserId};
use policy_document::Document;
use retention_policy::scan::{Needle, find};
use sql_store::{Db, Durability, Mode, SqliteOptions, SqliteProfile};
use tempfile::TempDir;
use tenant_isolation::Caller;
use time::UtcDateTime;

/// What a test ends with.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn StdError>>;

/// When every deployment is made.
pub(crate) const START: UtcDateTime = match UtcDateTime::from_unix_timestamp(1_800_000_000) {
    Ok(start) => start,
    Err(_) => UtcDateTime::UNIX_EPOCH,
};
/// Sweeps that one stretch of time may take; more mean that something stays due for ever.
const SWEEPS_MAX: u32 = 20_000;

/// A deployment, and all that outlives its process.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Removed with its files when the stage is dropped.
    pub(crate) folder: TempDir,
    /// Time.
    pub(crate) clock: Arc<ManualClock>,
    /// The running deployment.
    pub(crate) covenant: Covenant,
    profile: Profile,
    seed: u64,
}

/// The document of this id.
pub(crate) fn document(id: &str) -> Outcome<Document> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../policies/{id}.toml"));
    let text = std::fs::read_to_string(file)?;
    Document::parse(&text).map_err(|errors| format!("{errors:?}").into())
}

/// The profile of the document of this id.
pub(crate) fn profile(id: &str) -> Outcome<Profile> {
    Ok(Profile::from_document(
        &document(id)?,
        RegionSet::new(["us-chicago"])?,
    )?)
}

/// What a deployment is started with.
pub(crate) fn settings(
    folder: &Path,
    profile: &Profile,
    clock: &Arc<ManualClock>,
    seed: u64,
    wraps: Wraps,
) -> Outcome<Settings> {
    Ok(Settings {
        folder: folder.to_path_buf(),
        profile: profile.clone(),
        clock: clock.clone(),
        random: Arc::new(SeededRandom::new(seed)),
        durability: Durability::Off,
        host: "covenant.example".parse()?,
        sites: Vec::new(),
        wraps,
    })
}

impl Stage {
    /// A new deployment that follows the document of this id.
    pub(crate) async fn new(policy: &str) -> Outcome<Self> {
        Self::with(profile(policy)?, Wraps::default()).await
    }

    /// A new deployment with this profile and these joints wrapped.
    pub(crate) async fn with(profile: Profile, wraps: Wraps) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let clock = Arc::new(ManualClock::at(START));
        let seed = 1;
        let settings = settings(&folder.path().join("d"), &profile, &clock, seed, wraps)?;
        let covenant = Covenant::create(settings).await?;
        Ok(Self {
            folder,
            clock,
            covenant,
            profile,
            seed,
        })
    }

    /// Starts the same deployment again, as another process.
    pub(crate) async fn restart(&mut self, wraps: Wraps) -> Outcome {
        self.covenant = self.start(wraps).await??;
        Ok(())
    }

    /// Starts the same deployment again, which follows this profile from then on.
    pub(crate) async fn follow(&mut self, profile: Profile) -> Outcome {
        self.profile = profile;
        self.restart(Wraps::default()).await
    }

    /// What starting it once more takes.
    pub(crate) fn settings(&mut self, wraps: Wraps) -> Outcome<Settings> {
        self.seed += 1;
        let root = self.root();
        settings(&root, &self.profile, &self.clock, self.seed, wraps)
    }

    /// What starting it again says.
    pub(crate) async fn start(&mut self, wraps: Wraps) -> Outcome<Result<Covenant, StartError>> {
        let settings = self.settings(wraps)?;
        Ok(Covenant::open(settings).await)
    }

    /// The deployment's folder.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("d")
    }

    /// The first tenant's database file.
    pub(crate) fn file(&self) -> PathBuf {
        let layout = self.covenant.layout();
        layout.tenant_file(self.covenant.region(), tenant(1))
    }

    /// Lets time pass until this instant, and sweeps whenever something is due.
    pub(crate) async fn run_until(&self, until: UtcDateTime) -> Outcome<Swept> {
        let mut sum = Swept::default();
        for _ in 0..SWEEPS_MAX {
            match self.covenant.next_due().await? {
                Some(due) if due <= until => self.clock.advance_to(due),
                _ => {
                    self.clock.advance_to(until);
                    return Ok(sum);
                }
            }
            let swept = self.covenant.sweep().await?;
            sum.backups += swept.backups;
            sum.purged += swept.purged;
            sum.binned += swept.binned;
            sum.files += swept.files;
            sum.databases += swept.databases;
            sum.epochs += swept.epochs;
            sum.keys += swept.keys;
            sum.waiting += swept.waiting;
            sum.failed += swept.failed;
            sum.in_doubt |= swept.in_doubt;
        }
        Err("something stays due for ever".into())
    }

    /// Lets this much time pass, likewise.
    pub(crate) async fn run_for(&self, span: time::Duration) -> Outcome<Swept> {
        self.run_until(self.clock.now() + span).await
    }

    /// How often any of these salts lies in the live stores.
    pub(crate) fn live_sightings(&self, salts: &[[u8; 24]]) -> Outcome<usize> {
        let layout = self.covenant.layout();
        Ok(sightings(&layout.tenants(), salts)? + sightings(&layout.objects(), salts)?)
    }
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// How often any of these salts lies in the files below a folder.
pub(crate) fn sightings(folder: &Path, salts: &[[u8; 24]]) -> Outcome<usize> {
    let needles: Result<Vec<Needle>, _> = salts
        .iter()
        .map(|salt| Needle::new(salt.to_vec()))
        .collect();
    Ok(find(&files(folder)?, &needles?)?.sightings.len())
}

/// A tenant by number.
pub(crate) fn tenant(number: u8) -> TenantId {
    TenantId::from_bytes([number; 16])
}

/// The admin of a tenant.
pub(crate) fn admin(number: u8) -> Caller {
    Caller::member(tenant(number), admin_id(number), [192, 0, 2, 7].into())
}

/// The admin's id.
pub(crate) fn admin_id(number: u8) -> UserId {
    UserId::from_bytes([number ^ 0x80; 16])
}

/// A record's id.
pub(crate) fn item(name: &str) -> Outcome<ItemId> {
    Ok(ItemId::try_from(name)?)
}

/// A record with everything a record can have.
pub(crate) fn full(body: &str) -> NewRecord {
    NewRecord {
        body: body.as_bytes().to_vec(),
        sensitive: Some(format!("{body}, sensitive").into_bytes()),
        attachments: vec![format!("{body}, attached").repeat(100).into_bytes()],
    }
}

/// A record with a body alone.
pub(crate) fn plain(body: &str) -> NewRecord {
    NewRecord {
        body: body.as_bytes().to_vec(),
        ..NewRecord::default()
    }
}

/// The log stands every check that needs nothing from outside, and accounts for every row.
pub(crate) async fn covered(stage: &Stage) -> Outcome {
    stage.covenant.sequence().await?;
    verified(stage).await?;
    let file = stage.file();
    let options = SqliteOptions::new(file, SqliteProfile::Control).readers(1);
    let db = Db::open_sqlite(options, stage.clock.clone()).await?;
    let tag = TxTag {
        txn: TxnId::from_bytes([0; 16]),
        tenant: None,
        decision: None,
    };
    let mut tx = db.begin_with(Mode::ReadOnly, tag).await?;
    let log = stage.covenant.log();
    let measured = coverage(&mut tx, log.as_ref(), log_of(tenant(1)), 0).await?;
    drop(tx);
    db.close().await;
    assert!(measured.is_complete(), "{measured:?}");
    assert_eq!(measured.attributed_rows(), measured.touched_rows());
    assert!(measured.touched_rows() >= 2, "{measured:?}");
    Ok(())
}

/// The log stands every check that needs nothing from outside.
pub(crate) async fn verified(stage: &Stage) -> Outcome {
    let log = stage.covenant.log();
    let report = verify(log.as_ref(), log_of(tenant(1)), &Outside::default()).await?;
    assert!(report.nothing_failed(), "{report:?}");
    assert!(report.head().size > 0, "an empty log proves nothing");
    Ok(())
}

/// Copies a database with what lies beside it, over what was there.
pub(crate) fn copy_database(from: &Path, to: &Path) -> Outcome {
    remove_database(to)?;
    for side in SIDES {
        if beside(from, side).exists() {
            std::fs::copy(beside(from, side), beside(to, side))?;
        }
    }
    Ok(())
}

/// Removes a database with what lies beside it.
pub(crate) fn remove_database(file: &Path) -> Outcome {
    for side in SIDES {
        match std::fs::remove_file(beside(file, side)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// What SQLite keeps beside a database file, and the file itself.
const SIDES: [&str; 3] = ["", "-wal", "-shm"];

fn beside(file: &Path, side: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(side);
    name.into()
}
