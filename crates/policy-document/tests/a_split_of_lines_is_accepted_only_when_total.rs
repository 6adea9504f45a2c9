//! However the lines of a page are split into clauses, ignores and blanks: the document is accepted
//! when every line is served and none is served and ignored, and otherwise names the lines.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use covenant_core::digest::Digest;
use policy_document::{Document, ErrorKind};
use proptest::prelude::*;

/// What becomes of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Both,
    Clause,
    Ignored,
    Nothing,
    Twice,
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        8 => Just(Part::Clause),
        8 => Just(Part::Ignored),
        2 => Just(Part::Twice),
        1 => Just(Part::Nothing),
        1 => Just(Part::Both),
    ]
}

fn page(lines: &[String]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|line| format!("{line}\n").into_bytes())
        .collect()
}

fn policy(lines: &[String], parts: &[Part]) -> Result<String, std::fmt::Error> {
    let blank = |line: &String| line.chars().all(|c| c == ' ' || c == '\t');
    let numbered = || lines.iter().zip(1_u32..).zip(parts);
    let blanks: Vec<u32> = numbered()
        .filter(|((l, _), _)| blank(l))
        .map(|((_, n), _)| n)
        .collect();
    let mut text = format!(
        "[document]\nformat = \"covenant/policy/v1\"\nid = \"split\"\nvendor = \"v\"\n\
         source = \"s.txt\"\nsha256 = \"{}\"\nlines = {}\nblank = {blanks:?}\n\
         reviewed = 2026-11-21\nzones = [\"UTC\"]\nday = [\"elapsed\"]\n",
        Digest::of(&page(lines)),
        lines.len(),
    );
    for ((line, number), part) in numbered().filter(|((line, _), _)| !blank(line)) {
        let pinned = format!(
            "lines = [{number}]\ndigests = [\"{}\"]\n",
            Digest::of(line.as_bytes())
        );
        if matches!(part, Part::Ignored | Part::Both) {
            write!(text, "[[ignore]]\n{pinned}reason = \"heading\"\n")?;
        }
        let clauses = match part {
            Part::Both | Part::Clause => 1,
            Part::Twice => 2,
            Part::Ignored | Part::Nothing => 0,
        };
        for copy in 0..clauses {
            let id = number * 2 + copy;
            write!(
                text,
                "[[clause]]\nid = \"S-{id:02}\"\n{pinned}says = \"so\"\n\
                 kind = \"organisational\"\nmodality = \"always\"\ncrates = []\n"
            )?;
        }
    }
    Ok(text)
}

proptest! {
    #[test]
    fn total_or_refused(split in prop::collection::vec(("[a-z \t]{0,6}", part()), 1..30)) {
        let (lines, parts): (Vec<String>, Vec<Part>) = split.into_iter().unzip();
        let served = |part: Part| {
            let of = |(line, found): &(&String, &Part)| **found == part && !line.trim().is_empty();
            lines.iter().zip(&parts).filter(of).count()
        };
        let result = Document::parse(&policy(&lines, &parts)?);
        let kinds = |errors: &[policy_document::DocumentError]| {
            errors.iter().map(|e| e.kind).collect::<Vec<_>>()
        };
        if served(Part::Both) > 0 {
            let errors = result.err().unwrap_or_default();
            prop_assert_eq!(kinds(&errors), vec![ErrorKind::Contradiction; served(Part::Both)]);
            return Ok(());
        }
        let document = match result {
            Ok(document) => document,
            Err(errors) => return Err(TestCaseError::fail(format!("{errors:?}"))),
        };
        let errors = document.check(document.reviewed()).err().unwrap_or_default();
        prop_assert_eq!(kinds(&errors), vec![ErrorKind::Uncovered; served(Part::Nothing)]);
        let coverage = document.coverage();
        prop_assert_eq!(coverage.is_total(), served(Part::Nothing) == 0);
        let parts = [&coverage.covered, &coverage.ignored, &coverage.blank, &coverage.uncovered];
        let all: BTreeSet<u32> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        prop_assert_eq!(all.len(), parts.iter().map(|part| part.len()).sum::<usize>());
        prop_assert_eq!(all.len(), lines.len());
        let report = document.check_source(&page(&lines));
        prop_assert_eq!(report.is_clean(), coverage.is_total());
        prop_assert_eq!(report.findings().count(), coverage.uncovered.len());
    }
}
