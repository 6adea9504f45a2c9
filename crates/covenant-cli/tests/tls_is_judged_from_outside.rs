//! `covenant tls` tells a sound server and chain from unsound ones, by exit code and in words.

use std::error::Error;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use covenant_core::SystemClock;
use crypto_envelope::testing::transit::{
    Listener, Serving, WEAK_IDENTITY_PEM, aes128_server_config,
};
use crypto_envelope::transit::rustls::ServerConfig;
use crypto_envelope::transit::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use crypto_envelope::transit::{Identity, Probe, server_config};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

type Outcome = Result<(), Box<dyn Error>>;

/// Runs the words of a line; every one of the texts is expected in what it says.
fn check(folder: &Path, line: &str, code: i32, says: &[&str]) -> Outcome {
    let args: Vec<_> = line.split_whitespace().collect();
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_covenant"))
        .args(&args)
        .current_dir(folder)
        .output()?;
    let said = [stdout, stderr].concat();
    let said = str::from_utf8(&said)?;
    assert_eq!(status.code(), Some(code), "{line}: {said}");
    for text in says {
        assert!(said.contains(text), "{line}: {text}: {said}");
    }
    Ok(())
}

/// A self-signed certificate of `depot.example`, and its key.
fn certificate(last_year: i32) -> Result<(rcgen::Certificate, KeyPair), Box<dyn Error>> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec!["depot.example".to_owned()])?;
    params.not_after = date_time_ymd(last_year, 1, 1);
    Ok((params.self_signed(&key)?, key))
}

/// A server that is sound, and the same with suites of 128 bits.
fn servers() -> Result<(Arc<ServerConfig>, Arc<ServerConfig>), Box<dyn Error>> {
    let (certificate, key) = certificate(4_000)?;
    let chain = vec![certificate.der().clone()];
    let key = || PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let identity = Identity::new(chain.clone(), key())?;
    let sound = server_config(identity, Arc::new(SystemClock::new()))?;
    Ok((
        Arc::new(sound),
        Arc::new(aes128_server_config(chain, key())?),
    ))
}

#[test]
fn chains() -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text);
    file("good.pem", &certificate(4_000)?.0.pem())?;
    file("old.pem", &certificate(1_999)?.0.pem())?;
    file("sha1.pem", str::from_utf8(WEAK_IDENTITY_PEM)?)?;
    file("other.pem", &certificate(4_000)?.1.serialize_pem())?;
    file(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n",
    )?;
    let check = |line, code, says| check(folder.path(), line, code, says);
    check("tls check good.pem", 0, &["good", "p-256", "sha-256"])?;
    check("tls check good.pem --json", 0, &["\"exit\": 0", "p-256"])?;
    check(
        "tls check old.pem",
        1,
        &["not good", "was valid until 1999"],
    )?;
    check("tls check sha1.pem", 1, &["signed with sha-1"])?;
    check("tls check other.pem", 2, &["no certificate"])?;
    check("tls check broken.pem", 2, &["cannot be read"])?;
    check("tls check none.pem", 2, &["no such file"])?;
    check("tls check", 2, &["<FILE>"])
}

// clause: P-09, P-10, P-11
#[test]
fn running_servers() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (sound, short) = servers()?;
    let probe = |serving, code, says: &[&str]| {
        let listener = Listener::start(serving)?;
        let line = format!("tls probe {}", listener.address());
        check(folder.path(), &line, code, says)?;
        check(folder.path(), &format!("{line} --json"), code, &[])
    };
    let good = "tls-1.2: accepted, version 0303, suite c02c";
    let refused = "tls-1.1: refused, alert 40 of level 2";
    let every: Vec<&str> = Probe::ALL.iter().map(|probe| probe.name()).collect();
    probe(Serving::Tls(Arc::clone(&sound)), 0, &every)?;
    probe(
        Serving::Tls(Arc::clone(&sound)),
        0,
        &[good, refused, "sha-256"],
    )?;
    probe(
        Serving::Tls(short),
        1,
        &["wrong        tls-1.3-aes-128: accepted"],
    )?;
    probe(
        Serving::Tls11(sound),
        1,
        &["wrong        tls-1.1: accepted, version 0302"],
    )?;
    probe(
        Serving::Plaintext,
        1,
        &["wrong        plaintext: an answer that is no TLS"],
    )
}

#[test]
fn nobody_there() -> Outcome {
    let folder = tempfile::tempdir()?;
    let gone = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    check(
        folder.path(),
        &format!("tls probe {gone}"),
        3,
        &["connection refused"],
    )?;
    check(folder.path(), "tls probe nowhere", 2, &["HOST:PORT"])
}
