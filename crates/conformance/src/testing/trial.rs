//! A run as tests want it: evidence in memory, no progress shown.

use std::io;
use std::path::Path;
use std::sync::Arc;

use policy_document::Document;

use crate::evidence::Log;
use crate::progress::Silent;
use crate::runner::{Options, Outcome, run};
use crate::subject::SubjectFactory;

/// Reads the documents of these ids from a folder of policies.
///
/// # Errors
/// When a file cannot be read, or is no valid document.
pub fn load(folder: &Path, ids: &[&str]) -> io::Result<Vec<Arc<Document>>> {
    let mut documents = Vec::new();
    for id in ids {
        let text = std::fs::read_to_string(folder.join(format!("{id}.toml")))?;
        let document = Document::parse(&text).map_err(|errors| {
            let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
            io::Error::new(io::ErrorKind::InvalidData, texts.join("; "))
        })?;
        documents.push(Arc::new(document));
    }
    Ok(documents)
}

/// Runs on subjects of the factory.
///
/// # Errors
/// As [`run`].
pub fn trial(
    factory: impl SubjectFactory + 'static,
    documents: &[Arc<Document>],
    options: &Options,
) -> io::Result<Outcome> {
    let factory: Arc<dyn SubjectFactory> = Arc::new(factory);
    run(&factory, documents, options, Log::in_memory(), &Silent)
}
