//! What happens to keys, put into words for the log; and the events on their way there.

use covenant_core::event::{Action, ActorContext, Outcome};
use covenant_core::{EventId, KeyId};
use time::UtcDateTime;
use uuid::Uuid;

use super::{KeyFault, Keys};
use crate::admin::{AdminCall, Role};
use crate::error::KeyError;
use crate::journal::{KeyEvent, code};

/// Who acts when no person does.
pub(super) const SERVICE: &str = "keys";

impl Keys {
    /// Up to `limit` events that wait for the log, oldest first; the caller records them and then
    /// calls [`Keys::settle_events`]. They are in the same transaction as what they tell of, or
    /// before it.
    ///
    /// # Errors
    /// [`KeyError::Store`].
    pub async fn events(&self, limit: u32) -> Result<Vec<KeyEvent>, KeyError> {
        Ok(self.store.events(limit).await?)
    }

    /// Forgets events that the log has.
    ///
    /// # Errors
    /// [`KeyError::Store`]: they are told again, and the log records them once.
    pub async fn settle_events(&self, ids: &[EventId]) -> Result<(), KeyError> {
        Ok(self.store.settle_events(ids).await?)
    }

    pub(super) fn key_event(
        &self,
        action: Action,
        key: Option<KeyId>,
        actor: &ActorContext,
    ) -> Result<KeyEvent, KeyError> {
        Ok(KeyEvent {
            id: EventId::mint(&*self.terms.clock, &*self.terms.random)?,
            at: self.now(),
            actor: actor.clone(),
            action,
            key,
            tenant: None,
            outcome: Outcome::Ok,
            code: None,
            reason: None,
        })
    }

    /// The event of an administrator's call. Everybody else's is recorded as refused.
    // clause: Q-16
    pub(super) async fn authorise(
        &self,
        call: &AdminCall,
        action: Action,
        key: Option<KeyId>,
    ) -> Result<KeyEvent, KeyError> {
        let mut event = self.key_event(action, key, &call.actor)?;
        event.reason = Some(call.reason);
        if call.role == Role::SysAdmin {
            return Ok(event);
        }
        self.refuse(event, code::ROLE).await?;
        Err(KeyError::NotAdmin)
    }

    /// Records that an act was refused.
    pub(super) async fn refuse(
        &self,
        mut event: KeyEvent,
        code: &'static str,
    ) -> Result<(), KeyError> {
        event.outcome = Outcome::Denied;
        event.code = Some(code);
        Ok(self.store.add_event(&event).await?)
    }

    /// Records, once a day, that a due key could not be destroyed, or not completely.
    pub(super) async fn alarm(
        &self,
        action: Action,
        key: KeyId,
        code: &'static str,
        now: UtcDateTime,
    ) -> Result<(), KeyError> {
        self.alarm_about(action, Some(key), key.as_uuid(), code, now)
            .await
    }

    async fn alarm_about(
        &self,
        action: Action,
        key: Option<KeyId>,
        about: Uuid,
        code: &'static str,
        now: UtcDateTime,
    ) -> Result<(), KeyError> {
        let mut event = self.key_event(action, key, &ActorContext::service(SERVICE))?;
        let name = format!("{action}/{code}/{}", now.date());
        event.id = EventId::from_uuid(Uuid::new_v5(&about, name.as_bytes()));
        event.outcome = Outcome::Error;
        event.code = Some(code);
        Ok(self.store.add_event(&event).await?)
    }

    /// Tells the log, once a day each, of copies of the key store that live too long, and of the
    /// newest one when it is older than 25 hours.
    ///
    /// # Errors
    /// [`KeyError::Store`].
    pub async fn tell_copies(&self, now: UtcDateTime) -> Result<(), KeyError> {
        for fault in self.copy_faults(now).await? {
            let (about, code) = match fault {
                KeyFault::Copy(copy, _) => (copy, code::COPY_REMAINS),
                _ => (Uuid::nil(), code::COPY_MISSING),
            };
            self.alarm_about(Action::KeyListed, None, about, code, now)
                .await?;
        }
        Ok(())
    }
}
