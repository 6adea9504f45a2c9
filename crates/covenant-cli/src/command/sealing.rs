//! `covenant seal` and `covenant open`: a file of any size sealed under a tenant's root, and opened
//! again, whole or in part. Nothing stands under the name asked for until all of it was sealed, or
//! was authentic. Exit codes: 0 done, 2 usage or bad input, 3 unreachable, 4 refused or not
//! authentic, 5 the key store is damaged or not replayed.

mod source;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use covenant_core::sealer::Purpose;
use covenant_core::{Owner, TenantId};
use crypto_envelope::Keys;
use crypto_envelope::blob::{BlobError, Blobs};
use serde_json::json;

use super::key_place::{Begin, KeyPlace, chain, failure, waited};
use crate::input;
use crate::output::{Failure, GOOD, Report, Table};
use crate::progress::Progress;
use source::FileSource;

/// Bytes that are sealed or opened at once: 64 chunks.
const PIECE_LEN_BYTES: u64 = 1 << 20;
/// Ends the name of a sealed file, unless it has another.
const SUFFIX: &str = ".sealed";

/// What sealing and opening share: whose file it is, and what it is sealed to.
#[derive(Debug, clap::Args)]
struct Whose {
    /// The file.
    file: PathBuf,
    /// Where the result goes: a file that is not there yet.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The tenant under whose root it is sealed.
    #[arg(long, value_name = "UUID")]
    tenant: TenantId,
    /// The name to which it is sealed, and under which alone it opens: the name of the plain file
    /// unless given.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    place: KeyPlace,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Seal {
    #[command(flatten)]
    whose: Whose,
    /// Makes the tenant's roots unless they are there; without it an unknown tenant is refused.
    #[arg(long)]
    new_tenant: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Open {
    #[command(flatten)]
    whose: Whose,
    /// The bytes to open, as in HTTP: the first and the last, or `A-` up to the end.
    #[arg(long, value_name = "A-B")]
    range: Option<Part>,
}

/// Bytes A to B of a file, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    first: u64,
    last: Option<u64>,
}

impl FromStr for Part {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let not_a_part = "not A-B or A-, with A at most B";
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse().ok().filter(|_| plain)
        };
        let (first, last) = text.split_once('-').ok_or(not_a_part)?;
        let first: u64 = number(first).ok_or(not_a_part)?;
        let last = match last {
            "" => None,
            last => Some(number(last).ok_or(not_a_part)?),
        };
        if last.is_some_and(|last| last < first) {
            return Err(not_a_part);
        }
        Ok(Self { first, last })
    }
}

impl Part {
    fn within(self, len: u64) -> Result<Range<u64>, Failure> {
        if self.first >= len {
            return Err(Failure::usage(format!("--range: the file has {len} bytes")));
        }
        let end = self.last.map_or(len, |last| last.saturating_add(1));
        Ok(self.first..end.min(len))
    }
}

impl Seal {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        waited(self.answer())
    }

    async fn answer(self) -> Result<Report, Failure> {
        let Whose {
            file,
            out,
            tenant,
            name,
            place,
        } = self.whose;
        let name = name.map_or_else(|| file_name(&file), Ok)?;
        let out = out.unwrap_or_else(|| with_suffix(&file));
        let mut plain = input::open(&file)?;
        let mut sealed = Beside::new(&out)?;
        let keys = place.open(Begin::Open).await?.keys;
        if self.new_tenant {
            keys.create_tenant(tenant).await.map_err(failure)?;
        }
        let blobs = files_of(keys, tenant);
        let mut writer = blobs.seal(&name).await.map_err(not_sealed)?;
        let work = Progress::counting("MiB sealed");
        let mut piece = vec![0; usize::try_from(PIECE_LEN_BYTES).unwrap_or(usize::MAX)];
        let (mut ready, mut read_len) = (Vec::new(), 0_u64);
        loop {
            let len = plain
                .read(&mut piece)
                .map_err(|error| input::refused(&file, &error))?;
            if len == 0 {
                break;
            }
            read_len = read_len.saturating_add(u64::try_from(len).unwrap_or(0));
            let read = piece.get(..len).unwrap_or_default();
            writer.push(read, &mut ready).map_err(not_sealed)?;
            sealed.write(&ready)?;
            ready.clear();
            work.step();
        }
        writer.finish(&mut ready).map_err(not_sealed)?;
        sealed.write(&ready)?;
        let sealed_len = sealed.finish()?;
        let mut text = Table::default();
        text.row("sealed", &out.display().to_string());
        text.row("to name", &name);
        text.row("bytes", &format!("{read_len}, sealed {sealed_len}"));
        let json = json!({
            "file": out.display().to_string(),
            "name": name,
            "bytes": read_len,
            "sealed_bytes": sealed_len,
        });
        Ok(Report {
            code: GOOD,
            text,
            json,
        })
    }
}

impl Open {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        waited(self.answer())
    }

    async fn answer(self) -> Result<Report, Failure> {
        let Whose {
            file,
            out,
            tenant,
            name,
            place,
        } = self.whose;
        let plain_name = || {
            let name = file_name(&file)?;
            Ok(name
                .strip_suffix(SUFFIX)
                .map_or(name.clone(), str::to_owned))
        };
        let name = name.map_or_else(plain_name, Ok)?;
        let out = out.ok_or_else(|| Failure::usage("--out is needed"))?;
        let source = FileSource::new(input::open(&file)?);
        let mut plain = Beside::new(&out)?;
        let keys = place.open(Begin::Open).await?.keys;
        let blobs = files_of(keys, tenant);
        let mut reader = blobs.open(&name, source).await.map_err(not_sealed)?;
        let len = reader.plain_len();
        let range = match self.range {
            Some(part) => part.within(len)?,
            None => 0..len,
        };
        let work = Progress::counting("MiB opened");
        let mut at = range.start;
        // an empty file is read too: its last chunk shows that it is empty
        loop {
            let end = range.end.min(at.saturating_add(PIECE_LEN_BYTES));
            let piece = reader.read(at..end).await.map_err(not_sealed)?;
            plain.write(piece.expose())?;
            work.step();
            at = end;
            if at >= range.end {
                break;
            }
        }
        let opened_len = plain.finish()?;
        let mut text = Table::default();
        text.row("opened", &out.display().to_string());
        text.row("bytes", &format!("{opened_len} of {len}"));
        let json = json!({
            "file": out.display().to_string(),
            "bytes": opened_len,
            "of": len,
        });
        Ok(Report {
            code: GOOD,
            text,
            json,
        })
    }
}

/// Where the sealed files of a tenant are.
fn files_of(keys: Arc<Keys>, tenant: TenantId) -> Blobs {
    let owner = Owner::Tenant(tenant);
    Blobs::new(keys, owner, Purpose::Data, "file", "content")
}

/// The last part of a path, as text.
fn file_name(path: &Path) -> Result<String, Failure> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned)
        .ok_or_else(|| Failure::usage("--name is needed: the file's own is not text"))
}

fn with_suffix(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(SUFFIX);
    PathBuf::from(path)
}

/// Why a file was not sealed or opened.
fn not_sealed(error: BlobError) -> Failure {
    let line = chain(&error);
    match error {
        BlobError::Key(error) => failure(error),
        BlobError::Path | BlobError::Range => Failure::usage(line),
        BlobError::Source(_) => Failure::unreachable(line),
        _ => Failure::refused(line),
    }
}

/// A file in the making: beside its place, under another name, for its owner's eyes alone, until all
/// of it is durable. Dropped before that, it is gone.
#[derive(Debug)]
struct Beside {
    path: PathBuf,
    beside: PathBuf,
    file: File,
    len: u64,
}

impl Beside {
    /// Refuses a place that is taken.
    fn new(path: &Path) -> Result<Self, Failure> {
        if path.symlink_metadata().is_ok() {
            let path = path.display();
            return Err(Failure::refused(format!("{path}: there is something")));
        }
        let name = path.file_name().unwrap_or_default();
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(".new");
        let beside = path.with_file_name(hidden);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options
            .open(&beside)
            .map_err(|error| not_written(&beside, &error))?;
        Ok(Self {
            path: path.to_owned(),
            beside,
            file,
            len: 0,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.len = self
            .len
            .saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
        self.file
            .write_all(bytes)
            .map_err(|error| not_written(&self.path, &error))
    }

    /// Puts it in its place, durably; its length.
    fn finish(self) -> Result<u64, Failure> {
        let placed = || -> io::Result<()> {
            self.file.sync_all()?;
            // fails where something has come to stand meanwhile, as a rename would not
            fs::hard_link(&self.beside, &self.path)?;
            let folder = self.path.parent();
            let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
            fs::remove_file(&self.beside)?;
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        };
        placed().map_err(|error| not_written(&self.path, &error))?;
        Ok(self.len)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // gone already when it was finished
        let _gone = fs::remove_file(&self.beside);
    }
}

fn not_written(path: &Path, error: &io::Error) -> Failure {
    let line = format!("{}: {}", path.display(), error.to_string().to_lowercase());
    match error.kind() {
        ErrorKind::AlreadyExists => Failure::refused(line),
        ErrorKind::NotFound | ErrorKind::PermissionDenied => Failure::usage(line),
        _ => Failure::unreachable(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_as_in_http() {
        let part = |text: &str| text.parse::<Part>();
        assert_eq!(
            part("0-9"),
            Ok(Part {
                first: 0,
                last: Some(9)
            })
        );
        assert_eq!(
            part("7-"),
            Ok(Part {
                first: 7,
                last: None
            })
        );
        for wrong in ["", "-", "5", "-5", "9-8", "1-2-3", "+1-2", "a-b", "1 - 2"] {
            assert!(part(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_part_ends_with_the_file() {
        let part = |text: &str| text.parse::<Part>().map(|part| part.within(10).ok());
        assert_eq!(part("0-9"), Ok(Some(0..10)));
        assert_eq!(part("9-99"), Ok(Some(9..10)));
        assert_eq!(part("3-"), Ok(Some(3..10)));
        assert_eq!(part("10-"), Ok(None));
    }
}
