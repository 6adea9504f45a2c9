//! The files: one a notebook, appended to by writes, and written anew when notes are purged.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

/// Where the bytes of notebooks lie.
pub trait Disk: Send {
    /// Adds bytes at the end of a notebook's file.
    fn append(&mut self, notebook: u16, bytes: &[u8]) -> io::Result<()>;
    /// Makes these the bytes of a notebook's file, whole or not at all.
    fn replace(&mut self, notebook: u16, bytes: &[u8]) -> io::Result<()>;
    /// Removes a notebook's file.
    fn remove(&mut self, notebook: u16) -> io::Result<()>;
    /// The bytes of a notebook's file.
    fn read(&self, notebook: u16) -> io::Result<Vec<u8>>;
}

/// Files in a folder of the operating system.
#[derive(Debug)]
pub struct Folder(pub PathBuf);

impl Folder {
    fn path(&self, notebook: u16) -> PathBuf {
        self.0.join(format!("{notebook}.notes"))
    }

    /// The bytes of every file of the folder, whatever it is called.
    pub fn everything(&self) -> io::Result<Vec<Vec<u8>>> {
        fs::read_dir(&self.0)?
            .map(|entry| fs::read(entry?.path()))
            .collect()
    }
}

impl Disk for Folder {
    fn append(&mut self, notebook: u16, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(self.path(notebook))?;
        file.write_all(bytes)
    }

    fn replace(&mut self, notebook: u16, bytes: &[u8]) -> io::Result<()> {
        let beside = self.0.join(format!("{notebook}.new"));
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        fs::rename(&beside, self.path(notebook))
    }

    fn remove(&mut self, notebook: u16) -> io::Result<()> {
        fs::remove_file(self.path(notebook))
    }

    fn read(&self, notebook: u16) -> io::Result<Vec<u8>> {
        fs::read(self.path(notebook))
    }
}
