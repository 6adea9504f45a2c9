//! A chain passes only with SHA-2 under every signature and a strong key in every certificate, and
//! another parser reads the same in it.

use crypto_envelope::testing::transit::WEAK_IDENTITY_PEM;
use crypto_envelope::transit::rustls::pki_types::CertificateDer;
use crypto_envelope::transit::{CertificateKey, ChainError, SignatureHash, TransitError, chain};
use proptest::prelude::{ProptestConfig, any, proptest};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

use crate::authority::{Authority, TestResult, sha1_identity};

macro_rules! pem {
    ($name:literal) => {
        include_bytes!(concat!("certificates/", $name, ".pem"))
    };
}

fn der(pem: &[u8]) -> Result<CertificateDer<'static>, TransitError> {
    let mut chain = chain::from_pem(pem)?;
    assert_eq!(chain.len(), 1);
    Ok(chain.remove(0))
}

fn signed(with: &str) -> ChainError {
    ChainError::Signature {
        at: 0,
        with: with.to_owned(),
    }
}

fn key(kind: &str) -> ChainError {
    ChainError::Key {
        at: 0,
        kind: kind.to_owned(),
    }
}

// clause: P-09
#[test]
fn what_openssl_makes_is_accepted_or_refused_by_what_it_is_made_of() -> TestResult {
    let accepted: [(&[u8], _, _); 4] = [
        (
            pem!("rsa2048_sha256"),
            CertificateKey::Rsa { bits: 2_048 },
            SignatureHash::Sha256,
        ),
        (
            pem!("rsa3072_pss_sha256"),
            CertificateKey::Rsa { bits: 3_072 },
            SignatureHash::Sha256,
        ),
        (
            pem!("p384_sha384"),
            CertificateKey::P384,
            SignatureHash::Sha384,
        ),
        (
            pem!("ed25519"),
            CertificateKey::Ed25519,
            SignatureHash::Sha512,
        ),
    ];
    for (pem, key, signature) in accepted {
        let infos = chain::check(&[der(pem)?])?;
        assert_eq!((infos[0].key, infos[0].signature), (key, Some(signature)));
    }
    let refused: [(&[u8], ChainError); 9] = [
        (pem!("rsa2048_md5"), signed("md5")),
        (pem!("rsa2048_sha1"), signed("sha-1")),
        (WEAK_IDENTITY_PEM, signed("sha-1")),
        (pem!("rsa2048_pss_sha1"), signed("rsa-pss without sha-2")),
        (pem!("rsa2048_sha224"), signed("1.2.840.113549.1.1.14")),
        (pem!("rsa1024_sha256"), key("rsa-1024")),
        (pem!("rsa2040_sha256"), key("rsa-2040")),
        (pem!("p521_sha512"), key("curve 1.3.132.0.35")),
        (pem!("k256_sha256"), key("curve 1.3.132.0.10")),
    ];
    for (pem, error) in refused {
        assert_eq!(chain::check(&[der(pem)?]), Err(error));
    }
    assert_eq!(
        chain::check(&[der(pem!("ed448"))?]),
        Err(signed("1.3.101.113"))
    );
    Ok(())
}

#[test]
fn a_roots_own_signature_does_not_matter_but_its_key_does() -> TestResult {
    let info = chain::check_root(&der(pem!("rsa2048_sha1"))?)?;
    assert_eq!(
        (info.key, info.signature),
        (CertificateKey::Rsa { bits: 2_048 }, None)
    );
    assert_eq!(
        chain::check_root(&der(pem!("rsa1024_sha256"))?),
        Err(key("rsa-1024"))
    );
    Ok(())
}

#[test]
fn a_chain_has_an_order_and_an_end() -> TestResult {
    let authority = Authority::new()?;
    let (leaf, root) = (authority.leaf(), authority.root());
    let whole = chain::check(&[leaf.clone(), root.clone()])?;
    assert_eq!(whole.len(), 2);
    assert_eq!(whole[0].key, CertificateKey::P256);
    assert_eq!(
        chain::check(&[root.clone(), leaf.clone()]),
        Err(ChainError::Order { at: 0 })
    );
    assert_eq!(chain::check(&[]), Err(ChainError::Empty));
    let many = vec![root.clone(); chain::CHAIN_LEN_MAX + 1];
    assert_eq!(chain::check(&many), Err(ChainError::TooLong));
    assert!(chain::check(&many[1..]).is_ok());
    let long = CertificateDer::from(vec![0x30; chain::CERTIFICATE_LEN_BYTES_MAX + 1]);
    assert_eq!(
        chain::check(&[leaf, long]),
        Err(ChainError::TooLarge { at: 1 })
    );
    // the weak one is named wherever it stands
    let (weak, _) = sha1_identity()?;
    assert_eq!(chain::check(&weak), Err(signed("sha-1")));
    Ok(())
}

#[test]
fn a_text_without_certificates_is_no_chain() -> TestResult {
    for text in [
        "",
        "certificate",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    ] {
        assert!(
            matches!(chain::from_pem(text.as_bytes()), Err(TransitError::Pem(_))),
            "{text}"
        );
    }
    Ok(())
}

#[test]
fn another_parser_reads_the_same() -> TestResult {
    let pems: [&[u8]; 4] = [
        pem!("rsa2048_sha256"),
        pem!("rsa3072_pss_sha256"),
        pem!("p384_sha384"),
        pem!("ed25519"),
    ];
    for pem in pems {
        let der = der(pem)?;
        let ours = &chain::check(std::slice::from_ref(&der))?[0];
        let (rest, theirs) = X509Certificate::from_der(&der)?;
        assert!(rest.is_empty());
        assert_eq!(
            ours.not_before.unix_timestamp(),
            theirs.validity().not_before.timestamp()
        );
        assert_eq!(
            ours.not_after.unix_timestamp(),
            theirs.validity().not_after.timestamp()
        );
        let key = match theirs.public_key().parsed()? {
            PublicKey::RSA(rsa) => format!("rsa-{}", rsa.key_size()),
            PublicKey::EC(point) => format!("p-{}", point.key_size()),
            _ => "ed25519".to_owned(),
        };
        assert_eq!(ours.key.to_string(), key);
        let subject = theirs.subject().to_string();
        assert_eq!(ours.subject, subject);
    }
    Ok(())
}

#[test]
fn every_prefix_is_refused() -> TestResult {
    let whole = der(pem!("p384_sha384"))?;
    for len in 0..whole.len() {
        let cut = CertificateDer::from(whole[..len].to_vec());
        assert_eq!(
            chain::check(&[cut]),
            Err(ChainError::Malformed { at: 0 }),
            "{len}"
        );
    }
    let mut longer = whole.to_vec();
    longer.push(0);
    assert_eq!(
        chain::check(&[CertificateDer::from(longer)]),
        Err(ChainError::Malformed { at: 0 })
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn what_is_accepted_was_made_of_strong_parts(
        at in any::<proptest::sample::Index>(), flip in 1_u8..=255,
    ) {
        let whole = der(pem!("rsa3072_pss_sha256")).expect("a certificate");
        let mut changed = whole.to_vec();
        changed[at.index(whole.len())] ^= flip;
        if let Ok(infos) = chain::check(&[CertificateDer::from(changed.clone())]) {
            // it refuses parts that nobody judges here: the alphabet of a name, padding bits of the
            // signature, which whoever verifies the signature looks at
            let Ok((_, theirs)) = X509Certificate::from_der(&changed) else { return Ok(()) };
            let CertificateKey::Rsa { bits } = infos[0].key else { panic!("another kind of key") };
            let Ok(PublicKey::RSA(rsa)) = theirs.public_key().parsed() else { panic!("no RSA key") };
            // its own `key_size` counts whole bytes
            let modulus = rsa.modulus.iter().skip_while(|byte| **byte == 0);
            let modulus: Vec<u8> = modulus.copied().collect();
            let unset = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
            assert_eq!(bits, modulus.len() * 8 - unset);
            assert!(bits >= 2_048);
        }
    }
}
