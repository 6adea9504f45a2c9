//! One note as bytes: its number, a tag that occurs nowhere else, and three lengths with their
//! contents.

use std::collections::BTreeSet;

/// Bytes of a [`Tag`].
pub const TAG_LEN_BYTES: usize = 24;

/// What the bytes of a note begin with on disk, and of no other.
pub type Tag = [u8; TAG_LEN_BYTES];

/// A note.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Note {
    /// Its text.
    pub text: Vec<u8>,
    /// What is shown only on request.
    pub private: Vec<u8>,
    /// An attached file.
    pub file: Vec<u8>,
}

/// The tag of a note: its number, three times over and mixed, so that no text looks like it.
pub(crate) fn tag(number: u64) -> Tag {
    let mut tag = [0; TAG_LEN_BYTES];
    for (at, part) in tag.chunks_exact_mut(8).enumerate() {
        let salted = number
            .wrapping_add(at as u64 + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        part.copy_from_slice(&(salted ^ (salted >> 29)).to_be_bytes());
    }
    tag
}

pub(crate) fn encode(number: u64, tag: Tag, note: &Note) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend(tag);
    for part in [&note.text, &note.private, &note.file] {
        bytes.extend((part.len() as u32).to_be_bytes());
        bytes.extend(part);
    }
    bytes
}

/// The note of this number.
pub(crate) fn find(bytes: &[u8], number: u64) -> Option<Note> {
    frames(bytes)
        .find(|frame| frame.number == number)
        .map(|frame| frame.note)
}

/// The bytes without the notes of these numbers.
pub(crate) fn without(bytes: &[u8], numbers: &BTreeSet<u64>) -> Vec<u8> {
    let kept = frames(bytes).filter(|frame| !numbers.contains(&frame.number));
    kept.flat_map(|frame| frame.bytes.to_vec()).collect()
}

struct Frame<'a> {
    number: u64,
    note: Note,
    bytes: &'a [u8],
}

fn frames(mut rest: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    std::iter::from_fn(move || {
        let (frame, after) = frame(rest)?;
        rest = after;
        Some(frame)
    })
}

fn frame(bytes: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    let (_, mut rest) = rest.split_first_chunk::<TAG_LEN_BYTES>()?;
    let mut parts = [Vec::new(), Vec::new(), Vec::new()];
    for part in &mut parts {
        let (len, after) = rest.split_first_chunk::<4>()?;
        let (content, after) = after.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        *part = content.to_vec();
        rest = after;
    }
    let [text, private, file] = parts;
    let frame = Frame {
        number: u64::from_be_bytes(*number),
        note: Note {
            text,
            private,
            file,
        },
        bytes: bytes.get(..bytes.len() - rest.len())?,
    };
    Some((frame, rest))
}
