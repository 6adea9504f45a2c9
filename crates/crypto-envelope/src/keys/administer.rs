//! [`KeyAdmin`]: each verb looks the key up, asks the state table, and writes the change with its
//! event, if nobody was faster.

use covenant_core::KeyId;
use covenant_core::event::Action;
use covenant_core::sealer::{DestroyOrder, Destroyed};
use time::{Duration, UtcDateTime};

use super::mint::{ATTEMPTS, whole_micros};
use super::{DestroyedKey, KeyRecordInfo, Keys, PLAN_WAIT_DAYS_MIN};
use crate::admin::{AdminCall, KeyAdmin, Listing, Replay, Replayed, Rotated};
use crate::copies::KeyCopy;
use crate::error::KeyError;
use crate::group::GroupName;
use crate::guard::{Cause, KeyKind, Verdict};
use crate::journal::{KeyEvent, code};
use crate::record::{KekRecord, RootRecord, Switch};
use crate::service::KeyFuture;
use crate::state::{KeyState, Step, Verb};
use crate::store::Swap;
use crate::window::PendingWindow;

/// A key of either kind, as it was read.
#[derive(Debug, Clone)]
enum Key {
    Kek(Box<KekRecord>),
    Root(Box<RootRecord>),
}

impl Key {
    const fn state(&self) -> KeyState {
        match self {
            Self::Kek(kek) => kek.key_state(),
            Self::Root(root) => root.key_state(),
        }
    }

    fn kind(&self) -> KeyKind {
        match self {
            Self::Kek(kek) => KeyKind::Kek(kek.group.clone()),
            Self::Root(root) => KeyKind::Root(root.owner, root.purpose),
        }
    }

    const fn plan(&self) -> Option<UtcDateTime> {
        match self {
            Self::Kek(kek) => kek.destroy_at,
            Self::Root(root) => root.destroy_at,
        }
    }

    const fn is_compromised(&self) -> bool {
        match self {
            Self::Kek(kek) => kek.compromised_at.is_some(),
            Self::Root(root) => root.compromised_at.is_some(),
        }
    }

    fn apply(&mut self, change: Change) {
        let (switch, pending_until, plan, compromised_at) = match self {
            Self::Kek(kek) => (
                &mut kek.switch,
                &mut kek.pending_until,
                &mut kek.destroy_at,
                &mut kek.compromised_at,
            ),
            Self::Root(root) => (
                &mut root.switch,
                &mut root.pending_until,
                &mut root.destroy_at,
                &mut root.compromised_at,
            ),
        };
        match change {
            Change::Switch(to, until) => (*switch, *pending_until) = (to, until),
            Change::Plan(at) => *plan = Some(at),
            Change::Compromised(at) => *compromised_at = Some(at),
        }
    }
}

/// What a verb does to a record.
#[derive(Debug, Clone, Copy)]
enum Change {
    Switch(Switch, Option<UtcDateTime>),
    Plan(UtcDateTime),
    Compromised(UtcDateTime),
}

impl Keys {
    async fn find(&self, id: KeyId) -> Result<Key, KeyError> {
        if let Some(kek) = self.store.kek(id).await? {
            return Ok(Key::Kek(Box::new(kek)));
        }
        let root = self.store.root(id).await?.ok_or(KeyError::Absent)?;
        Ok(Key::Root(Box::new(root)))
    }

    async fn put(&self, key: &Key, event: &KeyEvent) -> Result<Swap, KeyError> {
        Ok(match key {
            Key::Kek(kek) => self.store.put_kek(kek, event).await?,
            Key::Root(root) => self.store.put_root(root, event).await?,
        })
    }

    /// Does a verb of the table. `window` is that of a schedule.
    // clause
    async fn switch(
        &self,
        event: KeyEvent,
        id: KeyId,
        verb: Verb,
        window: PendingWindow,
    ) -> Result<(KeyState, Option<UtcDateTime>), KeyError> {
        self.check_gate().await?;
        for _ in 0..ATTEMPTS {
            let mut key = self.find(id).await?;
            let state = match key.state().answer(verb) {
                Ok(Step::Stays) => {
                    self.store.add_event(&event).await?;
                    return Ok((key.state(), None));
                }
                Ok(Step::Becomes(state)) => state,
                Err(refused) => {
                    self.refuse(event, refused.name()).await?;
                    return Err(KeyError::Refused { key: id, refused });
                }
            };
            let ends = match state {
                KeyState::PendingDeletion => {
                    let ends = window.end(self.latest().await?, &self.options.zone);
                    self.refuse_floor(&event, &key, &Cause::Window, ends)
                        .await?;
                    Some(ends)
                }
                _ => None,
            };
            let switch = match state {
                KeyState::Enabled => Switch::On,
                KeyState::Disabled => Switch::Off,
                KeyState::PendingDeletion | KeyState::Destroyed => Switch::Pending,
            };
            key.apply(Change::Switch(switch, ends));
            let put = self.put(&key, &event).await;
            // whatever became of it, the next use reads the store
            self.cache.forget(id);
            if put? == Swap::Done {
                if state != KeyState::Enabled {
                    self.cache.revoke(&[id], state);
                }
                return Ok((state, ends));
            }
        }
        Err(KeyError::Contended(id))
    }

    /// Refuses a date before a floor, on record.
    async fn refuse_floor(
        &self,
        event: &KeyEvent,
        key: &Key,
        cause: &Cause<'_>,
        at: UtcDateTime,
    ) -> Result<Verdict, KeyError> {
        let id = event.key.ok_or(KeyError::Absent)?;
        let verdict = self.check_floor(id, &key.kind(), cause, at).await;
        if let Err(KeyError::Floor { .. }) = verdict {
            self.refuse(event.clone(), code::FLOOR).await?;
        }
        verdict
    }

    async fn plan(&self, event: KeyEvent, id: KeyId, at: UtcDateTime) -> Result<(), KeyError> {
        self.check_gate().await?;
        let at = whole_micros(at);
        for _ in 0..ATTEMPTS {
            let mut key = self.find(id).await?;
            let planned = key.plan();
            if planned == Some(at) {
                return Ok(());
            }
            if let Err(refused) = key.state().answer(Verb::Unwrap) {
                self.refuse(event, refused.name()).await?;
                return Err(KeyError::Refused { key: id, refused });
            }
            let earliest = self.latest().await?;
            let earliest = earliest.saturating_add(Duration::days(PLAN_WAIT_DAYS_MIN));
            if at < earliest {
                self.refuse(event, code::TOO_SOON).await?;
                return Err(KeyError::TooSoon { earliest });
            }
            let verdict = self.refuse_floor(&event, &key, &Cause::Plan, at).await?;
            if let Some(planned) = planned {
                let held = match verdict {
                    Verdict::Held { .. } => true,
                    _ => self.held_at(id, &key, planned).await?,
                };
                if at < planned || !held {
                    self.refuse(event, code::TOO_SOON).await?;
                    return Err(KeyError::Planned { key: id, planned });
                }
            }
            key.apply(Change::Plan(at));
            if self.put(&key, &event).await? == Swap::Done {
                return Ok(());
            }
        }
        Err(KeyError::Contended(id))
    }

    async fn held_at(&self, id: KeyId, key: &Key, at: UtcDateTime) -> Result<bool, KeyError> {
        let kind = key.kind();
        let verdict = self.options.guard.may_go(id, &kind, &Cause::Plan, at).await;
        Ok(matches!(verdict?, Verdict::Held { .. }))
    }

    async fn compromise(&self, event: KeyEvent, id: KeyId) -> Result<(), KeyError> {
        self.check_gate().await?;
        for _ in 0..ATTEMPTS {
            let mut key = self.find(id).await?;
            if key.is_compromised() {
                return Ok(());
            }
            if key.state() == KeyState::Destroyed {
                let refused = crate::state::Refused::Destroyed;
                self.refuse(event, refused.name()).await?;
                return Err(KeyError::Refused { key: id, refused });
            }
            key.apply(Change::Compromised(event.at));
            if self.put(&key, &event).await? == Swap::Done {
                return Ok(());
            }
        }
        Err(KeyError::Contended(id))
    }

    async fn rotate_key(&self, event: KeyEvent, id: KeyId) -> Result<Rotated, KeyError> {
        self.check_gate().await?;
        let done = match self.find(id).await? {
            Key::Kek(kek) => {
                let from = self.latest().await?;
                self.replace_kek(&kek, &event.actor, from).await
            }
            Key::Root(root) => self.replace_root(&root, &event.actor).await,
        };
        match &done {
            Err(KeyError::Refused { refused, .. }) => self.refuse(event, refused.name()).await?,
            _ => self.store.add_event(&event).await?,
        }
        done
    }
}

impl KeyAdmin for Keys {
    fn create<'a>(
        &'a self,
        call: &'a AdminCall,
        group: &'a GroupName,
        destroy_at: Option<UtcDateTime>,
    ) -> KeyFuture<'a, KekRecord> {
        Box::pin(async move {
            let event = self.authorise(call, Action::KeyCreated, None).await?;
            self.check_gate().await?;
            self.store.add_event(&event).await?;
            self.current_kek(group, destroy_at.map(whole_micros)).await
        })
    }

    fn list<'a>(&'a self, call: &'a AdminCall) -> KeyFuture<'a, Listing> {
        Box::pin(async move {
            let event = self.authorise(call, Action::KeyListed, None).await?;
            self.store.add_event(&event).await?;
            let roots = self.store.roots().await?;
            Ok(Listing {
                keks: self.store.keks().await?,
                roots: roots.into_iter().map(KeyRecordInfo::from).collect(),
            })
        })
    }

    fn copies<'a>(&'a self, call: &'a AdminCall) -> KeyFuture<'a, Vec<KeyCopy>> {
        Box::pin(async move {
            let event = self.authorise(call, Action::KeyListed, None).await?;
            self.store.add_event(&event).await?;
            Ok(self.store.copies().await?)
        })
    }

    fn enable<'a>(&'a self, call: &'a AdminCall, key: KeyId) -> KeyFuture<'a, KeyState> {
        Box::pin(async move {
            let event = self.authorise(call, Action::KeyEnabled, Some(key)).await?;
            let done = self.switch(event, key, Verb::Enable, PendingWindow::default());
            Ok(done.await?.0)
        })
    }

    // clause: P-56
    fn disable<'a>(&'a self, call: &'a AdminCall, key: KeyId) -> KeyFuture<'a, KeyState> {
        Box::pin(async move {
            let event = self.authorise(call, Action::KeyDisabled, Some(key)).await?;
            let done = self.switch(event, key, Verb::Disable, PendingWindow::default());
            Ok(done.await?.0)
        })
    }

    fn rotate<'a>(&'a self, call: &'a AdminCall, key: KeyId) -> KeyFuture<'a, Rotated> {
        Box::pin(async move {
            let event = self.authorise(call, Action::KeyRotated, Some(key)).await?;
            self.rotate_key(event, key).await
        })
    }

    fn mark_compromised<'a>(&'a self, call: &'a AdminCall, key: KeyId) -> KeyFuture<'a, ()> {
        Box::pin(async move {
            let action = Action::KeyCompromised;
            let event = self.authorise(call, action, Some(key)).await?;
            self.compromise(event, key).await
        })
    }

    fn schedule_destruction<'a>(
        &'a self,
        call: &'a AdminCall,
        key: KeyId,
        window: PendingWindow,
    ) -> KeyFuture<'a, UtcDateTime> {
        Box::pin(async move {
            let event = self.authorise(call, Action::KeyScheduled, Some(key));
            let done = self.switch(event.await?, key, Verb::Schedule, window);
            done.await?.1.ok_or(KeyError::Contended(key))
        })
    }

    fn plan_destruction<'a>(
        &'a self,
        call: &'a AdminCall,
        key: KeyId,
        at: UtcDateTime,
    ) -> KeyFuture<'a, ()> {
        Box::pin(async move {
            let event = self.authorise(call, Action::KeyPlanned, Some(key)).await?;
            self.plan(event, key, at).await
        })
    }

    fn cancel_destruction<'a>(
        &'a self,
        call: &'a AdminCall,
        key: KeyId,
    ) -> KeyFuture<'a, KeyState> {
        Box::pin(async move {
            let action = Action::KeyCancelled;
            let event = self.authorise(call, action, Some(key)).await?;
            let done = self.switch(event, key, Verb::Cancel, PendingWindow::default());
            Ok(done.await?.0)
        })
    }

    fn destroy_due<'a>(
        &'a self,
        call: &'a AdminCall,
        now: UtcDateTime,
    ) -> KeyFuture<'a, Vec<DestroyedKey>> {
        Box::pin(async move {
            let event = self.authorise(call, Action::KeyDestroyed, None).await?;
            self.check_gate().await?;
            self.store.add_event(&event).await?;
            self.destroy_all_due(now, &call.actor).await
        })
    }

    fn destroy_subject<'a>(
        &'a self,
        call: &'a AdminCall,
        order: &'a DestroyOrder,
    ) -> KeyFuture<'a, Destroyed> {
        Box::pin(async move {
            let mut event = self.authorise(call, Action::KeyDestroyed, None).await?;
            self.check_gate().await?;
            event.tenant = Some(order.tenant);
            self.store.add_event(&event).await?;
            self.erase(order, &call.actor).await
        })
    }

    fn replay<'a>(&'a self, call: &'a AdminCall, since: &'a Replay) -> KeyFuture<'a, Replayed> {
        Box::pin(async move {
            let event = self.authorise(call, Action::KeyRolledBack, None).await?;
            self.replay_since(since, &event).await
        })
    }
}
