//! Blobs of a gibibyte, in pieces: throughput over ring's own on the same chunks and over the crate
//! `cobblestone`, and how much memory it takes.

use std::hint::black_box;
use std::io::{Write as _, sink};

use benches::{Bar, Measure, compare};
use covenant_core::{Secret, SystemRandom};
use crypto_envelope::cobblestone::{CHUNK_LEN_BYTES, Opening, Sealing, sealed_len};
use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};

use super::{Limit, Outcome, ROOT};

const PIECE_LEN_BYTES: usize = 1 << 20;
const GIBIBYTE: usize = 1 << 30;
/// Of peers that are slower, less is enough.
const PEER_LEN_BYTES: usize = 64 << 20;
const CONTEXT: &[u8] = b"blob";

pub(super) fn run() -> Outcome {
    memory()?;
    sealing()?;
    opening()?;
    peer()
}

/// Seals so many bytes in pieces, and throws away what comes out.
fn seal(len: usize, piece: &[u8], out: &mut Vec<u8>) -> Option<u64> {
    let mut sealing = Sealing::begin(&ROOT, CONTEXT, &SystemRandom::new()).ok()?;
    let mut sealed = u64::try_from(sealing.header().len()).ok()?;
    let mut count = |out: &mut Vec<u8>| {
        sealed += u64::try_from(black_box(&*out).len()).unwrap_or_default();
        out.clear();
    };
    for _ in 0..len / piece.len() {
        sealing.push(black_box(piece), out).ok()?;
        count(out);
    }
    sealing.finish(out).ok()?;
    count(out);
    Some(sealed)
}

fn limit_key() -> Result<LessSafeKey, Box<dyn std::error::Error>> {
    Ok(Limit::key(b"blob").ok_or("ring derives no key")?)
}

fn nonce(chunk: usize) -> Nonce {
    let mut nonce = [0_u8; NONCE_LEN];
    let counter = nonce.iter_mut().rev().zip(chunk.to_le_bytes());
    counter.for_each(|(to, from)| *to = from);
    Nonce::assume_unique_for_key(nonce)
}

fn memory() -> Outcome {
    let Some(before) = peak_bytes() else {
        // no /proc: nothing to measure with
        return Ok(());
    };
    let piece = vec![1_u8; PIECE_LEN_BYTES];
    let mut out = Vec::new();
    let sealed = seal(GIBIBYTE, &piece, &mut out).ok_or("a blob is not sealed")?;
    if Some(sealed) != sealed_len(u64::try_from(GIBIBYTE)?) {
        return Err("a blob has another length".into());
    }
    let after = peak_bytes().ok_or("no peak")?;
    let mebibytes = u32::try_from(after.saturating_sub(before) >> 10)?;
    Measure {
        id: "crypto-envelope/blob-1-gib-memory",
        value: f64::from(mebibytes) / 1024.0,
        unit: "MiB over idle",
        peer: "none: sealing a GiB in pieces of 1 MiB",
        bar: Bar::AtMost(16.0),
    }
    .print()?;
    Ok(())
}

fn sealing() -> Outcome {
    let piece = vec![1_u8; PIECE_LEN_BYTES];
    let key = limit_key()?;
    let (mut out, mut chunk) = (Vec::new(), vec![1_u8; CHUNK_LEN_BYTES]);
    let compared = compare(
        || seal(GIBIBYTE, &piece, &mut out),
        || {
            for n in 0..GIBIBYTE / CHUNK_LEN_BYTES {
                let tag = key.seal_in_place_separate_tag(nonce(n), Aad::empty(), &mut chunk);
                let _tag = black_box(tag.ok()?);
            }
            Some(())
        },
    );
    Measure {
        id: "crypto-envelope/blob-1-gib-seal",
        value: 1.0 / compared.ratio,
        unit: "times the peer's throughput",
        peer: "limit: AES-256-GCM in place on one chunk of 16 KiB in ring, one core",
        bar: Bar::AtLeast(0.9),
    }
    .print()?;
    Ok(())
}

fn opening() -> Outcome {
    let mut sealed = Vec::new();
    let mut sealing = Sealing::begin(&ROOT, CONTEXT, &SystemRandom::new())?;
    let header = *sealing.header();
    sealing.push(&vec![1_u8; PIECE_LEN_BYTES], &mut sealed)?;
    let chunks = sealed.clone();
    sealing.finish(&mut sealed)?;
    let len = u64::try_from(header.len() + sealed.len())?;
    let key = limit_key()?;
    let mut theirs = vec![1_u8; CHUNK_LEN_BYTES];
    key.seal_in_place_append_tag(nonce(0), Aad::empty(), &mut theirs)
        .or(Err("ring does not seal"))?;
    let mut plain = Secret::new(Vec::new());
    let mut chunk = theirs.clone();
    let compared = compare(
        || {
            let opening = Opening::begin(&ROOT, CONTEXT, &header, len).ok()?;
            for _ in 0..GIBIBYTE / PIECE_LEN_BYTES {
                plain.expose_mut().clear();
                opening.open(56, black_box(&chunks), &mut plain).ok()?;
            }
            Some(())
        },
        || {
            for _ in 0..GIBIBYTE / CHUNK_LEN_BYTES {
                chunk.copy_from_slice(&theirs);
                key.open_in_place(nonce(0), Aad::empty(), &mut chunk).ok()?;
            }
            Some(())
        },
    );
    if plain.expose().len() != PIECE_LEN_BYTES {
        return Err("a blob does not open".into());
    }
    Measure {
        id: "crypto-envelope/blob-1-gib-open",
        value: 1.0 / compared.ratio,
        unit: "times the peer's throughput",
        peer: "limit: AES-256-GCM on one chunk of 16 KiB in ring, copied first, one core",
        bar: Bar::AtLeast(0.9),
    }
    .print()?;
    Ok(())
}

fn peer() -> Outcome {
    let piece = vec![1_u8; PIECE_LEN_BYTES];
    let key = peer::Key256::from_bytes(&ROOT);
    let mut out = Vec::new();
    let compared = compare(
        || seal(PEER_LEN_BYTES, &piece, &mut out),
        || {
            let mut writer = peer::EncryptWriter::new(&key, CONTEXT, sink());
            for _ in 0..PEER_LEN_BYTES / PIECE_LEN_BYTES {
                writer.write_all(black_box(&piece)).ok()?;
            }
            writer.finish().ok()
        },
    );
    Measure {
        id: "crypto-envelope/blob-over-cobblestone",
        value: 1.0 / compared.ratio,
        unit: "times the peer's throughput",
        peer: "crate cobblestone 0.2 (RustCrypto), Cobblestone-256",
        bar: Bar::AtLeast(1.0),
    }
    .print()?;
    Ok(())
}

/// The most memory that the process has held, where Linux tells it.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1_024)
}
