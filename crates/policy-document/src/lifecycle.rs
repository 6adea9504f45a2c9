//! The courses that time clauses run along: what a record, a database or a contract goes through,
//! and which promises are about it.
//!
//! One event name serves several things: `backup.purged` ends the last backup that holds a deleted
//! record, and that of a deleted database. Each course is therefore a network of its own, in which
//! every event happens once.

use std::collections::BTreeSet;

use covenant_core::network::{Constraint, Network};
use covenant_core::{Action, Period};

use crate::clause::words;
use crate::{Cadence, Document, StoreKind};

mod keys;
mod promise;

pub(crate) use keys::{Against, Death, deaths, holds, is_live};
pub(crate) use promise::{Figures, Promise, WAIT, promises};

/// The label of what is no promise: that one event of a course does not come before another. It is
/// no name and no clause id.
pub(crate) const ORDER: &str = "order of events";

words! {
    /// What a thing goes through, from the event that nobody here chooses.
    Lifecycle {
        /// A record is deleted, and purged.
        Record = "record",
        /// An object is deleted, and unreachable.
        Object = "object",
        /// A trial ends; its database is deleted, and purged.
        Trial = "trial",
        /// A database is deleted, and purged.
        Database = "database",
        /// A contract ends; the tenant's data and keys go.
        Contract = "contract",
        /// A backup is completed, copied, and purged.
        Backup = "backup",
        /// A key is created and rotated, or scheduled and destroyed.
        Key = "key",
        /// A person asks for erasure.
        Erasure = "erasure",
        /// A breach is suspected; customers are told.
        Incident = "incident",
        /// Staff looks at data; the customer is told.
        Access = "access",
        /// An export is asked for, and made.
        Export = "export",
        /// An update is announced and made.
        Update = "update",
        /// Promises about any two other events.
        Other = "other",
    }
}

/// The events of a course.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Events that make a promise one about this course; the first is where it starts.
    own: &'static [Action],
    /// What does not come before what: earlier, later.
    order: &'static [(Action, Action)],
    /// The event that takes the thing from where it was made, after which only copies hold it.
    live_end: Option<Action>,
}

const COPY: &[(Action, Action)] = &[
    (Action::BackupCompleted, Action::BackupReplicated),
    (Action::BackupCompleted, Action::BackupUnrestorable),
    (Action::BackupUnrestorable, Action::BackupPurged),
    (Action::BackupCompleted, Action::BackupPurged),
];

impl Lifecycle {
    const fn shape(self) -> Shape {
        use Action as A;
        let (own, order, live_end): (&[A], &[(A, A)], Option<A>) = match self {
            Self::Record => (
                &[A::RecordDeleted, A::RecordPurged],
                &[(A::RecordDeleted, A::RecordPurged)],
                Some(A::RecordPurged),
            ),
            Self::Object => (
                &[A::ObjectDeleted],
                &[(A::ObjectDeleted, A::ObjectUnreachable)],
                None,
            ),
            Self::Trial => (
                &[A::TrialEnded],
                &[
                    (A::TrialEnded, A::DatabaseDeleted),
                    (A::DatabaseDeleted, A::DatabasePurged),
                ],
                Some(A::DatabasePurged),
            ),
            Self::Database => (
                &[A::DatabaseDeleted, A::DatabasePurged],
                &[(A::DatabaseDeleted, A::DatabasePurged)],
                Some(A::DatabasePurged),
            ),
            Self::Contract => (
                &[A::ContractTerminated],
                &[
                    (A::ContractTerminated, A::DatabasePurged),
                    (A::ContractTerminated, A::KeyScheduled),
                    (A::KeyScheduled, A::KeyDestroyed),
                ],
                Some(A::DatabasePurged),
            ),
            Self::Backup => (&[A::BackupCompleted], COPY, None),
            Self::Key => (
                &[A::KeyScheduled, A::KeyCreated],
                &[
                    (A::KeyCreated, A::KeyRotated),
                    (A::KeyScheduled, A::KeyDestroyed),
                ],
                None,
            ),
            Self::Erasure => (
                &[A::ErasureRequested],
                &[
                    (A::ErasureRequested, A::ErasureCompleted),
                    (A::ErasureRequested, A::KeyDestroyed),
                ],
                None,
            ),
            Self::Incident => (
                &[A::IncidentSuspected, A::IncidentConfirmed],
                &[
                    (A::IncidentSuspected, A::IncidentConfirmed),
                    (A::IncidentSuspected, A::NoticeDelivered),
                    (A::NoticeQueued, A::NoticeDelivered),
                ],
                None,
            ),
            Self::Access => (
                &[A::StaffAccess],
                &[
                    (A::StaffAccess, A::NoticeQueued),
                    (A::StaffAccess, A::NoticeDelivered),
                    (A::NoticeQueued, A::NoticeDelivered),
                ],
                None,
            ),
            Self::Export => (
                &[A::ExportRequested],
                &[(A::ExportRequested, A::ExportCompleted)],
                None,
            ),
            Self::Update => (
                &[A::UpdateAnnounced, A::UpdateStarted, A::UpdateCompleted],
                &[
                    (A::UpdateStarted, A::UpdateCompleted),
                    (A::NoticeQueued, A::NoticeDelivered),
                ],
                None,
            ),
            Self::Other => (&[], &[], None),
        };
        Shape {
            own,
            order,
            live_end,
        }
    }

    /// The event that it starts with; `None` for promises about any two events.
    #[must_use]
    pub const fn start(self) -> Option<Action> {
        self.shape().own.first().copied()
    }

    /// The event that takes the thing from where it was made, after which only copies hold it.
    pub(crate) const fn live_end(self) -> Option<Action> {
        self.shape().live_end
    }

    /// Every event that may belong to it.
    pub(crate) fn events(self) -> BTreeSet<Action> {
        let shape = self.shape();
        let copies = if shape.live_end.is_some() { COPY } else { &[] };
        let ordered = shape.order.iter().chain(copies);
        let ordered = ordered.flat_map(|(earlier, later)| [*earlier, *later]);
        ordered.chain(shape.own.iter().copied()).collect()
    }

    /// Which of the promises are about it.
    pub(crate) fn select<'d>(self, all: &[Promise<'d>]) -> Vec<Promise<'d>> {
        if self == Self::Other {
            let taken = |promise: &Promise<'_>| {
                let others = Self::ALL.iter().filter(|one| **one != Self::Other);
                others
                    .into_iter()
                    .any(|one| one.events().is_superset(&promise.events()))
            };
            return all
                .iter()
                .filter(|promise| !taken(promise))
                .cloned()
                .collect();
        }
        let (events, own) = (self.events(), self.shape().own);
        let about = |promise: &&Promise<'_>| events.is_superset(&promise.events());
        let about: Vec<_> = all.iter().filter(about).cloned().collect();
        let is_own = |promise: &Promise<'_>| own.iter().any(|e| promise.events().contains(e));
        if about.iter().any(is_own) {
            about
        } else {
            Vec::new()
        }
    }

    /// The network of these promises, which are about it.
    pub(crate) fn network(
        self,
        document: &Document,
        promises: &[Promise<'_>],
        figures: Figures,
        keys: (&[Death<'_>], &[Against]),
    ) -> Network {
        let mut network = Network::new();
        if let Some(start) = self.start() {
            network.root(start.name());
        }
        network.extend(promises.iter().flat_map(Promise::constraints));
        let (deaths, against) = keys;
        for death in deaths {
            network.extend(death.constraints(document, promises, self, against));
        }
        let mut order: Vec<(Action, Action)> = self.shape().order.to_vec();
        if let Some(end) = self.live_end() {
            order.extend(COPY);
            order.push((Action::BackupCompleted, end));
            network.extend(cadence(document, end, figures));
        }
        if self == Self::Backup && figures == Figures::InForce {
            network.extend(kept(document));
        }
        let known: BTreeSet<String> = network.events().iter().cloned().collect();
        network.extend(order.into_iter().filter_map(|(earlier, later)| {
            let (earlier, later) = (earlier.name(), later.name());
            let known = known.contains(earlier) && known.contains(later);
            known.then(|| Constraint::floor(ORDER, earlier, later, Period::ZERO))
        }));
        network
    }
}

/// How long before the thing left its origin the last backup of it was completed: a promise where
/// there is one, in force also what the stores do.
fn cadence(document: &Document, end: Action, figures: Figures) -> Vec<Constraint> {
    let before = |label: &str, most, late| {
        Constraint::ceiling(label, Action::BackupCompleted.name(), end.name(), most)
            .with_tolerance(late)
    };
    let rhythms = document.clauses.iter().filter_map(|clause| {
        let (bound, most) = promise::rhythm(clause, Action::BackupCompleted, figures)?;
        let late = match figures {
            Figures::Stated => Period::ZERO,
            Figures::InForce => bound.late,
        };
        Some(before(&clause.id.to_string(), most, late))
    });
    let promised: Vec<_> = rhythms.collect();
    if !promised.is_empty() || figures == Figures::Stated {
        return promised;
    }
    let stores = document.stores.iter().filter_map(|store| {
        let (StoreKind::Epoch, Some(Cadence::Every(most))) = (store.kind, store.every) else {
            return None;
        };
        Some(before(store.id.as_str(), most, Period::ZERO))
    });
    stores.collect()
}

/// How long stores keep copies where no clause says so.
fn kept(document: &Document) -> Vec<Constraint> {
    let stores = document.stores.iter().filter_map(|store| {
        let kept = store.kept.filter(|_| store.kind == StoreKind::Epoch)?;
        let (from, to) = (Action::BackupCompleted.name(), Action::BackupPurged.name());
        Some(Constraint::ceiling(store.id.as_str(), from, to, kept))
    });
    stores.collect()
}

impl Document {
    /// The courses that promises of the document are about.
    #[must_use]
    pub fn lifecycles(&self) -> Vec<Lifecycle> {
        let all = promises(self, Figures::InForce);
        let about = |one: &&Lifecycle| !one.select(&all).is_empty();
        Lifecycle::ALL.iter().filter(about).copied().collect()
    }
}
