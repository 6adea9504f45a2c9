//! The client's side: it trusts the roots that it was given, and nothing that lies on the host.

use std::sync::Arc;

use covenant_core::Clock;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use super::provider::{VERSIONS, provider};
use super::{ClockTime, TransitError, chain};

/// A client that speaks TLS 1.2 and 1.3 with our suites, verifies names and chains against these
/// roots at the clock's time, and insists on the extended master secret. Roots are judged by
/// [`chain::check_root`]; what a server presents can only be verified with SHA-2 and strong keys.
///
/// # Errors
/// [`TransitError::NoRoots`], [`TransitError::Chain`], or [`TransitError::Settings`] for a root that
/// cannot be an anchor.
// clause: P-10, P-11, Q-12
pub fn client_config(
    roots: &[CertificateDer<'static>],
    clock: Arc<dyn Clock>,
) -> Result<ClientConfig, TransitError> {
    if roots.is_empty() {
        return Err(TransitError::NoRoots);
    }
    let mut store = RootCertStore::empty();
    for root in roots {
        chain::check_root(root)?;
        store.add(root.clone()).map_err(TransitError::Settings)?;
    }
    let mut config = ClientConfig::builder_with_details(provider(), Arc::new(ClockTime(clock)))
        .with_protocol_versions(VERSIONS)
        .map_err(TransitError::Settings)?
        .with_root_certificates(store)
        .with_no_client_auth();
    config.require_ems = true;
    Ok(config)
}
