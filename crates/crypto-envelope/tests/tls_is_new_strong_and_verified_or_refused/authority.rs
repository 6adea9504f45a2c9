//! What the TLS tests share: an authority that issues a server's certificate, and a clock.
use std::error::Error;
use std::sync::Arc;

use covenant_core::{Clock, ManualClock};
use crypto_envelope::testing::transit::WEAK_IDENTITY_PEM;
use crypto_envelope::transit::rustls::ServerConfig;
use crypto_envelope::transit::rustls::pki_types::pem::PemObject;
use crypto_envelope::transit::rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer,
};
use crypto_envelope::transit::{Identity, server_config};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use time::UtcDateTime;
use time::macros::{datetime, utc_datetime};

pub(crate) type TestResult = Result<(), Box<dyn Error>>;

/// After every certificate of the tests has ended.
pub(crate) const AFTER_THE_END: UtcDateTime = utc_datetime!(2028-01-01 00:00);

/// Within the validity of every certificate of the tests.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::at(utc_datetime!(2026-11-22 00:00)))
}

pub(crate) struct Authority {
    root: CertificateDer<'static>,
    leaf: CertificateDer<'static>,
    root_pem: String,
    leaf_pem: String,
    key: KeyPair,
}

impl Authority {
    /// An authority of its own, with one server, `depot.example`.
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let root_key = KeyPair::generate()?;
        let mut root = params("authority", &[])?;
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_certificate = root.self_signed(&root_key)?;
        let issuer = Issuer::new(root, root_key);
        let key = KeyPair::generate()?;
        let leaf = params("depot", &["depot.example"])?.signed_by(&key, &issuer)?;
        Ok(Self {
            root: root_certificate.der().clone(),
            leaf: leaf.der().clone(),
            root_pem: root_certificate.pem(),
            leaf_pem: leaf.pem(),
            key,
        })
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.root.clone()
    }

    pub(crate) fn leaf(&self) -> CertificateDer<'static> {
        self.leaf.clone()
    }

    pub(crate) fn root_pem(&self) -> String {
        self.root_pem.clone()
    }

    pub(crate) fn leaf_pem(&self) -> String {
        self.leaf_pem.clone()
    }

    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    pub(crate) fn identity(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        (vec![self.leaf()], key.into())
    }

    pub(crate) fn server(&self) -> Result<ServerConfig, Box<dyn Error>> {
        let (chain, key) = self.identity();
        Ok(server_config(Identity::new(chain, key)?, clock())?)
    }
}

fn params(subject: &str, names: &[&str]) -> Result<CertificateParams, rcgen::Error> {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject);
    params.not_before = datetime!(2026-01-01 00:00 UTC);
    params.not_after = datetime!(2027-12-31 00:00 UTC);
    Ok(params)
}

/// A certificate that is signed with SHA-1, and its key: made by OpenSSL, for these tests alone.
pub(crate) fn sha1_identity()
-> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Box<dyn Error>> {
    let pem = WEAK_IDENTITY_PEM;
    let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>()?;
    Ok((chain, PrivateKeyDer::from_pem_slice(pem)?))
}
