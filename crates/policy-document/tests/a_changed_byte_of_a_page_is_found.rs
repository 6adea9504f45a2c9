//! Every change of one byte of a page is found, with the number of its line and the line's clauses.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use covenant_core::digest::Digest;
use policy_document::{Document, LineState, source};

type Failure = Box<dyn Error>;

const POLICIES: [&str; 3] = [
    include_str!("../../../policies/prodb.toml"),
    include_str!("../../../policies/protopie.toml"),
    include_str!("../../../policies/immidb.toml"),
];

/// The documents with their pages; nothing where the pages are not there.
#[expect(clippy::print_stdout, reason = "a test that does not run says so")]
fn pages() -> Result<Vec<(Document, Vec<u8>)>, Failure> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/seeds");
    if !folder.is_dir() {
        println!("not run: no sources");
        return Ok(Vec::new());
    }
    let mut pages = Vec::new();
    for policy in POLICIES {
        let document = Document::parse(policy).map_err(|errors| format!("{errors:?}"))?;
        let page = fs::read(folder.join(document.source()))?;
        pages.push((document, page));
    }
    Ok(pages)
}

#[test]
fn the_reviewed_pages_are_clean() -> Result<(), Failure> {
    for (document, page) in pages()? {
        let report = document.check_source(&page);
        assert!(
            report.is_clean(),
            "{}: {:?}",
            document.id(),
            report.findings().next()
        );
        assert_eq!(report.lines.len(), usize::try_from(document.lines())?);
    }
    Ok(())
}

#[test]
fn each_byte_that_changes_names_its_line_and_clauses() -> Result<(), Failure> {
    for (document, page) in pages()? {
        let served: BTreeMap<u32, usize> = (1..=document.lines())
            .map(|n| {
                let serves = |line: u32| line == n;
                let clauses = document.clauses().iter();
                (n, clauses.filter(|c| c.line_numbers().any(serves)).count())
            })
            .collect();
        let mut line = 1;
        let mut changed = page.clone();
        for (at, byte) in page.iter().enumerate() {
            for other in [byte ^ 1, b'\n', b' '] {
                if other == *byte {
                    continue;
                }
                changed[at] = other;
                let report = document.check_source(&changed);
                assert!(
                    !report.is_clean(),
                    "{}: byte {at} to {other:#04x}",
                    document.id()
                );
                let first = report.findings().next().map(|line| line.number);
                assert_eq!(
                    first,
                    Some(line),
                    "{}: byte {at} to {other:#04x}",
                    document.id()
                );
                assert_eq!(
                    report.findings().next().map(|l| l.clauses.len()),
                    served.get(&line).copied()
                );
            }
            changed[at] = *byte;
            line += u32::from(*byte == b'\n');
        }
    }
    Ok(())
}

#[test]
fn each_value_of_each_byte_has_another_digest() -> Result<(), Failure> {
    for (document, page) in pages()? {
        let clauses = document.clauses().iter().flat_map(|clause| &clause.lines);
        let ignored = document.ignores().iter().flat_map(|ignore| &ignore.lines);
        let pinned: BTreeMap<u32, Digest> = clauses
            .chain(ignored)
            .map(|l| (l.number, l.digest))
            .collect();
        for (line, number) in source::lines(&page).zip(1_u32..) {
            let Some(reviewed) = pinned.get(&number) else {
                continue;
            };
            let mut changed = line.to_vec();
            for (at, byte) in line.iter().enumerate() {
                for other in (0..=u8::MAX).filter(|other| other != byte) {
                    changed[at] = other;
                    assert_ne!(Digest::of(&changed), *reviewed, "line {number}, byte {at}");
                }
                changed[at] = *byte;
            }
        }
    }
    Ok(())
}

/// A document of three lines, of which the second is blank.
fn small(page: &[u8]) -> Result<Document, Failure> {
    let mut lines = source::lines(page).map(Digest::of);
    let (title, promise) = (lines.next(), lines.nth(1));
    let text = format!(
        r#"
        [document]
        format = "covenant/policy/v1"
        id = "small"
        vendor = "Small"
        source = "small.txt"
        sha256 = "{}"
        lines = 3
        blank = [2]
        reviewed = 2026-11-21
        zones = ["UTC"]
        day = ["elapsed"]
        [[ignore]]
        lines = [1]
        digests = ["{}"]
        reason = "title"
        [[clause]]
        id = "S-01"
        lines = [3]
        digests = ["{}"]
        says = "something is so"
        kind = "organisational"
        modality = "always"
        crates = []
        "#,
        Digest::of(page),
        title.ok_or("no first line")?,
        promise.ok_or("no third line")?,
    );
    Document::parse(&text).map_err(|errors| format!("{errors:?}").into())
}

fn states(document: &Document, page: &[u8]) -> Vec<LineState> {
    document
        .check_source(page)
        .lines
        .iter()
        .map(|line| line.state)
        .collect()
}

#[test]
fn a_longer_a_shorter_and_an_empty_page_are_told_apart() -> Result<(), Failure> {
    use LineState::{Drifted, Matched, Missing, Uncovered};
    let document = small(b"Title\n\nWe do so.\n")?;
    let cases: [(&[u8], &[LineState]); 9] = [
        (b"Title\n\nWe do so.\n", &[Matched, Matched, Matched]),
        (b"Title\n\nWe do so", &[Matched, Matched, Drifted]),
        (
            b"Title\n\nWe do so.\nMore\n",
            &[Matched, Matched, Matched, Uncovered],
        ),
        (b"Title\n\n", &[Matched, Matched, Missing]),
        (b"Title\n", &[Matched, Missing, Missing]),
        (b"", &[Missing, Missing, Missing]),
        (b"Title\r\n\nWe do so.\n", &[Drifted, Matched, Matched]),
        (b"Title\nnew\nWe do so.\n", &[Matched, Drifted, Matched]),
        (b"\xff\n\nWe do so.\n", &[Drifted, Matched, Matched]),
    ];
    for (page, expected) in cases {
        assert_eq!(
            states(&document, page),
            expected,
            "{}",
            String::from_utf8_lossy(page)
        );
    }
    Ok(())
}

#[test]
fn what_only_the_digest_of_the_whole_tells_is_blamed_on_a_line() -> Result<(), Failure> {
    use LineState::{Drifted, Matched};
    let document = small(b"Title\n\nWe do so.\n")?;
    assert_eq!(
        states(&document, b"Title\n \t\nWe do so.\n"),
        [Matched, Drifted, Matched]
    );
    assert_eq!(
        states(&document, b"Title\n\nWe do so."),
        [Matched, Matched, Drifted]
    );
    let report = document.check_source(b"Title\n\nWe do so.");
    assert_eq!(report.affected().len(), 1);
    Ok(())
}
