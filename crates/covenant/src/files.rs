//! How an attached file is public, and how it stops being so: the row that names it, its name in the
//! object store, and every way that leads to its bytes by that name.

use std::fmt::Debug;
use std::sync::Arc;

use covenant_core::{BoxFuture, ItemId, TenantId};
use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt as _};
use sql_store::{Args, Tx};

use crate::error::Error;

/// What a copy of a file is called that was made to see whether it can be made.
const COPY: &str = "-copied";

/// A way by which the bytes of a file, or the knowledge that it is there, can be had by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Way {
    /// Reading it.
    Get,
    /// Asking for its size and date.
    Head,
    /// A list of the names below its folder.
    List,
    /// A copy under another name.
    Copy,
    /// An address that carries its own permission.
    Signed,
    /// Reading an older version, by the name that the store gave it.
    Older(String),
}

impl Way {
    /// Every way to a file; an older version has one where the store named it.
    #[must_use]
    pub fn all(version: Option<&str>) -> Vec<Self> {
        let older = version.map(|version| Self::Older(version.to_owned()));
        let named = [Self::Get, Self::Head, Self::List, Self::Copy, Self::Signed];
        named.into_iter().chain(older).collect()
    }
}

/// Whether a way leads to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a way leads there, or not, or there is no such way"
)]
pub enum Reached {
    /// It does.
    Open,
    /// It does not: nothing is there by that name.
    Closed,
    /// The store has no such way.
    NoSuchWay,
}

/// Files as they are public.
///
/// # Contract
/// `unname` takes the one row out that makes records show the file, in the caller's transaction.
/// `remove` makes the name lead nowhere; one that leads nowhere already is no error. `reach` tries a
/// way as somebody outside would and changes nothing. `version` is what the store calls the bytes
/// under the name now; `None` where it keeps no versions, or nothing is there.
///
/// # Errors
/// [`Error`]; of a way that could not be tried nothing is known.
///
/// # Implementing
/// [`StoreFiles`] is the implementation; others wrap it.
pub trait PublicFiles: Debug + Send + Sync {
    /// Takes the file's row out; returns how many there were, none or one.
    fn unname<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        file: &'a ItemId,
    ) -> BoxFuture<'a, Result<u64, Error>>;
    /// Removes what lies under the name.
    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Error>>;
    /// Tries a way to the name.
    fn reach<'a>(&'a self, name: &'a str, way: &'a Way) -> BoxFuture<'a, Result<Reached, Error>>;
    /// What the store calls the bytes under the name now.
    fn version<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<String>, Error>>;
}

/// Files in an object store, their rows in the tenant's database.
#[derive(Debug, Clone)]
pub struct StoreFiles(Arc<dyn ObjectStore>);

impl StoreFiles {
    pub(crate) const fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self(objects)
    }

    async fn is_listed(&self, path: &Path) -> Result<bool, Error> {
        let mut folder: Vec<_> = path.parts().collect();
        folder.pop();
        let folder = Path::from_iter(folder);
        let mut listed = self.0.list(Some(&folder));
        while let Some(meta) = listed.try_next().await? {
            if meta.location == *path {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether it can be copied; the copy is removed again.
    async fn copies(&self, path: &Path) -> Result<(), object_store::Error> {
        let copy = Path::from(format!("{path}{COPY}"));
        self.0.copy(path, &copy).await?;
        self.0.delete(&copy).await
    }
}

impl PublicFiles for StoreFiles {
    // clause: Q-24
    fn unname<'a>(
        &'a self,
        tx: &'a mut Tx,
        tenant: TenantId,
        file: &'a ItemId,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
            let args = Args::new().bind(tenant).bind(file);
            let sql = include_str!("../sql/delete_attachment.sql");
            Ok(tx.execute(sql, args).await?)
        })
    }

    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            match self.0.delete(&Path::from(name)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
    }

    // clause: Q-25
    fn reach<'a>(&'a self, name: &'a str, way: &'a Way) -> BoxFuture<'a, Result<Reached, Error>> {
        Box::pin(async move {
            let path = Path::from(name);
            let tried = match way {
                Way::Get => match self.0.get(&path).await {
                    Ok(found) => found.bytes().await.map(drop),
                    Err(error) => Err(error),
                },
                Way::Head => self.0.head(&path).await.map(drop),
                Way::List => {
                    return Ok(if self.is_listed(&path).await? {
                        Reached::Open
                    } else {
                        Reached::Closed
                    });
                }
                Way::Copy => self.copies(&path).await,
                // a joint of this kind signs nothing
                Way::Signed => return Ok(Reached::NoSuchWay),
                Way::Older(version) => {
                    let options = GetOptions {
                        version: Some(version.clone()),
                        ..GetOptions::default()
                    };
                    self.0.get_opts(&path, options).await.map(drop)
                }
            };
            match tried {
                Ok(()) => Ok(Reached::Open),
                Err(object_store::Error::NotFound { .. }) => Ok(Reached::Closed),
                Err(
                    object_store::Error::NotSupported { .. }
                    | object_store::Error::NotImplemented { .. },
                ) => Ok(Reached::NoSuchWay),
                Err(error) => Err(error.into()),
            }
        })
    }

    fn version<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<String>, Error>> {
        Box::pin(async move {
            match self.0.head(&Path::from(name)).await {
                Ok(meta) => Ok(meta.version),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
    }
}
