//! Small documents for the linter: a page of text, and clauses over its lines.

use std::error::Error;

use covenant_core::digest::Digest;
use policy_document::{Document, FindingCode};
use time::Date;
use time::macros::date;

/// What goes wrong in a test.
pub(crate) type Failure = Box<dyn Error>;

/// The day on which every test lints.
pub(crate) const TODAY: Date = date!(2026 - 11 - 22);

/// A technical clause on these lines that is always kept and bound, as far as `rest` does not say
/// otherwise. Tables of the clause come last in `rest`.
pub(crate) fn clause(id: &str, lines: &[u32], rest: &str) -> String {
    let mut text = format!("[[clause]]\nid = \"{id}\"\nlines = {lines:?}\nsays = \"a promise\"\n");
    let has = |key: &str| rest.lines().any(|line| line.starts_with(key));
    if !has("kind = ") {
        text.push_str("kind = \"technical\"\n");
    }
    if !has("modality = ") && !has("kind = \"informational\"") {
        text.push_str("modality = \"always\"\n");
    }
    text.push_str("crates = [\"covenant\"]\n");
    text.push_str(rest);
    let proven = !has("kind = \"informational\"") && !has("kind = \"organisational\"");
    if proven && !has("[clause.verify]") {
        text.push_str("\n[clause.verify]\nscenarios = [\"export::tools\"]\n");
        text.push_str("sabotages = [\"export-incomplete\"]\n");
    }
    text + "\n"
}

/// The text of a document over a page; `head` adds keys to `[document]`, `body` the tables.
pub(crate) fn text(id: &str, page: &str, head: &str, body: &str) -> String {
    let lines: Vec<&str> = page.lines().collect();
    let blank = (1..).zip(&lines).filter(|(_, line)| line.trim().is_empty());
    let blank: Vec<u32> = blank.map(|(number, _)| number).collect();
    let mut text = format!(
        "[document]\nformat = \"covenant/policy/v1\"\nid = \"{id}\"\nvendor = \"Acme\"\n\
         source = \"{id}.txt\"\nsha256 = \"{}\"\nlines = {}\nblank = {blank:?}\n\
         reviewed = 2026-11-21\nzones = [\"UTC\"]\nday = [\"elapsed\"]\n{head}\n",
        Digest::of(page.as_bytes()),
        lines.len(),
    );
    for line in body.lines() {
        text.push_str(&format!("{line}\n"));
        let numbers = line
            .strip_prefix("lines = [")
            .and_then(|l| l.strip_suffix(']'));
        if let Some(numbers) = numbers {
            let numbers = numbers.split(", ").filter_map(|n| n.parse::<usize>().ok());
            let digests: Vec<String> = numbers
                .filter_map(|number| lines.get(number.checked_sub(1)?))
                .map(|line| Digest::of(line.as_bytes()).to_string())
                .collect();
            text.push_str(&format!("digests = {digests:?}\n"));
        }
    }
    text
}

/// A document over a page without words of any list.
pub(crate) fn document(id: &str, lines: u32, body: &str) -> Result<Document, Failure> {
    let page: String = (1..=lines).map(|n| format!("Line {n}.\n")).collect();
    parse(&text(id, &page, "", body))
}

/// The document, or all its mistakes.
pub(crate) fn parse(text: &str) -> Result<Document, Failure> {
    Document::parse(text).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        errors.join("\n").into()
    })
}

/// Findings of one code, as text.
pub(crate) fn findings(document: &Document, code: FindingCode) -> Vec<String> {
    let all = document.lint(TODAY).into_iter();
    all.filter(|finding| finding.code == code)
        .map(|finding| finding.to_string())
        .collect()
}
