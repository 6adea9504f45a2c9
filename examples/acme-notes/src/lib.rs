//! Acme Notes: a small service that keeps notes in files, one file a notebook.
//!
//! It knows nothing of the kit that tests it. Two things come from outside, as in any service that
//! can be tested: the time ([`Clock`]) and the files ([`Disk`]).

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use time::{Duration, UtcDateTime};

mod disk;
mod frame;

pub use disk::{Disk, Folder};
pub use frame::{Note, TAG_LEN_BYTES, Tag};

/// How long a deleted note stays in the bin: longer than the page's week in any reading of a day,
/// shorter than its ten days.
pub const BIN: Duration = Duration::days(8);
/// How far the wall clock may part from the running time before nothing is purged any more.
pub const STEP_MAX: Duration = Duration::hours(1);

/// The time, as the service sees it.
pub trait Clock: Send + Sync {
    /// What a clock on the wall shows; somebody may set it wrong.
    fn wall(&self) -> UtcDateTime;
    /// How long the machine has been running; nobody sets it.
    fn running(&self) -> Duration;
}

/// Something that was done, for whoever asks later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// When.
    pub at: UtcDateTime,
    /// What.
    pub what: What,
    /// In which notebook.
    pub notebook: u16,
    /// To which note; 0 for the notebook itself.
    pub note: u64,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A note was written.
    Written,
    /// A note went to the bin.
    Deleted,
    /// A note came back from the bin.
    Restored,
    /// A note left the bin for good.
    Purged,
    /// A notebook was closed.
    Closed,
}

/// A request was not carried out.
#[derive(Debug)]
pub enum Refused {
    /// There is no such notebook, or it is closed.
    NoNotebook,
    /// There is no such note, or it is not in the state that the request needs.
    NoNote,
    /// The files failed.
    Disk(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// The notes of one customer.
#[derive(Debug, Default)]
struct Notebook {
    /// When a note went to the bin; `None` while it is in the lists.
    notes: BTreeMap<u64, Option<UtcDateTime>>,
}

/// The service.
pub struct Notes<C, D> {
    clock: C,
    disk: D,
    born: (UtcDateTime, Duration),
    notebooks: BTreeMap<u16, Notebook>,
    bin: BTreeSet<(UtcDateTime, u16, u64)>,
    facts: Vec<Fact>,
    last: u64,
}

impl<C: Clock, D: Disk> Notes<C, D> {
    /// A service without any notebook.
    pub fn open(clock: C, disk: D) -> Self {
        let born = (clock.wall(), clock.running());
        Self {
            clock,
            disk,
            born,
            notebooks: BTreeMap::new(),
            bin: BTreeSet::new(),
            facts: Vec::new(),
            last: 0,
        }
    }

    /// Opens a notebook.
    pub fn create(&mut self, notebook: u16) -> Result<(), Refused> {
        if self.notebooks.contains_key(&notebook) {
            return Err(Refused::NoNotebook);
        }
        self.disk.replace(notebook, &[])?;
        self.notebooks.insert(notebook, Notebook::default());
        Ok(())
    }

    /// Writes a note; its number, and the tag that its bytes begin with on disk.
    pub fn write(&mut self, notebook: u16, note: &Note) -> Result<(u64, Tag), Refused> {
        let book = self
            .notebooks
            .get_mut(&notebook)
            .ok_or(Refused::NoNotebook)?;
        self.last += 1;
        let tag = frame::tag(self.last);
        self.disk
            .append(notebook, &frame::encode(self.last, tag, note))?;
        book.notes.insert(self.last, None);
        self.tell(What::Written, notebook, self.last);
        Ok((self.last, tag))
    }

    /// Reads a note that is in the lists.
    pub fn read(&self, notebook: u16, number: u64) -> Result<Note, Refused> {
        let book = self.notebooks.get(&notebook).ok_or(Refused::NoNotebook)?;
        match book.notes.get(&number) {
            Some(None) => {}
            _ => return Err(Refused::NoNote),
        }
        let bytes = self.disk.read(notebook)?;
        frame::find(&bytes, number).ok_or(Refused::NoNote)
    }

    /// The notes that are in the lists.
    pub fn list(&self, notebook: u16) -> Result<Vec<u64>, Refused> {
        let book = self.notebooks.get(&notebook).ok_or(Refused::NoNotebook)?;
        let listed = book.notes.iter().filter(|(_, deleted)| deleted.is_none());
        Ok(listed.map(|(number, _)| *number).collect())
    }

    /// Puts a note into the bin.
    pub fn delete(&mut self, notebook: u16, number: u64) -> Result<(), Refused> {
        let now = self.clock.wall();
        let book = self
            .notebooks
            .get_mut(&notebook)
            .ok_or(Refused::NoNotebook)?;
        match book.notes.get_mut(&number) {
            Some(deleted @ None) => *deleted = Some(now),
            _ => return Err(Refused::NoNote),
        }
        self.bin.insert((now + BIN, notebook, number));
        self.tell(What::Deleted, notebook, number);
        Ok(())
    }

    /// Takes a note out of the bin.
    pub fn restore(&mut self, notebook: u16, number: u64) -> Result<(), Refused> {
        let book = self
            .notebooks
            .get_mut(&notebook)
            .ok_or(Refused::NoNotebook)?;
        let deleted = book.notes.get_mut(&number).ok_or(Refused::NoNote)?;
        let since = deleted.take().ok_or(Refused::NoNote)?;
        self.bin.remove(&(since + BIN, notebook, number));
        self.tell(What::Restored, notebook, number);
        Ok(())
    }

    /// Closes a notebook: from here on nobody reads it, and its file is gone.
    pub fn close(&mut self, notebook: u16) -> Result<(), Refused> {
        self.notebooks
            .remove(&notebook)
            .ok_or(Refused::NoNotebook)?;
        self.bin.retain(|(_, book, _)| *book != notebook);
        self.disk.remove(notebook)?;
        self.tell(What::Closed, notebook, 0);
        Ok(())
    }

    /// When the next note is due to leave the bin.
    pub fn next_due(&self) -> Option<UtcDateTime> {
        self.bin.first().map(|(due, _, _)| *due)
    }

    /// Purges what is due: the files of those notebooks are written anew without it. Nothing is
    /// purged while the wall clock cannot be right.
    pub fn tidy(&mut self) -> io::Result<()> {
        let now = self.clock.wall();
        let lived = self.clock.running() - self.born.1;
        if (now - self.born.0 - lived).abs() > STEP_MAX {
            return Ok(());
        }
        let mut gone: BTreeMap<u16, BTreeSet<u64>> = BTreeMap::new();
        while let Some((due, notebook, number)) = self.bin.first().copied() {
            if due > now {
                break;
            }
            self.bin.pop_first();
            if let Some(book) = self.notebooks.get_mut(&notebook) {
                book.notes.remove(&number);
            }
            gone.entry(notebook).or_default().insert(number);
        }
        for (notebook, numbers) in gone {
            let bytes = self.disk.read(notebook)?;
            self.disk
                .replace(notebook, &frame::without(&bytes, &numbers))?;
            for number in numbers {
                self.tell(What::Purged, notebook, number);
            }
        }
        Ok(())
    }

    /// All that was done, in order.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// The files.
    pub fn disk(&self) -> &D {
        &self.disk
    }

    fn tell(&mut self, what: What, notebook: u16, note: u64) {
        let at = self.clock.wall();
        self.facts.push(Fact {
            at,
            what,
            notebook,
            note,
        });
    }
}
