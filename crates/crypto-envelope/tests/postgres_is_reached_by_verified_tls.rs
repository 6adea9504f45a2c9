//! A key store in PostgreSQL behind a TLS listener: served over TLS whose chain and name were
//! verified, and over nothing else. What a server that cannot be verified, or that declines TLS,
//! gets to see holds no byte of the session.
#![cfg(all(feature = "postgres", feature = "transit"))]

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use covenant_core::sealer::Purpose;
use covenant_core::testing::SeededRandom;
use covenant_core::{Owner, Place, Sealer as _, SystemClock, TenantId};
use crypto_envelope::backend::MemoryBackend;
use crypto_envelope::store::SqlStore;
use crypto_envelope::transit::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use crypto_envelope::transit::rustls::{ServerConfig, ServerConnection};
use crypto_envelope::transit::{Identity, server_config};
use crypto_envelope::{Envelope, Keys, KeysOptions};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sql_store::{Db, OpenError, PgConnection, PostgresOptions, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

type TestResult = Result<(), Box<dyn Error>>;

/// What a client of PostgreSQL asks first: eight bytes, of which the last four say TLS.
const TLS_PLEASE: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const SCHEMA: &str = "key_tls";

/// An authority, and the one server that it knows: `localhost`.
struct Authority {
    root_pem: String,
    config: Arc<ServerConfig>,
}

impl Authority {
    fn new() -> Result<Self, Box<dyn Error>> {
        let root_key = KeyPair::generate()?;
        let mut root = CertificateParams::new(Vec::new())?;
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_pem = root.self_signed(&root_key)?.pem();
        let issuer = Issuer::new(root, root_key);
        let key = KeyPair::generate()?;
        let leaf =
            CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &issuer)?;
        let chain: Vec<CertificateDer<'static>> = vec![leaf.der().clone()];
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let identity = Identity::new(chain, key.into())?;
        let config = server_config(identity, Arc::new(SystemClock::new()))?;
        Ok(Self {
            root_pem,
            config: Arc::new(config),
        })
    }

    fn root_file(&self, folder: &Path, name: &str) -> io::Result<PathBuf> {
        let path = folder.join(name);
        std::fs::write(&path, &self.root_pem)?;
        Ok(path)
    }
}

/// How the listener meets a client that asks for TLS.
#[derive(Clone)]
enum Meets {
    Tls(Arc<ServerConfig>, String),
    Declines,
}

/// A listener before the server, until it is dropped, and what came to it outside TLS.
struct Before {
    port: u16,
    clear: Arc<Mutex<Vec<u8>>>,
    versions: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Before {
    async fn start(meets: Meets) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (clear, versions) = (Arc::default(), Arc::default());
        let seen = (Arc::clone(&clear), Arc::clone(&versions));
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (meets, (clear, versions)) = (meets.clone(), seen.clone());
                // a client that goes away ends its own connection alone
                drop(tokio::spawn(async move {
                    serve(meets, client, &clear, &versions).await
                }));
            }
        });
        Ok(Self {
            port,
            clear,
            versions,
            serving,
        })
    }

    fn url(&self, host: &str) -> String {
        format!("postgres://postgres@{host}:{}/postgres", self.port)
    }

    fn clear(&self) -> Vec<u8> {
        let clear = self.clear.lock();
        clear.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn versions(&self) -> Vec<String> {
        let versions = self.versions.lock();
        versions.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(
    meets: Meets,
    mut client: TcpStream,
    clear: &Mutex<Vec<u8>>,
    versions: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let note = |bytes: &[u8]| {
        let mut clear = clear.lock().unwrap_or_else(PoisonError::into_inner);
        clear.extend_from_slice(bytes);
    };
    let mut first = [0; 8];
    client.read_exact(&mut first).await?;
    note(&first);
    let (config, server) = match meets {
        Meets::Tls(config, server) => (config, server),
        Meets::Declines => {
            client.write_all(b"N").await?;
            let mut rest = Vec::new();
            client.read_to_end(&mut rest).await?;
            note(&rest);
            return Ok(());
        }
    };
    client.write_all(b"S").await?;
    let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut server = TcpStream::connect(server).await?;
    let (mut from_client, mut from_server) = ([0; 4_096], [0; 4_096]);
    let mut spoken = false;
    loop {
        let mut ready = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut ready)?;
        }
        client.write_all(&ready).await?;
        if !spoken && !tls.is_handshaking() {
            spoken = true;
            let version = format!("{:?}", tls.protocol_version());
            let mut versions = versions.lock().unwrap_or_else(PoisonError::into_inner);
            versions.push(version);
        }
        tokio::select! {
            len = client.read(&mut from_client) => {
                let mut records = from_client.get(..len?).unwrap_or_default();
                if records.is_empty() {
                    return Ok(());
                }
                while !records.is_empty() {
                    tls.read_tls(&mut records)?;
                    let state = tls.process_new_packets().map_err(io::Error::other)?;
                    let mut plain = vec![0; state.plaintext_bytes_to_read()];
                    tls.reader().read_exact(&mut plain)?;
                    server.write_all(&plain).await?;
                }
            }
            len = server.read(&mut from_server) => match len? {
                0 => return Ok(()),
                len => tls.writer().write_all(from_server.get(..len).unwrap_or_default())?,
            },
        }
    }
}

/// The server's address, with an empty schema on it; `None` when there is none and none is required.
#[expect(
    clippy::disallowed_methods,
    reason = "the test command names its server this way"
)]
async fn server() -> Result<Option<String>, Box<dyn Error>> {
    let url = match std::env::var("COVENANT_TEST_POSTGRES") {
        Ok(url) => url,
        Err(_) if std::env::var("COVENANT_REQUIRE_SERVERS").is_ok() => {
            return Err("COVENANT_TEST_POSTGRES is not set, and servers are required".into());
        }
        Err(_) => return Ok(None),
    };
    let mut admin = <PgConnection as sqlx::Connection>::connect(&url).await?;
    let sql = format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}");
    sqlx::Executor::execute(&mut admin, sqlx::AssertSqlSafe(sql)).await?;
    let (_, place) = url.rsplit_once('@').ok_or("no host")?;
    let (place, _) = place.split_once('/').ok_or("no database")?;
    Ok(Some(place.to_owned()))
}

async fn open(url: &str, transport: Transport) -> Result<Db, OpenError> {
    let options = PostgresOptions::new(url, SCHEMA, transport)?;
    let clock = Arc::new(SystemClock::new());
    Db::open_postgres(options, clock, Arc::new(SeededRandom::new(1))).await
}

#[tokio::test]
async fn keys_lie_in_postgresql_behind_verified_tls() -> TestResult {
    let Some(server) = server().await? else {
        println!("not run: no PostgreSQL");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let authority = Authority::new()?;
    let before = Before::start(Meets::Tls(Arc::clone(&authority.config), server)).await?;
    let root = authority.root_file(folder.path(), "root.pem")?;

    let db = open(
        &before.url("localhost"),
        Transport::TlsWithRoot(root.clone()),
    )
    .await?;
    let store = Arc::new(SqlStore::open(db).await?);
    let random = Arc::new(SeededRandom::new(2));
    let clock = Arc::new(SystemClock::new());
    let tenant = TenantId::mint(&*clock, &*random)?;
    let backend = Arc::new(MemoryBackend::new(random.clone()));
    let keys = Keys::open(store, backend, clock, random, KeysOptions::default()).await?;
    keys.create_tenant(tenant).await?;
    let sealer = Envelope::new(Arc::new(keys));
    let place = Place::new(Owner::Tenant(tenant), Purpose::Data, "note", "body", b"1")?;
    let sealed = sealer.seal(&place, b"through the listener").await?;
    assert_eq!(
        sealer.open(&place, &sealed).await?.expose(),
        b"through the listener"
    );

    let versions = before.versions();
    assert!(!versions.is_empty());
    for version in &versions {
        assert_eq!(version, "Some(TLSv1_3)");
    }
    // outside TLS each connection asked for it, and said nothing else
    let clear = before.clear();
    assert_eq!(clear.len(), versions.len() * TLS_PLEASE.len());
    assert!(
        clear
            .chunks(TLS_PLEASE.len())
            .all(|first| first == TLS_PLEASE)
    );

    // the same server, under another name than its certificate's, and under another authority
    let other_name = open(&before.url("127.0.0.1"), Transport::TlsWithRoot(root)).await;
    assert!(
        matches!(other_name, Err(OpenError::Database(_))),
        "{other_name:?}"
    );
    let stranger = Authority::new()?.root_file(folder.path(), "stranger.pem")?;
    let url = before.url("localhost");
    let unknown = open(&url, Transport::TlsWithRoot(stranger)).await;
    assert!(
        matches!(unknown, Err(OpenError::Database(_))),
        "{unknown:?}"
    );
    let public_roots = open(&url, Transport::Tls).await;
    assert!(
        matches!(public_roots, Err(OpenError::Database(_))),
        "{public_roots:?}"
    );
    assert_eq!(before.versions().len(), versions.len());
    Ok(())
}

#[tokio::test]
async fn a_server_that_declines_tls_is_told_nothing() -> TestResult {
    let folder = tempfile::tempdir()?;
    let before = Before::start(Meets::Declines).await?;
    let root = Authority::new()?.root_file(folder.path(), "root.pem")?;
    for transport in [Transport::Tls, Transport::TlsWithRoot(root)] {
        let declined = open(&before.url("localhost"), transport).await;
        assert!(
            matches!(declined, Err(OpenError::Database(_))),
            "{declined:?}"
        );
    }
    let clear = before.clear();
    assert!(
        clear
            .chunks(TLS_PLEASE.len())
            .all(|first| first == TLS_PLEASE),
        "{clear:?}"
    );
    assert!(!clear.is_empty());
    Ok(())
}
