//! Equality tokens: how a sealed field is found by its value. A token is a keyed hash of the normalised
//! value; it stands in a side table beside the row, and says only that two values of one field of one
//! tenant are equal.
//!
//! A lookup gives candidates: open each, and compare. While an index is rotated, tokens of two versions
//! of its root live side by side: both are written, both are looked for, and the old ones are dropped
//! once every row has a new one. Nothing is locked meanwhile, and a backfill that died goes on where
//! rows still lack a token.

mod normalise;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
mod table;

use std::fmt;

use covenant_core::sealer::Purpose;
use covenant_core::{ItemId, KeyId, Owner, TenantId, canon};
use ring::hmac;

use crate::error::KeyError;
use crate::keys::Keys;
use crate::record::RootState;
use crate::unlocked::Unlocked;

pub use normalise::{LastCount, Normaliser, NormaliserError};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use sql::{MIGRATIONS, SqlTable, Tally};
pub use table::{Claimed, Filled, MemoryTable, TableError, TableFuture, TokenTable};

/// First byte of a token: its format version.
pub const TOKEN_VERSION: u8 = 1;
/// Bytes of a token: format version, version of the index root, HMAC-SHA-256.
pub const TOKEN_LEN_BYTES: usize = 49;
/// Longest value that is searched for in bytes: a bound of ours; addresses and names are far shorter.
pub const VALUE_LEN_BYTES_MAX: usize = 4_096;
/// Rows that a backfill reads at once: a bound of ours.
pub const BATCH_MAX: usize = 1_000;

const LABEL: &str = "covenant/token/1";
/// What the platform's root is expanded with to be the key of tokens: it serves nothing directly.
const PLATFORM_INFO: &[u8] = b"covenant/token/1";

/// A value cannot be made a token, or tokens cannot be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The value is longer than the cap.
    #[error("the value is longer than {VALUE_LEN_BYTES_MAX} bytes")]
    TooLarge,
    /// Nothing is left of the value, or too little, once it is normalised: all such would be equal.
    #[error("too little is left of the value: it cannot be searched for")]
    Empty,
    /// The root is not one of an index, or of another tenant than the index.
    #[error("the root does not serve this index")]
    OtherRoot,
    /// More than two versions of the root live: end the rotation from this one first.
    #[error("the rotation of the index from version {0} has not ended")]
    Unfinished(KeyId),
    /// The root of the index cannot be used.
    #[error("the key of the index cannot be used")]
    Key(#[from] KeyError),
    /// The side table failed.
    #[error("the table of tokens failed")]
    Table(#[from] TableError),
    /// Rows still lack a token of the new version.
    #[error("rows still lack a token of version {0}: backfill first")]
    NotBackfilled(KeyId),
}

/// A keyed hash of one value of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token([u8; TOKEN_LEN_BYTES]);

impl Token {
    #[cfg(feature = "testing")]
    pub(crate) const fn of(bytes: [u8; TOKEN_LEN_BYTES]) -> Self {
        Self(bytes)
    }

    /// The 49 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; TOKEN_LEN_BYTES] {
        &self.0
    }

    /// Bytes 1..17: the version of the index root.
    #[must_use]
    pub fn version(&self) -> KeyId {
        let mut id = [0_u8; 16];
        let bytes = self.0.iter().skip(1);
        id.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        KeyId::from_bytes(id)
    }
}

/// Bytes are no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token")]
pub struct NotAToken;

impl TryFrom<&[u8]> for Token {
    type Error = NotAToken;

    fn try_from(bytes: &[u8]) -> Result<Self, NotAToken> {
        let bytes: [u8; TOKEN_LEN_BYTES] = bytes.try_into().or(Err(NotAToken))?;
        if bytes.first() == Some(&TOKEN_VERSION) {
            Ok(Self(bytes))
        } else {
            Err(NotAToken)
        }
    }
}

/// What is searched by: one field, and what of its values counts. `tenant` is none for an index of the
/// platform, such as that of logins before the tenant is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Whose values.
    pub tenant: Option<TenantId>,
    /// The collection, as in the places of the field.
    pub collection: String,
    /// The field.
    pub field: String,
    /// What of a value counts.
    pub normaliser: Normaliser,
}

/// What one call of [`Index::backfill`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Backfilled {
    /// How many rows have a token of the new version now.
    pub filled: usize,
    /// The last row that was looked at; none when there was none left.
    pub ended: Option<ItemId>,
}

/// An index: a field, and the versions of its root that live.
#[derive(Clone)]
pub struct Index {
    field: Field,
    current: Unlocked,
    next: Option<Unlocked>,
}

impl Index {
    /// The index of a field with the versions of its owner's root that live: of a tenant, or of the
    /// platform for an index that no tenant has. While its root is rotated both versions are written
    /// and looked for; once [`Index::rotated`] has dropped the tokens of the old one,
    /// [`Keys::retire`] takes that out of life, and the index has one version again.
    ///
    /// # Errors
    /// [`TokenError::OtherRoot`] for another owner, [`TokenError::Unfinished`], [`TokenError::Key`] as
    /// [`Keys::unlock`].
    pub async fn of(keys: &Keys, owner: Owner, field: Field) -> Result<Self, TokenError> {
        let purpose = match owner {
            Owner::Platform(_) => Purpose::Platform,
            _ => Purpose::Index,
        };
        let newest = keys.unlock(owner, purpose).await?;
        let versions = keys.versions(owner, purpose).await?;
        let old = versions
            .iter()
            .filter(|version| version.state == RootState::DecryptOnly);
        let old: Vec<_> = old.map(|version| version.id).collect();
        match old.as_slice() {
            [] => Self::new(field, newest),
            [old] => {
                let old = keys.unlock_version(*old, owner, purpose).await?;
                Self::new(field, old)?.rotating(newest)
            }
            [oldest, ..] => Err(TokenError::Unfinished(*oldest)),
        }
    }

    /// An index under one version of its root.
    ///
    /// # Errors
    /// [`TokenError::OtherRoot`].
    pub fn new(field: Field, current: Unlocked) -> Result<Self, TokenError> {
        serves(&field, &current)?;
        Ok(Self {
            field,
            current,
            next: None,
        })
    }

    /// The same while its root is rotated: tokens of both versions are written and looked for.
    ///
    /// # Errors
    /// [`TokenError::OtherRoot`], also when it is the version in force.
    pub fn rotating(self, next: Unlocked) -> Result<Self, TokenError> {
        serves(&self.field, &next)?;
        if next.version() == self.current.version() {
            return Err(TokenError::OtherRoot);
        }
        Ok(Self {
            next: Some(next),
            ..self
        })
    }

    /// The versions that live, the one in force first.
    #[must_use]
    pub fn versions(&self) -> Vec<KeyId> {
        self.roots().map(Unlocked::version).collect()
    }

    /// The tokens of a value, of every version that lives: those to write, and those to look for.
    ///
    /// # Errors
    /// [`TokenError::TooLarge`], [`TokenError::Empty`], [`TokenError::Key`].
    pub fn tokens(&self, value: &str) -> Result<Vec<Token>, TokenError> {
        if value.len() > VALUE_LEN_BYTES_MAX {
            return Err(TokenError::TooLarge);
        }
        let value = self.field.normaliser.normalise(value);
        let value = value.ok_or(TokenError::Empty)?;
        self.roots()
            .map(|root| token(root, &self.field, &value))
            .collect()
    }

    /// Writes the tokens of a row's value; those of a value that it had before are gone.
    ///
    /// # Errors
    /// As [`Index::tokens`], and [`TokenError::Table`].
    pub async fn put(
        &self,
        table: &dyn TokenTable,
        row: &ItemId,
        value: &str,
    ) -> Result<(), TokenError> {
        let tokens = self.tokens(value)?;
        Ok(table.put(row, &tokens).await?)
    }

    /// The same for a value that no other row may have, under any version that lives.
    ///
    /// # Errors
    /// As [`Index::put`].
    pub async fn claim(
        &self,
        table: &dyn TokenTable,
        row: &ItemId,
        value: &str,
    ) -> Result<Claimed, TokenError> {
        let tokens = self.tokens(value)?;
        Ok(table.claim(row, &tokens).await?)
    }

    /// Rows that may have the value, ordered and each once. Open each, and compare.
    ///
    /// # Errors
    /// As [`Index::put`].
    pub async fn candidates(
        &self,
        table: &dyn TokenTable,
        value: &str,
    ) -> Result<Vec<ItemId>, TokenError> {
        let tokens = self.tokens(value)?;
        Ok(table.find(&tokens).await?)
    }

    /// Gives rows that lack a token of the new version theirs: at most `batch` rows (and at most 1,000)
    /// that come after `after`. Call it with where the last call ended until it ends nowhere; a
    /// backfill that died may begin anew, and a row that was written meanwhile keeps what was written.
    /// `values` opens a row; one that it no longer has, or whose value cannot be searched for, loses
    /// its tokens.
    ///
    /// # Errors
    /// As [`Index::put`].
    pub async fn backfill(
        &self,
        table: &dyn TokenTable,
        after: Option<&ItemId>,
        batch: usize,
        values: impl AsyncFn(&ItemId) -> Result<Option<String>, TokenError>,
    ) -> Result<Backfilled, TokenError> {
        let Some(next) = &self.next else {
            return Ok(Backfilled::default());
        };
        let lacking = table.lacking(next.version(), after, batch.clamp(1, BATCH_MAX));
        let lacking = lacking.await?;
        let mut filled = 0_usize;
        for row in &lacking {
            let value = values(row).await?;
            match value.map(|value| self.tokens(&value)).transpose() {
                Ok(Some(tokens)) => {
                    if table.fill(row, &tokens).await? == Filled::Now {
                        filled = filled.saturating_add(1);
                    }
                }
                Ok(None) | Err(TokenError::Empty | TokenError::TooLarge) => {
                    table.put(row, &[]).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Backfilled {
            filled,
            ended: lacking.last().cloned(),
        })
    }

    /// Ends a rotation: the old tokens are dropped, and the new version is in force.
    ///
    /// # Errors
    /// [`TokenError::NotBackfilled`] while a row lacks a new token, [`TokenError::Table`].
    pub async fn rotated(self, table: &dyn TokenTable) -> Result<Self, TokenError> {
        let Some(next) = self.next else {
            return Ok(self);
        };
        if !table.lacking(next.version(), None, 1).await?.is_empty() {
            return Err(TokenError::NotBackfilled(next.version()));
        }
        table.drop_version(self.current.version()).await?;
        Ok(Self {
            current: next,
            next: None,
            ..self
        })
    }

    fn roots(&self) -> impl Iterator<Item = &Unlocked> {
        std::iter::once(&self.current).chain(&self.next)
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index")
            .field("field", &self.field)
            .field("versions", &self.versions())
            .finish_non_exhaustive()
    }
}

/// Whether a root is the index's: the tenant's own for tokens, or the platform's.
fn serves(field: &Field, root: &Unlocked) -> Result<(), TokenError> {
    let fits = match (field.tenant, root.owner(), root.purpose()) {
        (Some(tenant), Owner::Tenant(owner), Purpose::Index) => tenant == owner,
        (None, Owner::Platform(_), Purpose::Platform) => true,
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(TokenError::OtherRoot)
    }
}

fn token(root: &Unlocked, field: &Field, value: &str) -> Result<Token, TokenError> {
    let Field {
        tenant,
        collection,
        field,
        normaliser,
    } = field;
    let version = root.version();
    let mut w = canon::Writer::new();
    w.text(LABEL)
        .bytes(version.as_bytes())
        .bytes(&tenant.map_or([0; 16], |tenant| *tenant.as_bytes()))
        .text(collection)
        .text(field)
        .text(&normaliser.to_string())
        .text(value);
    let message = w.finish();
    let mac = match tenant {
        Some(_) => root.mac(&message)?,
        None => {
            let key = root.derive(PLATFORM_INFO)?;
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()), &message)
        }
    };
    let mut bytes = [0_u8; TOKEN_LEN_BYTES];
    let parts = [TOKEN_VERSION].into_iter().chain(*version.as_bytes());
    let parts = parts.chain(mac.as_ref().iter().copied());
    bytes
        .iter_mut()
        .zip(parts)
        .for_each(|(to, from)| *to = from);
    Ok(Token(bytes))
}
