//! Stores of an integrator, as the commands that work on rows are told of them: a database whose
//! views say what its rows are, and the ledger apart from it.

use std::sync::Arc;

use covenant_core::event::{ActorContext, ActorKind, Path};
use covenant_core::{Clock, PrincipalId, Random, SystemClock, SystemRandom, TenantId};
use retention_policy::hold::sql::SqlHolds;
use retention_policy::ledger::SqlLedger;
use retention_policy::rows::{CatchUpError, CaughtUp, Rows, RowsError, Seen, catch_up};
use retention_policy::{HoldError, LedgerError};
use sql_store::SqliteProfile;

use crate::command::key_place::{Begin, DatabasePlace, chain, database, postgres, sqlite_file};
use crate::output::Failure;

/// Where rows are.
#[derive(Debug, clap::Args)]
pub(super) struct StorePlace {
    /// The store: an SQLite file, or a URL: `sqlite:FILE`, `postgres://USER@HOST/DATABASE` with
    /// `sslmode=verify-full` or the folder of a socket.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// The schema of a store in PostgreSQL, with the views.
    #[arg(long, value_name = "NAME", default_value = "public")]
    schema: String,
    /// The ledger, which lies outside every backup of the store: a file or a URL, as `--store`.
    #[arg(long, value_name = "URL")]
    ledger: Option<String>,
    /// The schema of a ledger in PostgreSQL, which must exist.
    #[arg(long, value_name = "NAME", default_value = "covenant_ledger")]
    ledger_schema: String,
}

/// What a command does with the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// It reads, and looks at the ledger where one is named.
    Rows,
    /// It changes what the ledger tells of.
    Ledger,
}

/// A store, brought up to date with its ledger.
pub(super) struct Opened {
    pub(super) rows: Rows,
    pub(super) ledger: Option<SqlLedger>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
}

impl StorePlace {
    /// Whether a store is named.
    pub(super) const fn is_named(&self) -> bool {
        self.store.is_some()
    }

    /// The store, as databases are told of.
    pub(super) fn database(&self) -> Result<DatabasePlace<'_>, Failure> {
        let url = self.store.as_deref();
        Ok(DatabasePlace {
            argument: "--store",
            url: url.ok_or_else(|| Failure::usage("--store is needed"))?,
            schema: &self.schema,
            profile: SqliteProfile::Tenant,
        })
    }

    fn ledger(&self) -> Option<DatabasePlace<'_>> {
        self.ledger.as_deref().map(|url| DatabasePlace {
            argument: "--ledger",
            url,
            schema: &self.ledger_schema,
            profile: SqliteProfile::Control,
        })
    }

    /// Opens the store alone.
    pub(super) async fn open_rows(&self) -> Result<Opened, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let random: Arc<dyn Random> = Arc::new(SystemRandom::new());
        let db = database(self.database()?, Begin::Open, &clock, &random).await?;
        let rows = Rows::open(db).await.map_err(|error| unread(&error))?;
        Ok(Opened {
            rows,
            ledger: None,
            clock,
            random,
        })
    }

    /// Opens the store, and its ledger where one is named.
    pub(super) async fn open(&self, needs: Needs, begin: Begin) -> Result<Opened, Failure> {
        let ledger = self.ledger();
        if needs == Needs::Ledger && ledger.is_none() {
            return Err(Failure::usage("--ledger is needed"));
        }
        let mut opened = self.open_rows().await?;
        if let Some(place) = ledger {
            if begin == Begin::Open && postgres(&place)?.is_none() {
                let file = sqlite_file(&place)?;
                if !file.exists() {
                    return Err(Failure::unreachable(format!(
                        "{} does not exist: `covenant retention init` makes a ledger; one that was \
                         lost must be put back",
                        file.display()
                    )));
                }
            }
            let db = database(place, begin, &opened.clock, &opened.random).await?;
            let ledger = SqlLedger::open(db).await.map_err(|error| behind(&error))?;
            opened.ledger = Some(ledger);
        }
        Ok(opened)
    }

    /// Opens both, and has the store take over what it lacks of the ledger.
    pub(super) async fn current(&self, needs: Needs, tenant: TenantId) -> Result<Opened, Failure> {
        let opened = self.open(needs, Begin::Open).await?;
        opened.catch_up(tenant).await?;
        Ok(opened)
    }
}

impl Opened {
    /// Moves facts between the store and its ledger, where one is named.
    pub(super) async fn catch_up(&self, tenant: TenantId) -> Result<CaughtUp, Failure> {
        match &self.ledger {
            None => Ok(CaughtUp::default()),
            Some(ledger) => {
                catch_up(&self.rows, ledger, tenant)
                    .await
                    .map_err(|error| match &error {
                        CatchUpError::Ledger(ledger) => behind(ledger),
                        CatchUpError::Holds(holds) => held(holds),
                        CatchUpError::Rows(rows) => unread(rows),
                        _ => Failure::unreachable(chain(&error)),
                    })
            }
        }
    }

    /// What there is of the tenant.
    pub(super) async fn seen(&self, tenant: TenantId) -> Result<Seen, Failure> {
        let seen = self.rows.seen(tenant).await;
        seen.map_err(|error| unread(&error))
    }

    /// The holds of the store, whose events go to the ledger.
    pub(super) async fn holds(&self) -> Result<SqlHolds, Failure> {
        let ledger = self.ledger.clone();
        let ledger = ledger.ok_or_else(|| Failure::usage("--ledger is needed"))?;
        let holds = SqlHolds::open(self.rows.db().clone(), Arc::new(ledger)).await;
        holds.map_err(|error| held(&error))
    }
}

/// A principal as the actor that he says he is.
pub(super) fn staff(by: PrincipalId) -> ActorContext {
    ActorContext {
        kind: ActorKind::Staff,
        id: Some(by.as_uuid()),
        on_behalf_of: None,
        path: Path::Server,
        address: None,
    }
}

/// Why rows cannot be read.
pub(super) fn unread(error: &RowsError) -> Failure {
    match error {
        RowsError::Shape(_) | RowsError::Malformed { .. } | RowsError::TooMany { .. } => {
            Failure::usage(chain(error))
        }
        RowsError::Holds(error) => held(error),
        _ => Failure::unreachable(chain(error)),
    }
}

/// Why holds do not allow something.
pub(super) fn held(error: &HoldError) -> Failure {
    match error {
        HoldError::Unknown(_) => Failure::usage(chain(error)),
        HoldError::Unavailable(_) => Failure::unreachable(chain(error)),
        _ => Failure::refused(chain(error)),
    }
}

fn behind(error: &LedgerError) -> Failure {
    match error {
        LedgerError::Behind { .. } => Failure::refused(chain(error)),
        _ => Failure::unreachable(chain(error)),
    }
}
