//! Transit: what a listener speaks to strangers, under which certificates, and that nothing carries
//! bytes in the clear.

use covenant_core::BoxFuture;

use super::steps::as_many;
use super::{Scenario, Shape, Starts};
use crate::act::{Act, ActKind, AnswerSeen, Carrier, Hello, Seen};
use crate::sabotage::Sabotage;
use crate::stage::{Stage, Stop};

/// Older than TLS 1.2: deprecated (RFC 8996, RFC 7568), and refused whatever a page promises.
const OLD: [Hello; 4] = [Hello::Ssl3, Hello::Tls10, Hello::Tls11, Hello::OldVersions];
/// What is spoken.
const SPOKEN: [Hello; 2] = [Hello::Tls12, Hello::Tls13];
/// Hashes of the SHA-2 family that a signature may stand on.
const SHA_2: [&str; 3] = ["sha-256", "sha-384", "sha-512"];
/// Keys other than RSA that a certificate may have.
const CURVES: [&str; 3] = ["ed25519", "p-256", "p-384"];
/// Shortest modulus of an RSA key (NIST SP 800-131A).
const RSA_BITS_MIN: u16 = 2_048;
/// Bits of a suite's key when the words name no number.
const KEY_BITS: u16 = 256;

/// Addresses that no production profile may be built with.
const REFUSED: [&str; 9] = [
    "http://depot.example.invalid/",
    "http://127.0.0.1:9000/",
    "tcp://0.0.0.0:80",
    "postgres://db.example.invalid/app",
    "postgres://127.0.0.1/app?sslmode=disable",
    "postgres://db.example.invalid/app?sslmode=prefer",
    "postgres://db.example.invalid/app?sslmode=require",
    "smtp://mail.example.invalid:25",
    "smtp://mail.example.invalid:587?tls=opportunistic",
];
/// The same without what makes them insecure, and what does not leave the host.
const TAKEN: [&str; 6] = [
    "https://depot.example.invalid/",
    "postgres://db.example.invalid/app?sslmode=verify-full",
    "postgres:///app?host=/run/postgresql",
    "smtp://mail.example.invalid:587?tls=required",
    "unix:/run/app.sock",
    "file:///srv/depot",
];

/// TLS 1.2 and 1.3 are spoken, and nothing older. A page that promises older versions too is
/// superseded by this stricter rule.
pub(super) const VERSIONS: Scenario = Scenario {
    id: "transit::versions",
    shape: Shape::Words,
    starts: Starts::Once,
    needs: &[ActKind::SendHello],
    kills: &[Sabotage::Tls11Allowed],
    run: versions,
};

/// Every certificate is signed with SHA-2 and has a strong key; suites have keys of the promised
/// length.
pub(super) const CHAIN_AND_SUITES: Scenario = Scenario {
    id: "transit::chain_and_suites",
    shape: Shape::Words,
    starts: Starts::Once,
    needs: &[ActKind::SendHello, ActKind::ShowChain],
    kills: &[Sabotage::WeakChain, Sabotage::Aes128],
    run: chain_and_suites,
};

/// No endpoint carries bytes in the clear, none can be configured that would, and a request in
/// plaintext gets no answer.
pub(super) const NO_PLAINTEXT_ENDPOINT: Scenario = Scenario {
    id: "transit::no_plaintext_endpoint",
    shape: Shape::State,
    starts: Starts::Once,
    needs: &[
        ActKind::ListEndpoints,
        ActKind::SendHello,
        ActKind::UseEndpoint,
    ],
    kills: &[Sabotage::PlaintextListener],
    run: no_plaintext_endpoint,
};

fn versions<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        for hello in SPOKEN {
            let version = hello.to_string();
            let AnswerSeen::Accepted { version: seen, .. } = send(stage, hello).await? else {
                stage.check(&version, "spoken", "refused")?;
                continue;
            };
            stage.check("version of the answer", version, seen)?;
        }
        // older versions that the words name are not read: they are refused like the rest
        let named = stage.brief().words(|word| {
            let version = word.strip_suffix("-or-newer").unwrap_or(word);
            SPOKEN
                .into_iter()
                .find(|hello| hello.to_string() == version)
        });
        if named.is_empty() {
            let old = stage
                .brief()
                .words(|word| word.strip_prefix("tls-").map(str::to_owned));
            stage.check(
                "versions that are named, all old",
                String::new(),
                old.join(", "),
            )?;
        }
        for hello in OLD {
            let seen = word(&send(stage, hello).await?);
            stage.check(hello, "refused", seen)?;
        }
        Ok(())
    })
}

fn chain_and_suites<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        let words = stage.brief();
        let bits = words.words(|word| {
            let number = word.strip_prefix("cipher-")?.strip_suffix("-bit")?;
            number.parse::<u16>().ok()
        });
        let bits = bits.into_iter().max().unwrap_or(KEY_BITS);
        drop(words.words(|word| (word == "certificate-sha-2").then_some(word.to_owned())));
        for hello in SPOKEN {
            let AnswerSeen::Accepted { key_bits, .. } = send(stage, hello).await? else {
                return stage.premise(hello, "spoken", "refused");
            };
            stage.check(
                format!("bits of the suite's key under {hello}"),
                bits,
                key_bits,
            )?;
        }
        for hello in [Hello::Tls12Aes128, Hello::Tls13Aes128] {
            let seen = word(&send(stage, hello).await?);
            stage.check(hello, "refused", seen)?;
        }
        let Seen::Chain(chain) = stage.act(Act::ShowChain).await? else {
            return Err(Stop::WrongAnswer(ActKind::ShowChain));
        };
        let len = u64::try_from(chain.len()).unwrap_or(u64::MAX);
        stage.premise_some("certificates of the listener", len)?;
        for (at, certificate) in chain.iter().enumerate() {
            let signature = one_of(&certificate.signature, &SHA_2, "sha-2");
            stage.check(
                format!("hash under the signature of certificate {at}"),
                "sha-2",
                signature,
            )?;
            let rsa = certificate.key.strip_prefix("rsa-");
            let rsa: Option<u16> = rsa.and_then(|bits| bits.parse().ok());
            let key = if rsa.is_some_and(|bits| bits >= RSA_BITS_MIN) {
                "strong"
            } else {
                one_of(&certificate.key, &CURVES, "strong")
            };
            stage.check(format!("key of certificate {at}"), "strong", key)?;
        }
        Ok(())
    })
}

fn no_plaintext_endpoint<'s>(stage: &'s mut Stage<'_>) -> BoxFuture<'s, Result<(), Stop>> {
    Box::pin(async move {
        let Seen::Endpoints(endpoints) = stage.act(Act::ListEndpoints).await? else {
            return Err(Stop::WrongAnswer(ActKind::ListEndpoints));
        };
        let len = u64::try_from(endpoints.len()).unwrap_or(u64::MAX);
        stage.premise_some("endpoints of the system", len)?;
        let mut closed = 0_u64;
        for endpoint in &endpoints {
            let carried = match endpoint.carrier {
                Carrier::Plaintext => "in plaintext",
                Carrier::LocalFile | Carrier::Tls | Carrier::UnixSocket => "encrypted or local",
            };
            stage.check(&endpoint.name, "encrypted or local", carried)?;
            closed = closed.saturating_add(u64::from(endpoint.carrier != Carrier::Plaintext));
        }
        as_many(stage, "endpoints, encrypted or local", len, closed)?;
        let seen = word(&send(stage, Hello::Plaintext).await?);
        stage.check(Hello::Plaintext, "refused", seen)?;
        for (addresses, expected) in [(&REFUSED[..], "denied"), (&TAKEN[..], "taken")] {
            for address in addresses {
                let act = Act::UseEndpoint {
                    address: (*address).to_owned(),
                };
                let seen = match stage.try_act(act).await? {
                    Ok(_) => "taken",
                    Err(_) => "denied",
                };
                if expected == "taken" {
                    stage.premise(address, expected, seen)?;
                } else {
                    stage.check(address, expected, seen)?;
                }
            }
        }
        Ok(())
    })
}

async fn send(stage: &mut Stage<'_>, hello: Hello) -> Result<AnswerSeen, Stop> {
    match stage.act(Act::SendHello { hello }).await? {
        Seen::Answer(answer) => Ok(answer),
        _ => Err(Stop::WrongAnswer(ActKind::SendHello)),
    }
}

const fn word(answer: &AnswerSeen) -> &'static str {
    match answer {
        AnswerSeen::Accepted { .. } => "accepted",
        AnswerSeen::Clear => "answered in the clear",
        AnswerSeen::Refused => "refused",
    }
}

/// The group's name when the word is in it, else the word.
fn one_of<'w>(word: &'w str, group: &[&str], name: &'w str) -> &'w str {
    if group.contains(&word) { name } else { word }
}
