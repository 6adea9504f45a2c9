//! A plan's bytes change with every field and with nothing else, and a plan that is not the
//! approved one, was made under other rules, or goes beyond a limit is refused.
#![cfg(feature = "digest")]
#[cfg(test)]
mod cases {
    use std::collections::BTreeMap;

    use covenant_core::{ItemId, TenantId};
    use retention_policy::{
        HoldView, Item, Limits, Method, Moment, Occurrence, Plan, PlanContext, Population, Refused,
        Retention, RuleSet, Rules, Verdict, plan,
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
        looked_at: Option<TenantId>,
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
                looked_at: Some(tenant(3)),
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
            text("covenant/plan/v0"),
            9_000_000_i64.to_be_bytes().to_vec(),
            rules("P10D").digest().unwrap().as_bytes().to_vec(),
            1_u32.to_be_bytes().to_vec(),
            vec![1; 16],
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
        let admit = |limits: Limits| made.admit(&made.hash(), &rules_now, &limits, &there);
        assert_eq!(admit(free), Ok(()));

        let (_, _, more) = found(11);
        let other = plan(
            &judged(&rules_now, &events, 0..more),
            at(9_000_000),
            &PlanContext::of(&rules_now),
        );
        let refused = made.admit(&other.hash(), &rules_now, &free, &there);
        assert_eq!(refused, Err(Refused::HashMoved));
        let refused = made.admit(&made.hash(), &rules("P11D"), &free, &there);
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
        assert_eq!(refused, Err(Refused::Items { found: 10, max: 9 }));
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
        // of an unknown population no percentage is allowed
        let unknown = made.admit(
            &made.hash(),
            &rules_now,
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
}
