//! What we seal is opened by PyPI `cryptography`, which shares no code with us, and the other way
//! round; and neither opens what was changed. `cargo xtask test` installs it; a plain `cargo test`
//! says `not run`.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use covenant_core::SystemRandom;
use covenant_core::testing::provided;
use crypto_envelope::cobblestone::{Sealing, open, seal_with_salt};
use serde_json::json;

/// Names the folder of the tools: `target/oracles`.
const ORACLES: &str = "COVENANT_TEST_ORACLES";
const ROOT: [u8; 32] = [7; 32];
const CONTEXT: &[u8] = b"covenant/test \x00\xff";

/// What Python makes of each task, in their order; `None` for what it does not open.
fn python(
    oracles: &Path,
    tasks: &[(&str, &[u8], &[u8])],
) -> Result<Vec<Option<Vec<u8>>>, Box<dyn Error>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/cobblestone.py");
    let mut child = Command::new(oracles.join("venv/bin/python"))
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("no input")?;
    let hex = covenant_core::canon::hex;
    let lines: String = tasks
        .iter()
        .map(|(what, context, bytes)| {
            let task = json!({
                "do": what, "root": hex(&ROOT), "context": hex(context), "bytes": hex(bytes),
            });
            format!("{task}\n")
        })
        .collect();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_panic| "the writer panicked")??;
    assert!(output.status.success());
    let answers: Vec<_> = str::from_utf8(&output.stdout)?.lines().map(bytes).collect();
    assert_eq!(answers.len(), tasks.len());
    Ok(answers)
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = hex
        .chars()
        .map(|c| u8::try_from(c.to_digit(16)?).ok())
        .collect();
    let pairs = digits?;
    let (pairs, _) = pairs.as_chunks::<2>();
    Some(pairs.iter().map(|[high, low]| high * 16 + low).collect())
}

fn plain(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

#[test]
fn both_open_what_the_other_sealed() -> Result<(), Box<dyn Error>> {
    let Some(oracles) = provided(ORACLES)? else {
        return Ok(());
    };
    for len in [0, 1, 16_383, 16_384, 16_385, 32_768, 100_000] {
        let plain = plain(len);
        let whole = seal_with_salt(&ROOT, CONTEXT, &plain, &[9; 24])?;
        let mut sealing = Sealing::begin(&ROOT, CONTEXT, &SystemRandom::new())?;
        let mut pieces = sealing.header().to_vec();
        for piece in plain.chunks(5_000) {
            sealing.push(piece, &mut pieces)?;
        }
        sealing.finish(&mut pieces)?;
        let answers = python(
            oracles.as_ref(),
            &[
                ("open", CONTEXT, &whole),
                ("open", CONTEXT, &pieces),
                ("seal", CONTEXT, &plain),
            ],
        )?;
        assert_eq!(answers[0].as_ref(), Some(&plain), "{len}");
        assert_eq!(answers[1].as_ref(), Some(&plain), "{len}, in pieces");
        let theirs = answers[2].as_ref().ok_or("not sealed")?;
        assert_eq!(open(&ROOT, CONTEXT, theirs)?.expose(), &plain, "{len}");
        assert!(open(&ROOT, b"elsewhere", theirs).is_err());
    }
    Ok(())
}

#[test]
fn neither_opens_what_was_changed() -> Result<(), Box<dyn Error>> {
    let Some(oracles) = provided(ORACLES)? else {
        return Ok(());
    };
    let good = seal_with_salt(&ROOT, CONTEXT, &plain(20_000), &[9; 24])?;
    let changed = |at: usize| {
        let mut changed = good.clone();
        changed[at] ^= 1;
        changed
    };
    let end = good.len();
    let wrong: Vec<Vec<u8>> = vec![
        changed(0),
        changed(24),
        changed(56),
        changed(16_456),
        changed(end - 1),
        good[..16_456].to_vec(),
        good[..end - 1].to_vec(),
        good[..71].to_vec(),
        [&good[..], &[0]].concat(),
    ];
    let mut tasks: Vec<(&str, &[u8], &[u8])> =
        vec![("open", CONTEXT, &good), ("open", b"elsewhere", &good)];
    tasks.extend(
        wrong
            .iter()
            .map(|wrong| ("open", CONTEXT, wrong.as_slice())),
    );
    let answers = python(oracles.as_ref(), &tasks)?;
    assert_eq!(answers[0], Some(plain(20_000)));
    assert!(answers[1..].iter().all(Option::is_none));
    assert!(open(&ROOT, CONTEXT, &good).is_ok());
    assert!(
        wrong
            .iter()
            .all(|wrong| open(&ROOT, CONTEXT, wrong).is_err())
    );
    Ok(())
}
