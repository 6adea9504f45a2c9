//! A server of ours answers each hello as its table says, a client of ours turns away from whoever
//! speaks less, and nobody is trusted that was not named.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use covenant_core::ManualClock;
use covenant_core::testing::SeededRandom;
use crypto_envelope::testing::transit::{
    GREETING, Listener, Serving, aes128_server_config, unjudged_server_config,
};
use crypto_envelope::transit::rustls::pki_types::ServerName;
use crypto_envelope::transit::rustls::{
    self, CipherSuite, ClientConfig, ClientConnection, ProtocolVersion, ServerConfig,
    ServerConnection, Stream, SupportedProtocolVersion, version,
};
use crypto_envelope::transit::{
    Answer, Identity, Must, Probe, TransitError, ask, client_config, presented, probe,
    server_config,
};

use crate::authority::{AFTER_THE_END, Authority, TestResult, clock, sha1_identity};

const TIMEOUT: Duration = Duration::from_secs(10);

/// A server in memory, with what it said last.
struct InMemory {
    connection: ServerConnection,
    refusal: Option<rustls::Error>,
}

impl Write for InMemory {
    fn write(&mut self, mut bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len();
        while !bytes.is_empty() && self.refusal.is_none() {
            self.connection.read_tls(&mut bytes)?;
            self.refusal = self.connection.process_new_packets().err();
        }
        Ok(len)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for InMemory {
    fn read(&mut self, mut bytes: &mut [u8]) -> io::Result<usize> {
        // as much as fits; the rest stays where it is
        struct Bounded<'a, 'b>(&'a mut &'b mut [u8]);
        impl Write for Bounded<'_, '_> {
            fn write(&mut self, from: &[u8]) -> io::Result<usize> {
                let len = from.len().min(self.0.len());
                self.0.write(&from[..len])
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        if self.connection.wants_write() {
            self.connection.write_tls(&mut Bounded(&mut bytes))
        } else {
            Ok(0)
        }
    }
}

fn answer(config: &Arc<ServerConfig>, probe: Probe) -> (Answer, Option<String>) {
    let connection = ServerConnection::new(Arc::clone(config)).expect("a connection");
    let mut server = InMemory {
        connection,
        refusal: None,
    };
    let answer = ask(&mut server, &probe.bytes(Some("depot.example"), &[7; 32]));
    (answer, server.refusal.map(|refusal| format!("{refusal:?}")))
}

// clause: P-09, P-10, P-11, Q-12, R-10
#[test]
fn each_hello_gets_the_answer_of_the_table() -> TestResult {
    let config = Arc::new(Authority::new()?.server()?);
    let fatal = |description| Answer::Alert {
        level: 2,
        description,
    };
    let table = [
        (
            Probe::Plaintext,
            fatal(50),
            "InvalidMessage(InvalidContentType)",
        ),
        (Probe::Ssl2, fatal(50), "InvalidMessage(InvalidContentType)"),
        (
            Probe::Ssl3,
            fatal(40),
            "SignatureAlgorithmsExtensionRequired",
        ),
        (
            Probe::Tls10,
            fatal(40),
            "SignatureAlgorithmsExtensionRequired",
        ),
        (
            Probe::Tls11,
            fatal(40),
            "SignatureAlgorithmsExtensionRequired",
        ),
        (Probe::Tls10Signed, fatal(70), "Tls12NotOffered)"),
        (Probe::Tls11Signed, fatal(70), "Tls12NotOffered)"),
        (Probe::OldVersions, fatal(70), "Tls12NotOfferedOrEnabled"),
        (Probe::Tls12Aes128, fatal(40), "NoCipherSuitesInCommon"),
        (
            Probe::Tls12NoEms,
            fatal(40),
            "ExtendedMasterSecretExtensionRequired",
        ),
        (Probe::Tls13Aes128, fatal(40), "NoCipherSuitesInCommon"),
    ];
    for (probe, expected, why) in table {
        let (answered, refusal) = answer(&config, probe);
        let refusal = refusal.unwrap_or_default();
        assert_eq!(answered, expected, "{probe}: {refusal}");
        assert!(refusal.contains(why), "{probe}: {refusal}");
        assert!(answered.is_as_it_must(probe), "{probe}");
    }
    for (probe, version, suite) in [
        (Probe::Tls12, 0x0303, 0xc02c),
        (Probe::Tls13, 0x0304, 0x1302),
    ] {
        let (answered, refusal) = answer(&config, probe);
        assert_eq!(answered, Answer::Hello { version, suite }, "{refusal:?}");
        assert!(answered.is_as_it_must(probe), "{probe}");
    }
    assert_eq!(table.len() + 2, Probe::ALL.len());
    Ok(())
}

#[test]
fn a_probe_over_the_network_sees_the_same() -> TestResult {
    let authority = Authority::new()?;
    let listener = Listener::start(Serving::Tls(Arc::new(authority.server()?)))?;
    let random = SeededRandom::new(1);
    let answers = probe(listener.address(), Some("depot.example"), TIMEOUT, &random)?;
    assert_eq!(answers.len(), Probe::ALL.len());
    for (probe, answer) in answers {
        assert!(answer.is_as_it_must(probe), "{probe}: {answer}");
    }
    let chain = presented(listener.address(), None, TIMEOUT, &random)?;
    assert_eq!(chain, [authority.leaf()]);
    Ok(())
}

#[test]
fn an_unsound_server_is_told_from_a_sound_one() -> TestResult {
    let authority = Authority::new()?;
    let sound = Arc::new(authority.server()?);
    let (chain, key) = authority.identity();
    let short = Arc::new(aes128_server_config(chain, key)?);
    let cases = [
        (Serving::Tls(Arc::clone(&sound)), vec![]),
        (
            Serving::Tls(short),
            vec![Probe::Tls12Aes128, Probe::Tls12NoEms, Probe::Tls13Aes128],
        ),
        (
            Serving::Tls11(sound),
            vec![
                Probe::Tls10,
                Probe::Tls10Signed,
                Probe::Tls11,
                Probe::Tls11Signed,
                Probe::OldVersions,
            ],
        ),
        (Serving::Plaintext, Probe::ALL.to_vec()),
    ];
    for (serving, wrong) in cases {
        let listener = Listener::start(serving)?;
        let answers = probe(listener.address(), None, TIMEOUT, &SeededRandom::new(1))?;
        let seen: Vec<_> = answers
            .into_iter()
            .filter(|(probe, answer)| !answer.is_as_it_must(*probe))
            .map(|(probe, _)| probe)
            .collect();
        assert_eq!(seen, wrong);
    }
    Ok(())
}

#[test]
fn nobody_there_is_an_error_and_not_a_refusal() -> TestResult {
    let gone = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    assert!(probe(gone, None, TIMEOUT, &SeededRandom::new(1)).is_err());
    Ok(())
}

fn fetch(
    server: SocketAddr,
    config: ClientConfig,
    name: &str,
) -> Result<(ProtocolVersion, CipherSuite), Box<dyn std::error::Error>> {
    let name = ServerName::try_from(name.to_owned())?;
    let mut connection = ClientConnection::new(Arc::new(config), name)?;
    let mut socket = TcpStream::connect(server)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    let mut stream = Stream::new(&mut connection, &mut socket);
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut greeting = Vec::new();
    stream.read_to_end(&mut greeting)?;
    assert_eq!(greeting, GREETING);
    let version = connection.protocol_version().ok_or("no version")?;
    let suite = connection.negotiated_cipher_suite().ok_or("no suite")?;
    Ok((version, suite.suite()))
}

/// A client like ours that speaks one version alone.
fn client_of(
    authority: &Authority,
    version: &'static SupportedProtocolVersion,
) -> Result<ClientConfig, Box<dyn std::error::Error>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.root())?;
    let provider = crypto_envelope::transit::provider();
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

#[test]
fn both_versions_complete_with_suites_of_256_bits() -> TestResult {
    let authority = Authority::new()?;
    let listener = Listener::start(Serving::Tls(Arc::new(authority.server()?)))?;
    let fetch = |config| fetch(listener.address(), config, "depot.example");
    assert_eq!(
        fetch(client_config(&[authority.root()], clock())?)?,
        (
            ProtocolVersion::TLSv1_3,
            CipherSuite::TLS13_AES_256_GCM_SHA384
        )
    );
    assert_eq!(
        fetch(client_of(&authority, &version::TLS12)?)?,
        (
            ProtocolVersion::TLSv1_2,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        )
    );
    Ok(())
}

#[test]
fn only_the_named_server_under_a_named_root_at_its_time_is_trusted() -> TestResult {
    let (authority, other) = (Authority::new()?, Authority::new()?);
    let listener = Listener::start(Serving::Tls(Arc::new(authority.server()?)))?;
    let trust = |root, clock| client_config(&[root], clock);
    let fetch = |config, name| fetch(listener.address(), config, name);

    assert!(fetch(trust(authority.root(), clock())?, "depot.example").is_ok());
    let stranger = fetch(trust(other.root(), clock())?, "depot.example");
    let stranger = stranger.expect_err("another root").to_string();
    assert!(stranger.contains("invalid peer certificate"), "{stranger}");
    let renamed = fetch(trust(authority.root(), clock())?, "vault.example");
    let renamed = renamed.expect_err("another name").to_string();
    assert!(renamed.contains("not valid for name"), "{renamed}");
    let late = Arc::new(ManualClock::at(AFTER_THE_END));
    let late = fetch(trust(authority.root(), late)?, "depot.example");
    let late = late.expect_err("after its end").to_string();
    assert!(late.contains("expired"), "{late}");
    assert!(matches!(
        client_config(&[], clock()),
        Err(TransitError::NoRoots)
    ));
    Ok(())
}

/// A server that answers any hello in this way, once.
fn answers_once(bytes: Vec<u8>) -> io::Result<(SocketAddr, std::thread::JoinHandle<Vec<u8>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut hello = [0_u8; 4_096];
        let len = stream.read(&mut hello).expect("a hello");
        assert!(len > 0);
        stream.write_all(&bytes).expect("answers");
        let mut last = Vec::new();
        stream
            .read_to_end(&mut last)
            .expect("the client's last words");
        last
    });
    Ok((address, thread))
}

#[test]
fn our_client_turns_away_from_a_server_that_answers_in_an_old_version() -> TestResult {
    let authority = Authority::new()?;
    for version in [0x0301_u16, 0x0302] {
        let [high, low] = version.to_be_bytes();
        let mut hello = vec![22, high, low, 0, 42, 2, 0, 0, 38, high, low];
        hello.extend([9; 32]);
        hello.extend([0, 0xc0, 0x14, 0]);
        let (server, thread) = answers_once(hello)?;
        let config = client_config(&[authority.root()], clock())?;
        let refused = fetch(server, config, "depot.example").expect_err("refused");
        let refused = refused.to_string();
        assert!(
            refused.contains("ServerDoesNotSupportTls12Or13"),
            "{refused}"
        );
        let said = thread.join().map_err(|_panic| "the server panicked")?;
        // a fatal alert, version not supported
        assert_eq!(said.get(5..7), Some([2, 70].as_slice()), "{said:?}");
    }
    Ok(())
}

#[test]
fn a_weak_chain_is_not_served() -> TestResult {
    let (chain, key) = sha1_identity()?;
    let refused = Identity::new(chain.clone(), key.clone_key()).expect_err("SHA-1");
    assert!(matches!(refused, TransitError::Chain(_)), "{refused:?}");
    // the control: what was not judged is served, and seen
    let listener = Listener::start(Serving::Tls(Arc::new(unjudged_server_config(
        chain.clone(),
        key,
    )?)))?;
    let seen = presented(listener.address(), None, TIMEOUT, &SeededRandom::new(1))?;
    assert_eq!(seen, chain);

    let (authority, other) = (Authority::new()?, Authority::new()?);
    let (chain, _) = authority.identity();
    let (_, key) = other.identity();
    let mixed = server_config(Identity::new(chain, key)?, clock());
    assert!(matches!(mixed, Err(TransitError::Settings(_))));
    Ok(())
}

#[test]
fn what_must_be_refused_is_older_or_weaker_than_what_must_be_accepted() {
    let accepted: Vec<_> = Probe::ALL
        .iter()
        .filter(|probe| probe.must() == Must::Accept)
        .collect();
    assert_eq!(accepted, [&Probe::Tls12, &Probe::Tls13]);
}
