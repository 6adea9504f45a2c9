//! What our TLS speaks: the suites, the key exchanges and the versions, each chosen by name. Nothing
//! is taken over from a default list, so that an update of the library adds nothing.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{self, cipher_suite, kx_group};
use rustls::version::{TLS12, TLS13};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

/// TLS 1.3 and 1.2; there is nothing older in the library (RFC 8996).
// clause: P-10, Q-12
pub(super) const VERSIONS: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// Suites with keys of 256 bits and forward secrecy, AES first.
// clause: P-09, P-11, P-36, Q-12, R-10
pub(super) const SUITES: [SupportedCipherSuite; 6] = [
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// The cryptography of our connections: `ring`, with the suites above and the groups X25519, P-256
/// and P-384. Signatures with SHA-1 or under RSA keys below 2,048 bits are not among those it can
/// verify.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: SUITES.to_vec(),
        kx_groups: vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1],
        ..ring::default_provider()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_has_a_key_of_256_bits() {
        for suite in provider().cipher_suites.iter() {
            let name = format!("{:?}", suite.suite());
            assert!(
                name.contains("AES_256_GCM") || name.contains("CHACHA20_POLY1305"),
                "{name}"
            );
        }
    }

    #[test]
    fn no_signature_with_sha_1_can_be_verified() {
        let schemes = provider()
            .signature_verification_algorithms
            .supported_schemes();
        assert!(!schemes.is_empty());
        for scheme in schemes {
            assert!(!format!("{scheme:?}").contains("SHA1"), "{scheme:?}");
        }
    }
}
