//! Where keys are, as every command that needs them is told: a key store in SQLite or PostgreSQL,
//! and key-encryption keys in files or in a PKCS#11 module.

use std::path::PathBuf;
use std::sync::Arc;

use covenant_core::{Clock, Random, SystemClock, SystemRandom};
use crypto_envelope::backend::pkcs11::{Pkcs11Backend, Pkcs11Url};
use crypto_envelope::backend::{BackendError, FileBackend, KekBackend};
use crypto_envelope::store::{SqlStore, StoreError};
use crypto_envelope::transit::{Endpoint, Plaintext};
use crypto_envelope::{KeyError, Keys, KeysOptions};
use sql_store::{Db, PostgresOptions, SqliteOptions, SqliteProfile, Transport};

use crate::output::Failure;

/// Where keys are.
#[derive(Debug, clap::Args)]
pub(crate) struct KeyPlace {
    /// The key store: an SQLite file, or a URL: `sqlite:FILE`, `postgres://USER@HOST/DATABASE` with
    /// `sslmode=verify-full` or the folder of a socket.
    #[arg(long, value_name = "URL", global = true)]
    store: Option<String>,
    /// Where key-encryption keys are: a directory, `file:DIR`, or
    /// `pkcs11:token=LABEL?module-path=FILE&pin-source=file:FILE`.
    #[arg(long, value_name = "URL", global = true)]
    keys: Option<String>,
    /// The schema of a key store in PostgreSQL, which must exist.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "covenant_keys",
        global = true
    )]
    schema: String,
}

/// Whether the keys are to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// They are made.
    Create,
    /// They are there.
    Open,
}

/// The keys, and the time and randomness that they work with.
pub(crate) struct Opened {
    pub(crate) keys: Arc<Keys>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

/// Runs a command that waits for stores.
pub(crate) fn waited<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unreachable(error.to_string()))?
        .block_on(work)
}

impl KeyPlace {
    /// Opens the keys.
    pub(crate) async fn open(&self, begin: Begin) -> Result<Opened, Failure> {
        let missing = |name: &str| Failure::usage(format!("{name} is needed"));
        let store = self.store.as_deref().ok_or_else(|| missing("--store"))?;
        let place = self.keys.as_deref().ok_or_else(|| missing("--keys"))?;
        // all that is said is looked at before anything is made
        let place = Keks::parse(place)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let random: Arc<dyn Random> = Arc::new(SystemRandom::new());
        let store = DatabasePlace {
            argument: "--store",
            url: store,
            schema: &self.schema,
            profile: SqliteProfile::Control,
        };
        let db = database(store, begin, &clock, &random).await?;
        let backend = place.open(begin, &random).await?;
        let store = SqlStore::open(db)
            .await
            .map_err(|error| failure(error.into()))?;
        let options = KeysOptions::default();
        let keys = Keys::open(
            Arc::new(store),
            backend,
            Arc::clone(&clock),
            Arc::clone(&random),
            options,
        );
        let keys = Arc::new(keys.await.map_err(failure)?);
        Ok(Opened {
            keys,
            clock,
            random,
        })
    }
}

/// Where a database is, and what it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DatabasePlace<'a> {
    /// The argument that says so.
    pub(crate) argument: &'static str,
    /// A file or a URL.
    pub(crate) url: &'a str,
    /// The schema in PostgreSQL.
    pub(crate) schema: &'a str,
    /// What a file is.
    pub(crate) profile: SqliteProfile,
}

/// Opens a database in SQLite or PostgreSQL; a server that would be asked in the clear, or without
/// being verified, is refused before it is asked.
pub(crate) async fn database(
    place: DatabasePlace<'_>,
    begin: Begin,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> Result<Db, Failure> {
    let unreachable = |error: &dyn std::error::Error| Failure::unreachable(chain(error));
    if let Some(options) = postgres(&place)? {
        return Db::open_postgres(options, Arc::clone(clock), Arc::clone(random))
            .await
            .map_err(|error| unreachable(&error));
    }
    let options = SqliteOptions::new(sqlite_file(&place)?, place.profile);
    let db = match begin {
        Begin::Create => Db::create_sqlite(options, Arc::clone(clock)).await,
        Begin::Open => Db::open_sqlite(options, Arc::clone(clock)).await,
    };
    db.map_err(|error| unreachable(&error))
}

/// How to reach a database in PostgreSQL; `None` for a file.
pub(crate) fn postgres(place: &DatabasePlace<'_>) -> Result<Option<PostgresOptions>, Failure> {
    let (url, argument) = (place.url, place.argument);
    if !url.starts_with("postgres:") && !url.starts_with("postgresql:") {
        return Ok(None);
    }
    // clause: P-11
    let transport = match Endpoint::judge(url, Plaintext::Refused) {
        Ok(Endpoint::UnixSocket) => Transport::Local,
        Ok(_) => Transport::Tls,
        Err(error) => return Err(Failure::refused(format!("{argument}: {error}"))),
    };
    PostgresOptions::new(url, place.schema, transport)
        .map(Some)
        .map_err(|error| Failure::usage(format!("{argument}: {}", chain(&error))))
}

/// The file of a database in SQLite.
pub(crate) fn sqlite_file(place: &DatabasePlace<'_>) -> Result<PathBuf, Failure> {
    file(place.url, "sqlite:", place.argument)
}

/// Where key-encryption keys are.
enum Keks {
    Files(PathBuf),
    Module(Pkcs11Url),
}

impl Keks {
    fn parse(place: &str) -> Result<Self, Failure> {
        if place.starts_with("pkcs11:") {
            let url = place.parse();
            let url = url.map_err(|error| Failure::usage(format!("--keys: {error}")))?;
            return Ok(Self::Module(url));
        }
        file(place, "file:", "--keys").map(Self::Files)
    }

    async fn open(
        self,
        begin: Begin,
        random: &Arc<dyn Random>,
    ) -> Result<Arc<dyn KekBackend>, Failure> {
        let random = Arc::clone(random);
        let files = match self {
            Self::Module(url) => {
                let module = Pkcs11Backend::open(url, random).await;
                return Ok(Arc::new(module.map_err(|error| failure(error.into()))?));
            }
            Self::Files(dir) => match begin {
                Begin::Create => FileBackend::create(&dir, random),
                Begin::Open => FileBackend::open(&dir, random),
            },
        };
        Ok(Arc::new(files.map_err(|error| failure(error.into()))?))
    }
}

/// A path, bare or behind its scheme; a URL of any other scheme is none.
fn file(place: &str, scheme: &str, argument: &str) -> Result<PathBuf, Failure> {
    let path = place.strip_prefix(scheme).unwrap_or(place);
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains("://") {
        let what = format!("{argument}: neither a path nor a URL that it can be");
        return Err(Failure::usage(what));
    }
    Ok(PathBuf::from(path))
}

/// Which exit code an error has.
pub(crate) fn failure(error: KeyError) -> Failure {
    let line = chain(&error);
    match error {
        KeyError::Absent | KeyError::TooSoon { .. } | KeyError::TooLate { .. } => {
            Failure::usage(line)
        }
        KeyError::NotReplayed | KeyError::Damaged(_) | KeyError::Store(StoreError::Damaged(_)) => {
            Failure::damaged(line)
        }
        KeyError::Backend(BackendError::Unsafe { .. })
        | KeyError::Store(StoreError::OtherOrder | StoreError::NoOrder(_)) => {
            Failure::refused(line)
        }
        KeyError::Store(_) | KeyError::Backend(_) | KeyError::Escrow(_) | KeyError::Random(_) => {
            Failure::unreachable(line)
        }
        _ => Failure::refused(line),
    }
}

/// The error and its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let lines: Vec<_> = causes.map(ToString::to_string).collect();
    lines.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_path_with_or_without_its_scheme() {
        for (place, path) in [
            ("keys.db", "keys.db"),
            ("sqlite:keys.db", "keys.db"),
            ("sqlite:///srv/keys.db", "/srv/keys.db"),
        ] {
            assert_eq!(
                file(place, "sqlite:", "--store").ok(),
                Some(PathBuf::from(path))
            );
        }
        for place in ["", "sqlite:", "mysql://root@db/keys", "https://db/keys"] {
            assert!(file(place, "sqlite:", "--store").is_err(), "{place}");
        }
    }
}
