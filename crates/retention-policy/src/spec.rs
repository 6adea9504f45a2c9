//! Rules as they are written down: plain structs of text, which [`crate::RuleSet::load`] checks.

use covenant_core::Reading;
use time::Date;

use crate::rule::{Act, Authority, Bound, Method};

/// A rule as it is written down; every text is checked by [`crate::RuleSet::load`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleSpec {
    /// Its id.
    pub id: String,
    /// The clause it stands for, such as `P-51`.
    pub clause: Option<String>,
    /// The classes it rules, their subclasses included; at least one.
    pub classes: Vec<String>,
    /// The stores it rules; empty for all.
    pub stores: Vec<String>,
    /// What kind of bound.
    pub bound: Bound,
    /// The event that a floor or ceiling counts from.
    pub from: Option<String>,
    /// The event that a floor or ceiling is about, where that is not the removal from the store or
    /// has a name: `database.deleted` for a trial. Once it has happened the rule is met.
    pub to: Option<String>,
    /// The event that ends an `until` rule.
    pub until: Option<String>,
    /// How long, for a floor or ceiling.
    pub period: Option<String>,
    /// How much earlier than the floor's latest reading the item may go; hours, minutes, seconds.
    pub early: Option<String>,
    /// How much later than the ceiling's earliest reading it must be gone; hours, minutes, seconds.
    pub late: Option<String>,
    /// Events each of which waives a floor or `until` rule.
    pub waived_by: Vec<String>,
    /// Who asks for it.
    pub authority: Authority,
    /// Rules of no higher authority that do not count where this one does.
    pub overrides: Vec<String>,
    /// When items under the rule are disposed of.
    pub act: Act,
}

/// A field of a class, for the data map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSpec {
    /// Its name.
    pub name: String,
    /// What kind of data it holds, such as `contact`.
    pub category: String,
    /// Why it is stored in the clear; `None` when it is sealed.
    pub plain: Option<String>,
}

/// A class as it is written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClassSpec {
    /// Its id.
    pub id: String,
    /// The class whose rules it is also under.
    pub parent: Option<String>,
    /// Its fields, as far as they are declared.
    pub fields: Vec<FieldSpec>,
}

/// What kind of store it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum StoreKind {
    /// Rows of a database.
    #[default]
    Sql,
    /// Objects.
    Object,
    /// Copies that are removed by age, an epoch at a time.
    Epoch,
    /// A log that is never cut.
    Log,
    /// A system of somebody else.
    External,
}

impl StoreKind {
    /// Every kind, in the order of the table.
    pub const ALL: [Self; 5] = [
        Self::Sql,
        Self::Object,
        Self::Epoch,
        Self::Log,
        Self::External,
    ];

    /// The name, as rule files spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sql => "sql",
            Self::Object => "object",
            Self::Epoch => "epoch",
            Self::Log => "log",
            Self::External => "external",
        }
    }
}

/// A store as it is written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreSpec {
    /// Its name.
    pub id: String,
    /// What it is.
    pub kind: StoreKind,
    /// The classes it holds; empty for all.
    pub classes: Vec<String>,
    /// The stores whose content it copies.
    pub fed_by: Vec<String>,
    /// How often it copies: a period, or [`CIVIL_NIGHT`].
    pub every: Option<String>,
    /// How long after its origin it has a copy, at worst.
    pub lag: Option<String>,
    /// The time span of copies that are removed together.
    pub epoch: Option<String>,
    /// How its bytes may be removed, the usual way first; empty for deletion.
    pub erase: Vec<Method>,
}

/// The rhythm of a copy that is made once in every civil night: at most two nights of 24 hours and
/// the hour of a clock change lie between two.
pub const CIVIL_NIGHT: &str = "civil-night";

/// A key that seals stores, as it is written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySpec {
    /// Its id.
    pub id: String,
    /// The stores it seals; those that copy from them are sealed as well.
    pub seals: Vec<String>,
    /// The event from which its destruction is counted; `None` when nothing is planned.
    pub from: Option<String>,
    /// How long after that event it is destroyed.
    pub after: Option<String>,
    /// How long copies of its key store live on; `None` for no time at all.
    pub copies: Option<String>,
}

/// An event that undoes another: `record.restored` cancels `record.deleted`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelSpec {
    /// The event that undoes.
    pub event: String,
    /// The event that is undone: every occurrence up to and at the instant of the first.
    pub cancels: String,
}

/// A rule set as it is written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RulesFile {
    /// The day from which dates of contradictions are looked for; without it 1 January 2026.
    pub reviewed: Option<Date>,
    /// How periods are read.
    pub reading: Reading,
    /// The classes; a class that a rule names and that is not here is an error.
    pub classes: Vec<ClassSpec>,
    /// The stores.
    pub stores: Vec<StoreSpec>,
    /// The keys that seal them.
    pub keys: Vec<KeySpec>,
    /// Event names that items may carry although no rule names them; the table of actions of
    /// covenant-core is always known.
    pub events: Vec<String>,
    /// The rules.
    pub rules: Vec<RuleSpec>,
    /// The cancellations.
    pub cancels: Vec<CancelSpec>,
}

impl RulesFile {
    /// The same in one order: lists ascending by id, names ascending, what is said twice once. What
    /// the rules say does not depend on it.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        fn names(names: &mut Vec<String>) {
            names.sort_unstable();
            names.dedup();
        }
        for class in &mut self.classes {
            class.fields.sort_by(|a, b| a.name.cmp(&b.name));
        }
        for store in &mut self.stores {
            names(&mut store.classes);
            names(&mut store.fed_by);
        }
        for key in &mut self.keys {
            names(&mut key.seals);
        }
        for rule in &mut self.rules {
            names(&mut rule.classes);
            names(&mut rule.stores);
            names(&mut rule.waived_by);
            names(&mut rule.overrides);
        }
        names(&mut self.events);
        self.classes.sort_by(|a, b| a.id.cmp(&b.id));
        self.stores.sort_by(|a, b| a.id.cmp(&b.id));
        self.keys.sort_by(|a, b| a.id.cmp(&b.id));
        self.rules.sort_by(|a, b| a.id.cmp(&b.id));
        let pair = |cancel: &CancelSpec| (cancel.event.clone(), cancel.cancels.clone());
        self.cancels.sort_by_key(pair);
        self.cancels.dedup();
        self
    }
}
