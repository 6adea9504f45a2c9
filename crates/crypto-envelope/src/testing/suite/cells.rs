//! The state table, cell by cell: a key is brought into each state, and each verb tried on it.

use std::sync::Arc;

use covenant_core::sealer::Purpose;
use covenant_core::{Clock, KeyId, Owner, TenantId};
use time::Duration;

use super::{Ground, admin, process, tenant, uuid, wait_ends};
use crate::admin::KeyAdmin;
use crate::error::KeyError;
use crate::group::{GroupKind, GroupName, Isolation};
use crate::keys::Keys;
use crate::state::KeyState::{self, Destroyed, Disabled, Enabled, PendingDeletion};
use crate::store::KeyStore;
use crate::testing::SuiteError;
use crate::window::{PendingWindow, WINDOW_DAYS_MIN};

/// What stands in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    /// It is done, and the key is in this state then.
    Is(KeyState),
    /// It is refused with this word, and nothing changes.
    No(&'static str),
}
use Cell::{Is, No};

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Wrap,
    Unwrap,
    Enable,
    Disable,
    Schedule,
    Cancel,
    /// Whatever is due is destroyed, before its day.
    DestroyEarly,
    /// The same on the day that was planned for it.
    DestroyPlanned,
    /// The same when its window is over, which only a key that waits has.
    DestroyWaited,
}

const VERBS: [Verb; 9] = [
    Verb::Wrap,
    Verb::Unwrap,
    Verb::Enable,
    Verb::Disable,
    Verb::Schedule,
    Verb::Cancel,
    Verb::DestroyEarly,
    Verb::DestroyPlanned,
    Verb::DestroyWaited,
];

const PENDING: Cell = No("pending deletion");
const GONE: Cell = No("destroyed");

/// The table, in the order of [`VERBS`].
const TABLE: [(KeyState, [Cell; 9]); 4] = [
    (
        Enabled,
        [
            Is(Enabled),
            Is(Enabled),
            Is(Enabled),
            Is(Disabled),
            Is(PendingDeletion),
            No("not pending deletion"),
            Is(Enabled),
            Is(Destroyed),
            Is(Enabled),
        ],
    ),
    (
        Disabled,
        [
            No("disabled"),
            No("disabled"),
            Is(Enabled),
            Is(Disabled),
            Is(PendingDeletion),
            No("not pending deletion"),
            Is(Disabled),
            Is(Destroyed),
            Is(Disabled),
        ],
    ),
    (
        PendingDeletion,
        [
            PENDING,
            PENDING,
            PENDING,
            PENDING,
            No("pending deletion already"),
            Is(Disabled),
            Is(PendingDeletion),
            Is(Destroyed),
            Is(Destroyed),
        ],
    ),
    (
        Destroyed,
        [
            GONE,
            GONE,
            GONE,
            GONE,
            GONE,
            GONE,
            Is(Destroyed),
            Is(Destroyed),
            Is(Destroyed),
        ],
    ),
];

/// Which key of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Root,
    /// One that the tenant has for itself, so that it may go with what lies under it.
    Kek,
}

pub(super) async fn all(ground: &dyn Ground) -> Result<(), SuiteError> {
    let store = ground.store().await?;
    let keys = process(ground, Arc::clone(&store)).await?;
    for kind in [Kind::Root, Kind::Kek] {
        for (state, row) in TABLE {
            for (verb, expected) in VERBS.into_iter().zip(row) {
                let tried = Tried::new(ground, &keys, &*store, kind).await?;
                tried.bring(state, verb).await?;
                let seen = tried.attempt(verb).await?;
                if seen != expected {
                    return Err(SuiteError::of(format!(
                        "{kind:?}, {state}, {verb:?}: {seen:?}, and not {expected:?}"
                    )));
                }
            }
        }
    }
    Ok(())
}

/// A key on which one verb is tried.
struct Tried<'a> {
    ground: &'a dyn Ground,
    keys: &'a Keys,
    store: &'a dyn KeyStore,
    kind: Kind,
    tenant: TenantId,
    id: KeyId,
}

impl<'a> Tried<'a> {
    async fn new(
        ground: &'a dyn Ground,
        keys: &'a Keys,
        store: &'a dyn KeyStore,
        kind: Kind,
    ) -> Result<Self, SuiteError> {
        let tenant = tenant(&*ground.random())?;
        let (isolation, group) = match kind {
            Kind::Root => (Isolation::Shared, GroupName::Standard),
            Kind::Kek => {
                let group = GroupName::Dedicated(tenant, GroupKind::Standard);
                (Isolation::Dedicated, group)
            }
        };
        let roots = keys.create_tenant_with(tenant, isolation).await;
        let roots = roots.map_err(SuiteError::of)?;
        let keks = store.keks_of(&group).await.map_err(SuiteError::of)?;
        let kek = keks.last().ok_or_else(|| SuiteError::of("no KEK"))?.id;
        let id = match kind {
            Kind::Root => roots.data,
            Kind::Kek => kek,
        };
        Ok(Self {
            ground,
            keys,
            store,
            kind,
            tenant,
            id,
        })
    }

    /// Brings the key into a state, with a plan where the verb needs one.
    async fn bring(&self, state: KeyState, verb: Verb) -> Result<(), SuiteError> {
        let (keys, call, id) = (self.keys, admin(), self.id);
        if verb == Verb::DestroyPlanned {
            let at = self.ground.clock().now();
            let at = at.saturating_add(Duration::days(WINDOW_DAYS_MIN.into()));
            let planned = keys.plan_destruction(&call, id, at).await;
            planned.map_err(SuiteError::of)?;
        }
        let done = match state {
            Enabled => Ok(()),
            Disabled => keys.disable(&call, id).await.map(drop),
            PendingDeletion => self.schedule().await,
            Destroyed => {
                self.schedule().await.map_err(SuiteError::of)?;
                self.pass();
                self.destroy_due().await
            }
        };
        done.map_err(SuiteError::of)?;
        let seen = self.state().await?;
        if seen == state {
            Ok(())
        } else {
            Err(SuiteError::of(format!(
                "{state} could not be reached: {seen}"
            )))
        }
    }

    async fn attempt(&self, verb: Verb) -> Result<Cell, SuiteError> {
        let (keys, call, id) = (self.keys, admin(), self.id);
        let before = self.state().await?;
        let done = match verb {
            Verb::Wrap => self.wrap().await?,
            Verb::Unwrap => self.unlock().await,
            Verb::Enable => keys.enable(&call, id).await.map(drop),
            Verb::Disable => keys.disable(&call, id).await.map(drop),
            Verb::Schedule => self.schedule().await,
            Verb::Cancel => keys.cancel_destruction(&call, id).await.map(drop),
            Verb::DestroyEarly => self.destroy_due().await,
            Verb::DestroyPlanned | Verb::DestroyWaited => {
                self.pass();
                self.destroy_due().await
            }
        };
        let after = self.state().await?;
        match done {
            Ok(()) => Ok(Is(after)),
            Err(error) if before != after => Err(SuiteError::of(format!(
                "{verb:?} was refused ({error}) and made {after} of {before}"
            ))),
            Err(KeyError::Refused { refused, .. }) => Ok(No(refused.name())),
            Err(KeyError::State(word)) => Ok(No(word)),
            Err(other) => Err(SuiteError::of(other)),
        }
    }

    /// For a root: what it seals needs it unlocked. For a KEK: a new root of the tenant.
    async fn wrap(&self) -> Result<Result<(), KeyError>, SuiteError> {
        if self.kind == Kind::Root {
            return Ok(self.unlock().await);
        }
        let person = Owner::Subject(self.tenant, uuid(&*self.ground.random())?);
        let made = self.keys.unlock(person, Purpose::Subject).await;
        Ok(made.map(drop))
    }

    async fn unlock(&self) -> Result<(), KeyError> {
        let owner = Owner::Tenant(self.tenant);
        self.keys.unlock(owner, Purpose::Data).await.map(drop)
    }

    async fn schedule(&self) -> Result<(), KeyError> {
        let now = self.ground.clock().now();
        let (week, call) = (PendingWindow::SHORTEST, admin());
        let scheduled = self.keys.schedule_destruction(&call, self.id, week);
        let ends = scheduled.await?;
        if ends == wait_ends(now, week.days()) {
            Ok(())
        } else {
            Err(KeyError::TooSoon { earliest: ends })
        }
    }

    /// Until a window and a plan that begin now are over.
    fn pass(&self) {
        let now = self.ground.clock().now();
        let over = wait_ends(now, WINDOW_DAYS_MIN);
        self.ground.clock().advance_to(over);
    }

    async fn destroy_due(&self) -> Result<(), KeyError> {
        let now = self.ground.clock().now();
        self.keys.destroy_due(now).await.map(drop)
    }

    async fn state(&self) -> Result<KeyState, SuiteError> {
        let gone = || SuiteError::of("the key has no record");
        match self.kind {
            Kind::Root => {
                let root = self.store.root(self.id).await.map_err(SuiteError::of)?;
                Ok(root.ok_or_else(gone)?.key_state())
            }
            Kind::Kek => {
                let kek = self.store.kek(self.id).await.map_err(SuiteError::of)?;
                Ok(kek.ok_or_else(gone)?.key_state())
            }
        }
    }
}
