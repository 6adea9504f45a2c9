//! A file as the source of a sealed blob: read where it is asked for, and never as a whole.

use std::error::Error;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::sync::Mutex;

use covenant_core::BoxFuture;
use crypto_envelope::blob::{RangeSource, Ranged};

/// A file that is open for reading.
#[derive(Debug)]
pub(super) struct FileSource(Mutex<File>);

impl FileSource {
    pub(super) const fn new(file: File) -> Self {
        Self(Mutex::new(file))
    }

    fn read_now(&self, range: &Range<u64>) -> Result<Ranged, Box<dyn Error + Send + Sync>> {
        let mut file = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let len = file.metadata()?.len();
        let end = range.end.min(len);
        let wanted = end.saturating_sub(range.start);
        let mut bytes = Vec::with_capacity(usize::try_from(wanted)?);
        file.seek(SeekFrom::Start(range.start))?;
        (&mut *file).take(wanted).read_to_end(&mut bytes)?;
        Ok(Ranged { bytes, len })
    }
}

impl RangeSource for FileSource {
    fn read(
        &self,
        range: Range<u64>,
    ) -> BoxFuture<'_, Result<Ranged, Box<dyn Error + Send + Sync>>> {
        Box::pin(std::future::ready(self.read_now(&range)))
    }
}
