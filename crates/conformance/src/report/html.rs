//! `index.html`: the report for people, one file that loads nothing and runs nothing.
//!
//! Counts stand apart and are never made one figure; every status but kept has its reason beside it.

use super::markup::{element, escape, table};
use super::{DocumentReport, Report, Tree, svg};
use crate::evidence::rfc3339;
use crate::runner::Options;
use crate::status::Status;

mod clauses;
mod derived;
mod lists;

const STYLE: &str = include_str!("html/style.css");

/// Prints the report.
#[must_use]
pub fn print(report: &Report, options: &Options) -> String {
    let mut out = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <title>Conformance report</title>\n<style>\n",
    );
    out.push_str(STYLE);
    out.push_str("</style>\n</head>\n<body>\n");
    out.push_str(&header(report));
    out.push_str("<main>\n");
    for document in &report.documents {
        out.push_str(&section(document, options));
    }
    out.push_str(&appendix(report, options));
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

/// The shape of a status, which tells statuses apart where colour does not.
pub(super) const fn shape(status: Status) -> &'static str {
    match status {
        Status::Kept => "\u{2713}",
        Status::Broken => "\u{2715}",
        Status::Untested => "\u{25cb}",
        Status::Toothless => "\u{25b3}",
        Status::Attested => "\u{25a0}",
        Status::Unattested => "\u{25a1}",
        Status::Expired => "\u{25bd}",
        Status::Superseded => "\u{25c6}",
        Status::Informational => "\u{2013}",
    }
}

/// Shape and word of a status.
fn status(status: Status) -> String {
    let shape = shape(status);
    format!(
        "<span class=\"status {status}\"><span aria-hidden=\"true\">{shape}</span> {status}</span>"
    )
}

fn header(report: &Report) -> String {
    let open = report.documents.iter().map(|document| {
        let open = [Status::Broken, Status::Untested, Status::Toothless];
        open.iter()
            .map(|status| document.tally(*status))
            .sum::<u64>()
    });
    let open: u64 = open.sum();
    let verdict = match report.exit.code {
        0 if open > 0 => {
            "No status is worse than the reviewed one; clauses without proof are listed below."
        }
        0 => "No reason to refuse.",
        1 => "At least one technical clause is broken, untested or toothless.",
        3 => "At least one document cannot be accepted.",
        4 => "The system under test did not start, or a file could not be read or written.",
        5 => "At least one clause lacks a valid attestation.",
        6 => "At least one status is worse than the reviewed one.",
        _ => "The run ended with a reason to refuse.",
    };
    let run = &report.run;
    let mut out = format!(
        "<header>\n<h1>Conformance report</h1>\n\
         <p class=\"verdict\">{verdict} <span>Exit code {}.</span></p>\n",
        report.exit.code
    );
    if !report.exit.reasons.is_empty() {
        let reasons = report
            .exit
            .reasons
            .iter()
            .map(|reason| element("li", reason));
        out.push_str(&format!(
            "<ul class=\"reasons\">{}</ul>\n",
            reasons.collect::<String>()
        ));
    }
    out.push_str(&format!(
        "<p>System under test: {} {}; started {}.</p>\n",
        escape(&run.subject.name),
        escape(&run.subject.version),
        rfc3339(run.started)
    ));
    let headings: Vec<_> = ["Document"]
        .into_iter()
        .chain(Status::ALL.iter().map(|status| status.name()))
        .chain(["clauses"])
        .collect();
    let rows = report.documents.iter().map(|document| {
        let id = escape(&document.document.id().to_string());
        let mut row = vec![format!("<a href=\"#{id}\">{id}</a>")];
        row.extend(
            Status::ALL
                .iter()
                .map(|status| document.tally(*status).to_string()),
        );
        row.push(document.clauses.len().to_string());
        row
    });
    out.push_str(&table(
        "Clauses by status; the counts are not added up to a score",
        &headings,
        rows,
    ));
    out.push_str("</header>\n");
    out
}

fn section(report: &DocumentReport, options: &Options) -> String {
    let document = &report.document;
    let id = escape(&document.id().to_string());
    let coverage = document.coverage();
    let tallies = Status::ALL
        .iter()
        .filter(|status| report.tally(**status) > 0);
    let tallies = tallies.map(|one| format!("<li>{} {}</li>", report.tally(*one), status(*one)));
    let mut out = format!(
        "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{id}: {}</h2>\n\
         <ul class=\"tally\">{}</ul>\n<p>{} of {} clauses reported. {} {} {}</p>\n",
        escape(document.vendor()),
        tallies.collect::<String>(),
        report.clauses.len(),
        document.clauses().len(),
        escape(&published(report)),
        source(report),
        escape(&format!(
            "Of {} lines {} serve a clause, {} promise nothing, {} are blank.",
            document.lines(),
            coverage.covered.len(),
            coverage.ignored.len(),
            coverage.blank.len()
        )),
    );
    let drawn = svg::timelines(report);
    out.push_str("<h3>Timelines</h3>\n");
    if drawn.is_empty() {
        out.push_str("<p>None: no reported clause says when something happens.</p>\n");
    } else {
        out.push_str(
            "<p>As of a first event in a month of 31 days. Bar: it may not happen yet. Dashed box: it \
             is due; open at the right where nothing demands it. Below, line and diamond: what was \
             simulated, the time that came closest to its limit, counted from the latest time of \
             the event that it runs from; dashed, with a hollow diamond, where the limit was \
             missed.</p>\n",
        );
        out.push_str(&drawn);
    }
    out.push_str("<h3>Clauses</h3>\n");
    out.push_str(&clauses::table_of(report, options));
    out.push_str(&derived::findings(report));
    out.push_str(&derived::residency(report));
    out.push_str(&lists::deviations(report, options));
    out.push_str(&lists::attestations(report));
    out.push_str(&lists::controls(report));
    out.push_str(&lists::ignored(report));
    out.push_str("</section>\n");
    out
}

fn published(report: &DocumentReport) -> String {
    let document = &report.document;
    let reviewed = document.reviewed();
    match document.published() {
        Some(date) => format!("The page was published on {date} and reviewed on {reviewed}."),
        None => format!("The page has no date; it was reviewed on {reviewed}."),
    }
}

const fn source(report: &DocumentReport) -> &'static str {
    match report.source_state {
        super::SourceState::Matched => "Every line of the page is the reviewed one.",
        super::SourceState::Drifted => "The page has drifted from the reviewed one.",
        super::SourceState::Absent => "The page was not there; nothing is said about drift.",
    }
}

fn appendix(report: &Report, options: &Options) -> String {
    let run = &report.run;
    let commit = match (&run.commit, run.tree) {
        (Some(commit), Tree::Clean) => commit.clone(),
        (Some(commit), Tree::Dirty) => format!("{commit}, with changes"),
        (None, _) => "not known".to_owned(),
    };
    let facts = [
        ("Run", report.id().to_string()),
        ("Started", rfc3339(run.started)),
        ("Finished", rfc3339(run.finished)),
        ("Seed", run.seed.to_string()),
        ("Commit", commit),
        ("Tool chain", run.toolchain.clone()),
        ("Target", run.target.clone()),
        ("Rows", run.subject.rows.clone()),
        ("Blobs", run.subject.blobs.clone()),
        ("Keys", run.subject.keys.clone()),
        ("Notices", run.subject.notices.clone()),
        ("Synchronous", run.subject.synchronous.clone()),
        (
            "Evidence, SHA-256 of evidence.jsonl",
            report.evidence_sha256.to_string(),
        ),
    ];
    let digests = report.documents.iter().flat_map(|report| {
        let id = report.document.id();
        [
            (
                format!("{id}, SHA-256 of the policy file"),
                report.policy_sha256,
            ),
            (
                format!("{id}, SHA-256 of the page"),
                *report.document.sha256(),
            ),
        ]
    });
    let rows = facts
        .iter()
        .map(|(name, value)| (escape(name), escape(value)));
    let rows = rows.chain(digests.map(|(name, value)| (escape(&name), escape(&value.to_string()))));
    let rows = rows.map(|(name, value)| [name, format!("<code>{value}</code>")]);
    format!(
        "<section aria-labelledby=\"appendix\">\n<h2 id=\"appendix\">Appendix</h2>\n{}\
         <p>The same run again, at the same commit:</p>\n<pre tabindex=\"0\"><code>{}</code></pre>\n</section>\n",
        table("Facts of the run", &["Fact", "Value"], rows),
        escape(&command(report, options))
    )
}

/// The command that repeats the run.
fn command(report: &Report, options: &Options) -> String {
    let mut text = String::from("cargo xtask conformance");
    for document in &report.documents {
        text.push_str(&format!(" --policy {}", document.document.id()));
    }
    for clause in &options.clauses {
        text.push_str(&format!(" --clause {clause}"));
    }
    for scenario in &options.scenarios {
        text.push_str(&format!(" --scenario {scenario}"));
    }
    text.push_str(&format!(" --seed {}", report.run.seed));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The colours of one block of the style sheet by name, each as three parts.
    fn colours(block: &str) -> Vec<(&str, [u8; 3])> {
        let pairs = block.split(';').filter_map(|part| {
            let (name, value) = part.trim().split_once(": #")?;
            let part = |at| u8::from_str_radix(value.get(at..at + 2)?, 16).ok();
            let name = name.rsplit("--").next()?;
            Some((name, [part(0)?, part(2)?, part(4)?]))
        });
        pairs.collect()
    }

    /// Relative luminance, by WCAG 2.
    fn luminance(colour: [u8; 3]) -> f64 {
        let [red, green, blue] = colour.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[test]
    fn every_colour_of_text_contrasts_on_screen_in_the_dark_and_in_print() {
        let blocks: Vec<_> = STYLE.split(":root {").skip(1).collect();
        assert_eq!(blocks.len(), 3);
        for block in blocks {
            let colours = colours(block.split('}').next().unwrap());
            let of = |name: &str| {
                let found = colours.iter().find(|(known, _)| *known == name);
                luminance(found.unwrap().1)
            };
            for text in ["ink", "soft", "good", "bad", "open", "other"] {
                for ground in ["paper", "zone"] {
                    let (a, b) = (of(text), of(ground));
                    let ratio = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                    assert!(ratio >= 4.5, "{text} on {ground}: {ratio}");
                }
            }
        }
    }
}
