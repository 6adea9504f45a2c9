//! The same gibibyte by other people's code, in turns of a mebibyte.

use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write, sink};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use benches::{Bar, Measure, compare_taken, timed};
use cobblestone::{EncryptWriter, Key256};
use covenant_core::SystemRandom;
use crypto_envelope::cobblestone::Sealing;

use super::blob::{CONTEXT, GIBIBYTE, PIECE_LEN_BYTES, SLICE_LEN_BYTES, piece};
use super::{Outcome, ROOT};

/// Where `cargo xtask test` installs the Python oracles.
const ORACLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/oracles");
const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/benches/envelope/cobblestone.py"
);

pub(super) fn run() -> Outcome {
    let key = Key256::from_bytes(&ROOT);
    let (theirs, taken) = in_turns(EncryptWriter::new(&key, CONTEXT, sink()))?;
    theirs.finish()?;
    print(
        "crypto-envelope/blob-over-cobblestone",
        taken,
        "crate cobblestone 0.2 (RustCrypto), Cobblestone-256, 1 GiB",
        1.0,
    )?;
    let recipient = age::x25519::Identity::generate().to_public();
    let age = age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))?;
    let (age, taken) = in_turns(age.wrap_output(sink())?)?;
    age.finish()?;
    print(
        "crypto-envelope/blob-over-age",
        taken,
        "crate age 0.12 (RustCrypto), ChaCha20-Poly1305 in chunks of 64 KiB, 1 GiB",
        1.0,
    )?;
    python()
}

type Taken = (Vec<Duration>, Vec<Duration>);

/// Seals the same pieces with ours and with theirs; returns theirs, to be finished.
fn in_turns<W: Write>(mut theirs: W) -> Result<(W, Taken), Box<dyn std::error::Error>> {
    let (piece, mut out) = (piece(), Vec::new());
    let mut sealing = Sealing::begin(&ROOT, CONTEXT, &SystemRandom::new())?;
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for _ in 0..GIBIBYTE / SLICE_LEN_BYTES {
        let (sealed, took) = timed(|| {
            (0..SLICE_LEN_BYTES / PIECE_LEN_BYTES).try_for_each(|_| {
                out.clear();
                sealing.push(black_box(&piece), &mut out)
            })
        });
        sealed?;
        our_times.push(took);
        let (sealed, took) = timed(|| {
            (0..SLICE_LEN_BYTES / PIECE_LEN_BYTES)
                .try_for_each(|_| theirs.write_all(black_box(&piece)))
        });
        sealed?;
        their_times.push(took);
    }
    Ok((theirs, (our_times, their_times)))
}

/// PyPI `cryptography`: OpenSSL in another process, which waits for its turn.
fn python() -> Outcome {
    let python = PathBuf::from(ORACLES).join("venv/bin/python");
    if !python.is_file() {
        eprintln!(
            "crypto-envelope/blob-over-pypi: not measured: no environment in target/oracles, which \
             `cargo xtask test` makes"
        );
        return Ok(());
    }
    let mut child = Command::new(python)
        .arg(SCRIPT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let theirs = Python {
        asks: child.stdin.take().ok_or("no input")?,
        answers: BufReader::new(child.stdout.take().ok_or("no output")?),
        times: Vec::new(),
        slice: 0,
    };
    let (theirs, (ours, _with_pipes)) = in_turns(theirs)?;
    let Python { asks, times, .. } = theirs;
    drop(asks);
    if !child.wait()?.success() {
        return Err("python failed".into());
    }
    print(
        "crypto-envelope/blob-over-pypi",
        (ours, times),
        "reported, no bar: PyPI cryptography (OpenSSL), Cobblestone-256, 1 GiB, timed by itself",
        0.0,
    )
}

/// Seals a mebibyte of its own each time it was given one, and says how long it took.
struct Python {
    asks: std::process::ChildStdin,
    answers: BufReader<std::process::ChildStdout>,
    times: Vec<Duration>,
    slice: usize,
}

impl Write for Python {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        self.slice += piece.len();
        if self.slice < SLICE_LEN_BYTES {
            return Ok(piece.len());
        }
        self.slice = 0;
        self.asks.write_all(b"\n")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let nanoseconds = line.trim().parse().map_err(std::io::Error::other)?;
        self.times.push(Duration::from_nanos(nanoseconds));
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn print(id: &'static str, (ours, theirs): Taken, peer: &'static str, bar: f64) -> Outcome {
    Measure {
        id,
        value: 1.0 / compare_taken(ours, theirs).ratio,
        unit: "times the peer's throughput",
        peer,
        bar: Bar::AtLeast(bar),
    }
    .print()?;
    Ok(())
}
