//! A log as JSON Lines.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use policy_document::monitor::{EXPORTED_LINE_LEN_BYTES_MAX, Recorded};

use super::Item;
use crate::input;
use crate::output::Failure;

/// A file of events, one a line; blank lines are passed over.
#[derive(Debug)]
pub(in super::super) struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    number: u64,
    line: Vec<u8>,
}

impl Lines {
    pub(in super::super) fn open(path: &Path) -> Result<Self, Failure> {
        Ok(Self {
            path: path.to_owned(),
            file: BufReader::new(input::open(path)?),
            number: 0,
            line: Vec::new(),
        })
    }

    pub(super) fn next(&mut self) -> Result<Option<Item>, Failure> {
        // the newline, and one byte to see that a line is too long
        let len_max = u64::try_from(EXPORTED_LINE_LEN_BYTES_MAX).unwrap_or(u64::MAX);
        loop {
            self.line.clear();
            let mut within = (&mut self.file).take(len_max.saturating_add(2));
            let read = within.read_until(b'\n', &mut self.line);
            let read = read.map_err(|error| input::refused(&self.path, &error))?;
            if read == 0 {
                return Ok(None);
            }
            self.number = self.number.saturating_add(1);
            let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let event = Recorded::from_exported(line);
            let event = event.map_err(|e| Failure::found(format!("{}: {e}", self.place())))?;
            return Ok(Some(Item::Event(Box::new(event))));
        }
    }

    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.path.display(), self.number)
    }

    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }
}
