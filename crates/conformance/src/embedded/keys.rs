//! Keys, as an administrator of the embedded subject reaches them.

use std::error::Error;
use std::sync::Arc;

use covenant::Profile;
use covenant_core::event::ActorContext;
use covenant_core::sealer::{OpenError, Purpose, SealError};
use covenant_core::{KeyId, Owner, Period};
use crypto_envelope::{
    AdminCall, GroupKind, GroupName, KeyAdmin, KeyError, KeyExpiry, KeyState, PendingWindow, Role,
};
use uuid::Uuid;

use super::Embedded;
use crate::act::{KeyRole, KeySeen, KeyStanding, KeyUse, KeyVerb, Seen};
use crate::sabotage::Sabotage;
use crate::subject::Refusal;

/// The change on which every call here rests.
const REASON: Uuid = Uuid::from_u128(0x636f_6e66_6f72_6d61_6e63_652f_6b65_7973);

impl Embedded {
    fn admin(&self) -> Arc<dyn KeyAdmin> {
        Arc::new(self.covenant.key_desk())
    }

    /// A call in this role, as whoever authenticated the caller established it.
    fn call(&self, role: KeyRole) -> AdminCall {
        let role = if self.sabotage == Some(Sabotage::MemberUnwraps) {
            Role::SysAdmin
        } else {
            established(role)
        };
        AdminCall {
            actor: ActorContext::service("conformance"),
            role,
            reason: REASON,
        }
    }

    pub(super) async fn list_keys(&self, role: KeyRole) -> Result<Seen, Refusal> {
        let listed = self.admin().list(&self.call(role)).await.map_err(refusal)?;
        let keks = listed.keks.iter().map(|kek| KeySeen {
            id: kek.id,
            serves: match kek.group {
                GroupName::Standard | GroupName::Dedicated(_, GroupKind::Standard) => {
                    KeyUse::Wrapping
                }
                _ => KeyUse::Other,
            },
            standing: standing(kek.key_state()),
            created: kek.created_at,
        });
        let roots = listed.roots.iter().map(|root| KeySeen {
            id: root.id,
            serves: self.serves(root.owner, root.purpose),
            standing: standing(root.key_state),
            created: root.created_at,
        });
        Ok(Seen::Keys(keks.chain(roots).collect()))
    }

    fn serves(&self, owner: Owner, purpose: Purpose) -> KeyUse {
        let Owner::Tenant(id) = owner else {
            return KeyUse::Other;
        };
        let tenant = self.homes.iter().find(|(_, home)| home.id == id);
        match (tenant, purpose) {
            (Some((tenant, _)), Purpose::Data) => KeyUse::Contents(*tenant),
            (Some((tenant, _)), Purpose::Sensitive) => KeyUse::Sensitive(*tenant),
            _ => KeyUse::Other,
        }
    }

    pub(super) async fn administer(
        &self,
        role: KeyRole,
        key: KeyId,
        verb: KeyVerb,
    ) -> Result<Seen, Refusal> {
        let (admin, call) = (self.admin(), self.call(role));
        let done = match verb {
            KeyVerb::Enable => admin.enable(&call, key).await.map(drop),
            KeyVerb::Disable => admin.disable(&call, key).await.map(drop),
            KeyVerb::Schedule { days } => {
                let window = PendingWindow::try_from(days);
                let window = window.map_err(|error| Refusal::denied(error.to_string()))?;
                let scheduled = admin.schedule_destruction(&call, key, window).await;
                scheduled.map(drop)
            }
            KeyVerb::Cancel => admin.cancel_destruction(&call, key).await.map(drop),
            KeyVerb::Rotate => admin.rotate(&call, key).await.map(drop),
        };
        done.map_err(refusal)?;
        Ok(Seen::Done)
    }

    /// A setting of the deployment: it starts again with it, after the work that it would have done
    /// until then.
    pub(super) async fn set_key_expiry(&mut self, period: Period) -> Result<Seen, Refusal> {
        let key_expiry = expiry(period)?;
        self.covenant.sweep().await.map_err(Refusal::failed)?;
        let profile = Profile {
            key_expiry,
            ..(*self.document).clone()
        };
        self.document = Arc::new(profile);
        self.reopen().await.map_err(Refusal::failed)?;
        Ok(Seen::Done)
    }
}

/// The setting of this length; there are two.
fn expiry(period: Period) -> Result<KeyExpiry, Refusal> {
    let parsed: Result<KeyExpiry, _> = period.to_string().parse();
    parsed.map_err(|error| Refusal::denied(error.to_string()))
}

const fn established(role: KeyRole) -> Role {
    match role {
        KeyRole::SystemAdministrator => Role::SysAdmin,
        KeyRole::Staff => Role::Staff,
        KeyRole::Member => Role::Member,
        KeyRole::Service => Role::Service,
    }
}

const fn standing(state: KeyState) -> KeyStanding {
    match state {
        KeyState::Enabled => KeyStanding::Enabled,
        KeyState::Disabled => KeyStanding::Disabled,
        KeyState::PendingDeletion => KeyStanding::Waiting,
        KeyState::Destroyed => KeyStanding::Destroyed,
    }
}

fn refusal(error: KeyError) -> Refusal {
    match error {
        KeyError::NotAdmin
        | KeyError::Refused { .. }
        | KeyError::State(_)
        | KeyError::Absent
        | KeyError::NotRotated(_) => Refusal::denied(error.to_string()),
        other => Refusal::failed(other),
    }
}

/// Whether the state of a key is why something was not done.
pub(super) fn forbids(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let opens = error.downcast_ref::<OpenError>();
        let seals = error.downcast_ref::<SealError>();
        if matches!(opens, Some(OpenError::Key(_))) || matches!(seals, Some(SealError::Key(_))) {
            return true;
        }
        next = error.source();
    }
    false
}
