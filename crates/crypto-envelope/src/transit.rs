//! TLS for whatever leaves the host: configurations for servers and clients that speak TLS 1.2 and
//! 1.3 with 256-bit ciphers and nothing else, rules for addresses, and a probe that shows from
//! outside what a server accepts.
//!
//! To serve use [`server_config`]; to connect use [`client_config`]; to judge an address before it is
//! used use [`Endpoint`]; to judge a certificate chain use [`chain`]; to ask a running server use
//! [`Probe`]. What is built here is `rustls` configuration: whoever drives the connection (a web
//! server, `sqlx`, `lettre`) takes it as it is, from the version that is exported here.
//!
//! TLS 1.0 and 1.1 do not exist here: `rustls` has neither, and RFC 8996 deprecates both, so that a
//! promise to support them is superseded by a stricter one.

pub mod chain;
mod client;
mod endpoint;
mod hello;
mod probe;
mod provider;
mod server;

use std::sync::Arc;
use std::time::Duration;

use covenant_core::Clock;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

pub use chain::{CertificateInfo, CertificateKey, ChainError, SignatureHash};
pub use client::client_config;
pub use endpoint::{Endpoint, EndpointError, Plaintext};
pub use hello::{Must, Probe, suite_key_bits};
pub use probe::{Answer, ProbeError, ask, presented, probe, probe_with};
pub use provider::provider;
pub use rustls;
pub use server::{Identity, server_config};

/// A TLS configuration cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransitError {
    /// A certificate chain, or a root, is not strong enough or cannot be read.
    #[error("the certificates cannot be used")]
    Chain(#[from] ChainError),
    /// The text holds no private key, or no certificate.
    #[error("no {0} in the PEM text")]
    Pem(&'static str),
    /// Key and certificates do not fit together, or a setting contradicts another.
    #[error("the TLS settings do not fit together")]
    Settings(#[source] rustls::Error),
    /// A client was given no roots: it could trust nobody.
    #[error("no root certificates were given")]
    NoRoots,
}

/// The time by which certificates are judged: that of the clock which was passed in.
#[derive(Debug)]
struct ClockTime(Arc<dyn Clock>);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        let secs = u64::try_from(self.0.now().unix_timestamp()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(secs)))
    }
}
