//! Rotation: a next KEK for a group, all records moved to it, the old one scheduled; and a next
//! version of a root. Every step may be repeated, by any number of workers at once.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use covenant_core::event::{Action, ActorContext};
use covenant_core::sealer::Purpose;
use covenant_core::{KeyId, Owner, Secret};
use subtle::ConstantTimeEq as _;
use time::UtcDateTime;

use super::mint::{ATTEMPTS, newest, whole_micros};
use super::{Keys, tell};
use crate::admin::Rotated;
use crate::backend::BackendError;
use crate::error::KeyError;
use crate::group::GroupName;
use crate::record::{KekRecord, KekState, RootRecord, RootState, Switch};
use crate::state::{KeyState, Refused, Standing, Verb};
use crate::store::{Moved, Swap};
use crate::wrapped::{WrappedKey, wrap_context};

/// Records moved in one transaction, with one sync of the disk: a bound of ours, so that no other
/// change waits long.
const BATCH: u32 = 1_024;

impl Keys {
    /// Does what the clock asks for: KEKs that have expired or are compromised get a successor,
    /// what lies under an older KEK is moved to the newest, emptied ones are scheduled for their
    /// destruction, and root versions that were made by a rotation begin to seal.
    ///
    /// The caller vouches for `now`: the wait of a replaced KEK begins there, and not at a later
    /// instant that a wrong clock once left in the store.
    ///
    /// # Errors
    /// The first failure, after all groups were tried.
    // clause: Q-17
    pub async fn rotate_due(&self, now: UtcDateTime) -> Result<Vec<Rotated>, KeyError> {
        self.check_gate().await?;
        let now = whole_micros(now);
        let actor = ActorContext::service(tell::SERVICE);
        let mut failed = None;
        for root in self.store.due(now).await?.ripe {
            if let Err(error) = self.ripen(root, &actor).await {
                failed = failed.or(Some(error));
            }
        }
        let mut rotated = Vec::new();
        for old in self.replaced(now).await? {
            match self.replace_kek(&old, &actor, now).await {
                Ok(done) => rotated.push(done),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(rotated), Err)
    }

    /// The KEKs in use whose time is over, and those that a newer one has replaced.
    async fn replaced(&self, now: UtcDateTime) -> Result<Vec<KekRecord>, KeyError> {
        let keks = self.store.keks().await?;
        let in_use = |kek: &&KekRecord| kek.state == KekState::Enabled && kek.switch == Switch::On;
        // one pass: tenants with KEKs of their own make many groups
        let mut newest: BTreeMap<&GroupName, &KekRecord> = BTreeMap::new();
        for kek in keks.iter().filter(|kek| kek.state != KekState::Intended) {
            let known = newest.entry(&kek.group).or_insert(kek);
            if known.n < kek.n {
                *known = kek;
            }
        }
        let standing = |kek: &KekRecord| {
            let newest = newest.get(&kek.group).map_or(kek.id, |newest| newest.id);
            kek.standing(newest, now)
        };
        let over = keks.iter().filter(in_use);
        let over = over.filter(|kek| match standing(kek) {
            Standing::Current => false,
            Standing::Superseded | Standing::Expired | Standing::Compromised => {
                !kek.group.is_epoch() || kek.compromised_at.is_some()
            }
        });
        Ok(over.cloned().collect())
    }

    /// Puts the next KEK in this one's place, as far as that is not done yet; the wait of this one
    /// begins at `from`.
    pub(super) async fn replace_kek(
        &self,
        old: &KekRecord,
        actor: &ActorContext,
        from: UtcDateTime,
    ) -> Result<Rotated, KeyError> {
        if let Err(refused) = old.key_state().answer(Verb::Unwrap) {
            let key = old.id;
            return Err(KeyError::Refused { key, refused });
        }
        let keks = self.store.keks_of(&old.group).await?;
        let new = match newest(&keks) {
            Some(kek) if kek.n > old.n => kek.clone(),
            _ => self.next_kek(old, actor).await?,
        };
        let rewrapped = self.move_all(old, &new).await?;
        let left = self.store.roots_under(old.id, None, u32::MAX).await?;
        let left = u64::try_from(left.len()).unwrap_or(u64::MAX);
        let old_ends_at = if left == 0 {
            self.schedule_replaced(old.id, actor, from).await?
        } else {
            None
        };
        let values_under_old_roots = self.replaced_roots(new.id).await?;
        Ok(Rotated {
            old: old.id,
            new: new.id,
            rewrapped,
            left,
            values_under_old_roots,
            old_ends_at,
        })
    }

    /// Moves every living root, page by page; what others change meanwhile is met again.
    async fn move_all(&self, old: &KekRecord, new: &KekRecord) -> Result<u64, KeyError> {
        let mut rewrapped: u64 = 0;
        let mut after = None;
        let mut stalled: u32 = 0;
        loop {
            let page = self.store.roots_under(old.id, after, BATCH).await?;
            let Some(last) = page.last() else {
                if after.is_none() || stalled >= ATTEMPTS {
                    return Ok(rewrapped);
                }
                // from the top: records that others had changed meanwhile
                (after, stalled) = (None, stalled.saturating_add(1));
                continue;
            };
            after = Some(last.id);
            let moved = self.rewrapped(page, old.id, new.id).await?;
            match self.store.move_roots(new.id, &moved).await? {
                Moved::Done(count) => rewrapped = rewrapped.saturating_add(count),
                Moved::Refused(state) => return Err(KeyError::State(state)),
                Moved::Exhausted => return Err(KeyError::Exhausted(new.id)),
            }
        }
    }

    /// The records with the same roots under another KEK: unwrapped, wrapped, unwrapped again and
    /// compared, before any of them is written.
    async fn rewrapped(
        &self,
        roots: Vec<RootRecord>,
        from: KeyId,
        to: KeyId,
    ) -> Result<Vec<RootRecord>, KeyError> {
        let secrets = self.unwrap_records(&roots, from).await?;
        let contexts = roots
            .iter()
            .map(|root| wrap_context(to, root.owner, root.purpose, root.id));
        let secrets: Vec<_> = contexts.zip(secrets).collect();
        let wrapped = self.backend.wrap_roots(to, &secrets).await?;
        let contexts = secrets.iter().map(|(context, _)| context.clone());
        let wrapped: Vec<_> = contexts.zip(wrapped).collect();
        let back = self.backend.unwrap_roots(to, &wrapped).await?;
        let pairs = secrets.iter().zip(&back);
        let same = pairs
            .filter(|((_, secret), back)| bool::from(secret.expose().ct_eq(back.expose())))
            .count();
        if same != roots.len() || wrapped.len() != same || back.len() != same {
            return Err(KeyError::Damaged(to));
        }
        let moved = roots.into_iter().zip(wrapped);
        let moved = moved.map(|(root, (_, wrapped))| RootRecord {
            wrapped: wrapped.as_bytes().to_vec(),
            ..root
        });
        Ok(moved.collect())
    }

    /// The roots of these records, all under one KEK.
    async fn unwrap_records(
        &self,
        roots: &[RootRecord],
        kek: KeyId,
    ) -> Result<Vec<Secret<[u8; 32]>>, KeyError> {
        let mut wrapped = Vec::with_capacity(roots.len());
        for root in roots {
            let bytes = WrappedKey::try_from(root.wrapped.as_slice());
            let bytes = bytes.or(Err(KeyError::Damaged(root.id)))?;
            if root.kek != kek || bytes.kek() != kek {
                return Err(KeyError::Damaged(root.id));
            }
            let context = wrap_context(kek, root.owner, root.purpose, root.id);
            wrapped.push((context, bytes));
        }
        match self.backend.unwrap_roots(kek, &wrapped).await {
            Ok(secrets) if secrets.len() == roots.len() => Ok(secrets),
            Ok(_) => Err(KeyError::Damaged(kek)),
            Err(BackendError::NotAuthentic(source)) => {
                // one by one, to name the record
                for root in roots {
                    drop(self.unwrap_record(root).await?);
                }
                Err(BackendError::NotAuthentic(source).into())
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Schedules a KEK that nothing lies under; says when it ends.
    async fn schedule_replaced(
        &self,
        id: KeyId,
        actor: &ActorContext,
        from: UtcDateTime,
    ) -> Result<Option<UtcDateTime>, KeyError> {
        for _ in 0..ATTEMPTS {
            let kek = self.store.kek(id).await?.ok_or(KeyError::Absent)?;
            if kek.key_state() != KeyState::Enabled {
                return Ok(kek.pending_until);
            }
            let ends = self.options.replaced_window.end(from, &self.options.zone);
            let scheduled = KekRecord {
                switch: Switch::Pending,
                pending_until: Some(ends),
                ..kek
            };
            let event = self.key_event(Action::KeyScheduled, Some(id), actor)?;
            match self.store.put_empty_kek(&scheduled, &event).await? {
                Swap::Done => {
                    self.cache.revoke(&[id], KeyState::PendingDeletion);
                    return Ok(Some(ends));
                }
                Swap::Stale => {}
                Swap::NotEmpty(_) => return Ok(None),
            }
        }
        Err(KeyError::Contended(id))
    }

    /// Root versions under the KEK that a newer version has replaced.
    async fn replaced_roots(&self, kek: KeyId) -> Result<u64, KeyError> {
        let roots = self.store.roots_under(kek, None, u32::MAX).await?;
        let replaced = roots.iter().filter(|r| r.state == RootState::DecryptOnly);
        Ok(u64::try_from(replaced.count()).unwrap_or(u64::MAX))
    }

    /// A next version of a root. It seals from the instant on by which no process can be unaware
    /// of it; until then, and for a compromised one too, the old version opens.
    pub(super) async fn replace_root(
        &self,
        old: &RootRecord,
        actor: &ActorContext,
    ) -> Result<Rotated, KeyError> {
        if let Err(refused) = old.key_state().answer(Verb::Unwrap) {
            let key = old.id;
            return Err(KeyError::Refused { key, refused });
        }
        // what vaults and the platform derive lies outside, and cannot be sealed again
        if matches!(old.purpose, Purpose::Vault | Purpose::Platform) {
            return Err(KeyError::NotRotated(old.id));
        }
        let group = self.group_for(old.owner, old.purpose).await?;
        let versions = self.store.roots_of(old.owner, old.purpose).await?;
        let next = versions.into_iter().find(|version| version.n > old.n);
        let next = match next {
            Some(next) => next,
            None => {
                let n = old.n.saturating_add(1);
                self.mint(old.owner, old.purpose, n, &group).await?
            }
        };
        let event = self.key_event(Action::KeyRotated, Some(old.id), actor)?;
        self.store.add_event(&event).await?;
        Ok(Rotated {
            old: old.id,
            new: next.id,
            rewrapped: 0,
            left: 0,
            values_under_old_roots: 1,
            old_ends_at: None,
        })
    }

    /// Lets a pending version seal, and the versions before it open only.
    async fn ripen(&self, root: RootRecord, actor: &ActorContext) -> Result<(), KeyError> {
        let (owner, purpose, n) = (root.owner, root.purpose, root.n);
        self.move_on(root.id, RootState::Active, actor).await?;
        for version in self.store.roots_of(owner, purpose).await? {
            if version.n < n && version.state == RootState::Active {
                self.move_on(version.id, RootState::DecryptOnly, actor)
                    .await?;
            }
        }
        self.cache.forget_current(owner, purpose);
        Ok(())
    }

    /// Takes a root version to its next state, unless it is there or beyond.
    pub(super) async fn move_on(
        &self,
        id: KeyId,
        next: RootState,
        actor: &ActorContext,
    ) -> Result<(), KeyError> {
        for _ in 0..ATTEMPTS {
            let root = self.store.root(id).await?.ok_or(KeyError::Absent)?;
            if root.state >= next {
                return Ok(());
            }
            if !root.state.may_become(next, root.trust()) {
                let refused = Refused::Compromised;
                return Err(KeyError::Refused { key: id, refused });
            }
            let moved = RootRecord {
                state: next,
                ..root
            };
            let mut event = self.key_event(Action::KeyRotated, Some(id), actor)?;
            event.tenant = moved.owner.tenant();
            if self.store.put_root(&moved, &event).await? == Swap::Done {
                return Ok(());
            }
        }
        Err(KeyError::Contended(id))
    }

    /// Says that no live value is left under a replaced root version, as whoever sealed the values
    /// again has counted. The version still opens what backups hold.
    ///
    /// # Errors
    /// [`KeyError::Refused`] for a version that still seals, [`KeyError::Absent`],
    /// [`KeyError::Contended`], [`KeyError::Store`].
    pub async fn retire(&self, version: KeyId) -> Result<(), KeyError> {
        self.check_gate().await?;
        let root = self.store.root(version).await?.ok_or(KeyError::Absent)?;
        if root.state == RootState::Active {
            let refused = Refused::NotDue;
            return Err(KeyError::Refused {
                key: version,
                refused,
            });
        }
        let actor = ActorContext::service(tell::SERVICE);
        self.move_on(version, RootState::Retired, &actor).await
    }

    /// All versions of an owner's root, by number; without key material.
    ///
    /// # Errors
    /// [`KeyError::Store`].
    pub async fn versions(
        &self,
        owner: Owner,
        purpose: Purpose,
    ) -> Result<Vec<super::KeyRecordInfo>, KeyError> {
        let roots = self.store.roots_of(owner, purpose).await?;
        Ok(roots.into_iter().map(super::KeyRecordInfo::from).collect())
    }

    /// The caller vouches that it is `now`: waits of seven days and more begin then, or later.
    ///
    /// Before that they begin at the latest instant on record, or later, so that one which begins
    /// while the clock is set back does not end early; but a clock that was once ahead leaves an
    /// instant there that is still to come, and until then no key could be planned to go. Who can
    /// tell the two apart, by time that has passed or by a person's word, says so here, again and
    /// again, for this process.
    // clause
    pub fn vouch(&self, now: UtcDateTime) {
        self.vouched.store(now.unix_timestamp(), Ordering::Release);
    }

    /// When a wait begins at the earliest: not before the clock, nor before what was vouched for,
    /// else not before the latest instant on record.
    pub(super) async fn latest(&self) -> Result<UtcDateTime, KeyError> {
        let vouched = self.vouched.load(Ordering::Acquire);
        if let Ok(vouched) = UtcDateTime::from_unix_timestamp(vouched) {
            return Ok(self.now().max(vouched));
        }
        let known = self.store.standing().await?.latest_at;
        Ok(known.map_or(self.now(), |known| known.max(self.now())))
    }
}
