//! Mistakes as they are found, with the offset turned into line and column.

use crate::{DocumentError, ErrorKind, Position};

/// Most mistakes that are listed: beyond these nobody reads on, and hostile input stays cheap.
const ERRORS_MAX: usize = 1_000;

/// The mistakes of one text.
#[derive(Debug)]
pub(super) struct Errors<'s> {
    text: &'s str,
    line_starts: Vec<usize>,
    found: Vec<DocumentError>,
}

impl<'s> Errors<'s> {
    pub(super) fn new(text: &'s str) -> Self {
        let after = |(at, byte): (usize, u8)| (byte == b'\n').then_some(at.saturating_add(1));
        let starts = text.bytes().enumerate().filter_map(after);
        let line_starts = std::iter::once(0).chain(starts).collect();
        Self {
            text,
            line_starts,
            found: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, offset: usize, kind: ErrorKind, message: String) {
        let at = self.position(offset);
        self.push_at(at, kind, message);
    }

    pub(super) fn push_at(&mut self, at: Position, kind: ErrorKind, message: String) {
        self.push_error(DocumentError::new(at, kind, message));
    }

    pub(super) fn push_error(&mut self, error: DocumentError) {
        if self.found.len() < ERRORS_MAX {
            self.found.push(error);
        }
    }

    /// Line and column of a byte offset.
    pub(super) fn position(&self, offset: usize) -> Position {
        let before = self.line_starts.partition_point(|start| *start <= offset);
        let start = self
            .line_starts
            .get(before.saturating_sub(1))
            .copied()
            .unwrap_or(0);
        let columns = self
            .text
            .get(start..offset)
            .map_or(0, |text| text.chars().count());
        Position {
            line: capped(before.max(1)),
            column: capped(columns.saturating_add(1)),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.found.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn into_sorted(mut self) -> Vec<DocumentError> {
        self.found.sort_by_key(|error| (error.line, error.column));
        self.found
    }
}

fn capped(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
