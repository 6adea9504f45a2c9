//! Random networks of real size against a linear program of the same inequalities.

use std::collections::BTreeSet;

use covenant_core::network::{Constraint, Kind, Network, Verdict};
use covenant_core::{Period, Reading};
use proptest::prelude::*;
use time::macros::date;

use program::{Optimum, Rule};

#[cfg(test)]
mod program {
    use super::{Constraint, Kind, Period};
    use microlp::{ComparisonOp, Error, OptimizationDirection, Problem};

    pub(crate) const EVENTS: usize = 10;

    /// `to` at least, at most or exactly so long after `from`.
    #[derive(Debug, Clone)]
    pub(crate) struct Rule {
        pub(crate) kind: Kind,
        pub(crate) from: usize,
        pub(crate) to: usize,
        pub(crate) secs: u32,
        pub(crate) tolerance: u32,
        pub(crate) label: String,
    }

    /// What a linear program found out about the time from one event to another.
    #[derive(Debug, PartialEq)]
    pub(crate) enum Optimum {
        Infeasible,
        Unbounded,
        Secs(i64),
    }

    impl Rule {
        pub(crate) fn constraint(&self) -> Constraint {
            let (from, to) = (self.from.to_string(), self.to.to_string());
            let period = Period::seconds(self.secs.into());
            let one = match self.kind {
                Kind::Floor => Constraint::floor(&self.label, from, to, period),
                Kind::Ceiling => Constraint::ceiling(&self.label, from, to, period),
                Kind::Plan => Constraint::plan(&self.label, from, to, period),
            };
            one.with_tolerance(Period::seconds(self.tolerance.into()))
        }
    }

    /// The least or the most time from one event to another that all rules allow.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "sums of few numbers of 24 bits"
    )]
    pub(crate) fn optimum<'a>(
        rules: impl Iterator<Item = &'a Rule>,
        direction: OptimizationDirection,
        (from, to): (usize, usize),
    ) -> Optimum {
        let mut problem = Problem::new(direction);
        let weight =
            |event: usize| f64::from(u8::from(event == to)) - f64::from(u8::from(event == from));
        // only differences count, so the first of the two stays at zero
        let range = |event| match event == from {
            true => (0.0, 0.0),
            false => (f64::NEG_INFINITY, f64::INFINITY),
        };
        let times: Vec<_> = (0..EVENTS)
            .map(|event| problem.add_var(weight(event), range(event)))
            .collect();
        for rule in rules {
            let (secs, tolerance) = (f64::from(rule.secs), f64::from(rule.tolerance));
            let (operator, limit) = match rule.kind {
                Kind::Floor => (ComparisonOp::Ge, secs - tolerance),
                Kind::Ceiling => (ComparisonOp::Le, secs + tolerance),
                Kind::Plan => (ComparisonOp::Eq, secs),
            };
            if rule.from == rule.to {
                let holds = match rule.kind {
                    Kind::Floor => limit <= 0.0,
                    Kind::Ceiling => true,
                    Kind::Plan => rule.secs == 0,
                };
                if !holds {
                    return Optimum::Infeasible;
                }
                continue;
            }
            problem.add_constraint(
                [(times[rule.to], 1.0), (times[rule.from], -1.0)],
                operator,
                limit,
            );
        }
        match problem.solve() {
            Ok(outcome) => {
                let solution = outcome.into_solution().expect("no limit of time is set");
                Optimum::Secs(solution.objective().round() as i64)
            }
            Err(Error::Infeasible) => Optimum::Infeasible,
            Err(Error::Unbounded) => Optimum::Unbounded,
            Err(error) => panic!("the solver gave up: {error}"),
        }
    }
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let kind = prop_oneof![
        5 => Just(Kind::Floor),
        5 => Just(Kind::Ceiling),
        1 => Just(Kind::Plan),
    ];
    // a month of seconds, or few different figures, so that ways are often equally long
    let secs = prop_oneof![0_u32..2_678_400, (0_u32..6).prop_map(|days| days * 86_400)];
    let events = (0..program::EVENTS, 0..program::EVENTS);
    let rule = (kind, events, secs, 0_u32..90_000, 0_u8..20);
    let rule = rule.prop_map(|(kind, (from, to), secs, tolerance, label)| Rule {
        kind,
        from,
        to,
        secs,
        tolerance,
        label: format!("A-{label:02}"),
    });
    proptest::collection::vec(rule, 4..=30)
}

fn network(rules: &[Rule]) -> Network {
    let mut network = Network::new();
    network.extend(rules.iter().map(Rule::constraint));
    network
}

#[cfg(test)]
fn is_feasible<'a>(rules: impl Iterator<Item = &'a Rule>) -> bool {
    let optimum = program::optimum(rules, microlp::OptimizationDirection::Minimize, (0, 0));
    optimum != Optimum::Infeasible
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn both_find_the_same_networks_feasible_and_the_named_sets_minimal(rules in rules()) {
        match network(&rules).check(&Reading::default(), date!(2026 - 01 - 01)) {
            Verdict::Consistent => prop_assert!(is_feasible(rules.iter())),
            Verdict::Always { labels } => {
                let labels: BTreeSet<String> = labels.into_iter().collect();
                let named = |without: Option<&str>| {
                    let among = |rule: &&Rule| {
                        labels.contains(&rule.label) && without != Some(rule.label.as_str())
                    };
                    rules.iter().filter(among).collect::<Vec<_>>()
                };
                prop_assert!(!is_feasible(named(None).into_iter()));
                for label in &labels {
                    prop_assert!(is_feasible(named(Some(label)).into_iter()), "without {}", label);
                }
            }
            verdict => prop_assert!(false, "seconds are the same on every date: {:?}", verdict),
        }
    }

    #[test]
    fn both_find_the_same_least_and_most_time(rules in rules(), to in 1..program::EVENTS) {
        use microlp::OptimizationDirection::{Maximize, Minimize};
        let network = network(&rules);
        let (from, to) = (0, to);
        let name = to.to_string();
        if !network.events().contains(&name) || !network.events().contains(&"0".to_owned()) {
            return Ok(());
        }
        let span = network.span("0", &name, &Reading::default());
        for (direction, is_least) in [(Minimize, true), (Maximize, false)] {
            let optimum = program::optimum(rules.iter(), direction, (from, to));
            let found = match &span {
                None => Optimum::Infeasible,
                Some(span) => {
                    let side = if is_least { &span.least } else { &span.most };
                    side.as_ref().map_or(Optimum::Unbounded, |way| Optimum::Secs(way.secs))
                }
            };
            prop_assert_eq!(found, optimum);
        }
    }
}
