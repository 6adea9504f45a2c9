//! Several sources as one, each below a folder of its own, begun in the order given: the database
//! first, then what it refers to.

use covenant_core::{BoxFuture, canon};

use super::{Source, SourceError, SourceFile};

/// Several sources, each below a folder.
#[derive(Debug, Default)]
pub struct CompositeSource {
    parts: Vec<(String, Box<dyn Source>)>,
}

impl CompositeSource {
    /// No parts yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part below this folder: one path part, another one for each source.
    #[must_use]
    pub fn with(mut self, folder: &str, source: impl Source + 'static) -> Self {
        self.parts.push((folder.to_owned(), Box::new(source)));
        self
    }
}

impl Source for CompositeSource {
    fn token(&mut self) -> BoxFuture<'_, Result<Vec<u8>, SourceError>> {
        Box::pin(async move {
            let mut all = canon::Writer::new();
            for (folder, source) in &mut self.parts {
                let token = source.token().await?;
                if token.is_empty() {
                    return Ok(Vec::new());
                }
                all.text(folder).bytes(&token);
            }
            Ok(covenant_core::digest::Digest::of(all.as_bytes())
                .as_bytes()
                .to_vec())
        })
    }

    fn begin(&mut self) -> BoxFuture<'_, Result<Vec<SourceFile>, SourceError>> {
        Box::pin(async move {
            let mut files = Vec::new();
            for (folder, source) in &mut self.parts {
                for file in source.begin().await? {
                    files.push(SourceFile {
                        path: format!("{folder}/{}", file.path),
                        ..file
                    });
                }
            }
            Ok(files)
        })
    }

    fn read<'a>(
        &'a mut self,
        path: &'a str,
        offset: u64,
        len: u32,
    ) -> BoxFuture<'a, Result<Vec<u8>, SourceError>> {
        let found = self.parts.iter_mut().find_map(|(folder, source)| {
            let rest = path.strip_prefix(folder.as_str())?.strip_prefix('/')?;
            Some((source, rest))
        });
        match found {
            Some((source, rest)) => source.read(rest, offset, len),
            None => Box::pin(async { Err(SourceError::Changed) }),
        }
    }

    fn end(&mut self) -> BoxFuture<'_, Result<(), SourceError>> {
        Box::pin(async move {
            let mut outcome = Ok(());
            for (_, source) in &mut self.parts {
                outcome = outcome.and(source.end().await);
            }
            outcome
        })
    }
}
