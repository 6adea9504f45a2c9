//! The lock file of a policy file: where it stands, and how it is read.

use std::path::{Path, PathBuf};

use policy_document::{Document, LOCK_LEN_BYTES_MAX, Lock, LockDifference};

use crate::input;
use crate::output::Failure;

/// `policies/acme.lock.json` for `policies/acme.toml`.
pub(super) fn beside(policy: &Path) -> PathBuf {
    policy.with_extension("lock.json")
}

/// A document against its lock file.
#[derive(Debug)]
pub(super) struct Compared {
    /// The lock file.
    pub(super) path: PathBuf,
    /// What it holds.
    pub(super) lock: Lock,
    /// What is not as it was.
    pub(super) differences: Vec<LockDifference>,
}

/// The document against the lock file given, or the one beside it; `None` where there is none
/// beside it.
pub(super) fn compare(
    policy: &Path,
    given: Option<&Path>,
    document: &Document,
) -> Result<Option<Compared>, Failure> {
    let path = given.map_or_else(|| beside(policy), Path::to_owned);
    if given.is_none() && !path.exists() {
        return Ok(None);
    }
    let refused = |what: String| Failure::invalid(vec![format!("{}: {what}", path.display())]);
    let bytes = input::bytes(&path, LOCK_LEN_BYTES_MAX)?;
    let lock = Lock::decode(&bytes).map_err(|error| refused(error.to_string()))?;
    if lock.document() != document.id() {
        let what = format!("it locks {}, not {}", lock.document(), document.id());
        return Err(refused(what));
    }
    let differences = lock.compare(document);
    Ok(Some(Compared {
        path,
        lock,
        differences,
    }))
}
