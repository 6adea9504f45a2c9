//! The server's side: a certificate chain that was judged before it is served, and the configuration.

use std::fmt;
use std::sync::Arc;

use covenant_core::Clock;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::provider::{VERSIONS, provider};
use super::{ClockTime, TransitError, chain};

/// Who a server is: a chain, leaf first, and the leaf's private key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// An identity from DER; the chain is judged by [`chain::check`].
    ///
    /// # Errors
    /// [`TransitError::Chain`] for a chain that is empty, weak, or in the wrong order.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TransitError> {
        // clause: P-09
        chain::check(&chain)?;
        Ok(Self { chain, key })
    }

    /// An identity from PEM texts: the certificates of the chain, and one private key.
    ///
    /// # Errors
    /// [`TransitError::Pem`] when a text does not hold what it should, [`TransitError::Chain`].
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TransitError> {
        let key = PrivateKeyDer::from_pem_slice(key).or(Err(TransitError::Pem("private key")))?;
        Self::new(chain::from_pem(chain)?, key)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.chain.len())
            .finish_non_exhaustive()
    }
}

/// A server that speaks TLS 1.2 and 1.3 with our suites, insists on the extended master secret
/// (RFC 7627), takes no early data and logs no keys. Clients are not asked for certificates.
///
/// # Errors
/// [`TransitError::Settings`] when the key is not that of the leaf.
// clause: P-10, P-11, P-36, Q-12, R-10
pub fn server_config(
    identity: Identity,
    clock: Arc<dyn Clock>,
) -> Result<ServerConfig, TransitError> {
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(ClockTime(clock)))
        .with_protocol_versions(VERSIONS)
        .map_err(TransitError::Settings)?
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)
        .map_err(TransitError::Settings)?;
    config.require_ems = true;
    Ok(config)
}
