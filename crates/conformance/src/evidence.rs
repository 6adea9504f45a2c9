//! Evidence: one line for every run of a scenario, written and flushed as the runs end.
//!
//! Statuses and reports are made from these lines. While the run lasts they are appended to
//! `evidence.jsonl.partial` in the order of their ends; at the end they are read back and put in a
//! fixed order, so that the same run gives the same bytes. As `evidence.jsonl` they are published
//! together with the reports.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use covenant_core::digest::Digest;
use time::UtcDateTime;
use time::format_description::well_known::Rfc3339;

use crate::json::Json;
use crate::sabotage::Sabotage;
use crate::stage::Failure;
use crate::trace_sabotage::TraceSabotage;

/// Version of the format of a line.
pub const VERSION: i64 = 1;
/// The file that the lines are appended to while the run lasts.
pub const PARTIAL: &str = "evidence.jsonl.partial";
/// Longest text in a line in bytes: what was seen goes in, whole stores do not; a bound of ours.
pub const TEXT_LEN_BYTES_MAX: usize = 1_000;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the four words of the format")]
pub enum RunOutcome {
    /// It came to its end, and every check held.
    Passed,
    /// A check failed.
    Failed,
    /// The subject does not support an act that the scenario needs.
    Unsupported,
    /// It did not come to its end for another reason.
    Error,
}

impl RunOutcome {
    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unsupported => "unsupported",
            Self::Error => "error",
        }
    }
}

/// One run of one scenario for one clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The clause with its document: `prodb.P-51`.
    pub clause: String,
    /// The scenario.
    pub scenario: String,
    /// The sabotage of the subject; `None` for the sound one.
    pub sabotage: Option<Sabotage>,
    /// The sabotage of what the sound subject recorded: the level `trace`.
    pub trace: Option<TraceSabotage>,
    /// The virtual instant at which the subject was built.
    pub start: UtcDateTime,
    /// The seed.
    pub seed: u64,
    /// The virtual instant at which it ended.
    pub until: UtcDateTime,
    /// How many checks were made.
    pub checks: u64,
    /// How it ended.
    pub outcome: RunOutcome,
    /// The failed check, or the reason of an error in `observed`.
    pub failure: Option<Failure>,
    /// The commit of the code, if known.
    pub commit: Option<String>,
}

impl Line {
    /// The line as JSON, without a line feed.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self {
            clause,
            scenario,
            sabotage,
            trace,
            start,
            seed,
            until,
            checks,
            outcome,
            failure,
            commit,
        } = self;
        let (level, subject) = match (trace, sabotage) {
            (Some(trace), _) => ("trace", trace.name()),
            (None, Some(sabotage)) => ("system", sabotage.name()),
            (None, None) => ("system", "sound"),
        };
        let failed = failure.as_ref();
        Json::map([
            ("v", Json::Int(VERSION)),
            ("clause", Json::text(clause)),
            ("scenario", Json::text(scenario)),
            ("subject", Json::text(subject)),
            ("level", Json::text(level)),
            ("start", instant(*start)),
            ("seed", Json::text(seed)),
            ("from", instant(*start)),
            ("until", instant(*until)),
            ("checks", Json::count(*checks)),
            ("outcome", Json::text(outcome.name())),
            (
                "at",
                failed.map_or(Json::Null, |failure| instant(failure.at)),
            ),
            (
                "expected",
                Json::text_or_null(failed.map(|failure| cut(&failure.expected))),
            ),
            (
                "observed",
                Json::text_or_null(failed.map(|failure| cut(&failure.observed))),
            ),
            ("commit", Json::text_or_null(commit.as_ref())),
        ])
        .compact()
    }
}

/// An instant as RFC 3339 in UTC.
#[must_use]
pub fn instant(at: UtcDateTime) -> Json {
    Json::text(rfc3339(at))
}

/// An instant as RFC 3339 text in UTC, with `Z`.
#[must_use]
pub fn rfc3339(at: UtcDateTime) -> String {
    // INVARIANT: the years of virtual time have four digits, which is all that RFC 3339 asks for
    at.format(&Rfc3339).unwrap_or_default()
}

/// The text, cut at [`TEXT_LEN_BYTES_MAX`] at the latest, between two characters.
fn cut(text: &str) -> &str {
    let fits = |(at, c): &(usize, char)| at.saturating_add(c.len_utf8()) <= TEXT_LEN_BYTES_MAX;
    let end = text
        .char_indices()
        .take_while(fits)
        .last()
        .map_or(0, |(at, c)| at.saturating_add(c.len_utf8()));
    text.split_at_checked(end).map_or(text, |(head, _)| head)
}

/// The evidence of a run while it is written.
#[derive(Debug)]
pub struct Log {
    partial: Option<Partial>,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Partial {
    path: PathBuf,
    open: File,
}

/// The evidence of a run when it is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// All lines, ordered by clause, scenario, subject and start.
    pub lines: Vec<Line>,
    /// What `evidence.jsonl` holds: the lines, each with its line feed.
    pub text: String,
    /// SHA-256 of the text.
    pub digest: Digest,
    /// Lines that were missing from the partial file, or altered in it, when it was read back.
    pub lost: Vec<Line>,
}

impl Log {
    /// Evidence that is kept in memory alone.
    #[must_use]
    pub const fn in_memory() -> Self {
        Self {
            partial: None,
            lines: Vec::new(),
        }
    }

    /// Evidence in this folder, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder or the file cannot be written.
    pub fn in_folder(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(PARTIAL);
        let open = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        Ok(Self {
            partial: Some(Partial { path, open }),
            lines: Vec::new(),
        })
    }

    /// Appends a line and flushes it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append(&mut self, line: Line) -> io::Result<()> {
        if let Some(partial) = &mut self.partial {
            let mut text = line.encode();
            text.push('\n');
            partial.open.write_all(text.as_bytes())?;
            partial.open.flush()?;
        }
        self.lines.push(line);
        Ok(())
    }

    /// Reads the partial file back and puts the lines in order. The file stays until the evidence
    /// is published.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn close(self) -> io::Result<Evidence> {
        let Self { partial, mut lines } = self;
        lines.sort_by_cached_key(|line| {
            (
                line.clause.clone(),
                line.scenario.clone(),
                line.sabotage,
                line.trace,
                line.start,
                line.seed,
            )
        });
        let texts: Vec<_> = lines.iter().map(Line::encode).collect();
        let mut lost = Vec::new();
        if let Some(partial) = partial {
            let bytes = std::fs::read(&partial.path)?;
            let mut found: HashMap<&[u8], u64> = HashMap::new();
            for line in bytes.split(|byte| *byte == b'\n') {
                let count = found.entry(line).or_default();
                *count = count.saturating_add(1);
            }
            for (line, text) in lines.iter().zip(&texts) {
                match found.get_mut(text.as_bytes()) {
                    Some(count) if *count > 0 => *count = count.saturating_sub(1),
                    _ => lost.push(line.clone()),
                }
            }
        }
        let mut text = texts.join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        let digest = Digest::of(text.as_bytes());
        Ok(Evidence {
            lines,
            text,
            digest,
            lost,
        })
    }
}

/// Writes a file whole or not at all: beside it, forced to disk, renamed.
///
/// # Errors
/// When it cannot be written; the old file, if any, is then untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use time::macros::utc_datetime;

    use super::*;

    fn line(clause: &str, sabotage: Option<Sabotage>) -> Line {
        Line {
            clause: clause.to_owned(),
            scenario: "bin::purged_in_time".to_owned(),
            sabotage,
            trace: None,
            start: utc_datetime!(2027-08-31 12:00),
            seed: 7,
            until: utc_datetime!(2027-10-01 12:00),
            checks: 3,
            outcome: RunOutcome::Passed,
            failure: None,
            commit: None,
        }
    }

    #[test]
    fn a_line_has_the_keys_of_the_format_in_their_order() {
        let expect = concat!(
            r#"{"v":1,"clause":"prodb.P-52","scenario":"bin::purged_in_time","subject":"no-vacuum","#,
            r#""level":"system","start":"2027-08-31T12:00:00Z","seed":"7","#,
            r#""from":"2027-08-31T12:00:00Z","until":"2027-10-01T12:00:00Z","checks":3,"#,
            r#""outcome":"failed","at":"2027-10-01T12:00:00Z","expected":"bytes: 0","observed":"3","#,
            r#""commit":null}"#
        );
        let failure = Failure {
            at: utc_datetime!(2027-10-01 12:00),
            expected: "bytes: 0".to_owned(),
            observed: "3".to_owned(),
        };
        let line = Line {
            outcome: RunOutcome::Failed,
            failure: Some(failure),
            ..line("prodb.P-52", Some(Sabotage::NoVacuum))
        };
        assert_eq!(line.encode(), expect);
    }

    #[test]
    fn the_same_lines_in_another_order_give_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let all = [
            line("prodb.P-52", None),
            line("prodb.P-51", Some(Sabotage::NoVacuum)),
            line("prodb.P-51", None),
        ];
        let mut bytes = Vec::new();
        for order in [[0, 1, 2], [2, 0, 1]] {
            let mut log = Log::in_folder(folder.path()).unwrap();
            for at in order {
                log.append(all[at].clone()).unwrap();
            }
            let evidence = log.close().unwrap();
            assert!(evidence.lost.is_empty());
            assert_eq!(evidence.digest, Digest::of(evidence.text.as_bytes()));
            assert_eq!(evidence.text.lines().count(), all.len());
            bytes.push(evidence.text);
        }
        assert_eq!(bytes[0], bytes[1]);
    }

    #[test]
    fn a_line_that_is_there_once_does_not_stand_for_two() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::in_folder(folder.path()).unwrap();
        log.append(line("prodb.P-51", None)).unwrap();
        log.append(line("prodb.P-51", None)).unwrap();
        let path = folder.path().join(PARTIAL);
        let text = std::fs::read_to_string(&path).unwrap();
        let first = text.split_inclusive('\n').next().unwrap();
        std::fs::write(&path, first).unwrap();
        assert_eq!(log.close().unwrap().lost, [line("prodb.P-51", None)]);
    }

    #[test]
    fn a_line_that_was_altered_on_the_way_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::in_folder(folder.path()).unwrap();
        log.append(line("prodb.P-51", None)).unwrap();
        log.append(line("prodb.P-52", None)).unwrap();
        let path = folder.path().join(PARTIAL);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("P-52", "P-53")).unwrap();
        let evidence = log.close().unwrap();
        assert_eq!(evidence.lost, [line("prodb.P-52", None)]);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "\u{e9}".repeat(TEXT_LEN_BYTES_MAX);
        assert_eq!(cut(&text).len(), TEXT_LEN_BYTES_MAX);
        assert_eq!(cut("short"), "short");
    }
}
