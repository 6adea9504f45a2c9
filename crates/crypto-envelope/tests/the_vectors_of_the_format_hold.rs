//! The vectors of C2SP chunked-encryption, as Project Wycheproof publishes them: every valid message
//! opens, whole and chunk by chunk, no invalid one does, and what a stream may give before it fails is
//! what the vectors say.

use std::error::Error;

use covenant_core::Secret;
use crypto_envelope::cobblestone::{HEADER_LEN_BYTES, Opening, SEALED_CHUNK_LEN_BYTES, open};
use miniz_oxide::inflate::decompress_to_vec_zlib;
use ring::digest::{SHA512, digest};
use wycheproof::TestResult;
use wycheproof::chunked_encryption::{TestName, TestSet};

/// Opens chunk by chunk: what came out, and whether the end was reached.
fn in_chunks(root: &[u8; 32], context: &[u8], sealed: &[u8]) -> Option<(Vec<u8>, bool)> {
    let header = sealed.get(..HEADER_LEN_BYTES)?;
    let len = u64::try_from(sealed.len()).ok()?;
    let opening = Opening::begin(root, context, header, len).ok()?;
    let mut plain = Secret::new(Vec::new());
    let mut at = u64::try_from(HEADER_LEN_BYTES).ok()?;
    for chunk in sealed
        .get(HEADER_LEN_BYTES..)?
        .chunks(SEALED_CHUNK_LEN_BYTES)
    {
        if opening.open(at, chunk, &mut plain).is_err() {
            return Some((plain.expose().clone(), false));
        }
        at += u64::try_from(chunk.len()).ok()?;
    }
    Some((plain.expose().clone(), true))
}

// clause: P-12
#[test]
fn every_vector_of_cobblestone_256() -> Result<(), Box<dyn Error>> {
    let set = TestSet::load(TestName::Cobblestone256)?;
    let (mut valid, mut invalid, mut partial) = (0, 0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let why = format!("{}: {}", test.tc_id, test.comment);
        let sealed = decompress_to_vec_zlib(&test.ct).map_err(|error| error.to_string())?;
        let Ok(root) = <&[u8; 32]>::try_from(&test.key[..]) else {
            // a root is 32 bytes by its type
            assert_eq!(test.result, TestResult::Invalid, "{why}");
            continue;
        };
        let whole = open(root, &test.ctx, &sealed);
        let pieces = in_chunks(root, &test.ctx, &sealed);
        let hash = |plain: &[u8]| digest(&SHA512, plain).as_ref().to_vec();
        let expected = test.msg_sha512.as_ref().map(|hash| hash.to_vec());
        if test.result == TestResult::Valid {
            valid += 1;
            let whole = whole.map_err(|error| format!("{why}: {error}"))?;
            assert_eq!(Some(whole.expose().len()), test.msg_length, "{why}");
            assert_eq!(Some(hash(whole.expose())), expected, "{why}");
            assert_eq!(pieces, Some((whole.expose().clone(), true)), "{why}");
            continue;
        }
        invalid += 1;
        assert!(whole.is_err(), "{why}");
        match pieces {
            // refused for its length or its header
            None => {}
            Some((given, ended)) => {
                assert!(!ended, "{why}");
                if test.msg_length == Some(given.len()) {
                    partial += 1;
                    assert_eq!(Some(hash(&given)), expected, "{why}");
                } else {
                    assert!(given.is_empty(), "{why}: {} bytes", given.len());
                }
            }
        }
    }
    assert!(
        valid >= 10 && invalid >= 20 && partial >= 4,
        "{valid} {invalid} {partial}"
    );
    Ok(())
}
