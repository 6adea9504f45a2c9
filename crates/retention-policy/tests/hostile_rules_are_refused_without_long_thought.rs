//! Rules that are made to cost time or memory are refused like any others: what is read grows with the
//! file, and so does the work. Nothing is timed here: without the bounds these cases run for hours.
#[cfg(test)]
mod cases {
    use retention_policy::{Bound, ClassSpec, RuleError, RuleSet, RuleSpec, RulesFile, StoreSpec};

    fn errors(file: RulesFile) -> Vec<RuleError> {
        RuleSet::load(file).map_or_else(|errors| errors.as_slice().to_vec(), |_| Vec::new())
    }

    fn rule(n: usize) -> RuleSpec {
        RuleSpec {
            id: format!("r{n}"),
            classes: vec!["c0".to_owned()],
            bound: Bound::Floor,
            from: Some("e0".to_owned()),
            period: Some("P1D".to_owned()),
            ..RuleSpec::default()
        }
    }

    fn file(classes: usize, stores: usize, rules: Vec<RuleSpec>) -> RulesFile {
        let class = |n: usize| ClassSpec {
            id: format!("c{n}"),
            ..ClassSpec::default()
        };
        let store = |n: usize| StoreSpec {
            id: format!("s{n}"),
            ..StoreSpec::default()
        };
        RulesFile {
            classes: (0..classes).map(class).collect(),
            stores: (0..stores).map(store).collect(),
            rules,
            ..RulesFile::default()
        }
    }

    /// As many rules, each of which overrides the next.
    fn chain(len: usize) -> Vec<RuleSpec> {
        let next = |n: usize| Some(format!("r{}", n + 1)).filter(|_| n + 1 < len);
        let overriding = |n: usize| RuleSpec {
            overrides: next(n).into_iter().collect(),
            ..rule(n)
        };
        (0..len).map(overriding).collect()
    }

    #[test]
    fn a_chain_of_overrides_is_followed_once() {
        let set = RuleSet::load(file(1, 1, chain(250))).unwrap();
        let count: Vec<&str> = set
            .under_rules("s0", "c0")
            .iter()
            .map(|rule| rule.id().as_str())
            .collect();
        // the first counts and drops the second, so that the third counts, and so on
        assert_eq!(count.len(), 125);
        assert!(count.contains(&"r0") && !count.contains(&"r1") && count.contains(&"r2"));
        let found = errors(file(1, 64, chain(10_000)));
        assert!(
            matches!(found[..], [RuleError::TooMany { max: 256, .. }]),
            "{found:?}"
        );
    }

    #[test]
    fn a_circle_of_overrides_is_told_of_every_rule_in_it() {
        let mut rules = chain(10_000);
        rules[9_999].overrides = vec!["r5000".to_owned()];
        let found = errors(file(1, 1, rules));
        let circles = found.iter().filter_map(|error| match error {
            RuleError::OverrideCycle { rule } => Some(rule.as_str()),
            _ => None,
        });
        let circles: Vec<&str> = circles.collect();
        assert_eq!(
            circles.len(),
            5_000,
            "those before it lead to it, and not back"
        );
        assert!(circles.contains(&"r5000") && !circles.contains(&"r4999"));
    }

    #[test]
    fn every_unknown_name_is_told_once() {
        let many = RuleSpec {
            classes: (0..100_000).map(|n| format!("x{}", n % 50_000)).collect(),
            ..rule(0)
        };
        let found = errors(file(1, 1, vec![many]));
        let unknown = |error: &&RuleError| matches!(error, RuleError::Unknown { .. });
        assert_eq!(found.iter().filter(unknown).count(), 50_000);
    }

    #[test]
    fn rules_that_rule_everything_everywhere_are_too_many() {
        let every = |n: usize| RuleSpec {
            classes: (0..256).map(|class| format!("c{class}")).collect(),
            from: Some(format!("e{n}")),
            to: Some(format!("e{}", n + 1)),
            ..rule(n)
        };
        let wide =
            |classes, stores, rules| errors(file(classes, stores, (0..rules).map(every).collect()));
        let found = wide(256, 64, 256);
        let what = |found: &[RuleError]| match found {
            [RuleError::TooMany { what, .. }] => *what,
            _ => "something else",
        };
        assert_eq!(what(&found), "rules over all classes and stores");
        let found = wide(256, 8, 200);
        assert_eq!(what(&found), "steps through events and rules");
        // the same, in proportion
        let few = |n: usize| RuleSpec {
            classes: vec!["c0".to_owned()],
            ..every(n)
        };
        assert_eq!(errors(file(1, 8, (0..20).map(few).collect())), []);
    }
}
