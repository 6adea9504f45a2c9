//! The crate `cobblestone`, which has its cryptography from elsewhere, opens what we seal, and we
//! open what it seals: whole, in pieces and in ranges, at every boundary of a chunk. Neither opens
//! what was changed, cut or is for another root or context.

use std::error::Error;
use std::io::{Cursor, Read as _, Write as _};

use cobblestone::{DecryptReader, EncryptWriter, Key256, RandomAccessDecryptor, decrypt, encrypt};
use covenant_core::{Secret, SystemRandom};
use crypto_envelope::cobblestone::{HEADER_LEN_BYTES, Opening, Sealing, open, seal};
use proptest::prelude::*;

type TestResult = Result<(), Box<dyn Error>>;

const ROOT: [u8; 32] = [7; 32];
const CONTEXT: &[u8] = b"covenant/test \x00\xff";
const LENGTHS: [usize; 9] = [
    0, 1, 16_383, 16_384, 16_385, 32_767, 32_768, 49_152, 100_000,
];

fn key() -> Key256 {
    Key256::from_bytes(&ROOT)
}

fn plain(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

/// Ours, in pieces; the rest from a source.
fn sealed_in_pieces(plain: &[u8], piece: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut sealing = Sealing::begin(&ROOT, CONTEXT, &SystemRandom::new())?;
    let mut out = sealing.header().to_vec();
    let (pushed, mut read) = plain.split_at(plain.len() / 2);
    for piece in pushed.chunks(piece) {
        sealing.push(piece, &mut out)?;
    }
    sealing.seal_all(&mut read, &mut out)?;
    Ok(out)
}

#[test]
fn it_opens_ours() -> TestResult {
    for len in LENGTHS {
        let plain = plain(len);
        let whole = seal(&ROOT, CONTEXT, &plain, &SystemRandom::new())?;
        for sealed in [whole, sealed_in_pieces(&plain, 5_000)?] {
            assert_eq!(decrypt(&key(), CONTEXT, &sealed)?, plain, "{len}");
            let mut read = Vec::new();
            DecryptReader::new(&key(), CONTEXT, &sealed[..]).read_to_end(&mut read)?;
            assert_eq!(read, plain, "{len}, as a stream");
            let mut ranges = RandomAccessDecryptor::new(&key(), CONTEXT, Cursor::new(&sealed))?;
            assert_eq!(usize::try_from(ranges.plaintext_len())?, len);
            let mut part = vec![0; len / 3];
            ranges.read_exact_at(&mut part, u64::try_from(len / 2)?)?;
            assert_eq!(part, plain[len / 2..len / 2 + len / 3], "{len}, a range");
        }
    }
    Ok(())
}

#[test]
fn we_open_its() -> TestResult {
    for len in LENGTHS {
        let plain = plain(len);
        let mut writer = EncryptWriter::new(&key(), CONTEXT, Vec::new());
        for piece in plain.chunks(7_000) {
            writer.write_all(piece)?;
        }
        for sealed in [encrypt(&key(), CONTEXT, &plain)?, writer.finish()?] {
            assert_eq!(open(&ROOT, CONTEXT, &sealed)?.expose(), &plain, "{len}");
            let (header, len) = (&sealed[..HEADER_LEN_BYTES], u64::try_from(sealed.len())?);
            let opening = Opening::begin(&ROOT, CONTEXT, header, len)?;
            let last = opening.last_chunk();
            let mut end = Secret::new(Vec::new());
            opening.open(
                last.start,
                &sealed[usize::try_from(last.start)?..],
                &mut end,
            )?;
            let from = plain.len() / 16_384 * 16_384;
            assert_eq!(*end.expose(), plain[from..], "{len}, the end");
        }
    }
    Ok(())
}

/// Whether each of the two opens it.
fn both_open(root: &[u8; 32], context: &[u8], sealed: &[u8]) -> (bool, bool) {
    (
        open(root, context, sealed).is_ok(),
        decrypt(&Key256::from_bytes(root), context, sealed).is_ok(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn neither_opens_what_is_not_whole(
        len in 0_usize..40_000,
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let good = seal(&ROOT, CONTEXT, &plain(len), &SystemRandom::new()).unwrap();
        prop_assert_eq!(both_open(&ROOT, CONTEXT, &good), (true, true));
        let mut changed = good.clone();
        changed[at.index(good.len())] ^= 1 << bit;
        prop_assert_eq!(both_open(&ROOT, CONTEXT, &changed), (false, false));
        let cut = &good[..at.index(good.len())];
        prop_assert_eq!(both_open(&ROOT, CONTEXT, cut), (false, false));
        let longer = [&good[..], &[0]].concat();
        prop_assert_eq!(both_open(&ROOT, CONTEXT, &longer), (false, false));
        prop_assert_eq!(both_open(&[8; 32], CONTEXT, &good), (false, false));
        prop_assert_eq!(both_open(&ROOT, b"elsewhere", &good), (false, false));
    }
}
