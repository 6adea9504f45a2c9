//! How long items stay in each store, and rules, rhythms and keys that cannot all hold.

#[cfg(test)]
mod cases {
    use retention_policy::{
        Authority, Method, RuleError, RuleErrors, RuleSet, RuleSpec, Rules, StoreKind, StoreSpec,
    };

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// The bin, the databases and the backups of prodb, as its page promises them.
    fn prodb() -> Rules {
        Rules::new()
            .store_spec(StoreSpec {
                id: "rows".into(),
                erase: vec![Method::Delete, Method::ClearFields],
                ..StoreSpec::default()
            })
            .store_spec(StoreSpec {
                id: "backups".into(),
                kind: StoreKind::Epoch,
                fed_by: texts(&["rows"]),
                every: Some("PT1H".into()),
                epoch: Some("P1D".into()),
                erase: vec![Method::Delete, Method::DestroyKey],
                ..StoreSpec::default()
            })
            .keep("record", "record.deleted", "P30D")
            .named("bin-floor")
            .to("record.purged")
            .only_in("rows")
            .waived_by("erasure.requested")
            .gone("record", "record.deleted", "P30D")
            .named("bin-ceiling")
            .to("record.purged")
            .only_in("rows")
            .late("PT25H")
            .gone("record", "record.purged", "P6M")
            .named("record-backups")
            .only_in("backups")
            .gone("database", "trial.ended", "P90D")
            .named("trial")
            .to("database.deleted")
            .only_in("rows")
            .gone("database", "database.deleted", "P30D")
            .named("database")
            .to("database.purged")
            .only_in("rows")
            .keep("database", "database.purged", "P6M")
            .named("database-kept")
            .only_in("backups")
            .early("PT49H")
            .gone("database", "database.purged", "P6M")
            .named("database-gone")
            .only_in("backups")
            .keep("record", "backup.completed", "P6M")
            .named("backup-kept")
            .also("database")
            .only_in("backups")
            .early("PT49H")
            .waived_by("erasure.requested")
            .gone("record", "backup.consistent", "P6M")
            .named("backup-gone")
            .also("database")
            .only_in("backups")
    }

    fn printed(rules: &RuleSet, class: &str) -> Vec<String> {
        let class = class.parse().unwrap();
        let rows = rules.residency(&class);
        rows.iter()
            .map(|row| {
                let longest = row.longest.iter().flat_map(|stay| &stay.because);
                let mut why: Vec<String> = row
                    .shortest
                    .because
                    .iter()
                    .chain(longest)
                    .map(ToString::to_string)
                    .collect();
                why.sort();
                why.dedup();
                format!(
                    "{} from {}: {}; {} [{}]",
                    row.store,
                    row.from,
                    row.stays(),
                    row.tolerance(),
                    why.join(" ")
                )
            })
            .collect()
    }

    // clause: P-18, P-49, P-51, P-52, P-57, P-59, P-60
    #[test]
    fn the_worst_cases_of_prodb() {
        let rules = prodb().build().unwrap();
        assert_eq!(
            printed(&rules, "record"),
            [
                "backups from backup.completed: 181 to 184 d; PT49H less [backup-gone backup-kept]",
                "backups from record.deleted: 211 to 214 d; PT25H more, PT49H less \
                 [backup-gone backup-kept bin-ceiling bin-floor]",
                "rows from record.deleted: 30 d; PT25H more [bin-ceiling bin-floor]",
            ]
        );
        assert_eq!(
            printed(&rules, "database"),
            [
                "backups from backup.completed: 181 to 184 d; PT49H less [backup-gone backup-kept]",
                "backups from database.deleted: 181 to 214 d; PT49H less \
                 [backup-gone backup-kept database]",
                "rows from database.deleted: at most 30 d; none [database]",
                "backups from trial.ended: 181 to 304 d; PT49H less \
                 [backup-gone backup-kept database trial]",
                "rows from trial.ended: at most 120 d; none [database trial]",
            ]
        );
        let unknown = "nothing".parse().unwrap();
        assert_eq!(rules.residency(&unknown), []);
    }

    #[test]
    fn copies_that_only_an_older_one_can_outlive_are_counted_too() {
        let store = |id: &str, kind, feeders: &[&str], every: Option<&str>| StoreSpec {
            id: id.into(),
            kind,
            fed_by: texts(feeders),
            every: every.map(str::to_owned),
            ..StoreSpec::default()
        };
        let rules = Rules::new()
            .store_spec(store("rows", StoreKind::Sql, &[], None))
            .store_spec(store("backups", StoreKind::Epoch, &["rows"], Some("P20D")))
            .gone("record", "record.deleted", "P5D")
            .named("bin")
            .to("record.purged")
            .only_in("rows")
            .keep("record", "backup.completed", "P40D")
            .named("kept")
            .only_in("backups")
            .gone("record", "record.purged", "P30D")
            .named("gone")
            .only_in("backups")
            .build()
            .unwrap();
        // the last copy is 10 to 20 days older than the loss, so that 40 days fit into 30
        let rows = printed(&rules, "record");
        assert!(
            rows.contains(
                &"backups from record.deleted: 20 to 35 d; none [bin gone kept]".to_owned()
            ),
            "{rows:?}"
        );
    }

    fn contradictions(result: Result<RuleSet, RuleErrors>) -> Vec<String> {
        let errors = result.expect_err("must not load");
        errors.as_slice().iter().map(ToString::to_string).collect()
    }

    // P-49 read as the six months from the deletion: the bin and the age of backups do not fit.
    // clause: P-49
    #[test]
    fn six_months_from_the_deletion_cannot_hold() {
        let mut file = prodb().file();
        for rule in &mut file.rules {
            if rule.id == "record-backups" {
                rule.from = Some("record.deleted".into());
            }
        }
        let found = contradictions(RuleSet::load(file));
        assert_eq!(
            found,
            [
                "rules backup-kept, bin-floor, record-backups, store backups cannot all hold: \
                 on every date"
            ]
        );
    }

    // clause: P-18
    #[test]
    fn the_first_date_is_named_where_a_month_is_too_short() {
        let rules = Rules::new()
            .keep("record", "record.deleted", "P1M")
            .named("month")
            .gone("record", "record.deleted", "P30D")
            .named("thirty")
            .late("PT24H");
        let errors = rules.build().expect_err("must not load");
        let [RuleError::Contradiction { rules, when, .. }] = errors.as_slice() else {
            panic!("{errors}");
        };
        assert_eq!(rules, &["month", "thirty"]);
        let when = when.as_ref().unwrap();
        assert_eq!(when.event, "record.deleted");
        assert_eq!(when.date.to_string(), "2026-01-01");
        assert!(when.days > 0 && when.days < 146_097, "{}", when.days);
    }

    // clause: P-60
    #[test]
    fn a_key_dies_neither_before_a_floor_nor_after_a_ceiling() {
        let with = |after: &str| {
            prodb()
                .key("roots", &["rows"], "database.purged", after, "P5D")
                .build()
        };
        assert!(with("P6M").is_ok());
        // a moment before the latest floor of what it seals, which is the latest reading less PT49H
        let early = contradictions(with("P178D"));
        assert!(
            early
                .iter()
                .any(|e| e.contains("key roots") && e.contains("database-kept")),
            "{early:?}"
        );
        // to the second: the latest reading of 30 days, and a second before it
        let floor = |after: &str| {
            Rules::new()
                .keep("record", "contract.terminated", "P30D")
                .key("kek", &["main"], "contract.terminated", after, "PT0S")
                .build()
        };
        assert!(floor("P30D").is_ok());
        assert_eq!(
            contradictions(floor("P29DT23H59M59S")),
            ["rule keep-1, key kek cannot all hold: on every date"]
        );
        // a store that only the death of a key empties
        let by_key = |after: &str| {
            Rules::new()
                .store_of("vault", &["record"], Method::DestroyKey)
                .gone("record", "contract.terminated", "P14D")
                .key("kek", &["vault"], "contract.terminated", after, "PT0S")
                .build()
        };
        // 14 days less the hour of the sweep, to the second; a plan is read at its latest
        assert!(by_key("PT335H").is_ok());
        let late = contradictions(by_key("PT335H1S"));
        assert_eq!(
            late,
            ["rule gone-1, key kek cannot all hold: on every date"]
        );
        // kept until an event of which nobody knows when it comes
        let until = |waiver: Option<&str>| {
            let rules = Rules::new()
                .store_of("vault", &["record"], Method::Delete)
                .keep_until("record", "contract.terminated")
                .named("kept");
            let rules = match waiver {
                Some(event) => rules.waived_by(event),
                None => rules,
            };
            rules
                .key("kek", &["vault"], "erasure.requested", "PT0S", "PT0S")
                .build()
        };
        assert!(until(Some("erasure.requested")).is_ok());
        let open = contradictions(until(None));
        assert_eq!(open, ["rule kept, key kek cannot all hold: on every date"]);
    }

    #[test]
    fn a_graph_without_an_end_is_refused() {
        let circle = |feeds: &str| {
            let store = |id: &str, from: &str| StoreSpec {
                id: id.into(),
                fed_by: texts(&[from]),
                ..StoreSpec::default()
            };
            Rules::new()
                .keep("record", "record.deleted", "P30D")
                .store_spec(store("one", feeds))
                .store_spec(StoreSpec {
                    id: "three".into(),
                    ..StoreSpec::default()
                })
                .store_spec(store("two", "one"))
                .build()
        };
        assert!(circle("three").is_ok());
        assert_eq!(
            contradictions(circle("two")),
            [
                "the store one copies from itself",
                "the store two copies from itself"
            ]
        );
        assert_eq!(
            contradictions(circle("four")),
            ["store one: the store four is not declared"]
        );
        let key = Rules::new()
            .keep("record", "record.deleted", "P30D")
            .key("k", &["attic"], "record.deleted", "P31D", "PT0S")
            .build();
        assert_eq!(
            contradictions(key),
            ["key k: the store attic is not declared"]
        );
    }

    #[test]
    fn a_rule_takes_the_place_of_another_of_no_higher_authority() {
        let rules = || {
            Rules::new()
                .keep("record", "record.deleted", "P1Y")
                .named("long")
                .keep("note", "record.deleted", "P1D")
                .named("short")
                .overrides("long")
                .class_under("note", "record")
        };
        let set = rules().build().unwrap();
        let least = |class: &str| set.residency(&class.parse().unwrap())[0].min_days();
        assert_eq!((least("record"), least("note")), (365, 1));
        let law = Rules::new()
            .keep("record", "record.deleted", "P1Y")
            .named("long")
            .authority(Authority::Law)
            .keep("record", "record.deleted", "P1D")
            .named("short")
            .overrides("long");
        assert_eq!(
            contradictions(law.build()),
            ["the rule short overrides long, which has a higher authority"]
        );
        let circle = rules().overrides("short").build();
        assert_eq!(contradictions(circle), ["the rule short overrides itself"]);
        let tenant = rules().authority(Authority::Tenant).build();
        assert!(
            contradictions(tenant)
                .contains(&"the rule short is a tenant's and overrides another".to_owned())
        );
        let nobody = rules().overrides("nobody").build();
        assert_eq!(
            contradictions(nobody),
            ["rule short: the rule nobody is not declared"]
        );
    }

    fn spec(bound: retention_policy::Bound, period: &str) -> RuleSpec {
        RuleSpec {
            id: "ours".into(),
            classes: texts(&["record"]),
            stores: texts(&["rows"]),
            bound,
            from: Some("record.deleted".into()),
            period: Some(period.into()),
            authority: Authority::Tenant,
            ..RuleSpec::default()
        }
    }

    // clause: P-46
    #[test]
    fn a_tenant_only_adds_and_a_contradiction_names_both_sides() {
        use covenant_core::TenantId;
        use retention_policy::{
            Bound, HoldView, Item, KeepUntil, Moment, Occurrence, Retention as _,
        };
        use time::UtcDateTime;

        let base = Rules::new()
            .store("rows", Method::Delete)
            .keep("record", "record.deleted", "P30D")
            .named("bin")
            .gone("record", "record.deleted", "P60D")
            .named("ceiling")
            .build()
            .unwrap();
        let (own, other) = (TenantId::from_bytes([1; 16]), TenantId::from_bytes([2; 16]));
        let set = base
            .with_tenant(own, vec![spec(Bound::Floor, "P50D")])
            .unwrap();
        assert_ne!(set.canonical(), base.canonical());
        let events = [Occurrence::new("record.deleted", UtcDateTime::UNIX_EPOCH)];
        let kept = |set: &RuleSet, tenant| {
            let item = Item::new(tenant, "record", 1_i64, &events).in_store("rows");
            let at = Moment::at(UtcDateTime::UNIX_EPOCH);
            set.evaluate(&item, &HoldView::none(), &at).keep_until
        };
        assert!(kept(&set, own) > kept(&base, own));
        assert!(matches!(kept(&set, own), KeepUntil::At(_)));
        assert_eq!(kept(&set, other), kept(&base, other));

        let refused = |extra: RuleSpec| contradictions(base.with_tenant(own, vec![extra]));
        assert_eq!(
            refused(spec(Bound::Floor, "P90D")),
            ["rules ceiling, ours cannot all hold: on every date"]
        );
        assert_eq!(
            refused(spec(Bound::Ceiling, "P10D")),
            ["rules bin, ours cannot all hold: on every date"]
        );
        let mut claims = spec(Bound::Floor, "P40D");
        claims.authority = Authority::Law;
        assert_eq!(
            refused(claims),
            ["the rule ours is added for a tenant and claims another authority"]
        );
        assert_eq!(
            refused(spec(Bound::Floor, "P10D")),
            ["the rule ours is weaker than bin"]
        );
        let mut overriding = spec(Bound::Floor, "P40D");
        overriding.overrides = texts(&["bin"]);
        assert_eq!(
            refused(overriding),
            [
                "the rule ours is a tenant's and overrides another",
                "the rule ours overrides bin, which has a higher authority"
            ]
        );
        let mut strange = spec(Bound::Floor, "P40D");
        strange.from = Some("moon.full".into());
        assert_eq!(
            refused(strange),
            ["rule ours: the event moon.full is not declared"]
        );
        let mut twice = spec(Bound::Floor, "P40D");
        twice.id = "bin".into();
        assert_eq!(refused(twice), ["the rule bin is declared twice"]);
        // added one after the other, all count; two tenants may use one name
        let both = set
            .with_tenant(other, vec![spec(Bound::Floor, "P55D")])
            .unwrap();
        assert!(kept(&both, other) > kept(&both, own));
        assert_eq!(kept(&both, own), kept(&set, own));
    }

    proptest::proptest! {
        // clause: P-46
        #[test]
        fn what_a_tenant_adds_keeps_no_shorter_and_lets_stay_no_longer(
            days in 1_u32..90,
            ceiling in proptest::bool::ANY,
            act in proptest::bool::ANY,
            deleted in 0_i64..100_000_000,
            later in 0_i64..10_000_000,
        ) {
            use covenant_core::TenantId;
            use retention_policy::{
                Act, Bound, HoldView, Item, Moment, Occurrence, Retention as _, RuleError,
            };
            use time::UtcDateTime;

            let base = Rules::new()
                .store("rows", Method::Delete)
                .keep("record", "record.deleted", "P30D")
                .gone("record", "record.deleted", "P60D")
                .build()
                .unwrap();
            let bound = if ceiling { Bound::Ceiling } else { Bound::Floor };
            let mut extra = spec(bound, &format!("P{days}D"));
            extra.act = if act { Act::Late } else { Act::Early };
            let tenant = TenantId::from_bytes([1; 16]);
            // 31 days and 59 are the edges of what can hold: a day lies between two readings
            let holds = if ceiling { days >= 31 } else { days <= 59 };
            let narrows = if ceiling { days <= 60 } else { days >= 30 };
            let set = match base.with_tenant(tenant, vec![extra]) {
                Ok(set) => set,
                Err(errors) => {
                    let weaker = |one: &RuleError| matches!(one, RuleError::Weaker { .. });
                    proptest::prop_assert_eq!(errors.as_slice().iter().any(weaker), !narrows, "{:?}", errors);
                    proptest::prop_assert_eq!(errors.as_slice().iter().all(weaker), holds, "{:?}", errors);
                    return Ok(());
                }
            };
            proptest::prop_assert!(holds && narrows);
            let at = |secs| UtcDateTime::from_unix_timestamp(secs).unwrap();
            let events = [Occurrence::new("record.deleted", at(deleted))];
            let item = Item::new(tenant, "record", 1_i64, &events).in_store("rows");
            let moment = Moment::at(at(deleted + later));
            let (before, after) = (
                base.evaluate(&item, &HoldView::none(), &moment),
                set.evaluate(&item, &HoldView::none(), &moment),
            );
            proptest::prop_assert!(after.keep_until >= before.keep_until);
            proptest::prop_assert!(after.gone_by <= before.gone_by);
            proptest::prop_assert_ne!(after.state, retention_policy::State::Conflict);
        }
    }
}
