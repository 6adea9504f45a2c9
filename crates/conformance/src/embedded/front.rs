//! The listener of the embedded subject: what a service in front of `covenant` has when it takes its
//! TLS configuration from `crypto-envelope`. Started when a scenario first asks for it.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use covenant_core::Clock;
use covenant_core::testing::SeededRandom;
use crypto_envelope::testing::transit::{
    Listener, Serving, WEAK_IDENTITY_PEM, aes128_server_config, unjudged_server_config,
};
use crypto_envelope::transit::rustls::pki_types::pem::PemObject as _;
use crypto_envelope::transit::rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer,
};
use crypto_envelope::transit::{
    Answer, ChainError, Endpoint, EndpointError, Identity, Plaintext, Probe, chain, presented,
    probe_with, server_config, suite_key_bits,
};

use super::{Embedded, RANDOM_SEED};
use crate::act::{AnswerSeen, Carrier, CertificateSeen, EndpointSeen, Hello, Seen};
use crate::sabotage::Sabotage;
use crate::subject::{Refusal, SubjectError};

/// Longest wait for the listener, which is on this host and answers at once.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The name in the certificate.
const NAME: &str = "front.covenant.invalid";

/// The listener, and what its operator wrote down about it.
pub(super) struct Front {
    listener: Listener,
    scheme: &'static str,
    /// What the profile says of plaintext.
    plaintext: Plaintext,
}

impl Front {
    fn start(
        sabotage: Option<Sabotage>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let key = rcgen::KeyPair::generate()?;
        let params = rcgen::CertificateParams::new(vec![NAME.to_owned()])?;
        let chain = vec![params.self_signed(&key)?.der().clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let (mut scheme, mut plaintext) = ("tls", Plaintext::Refused);
        let serving = match sabotage {
            Some(Sabotage::PlaintextListener) => {
                (scheme, plaintext) = ("tcp", Plaintext::Loopback);
                Serving::Plaintext
            }
            Some(Sabotage::WeakChain) => {
                let chain = CertificateDer::pem_slice_iter(WEAK_IDENTITY_PEM);
                let key = PrivateKeyDer::from_pem_slice(WEAK_IDENTITY_PEM)?;
                let chain = chain.collect::<Result<_, _>>()?;
                Serving::Tls(Arc::new(unjudged_server_config(chain, key)?))
            }
            Some(Sabotage::Aes128) => Serving::Tls(Arc::new(aes128_server_config(chain, key)?)),
            other => {
                let sound = server_config(Identity::new(chain, key)?, clock)?;
                if other == Some(Sabotage::Tls11Allowed) {
                    Serving::Tls11(Arc::new(sound))
                } else {
                    Serving::Tls(Arc::new(sound))
                }
            }
        };
        Ok(Self {
            listener: Listener::start(serving)?,
            scheme,
            plaintext,
        })
    }
}

impl Embedded {
    fn front(&mut self) -> Result<&Front, Refusal> {
        if self.front.is_none() {
            let started = Front::start(self.sabotage, self.clock.clone());
            let started = started.map_err(|e| Refusal::failed(SubjectError::new(e.to_string())));
            self.front = Some(started?);
        }
        let missing = || Refusal::failed(SubjectError::new("the listener is gone"));
        self.front.as_ref().ok_or_else(missing)
    }

    pub(super) fn endpoints(&mut self) -> Result<Seen, Refusal> {
        let front = self.front()?;
        let listener = format!("{}://{}", front.scheme, front.listener.address());
        let layout = self.covenant.layout();
        let file = |path: &Path| format!("file://{}", path.display());
        let addresses = [
            ("listener", listener),
            ("control database", file(&layout.control())),
            ("audit log", file(&layout.audit())),
            ("key store", file(&layout.keys())),
            ("key-encryption keys", file(&layout.keks())),
            ("databases of tenants", file(&layout.tenants())),
            ("objects", file(&layout.objects())),
            ("depot", file(&layout.depot())),
        ];
        let seen = addresses.into_iter().map(|(name, address)| {
            let carrier = match Endpoint::judge(&address, Plaintext::Refused) {
                Ok(Endpoint::LocalFile) => Carrier::LocalFile,
                Ok(Endpoint::Tls) => Carrier::Tls,
                Ok(Endpoint::UnixSocket) => Carrier::UnixSocket,
                Ok(_) | Err(EndpointError::Plaintext(_) | EndpointError::NotVerified(_)) => {
                    Carrier::Plaintext
                }
                Err(error) => return Err(Refusal::failed(error)),
            };
            let name = name.to_owned();
            Ok(EndpointSeen { name, carrier })
        });
        Ok(Seen::Endpoints(seen.collect::<Result<_, _>>()?))
    }

    pub(super) fn use_endpoint(&mut self, address: &str) -> Result<Seen, Refusal> {
        let plaintext = self.front()?.plaintext;
        match Endpoint::judge(address, plaintext) {
            Ok(_) => Ok(Seen::Done),
            Err(error) => Err(Refusal::denied(error.to_string())),
        }
    }

    pub(super) async fn send_hello(&mut self, hello: Hello) -> Result<Seen, Refusal> {
        let server = self.front()?.listener.address();
        let probe = match hello {
            Hello::Plaintext => Probe::Plaintext,
            Hello::Ssl3 => Probe::Ssl3,
            Hello::Tls10 => Probe::Tls10Signed,
            Hello::Tls11 => Probe::Tls11Signed,
            Hello::OldVersions => Probe::OldVersions,
            Hello::Tls12 => Probe::Tls12,
            Hello::Tls12Aes128 => Probe::Tls12Aes128,
            Hello::Tls13 => Probe::Tls13,
            Hello::Tls13Aes128 => Probe::Tls13Aes128,
        };
        let random = SeededRandom::new(RANDOM_SEED);
        let ask = move || probe_with(probe, server, Some(NAME), TIMEOUT, &random);
        let answer = apart(ask).await?.map_err(Refusal::failed)?;
        Ok(Seen::Answer(match answer {
            Answer::Hello { version, suite } => AnswerSeen::Accepted {
                version: version_name(version),
                key_bits: suite_key_bits(suite).unwrap_or_default(),
            },
            Answer::Alert { .. } | Answer::Closed | Answer::Silent => AnswerSeen::Refused,
            _ => AnswerSeen::Clear,
        }))
    }

    pub(super) async fn show_chain(&mut self) -> Result<Seen, Refusal> {
        let server = self.front()?.listener.address();
        let random = SeededRandom::new(RANDOM_SEED);
        let read = move || presented(server, Some(NAME), TIMEOUT, &random);
        let chain = apart(read).await?.map_err(Refusal::failed)?;
        Ok(Seen::Chain(chain.iter().map(certificate).collect()))
    }
}

/// Runs what waits for a socket on a thread that may wait.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(Refusal::failed)
}

fn version_name(version: u16) -> String {
    match version {
        0x0301 => "tls-1.0".to_owned(),
        0x0302 => "tls-1.1".to_owned(),
        0x0303 => "tls-1.2".to_owned(),
        0x0304 => "tls-1.3".to_owned(),
        other => format!("{other:04x}"),
    }
}

fn certificate(der: &CertificateDer<'static>) -> CertificateSeen {
    let signature = match chain::check(std::slice::from_ref(der)) {
        Err(ChainError::Signature { with, .. }) => with,
        Err(error) => error.to_string(),
        Ok(infos) => {
            let hash = infos.first().and_then(|info| info.signature);
            hash.map_or_else(|| "nothing".to_owned(), |hash| hash.to_string())
        }
    };
    let key = match chain::check_root(der) {
        Ok(info) => info.key.to_string(),
        Err(ChainError::Key { kind, .. }) => kind,
        Err(error) => error.to_string(),
    };
    CertificateSeen { signature, key }
}
