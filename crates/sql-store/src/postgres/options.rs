//! Where the server is, and the serving profile of its connections.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::OpenError;

/// Most connections of one pool: a bound of ours, below a server's usual limit of 100.
const CONNECTIONS_MAX: u32 = 64;

/// How bytes travel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// Over a Unix socket, or in the clear to a loopback address; refused for any other.
    Local,
    /// TLS; the server's certificate and name are verified against the system's roots.
    Tls,
    /// TLS; the server's certificate and name are verified against the roots in this PEM file.
    TlsWithRoot(PathBuf),
}

/// What concurrent transactions see of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Isolation {
    /// Each statement sees what was committed before it.
    ReadCommitted,
    /// Each transaction sees what was committed before it.
    RepeatableRead,
    /// As if transactions ran one after the other, as on SQLite; collisions are to be retried.
    Serializable,
}

/// How to open a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    pub(super) connect: PgConnectOptions,
    pub(super) schema: String,
    pub(super) isolation: Isolation,
    pub(super) connections: u32,
    pub(super) acquire_wait: Duration,
    pub(super) statement_wait: Duration,
    pub(super) lock_wait: Duration,
    pub(super) idle_wait: Duration,
}

impl PostgresOptions {
    /// The database of a URL `postgres://user[:password]@host[:port]/database`, or of a Unix socket
    /// with `?host=/folder`; nothing is read from the environment. At most 8 connections, 5 seconds
    /// of waiting for one, 30 for a statement, 10 for a lock, 60 idle in a transaction. The figures
    /// are ours.
    ///
    /// # Errors
    /// [`OpenError::Options`] when the URL is malformed, lacks user or database, or when the host is
    /// not local although the transport is.
    pub fn new(url: &str, schema: &str, transport: Transport) -> Result<Self, OpenError> {
        let refuse = |why| OpenError::Options { name: "url", why };
        let named = |part: &str| {
            url.split_once("://")
                .is_some_and(|(_, rest)| rest.contains(part))
        };
        if !named("@") {
            return Err(refuse("names a user"));
        }
        let parsed = PgConnectOptions::from_str(url);
        let parsed = parsed
            .ok()
            .ok_or_else(|| refuse("postgres://user@host:port/database"))?;
        if parsed.get_database().is_none_or(str::is_empty) {
            return Err(refuse("names a database"));
        }
        let connect = match transport {
            Transport::Local if !is_local(&parsed) => {
                return Err(refuse("a host that is not local needs TLS"));
            }
            Transport::Local => parsed.ssl_mode(PgSslMode::Disable),
            Transport::Tls => parsed.ssl_mode(PgSslMode::VerifyFull),
            Transport::TlsWithRoot(root) => {
                parsed.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert(root)
            }
        };
        Ok(Self {
            connect: connect
                .application_name("covenant")
                .disable_statement_logging(),
            schema: schema.to_owned(),
            isolation: Isolation::ReadCommitted,
            connections: 8,
            acquire_wait: Duration::from_secs(5),
            statement_wait: Duration::from_secs(30),
            lock_wait: Duration::from_secs(10),
            idle_wait: Duration::from_secs(60),
        })
    }

    /// The same with another isolation.
    #[must_use]
    pub const fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
        self
    }

    /// The same with at most so many connections, 1 to 64.
    #[must_use]
    pub const fn connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    /// The same with another wait for a free connection.
    #[must_use]
    pub const fn acquire_wait(mut self, wait: Duration) -> Self {
        self.acquire_wait = wait;
        self
    }

    /// The same with another wait for a statement's end.
    #[must_use]
    pub const fn statement_wait(mut self, wait: Duration) -> Self {
        self.statement_wait = wait;
        self
    }

    /// The same with another wait for a lock.
    #[must_use]
    pub const fn lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait;
        self
    }

    pub(super) fn check(&self) -> Result<(), OpenError> {
        if !(1..=CONNECTIONS_MAX).contains(&self.connections) {
            return Err(OpenError::Options {
                name: "connections",
                why: "from 1 to 64",
            });
        }
        let fits = (1..=63).contains(&self.schema.len());
        let clean = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_');
        if !fits || !self.schema.bytes().all(clean) || self.schema == "public" {
            let why = "1 to 63 of a-z, 0-9 and underscore, and not public";
            return Err(OpenError::Options {
                name: "schema",
                why,
            });
        }
        Ok(())
    }

    /// The serving profile: start-up options beat the settings of the role and of the database, and
    /// are what RESET ALL returns to.
    pub(super) fn profile(&self) -> Vec<(&'static str, String)> {
        let isolation = match self.isolation {
            Isolation::ReadCommitted => "read committed",
            Isolation::RepeatableRead => "repeatable read",
            Isolation::Serializable => "serializable",
        };
        let millis = |wait: Duration| format!("{}ms", wait.as_millis());
        vec![
            ("search_path", self.schema.clone()),
            ("synchronous_commit", "on".to_owned()),
            ("row_security", "on".to_owned()),
            ("default_transaction_isolation", isolation.to_owned()),
            ("default_transaction_read_only", "off".to_owned()),
            ("default_transaction_deferrable", "off".to_owned()),
            ("statement_timeout", millis(self.statement_wait)),
            ("lock_timeout", millis(self.lock_wait)),
            (
                "idle_in_transaction_session_timeout",
                millis(self.idle_wait),
            ),
            ("TimeZone", "UTC".to_owned()),
            ("DateStyle", "ISO, MDY".to_owned()),
            ("IntervalStyle", "postgres".to_owned()),
            ("bytea_output", "hex".to_owned()),
            ("standard_conforming_strings", "on".to_owned()),
        ]
    }
}

fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
