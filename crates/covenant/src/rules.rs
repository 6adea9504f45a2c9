//! The bridge from a policy document to rules: its stores, keys and classes, and a rule for each of
//! its promises on how long something is kept or when it is gone.
//!
//! A clause does not say which classes and stores it is about; its events do. What no clause rules
//! is ruled by constants of ours, whose rules name no clause.

use std::collections::{BTreeMap, BTreeSet};

use covenant_core::{Action, Period};
use policy_document::{Bound, Cadence, Clause, Document, Erase, KeyDeath, Modality, StoreKind};
use retention_policy::{
    Act, BACKUP_CONSISTENT, Bound as Kind, CIVIL_NIGHT, CancelSpec, ClassSpec, KeySpec, Method,
    RuleSpec, RulesFile, StoreKind as Lies, StoreSpec,
};

use crate::profile::{CLASS_ATTACHMENT, CLASS_DATABASE, CLASS_RECORD};

/// The rule that keeps a record in the bin where no clause does: ours.
const BIN_FLOOR: &str = "bin-floor";
/// Floor of the bin where no clause gives one: ours.
const BIN: &str = "P30D";
/// Tolerance of the bin's ceiling where no clause gives one: a civil day between readings and an
/// hour for the flush; ours.
const BIN_LATE: &str = "PT25H";
/// By when a deleted database has left the system where no clause says so: ours.
const DATABASE_GONE: &str = "P30D";
/// How long backups are kept where neither a clause nor the store graph says so: ours.
const BACKUP_KEPT: Period = Period::days(30);
/// The store of records and databases where the document declares none: ours.
const STORE_ROWS: &str = "rows";
/// The store of attached files where the document declares none: ours.
const STORE_OBJECTS: &str = "objects";
/// The store of backups where the document declares none: ours.
const STORE_BACKUPS: &str = "backups";
/// Seconds of a day of 24 hours.
const DAY_SECS: u64 = 86_400;

/// Events that undo others, in every document.
const CANCELS: [(Action, Action); 4] = [
    (Action::RecordRestored, Action::RecordDeleted),
    (Action::DatabaseRestored, Action::DatabaseDeleted),
    (Action::SubscriptionStarted, Action::TrialEnded),
    (Action::SubscriptionStarted, Action::SubscriptionCancelled),
];

/// The rules of a document, and the store in which records and databases lie first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DocumentRules {
    /// The rules as they are written down.
    pub file: RulesFile,
    /// The store of rows.
    pub rows: String,
    /// The rule that keeps a record in the bin.
    pub bin_floor: String,
}

impl DocumentRules {
    /// The rules that the document's clauses, stores and keys give. Whether they can be honoured is
    /// found when they are loaded.
    // clause: P-33, P-40
    #[must_use]
    pub fn of(document: &Document) -> Self {
        let mut bridge = Bridge::new(document);
        for clause in document.clauses() {
            bridge.clause(clause);
        }
        bridge.ours();
        let deleted = Action::RecordDeleted.name();
        let floor = bridge.between_on_rows(Kind::Floor, deleted, CLASS_RECORD);
        // of ours when no clause has one, so that there is one always
        let bin_floor = floor.map_or_else(|| BIN_FLOOR.to_owned(), |rule| rule.id.clone());
        let cancel = |(event, cancels): (Action, Action)| CancelSpec {
            event: event.name().to_owned(),
            cancels: cancels.name().to_owned(),
        };
        Self {
            file: RulesFile {
                reviewed: Some(document.reviewed()),
                reading: document.reading().clone(),
                classes: bridge.classes,
                stores: bridge.stores,
                keys: keys(document),
                events: Vec::new(),
                rules: bridge.rules,
                cancels: CANCELS.map(cancel).to_vec(),
            },
            rows: bridge.rows,
            bin_floor,
        }
    }
}

/// What the rules are made in.
struct Bridge<'d> {
    document: &'d Document,
    rows: String,
    classes: Vec<ClassSpec>,
    /// Classes that the document itself declares.
    declared: BTreeSet<String>,
    stores: Vec<StoreSpec>,
    rules: Vec<RuleSpec>,
}

impl<'d> Bridge<'d> {
    fn new(document: &'d Document) -> Self {
        let mut classes: Vec<ClassSpec> = document
            .classes()
            .iter()
            .map(|class| ClassSpec {
                id: class.id.to_string(),
                parent: class.parent.as_ref().map(ToString::to_string),
                fields: Vec::new(),
            })
            .collect();
        let declared: BTreeSet<String> = classes.iter().map(|class| class.id.clone()).collect();
        let ours: Vec<&str> = [CLASS_RECORD, CLASS_DATABASE]
            .into_iter()
            .filter(|class| !declared.contains(*class))
            .collect();
        classes.extend(ours.iter().map(|class| ClassSpec {
            id: (*class).to_owned(),
            ..ClassSpec::default()
        }));
        // a log is never cut, and a store that holds no class has nothing to keep
        let of_document = document.stores().iter();
        let of_document = of_document.filter(|store| !store.classes.is_empty());
        let mut stores: Vec<StoreSpec> = of_document.map(store).collect();
        let rows = stores.iter().find(|store| store.kind == Lies::Sql);
        let rows = rows.map_or_else(|| STORE_ROWS.to_owned(), |store| store.id.clone());
        if stores.iter().all(|store| store.id != rows) {
            stores.push(StoreSpec {
                id: rows.clone(),
                ..StoreSpec::default()
            });
        }
        undeclared(&mut stores, &mut classes, &rows);
        for store in &mut stores {
            if store.id == rows || store.kind == Lies::Epoch {
                store
                    .classes
                    .extend(ours.iter().map(|&class| class.to_owned()));
            }
        }
        Self {
            document,
            rows,
            classes,
            declared,
            stores,
            rules: Vec::new(),
        }
    }

    /// The rules of one clause.
    fn clause(&mut self, clause: &Clause) {
        let Some(bound) = &clause.bound else { return };
        if clause.modality == Some(Modality::Every) || bound.of.is_some() {
            return;
        }
        if let Some(events) = clause.until() {
            for event in events {
                self.until(clause, bound, *event);
            }
            return;
        }
        for from in &bound.from {
            for to in &bound.to {
                self.between(clause, bound, *from, *to);
            }
        }
    }

    /// A floor and a ceiling between two events, as far as the clause gives them.
    fn between(&mut self, clause: &Clause, bound: &Bound, from: Action, to: Action) {
        let stores = self.stores_that_lose_by(from, to);
        let classes = self.classes_from(from);
        if stores.is_empty() || classes.is_empty() {
            return;
        }
        let number = |kind: &str| {
            let several = bound.from.len() > 1 || bound.to.len() > 1;
            let id = clause.id.to_string().to_lowercase();
            if several {
                format!("{id}-{kind}-{}-{}", from.name(), to.name())
            } else {
                format!("{id}-{kind}")
            }
        };
        let rule = RuleSpec {
            clause: Some(clause.id.to_string()),
            classes,
            stores,
            to: Some(to.name().to_owned()),
            ..RuleSpec::default()
        };
        if let Some(min) = bound.min {
            self.rules.push(RuleSpec {
                id: number("floor"),
                bound: Kind::Floor,
                from: Some(from.name().to_owned()),
                period: Some(min.to_string()),
                early: hours(bound.early),
                waived_by: names(&bound.waived_by),
                ..rule.clone()
            });
        }
        if let Some(max) = bound.max {
            // what was purged before the point that a backup shows is not in it
            let counted = match from {
                Action::BackupCompleted => BACKUP_CONSISTENT,
                other => other.name(),
            };
            let waits = matches!(to, Action::DatabaseDeleted | Action::DatabasePurged)
                || matches!(from, Action::RecordCreated | Action::ChangeRecorded);
            self.rules.push(RuleSpec {
                id: number("ceiling"),
                bound: Kind::Ceiling,
                from: Some(counted.to_owned()),
                period: Some(max.to_string()),
                late: hours(bound.late),
                act: if waits { Act::Late } else { Act::Early },
                ..rule
            });
        }
    }

    /// What is kept until an event, unless a promise brings that event about: then the event that
    /// starts that promise waives it.
    fn until(&mut self, clause: &Clause, bound: &Bound, event: Action) {
        let promised = self.document.clauses().iter().filter_map(|other| {
            let bound = other.bound.as_ref()?;
            (bound.max.is_some() && bound.to.contains(&event)).then_some(&bound.from)
        });
        let mut waived: BTreeSet<Action> = promised.flatten().copied().collect();
        waived.extend(&bound.waived_by);
        waived.remove(&event);
        let mut classes = self.classes_from(event);
        classes.retain(|class| self.declared.contains(class));
        let stores = self.live();
        if classes.is_empty() || stores.is_empty() {
            return;
        }
        let id = format!(
            "{}-until-{}",
            clause.id.to_string().to_lowercase(),
            event.name()
        );
        let rule = RuleSpec {
            clause: Some(clause.id.to_string()),
            stores,
            bound: Kind::Until,
            until: Some(event.name().to_owned()),
            ..RuleSpec::default()
        };
        // A whole database that the document does not speak of is all of these at once: it stays as
        // long as they do, unless its administrator deletes it.
        if !self.declared.contains(CLASS_DATABASE) && event != Action::DatabaseDeleted {
            let mut waived = waived.clone();
            waived.insert(Action::DatabaseDeleted);
            self.rules.push(RuleSpec {
                id: format!("{id}-{CLASS_DATABASE}"),
                classes: vec![CLASS_DATABASE.to_owned()],
                waived_by: names(&waived),
                ..rule.clone()
            });
        }
        self.rules.push(RuleSpec {
            id,
            classes,
            waived_by: names(&waived),
            ..rule
        });
    }

    /// The classes that a promise counted from this event is about.
    fn classes_from(&self, from: Action) -> Vec<String> {
        let all = || self.classes.iter().map(|class| class.id.clone());
        let below = |root: &str| all().filter(|class| self.is_below(class, root)).collect();
        match from {
            Action::RecordCreated
            | Action::ChangeRecorded
            | Action::RecordDeleted
            | Action::RecordManualPurge
            | Action::RecordPurged => below(CLASS_RECORD),
            Action::ErasureRequested => below("account"),
            Action::TrialEnded
            | Action::SubscriptionCancelled
            | Action::ContractTerminated
            | Action::DatabaseDeleted
            | Action::DatabasePurged => {
                if self.declared.contains(CLASS_DATABASE) {
                    below(CLASS_DATABASE)
                } else {
                    all().collect()
                }
            }
            Action::ObjectDeleted | Action::BackupCompleted => all().collect(),
            _ => Vec::new(),
        }
    }

    fn is_below(&self, class: &str, root: &str) -> bool {
        let parent = |id: &&str| {
            let class = self.classes.iter().find(|class| class.id == **id)?;
            class.parent.as_deref()
        };
        // a document's parents do not run in a circle
        std::iter::successors(Some(class), parent).any(|one| one == root)
    }

    /// The stores that no longer have something after an event.
    fn stores_that_lose_by(&self, from: Action, to: Action) -> Vec<String> {
        let of_kind = |kinds: &[Lies]| {
            let stores = self.stores.iter();
            let stores = stores.filter(|store| kinds.contains(&store.kind));
            stores.map(|store| store.id.clone()).collect::<Vec<_>>()
        };
        match to {
            Action::RecordPurged | Action::DatabaseDeleted | Action::DatabasePurged => self.live(),
            Action::ObjectUnreachable => of_kind(&[Lies::Object]),
            Action::BackupPurged | Action::BackupUnrestorable => of_kind(&[Lies::Epoch]),
            Action::ErasureCompleted => {
                of_kind(&[Lies::Sql, Lies::Object, Lies::External, Lies::Epoch])
            }
            Action::KeyDestroyed => self.sealed_until(from),
            _ => Vec::new(),
        }
    }

    /// Stores sealed by a key whose death is planned from the event.
    fn sealed_until(&self, from: Action) -> Vec<String> {
        let planned = self.document.keys().iter().filter(
            |key| matches!(key.death, KeyDeath::After { from: event, .. } if event == from),
        );
        let sealed: BTreeSet<String> = planned
            .flat_map(|key| key.seals.iter().map(ToString::to_string))
            .collect();
        let known = self.stores.iter().map(|store| &store.id);
        known.filter(|id| sealed.contains(*id)).cloned().collect()
    }

    /// The stores in which data lies first, or outside.
    fn live(&self) -> Vec<String> {
        let is_live =
            |store: &&StoreSpec| matches!(store.kind, Lies::Sql | Lies::Object | Lies::External);
        let live = self.stores.iter().filter(is_live);
        live.map(|store| store.id.clone()).collect()
    }

    /// Rules of ours, where no clause says anything.
    fn ours(&mut self) {
        let deleted = Action::RecordDeleted.name();
        if !self.rules_between(Kind::Floor, deleted, CLASS_RECORD) {
            self.our(
                BIN_FLOOR,
                (CLASS_RECORD, Kind::Floor),
                (deleted, Action::RecordPurged, BIN),
            );
            // a bin that nobody promised keeps nothing from who asks for more
            let waivers = [
                Action::ContractTerminated,
                Action::ErasureRequested,
                Action::RecordManualPurge,
            ]
            .into();
            for rule in self.rules.iter_mut().filter(|rule| rule.id == BIN_FLOOR) {
                rule.waived_by = names(&waivers);
            }
        }
        if !self.rules_between(Kind::Ceiling, deleted, CLASS_RECORD) {
            self.our(
                "bin-ceiling",
                (CLASS_RECORD, Kind::Ceiling),
                (deleted, Action::RecordPurged, BIN),
            );
            for rule in self
                .rules
                .iter_mut()
                .filter(|rule| rule.id == "bin-ceiling")
            {
                rule.late = Some(BIN_LATE.to_owned());
            }
        }
        let deleted = Action::DatabaseDeleted.name();
        if !self.rules_between(Kind::Ceiling, deleted, CLASS_DATABASE) {
            self.our(
                "database-ceiling",
                (CLASS_DATABASE, Kind::Ceiling),
                (deleted, Action::DatabasePurged, DATABASE_GONE),
            );
        }
        self.kept();
        self.unruled();
    }

    fn rules_between(&self, bound: Kind, from: &str, class: &str) -> bool {
        self.between_on_rows(bound, from, class).is_some()
    }

    fn between_on_rows(&self, bound: Kind, from: &str, class: &str) -> Option<&RuleSpec> {
        self.rules.iter().find(|rule| {
            rule.bound == bound
                && rule.from.as_deref() == Some(from)
                && rule.classes.iter().any(|one| one == class)
                && rule.stores.contains(&self.rows)
        })
    }

    fn our(
        &mut self,
        id: &str,
        (class, bound): (&str, Kind),
        (from, to, period): (&str, Action, &str),
    ) {
        self.rules.push(RuleSpec {
            id: id.to_owned(),
            classes: vec![class.to_owned()],
            stores: vec![self.rows.clone()],
            bound,
            from: Some(from.to_owned()),
            to: Some(to.name().to_owned()),
            period: Some(period.to_owned()),
            act: if class == CLASS_DATABASE {
                Act::Late
            } else {
                Act::Early
            },
            ..RuleSpec::default()
        });
    }

    /// How long stores keep copies where no clause bounds it: so long after the epoch of the copy.
    fn kept(&mut self) {
        let epochs: Vec<StoreSpec> = self.stores.clone();
        for store in epochs.iter().filter(|store| store.kind == Lies::Epoch) {
            let bounded = self.rules.iter().any(|rule| {
                rule.bound == Kind::Ceiling
                    && rule.from.as_deref() == Some(BACKUP_CONSISTENT)
                    && rule.stores.contains(&store.id)
            });
            if bounded {
                continue;
            }
            let declared = self.document.store(&store.id);
            let kept = declared.and_then(|store| store.kept).unwrap_or(BACKUP_KEPT);
            let epoch = declared.and_then(|store| store.epoch);
            self.rules.push(RuleSpec {
                id: format!("{}-kept", store.id),
                classes: store.classes.clone(),
                stores: vec![store.id.clone()],
                bound: Kind::Ceiling,
                from: Some(Action::BackupCompleted.name().to_owned()),
                period: Some(kept.to_string()),
                late: epoch.and_then(hours),
                ..RuleSpec::default()
            });
        }
    }

    /// What no clause rules is kept until the database is deleted, and goes with it.
    // clause: P-40
    fn unruled(&mut self) {
        let mut without: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for store in &self.stores {
            for class in &store.classes {
                let ruled = self.rules.iter().any(|rule| {
                    rule.stores.contains(&store.id)
                        && rule.classes.iter().any(|one| self.is_below(class, one))
                });
                if !ruled {
                    without
                        .entry(store.id.clone())
                        .or_default()
                        .push(class.clone());
                }
            }
        }
        let deleted = Action::DatabaseDeleted.name().to_owned();
        for (store, classes) in without {
            let mut waivers = BTreeSet::from([Action::ErasureRequested]);
            let mut kinds = self.stores.iter();
            if kinds.any(|one| one.id == store && one.kind == Lies::Object) {
                // what nobody promised to keep goes when its owner deletes it
                waivers.insert(Action::ObjectDeleted);
            }
            let rule = RuleSpec {
                classes,
                stores: vec![store.clone()],
                ..RuleSpec::default()
            };
            self.rules.push(RuleSpec {
                id: format!("{store}-until-deleted"),
                bound: Kind::Until,
                until: Some(deleted.clone()),
                waived_by: names(&waivers),
                ..rule.clone()
            });
            self.rules.push(RuleSpec {
                id: format!("{store}-after-deleted"),
                bound: Kind::Ceiling,
                from: Some(deleted.clone()),
                to: Some(Action::DatabasePurged.name().to_owned()),
                period: Some(DATABASE_GONE.to_owned()),
                act: Act::Late,
                ..rule
            });
        }
    }
}

/// The stores that every deployment has and the document does not name: attached files, and the
/// copies of both.
// clause: P-40
fn undeclared(stores: &mut Vec<StoreSpec>, classes: &mut Vec<ClassSpec>, rows: &str) {
    let objects = stores.iter().find(|store| store.kind == Lies::Object);
    let objects = match objects {
        Some(store) => store.id.clone(),
        None => {
            if classes.iter().all(|class| class.id != CLASS_ATTACHMENT) {
                classes.push(ClassSpec {
                    id: CLASS_ATTACHMENT.to_owned(),
                    ..ClassSpec::default()
                });
            }
            stores.push(StoreSpec {
                id: STORE_OBJECTS.to_owned(),
                kind: Lies::Object,
                classes: vec![CLASS_ATTACHMENT.to_owned()],
                ..StoreSpec::default()
            });
            STORE_OBJECTS.to_owned()
        }
    };
    let is_copied = |store: &&StoreSpec| store.id == rows || store.id == objects;
    if stores.iter().all(|store| store.kind != Lies::Epoch) {
        let copied = stores.iter().filter(is_copied);
        let mut held: Vec<String> = copied.flat_map(|store| store.classes.clone()).collect();
        held.sort_unstable();
        held.dedup();
        stores.push(StoreSpec {
            id: STORE_BACKUPS.to_owned(),
            kind: Lies::Epoch,
            classes: held,
            fed_by: vec![rows.to_owned(), objects],
            ..StoreSpec::default()
        });
    }
}

/// The kind of a declared store, as rules name it.
pub(crate) const fn kind(kind: StoreKind) -> Lies {
    match kind {
        StoreKind::Object => Lies::Object,
        StoreKind::Epoch => Lies::Epoch,
        StoreKind::Log => Lies::Log,
        StoreKind::External => Lies::External,
        _ => Lies::Sql,
    }
}

fn store(store: &policy_document::Store) -> StoreSpec {
    let erase = store.erase.iter().filter_map(|erase| {
        Some(match erase {
            Erase::Delete => Method::Delete,
            Erase::Clear => Method::ClearFields,
            Erase::Key => Method::DestroyKey,
            Erase::Attest => Method::Attest,
            _ => return None,
        })
    });
    let every = store.every.and_then(|every| match every {
        Cadence::CivilNight => Some(CIVIL_NIGHT.to_owned()),
        Cadence::Every(period) => Some(period.to_string()),
        _ => None,
    });
    StoreSpec {
        id: store.id.to_string(),
        kind: kind(store.kind),
        classes: store.classes.iter().map(ToString::to_string).collect(),
        fed_by: store.fed_by.iter().map(ToString::to_string).collect(),
        every,
        lag: store.lag.map(|lag| lag.to_string()),
        epoch: store.epoch.map(|epoch| epoch.to_string()),
        erase: erase.collect(),
    }
}

/// The keys that seal a store with something in it.
fn keys(document: &Document) -> Vec<KeySpec> {
    let holds = |id: &str| {
        let store = document.store(id);
        store.is_some_and(|store| !store.classes.is_empty())
    };
    let keys = document.keys().iter().map(|key| {
        let (from, after) = match key.death {
            KeyDeath::After { from, after } => (Some(from), Some(after)),
            _ => (None, None),
        };
        let seals = key.seals.iter().map(ToString::to_string);
        KeySpec {
            id: key.id.to_string(),
            seals: seals.filter(|id| holds(id)).collect(),
            from: from.map(|from| from.name().to_owned()),
            after: after.map(|after| after.to_string()),
            copies: Some(key.copies.to_string()),
        }
    });
    keys.filter(|key| !key.seals.is_empty()).collect()
}

fn names(events: &BTreeSet<Action>) -> Vec<String> {
    events.iter().map(|event| event.name().to_owned()).collect()
}

/// A tolerance in hours, minutes and seconds, a day as 24 hours; `None` for no time at all. One with
/// months is passed on as it is, for the loader to refuse.
fn hours(tolerance: Period) -> Option<String> {
    if tolerance.is_zero() {
        return None;
    }
    if tolerance.month_part() > 0 {
        return Some(tolerance.to_string());
    }
    let days = u64::from(tolerance.day_part()).saturating_mul(DAY_SECS);
    let secs = days.saturating_add(tolerance.sec_part());
    Some(Period::seconds(secs).to_string())
}
