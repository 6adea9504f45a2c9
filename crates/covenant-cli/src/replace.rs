//! Writing a file so that a crash leaves the old one or the new one, never half of it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Puts these bytes where the file is: written beside it, made durable, renamed.
pub(crate) fn file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = beside(path)?;
    let written = write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if let Err(error) = written {
        // the first error is the one to tell
        let _gone = fs::remove_file(&beside);
        return Err(error);
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Whether a file can be put there: a folder that is not there or not writable, or a folder in its
/// place, is told before anything else is done.
pub(crate) fn possible(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let beside = beside(path)?;
    File::create(&beside)?;
    fs::remove_file(beside)
}

/// The name of the file that is not finished.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(".new");
    Ok(path.with_file_name(beside))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_replaced_and_nothing_is_left_beside_it() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.json");
        file(&path, b"one")?;
        file(&path, b"two")?;
        assert_eq!(fs::read(&path)?, b"two");
        assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }

    #[test]
    fn what_cannot_be_replaced_stays() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.json");
        fs::create_dir(&path)?;
        fs::write(path.join("kept"), b"kept")?;
        assert!(file(&path, b"new").is_err());
        assert_eq!(fs::read(path.join("kept"))?, b"kept");
        assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        let absent = folder.path().join("absent/a.json");
        assert!(file(&absent, b"new").is_err());
        assert!(possible(&path).is_err() && possible(&absent).is_err());
        possible(&folder.path().join("b.json"))?;
        assert_eq!(
            fs::read_dir(folder.path())?.count(),
            1,
            "asking leaves nothing"
        );
        Ok(())
    }
}
