//! Who may purge by hand in the model, and the certificate of it.

use covenant_core::event::ActorContext;
use covenant_core::note::Ed25519Signer;
use covenant_core::statement::Statement;
use covenant_core::{Action, NoteSigner as _, Secret};

use super::acts::ADDRESS;
use super::{Model, Refusal, Sabotage, Seen};
use crate::act::{Certified, Person, Record, Tenant};

/// The name of the model's signing key, and its seed: it signs nothing that anybody believes.
const SIGNER: &str = "model.conformance.invalid/certificates";
const SEED: [u8; 32] = [7; 32];

impl Model {
    /// Purges what is in the bin; the answer is the text of a certificate that is not signed yet.
    pub(super) fn purge_by_hand(
        &mut self,
        tenant: Tenant,
        record: Option<Record>,
        by: Person,
    ) -> Result<Seen, Refusal> {
        let of_tenant = matches!(by, Person::Member | Person::Reader);
        let taken_for_admin = of_tenant && self.is(Sabotage::RoleByMember);
        if by != Person::DatabaseAdministrator && !taken_for_admin {
            return Err(Refusal::denied("administrators of the database alone"));
        }
        let home = self.home(tenant)?;
        let user = ActorContext::member(home.user, ADDRESS);
        let binned = home.rows.iter().filter(|(_, row)| row.deleted.is_some());
        let mut going: Vec<_> = binned.map(|(n, row)| (*n, row.item.clone())).collect();
        if let Some(record) = record {
            let number = home.numbered.get(&record).copied();
            going.retain(|(n, _)| Some(*n) == number);
        }
        if going.is_empty() {
            return Err(Refusal::denied("nothing of it is in the bin"));
        }
        for (number, item) in &going {
            self.purges
                .retain(|(_, of, n)| (*of, n) != (tenant, number));
            self.record(tenant, user.clone(), Action::RecordManualPurge, item);
            self.purge_row(tenant, *number);
        }
        self.flush(tenant);
        let order = self.uuid();
        let statement = Statement::new("disposal", &order.to_string())
            .and_then(|s| s.with("items.count", &going.len().to_string()))
            .and_then(|s| s.with("store.rows", "delete done at once"))
            .and_then(|s| s.with("store.objects", "delete done at once"));
        let statement = statement.map_err(Refusal::failed)?;
        Ok(Seen::Certified(Certified {
            note: statement.encode(),
            key: String::new(),
        }))
    }
}

/// The certificate with this text, signed.
pub(super) async fn sign(text: &str) -> Result<Seen, Refusal> {
    let signer = Ed25519Signer::from_seed(SIGNER, &Secret::new(SEED)).map_err(Refusal::failed)?;
    let statement = Statement::parse(text).map_err(Refusal::failed)?;
    let note = statement.sign(&signer).await.map_err(Refusal::failed)?;
    Ok(Seen::Certified(Certified {
        note: note.to_string(),
        key: signer.key().to_owned(),
    }))
}
