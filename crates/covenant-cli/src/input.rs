//! Files that are given as arguments, read once and never beyond a cap.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use policy_document::{DOCUMENT_LEN_BYTES_MAX, Document};

use crate::output::Failure;

/// Longest page in bytes, 16 MiB (ours): the largest real one has 13 kB.
pub(crate) const PAGE_LEN_BYTES_MAX: usize = 16 << 20;

/// A file that is read bit by bit.
pub(crate) fn open(path: &Path) -> Result<File, Failure> {
    let file = File::open(path).map_err(|error| refused(path, &error))?;
    let about = file.metadata().map_err(|error| refused(path, &error))?;
    if about.is_dir() {
        return Err(refused(path, &ErrorKind::IsADirectory.into()));
    }
    Ok(file)
}

/// Why a file cannot be read, in words.
pub(crate) fn refused(path: &Path, error: &std::io::Error) -> Failure {
    let why = match error.kind() {
        ErrorKind::NotFound => "no such file".to_owned(),
        ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        ErrorKind::IsADirectory => "it is a folder, not a file".to_owned(),
        _ => error.to_string().to_lowercase(),
    };
    Failure::usage(format!("{}: {why}", path.display()))
}

/// All bytes of a file.
pub(crate) fn bytes(path: &Path, len_max: usize) -> Result<Vec<u8>, Failure> {
    let refused = |error: std::io::Error| refused(path, &error);
    let cap = u64::try_from(len_max).unwrap_or(u64::MAX);
    let file = File::open(path).map_err(refused)?;
    let mut bytes = Vec::new();
    let mut within = file.take(cap.saturating_add(1));
    within.read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() > len_max {
        let path = path.display();
        return Err(Failure::usage(format!(
            "{path}: it has more than {len_max} bytes"
        )));
    }
    Ok(bytes)
}

/// All text of a file.
pub(crate) fn text(path: &Path, len_max: usize) -> Result<String, Failure> {
    String::from_utf8(bytes(path, len_max)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::usage(format!("{}: it is not utf-8 at byte {at}", path.display()))
    })
}

/// A policy document, or every mistake in it, with its place.
pub(crate) fn document(path: &Path) -> Result<Document, Failure> {
    Document::parse(&text(path, DOCUMENT_LEN_BYTES_MAX)?).map_err(|errors| {
        let line = |error| format!("{}:{error}", path.display());
        Failure::invalid(errors.iter().map(line).collect())
    })
}
