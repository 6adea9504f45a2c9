//! Evidence: one line for every run of a scenario, written and flushed as the runs end.
//!
//! Statuses and reports are made from these lines. While the run lasts they are appended to
//! `evidence.jsonl.partial` in the order of their ends; at the end they are read back, put in a
//! fixed order and published as `evidence.jsonl`, so that the same run gives the same bytes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use covenant_core::digest::Digest;
use time::UtcDateTime;
use time::format_description::well_known::Rfc3339;

use crate::json::Json;
use crate::sabotage::Sabotage;
use crate::stage::Failure;

/// Version of the format of a line.
pub const VERSION: i64 = 1;
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
            start,
            seed,
            until,
            checks,
            outcome,
            failure,
            commit,
        } = self;
        let failed = failure.as_ref();
        Json::map([
            ("v", Json::Int(VERSION)),
            ("clause", Json::text(clause)),
            ("scenario", Json::text(scenario)),
            (
                "subject",
                Json::text(sabotage.map_or("sound", Sabotage::name)),
            ),
            ("level", Json::text("system")),
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
    files: Option<Files>,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Files {
    partial: PathBuf,
    target: PathBuf,
    open: File,
}

/// The evidence of a run when it is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// All lines, ordered by clause, scenario, subject and start.
    pub lines: Vec<Line>,
    /// SHA-256 of the published file, or of what it would hold.
    pub digest: Digest,
    /// Lines that were missing from the partial file, or altered in it, when it was read back.
    pub lost: Vec<Line>,
}

impl Log {
    /// Evidence that is kept in memory alone.
    #[must_use]
    pub const fn in_memory() -> Self {
        Self {
            files: None,
            lines: Vec::new(),
        }
    }

    /// Evidence in this folder, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder or the file cannot be written.
    pub fn in_folder(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let partial = folder.join("evidence.jsonl.partial");
        let open = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&partial)?;
        let target = folder.join("evidence.jsonl");
        Ok(Self {
            files: Some(Files {
                partial,
                target,
                open,
            }),
            lines: Vec::new(),
        })
    }

    /// Appends a line and flushes it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append(&mut self, line: Line) -> io::Result<()> {
        if let Some(files) = &mut self.files {
            let mut text = line.encode();
            text.push('\n');
            files.open.write_all(text.as_bytes())?;
            files.open.flush()?;
        }
        self.lines.push(line);
        Ok(())
    }

    /// Reads the partial file back, puts the lines in order and publishes them.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn publish(self) -> io::Result<Evidence> {
        let Self { files, mut lines } = self;
        let mut lost = Vec::new();
        if let Some(files) = &files {
            let bytes = std::fs::read(&files.partial)?;
            let mut found: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
            for line in &lines {
                let text = line.encode();
                match found.iter().position(|bytes| *bytes == text.as_bytes()) {
                    Some(at) => drop(found.swap_remove(at)),
                    None => lost.push(line.clone()),
                }
            }
        }
        lines.sort_by_cached_key(|line| {
            (
                line.clause.clone(),
                line.scenario.clone(),
                line.sabotage,
                line.start,
            )
        });
        let mut text = String::new();
        for line in &lines {
            text.push_str(&line.encode());
            text.push('\n');
        }
        if let Some(files) = files {
            write_atomically(&files.target, text.as_bytes())?;
            drop(files.open);
            std::fs::remove_file(&files.partial)?;
        }
        Ok(Evidence {
            lines,
            digest: Digest::of(text.as_bytes()),
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
            let evidence = log.publish().unwrap();
            assert!(evidence.lost.is_empty());
            let written = std::fs::read(folder.path().join("evidence.jsonl")).unwrap();
            assert_eq!(evidence.digest, Digest::of(&written));
            bytes.push(written);
        }
        assert_eq!(bytes[0], bytes[1]);
        assert!(!folder.path().join("evidence.jsonl.partial").exists());
    }

    #[test]
    fn a_line_that_was_altered_on_the_way_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::in_folder(folder.path()).unwrap();
        log.append(line("prodb.P-51", None)).unwrap();
        log.append(line("prodb.P-52", None)).unwrap();
        let path = folder.path().join("evidence.jsonl.partial");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("P-52", "P-53")).unwrap();
        let evidence = log.publish().unwrap();
        assert_eq!(evidence.lost, [line("prodb.P-52", None)]);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "\u{e9}".repeat(TEXT_LEN_BYTES_MAX);
        assert_eq!(cut(&text).len(), TEXT_LEN_BYTES_MAX);
        assert_eq!(cut("short"), "short");
    }
}
