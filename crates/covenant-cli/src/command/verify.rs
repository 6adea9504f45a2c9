//! `covenant verify`: is a signed text authentic under the keys given. Exit codes: 0 authentic, 2
//! usage or no signed text, 4 not authentic.

use std::path::PathBuf;

use covenant_core::canon::hex;
use covenant_core::note::{NOTE_LEN_BYTES_MAX, Note, NoteError, Vkey};
use covenant_core::statement::{STATEMENT_FORMAT, Statement};
use serde_json::{Value, json};

use crate::input;
use crate::output::{Failure, GOOD, Report, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The signed text: a C2SP signed note, or a statement signed as one.
    file: PathBuf,
    /// A verifier key that you trust, NAME+HASH+KEY; may be given several times.
    #[arg(long = "key", value_name = "VKEY", required = true)]
    keys: Vec<String>,
}

impl Verify {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        let path = self.file.display();
        let mut keys = Vec::new();
        for (at, text) in self.keys.iter().enumerate() {
            let key: Vkey = text.parse().map_err(|error| {
                Failure::usage(format!("key {}: {error}", at.saturating_add(1)))
            })?;
            keys.push(key);
        }
        let text = input::text(&self.file, NOTE_LEN_BYTES_MAX)?;
        let note: Note = text
            .parse()
            .map_err(|error| Failure::usage(format!("{path}: no signed text: {error}")))?;
        let signers = note
            .verify(&keys)
            .map_err(|error| not_authentic(&path.to_string(), &note, error))?;
        let statement = if note.text().lines().next() == Some(STATEMENT_FORMAT) {
            let parsed = Statement::parse(note.text());
            Some(parsed.map_err(|error| {
                let what = "authentic, but its text is no statement";
                Failure::usage(format!("{path}: {what}: {error}"))
            })?)
        } else {
            None
        };
        let signers: Vec<_> = signers.into_iter().map(ToString::to_string).collect();
        let strangers = strangers(&note, &keys);
        Ok(Report {
            code: GOOD,
            text: table(&note, statement.as_ref(), &signers, &strangers),
            json: object(&note, statement.as_ref(), &signers, &strangers),
        })
    }
}

fn not_authentic(path: &str, note: &Note, error: NoteError) -> Failure {
    let names = note.signatures().iter();
    let names: Vec<_> = names.map(|s| signer(s.name(), s.key_id())).collect();
    let hint = match error {
        NoteError::NoKnownKey => format!(" (its signatures name {})", names.join(", ")),
        _ => String::new(),
    };
    Failure::refused(format!("{path}: not authentic: {error}{hint}"))
}

fn signer(name: &str, key_id: [u8; 4]) -> String {
    format!("{name}+{}", hex(&key_id))
}

/// Signatures that no key given can judge.
fn strangers(note: &Note, keys: &[Vkey]) -> Vec<String> {
    let known = |name: &str, id: [u8; 4]| keys.iter().any(|k| k.name() == name && k.id() == id);
    note.signatures()
        .iter()
        .filter(|signature| !known(signature.name(), signature.key_id()))
        .map(|signature| signer(signature.name(), signature.key_id()))
        .collect()
}

fn table(
    note: &Note,
    statement: Option<&Statement>,
    signers: &[String],
    strangers: &[String],
) -> Table {
    let mut text = Table::default();
    text.line("authentic");
    text.rows("signed by", signers.iter().cloned());
    text.rows("not checked", strangers.iter().cloned());
    match statement {
        Some(statement) => {
            text.row("kind", statement.kind());
            text.row("id", statement.id());
            text.rows(
                "states",
                statement
                    .lines()
                    .map(|(name, value)| format!("{name} {value}")),
            );
        }
        None => text.rows("text", note.text().lines().map(str::to_owned)),
    }
    text
}

fn object(
    note: &Note,
    statement: Option<&Statement>,
    signers: &[String],
    strangers: &[String],
) -> Value {
    let lines = |statement: &Statement| {
        let lines = statement.lines();
        lines
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect::<Vec<_>>()
    };
    json!({
        "authentic": true,
        "signed_by": signers,
        "not_checked": strangers,
        "statement": statement.map(|statement| json!({
            "kind": statement.kind(),
            "id": statement.id(),
            "lines": lines(statement),
        })),
        "text": note.text(),
        "exit": GOOD,
    })
}
