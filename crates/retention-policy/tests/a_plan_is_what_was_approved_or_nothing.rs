//! A plan's bytes change with every field and with nothing else, and a plan that is not the
//! approved one, was made under other rules, or goes beyond a limit is refused.
#![cfg(feature = "digest")]
#[cfg(test)]
mod cases {
    use std::collections::BTreeMap;

    use covenant_core::digest::Digest;
    use covenant_core::{ItemId, TenantId};
    use retention_policy::{
        HoldView, Item, Limits, Method, Moment, Occurrence, Plan, PlanContext, Population, Refused,
        Retention, RuleSet, Rules, SweepMode, Verdict, plan, sweep_mode,
    };
    use time::{Duration, UtcDateTime};

    fn at(secs: i64) -> UtcDateTime {
        UtcDateTime::UNIX_EPOCH + Duration::seconds(secs)
    }

    fn tenant(n: u8) -> TenantId {
        TenantId::from_bytes([n; 16])
    }

    fn rules(period: &str) -> RuleSet {
        Rules::new()
            .keep("record", "record.deleted", period)
            .gone("record", "record.deleted", "P30D")
            .late("PT25H")
            .store("rows", Method::Delete)
            .store("vaults", Method::DestroyKey)
            .build()
            .unwrap()
    }

    /// Everything a plan is made from.
    #[derive(Clone)]
    struct Case {
        made_at: UtcDateTime,
        tenant: TenantId,
        class: &'static str,
        store: &'static str,
        id: i64,
        bytes: u64,
        deleted: UtcDateTime,
        period: &'static str,
        looked_at: Option<(TenantId, u64)>,
    }

    impl Case {
        fn base() -> Self {
            Self {
                made_at: at(9_000_000),
                tenant: tenant(1),
                class: "record",
                store: "rows",
                id: 1,
                bytes: 10,
                deleted: at(0),
                period: "P10D",
                looked_at: None,
            }
        }

        fn plan(&self) -> Plan {
            let rules = rules(self.period);
            let events = [Occurrence::new("record.deleted", self.deleted)];
            let item = Item::new(self.tenant, self.class, self.id, &events)
                .in_store(self.store)
                .of_bytes(self.bytes);
            let verdict = rules.evaluate(&item, &HoldView::none(), &Moment::at(self.made_at));
            assert!(verdict.disposes());
            let mut context = PlanContext::of(&rules);
            context.tenants.extend(self.looked_at);
            plan(&[(item, verdict)], self.made_at, &context)
        }
    }

    #[test]
    fn a_plan_of_any_method_reads_back() {
        let base = Case::base();
        let rules = rules(base.period);
        let events = [Occurrence::new("record.deleted", base.deleted)];
        let item = Item::new(base.tenant, base.class, base.id, &events).in_store("rows");
        let verdict = rules.evaluate(&item, &HoldView::none(), &Moment::at(base.made_at));
        for method in Method::ALL {
            let mut context = PlanContext::of(&rules);
            context.methods = BTreeMap::from([("rows".parse().unwrap(), method)]);
            let written = plan(&[(item.clone(), verdict.clone())], base.made_at, &context);
            assert_eq!(written.items()[0].method, method);
            let read = Plan::from_bytes(&written.bytes()).unwrap();
            assert_eq!(read, written, "{}", method.name());
            assert_eq!(read.hash(), written.hash());
        }
    }

    #[test]
    fn the_hash_changes_with_every_field() {
        let base = Case::base();
        let mut methods = base.plan();
        let hash = methods.hash();
        assert_eq!(hash, base.plan().hash(), "the same plan has the same hash");
        let changed = [
            Case {
                made_at: at(9_000_001),
                ..base.clone()
            },
            Case {
                tenant: tenant(2),
                ..base.clone()
            },
            Case {
                store: "vaults",
                ..base.clone()
            },
            Case {
                id: 2,
                ..base.clone()
            },
            Case {
                bytes: 11,
                ..base.clone()
            },
            Case {
                deleted: at(1),
                ..base.clone()
            },
            Case {
                period: "P11D",
                ..base.clone()
            },
            Case {
                looked_at: Some((tenant(3), 0)),
                ..base.clone()
            },
            // the generation of the holds of the tenant whose item it is
            Case {
                looked_at: Some((tenant(1), 1)),
                ..base.clone()
            },
        ];
        let mut hashes: Vec<_> = changed.iter().map(|case| case.plan().hash()).collect();
        // the method alone, and the class alone
        let rules = rules("P10D");
        let events = [Occurrence::new("record.deleted", at(0))];
        let item = Item::new(tenant(1), "record", 1_i64, &events)
            .in_store("rows")
            .of_bytes(10);
        let verdict = rules.evaluate(&item, &HoldView::none(), &Moment::at(base.made_at));
        let mut context = PlanContext::of(&rules);
        context.methods = BTreeMap::from([("rows".parse().unwrap(), Method::ClearFields)]);
        methods = plan(&[(item.clone(), verdict.clone())], base.made_at, &context);
        hashes.push(methods.hash());
        let other = Item {
            class: "other",
            ..item.clone()
        };
        hashes.push(
            plan(
                &[(other, verdict.clone())],
                base.made_at,
                &PlanContext::of(&rules),
            )
            .hash(),
        );
        let unruled = PlanContext {
            rules: None,
            ..PlanContext::of(&rules)
        };
        hashes.push(plan(&[(item, verdict)], base.made_at, &unruled).hash());
        hashes.push(hash);
        let count = hashes.len();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), count);
    }

    fn found(n: i64) -> (RuleSet, Vec<Occurrence<'static>>, i64) {
        (
            rules("P10D"),
            vec![Occurrence::new("record.deleted", at(0))],
            n,
        )
    }

    fn judged<'a>(
        rules: &RuleSet,
        events: &'a [Occurrence<'a>],
        ids: impl Iterator<Item = i64>,
    ) -> Vec<(Item<'a>, Verdict)> {
        ids.map(|id| {
            let item = Item::new(tenant(1), "record", id, events)
                .in_store("rows")
                .of_bytes(100);
            let verdict = rules.evaluate(&item, &HoldView::none(), &Moment::at(at(9_000_000)));
            (item, verdict)
        })
        .collect()
    }

    #[test]
    fn order_and_repetition_change_nothing() {
        let (rules, events, n) = found(20);
        let context = PlanContext::of(&rules);
        let forward = judged(&rules, &events, 0..n);
        let twice = judged(&rules, &events, (0..n).rev().chain(0..n));
        let one = plan(&forward, at(9_000_000), &context);
        assert_eq!(one.bytes(), plan(&twice, at(9_000_000), &context).bytes());
        let ids: Vec<ItemId> = one.items().iter().map(|item| item.id.clone()).collect();
        assert!(ids.is_sorted() && ids.len() == 20);
    }

    #[test]
    fn what_is_kept_is_not_planned() {
        let (rules, events, _) = found(1);
        let item = Item::new(tenant(1), "record", 1_i64, &events).in_store("rows");
        let early = rules.evaluate(&item, &HoldView::none(), &Moment::at(at(5)));
        assert_eq!(
            plan(&[(item, early)], at(5), &PlanContext::of(&rules)).items(),
            []
        );
    }

    /// `FORMAT.md`, "Plan", written out by hand.
    #[test]
    fn the_bytes_are_those_of_the_format() {
        let text = |text: &str| {
            let len = u32::try_from(text.len()).unwrap().to_be_bytes();
            [len.as_slice(), text.as_bytes()].concat()
        };
        let made = Case::base().plan();
        let keep = 11 * 86_400_i64;
        let gone = 30 * 86_400 + 25 * 3_600_i64;
        let expect = [
            text("covenant/plan/v1"),
            9_000_000_i64.to_be_bytes().to_vec(),
            rules("P10D").digest().unwrap().as_bytes().to_vec(),
            1_u32.to_be_bytes().to_vec(),
            vec![1; 16],
            0_u64.to_be_bytes().to_vec(),
            1_u32.to_be_bytes().to_vec(),
            vec![1; 16],
            text("rows"),
            text("record"),
            8_u32.to_be_bytes().to_vec(),
            1_i64.to_be_bytes().to_vec(),
            10_u64.to_be_bytes().to_vec(),
            vec![1],
            keep.to_be_bytes().to_vec(),
            gone.to_be_bytes().to_vec(),
            2_u32.to_be_bytes().to_vec(),
            text("gone-2"),
            text("keep-1"),
        ];
        assert_eq!(made.bytes(), expect.concat());
    }

    #[test]
    fn deadlines_round_down_and_floors_up() {
        let rules = rules("P10D");
        let events = [Occurrence::new(
            "record.deleted",
            at(0) + Duration::milliseconds(500),
        )];
        let item = Item::new(tenant(1), "record", 1_i64, &events).in_store("rows");
        let verdict = rules.evaluate(&item, &HoldView::none(), &Moment::at(at(9_000_000)));
        let gone = verdict.gone_by.unwrap();
        assert_ne!(gone.nanosecond(), 0);
        let plan = plan(&[(item, verdict)], at(9_000_000), &PlanContext::of(&rules));
        assert_eq!(plan.items()[0].gone_by, gone.unix_timestamp());
        assert_eq!(plan.items()[0].keep_until, 11 * 86_400);
    }

    #[test]
    fn only_the_approved_plan_under_the_same_rules_within_limits_is_admitted() {
        let (rules_now, events, n) = found(10);
        let made = plan(
            &judged(&rules_now, &events, 0..n),
            at(9_000_000),
            &PlanContext::of(&rules_now),
        );
        let there = Population::from([((tenant(1), "record".to_owned()), 100)]);
        let free = Limits::default();
        let none = HoldView::none();
        let admit = |limits: Limits| made.admit(&made.hash(), &rules_now, &none, &limits, &there);
        assert_eq!(admit(free), Ok(()));

        let (_, _, more) = found(11);
        let other = plan(
            &judged(&rules_now, &events, 0..more),
            at(9_000_000),
            &PlanContext::of(&rules_now),
        );
        let refused = made.admit(&other.hash(), &rules_now, &none, &free, &there);
        assert_eq!(refused, Err(Refused::HashMoved));
        let refused = made.admit(&made.hash(), &rules("P11D"), &none, &free, &there);
        assert_eq!(refused, Err(Refused::RulesMoved));

        assert_eq!(
            admit(Limits {
                items_max: Some(10),
                ..free
            }),
            Ok(())
        );
        let refused = admit(Limits {
            items_max: Some(9),
            ..free
        });
        assert_eq!(
            refused,
            Err(Refused::Items {
                tenant: None,
                found: 10,
                max: 9
            })
        );
        assert_eq!(
            admit(Limits {
                bytes_max: Some(1_000),
                ..free
            }),
            Ok(())
        );
        let refused = admit(Limits {
            bytes_max: Some(999),
            ..free
        });
        assert_eq!(
            refused,
            Err(Refused::Bytes {
                tenant: None,
                found: 1_000,
                max: 999
            })
        );
        assert_eq!(
            admit(Limits {
                percent_max: Some(10),
                ..free
            }),
            Ok(())
        );
        assert!(matches!(
            admit(Limits {
                percent_max: Some(9),
                ..free
            }),
            Err(Refused::Percent {
                found: 10,
                population: 100,
                percent: 9,
                ..
            })
        ));
        // ten of ninety-nine are more than ten in a hundred, and other classes do not count
        let there = Population::from([
            ((tenant(1), "account".to_owned()), 5_000),
            ((tenant(1), "record".to_owned()), 99),
        ]);
        let ten = Limits {
            percent_max: Some(10),
            ..free
        };
        let refused = made.admit(&made.hash(), &rules_now, &none, &ten, &there);
        assert_eq!(
            refused,
            Err(Refused::Percent {
                tenant: None,
                class: "record".to_owned(),
                found: 10,
                population: 99,
                percent: 10
            })
        );
        // of an unknown population no percentage is allowed
        let unknown = made.admit(
            &made.hash(),
            &rules_now,
            &none,
            &Limits {
                percent_max: Some(100),
                ..free
            },
            &Population::new(),
        );
        assert!(matches!(
            unknown,
            Err(Refused::Percent { population: 0, .. })
        ));
    }

    /// Rules that have no digest: of such nobody can say that they are the same.
    #[derive(Debug)]
    struct Nameless<'a>(&'a RuleSet);

    impl Retention for Nameless<'_> {
        fn evaluate(&self, item: &Item<'_>, holds: &HoldView, moment: &Moment) -> Verdict {
            self.0.evaluate(item, holds, moment)
        }

        fn digest(&self) -> Option<Digest> {
            None
        }
    }

    #[test]
    fn a_plan_of_rules_without_a_digest_is_never_admitted() {
        let (rules, events, n) = found(2);
        let context = PlanContext {
            rules: None,
            ..PlanContext::of(&rules)
        };
        let made = plan(&judged(&rules, &events, 0..n), at(9_000_000), &context);
        let (free, nobody, none) = (Limits::default(), Population::new(), HoldView::none());
        for rules in [&rules as &dyn Retention, &Nameless(&rules)] {
            let refused = made.admit(&made.hash(), rules, &none, &free, &nobody);
            assert_eq!(refused, Err(Refused::RulesMoved));
        }
    }

    #[test]
    fn one_tenants_backlog_is_not_hidden_among_many() {
        let (rules, events, n) = found(10);
        let made = plan(
            &judged(&rules, &events, 0..n),
            at(9_000_000),
            &PlanContext::of(&rules),
        );
        let there = Population::from([
            ((tenant(1), "record".to_owned()), 10),
            ((tenant(2), "record".to_owned()), 990),
        ]);
        let limits = Limits {
            percent_max: Some(5),
            ..Limits::default()
        };
        assert!(matches!(
            limits.check(&made, &there),
            Err(Refused::Percent { tenant: Some(owner), .. }) if owner == tenant(1)
        ));
    }

    #[test]
    fn a_hold_that_moved_refuses_the_plan() {
        let (rules, events, n) = found(2);
        let held = |generation| HoldView::of(tenant(1), generation, []);
        let context = PlanContext::of(&rules).with_tenant(tenant(1), &held(7));
        let made = plan(&judged(&rules, &events, 0..n), at(9_000_000), &context);
        let admit = |plan: &Plan, holds: &HoldView| {
            let (free, nobody) = (Limits::default(), Population::new());
            plan.admit(&plan.hash(), &rules, holds, &free, &nobody)
        };
        assert_eq!(admit(&made, &held(7)), Ok(()));
        for moved in [held(8), held(6), HoldView::none()] {
            let refused = admit(&made, &moved);
            assert_eq!(refused, Err(Refused::HoldsMoved(tenant(1))));
        }
        // holds that were never looked at
        let context = PlanContext::of(&rules);
        let blind = plan(&judged(&rules, &events, 0..n), at(9_000_000), &context);
        assert_eq!(admit(&blind, &held(1)), Err(Refused::HoldsMoved(tenant(1))));
        // bytes that name items of one tenant, and another as the one that was looked at
        let mut bytes = made.bytes();
        bytes[64..80].fill(9);
        let other = Plan::from_bytes(&bytes).unwrap();
        assert!(other.tenants().contains_key(&tenant(9)));
        let holds = HoldView::of(tenant(9), 7, []);
        assert_eq!(admit(&other, &holds), Err(Refused::HoldsMoved(tenant(1))));
    }

    #[test]
    fn each_tenant_has_limits_of_its_own() {
        let (rules, events, n) = found(4);
        let mut all = judged(&rules, &events, 0..n);
        for (item, _) in all.iter_mut().skip(1) {
            item.tenant = tenant(2);
        }
        let made = plan(&all, at(9_000_000), &PlanContext::of(&rules));
        let check = |limits: Limits| limits.check(&made, &Population::new());
        let items = |max| Limits {
            tenant_items_max: Some(max),
            ..Limits::default()
        };
        assert_eq!(check(items(3)), Ok(()));
        let expect = Refused::Items {
            tenant: Some(tenant(2)),
            found: 3,
            max: 2,
        };
        let owner = tenant(2);
        let says = format!("the plan has 3 items of tenant {owner}, the limit is 2");
        assert_eq!(expect.to_string(), says);
        assert_eq!(check(items(2)), Err(expect));
        let bytes = |max| Limits {
            tenant_bytes_max: Some(max),
            ..Limits::default()
        };
        assert_eq!(check(bytes(300)), Ok(()));
        assert!(matches!(
            check(bytes(299)),
            Err(Refused::Bytes { tenant: Some(owner), found: 300, .. }) if owner == tenant(2)
        ));
    }

    #[test]
    fn the_first_sweep_under_other_rules_only_plans() {
        let (old, new) = (rules("P10D"), rules("P11D"));
        assert_eq!(sweep_mode(None, &old), SweepMode::PlanOnly);
        let planned = old.digest();
        assert_eq!(sweep_mode(planned.as_ref(), &old), SweepMode::Apply);
        assert_eq!(sweep_mode(planned.as_ref(), &new), SweepMode::PlanOnly);
    }

    #[test]
    fn bytes_of_a_plan_come_back_and_nothing_else_does() {
        let (rules, events, n) = found(5);
        let held = HoldView::of(tenant(1), 3, []);
        let context = PlanContext::of(&rules).with_tenant(tenant(1), &held);
        let made = plan(&judged(&rules, &events, 0..n), at(9_000_000), &context);
        let bytes = made.bytes();
        assert_eq!(Plan::from_bytes(&bytes), Ok(made));
        for at in 0..bytes.len() {
            assert!(Plan::from_bytes(&bytes[..at]).is_err(), "{at}");
            let mut bad = bytes.clone();
            bad[at] ^= 0x40;
            if let Ok(other) = Plan::from_bytes(&bad) {
                assert_eq!(other.bytes(), bad, "{at}");
            }
        }
    }
}
