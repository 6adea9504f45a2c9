//! The model's keys: who may switch them, how long they wait, and when they are gone.

use covenant_core::event::ActorContext;
use covenant_core::{Action, Clock, Event, EventId, ItemId, KeyId, Outcome, Period, Target};
use time::{Duration, UtcDateTime};

use super::{Model, Refusal, Sabotage, Seen};
use crate::act::{KeyRole, KeySeen, KeyStanding, KeyUse, KeyVerb};

/// Days that a destruction may wait.
const WAITS: std::ops::RangeInclusive<u8> = 7..=30;
/// Months after which a key may be replaced.
const EXPIRIES: [u32; 2] = [12, 36];

/// The life of one key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    pub(super) serves: KeyUse,
    pub(super) standing: KeyStanding,
    pub(super) ends: Option<UtcDateTime>,
    pub(super) created: UtcDateTime,
}

impl Life {
    pub(super) const fn new(serves: KeyUse, created: UtcDateTime) -> Self {
        Self {
            serves,
            standing: KeyStanding::Enabled,
            ends: None,
            created,
        }
    }
}

impl Model {
    /// Refuses a key that is off.
    fn usable(&self, key: KeyId) -> Result<(), Refusal> {
        let standing = self.lives.get(&key).map(|life| life.standing);
        match standing {
            None | Some(KeyStanding::Enabled) => Ok(()),
            Some(KeyStanding::Disabled) if self.is(Sabotage::DisabledKeyWorks) => Ok(()),
            Some(other) => Err(Refusal::denied(format!("the key is {other}"))),
        }
    }

    pub(super) fn list_keys(&mut self, role: KeyRole) -> Result<Seen, Refusal> {
        self.authorise(role, Action::KeyListed, None)?;
        let seen = self.lives.iter().map(|(id, life)| KeySeen {
            id: *id,
            serves: life.serves,
            standing: life.standing,
            created: life.created,
        });
        Ok(Seen::Keys(seen.collect()))
    }

    pub(super) fn administer(
        &mut self,
        role: KeyRole,
        key: KeyId,
        verb: KeyVerb,
    ) -> Result<Seen, Refusal> {
        let action = match verb {
            KeyVerb::Enable => Action::KeyEnabled,
            KeyVerb::Disable => Action::KeyDisabled,
            KeyVerb::Schedule { .. } => Action::KeyScheduled,
            KeyVerb::Cancel => Action::KeyCancelled,
            KeyVerb::Rotate => Action::KeyRotated,
        };
        if let KeyVerb::Schedule { days } = verb
            && !WAITS.contains(&days)
        {
            return Err(Refusal::denied("no such wait"));
        }
        self.authorise(role, action, Some(key))?;
        if verb == KeyVerb::Rotate {
            return self.replace(key);
        }
        let wait = self.waits(verb);
        let life = self.lives.get_mut(&key);
        let life = life.ok_or_else(|| Refusal::denied("no such key"))?;
        let (standing, ends) = match (verb, life.standing) {
            (KeyVerb::Enable, KeyStanding::Enabled | KeyStanding::Disabled) => {
                (KeyStanding::Enabled, None)
            }
            (KeyVerb::Disable, KeyStanding::Enabled | KeyStanding::Disabled) => {
                (KeyStanding::Disabled, None)
            }
            (KeyVerb::Schedule { .. }, KeyStanding::Enabled | KeyStanding::Disabled) => {
                (KeyStanding::Waiting, Some(wait))
            }
            (KeyVerb::Cancel, KeyStanding::Waiting) => (KeyStanding::Disabled, None),
            _ => return Err(Refusal::denied("the key's standing")),
        };
        (life.standing, life.ends) = (standing, ends);
        self.tell_key(action, Some(key), Outcome::Ok);
        Ok(Seen::Done)
    }

    /// When a wait that begins now is over.
    fn waits(&self, verb: KeyVerb) -> UtcDateTime {
        let now = self.clock.now();
        let KeyVerb::Schedule { days } = verb else {
            return now;
        };
        match self.sabotage {
            Some(Sabotage::DestroyedAtOnce) => now,
            Some(Sabotage::DestroyedLate) => {
                let ends = self.figures.wait(now, days, *WAITS.end());
                ends.saturating_add(Duration::days(1))
            }
            _ => self.figures.wait(now, days, *WAITS.end()),
        }
    }

    pub(super) fn set_expiry(&mut self, expiry: Period) -> Result<Seen, Refusal> {
        let offered = EXPIRIES.map(Period::months);
        if !offered.contains(&expiry) {
            return Err(Refusal::denied("keys live for one year or three"));
        }
        self.expiry = expiry;
        Ok(Seen::Done)
    }

    /// When the next key that wraps keys is replaced.
    pub(super) fn next_rotation(&self) -> Option<UtcDateTime> {
        if self.is(Sabotage::RotationMissed) {
            return None;
        }
        let wraps =
            |life: &&Life| life.serves == KeyUse::Wrapping && life.standing == KeyStanding::Enabled;
        let lives = self.lives.values().filter(wraps);
        lives
            .map(|life| self.figures.anniversary(life.created, self.expiry))
            .min()
    }

    /// Replaces the key that wraps keys when its time is over.
    pub(super) fn rotate_keys(&mut self, at: UtcDateTime) {
        if self.next_rotation().is_none_or(|due| due > at) {
            return;
        }
        let ends = self.figures.wait(at, *WAITS.start(), *WAITS.end());
        let wraps =
            |life: &Life| life.serves == KeyUse::Wrapping && life.standing == KeyStanding::Enabled;
        let old = self.lives.iter().find(|(_, life)| wraps(life));
        if let Some(old) = old.map(|(key, _)| *key) {
            if let Some(life) = self.lives.get_mut(&old) {
                (life.standing, life.ends) = (KeyStanding::Waiting, Some(ends));
            }
            self.tell_key(Action::KeyRotated, Some(old), Outcome::Ok);
            self.tell_key(Action::KeyScheduled, Some(old), Outcome::Ok);
        }
        if self.is(Sabotage::RotationLosesOld) {
            let contents: Vec<_> = self.homes.values().map(|home| home.data).collect();
            for key in contents {
                self.keys.remove(&key);
            }
        }
        self.add_wrapping(at);
    }

    /// The key that wraps all others; the model keeps no bytes for it, since it wraps nothing.
    pub(super) fn add_wrapping(&mut self, at: UtcDateTime) {
        let key = KeyId::from_uuid(self.uuid());
        self.lives.insert(key, Life::new(KeyUse::Wrapping, at));
        self.tell_key(Action::KeyCreated, Some(key), Outcome::Ok);
    }

    /// Seals what comes under a new key of the same contents; the old one still opens what it sealed.
    fn replace(&mut self, old: KeyId) -> Result<Seen, Refusal> {
        let life = self.lives.get(&old);
        let enabled = life.filter(|life| life.standing == KeyStanding::Enabled);
        let serves = enabled.map(|life| life.serves);
        let serves = serves.ok_or_else(|| Refusal::denied("the key's standing"))?;
        let new = self.key();
        let mut replaced = false;
        for home in self.homes.values_mut() {
            for key in [&mut home.data, &mut home.sensitive] {
                if *key == old {
                    (*key, replaced) = (new, true);
                }
            }
        }
        if !replaced {
            return Err(Refusal::denied("no key of contents"));
        }
        self.lives.remove(&old);
        self.lives.insert(new, Life::new(serves, self.clock.now()));
        self.tell_key(Action::KeyRotated, Some(old), Outcome::Ok);
        Ok(Seen::Done)
    }

    /// Destroys the keys whose wait is over.
    pub(super) fn destroy_keys(&mut self, at: UtcDateTime) {
        let is_due = |life: &Life| life.ends.is_some_and(|ends| ends <= at);
        let due = self.lives.iter().filter(|(_, life)| is_due(life));
        let due: Vec<_> = due.map(|(key, _)| *key).collect();
        for key in due {
            self.keys.remove(&key);
            if let Some(life) = self.lives.get_mut(&key) {
                (life.standing, life.ends) = (KeyStanding::Destroyed, None);
            }
            self.tell_key(Action::KeyDestroyed, Some(key), Outcome::Ok);
        }
    }

    fn authorise(
        &mut self,
        role: KeyRole,
        action: Action,
        key: Option<KeyId>,
    ) -> Result<(), Refusal> {
        if role == KeyRole::SystemAdministrator || self.is(Sabotage::MemberUnwraps) {
            return Ok(());
        }
        self.tell_key(action, key, Outcome::Denied);
        Err(Refusal::denied("the role"))
    }

    /// The model keeps no key in memory: every read unwraps.
    pub(super) fn unwrap(&mut self, key: KeyId) -> Result<(), Refusal> {
        self.usable(key)?;
        if !self.is(Sabotage::UnwrapUnlogged) {
            self.tell_key(Action::KeyUnwrapped, Some(key), Outcome::Ok);
        }
        Ok(())
    }

    fn tell_key(&mut self, action: Action, key: Option<KeyId>, outcome: Outcome) {
        let id = EventId::from_uuid(self.uuid());
        let key = key.map_or(uuid::Uuid::nil(), |key| key.as_uuid());
        let target = Target::operator("key", ItemId::from(key));
        let actor = ActorContext::service("model");
        let at = self.clock.now();
        self.tell(Event::new(id, at, actor, action, target, outcome));
    }
}
