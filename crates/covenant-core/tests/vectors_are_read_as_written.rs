//! Every vector of notes, verifier keys and statements reads as it says, and every invalid one is
//! refused for its own reason. The vectors were made by another implementation.
#![cfg(feature = "digest")]

use std::error::Error;
use std::fs;
use std::path::Path;

use serde_json::Value;

use covenant_core::canon::hex;
use covenant_core::note::{Note, NoteError, Vkey, VkeyError};
use covenant_core::statement::{Statement, StatementError};

type Outcome = Result<(), Box<dyn Error>>;

/// The vectors of one folder whose file name begins with `prefix`.
fn vectors(folder: &str, prefix: &str) -> Result<Vec<(String, Value)>, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(folder);
    let mut found = Vec::new();
    for file in fs::read_dir(folder)? {
        let file = file?;
        let name = file.file_name().to_string_lossy().into_owned();
        if name.starts_with(prefix) {
            found.push((
                name,
                serde_json::from_str(&fs::read_to_string(file.path())?)?,
            ));
        }
    }
    assert!(found.len() >= 3, "no vectors of {prefix}");
    Ok(found)
}

fn text<'a>(vector: &'a Value, field: &str) -> Result<&'a str, String> {
    vector
        .get(field)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("no text {field}"))
}

fn texts<'a>(vector: &'a Value, field: &str) -> Result<Vec<&'a str>, String> {
    let list = vector
        .get(field)
        .and_then(Value::as_array)
        .ok_or_else(|| format!("no {field}"))?;
    list.iter()
        .map(|v| v.as_str().ok_or_else(|| format!("{field} has no text")))
        .collect()
}

fn keys(vector: &Value) -> Result<Vec<Vkey>, Box<dyn Error>> {
    Ok(texts(vector, "keys")?
        .into_iter()
        .map(str::parse)
        .collect::<Result<_, _>>()?)
}

#[test]
fn valid_notes_verify() -> Outcome {
    for (file, vector) in vectors("valid", "note_")? {
        let note: Note = text(&vector, "note")?
            .parse()
            .map_err(|e| format!("{file}: {e}"))?;
        assert_eq!(note.to_string(), text(&vector, "note")?, "{file}");
        assert_eq!(note.text(), text(&vector, "text")?, "{file}");
        let keys = keys(&vector)?;
        let verified = note.verify(&keys).map_err(|e| format!("{file}: {e}"))?;
        let names: Vec<_> = verified.iter().map(|key| key.name()).collect();
        assert_eq!(names, texts(&vector, "verified")?, "{file}");
    }
    Ok(())
}

#[test]
fn invalid_notes_are_refused() -> Outcome {
    for (file, vector) in vectors("invalid", "note_")? {
        let keys = keys(&vector)?;
        let note = text(&vector, "note")?.parse::<Note>();
        let error = note.and_then(|note| note.verify(&keys).map(|_| ())).err();
        let expect = match text(&vector, "error")? {
            "no known key" => NoteError::NoKnownKey,
            "not authentic" => NoteError::NotAuthentic,
            "signature" => NoteError::Signature,
            "text" => NoteError::Text,
            "too many signatures" => NoteError::TooManySignatures,
            other => return Err(format!("{file}: unknown error {other}").into()),
        };
        assert_eq!(error, Some(expect), "{file}");
    }
    Ok(())
}

#[test]
fn valid_keys_are_read() -> Outcome {
    for (file, vector) in vectors("valid", "vkey_")? {
        let key: Vkey = text(&vector, "vkey")?
            .parse()
            .map_err(|e| format!("{file}: {e}"))?;
        assert_eq!(key.to_string(), text(&vector, "vkey")?, "{file}");
        assert_eq!(key.name(), text(&vector, "name")?, "{file}");
        assert_eq!(hex(&key.id()), text(&vector, "id")?, "{file}");
        assert_eq!(hex(key.key()), text(&vector, "key")?, "{file}");
    }
    Ok(())
}

#[test]
fn invalid_keys_are_refused() -> Outcome {
    for (file, vector) in vectors("invalid", "vkey_")? {
        let expect = match text(&vector, "error")? {
            "algorithm" => VkeyError::Algorithm,
            "malformed" => VkeyError::Malformed,
            "name" => VkeyError::Name,
            other => return Err(format!("{file}: unknown error {other}").into()),
        };
        assert_eq!(
            text(&vector, "vkey")?.parse::<Vkey>(),
            Err(expect),
            "{file}"
        );
    }
    Ok(())
}

#[test]
fn valid_statements_are_read() -> Outcome {
    for (file, vector) in vectors("valid", "statement_")? {
        let written = text(&vector, "statement")?;
        let read = Statement::parse(written).map_err(|e| format!("{file}: {e}"))?;
        assert_eq!(read.encode(), written, "{file}");
        let lines: Vec<(String, String)> = serde_json::from_value(vector["lines"].clone())?;
        let built = Statement::new(text(&vector, "kind")?, text(&vector, "id")?)?;
        assert_eq!(built.with_all(lines)?, read, "{file}");
    }
    Ok(())
}

#[test]
fn invalid_statements_are_refused() -> Outcome {
    for (file, vector) in vectors("invalid", "statement_")? {
        let expect = match text(&vector, "error")? {
            "format" => StatementError::Format,
            "id" => StatementError::Id,
            "kind" => StatementError::Kind,
            "line" => StatementError::Line,
            "name" => StatementError::Name,
            "too long" => StatementError::TooLong,
            "twice" => StatementError::Twice,
            "value" => StatementError::Value,
            other => return Err(format!("{file}: unknown error {other}").into()),
        };
        assert_eq!(
            Statement::parse(text(&vector, "statement")?),
            Err(expect),
            "{file}"
        );
    }
    Ok(())
}
