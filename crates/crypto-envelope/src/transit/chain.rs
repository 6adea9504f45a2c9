//! Judges certificates by what they are made of: the hash of the signature, and the key. It verifies
//! no signature, reads no clock, and knows no names; those are the verifier's business.
//!
//! What is not on the list is refused, whether it is old (MD5, SHA-1, short RSA keys) or just unknown.
#![deny(clippy::arithmetic_side_effects)]

use std::fmt;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::UtcDateTime;
use x509_cert::Certificate;
use x509_cert::der::asn1::{AnyRef, ContextSpecific, ObjectIdentifier, UintRef};
use x509_cert::der::{Decode, SliceReader};
use x509_cert::spki::{
    AlgorithmIdentifierOwned, AlgorithmIdentifierRef, SubjectPublicKeyInfoOwned,
};
use x509_cert::time::Time;

use super::TransitError;

/// Most certificates of a chain: a bound of ours; public chains have two to four.
pub const CHAIN_LEN_MAX: usize = 10;
/// Longest certificate in bytes: a bound of ours, that of a TLS record's plaintext.
pub const CERTIFICATE_LEN_BYTES_MAX: usize = 16_384;
/// Shortest RSA modulus in bits (NIST SP 800-131A).
pub const RSA_BITS_MIN: usize = 2_048;
/// Longest RSA modulus in bits: what `ring` verifies.
pub const RSA_BITS_MAX: usize = 8_192;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");

/// The hash that a certificate's signature stands on; all are of the SHA-2 family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureHash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512, which Ed25519 has built in.
    Sha512,
}

impl fmt::Display for SignatureHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        })
    }
}

/// The public key of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateKey {
    /// Ed25519.
    Ed25519,
    /// A point on P-256.
    P256,
    /// A point on P-384.
    P384,
    /// An RSA modulus of so many bits, 2,048 to 8,192.
    Rsa {
        /// Bits of the modulus.
        bits: usize,
    },
}

impl fmt::Display for CertificateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ed25519 => f.write_str("ed25519"),
            Self::P256 => f.write_str("p-256"),
            Self::P384 => f.write_str("p-384"),
            Self::Rsa { bits } => write!(f, "rsa-{bits}"),
        }
    }
}

/// What a certificate is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateInfo {
    /// The subject, as RFC 4514 writes it.
    pub subject: String,
    /// The hash under its signature; none for a self-signed root, whose signature nobody relies on.
    pub signature: Option<SignatureHash>,
    /// Its key.
    pub key: CertificateKey,
    /// From when it is valid.
    pub not_before: UtcDateTime,
    /// Until when it is valid.
    pub not_after: UtcDateTime,
}

/// A certificate, or a chain, cannot be used. Positions count from 0, the leaf.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// There is no certificate.
    #[error("no certificate")]
    Empty,
    /// There are more certificates than a chain has.
    #[error("a chain has at most {CHAIN_LEN_MAX} certificates")]
    TooLong,
    /// A certificate is longer than any that can be sent.
    #[error("certificate {at} is longer than {CERTIFICATE_LEN_BYTES_MAX} bytes")]
    TooLarge {
        /// Its position.
        at: usize,
    },
    /// The bytes are no X.509 certificate.
    #[error("certificate {at} cannot be read")]
    Malformed {
        /// Its position.
        at: usize,
    },
    /// The signature is not one with SHA-256, SHA-384, SHA-512 or Ed25519.
    #[error("certificate {at} is signed with {with}")]
    Signature {
        /// Its position.
        at: usize,
        /// What it is signed with: a name, or the object identifier.
        with: String,
    },
    /// The key is neither RSA of 2,048 to 8,192 bits nor one of P-256, P-384, Ed25519.
    #[error("certificate {at} has a key of {kind}")]
    Key {
        /// Its position.
        at: usize,
        /// What it is: a name, or the object identifier.
        kind: String,
    },
    /// A certificate is not issued by the next one.
    #[error("certificate {at} is not issued by the one after it")]
    Order {
        /// Its position.
        at: usize,
    },
}

/// Judges a chain, leaf first: every signature stands on SHA-2, every key is strong, and each
/// certificate names the next one as its issuer.
///
/// # Errors
/// [`ChainError`], for the first certificate that is refused.
// clause: P-09
pub fn check(chain: &[CertificateDer<'_>]) -> Result<Vec<CertificateInfo>, ChainError> {
    if chain.is_empty() {
        return Err(ChainError::Empty);
    }
    if chain.len() > CHAIN_LEN_MAX {
        return Err(ChainError::TooLong);
    }
    let mut infos = Vec::with_capacity(chain.len());
    let mut issuer = None;
    for (at, der) in chain.iter().enumerate() {
        let certificate = parse(at, der)?;
        let subject = &certificate.tbs_certificate.subject;
        if let Some((before, issuer)) = issuer
            && issuer != *subject
        {
            return Err(ChainError::Order { at: before });
        }
        let signature = Some(signature(at, &certificate.signature_algorithm)?);
        infos.push(info(at, &certificate, signature)?);
        issuer = Some((at, certificate.tbs_certificate.issuer));
    }
    Ok(infos)
}

/// Judges a root that a client shall trust: its key, and not its signature, which is its own and
/// which nobody verifies.
///
/// # Errors
/// [`ChainError`] when it is refused.
pub fn check_root(root: &CertificateDer<'_>) -> Result<CertificateInfo, ChainError> {
    let certificate = parse(0, root)?;
    let tbs = &certificate.tbs_certificate;
    let signature = if tbs.issuer == tbs.subject {
        None
    } else {
        Some(signature(0, &certificate.signature_algorithm)?)
    };
    info(0, &certificate, signature)
}

/// The certificates of a PEM text, in its order.
///
/// # Errors
/// [`TransitError::Pem`] when there is none, or one cannot be read.
pub fn from_pem(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TransitError> {
    let none = TransitError::Pem("certificate");
    let Ok(chain) = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>() else {
        return Err(none);
    };
    if chain.is_empty() {
        Err(none)
    } else {
        Ok(chain)
    }
}

fn parse(at: usize, der: &CertificateDer<'_>) -> Result<Certificate, ChainError> {
    if der.len() > CERTIFICATE_LEN_BYTES_MAX {
        return Err(ChainError::TooLarge { at });
    }
    let malformed = ChainError::Malformed { at };
    let Ok(certificate) = Certificate::from_der(der) else {
        return Err(malformed);
    };
    // RFC 5280, 4.1.1.2: the algorithm inside and outside what is signed are the same
    if certificate.tbs_certificate.signature == certificate.signature_algorithm {
        Ok(certificate)
    } else {
        Err(malformed)
    }
}

fn info(
    at: usize,
    certificate: &Certificate,
    signature: Option<SignatureHash>,
) -> Result<CertificateInfo, ChainError> {
    let tbs = &certificate.tbs_certificate;
    let instant = |time: &Time| {
        let secs = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
        UtcDateTime::from_unix_timestamp(secs).ok()
    };
    let malformed = ChainError::Malformed { at };
    Ok(CertificateInfo {
        subject: tbs.subject.to_string(),
        signature,
        key: key(at, &tbs.subject_public_key_info)?,
        not_before: instant(&tbs.validity.not_before).ok_or(malformed.clone())?,
        not_after: instant(&tbs.validity.not_after).ok_or(malformed)?,
    })
}

fn signature(at: usize, algorithm: &AlgorithmIdentifierOwned) -> Result<SignatureHash, ChainError> {
    let weak = |with: &str| {
        Err(ChainError::Signature {
            at,
            with: with.to_owned(),
        })
    };
    let oid = algorithm.oid;
    if oid == RSA_PSS {
        return pss_hash(algorithm).map_or_else(|| weak("rsa-pss without sha-2"), Ok);
    }
    match oid.to_string().as_str() {
        "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" => Ok(SignatureHash::Sha256),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Ok(SignatureHash::Sha384),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" | "1.3.101.112" => {
            Ok(SignatureHash::Sha512)
        }
        "1.2.840.113549.1.1.2" => weak("md2"),
        "1.2.840.113549.1.1.4" => weak("md5"),
        "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" | "1.2.840.10040.4.3" | "1.3.14.3.2.29" => {
            weak("sha-1")
        }
        other => weak(other),
    }
}

/// The hash of RSASSA-PSS parameters (RFC 4055); absent parameters mean SHA-1, which is refused, and
/// the mask must be made with the same hash.
fn pss_hash(algorithm: &AlgorithmIdentifierOwned) -> Option<SignatureHash> {
    let params = algorithm.parameters.as_ref()?;
    let body = params.value();
    let mut reader = SliceReader::new(body).ok()?;
    let hash = ContextSpecific::<AlgorithmIdentifierRef<'_>>::decode(&mut reader).ok()?;
    let mask = ContextSpecific::<AlgorithmIdentifierRef<'_>>::decode(&mut reader).ok()?;
    let mask_hash: AlgorithmIdentifierRef<'_> = mask.value.parameters?.decode_as().ok()?;
    let numbered = hash.tag_number.value() == 0 && mask.tag_number.value() == 1;
    if !numbered || mask_hash.oid != hash.value.oid {
        return None;
    }
    match hash.value.oid.to_string().as_str() {
        "2.16.840.1.101.3.4.2.1" => Some(SignatureHash::Sha256),
        "2.16.840.1.101.3.4.2.2" => Some(SignatureHash::Sha384),
        "2.16.840.1.101.3.4.2.3" => Some(SignatureHash::Sha512),
        _ => None,
    }
}

fn key(at: usize, spki: &SubjectPublicKeyInfoOwned) -> Result<CertificateKey, ChainError> {
    let refused = |kind: String| Err(ChainError::Key { at, kind });
    let malformed = || ChainError::Malformed { at };
    let bytes = spki.subject_public_key.as_bytes().ok_or_else(malformed)?;
    let oid = spki.algorithm.oid;
    if oid == RSA {
        let bits = modulus_bits(bytes).ok_or_else(malformed)?;
        if (RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
            return Ok(CertificateKey::Rsa { bits });
        }
        return refused(format!("rsa-{bits}"));
    }
    if oid == EC {
        let curve = spki.algorithm.parameters.as_ref();
        let curve: ObjectIdentifier = curve
            .and_then(|curve| curve.decode_as().ok())
            .ok_or_else(malformed)?;
        return match (curve, bytes.len(), bytes.first()) {
            (P256, 65, Some(4)) => Ok(CertificateKey::P256),
            (P384, 97, Some(4)) => Ok(CertificateKey::P384),
            (P256 | P384, ..) => Err(malformed()),
            (curve, ..) => refused(format!("curve {curve}")),
        };
    }
    match (oid, bytes.len()) {
        (ED25519, 32) => Ok(CertificateKey::Ed25519),
        (ED25519, _) => Err(malformed()),
        (oid, _) => refused(oid.to_string()),
    }
}

/// Bits of the modulus of a PKCS #1 public key.
fn modulus_bits(key: &[u8]) -> Option<usize> {
    let key = AnyRef::from_der(key).ok()?;
    let modulus = key
        .sequence(|reader| {
            let modulus = UintRef::decode(reader)?;
            UintRef::decode(reader)?;
            Ok(modulus.as_bytes().to_vec())
        })
        .ok()?;
    let zeros = usize::try_from(modulus.first()?.leading_zeros()).ok()?;
    modulus.len().checked_mul(8)?.checked_sub(zeros)
}
