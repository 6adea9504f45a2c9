//! For tests of this crate's users and implementors: the suite that every scrubber runs.
//!
//! It returns [`SuiteError`] instead of panicking, so that a test is
//! `testing::scrubber_suite(&my_scrubber, &samples)?`.

use crate::{EntityType, FINDINGS_MAX, INPUT_LEN_BYTES_MAX, Input, ScanError, Scrubber};

/// A text without context that a scrubber must find as this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// What it is.
    pub entity: EntityType,
    /// The text, 1 to 1,000 bytes, without a space and without the word `lorem`.
    pub text: &'static str,
}

/// An implementation broke a sentence of its contract. Carries no sample.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("scrubber: {0}")]
pub struct SuiteError(String);

type Suite = Result<(), SuiteError>;

/// Where a scrubber that reads in blocks could lose something: sizes of blocks in use.
const BLOCKS: &[usize] = &[64, 256, 1_024, 4_096, 8_192, 16_384, 65_536, 1 << 20];

/// What every [`Scrubber`] does, shown on texts that it must find.
///
/// # Errors
/// [`SuiteError`] for the first sentence that does not hold.
pub fn scrubber_suite(scrubber: &dyn Scrubber, samples: &[Sample]) -> Suite {
    if samples.is_empty() {
        return fail("no sample, so that nothing would be shown");
    }
    let rules = scrubber.rule_set();
    clean(scrubber)?;
    for sample in samples {
        every_place(scrubber, sample)?;
        pure(scrubber, sample)?;
        too_many(scrubber, sample)?;
    }
    longest(scrubber, samples)?;
    if scrubber.rule_set() != rules {
        return fail("the rule set changed while scanning");
    }
    Ok(())
}

/// A text without anything personal has no finding: a scrubber that covers everything is useless.
fn clean(scrubber: &dyn Scrubber) -> Suite {
    for text in ["", " ", "lorem lorem", "\u{e9}\u{3042}\u{1f600} lorem"] {
        if !findings(scrubber, text)?.is_empty() {
            return fail("something was found where nothing is");
        }
    }
    Ok(())
}

/// At the start, at the end, alone, several times, beside long characters, across blocks.
fn every_place(scrubber: &dyn Scrubber, sample: &Sample) -> Suite {
    let text = sample.text;
    covered(scrubber, sample, "alone", &["", ""])?;
    covered(scrubber, sample, "at the start", &["", " lorem"])?;
    covered(scrubber, sample, "at the end", &["lorem ", ""])?;
    covered(
        scrubber,
        sample,
        "with one space between",
        &["", " ", " ", ""],
    )?;
    covered(
        scrubber,
        sample,
        "beside longer characters",
        &["\u{e9}\u{3042}\u{1f600} ", " \u{1f600} ", " \u{3042}"],
    )?;
    for block in BLOCKS {
        for before in [
            block.saturating_sub(text.len()),
            block.saturating_sub(text.len() / 2),
            block.saturating_sub(1),
            *block,
        ] {
            let filler = filler(before);
            covered(
                scrubber,
                sample,
                "at the edge of a block",
                &[&filler, " lorem"],
            )?;
        }
    }
    Ok(())
}

/// The same answer again, also after something else was scanned.
fn pure(scrubber: &dyn Scrubber, sample: &Sample) -> Suite {
    let text = format!("lorem {}", sample.text);
    let first = findings(scrubber, &text)?;
    findings(scrubber, sample.text)?;
    findings(scrubber, "lorem")?;
    if findings(scrubber, &text)? != first {
        return fail("the same text gave another answer");
    }
    Ok(())
}

/// More than the limit is an error, never the first so many.
fn too_many(scrubber: &dyn Scrubber, sample: &Sample) -> Suite {
    let one = format!("{} ", sample.text);
    let enough = FINDINGS_MAX.saturating_add(1);
    if one.len().saturating_mul(enough) > INPUT_LEN_BYTES_MAX {
        return Ok(());
    }
    let text = one.repeat(enough);
    match scrubber.scan(input(&text)?) {
        Err(ScanError::Incomplete { .. }) => Ok(()),
        Ok(_) => fail("more findings than the limit were answered"),
    }
}

/// The longest input is read to its last byte, or refused.
fn longest(scrubber: &dyn Scrubber, samples: &[Sample]) -> Suite {
    let Some(sample) = samples.first() else {
        return Ok(());
    };
    let before = INPUT_LEN_BYTES_MAX.saturating_sub(sample.text.len());
    covered(
        scrubber,
        sample,
        "at the end of the longest input",
        &[&filler(before), ""],
    )
}

/// The sample between these parts: every byte of it is covered, and no byte of the parts. A
/// scrubber that refuses keeps the contract, but not for texts as harmless as these.
fn covered(scrubber: &dyn Scrubber, sample: &Sample, place: &str, parts: &[&str]) -> Suite {
    let text = parts.join(sample.text);
    let found = findings(scrubber, &text)?;
    let mut left = found.iter();
    let mut at = 0_usize;
    for part in parts.iter().take(parts.len().saturating_sub(1)) {
        let start = at.saturating_add(part.len());
        let end = start.saturating_add(sample.text.len());
        // one finding, or several that touch, from start to end
        let mut covered_to = start;
        while covered_to < end {
            let Some((entity, span)) = left.next() else {
                return fail(format_args!("a sample {place} was not found"));
            };
            if span.start != covered_to || span.end > end {
                return fail(format_args!("a sample {place} was found elsewhere"));
            }
            if *entity != sample.entity {
                return fail(format_args!("a sample {place} was taken for {entity}"));
            }
            covered_to = span.end;
        }
        at = end;
    }
    if left.next().is_some() {
        return fail(format_args!("beside a sample {place} more was found"));
    }
    Ok(())
}

type Found = Vec<(EntityType, std::ops::Range<usize>)>;

fn findings(scrubber: &dyn Scrubber, text: &str) -> Result<Found, SuiteError> {
    let scan = scrubber
        .scan(input(text)?)
        .map_err(|error| SuiteError(format!("a harmless text was refused: {error}")))?;
    if scan.input().text() != text {
        return Err(SuiteError("the answer is about another text".to_owned()));
    }
    let found = scan.findings().iter();
    Ok(found.map(|f| (f.entity(), f.span())).collect())
}

fn input(text: &str) -> Result<Input<'_>, SuiteError> {
    Input::utf8(text.as_bytes()).map_err(|error| SuiteError(error.to_string()))
}

/// So many bytes of harmless words; the last one is a space.
fn filler(len: usize) -> String {
    let mut text = "lorem ".repeat(len.div_euclid(6));
    while text.len() < len {
        text.insert(0, ' ');
    }
    text
}

fn fail(what: impl ToString) -> Suite {
    Err(SuiteError(what.to_string()))
}
