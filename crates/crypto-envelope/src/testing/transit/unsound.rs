//! Servers that break a promise: each as a careless operator would have it.

use std::sync::Arc;

use rustls::crypto::ring::cipher_suite;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, SupportedCipherSuite};

use crate::transit::provider;

/// A server whose chain nobody judged.
///
/// # Errors
/// When the key is not that of the leaf, or cannot be read.
pub fn unjudged_server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    config(Vec::new(), chain, key)
}

/// A server that also speaks suites with keys of 128 bits.
///
/// # Errors
/// When the key is not that of the leaf, or cannot be read.
pub fn aes128_server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let short = vec![
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ];
    config(short, chain, key)
}

fn config(
    more: Vec<SupportedCipherSuite>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let mut provider = provider().as_ref().clone();
    provider.cipher_suites.extend(more);
    ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
}

/// A ServerHello of TLS 1.1, if the hello is one that offers nothing newer.
pub(super) fn tls11_answer(hello: &[u8]) -> Option<Vec<u8>> {
    let offered = newest_version(hello)?;
    if !(0x0301..=0x0302).contains(&offered) {
        return None;
    }
    let version = offered.to_be_bytes();
    let mut body = version.to_vec();
    body.extend([0x5a; 32]);
    // no session, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, no compression
    body.extend([0, 0xc0, 0x14, 0]);
    let len = u8::try_from(body.len()).ok()?;
    let mut record = vec![22];
    record.extend(version);
    record.extend([0, len.checked_add(4)?, 2, 0, 0, len]);
    record.extend(body);
    Some(record)
}

/// The newest version that a ClientHello offers: of its list, or else of its head.
fn newest_version(hello: &[u8]) -> Option<u16> {
    let (_header, body) = hello.split_at_checked(9)?;
    let (legacy, rest) = body.split_first_chunk::<2>()?;
    let (_random, rest) = rest.split_at_checked(32)?;
    let (session, rest) = rest.split_first()?;
    let (_session, rest) = rest.split_at_checked(usize::from(*session))?;
    let (suites, rest) = rest.split_first_chunk::<2>()?;
    let (_suites, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*suites)))?;
    let (compressions, rest) = rest.split_first()?;
    let (_compressions, rest) = rest.split_at_checked(usize::from(*compressions))?;
    let mut extensions = rest.get(2..).unwrap_or_default();
    while let Some((kind, rest)) = extensions.split_first_chunk::<2>() {
        let (len, rest) = rest.split_first_chunk::<2>()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        if kind == &[0, 43] {
            let (versions, _) = value.get(1..)?.as_chunks::<2>();
            return versions.iter().map(|v| u16::from_be_bytes(*v)).max();
        }
        extensions = rest;
    }
    Some(u16::from_be_bytes(*legacy))
}
