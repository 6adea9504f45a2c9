//! Mistakes as they are found, with the offset turned into line and column.

use std::cell::Cell;

use crate::{DocumentError, ErrorKind, Position};

/// Most mistakes that are listed: beyond these nobody reads on, and hostile input stays cheap.
const ERRORS_MAX: usize = 1_000;

/// The mistakes of one text.
#[derive(Debug)]
pub(super) struct Errors<'s> {
    text: &'s str,
    line_starts: Vec<usize>,
    found: Vec<DocumentError>,
    /// The last place asked for: start of its line, its offset, the characters between. Places are
    /// asked for in order, so a long line is counted once and not once a place.
    last: Cell<(usize, usize, usize)>,
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
            last: Cell::new((0, 0, 0)),
        }
    }

    pub(super) fn push(&mut self, offset: usize, kind: ErrorKind, message: String) {
        if self.found.len() < ERRORS_MAX {
            let at = self.position(offset);
            self.push_at(at, kind, message);
        }
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
        let (line, counted_to, counted) = self.last.get();
        let (from, before_it) = if line == start && counted_to <= offset {
            (counted_to, counted)
        } else {
            (start, 0)
        };
        let rest = self.text.get(from..offset);
        let columns = rest.map_or(0, |text| before_it.saturating_add(text.chars().count()));
        if rest.is_some() {
            self.last.set((start, offset, columns));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_the_same_in_any_order() {
        let text = "aé = 1\nlong = [\"ü\", \"y\", \"z\"]\n\nlast";
        let naive = |offset: usize| {
            let before = text.get(..offset).unwrap();
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
            (line, column)
        };
        let offsets: Vec<usize> = (0..=text.len())
            .filter(|at| text.is_char_boundary(*at))
            .collect();
        let errors = Errors::new(text);
        let jumping = offsets.iter().zip(offsets.iter().rev());
        let order = offsets
            .iter()
            .chain(offsets.iter().rev())
            .chain(jumping.flat_map(|(a, b)| [a, b]));
        for offset in order {
            let at = errors.position(*offset);
            let got = (at.line as usize, at.column as usize);
            assert_eq!(got, naive(*offset), "{offset}");
        }
    }
}
