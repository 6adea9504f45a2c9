//! Who runs a command that changes keys, and on what it rests.

use covenant_core::event::{ActorContext, ActorKind, Path};
use crypto_envelope::{AdminCall, Role};
use uuid::Uuid;

use crate::output::Failure;

/// Who acts, and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Who {
    /// Id of the administrator who acts.
    #[arg(long, value_name = "UUID", global = true)]
    actor: Option<Uuid>,
    /// The ticket or change on which the call rests; only its id is recorded.
    #[arg(long, value_name = "TICKET", global = true)]
    reason: Option<String>,
}

impl Who {
    /// The call of somebody who only looks, as the administrator that he says he is.
    pub(crate) fn looks(&self) -> AdminCall {
        AdminCall {
            actor: ActorContext {
                kind: ActorKind::Staff,
                id: self.actor,
                on_behalf_of: None,
                path: Path::Server,
                address: None,
            },
            role: Role::SysAdmin,
            reason: self.reason.as_deref().map_or(Uuid::nil(), ticket),
        }
    }

    /// The call of somebody who changes something: he says who he is, and why.
    pub(crate) fn changes(&self) -> Result<AdminCall, Failure> {
        if self.reason.is_none() || self.actor.is_none() {
            return Err(Failure::usage("a change needs --reason and --actor"));
        }
        Ok(self.looks())
    }
}

/// The id of a ticket: its own when it is a UUID, else one made of its name.
fn ticket(name: &str) -> Uuid {
    name.parse()
        .unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()))
}
