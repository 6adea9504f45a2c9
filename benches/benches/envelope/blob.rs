//! Blobs of a gibibyte, sealed and opened piece by piece: throughput over ring's own on chunks of the
//! same length, in turns of a mebibyte, and how much memory it takes.

use std::hint::black_box;
use std::io::{self, Read, Write, sink};
use std::time::Duration;

use benches::{Bar, Compared, Measure, compare_taken, timed};
use covenant_core::{Secret, SystemRandom};
use crypto_envelope::cobblestone::{
    CHUNK_LEN_BYTES, HEADER_LEN_BYTES, Opening, SEALED_CHUNK_LEN_BYTES, Sealing, sealed_len,
};
use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};

use super::{Limit, Outcome, ROOT};

/// What is pushed and opened at once: with what comes out it fits into a core's second cache.
pub(super) const PIECE_LEN_BYTES: usize = 64 << 10;
pub(super) const GIBIBYTE: usize = 1 << 30;
/// What is done in a turn.
pub(super) const SLICE_LEN_BYTES: usize = 1 << 20;
pub(super) const CONTEXT: &[u8] = b"blob";

pub(super) fn run() -> Outcome {
    memory()?;
    pieces()?;
    in_place()
}

/// ring on one chunk, again and again.
struct OneChunk {
    key: LessSafeKey,
    chunk: Vec<u8>,
    sealed: Vec<u8>,
    counter: u64,
}

impl OneChunk {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let key = Limit::key(b"blob").ok_or("ring derives no key")?;
        let mut sealed = vec![1_u8; CHUNK_LEN_BYTES];
        key.seal_in_place_append_tag(nonce(0), Aad::empty(), &mut sealed)
            .or(Err("ring does not seal"))?;
        Ok(Self {
            key,
            chunk: vec![1_u8; CHUNK_LEN_BYTES],
            sealed,
            counter: 0,
        })
    }

    /// Seals the chunk where it lies, a slice's worth of times.
    fn seal(&mut self) -> Option<()> {
        for _ in 0..SLICE_LEN_BYTES / CHUNK_LEN_BYTES {
            self.counter += 1;
            let nonce = nonce(self.counter);
            let tag = self
                .key
                .seal_in_place_separate_tag(nonce, Aad::empty(), &mut self.chunk);
            let _tag = black_box(tag.ok()?);
        }
        Some(())
    }

    /// Opens a copy of one sealed chunk, a slice's worth of times.
    fn open(&mut self, copy: &mut Vec<u8>) -> Option<()> {
        for _ in 0..SLICE_LEN_BYTES / CHUNK_LEN_BYTES {
            copy.clear();
            copy.extend_from_slice(&self.sealed);
            let opened = self.key.open_in_place(nonce(0), Aad::empty(), copy);
            let _text = black_box(opened.ok()?);
        }
        Some(())
    }
}

fn nonce(chunk: u64) -> Nonce {
    let mut nonce = [0_u8; NONCE_LEN];
    let counter = nonce.iter_mut().rev().zip(chunk.to_le_bytes());
    counter.for_each(|(to, from)| *to = from);
    Nonce::assume_unique_for_key(nonce)
}

/// Bytes that differ from piece to piece only where it costs nothing.
pub(super) fn piece() -> Vec<u8> {
    (0..=250).cycle().take(PIECE_LEN_BYTES).collect()
}

/// Seals a blob and opens it as it comes, and compares.
fn round_trip(len: usize) -> Outcome {
    let (piece, mut out, mut plain) = (piece(), Vec::new(), Secret::new(Vec::new()));
    let mut sealing = Sealing::begin(&ROOT, CONTEXT, &SystemRandom::new())?;
    let sealed = sealed_len(u64::try_from(len)?).ok_or("too long")?;
    let opening = Opening::begin(&ROOT, CONTEXT, sealing.header(), sealed)?;
    let mut at = u64::try_from(HEADER_LEN_BYTES)?;
    for _ in 0..len / PIECE_LEN_BYTES {
        out.clear();
        sealing.push(&piece, &mut out)?;
        plain.expose_mut().clear();
        opening.open(at, &out, &mut plain)?;
        at += u64::try_from(out.len())?;
        if *plain.expose() != piece {
            return Err("a blob does not open".into());
        }
    }
    out.clear();
    sealing.finish(&mut out)?;
    opening.open(at, &out, &mut plain)?;
    if at + u64::try_from(out.len())? != sealed {
        return Err("a blob has another length".into());
    }
    Ok(())
}

fn memory() -> Outcome {
    let Some(before) = peak_bytes() else {
        // no /proc: nothing to measure with
        return Ok(());
    };
    for len in [PIECE_LEN_BYTES, 64 << 20, GIBIBYTE, 2 * GIBIBYTE] {
        round_trip(len)?;
        let sealing = Sealing::begin(&ROOT, CONTEXT, &SystemRandom::new())?;
        let mut source = io::repeat(1).take(u64::try_from(len)?);
        sealing.seal_all(&mut source, &mut sink())?;
    }
    let after = peak_bytes().ok_or("no peak")?;
    let kibibytes = u32::try_from(after.saturating_sub(before) >> 10)?;
    Measure {
        id: "crypto-envelope/blob-memory",
        value: f64::from(kibibytes) / 1024.0,
        unit: "MiB over idle",
        peer: "none: blobs of 64 KiB to 2 GiB sealed in both ways, and opened, in pieces",
        bar: Bar::AtMost(16.0),
    }
    .print()?;
    Ok(())
}

/// A gibibyte pushed, and opened as it comes out.
fn pieces() -> Outcome {
    let piece = piece();
    let mut sealing = Sealing::begin(&ROOT, CONTEXT, &SystemRandom::new())?;
    let sealed = sealed_len(u64::try_from(GIBIBYTE)?).ok_or("too long")?;
    let opening = Opening::begin(&ROOT, CONTEXT, sealing.header(), sealed)?;
    let (mut out, mut plain, mut copy) = (Vec::new(), Secret::new(Vec::new()), Vec::new());
    let mut limit = OneChunk::new()?;
    let mut at = u64::try_from(HEADER_LEN_BYTES)?;
    let (mut ours, mut theirs) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for _ in 0..GIBIBYTE / SLICE_LEN_BYTES {
        let (mut seal, mut open) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..SLICE_LEN_BYTES / PIECE_LEN_BYTES {
            out.clear();
            plain.expose_mut().clear();
            let (sealed, took) = timed(|| sealing.push(black_box(&piece), &mut out));
            sealed?;
            seal += took;
            let (opened, took) = timed(|| opening.open(at, black_box(&out), &mut plain));
            opened?;
            open += took;
            at += u64::try_from(out.len())?;
        }
        ours.0.push(seal);
        ours.1.push(open);
        let (sealed, took) = timed(|| limit.seal());
        sealed.ok_or("ring does not seal")?;
        theirs.0.push(took);
        let (opened, took) = timed(|| limit.open(&mut copy));
        opened.ok_or("ring does not open")?;
        theirs.1.push(took);
    }
    let seal = compare_taken(ours.0, theirs.0);
    let open = compare_taken(ours.1, theirs.1);
    print(
        "crypto-envelope/blob-1-gib-seal",
        &seal,
        "limit: AES-256-GCM in place on one chunk of 16 KiB in ring; ours copies each piece, of 64 KiB",
    )?;
    print(
        "crypto-envelope/blob-1-gib-open",
        &open,
        "limit: AES-256-GCM on a copy of one chunk of 16 KiB in ring; ours copies each piece too",
    )
}

/// A gibibyte from a source to a sink.
fn in_place() -> Outcome {
    let mut source = Turns {
        limit: OneChunk::new()?,
        left: GIBIBYTE,
        until_turn: SLICE_LEN_BYTES,
        ours: Vec::new(),
        theirs: Vec::new(),
        begun: None,
    };
    let sealing = Sealing::begin(&ROOT, CONTEXT, &SystemRandom::new())?;
    let mut count = Count(0);
    let read = sealing.seal_all(&mut source, &mut count)?;
    let sealed = GIBIBYTE / CHUNK_LEN_BYTES * SEALED_CHUNK_LEN_BYTES + 16;
    if usize::try_from(read)? != GIBIBYTE || count.0 != sealed {
        return Err("a blob has another length".into());
    }
    let compared = compare_taken(source.ours, source.theirs);
    print(
        "crypto-envelope/blob-1-gib-seal-in-place",
        &compared,
        "limit: AES-256-GCM in place on one chunk of 16 KiB in ring, one core",
    )
}

fn print(id: &'static str, compared: &Compared, peer: &'static str) -> Outcome {
    Measure {
        id,
        value: 1.0 / compared.ratio,
        unit: "times the peer's throughput",
        peer,
        bar: Bar::AtLeast(0.9),
    }
    .print()?;
    Ok(())
}

/// A source whose bytes are there already, as the limit's are, and which gives the limit its turn
/// after each slice.
struct Turns {
    limit: OneChunk,
    left: usize,
    until_turn: usize,
    ours: Vec<Duration>,
    theirs: Vec<Duration>,
    begun: Option<benches::Stopwatch>,
}

impl Read for Turns {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.until_turn == 0 {
            self.until_turn = SLICE_LEN_BYTES;
            if let Some(begun) = self.begun.take() {
                self.ours.push(begun.elapsed());
                let (sealed, took) = timed(|| self.limit.seal());
                sealed.ok_or_else(|| io::Error::other("ring does not seal"))?;
                self.theirs.push(took);
            }
            self.begun = Some(benches::Stopwatch::start());
        }
        let len = black_box(room).len().min(self.left).min(self.until_turn);
        self.left -= len;
        self.until_turn -= len;
        Ok(len)
    }
}

/// A sink that looks at what it gets no more than a limit does.
struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += black_box(bytes).len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
