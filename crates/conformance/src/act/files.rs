//! Attached files, and the ways by which somebody outside reaches one by itself.

use std::fmt;

/// A way by which an attached file may be reached without its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FileWay {
    /// By its own id, through the front, as a member.
    Service,
    /// Reading it by its name in the store of files.
    Get,
    /// Asking the store for its size and date.
    Head,
    /// A list of the store's names.
    List,
    /// A copy under another name.
    Copy,
    /// An address that carries its own permission.
    Signed,
    /// An older version that the store has kept.
    OlderVersion,
}

impl FileWay {
    /// Every way.
    pub const ALL: [Self; 7] = [
        Self::Service,
        Self::Get,
        Self::Head,
        Self::List,
        Self::Copy,
        Self::Signed,
        Self::OlderVersion,
    ];
}

impl fmt::Display for FileWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service => "its id, through the front",
            Self::Get => "a get of its name",
            Self::Head => "a head of its name",
            Self::List => "a list of names",
            Self::Copy => "a copy of it",
            Self::Signed => "a signed address",
            Self::OlderVersion => "an older version",
        })
    }
}
