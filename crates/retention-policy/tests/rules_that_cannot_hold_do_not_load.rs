//! Rules that are incomplete, malformed, or can never all be kept are refused, all errors at once;
//! each refusal is shown beside the same rules without the one mistake.
#[cfg(test)]
mod cases {
    use retention_policy::{Act, Method, RuleError, RuleSet, Rules};

    fn errors(rules: &Rules) -> Vec<RuleError> {
        rules
            .build()
            .map_or_else(|errors| errors.as_slice().to_vec(), |_| Vec::new())
    }

    fn good() -> Rules {
        Rules::new().keep("record", "record.deleted", "P30D")
    }

    #[test]
    fn what_is_printed_has_every_cause() {
        let bad = good().keep("Record", "record.deleted", "30D");
        let said = bad.build().unwrap_err().to_string();
        assert!(
            said.contains("rule keep-2: bad period: a period is written P"),
            "{said}"
        );
        assert!(
            said.contains("malformed name of a class: a name is a letter"),
            "{said}"
        );
    }

    #[test]
    fn one_figure_for_floor_and_ceiling_is_refused_without_a_tolerance() {
        let pair = || good().gone("record", "record.deleted", "P30D");
        assert!(matches!(errors(&pair())[..], [RuleError::ZeroWidth { .. }]));
        assert_eq!(errors(&pair().late("PT25H")), []);
        let early = |tolerance: &str| {
            Rules::new()
                .keep("record", "record.deleted", "P30D")
                .early(tolerance)
                .gone("record", "record.deleted", "P30D")
        };
        assert_eq!(errors(&early("PT24H")), []);
        // the readings of one day lie 24 h apart: a second less is too little
        assert!(matches!(
            errors(&early("PT23H59M59S"))[..],
            [RuleError::Contradiction { .. }]
        ));
    }

    // clause: P-18
    #[test]
    fn a_backup_from_its_consistent_point_is_no_wider() {
        let floor = || Rules::new().keep("backup", "backup.completed", "P6M");
        let pair = floor().gone("backup", "backup.consistent", "P6M");
        assert!(matches!(errors(&pair)[..], [RuleError::ZeroWidth { .. }]));
        let wide = floor()
            .early("PT49H")
            .gone("backup", "backup.consistent", "P6M");
        assert_eq!(errors(&wide), []);
        // counted from unrelated events, the two say nothing about each other
        assert_eq!(errors(&floor().gone("backup", "record.purged", "P6M")), []);
    }

    #[test]
    fn a_floor_beyond_a_ceiling_is_refused_with_both_names() {
        let pair = good()
            .gone("record", "record.deleted", "P28D")
            .named("too-soon");
        let found = errors(&pair);
        assert_eq!(
            found,
            [RuleError::Contradiction {
                rules: vec!["keep-1".into(), "too-soon".into()],
                keys: Vec::new(),
                stores: Vec::new(),
                when: None,
            }]
        );
        // through a parent class as well
        let family = Rules::new()
            .keep("record", "record.deleted", "P30D")
            .gone("note", "record.deleted", "P28D")
            .class_under("note", "record");
        assert!(matches!(
            errors(&family)[..],
            [RuleError::Contradiction { .. }]
        ));
    }

    #[test]
    fn what_is_missing_or_misplaced_is_named() {
        let mut file = good().file();
        file.rules[0].from = None;
        file.rules[0].period = None;
        file.rules[0].late = Some("PT1H".into());
        let found = RuleSet::load(file).map_err(|e| e.into_iter().collect::<Vec<_>>());
        let place = || "rule keep-1".to_owned();
        assert_eq!(
            found,
            Err(vec![
                RuleError::Misplaced {
                    place: place(),
                    field: "late"
                },
                RuleError::Missing {
                    place: place(),
                    field: "from"
                },
                RuleError::Missing {
                    place: place(),
                    field: "period"
                },
                RuleError::Unruled {
                    class: "record".into(),
                    store: "main".into()
                },
            ])
        );
        let mut ceiling = Rules::new().gone("record", "record.deleted", "P30D").file();
        assert!(RuleSet::load(ceiling.clone()).is_ok());
        ceiling.rules[0].from = None;
        assert!(RuleSet::load(ceiling).is_err());
    }

    #[test]
    fn each_mistake_has_its_error() {
        let check = |rules: Rules, expect: fn(&RuleError) -> bool| {
            let found = errors(&rules);
            assert!(found.iter().any(expect), "{found:?}");
        };
        check(good().early("P1D"), |e| {
            matches!(e, RuleError::Tolerance { field: "early", .. })
        });
        check(good().early("1h"), |e| {
            matches!(e, RuleError::Period { field: "early", .. })
        });
        check(good().keep("record", "record.deleted", "30 days"), |e| {
            matches!(
                e,
                RuleError::Period {
                    field: "period",
                    ..
                }
            )
        });
        check(good().clause("P51"), |e| {
            matches!(e, RuleError::Clause { .. })
        });
        check(
            good().named("Keep It"),
            |e| matches!(e, RuleError::Name { what: "rule", place, .. } if place == "rule #1"),
        );
        check(good().keep("Record", "x", "P1D"), |e| {
            matches!(e, RuleError::Name { .. })
        });
        check(good().keep("record", "a b", "P1D"), |e| {
            matches!(e, RuleError::Name { what: "event", .. })
        });
        check(good().only_in("attic"), |e| {
            matches!(e, RuleError::Unknown { what: "store", .. })
        });
        check(good().keep("record", "x", "P1D").named("keep-1"), |e| {
            matches!(e, RuleError::Duplicate { what: "rule", .. })
        });
        check(good().cancel("x", "x"), |e| {
            matches!(e, RuleError::CancelsItself { .. })
        });
        check(good().class_under("a", "b").class_under("b", "a"), |e| {
            matches!(e, RuleError::ClassCycle { .. })
        });
        check(good().class_under("orphan", "nobody"), |e| {
            matches!(e, RuleError::Unruled { .. })
        });
        check(
            good()
                .store("rows", Method::Delete)
                .store("rows", Method::Delete),
            |e| matches!(e, RuleError::Duplicate { what: "store", .. }),
        );
        check(Rules::new().early("PT1H").keep("record", "x", "P1D"), |e| {
            matches!(e, RuleError::Stray { call: "early" })
        });
        assert_eq!(
            errors(&good().act(Act::Late).clause("P-51").early("PT1H")),
            []
        );
    }

    #[test]
    fn a_class_that_a_store_holds_without_a_rule_is_refused() {
        let stores = || {
            good()
                .only_in("rows")
                .store_of("rows", &["record"], Method::Delete)
                .store_of("objects", &["record"], Method::Delete)
        };
        assert_eq!(
            errors(&stores()),
            [RuleError::Unruled {
                class: "record".into(),
                store: "objects".into()
            }]
        );
        let ruled = stores()
            .keep("record", "record.deleted", "P30D")
            .only_in("objects");
        assert_eq!(errors(&ruled), []);
    }

    #[test]
    fn every_error_is_found_not_the_first() {
        let rules = good().clause("?").early("?").keep("record", "?", "?");
        assert!(errors(&rules).len() >= 4);
    }
}
