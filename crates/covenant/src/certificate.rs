//! Certificates of disposal: one signed statement for one order, made from the parts of the crates
//! that removed something. `FORMAT.md` of `covenant-core` defines the form, the README of this crate
//! the lines.

use covenant_core::canon::hex;
use covenant_core::digest::Digest;
use covenant_core::note::Ed25519Signer;
use covenant_core::sealer::Purpose;
use covenant_core::statement::Statement;
use covenant_core::{ClauseId, ItemId, NoteSigner as _, Owner, TenantId};
use retention_policy::{
    ClassId, DisposalPart, Effect, KeyState, LineState, PartItem, RuleId, StoreName, Verdict,
};
use time::UtcDateTime;
use time::format_description::well_known::Rfc3339;

use crate::assembly::{Covenant, PLATFORM, derived};
use crate::error::Error;

pub(crate) mod kept;

pub use kept::{Certificate, Progress};

/// Store of the rows, as certificates spell it.
pub(crate) const ROWS: &str = "rows";
/// Store of the attached files, likewise.
pub(crate) const OBJECTS: &str = "objects";
/// Store of the backups, likewise.
pub(crate) const BACKUPS: &str = "backups";
/// The rule of a disposal that rests on none.
const NO_RULE: &str = "unruled";

/// What the statement is.
const KIND: &str = "disposal";
/// What the key that signs certificates is derived for.
const SIGNING: &[u8] = b"covenant/certificates/v1";
/// What commitments to a tenant's items are derived for.
const COMMITTING: &[u8] = b"covenant/certificate-item/v1/";
/// Items that a certificate names one by one; of more it has the count and one digest, since a
/// statement has a longest length. Ours.
const NAMED_MAX: usize = 256;

impl Covenant {
    /// The verifier key of this deployment's certificates.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn certificate_key(&self) -> Result<String, Error> {
        Ok(self.signer().await?.key().to_owned())
    }

    /// The key that signs certificates: the platform's own, which no disposal destroys.
    async fn signer(&self) -> Result<Ed25519Signer, Error> {
        let parts = self.parts();
        let seed = derived(&parts.keys, SIGNING)
            .await
            .map_err(Error::unavailable)?;
        let name = format!("{}/certificates", parts.host.as_str());
        Ed25519Signer::from_seed(&name, &seed).map_err(Error::unavailable)
    }

    /// Commitments to the items, which only who knows an id and has the tenant's key of certificates
    /// can make. That key is the platform's, so that what is purged while the tenant's own keys are
    /// switched off, or after their death, has its certificate all the same.
    pub(crate) async fn committed(
        &self,
        tenant: TenantId,
        class: &str,
        items: &[ItemId],
    ) -> Result<Vec<PartItem>, Error> {
        let class: ClassId = class.parse().map_err(Error::unavailable)?;
        let owner = Owner::Platform(PLATFORM);
        let root = self.parts().keys.unlock(owner, Purpose::Platform).await?;
        let about = [
            COMMITTING,
            tenant.as_bytes(),
            b"/",
            class.as_str().as_bytes(),
        ]
        .concat();
        let mut committed = Vec::with_capacity(items.len());
        for item in items {
            let info = [&about, b"/".as_slice(), item.as_bytes()].concat();
            committed.push(PartItem {
                class: class.clone(),
                commitment: *root.derive(&info)?.expose(),
            });
        }
        Ok(committed)
    }

    /// Every certificate of the tenant that was issued and kept, oldest first: of each order the
    /// newest. They stay after the tenant's database is purged. Whom they are shown to is the
    /// caller's to decide.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn certificates(&self, tenant: TenantId) -> Result<Vec<Certificate>, Error> {
        Ok(kept::of(&self.parts().control, tenant).await?)
    }

    /// Signs the certificate of this part and keeps it.
    pub(crate) async fn issue(&self, part: &DisposalPart) -> Result<Certificate, Error> {
        let expected = part.stores.iter().map(|line| line.store.clone()).collect();
        let certificate = Certificate {
            order: part.order,
            issued: self.parts().clock.now(),
            progress: if part.is_complete(&expected) {
                Progress::Complete
            } else {
                Progress::Pending
            },
            note: self.certify(part).await?,
        };
        kept::keep(&self.parts().control, part.tenant, &certificate).await?;
        Ok(certificate)
    }

    /// Signs the certificate of this part; returns the signed note.
    // clause: P-53
    async fn certify(&self, part: &DisposalPart) -> Result<String, Error> {
        let statement = statement(part).map_err(Error::unavailable)?;
        let note = statement.sign(&self.signer().await?).await;
        Ok(note.map_err(Error::unavailable)?.to_string())
    }
}

/// The name of a store.
pub(crate) fn store(name: &str) -> Result<StoreName, Error> {
    name.parse().map_err(Error::unavailable)
}

/// On which rule a disposal rests, and for which clause: on the one that wants it gone, else on the
/// one that let it go.
pub(crate) fn ground(verdict: &Verdict) -> Result<(RuleId, Option<ClauseId>), Error> {
    let decided = || verdict.because.rules().filter(|rule| rule.decided);
    let ceiling = decided().find(|rule| matches!(rule.effect, Effect::GoneBy(_)));
    match ceiling.or_else(|| decided().next()) {
        Some(reason) => Ok((reason.rule.clone(), reason.clause)),
        None => Ok((NO_RULE.parse().map_err(Error::unavailable)?, None)),
    }
}

/// The one text of a part.
fn statement(part: &DisposalPart) -> Result<Statement, covenant_core::statement::StatementError> {
    let mut items: Vec<&PartItem> = part.items.iter().collect();
    items.sort_by_key(|item| item.commitment);
    let all: Vec<u8> = items.iter().flat_map(|item| item.commitment).collect();
    let mut lines = vec![
        ("tenant".to_owned(), part.tenant.to_string()),
        ("rule".to_owned(), part.rule.to_string()),
        ("items.count".to_owned(), items.len().to_string()),
        ("items.digest".to_owned(), Digest::of(&all).to_string()),
    ];
    lines.extend(part.clause.map(|id| ("clause".to_owned(), id.to_string())));
    lines.extend(
        part.rules
            .map(|rules| ("rules.digest".to_owned(), rules.to_string())),
    );
    lines.extend(part.leaf.map(|leaf| ("event".to_owned(), leaf.to_string())));
    if items.len() <= NAMED_MAX {
        let named = items.iter().map(|item| {
            let name = format!("item.{}", hex(&item.commitment));
            (name, item.class.to_string())
        });
        lines.extend(named);
    }
    for store in &part.stores {
        let state = match store.state {
            LineState::Done => "done",
            LineState::Pending => "pending",
            LineState::Refused => "refused",
        };
        let mut told = format!("{} {state}", store.method.name());
        if let Some(at) = store.at {
            told = format!("{told} at {}", text(at));
        }
        if let Some(bytes) = store.scanned_bytes {
            told = format!("{told} scanned {bytes}");
        }
        lines.push((format!("store.{}", store.store), told));
    }
    for key in &part.keys {
        let state = match key.state {
            KeyState::Planned => "planned",
            KeyState::Destroyed => "destroyed",
        };
        lines.push((
            format!("key.{}", key.key),
            format!("{state} {}", text(key.at)),
        ));
    }
    for remain in &part.remains {
        let name = format!("remains.{}", remain.store);
        lines.push((name, text(remain.gone_by)));
    }
    Statement::new(KIND, &part.order.to_string())?.with_all(lines)
}

/// The instant in RFC 3339, in UTC; whole seconds as they are.
fn text(at: UtcDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}
