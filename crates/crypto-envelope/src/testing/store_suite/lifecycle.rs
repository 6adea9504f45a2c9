//! What every store does with switches, rotation, versions, events and copies.

use covenant_core::event::Action;
use covenant_core::sealer::Purpose;
use covenant_core::{KeyId, Owner, VaultId};
use time::Duration;

use super::{Suite, ok};
use crate::copies::{CopyEnd, KeyCopy};
use crate::group::GroupName;
use crate::record::{KekRecord, RootRecord, RootState, Switch};
use crate::store::{Added, Changes, Counted, Gate, KeyStore, Moved, StoreError, Swap};
use crate::testing::{SuiteError, that};

impl Suite<'_> {
    pub(super) async fn switches(&self) -> Result<(), SuiteError> {
        let kek = self.new_kek("epoch/switched", 1).await?;
        let off = KekRecord {
            switch: Switch::Off,
            compromised_at: Some(self.at),
            ..kek.clone()
        };
        let event = self.event(Action::KeyDisabled, kek.id)?;
        let done = ok(self.store.put_kek(&off, &event).await)?;
        that!(done == Swap::Done, "a KEK was not switched off");
        let stored = ok(self.store.kek(kek.id).await)?;
        let expect = stored.as_ref().map(|stored| KekRecord {
            revision: stored.revision,
            ..off.clone()
        });
        that!(stored == expect, "a changed KEK reads back otherwise");
        let rose = stored.is_some_and(|stored| stored.revision > kek.revision);
        that!(rose, "a change does not raise the revision");
        let late = ok(self.store.put_kek(&off, &event).await)?;
        that!(late == Swap::Stale, "a change of an old record was kept");
        let counted = ok(self.store.count_wrap(kek.id).await)?;
        let refused = matches!(counted, Counted::Refused("disabled"));
        that!(refused, "a KEK that is switched off wraps");
        let vault = Owner::Vault(self.tenant()?, VaultId::from_uuid(self.uuid()?));
        let root = self.root(vault, Purpose::Vault, kek.id)?;
        let refused = self.add(&root).await? == Added::Refused("disabled");
        that!(refused, "a root was added under a KEK that is switched off");

        let soon = self.at.saturating_add(Duration::days(7));
        let stored = ok(self.store.kek(kek.id).await)?;
        let stored = stored.ok_or_else(|| SuiteError::of("a KEK is gone"))?;
        let pending = KekRecord {
            switch: Switch::Pending,
            pending_until: Some(soon),
            ..stored
        };
        ok(self.store.put_kek(&pending, &event).await)?;
        let due = ok(self.store.due(soon).await)?.keks;
        that!(
            due.iter().any(|due| due.id == kek.id),
            "a KEK whose window is over is not due"
        );
        let before = soon.saturating_sub(Duration::MICROSECOND);
        let due = ok(self.store.due(before).await)?.keks;
        that!(
            due.iter().all(|due| due.id != kek.id),
            "a KEK is due before its window is over"
        );
        let next = ok(self.store.next_due().await)?;
        that!(
            next.is_some_and(|next| next <= soon),
            "the end of a window is not the next"
        );
        Ok(())
    }

    pub(super) async fn rotation(&self) -> Result<(), SuiteError> {
        let old = self.new_kek("epoch/rotated", 1).await?;
        let mut roots = Vec::new();
        for _ in 0..5 {
            let vault = Owner::Vault(self.tenant()?, VaultId::from_uuid(self.uuid()?));
            let root = self.root(vault, Purpose::Vault, old.id)?;
            let Added::Stored(root) = self.add(&root).await? else {
                return Err(SuiteError::of("a root was not stored"));
            };
            roots.push(root);
        }
        roots.sort_by_key(|root| root.id);
        let intended = self.intend("epoch/rotated", 2).await?;
        let again = self.intend("epoch/rotated", 2).await?;
        that!(again == intended, "a group has two KEKs of one number");
        let counted = ok(self.store.count_wrap(old.id).await)?;
        that!(counted == Counted::Done, "an intended KEK supersedes");
        let new = ok(self.enable(intended.id).await)?;
        let counted = ok(self.store.count_wrap(old.id).await)?;
        let refused = matches!(counted, Counted::Refused("superseded"));
        that!(refused, "a superseded KEK wraps");
        let late = Owner::Vault(self.tenant()?, VaultId::from_uuid(self.uuid()?));
        let late = self.root(late, Purpose::Vault, old.id)?;
        let refused = self.add(&late).await? == Added::Refused("superseded");
        that!(refused, "a root was added under a superseded KEK");
        let group: GroupName = "epoch/rotated".parse().map_err(SuiteError::of)?;
        let of_group = ok(self.store.keks_of(&group).await)?;
        let ids: Vec<_> = of_group.iter().map(|kek| kek.id).collect();
        that!(ids == [old.id, new.id], "a group's KEKs are not by number");

        let first = ok(self.store.roots_under(old.id, None, 3).await)?;
        that!(
            first == roots.get(..3).unwrap_or_default(),
            "the first page"
        );
        let after = first.last().map(|root| root.id);
        let rest = ok(self.store.roots_under(old.id, after, 3).await)?;
        that!(rest == roots.get(3..).unwrap_or_default(), "the last page");

        let event = self.event(Action::KeyScheduled, old.id)?;
        let held = ok(self.store.put_empty_kek(&old, &event).await)?;
        that!(held == Swap::NotEmpty(5), "a KEK in use counts as empty");
        let mut moved = roots.clone();
        for root in &mut moved {
            self.random
                .fill(&mut root.wrapped)
                .map_err(SuiteError::of)?;
        }
        // somebody else changes one meanwhile
        let changed = roots.first().cloned();
        let changed = changed.ok_or_else(|| SuiteError::of("no roots"))?;
        let event = self.event(Action::KeyCompromised, changed.id)?;
        let marked = RootRecord {
            compromised_at: Some(self.at),
            ..changed.clone()
        };
        ok(self.store.put_root(&marked, &event).await)?;
        let done = ok(self.store.move_roots(new.id, &moved).await)?;
        that!(done == Moved::Done(4), "a changed root was overwritten");
        let left = ok(self.store.roots_under(old.id, None, 10).await)?;
        let left: Vec<_> = left.iter().map(|root| root.id).collect();
        that!(left == [changed.id], "not exactly the changed root is left");
        let back = moved.last().cloned();
        let back = back.ok_or_else(|| SuiteError::of("no roots"))?;
        let stored = ok(self.store.root(back.id).await)?;
        let same = stored.is_some_and(|stored| {
            stored.kek == new.id
                && stored.wrapped == back.wrapped
                && stored.wrapped_revision == stored.revision
                && stored.revision > back.revision
        });
        that!(same, "a moved root reads back otherwise");
        let wraps = ok(self.store.kek(new.id).await)?.map(|kek| kek.wraps);
        that!(wraps == Some(4), "moves are not counted as wraps");
        let refused = ok(self.store.move_roots(old.id, &moved).await)?;
        let refused = matches!(refused, Moved::Refused("superseded"));
        that!(refused, "roots were moved back");
        ok(self
            .store
            .bury_root(changed.id, self.at, &self.actor())
            .await)?;
        let event = self.event(Action::KeyScheduled, old.id)?;
        let stored = ok(self.store.kek(old.id).await)?;
        let stored = stored.ok_or_else(|| SuiteError::of("a KEK is gone"))?;
        let done = ok(self.store.put_empty_kek(&stored, &event).await)?;
        that!(done == Swap::Done, "an empty KEK counts as in use");
        Ok(())
    }

    pub(super) async fn versions(&self) -> Result<(), SuiteError> {
        let kek = self.standard().await?;
        let owner = Owner::Tenant(self.tenant()?);
        let first = self.root(owner, Purpose::Data, kek.id)?;
        self.add(&first).await?;
        let day = self.at.saturating_add(Duration::days(40));
        let Some(tenant) = owner.tenant() else {
            return Err(SuiteError::of("a tenant has no id"));
        };
        ok(self.store.plan_roots(tenant, day).await)?;
        let ripe_at = self.at.saturating_add(Duration::minutes(5));
        let second = RootRecord {
            n: 2,
            state: RootState::Pending,
            active_from: Some(ripe_at),
            ..self.root(owner, Purpose::Data, kek.id)?
        };
        let Added::Stored(second) = self.add(&second).await? else {
            return Err(SuiteError::of("a second version was not stored"));
        };
        let dated = second.destroy_at == Some(day);
        that!(dated, "a later version does not take the date of the first");
        let sealing = ok(self.store.root_of(owner, Purpose::Data).await)?;
        let same = sealing.is_some_and(|root| root.id == first.id);
        that!(same, "a pending version seals");
        let ripe = ok(self.store.due(ripe_at).await)?.ripe;
        let ripe: Vec<_> = ripe.iter().map(|root| root.id).collect();
        that!(
            ripe == [second.id],
            "not exactly the pending version is ripe"
        );
        let next = ok(self.store.next_due().await)?;
        that!(
            next.is_some_and(|next| next <= ripe_at),
            "a pending version is not the next"
        );
        let event = self.event(Action::KeyRotated, second.id)?;
        let active = RootRecord {
            state: RootState::Active,
            ..second.clone()
        };
        ok(self.store.put_root(&active, &event).await)?;
        let sealing = ok(self.store.root_of(owner, Purpose::Data).await)?;
        let newest = sealing.is_some_and(|root| root.id == second.id);
        that!(newest, "the newest active version does not seal");
        let versions = ok(self.store.roots_of(owner, Purpose::Data).await)?;
        let ids: Vec<_> = versions.iter().map(|root| root.id).collect();
        that!(ids == [first.id, second.id], "versions are not by number");
        for id in ids {
            ok(self.store.bury_root(id, self.at, &self.actor()).await)?;
        }
        let late = ok(self.store.put_root(&active, &event).await)?;
        that!(late == Swap::Stale, "a destroyed root was changed");
        let third = RootRecord {
            n: 3,
            ..self.root(owner, Purpose::Data, kek.id)?
        };
        let refused = self.add(&third).await? == Added::Refused("destroyed");
        that!(refused, "a destroyed owner got a version");
        Ok(())
    }

    pub(super) async fn journal(&self) -> Result<(), SuiteError> {
        let waiting = ok(self.store.events(u32::MAX).await)?;
        let destroyed = waiting.iter().any(|e| e.action == Action::KeyDestroyed);
        that!(destroyed, "no destruction was told");
        let sorted = waiting.windows(2).all(|two| match two {
            [a, b] => a.id < b.id,
            _ => true,
        });
        that!(sorted, "events are not by id");
        let event = self.event(Action::KeyListed, KeyId::from_uuid(self.uuid()?))?;
        ok(self.store.add_event(&event).await)?;
        ok(self.store.add_event(&event).await)?;
        let now = ok(self.store.events(u32::MAX).await)?;
        let added = now.len().saturating_sub(waiting.len());
        that!(
            added == 1 && now.contains(&event),
            "an event was not added once"
        );
        let page = ok(self.store.events(2).await)?;
        that!(page == now.get(..2).unwrap_or_default(), "a page of events");
        let ids: Vec<_> = now.iter().map(|event| event.id).collect();
        ok(self.store.settle_events(&ids).await)?;
        let none = ok(self.store.events(1).await)?;
        that!(none.is_empty(), "a settled event waits");
        Ok(())
    }

    pub(super) async fn copies(&self) -> Result<(), SuiteError> {
        let standing = ok(self.store.standing().await)?;
        that!(standing.gate == Gate::Open, "a new store is shut");
        let known = standing.latest_at.is_some_and(|latest| latest >= self.at);
        that!(known, "the store does not know the time of its changes");
        let ends = [
            CopyEnd::At(self.at.saturating_add(Duration::days(5))),
            CopyEnd::Follows(Duration::hours(3)),
            CopyEnd::Unknown,
        ];
        let mut copies = Vec::new();
        for end in ends {
            copies.push(KeyCopy {
                id: self.uuid()?,
                site: "second-site".to_owned(),
                revision: standing.revision,
                taken_at: self.at,
                end,
                removed_at: None,
            });
        }
        for copy in &copies {
            ok(self.store.put_copy(copy).await)?;
        }
        if let Some(copy) = copies.first_mut() {
            copy.removed_at = Some(self.at);
            ok(self.store.put_copy(copy).await)?;
        }
        copies.sort_by_key(|copy| copy.id);
        let stored = ok(self.store.copies().await)?;
        that!(stored == copies, "copies read back otherwise");
        for copy in &copies {
            ok(self.store.forget_copy(copy.id).await)?;
        }
        let none = ok(self.store.copies().await)?;
        that!(none.is_empty(), "a forgotten copy is there");
        for gate in [Gate::Shut, Gate::Open] {
            ok(self.store.set_gate(gate).await)?;
            let standing = ok(self.store.standing().await)?;
            that!(standing.gate == gate, "the gate is not as it was set");
        }
        let full = ok(self.store.changes(0).await)?;
        let all = full.roots == ok(self.store.roots().await)?
            && full.keks == ok(self.store.keks().await)?;
        that!(all, "a full copy lacks a record");
        let none = ok(self.store.changes(full.revision).await)?;
        let empty = none.keks.is_empty() && none.roots.is_empty() && none.erasures.is_empty();
        that!(empty, "an increment holds what did not change");
        let refused = self.store.restore(&[full]).await;
        let refused = matches!(refused, Err(StoreError::NotEmpty));
        that!(refused, "a store in use was overwritten");
        Ok(())
    }

    async fn new_kek(&self, group: &str, n: u32) -> Result<KekRecord, SuiteError> {
        let kek = self.intend(group, n).await?;
        ok(self.enable(kek.id).await)
    }

    async fn intend(&self, group: &str, n: u32) -> Result<KekRecord, SuiteError> {
        let group: GroupName = group.parse().map_err(SuiteError::of)?;
        let kek = KekRecord {
            n,
            ..self.kek(group, None)?
        };
        ok(self.store.intend_kek(&kek).await)
    }
}

/// A full copy and an increment, put back, are the store; and it is shut.
pub(super) async fn restore(
    from: &dyn KeyStore,
    into: &dyn KeyStore,
    since: u64,
) -> Result<(), SuiteError> {
    let all = ok(from.changes(0).await)?;
    let older = Changes {
        after: 0,
        revision: since,
        keks: of(&all.keks, |kek| kek.revision <= since),
        roots: of(&all.roots, |root| root.revision <= since),
        erasures: of(&all.erasures, |erasure| erasure.revision <= since),
    };
    let newer = ok(from.changes(since).await)?;
    let gap = Changes {
        after: since.saturating_add(1),
        ..newer.clone()
    };
    let refused = into.restore(&[older.clone(), gap]).await;
    let refused = matches!(refused, Err(StoreError::Damaged(_)));
    that!(refused, "copies with a gap were put back");
    ok(into.restore(&[older, newer]).await)?;
    let standing = ok(into.standing().await)?;
    that!(standing.gate == Gate::Shut, "a store put back is open");
    that!(
        standing.revision == all.revision,
        "a store put back has another revision"
    );
    let back = ok(into.changes(0).await)?;
    that!(back == all, "a store put back is another one");
    Ok(())
}

fn of<T: Clone>(all: &[T], keep: impl Fn(&T) -> bool) -> Vec<T> {
    all.iter().filter(|one| keep(one)).cloned().collect()
}
