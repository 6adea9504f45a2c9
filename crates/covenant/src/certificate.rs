//! Certificates of disposal: one signed statement for one order, made from the parts of the crates
//! that removed something. `FORMAT.md` of `covenant-core` defines the form, the README of this crate
//! the lines.

use covenant_core::canon::hex;
use covenant_core::digest::Digest;
use covenant_core::note::Ed25519Signer;
use covenant_core::sealer::Purpose;
use covenant_core::statement::Statement;
use covenant_core::{ItemId, NoteSigner as _, Owner, TenantId};
use retention_policy::{ClassId, DisposalPart, KeyState, LineState, PartItem};
use time::UtcDateTime;
use time::format_description::well_known::Rfc3339;

use crate::assembly::{Covenant, derived};
use crate::error::Error;

/// What the statement is.
const KIND: &str = "disposal";
/// What the key that signs certificates is derived for.
const SIGNING: &[u8] = b"covenant/certificates/v1";
/// What the key of a tenant under which its items are committed to is derived for.
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

    /// Commitments to the items, which only who knows an id and has the tenant's root can make.
    pub(crate) async fn committed(
        &self,
        tenant: TenantId,
        class: &str,
        items: &[ItemId],
    ) -> Result<Vec<PartItem>, Error> {
        let class: ClassId = class.parse().map_err(Error::unavailable)?;
        let root = self
            .parts()
            .keys
            .unlock(Owner::Tenant(tenant), Purpose::Data)
            .await?;
        let mut committed = Vec::with_capacity(items.len());
        for item in items {
            let info = [COMMITTING, class.as_str().as_bytes(), b"/", item.as_bytes()].concat();
            committed.push(PartItem {
                class: class.clone(),
                commitment: *root.derive(&info)?.expose(),
            });
        }
        Ok(committed)
    }

    /// Signs the certificate of this part; returns the signed note.
    // clause: P-53
    pub(crate) async fn certify(&self, part: &DisposalPart) -> Result<String, Error> {
        let statement = statement(part).map_err(Error::unavailable)?;
        let note = statement.sign(&self.signer().await?).await;
        Ok(note.map_err(Error::unavailable)?.to_string())
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
