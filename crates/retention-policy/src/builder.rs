//! Rules in code, for a service that needs no rule file: each call adds a rule, or says more about
//! the last one. Nothing is checked before [`Rules::build`].

use std::collections::BTreeMap;

use covenant_core::Reading;

use crate::rule::{Act, Authority, Bound, Method};
use crate::spec::{CancelSpec, ClassSpec, KeySpec, RuleSpec, RulesFile, StoreSpec};
use crate::{RuleErrors, RuleSet, STORE_MAIN};

/// Builds a [`RuleSet`]. Classes that rules name need not be declared; without a declared store
/// there is one, `main`; periods are read in UTC, in every admissible way.
///
/// What is said about "the last rule" before there is one is an error of [`Rules::build`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Rules {
    file: RulesFile,
    stray: Vec<&'static str>,
}

impl Rules {
    /// No rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps items of the class at least this long after the event.
    pub fn keep(self, class: &str, from: &str, period: &str) -> Self {
        self.rule("keep", class, Bound::Floor, |rule| {
            rule.from = Some(from.to_owned());
            rule.period = Some(period.to_owned());
        })
    }

    /// Has items of the class gone this long after the event.
    pub fn gone(self, class: &str, from: &str, period: &str) -> Self {
        self.rule("gone", class, Bound::Ceiling, |rule| {
            rule.from = Some(from.to_owned());
            rule.period = Some(period.to_owned());
        })
    }

    /// Keeps items of the class until the event.
    pub fn keep_until(self, class: &str, event: &str) -> Self {
        self.rule("until", class, Bound::Until, |rule| {
            rule.until = Some(event.to_owned())
        })
    }

    /// Names the last rule; otherwise it has a name of its kind and number, such as `keep-1`.
    pub fn named(self, id: &str) -> Self {
        self.last("named", |rule| id.clone_into(&mut rule.id))
    }

    /// Says which clause the last rule stands for.
    pub fn clause(self, clause: &str) -> Self {
        self.last("clause", |rule| rule.clause = Some(clause.to_owned()))
    }

    /// Puts one more class under the last rule.
    pub fn also(self, class: &str) -> Self {
        self.last("also", |rule| rule.classes.push(class.to_owned()))
            .mention(class)
    }

    /// Limits the last rule to this store; called again, to these stores.
    pub fn only_in(self, store: &str) -> Self {
        self.last("only_in", |rule| rule.stores.push(store.to_owned()))
    }

    /// Lets items go so much before the last rule's floor ends in its latest reading.
    pub fn early(self, tolerance: &str) -> Self {
        self.last("early", |rule| rule.early = Some(tolerance.to_owned()))
    }

    /// Gives so much time after the last rule's ceiling in its earliest reading.
    pub fn late(self, tolerance: &str) -> Self {
        self.last("late", |rule| rule.late = Some(tolerance.to_owned()))
    }

    /// Has the last rule, a floor or `keep_until`, waived by the event.
    pub fn waived_by(self, event: &str) -> Self {
        self.last("waived_by", |rule| rule.waived_by.push(event.to_owned()))
    }

    /// Says which event the last rule, a floor or ceiling, is about; without it, the removal of the
    /// item.
    pub fn to(self, event: &str) -> Self {
        self.last("to", |rule| rule.to = Some(event.to_owned()))
    }

    /// Says who asks for the last rule; without it, the vendor.
    pub fn authority(self, authority: Authority) -> Self {
        self.last("authority", |rule| rule.authority = authority)
    }

    /// Has the last rule take the place of another one where both rule.
    pub fn overrides(self, rule: &str) -> Self {
        self.last("overrides", |last| last.overrides.push(rule.to_owned()))
    }

    /// Says when items under the last rule are disposed of; without it, early.
    pub fn act(self, act: Act) -> Self {
        self.last("act", |rule| rule.act = act)
    }

    /// Has the first event undo the second: `cancel("record.restored", "record.deleted")`.
    pub fn cancel(mut self, event: &str, cancels: &str) -> Self {
        self.file.cancels.push(CancelSpec {
            event: event.to_owned(),
            cancels: cancels.to_owned(),
        });
        self
    }

    /// Declares a class that is also under the rules of its parent.
    pub fn class_under(mut self, class: &str, parent: &str) -> Self {
        self = self.mention(parent).mention(class);
        for known in self
            .file
            .classes
            .iter_mut()
            .filter(|known| known.id == class)
        {
            known.parent = Some(parent.to_owned());
        }
        self
    }

    /// Declares a store that holds items of every class.
    pub fn store(self, id: &str, erase: Method) -> Self {
        self.store_of(id, &[], erase)
    }

    /// Declares a store that holds items of these classes.
    pub fn store_of(mut self, id: &str, classes: &[&str], erase: Method) -> Self {
        let classes = classes.iter().map(|&class| class.to_owned()).collect();
        self.file.stores.push(StoreSpec {
            id: id.to_owned(),
            classes,
            erase: vec![erase],
            ..StoreSpec::default()
        });
        self
    }

    /// Declares a store as it would be written down: its kind, what feeds it, how often.
    pub fn store_spec(mut self, store: StoreSpec) -> Self {
        self.file.stores.push(store);
        self
    }

    /// Declares a key that seals stores, destroyed so long after the event; copies of its store live
    /// on for `copies`.
    pub fn key(mut self, id: &str, seals: &[&str], from: &str, after: &str, copies: &str) -> Self {
        self.file.keys.push(KeySpec {
            id: id.to_owned(),
            seals: seals.iter().map(|&store| store.to_owned()).collect(),
            from: Some(from.to_owned()),
            after: Some(after.to_owned()),
            copies: Some(copies.to_owned()),
        });
        self
    }

    /// Declares an event that items may carry although no rule names it.
    pub fn event(mut self, name: &str) -> Self {
        self.file.events.push(name.to_owned());
        self
    }

    /// Says how periods are read.
    pub fn reading(mut self, reading: Reading) -> Self {
        self.file.reading = reading;
        self
    }

    /// What was said so far, as plain structs.
    #[must_use]
    pub fn file(&self) -> RulesFile {
        let mut file = self.file.clone();
        if file.stores.is_empty() {
            file.stores.push(StoreSpec {
                id: STORE_MAIN.to_owned(),
                ..StoreSpec::default()
            });
        }
        file
    }

    /// Checks the rules.
    ///
    /// # Errors
    /// [`RuleErrors`]: all errors, not the first.
    pub fn build(&self) -> Result<RuleSet, RuleErrors> {
        crate::load::load(&self.file(), &BTreeMap::new(), &self.stray)
    }

    fn rule(
        mut self,
        kind: &str,
        class: &str,
        bound: Bound,
        fill: impl FnOnce(&mut RuleSpec),
    ) -> Self {
        let number = self.file.rules.len().saturating_add(1);
        let mut rule = RuleSpec {
            id: format!("{kind}-{number}"),
            classes: vec![class.to_owned()],
            bound,
            ..RuleSpec::default()
        };
        fill(&mut rule);
        self.file.rules.push(rule);
        self.mention(class)
    }

    fn last(mut self, call: &'static str, change: impl FnOnce(&mut RuleSpec)) -> Self {
        match self.file.rules.last_mut() {
            Some(rule) => change(rule),
            None => self.stray.push(call),
        }
        self
    }

    fn mention(mut self, class: &str) -> Self {
        if self.file.classes.iter().all(|known| known.id != class) {
            self.file.classes.push(ClassSpec {
                id: class.to_owned(),
                ..ClassSpec::default()
            });
        }
        self
    }
}
