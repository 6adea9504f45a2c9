//! A client that speaks TLS 1.0 and 1.1 is refused by us and served by a server that allows them, so
//! that the refusal is ours; and a server that speaks nothing newer is refused by our client.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crypto_envelope::testing::transit::{Listener, Serving};
use crypto_envelope::transit::client_config;
use crypto_envelope::transit::rustls::pki_types::ServerName;
use crypto_envelope::transit::rustls::{ClientConnection, Stream};
use tempfile::TempDir;

use crate::authority::{Authority, TestResult, clock};

/// Lets OpenSSL speak what it would refuse by itself.
const ANY_LEVEL: [&str; 2] = ["-cipher", "DEFAULT:@SECLEVEL=0"];

/// Files of an authority, as OpenSSL reads them.
struct Files {
    _folder: TempDir,
    root: PathBuf,
    leaf: PathBuf,
    key: PathBuf,
}

impl Files {
    fn of(authority: &Authority) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let file = |name: &str, text: String| -> std::io::Result<PathBuf> {
            let path = folder.path().join(name);
            std::fs::write(&path, text)?;
            Ok(path)
        };
        Ok(Self {
            root: file("root.pem", authority.root_pem())?,
            leaf: file("leaf.pem", authority.leaf_pem())?,
            key: file("key.pem", authority.key_pem())?,
            _folder: folder,
        })
    }
}

/// Whether `openssl` is there; a run that must have it fails without.
#[expect(clippy::disallowed_methods, reason = "xtask says so by a variable")]
fn openssl_is_here() -> bool {
    let here = Command::new("openssl").arg("version").output().is_ok();
    let required = std::env::var("COVENANT_REQUIRE_SERVERS").is_ok();
    assert!(
        here || !required,
        "openssl is not installed, and is required"
    );
    if !here {
        println!("not run: openssl is not installed");
    }
    here
}

/// Whether `openssl s_client` with these options completes a handshake with the server.
fn s_client(server: SocketAddr, root: &Path, options: &[&str]) -> Result<bool, Box<dyn Error>> {
    let output = Command::new("openssl")
        .args(["s_client", "-brief", "-verify_return_error", "-servername"])
        .args(["depot.example", "-attime", "1795132800", "-connect"])
        .arg(server.to_string())
        .arg("-CAfile")
        .arg(root)
        .args(options)
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let established = said.contains("CONNECTION ESTABLISHED");
    assert_eq!(established, output.status.success(), "{said}");
    Ok(established)
}

/// `openssl s_server` with these options, until it is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(files: &Files, options: &[&str]) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-www", "-cert"])
            .arg(&files.leaf)
            .arg("-key")
            .arg(&files.key)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let said = child.stdout.take().ok_or("no output")?;
        let mut address = None;
        for line in BufReader::new(said).lines() {
            if let Some(at) = line?.strip_prefix("ACCEPT ") {
                address = Some(at.trim().parse()?);
                break;
            }
        }
        let address = address.ok_or("openssl s_server did not start")?;
        Ok(Self { child, address })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

// clause: P-10, Q-12
#[test]
fn old_clients_are_refused_by_us_and_served_elsewhere() -> TestResult {
    if !openssl_is_here() {
        return Ok(());
    }
    let authority = Authority::new()?;
    let files = Files::of(&authority)?;
    let ours = Listener::start(Serving::Tls(Arc::new(authority.server()?)))?;
    let lenient = [&["-min_protocol", "TLSv1"][..], &ANY_LEVEL].concat();
    let theirs = Server::start(&files, &lenient)?;
    for (version, by_us) in [
        ("-tls1", false),
        ("-tls1_1", false),
        ("-tls1_2", true),
        ("-tls1_3", true),
    ] {
        let options = [&[version][..], &ANY_LEVEL].concat();
        let served = s_client(ours.address(), &files.root, &options)?;
        assert_eq!(served, by_us, "{version} by us");
        let served = s_client(theirs.address, &files.root, &options)?;
        assert!(served, "{version} by the lenient server");
    }
    Ok(())
}

// clause: P-09
#[test]
fn a_client_of_128_bits_is_refused_by_us_and_served_elsewhere() -> TestResult {
    if !openssl_is_here() {
        return Ok(());
    }
    let authority = Authority::new()?;
    let files = Files::of(&authority)?;
    let ours = Listener::start(Serving::Tls(Arc::new(authority.server()?)))?;
    let theirs = Server::start(&files, &[])?;
    for (options, by_us) in [
        (
            ["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"],
            false,
        ),
        (["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"], true),
        (
            ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
            false,
        ),
        (
            ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"],
            true,
        ),
    ] {
        let served = s_client(ours.address(), &files.root, &options)?;
        assert_eq!(served, by_us, "{options:?} by us");
        assert!(
            s_client(theirs.address, &files.root, &options)?,
            "{options:?}"
        );
    }
    Ok(())
}

#[test]
fn our_client_refuses_a_server_of_tls_1_1_and_takes_the_same_one_of_1_2() -> TestResult {
    if !openssl_is_here() {
        return Ok(());
    }
    let authority = Authority::new()?;
    let files = Files::of(&authority)?;
    for (version, taken) in [("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)] {
        let server = Server::start(&files, &[&[version][..], &ANY_LEVEL].concat())?;
        let config = client_config(&[authority.root()], clock())?;
        let name = ServerName::try_from("depot.example")?;
        let mut connection = ClientConnection::new(Arc::new(config), name)?;
        let mut socket = TcpStream::connect(server.address)?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut stream = Stream::new(&mut connection, &mut socket);
        let asked = stream.write_all(b"GET / HTTP/1.0\r\n\r\n");
        let mut first = [0_u8; 8];
        let answered = asked.and_then(|()| stream.read_exact(&mut first));
        assert_eq!(answered.is_ok(), taken, "{version}: {answered:?}");
        assert_eq!(&first == b"HTTP/1.0", taken, "{version}");
    }
    Ok(())
}
