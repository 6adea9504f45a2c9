//! The first draft of any page parses again, pins every line that is not blank by its digest, holds
//! none of the page's words, and is refused as unfinished until nothing is left to do.

use std::error::Error;

use covenant_core::digest::Digest;
use policy_document::{
    Document, Draft, DraftError, ErrorKind, LineState, Name, SOURCE_LINES_MAX, source,
};
use proptest::prelude::*;
use time::macros::date;

type Outcome = Result<(), Box<dyn Error>>;

fn write(page: &[u8]) -> Result<String, DraftError> {
    let id: Name = "acme".parse().map_err(|_no_name| DraftError::File)?;
    let draft = Draft {
        id: &id,
        vendor: "Acme \"the\\best\" 会社",
        file: "our \"page\".txt",
        reviewed: date!(2026 - 11 - 22),
    };
    draft.write(page)
}

fn parsed(page: &[u8]) -> Result<Document, String> {
    let text = write(page).map_err(|error| error.to_string())?;
    Document::parse(&text).map_err(|errors| format!("{errors:?}"))
}

/// Lines by the definition, counted by hand.
fn naive_lines(page: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    let mut line = Vec::new();
    for byte in page {
        if *byte == b'\n' {
            lines.push(std::mem::take(&mut line));
        } else {
            line.push(*byte);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

fn check(page: &[u8]) -> Outcome {
    let document = parsed(page)?;
    assert_eq!(document.sha256(), &Digest::of(page));
    assert_eq!(document.vendor(), "Acme \"the\\best\" 会社");
    assert_eq!(document.source(), "our \"page\".txt");
    let lines = naive_lines(page);
    assert_eq!(usize::try_from(document.lines())?, lines.len());
    let mut todos = document.todos().iter().flat_map(|todo| &todo.lines);
    for (number, line) in (1_u32..).zip(&lines) {
        let blank = line.iter().all(|byte| matches!(byte, b' ' | b'\t'));
        assert_eq!(document.blank().contains(&number), blank, "line {number}");
        if !blank {
            let todo = todos.next().ok_or("a line is missing")?;
            assert_eq!((todo.number, todo.digest), (number, Digest::of(line)));
        }
    }
    assert_eq!(todos.next(), None);
    let report = document.check_source(page);
    assert_eq!(report.digest, report.reviewed);
    assert!(report.findings().all(|l| l.state == LineState::Uncovered));
    assert_eq!(report.findings().count(), document.todos().len());
    let refused = document
        .check(document.reviewed())
        .err()
        .unwrap_or_default();
    assert_eq!(refused.len(), document.todos().len());
    for (error, todo) in refused.iter().zip(document.todos()) {
        assert_eq!(error.kind, ErrorKind::Uncovered);
        assert_eq!((error.line, error.column), (todo.at.line, todo.at.column));
    }
    Ok(())
}

#[test]
fn of_pages_that_are_odd() -> Outcome {
    for page in [
        &b""[..],
        b"\n",
        b"\n\n\n",
        b"one line without its end",
        b"one\r\ntwo\r\n",
        b"\r\n",
        b"nul \0 and more\n\0\n",
        b"\xff\xfe broken \x80 utf-8\n\xc3\n",
        b" \t \n\x0b\n\x0c\n\xc2\xa0\n",
        b"[document]\n\"\"\" = '''\n# \\\n",
        "\u{202e}reversed\u{feff}\n".as_bytes(),
    ] {
        check(page).map_err(|error| format!("{page:?}: {error}"))?;
    }
    Ok(())
}

#[test]
fn of_long_pages() -> Outcome {
    let lines = usize::try_from(SOURCE_LINES_MAX)?;
    check("\n".repeat(lines).as_bytes())?;
    check(format!("{}x", " \n".repeat(lines - 1)).as_bytes())?;
    check("a promise\n".repeat(9_000).as_bytes())?;
    let many = "\n".repeat(lines + 1);
    assert_eq!(write(many.as_bytes()), Err(DraftError::TooManyLines));
    let full = "x\n".repeat(lines);
    assert_eq!(write(full.as_bytes()), Err(DraftError::TooLong));
    Ok(())
}

#[test]
fn names_that_a_document_refuses_are_refused_at_once() -> Outcome {
    let id: Name = "acme".parse()?;
    let draft = |vendor, file| Draft {
        id: &id,
        vendor,
        file,
        reviewed: date!(2026 - 11 - 22),
    };
    let write = |vendor, file| draft(vendor, file).write(b"x\n").err();
    let long = "x".repeat(1_001);
    for file in ["", " ", ".", "..", "a/b", "a\\b", "a\nb", "a\u{7f}", &long] {
        assert_eq!(write("Acme", file), Some(DraftError::File), "{file:?}");
    }
    for vendor in ["", "\t", "a\u{1b}[2J", &long] {
        assert_eq!(write(vendor, "a"), Some(DraftError::Vendor), "{vendor:?}");
    }
    assert_eq!(write("Acme", "a"), None);
    Ok(())
}

#[test]
fn a_line_to_do_serves_nothing_else() -> Outcome {
    let draft = write(b"A promise.\nAnother.\n")?;
    let kinds = |text: &str| {
        let errors = Document::parse(text).err().unwrap_or_default();
        errors.iter().map(|error| error.kind).collect::<Vec<_>>()
    };
    let digest = Digest::of(b"A promise.");
    let ignore = format!("[[ignore]]\nlines = [1]\ndigests = [\"{digest}\"]\nreason = \"title\"\n");
    assert_eq!(
        kinds(&format!("{draft}{ignore}")),
        [ErrorKind::Contradiction]
    );
    let todo = format!("[[todo]]\nlines = [1]\ndigests = [\"{digest}\"]\n");
    assert_eq!(kinds(&format!("{draft}{todo}")), [ErrorKind::Duplicate]);
    let line = format!("digests = [\"{digest}\"]\n");
    let bare = draft.replacen(&line, "", 1);
    assert_eq!(kinds(&bare), [ErrorKind::MissingKey]);
    let reasoned = draft.replacen(&line, &format!("{line}reason = \"title\"\n"), 1);
    assert_eq!(kinds(&reasoned), [ErrorKind::UnknownKey]);
    let beyond = todo.replace("[1]", "[3]");
    assert_eq!(kinds(&format!("{draft}{beyond}")), [ErrorKind::Value]);
    let clause = format!(
        "[[clause]]\nid = \"A-01\"\nlines = [1]\ndigests = [\"{digest}\"]\nsays = \"what it \
         is\"\nkind = \"informational\"\ncrates = []\n"
    );
    assert_eq!(
        kinds(&format!("{draft}{clause}")),
        [ErrorKind::Contradiction]
    );
    let done = draft.replacen(&todo, &clause, 1);
    assert_ne!(done, draft);
    assert_eq!(kinds(&done), []);
    Ok(())
}

#[test]
fn a_line_to_do_that_changed_is_drift() -> Outcome {
    let document = parsed(b"A promise.\nAnother.\n")?;
    let report = document.check_source(b"A promise.\nAnother!\n");
    let states: Vec<_> = report.lines.iter().map(|line| line.state).collect();
    assert_eq!(states, [LineState::Uncovered, LineState::Drifted]);
    Ok(())
}

proptest! {
    #[test]
    fn of_any_page(page in prop::collection::vec(prop_oneof![
        Just(b'\n'), Just(b' '), Just(b'\t'), Just(b'\r'), Just(0), any::<u8>(),
    ], 0..400)) {
        let outcome = check(&page);
        prop_assert!(outcome.is_ok(), "{outcome:?}");
        prop_assert_eq!(source::lines(&page).count(), naive_lines(&page).len());
    }
}
