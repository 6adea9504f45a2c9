//! What a key store that was put back from a copy must forget again before it opens.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use covenant_core::event::{Action, ActorContext};
use covenant_core::{EventId, KeyId};
use uuid::Uuid;

use super::Keys;
use super::mint::whole_micros;
use crate::admin::{Gone, Replay, Replayed};
use crate::backend::Presence;
use crate::error::KeyError;
use crate::journal::KeyEvent;
use crate::record::{KekState, RootState};
use crate::store::Gate;

impl Keys {
    /// Destroys again what the log says is gone, erases again who was erased, destroys whatever's
    /// day has come meanwhile, and then opens the store. A run that fails leaves it shut, and the
    /// next goes on.
    pub(super) async fn replay_since(
        &self,
        since: &Replay,
        opened: &KeyEvent,
    ) -> Result<Replayed, KeyError> {
        let mut again = BTreeSet::new();
        for gone in &since.destroyed {
            if self.destroy_again(gone, &opened.actor).await? {
                again.insert(gone.key);
            }
        }
        for order in &since.orders {
            let erasure = self.store.erase_subject(order, order.at, &opened.actor);
            for key in erasure.await?.keys {
                self.cache.revoke(&[key], crate::state::KeyState::Destroyed);
            }
        }
        let due = match self.destroy_all_due(self.now(), &opened.actor).await {
            // past its last instant it opens nothing, and is tried again when it is due
            Err(KeyError::Held { .. } | KeyError::Floor { .. } | KeyError::Guard(_)) => Vec::new(),
            done => done?,
        };
        self.store.add_event(opened).await?;
        self.store.set_gate(Gate::Open).await?;
        self.shut.store(false, Ordering::Release);
        self.make_ready().await?;
        let again = again.into_iter().collect();
        Ok(Replayed { again, due })
    }

    /// Destroys a key that the copy brought back; says whether it had.
    async fn destroy_again(&self, gone: &Gone, actor: &ActorContext) -> Result<bool, KeyError> {
        let Gone { key, at } = *gone;
        let at = whole_micros(at);
        if let Some(root) = self.store.root(key).await? {
            if root.state == RootState::Destroyed {
                return Ok(false);
            }
            self.tell_again(key, actor).await?;
            self.store.bury_root(key, at, actor).await?;
            return Ok(true);
        }
        if let Some(kek) = self.store.kek(key).await? {
            if kek.state == KekState::Destroyed {
                return Ok(false);
            }
            self.tell_again(key, actor).await?;
            self.bury_kek(key, at, actor).await?;
            return Ok(true);
        }
        // younger than the copy: only its backend and escrow can have it
        let there = self.backend.probe(key).await? == Presence::Present;
        if there || self.options.escrow.probe(key).await? == Presence::Present {
            self.tell_again(key, actor).await?;
            self.remove_kek(key, &[], at).await?;
            return Ok(true);
        }
        Ok(false)
    }

    async fn tell_again(&self, key: KeyId, actor: &ActorContext) -> Result<(), KeyError> {
        let mut event = self.key_event(Action::KeyRolledBack, Some(key), actor)?;
        let revision = self.store.standing().await?.revision;
        let name = format!("{}/{revision}", Action::KeyRolledBack);
        event.id = EventId::from_uuid(Uuid::new_v5(&key.as_uuid(), name.as_bytes()));
        Ok(self.store.add_event(&event).await?)
    }
}
