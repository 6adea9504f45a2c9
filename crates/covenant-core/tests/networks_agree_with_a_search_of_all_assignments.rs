//! Random small networks against a solver that tries every assignment on a grid of seconds.

use std::collections::BTreeSet;

use covenant_core::Reading;
use covenant_core::network::{Network, Stretch, Verdict};
use proptest::prelude::*;
use time::macros::date;

use solver::{GRID, Rule, SECS_MAX, rules, satisfiable};

#[cfg(test)]
mod solver {
    use covenant_core::Period;
    use covenant_core::network::{Constraint, Kind};
    use proptest::prelude::*;

    const EVENTS: [&str; 4] = ["a", "b", "c", "d"];
    /// The longest length; tolerances are at most 2 s.
    pub(crate) const SECS_MAX: u64 = 3;
    /// No time need be beyond three lengths and their tolerances: a shortest way has three edges.
    pub(crate) const GRID: i64 = 3 * 2 * 3;

    #[derive(Debug, Clone)]
    pub(crate) struct Rule {
        kind: Kind,
        from: usize,
        to: usize,
        secs: u64,
        tolerance: u64,
        pub(crate) label: String,
    }

    impl Rule {
        pub(crate) fn constraint(&self) -> Constraint {
            let (from, to) = (EVENTS[self.from], EVENTS[self.to]);
            let period = Period::seconds(self.secs);
            let one = match self.kind {
                Kind::Floor => Constraint::floor(&self.label, from, to, period),
                Kind::Ceiling => Constraint::ceiling(&self.label, from, to, period),
                Kind::Plan => Constraint::plan(&self.label, from, to, period),
            };
            one.with_tolerance(Period::seconds(self.tolerance))
        }

        pub(crate) fn holds(&self, times: [i64; 4]) -> bool {
            let apart = times[self.to] - times[self.from];
            let (secs, tolerance) = (self.secs.cast_signed(), self.tolerance.cast_signed());
            match self.kind {
                Kind::Floor => apart >= secs - tolerance,
                Kind::Ceiling => apart <= secs + tolerance,
                Kind::Plan => apart == secs,
            }
        }
    }

    /// Whether any assignment satisfies all rules with one of these labels. Only differences count, so
    /// the first event stays at zero.
    pub(crate) fn satisfiable<'a>(rules: impl Iterator<Item = &'a Rule> + Clone) -> bool {
        let grid = -GRID..=GRID;
        grid.clone().any(|b| {
            grid.clone().any(|c| {
                grid.clone()
                    .any(|d| rules.clone().all(|rule| rule.holds([0, b, c, d])))
            })
        })
    }

    pub(crate) fn rules() -> impl Strategy<Value = Vec<Rule>> {
        let kind = prop_oneof![
            4 => Just(Kind::Floor),
            4 => Just(Kind::Ceiling),
            1 => Just(Kind::Plan),
        ];
        let rule = (
            kind,
            0_usize..4,
            0_usize..4,
            0..=SECS_MAX,
            0_u64..=2,
            0_u8..6,
        );
        let rule = rule.prop_map(|(kind, from, to, secs, tolerance, label)| Rule {
            kind,
            from,
            to,
            secs,
            tolerance,
            label: format!("A-{label:02}"),
        });
        proptest::collection::vec(rule, 1..=7)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn it_is_consistent_when_an_assignment_exists_and_else_names_a_minimal_set(rules in rules()) {
        let mut network = Network::new();
        network.extend(rules.iter().map(Rule::constraint));
        match network.check(&Reading::default(), date!(2026 - 01 - 01)) {
            Verdict::Consistent => prop_assert!(satisfiable(rules.iter())),
            Verdict::Always { labels } => {
                let labels: BTreeSet<String> = labels.into_iter().collect();
                let named = |without: Option<&str>| {
                    let labels = labels.clone();
                    let without = without.map(str::to_owned);
                    let named = move |rule: &&Rule| {
                        labels.contains(&rule.label) && without.as_ref() != Some(&rule.label)
                    };
                    rules.iter().filter(named).collect::<Vec<_>>()
                };
                prop_assert!(!satisfiable(named(None).into_iter()));
                for label in &labels {
                    prop_assert!(satisfiable(named(Some(label)).into_iter()), "without {}", label);
                }
            }
            verdict => prop_assert!(false, "seconds are the same on every date: {:?}", verdict),
        }
    }

    #[test]
    fn a_span_is_the_range_of_all_assignments(rules in rules()) {
        prop_assume!(satisfiable(rules.iter()));
        let mut network = Network::new();
        network.extend(rules.iter().map(Rule::constraint));
        let Some(span) = network.span("a", "b", &Reading::default()) else {
            return Ok(());
        };
        let grid = -GRID..=GRID;
        let mut apart = Vec::new();
        for b in grid.clone() {
            let mut others = grid.clone().flat_map(|c| grid.clone().map(move |d| (c, d)));
            if others.any(|(c, d)| rules.iter().all(|rule| rule.holds([0, b, c, d]))) {
                apart.push(b);
            }
        }
        // what nothing bounds goes beyond every single length
        let secs = |way: Option<&Stretch>| way.map(|way| way.secs);
        if let Some(least) = secs(span.least.as_ref()) {
            prop_assert_eq!(apart.first(), Some(&least));
        } else {
            prop_assert!(apart.first().is_some_and(|b| *b < -i64::try_from(SECS_MAX).unwrap()));
        }
        if let Some(most) = secs(span.most.as_ref()) {
            prop_assert_eq!(apart.last(), Some(&most));
        } else {
            prop_assert!(apart.last().is_some_and(|b| *b > i64::try_from(SECS_MAX).unwrap()));
        }
    }
}
