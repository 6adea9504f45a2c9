//! Where a platform keeps copies of itself: objects below `platform/` at one or more sites, each
//! created once and never overwritten. What is in them is sealed by whoever writes them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use covenant_core::LogSafe;
use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};

use crate::recovery::Part;

/// Longest [`SiteName`] in bytes: a bound of ours, and of the records of copies.
pub const SITE_NAME_LEN_BYTES_MAX: usize = 64;

/// The name of a site: 1 to 64 of `a-z 0-9 . -`, of the operator's choice, and no content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteName(Box<str>);

/// A text cannot name a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a site is named with 1 to {SITE_NAME_LEN_BYTES_MAX} of a-z 0-9 . -")]
pub struct SiteNameError;

impl SiteName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SiteName {
    type Err = SiteNameError;

    fn from_str(name: &str) -> Result<Self, SiteNameError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b);
        let fits = (1..=SITE_NAME_LEN_BYTES_MAX).contains(&name.len());
        if fits && name.bytes().all(allowed) {
            Ok(Self(name.into()))
        } else {
            Err(SiteNameError)
        }
    }
}

impl fmt::Display for SiteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl LogSafe for SiteName {}

/// A site failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteError {
    /// The site is out of reach, or refused.
    #[error("site {site} is not available")]
    Unavailable {
        /// Which site.
        site: SiteName,
        /// What it says.
        #[source]
        source: object_store::Error,
    },
    /// The site keeps what is deleted: no copy there would have an end.
    #[error("site {0} keeps versions of objects: what is removed there does not go")]
    Versioned(SiteName),
    /// An object is there that was not removed.
    #[error("object {name} is still at site {site}")]
    StillThere {
        /// Which site.
        site: SiteName,
        /// Which object.
        name: String,
    },
    /// Another object has this name.
    #[error("another object is at site {site} under the name {name}")]
    Taken {
        /// Which site.
        site: SiteName,
        /// Which object.
        name: String,
    },
    /// An object is larger than any of its kind.
    #[error("object {name} at site {site} is larger than {max} bytes")]
    TooLarge {
        /// Which site.
        site: SiteName,
        /// Which object.
        name: String,
        /// The cap.
        max: u64,
    },
}

/// One site.
#[derive(Debug, Clone)]
pub struct Site {
    name: SiteName,
    store: Arc<dyn ObjectStore>,
    remover: Arc<dyn ObjectStore>,
}

impl Site {
    /// A site whose objects lie in this store.
    #[must_use]
    pub fn new(name: SiteName, store: Arc<dyn ObjectStore>) -> Self {
        let remover = Arc::clone(&store);
        Self {
            name,
            store,
            remover,
        }
    }

    /// The same, removing through another handle: one with the credential that may delete, which
    /// a process that only serves is not given.
    #[must_use]
    pub fn removing_through(self, remover: Arc<dyn ObjectStore>) -> Self {
        Self { remover, ..self }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &SiteName {
        &self.name
    }

    /// Creates an object.
    ///
    /// # Errors
    /// [`SiteError::Taken`] when there is one of this name; [`SiteError::Versioned`],
    /// [`SiteError::Unavailable`].
    pub async fn create(&self, part: Part, name: &str, bytes: Vec<u8>) -> Result<(), SiteError> {
        let options = PutOptions::from(PutMode::Create);
        let path = path(part, name);
        match self.store.put_opts(&path, bytes.into(), options).await {
            Ok(put) if put.version.is_some() => {
                self.remove(part, name).await?;
                Err(SiteError::Versioned(self.name.clone()))
            }
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => Err(SiteError::Taken {
                site: self.name.clone(),
                name: path.to_string(),
            }),
            Err(source) => Err(self.unavailable(source)),
        }
    }

    /// The bytes of an object, at most `max` of them; `None` when there is none.
    ///
    /// # Errors
    /// [`SiteError::TooLarge`], before anything is read; [`SiteError::Unavailable`].
    pub async fn read(
        &self,
        part: Part,
        name: &str,
        max: u64,
    ) -> Result<Option<Vec<u8>>, SiteError> {
        let path = path(part, name);
        let got = match self.store.get(&path).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            got => got.map_err(|source| self.unavailable(source))?,
        };
        if got.meta.size > max {
            return Err(SiteError::TooLarge {
                site: self.name.clone(),
                name: path.to_string(),
                max,
            });
        }
        let bytes = got.bytes().await;
        Ok(Some(
            bytes.map_err(|source| self.unavailable(source))?.into(),
        ))
    }

    /// Removes an object, and looks that it is gone; one that is not there is gone.
    ///
    /// # Errors
    /// [`SiteError::StillThere`], [`SiteError::Unavailable`].
    pub async fn remove(&self, part: Part, name: &str) -> Result<(), SiteError> {
        let path = path(part, name);
        match self.remover.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(source) => return Err(self.unavailable(source)),
        }
        match self.remover.head(&path).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(self.unavailable(source)),
            Ok(_) => Err(SiteError::StillThere {
                site: self.name.clone(),
                name: path.to_string(),
            }),
        }
    }

    /// The names of all objects of a part, ascending.
    ///
    /// # Errors
    /// [`SiteError::Unavailable`].
    pub async fn list(&self, part: Part) -> Result<Vec<String>, SiteError> {
        let prefix = Path::from_iter([ROOT, part.name()]);
        let found: Result<Vec<_>, _> = self.store.list(Some(&prefix)).try_collect().await;
        let found = found.map_err(|source| self.unavailable(source))?;
        let mut names: Vec<String> = found
            .iter()
            .filter_map(|meta| meta.location.filename().map(str::to_owned))
            .collect();
        names.sort();
        Ok(names)
    }

    fn unavailable(&self, source: object_store::Error) -> SiteError {
        SiteError::Unavailable {
            site: self.name.clone(),
            source,
        }
    }
}

/// Folder of a site below which all of this lies.
const ROOT: &str = "platform";

fn path(part: Part, name: &str) -> Path {
    Path::from_iter([ROOT, part.name(), name])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_have_short_plain_names() {
        let long = "x".repeat(SITE_NAME_LEN_BYTES_MAX + 1);
        for bad in ["", "Second", "a/b", "a b", "\u{e9}", &long] {
            assert_eq!(bad.parse::<SiteName>(), Err(SiteNameError), "{bad}");
        }
        let name: SiteName = "second-site.eu".parse().expect("parses");
        assert_eq!(name.to_string(), "second-site.eu");
    }

    #[test]
    fn objects_lie_below_one_folder_by_part() {
        let name = path(Part::Escrow, "0001-ab").to_string();
        assert_eq!(name, "platform/escrow/0001-ab");
    }
}
