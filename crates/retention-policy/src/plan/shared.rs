//! Names that many items of a plan have in common, kept once.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::RuleId;

/// What was met before; the last one first, since neighbours are mostly alike.
#[derive(Debug)]
pub(super) struct Shared<T: ?Sized> {
    last: Option<Arc<T>>,
    all: BTreeSet<Arc<T>>,
}

impl<T: ?Sized + Ord> Shared<T> {
    pub(super) const fn new() -> Self {
        Self {
            last: None,
            all: BTreeSet::new(),
        }
    }

    fn keep(&mut self, one: Arc<T>) -> Arc<T> {
        self.last = Some(Arc::clone(&one));
        one
    }

    fn insert(&mut self, new: Arc<T>) -> Arc<T> {
        self.all.insert(Arc::clone(&new));
        self.keep(new)
    }
}

impl Shared<str> {
    /// The text, as it was met first.
    pub(super) fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(last) = self.last.as_ref().filter(|last| ***last == *text) {
            return Arc::clone(last);
        }
        match self.all.get(text).cloned() {
            Some(known) => self.keep(known),
            None => self.insert(Arc::from(text)),
        }
    }
}

impl Shared<[RuleId]> {
    /// The rules, as they were met first.
    pub(super) fn rules<'a>(
        &mut self,
        rules: impl Iterator<Item = &'a RuleId> + Clone,
    ) -> Arc<[RuleId]> {
        if let Some(last) = self
            .last
            .as_ref()
            .filter(|last| rules.clone().eq(last.iter()))
        {
            return Arc::clone(last);
        }
        let rules: Vec<RuleId> = rules.cloned().collect();
        match self.all.get(rules.as_slice()).cloned() {
            Some(known) => self.keep(known),
            None => self.insert(Arc::from(rules)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_one() {
        let mut names = Shared::new();
        let (a, b, again) = (names.text("a"), names.text("b"), names.text("a"));
        assert!(Arc::ptr_eq(&a, &again) && !Arc::ptr_eq(&a, &b));
        let [p, q] = ["p", "q"].map(|id| id.parse::<RuleId>().unwrap());
        let mut sets = Shared::new();
        let both = sets.rules([&p, &q].into_iter());
        let one = sets.rules([&p].into_iter());
        assert_eq!(
            (&*both, &*one),
            (&[p.clone(), q.clone()][..], &[p.clone()][..])
        );
        assert!(Arc::ptr_eq(&both, &sets.rules([&p, &q].into_iter())));
        assert!(sets.rules([].into_iter()).is_empty());
    }
}
