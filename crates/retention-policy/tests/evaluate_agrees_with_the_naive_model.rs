//! A verdict equals what a model finds that asks every rule at every second; the order of rules and
//! events changes nothing, and tolerances, floors and ceilings move it the one way they should.
#[cfg(test)]
mod common;

#[cfg(test)]
mod cases {
    use super::common::{Model, Said, at, secs, tenant};
    use covenant_core::Reading;
    use proptest::prelude::*;
    use retention_policy::{
        Act, HoldView, Item, KeepUntil, Moment, Occurrence, Retention, RuleSet, Rules, Slack, Span,
        State,
    };

    const EVENTS: [&str; 5] = ["start", "stop", "other", "undo", "waive"];
    const FROM: [&str; 3] = ["start", "stop", "other"];
    const PERIODS: [&str; 6] = ["PT0S", "PT3S", "PT7S", "PT20S", "P1D", "P1M"];
    /// Seconds around which nothing of the short periods happens any more.
    const SPAN_SECS: i64 = 90;

    fn rule() -> impl Strategy<Value = Said> {
        let waived = prop_oneof![3 => Just(None), 1 => Just(Some("waive"))];
        let floor = (0..3_usize, 0..PERIODS.len(), 0..4_i64, waived.clone()).prop_map(
            |(from, period, early, waived_by)| Said::Floor {
                from: FROM[from],
                period: PERIODS[period],
                early,
                waived_by,
            },
        );
        let ceiling = (0..3_usize, 0..PERIODS.len(), 0..30_i64).prop_map(|(from, period, late)| {
            Said::Ceiling {
                from: FROM[from],
                period: PERIODS[period],
                late,
            }
        });
        let until = (0..3_usize, waived).prop_map(|(e, waived_by)| Said::Until {
            event: FROM[e],
            waived_by,
        });
        prop_oneof![3 => floor, 3 => ceiling, 1 => until]
    }

    fn events() -> impl Strategy<Value = Vec<Occurrence<'static>>> {
        let one = (0..EVENTS.len(), 0..40_i64).prop_map(|(e, s)| Occurrence::new(EVENTS[e], at(s)));
        proptest::collection::vec(one, 0..6)
    }

    /// The same rules through the builder; `None` when they contradict each other already.
    fn build(rules: &[Said]) -> Option<RuleSet> {
        let mut all = Rules::new()
            .cancel("undo", "start")
            .event("waive")
            .event("other");
        for name in FROM {
            all = all.event(name);
        }
        for rule in rules {
            all = match rule {
                Said::Floor {
                    from,
                    period,
                    early,
                    waived_by,
                } => {
                    let all = all
                        .keep("thing", from, period)
                        .early(&format!("PT{early}S"));
                    waived_by
                        .iter()
                        .fold(all, |all, event| all.waived_by(event))
                }
                Said::Ceiling { from, period, late } => {
                    all.gone("thing", from, period).late(&format!("PT{late}S"))
                }
                Said::Until { event, waived_by } => {
                    let all = all.keep_until("thing", event);
                    waived_by
                        .iter()
                        .fold(all, |all, event| all.waived_by(event))
                }
            };
        }
        all.build().ok()
    }

    fn slack(secs: u64) -> Slack {
        Slack {
            batch: std::time::Duration::from_secs(secs),
            ..Slack::NONE
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn state_dates_and_next_change_agree(
            said in proptest::collection::vec(rule(), 1..5),
            events in events(),
            slack_secs in 0..6_u64,
            now in 0..SPAN_SECS,
        ) {
            let Some(rules) = build(&said) else { return Ok(()) };
            let reading = Reading::default();
            let model = Model {
                rules: &said,
                events: &events,
                reading: &reading,
                slack_secs: i64::try_from(slack_secs).unwrap(),
            };
            let item = Item::new(tenant(1), "thing", 1_i64, &events);
            let verdict = rules.evaluate(&item, &HoldView::none(), &Moment::at(at(now)).with_slack(slack(slack_secs)));
            let expect = model.answer(at(now));
            prop_assert_eq!(verdict.state, expect.state);
            prop_assert_eq!(verdict.keep_until, expect.keep_until);
            prop_assert_eq!(verdict.gone_by, expect.gone_by);
            let end = at(SPAN_SECS + 60);
            let next = verdict.next_change.filter(|next| *next <= end);
            prop_assert_eq!(next, model.next_change(at(now), end));
        }

        #[test]
        fn the_order_of_rules_and_events_changes_nothing(
            said in proptest::collection::vec(rule(), 1..5),
            events in events(),
            now in 0..SPAN_SECS,
            seed in any::<usize>(),
        ) {
            let named = |order: &[usize]| {
                let mut file = Rules::new().cancel("undo", "start").file();
                file.events = EVENTS.iter().map(|&e| e.to_owned()).collect();
                let full = order.iter().filter_map(|n| {
                    let mut one = build_file(&said[*n])?;
                    one.id = format!("rule-{n}");
                    Some(one)
                });
                file.rules = full.collect();
                file.classes.push(retention_policy::ClassSpec { id: "thing".into(), ..Default::default() });
                RuleSet::load(file).ok()
            };
            let mut order: Vec<usize> = (0..said.len()).collect();
            let first = named(&order);
            order.rotate_left(seed % said.len());
            if seed % 2 == 0 { order.reverse(); }
            let second = named(&order);
            prop_assert_eq!(first.is_some(), second.is_some());
            let (Some(first), Some(second)) = (first, second) else { return Ok(()) };
            prop_assert_eq!(first.canonical(), second.canonical());
            let mut shuffled = events.clone();
            shuffled.reverse();
            if !shuffled.is_empty() { let by = seed % shuffled.len(); shuffled.rotate_left(by); }
            let one = Item::new(tenant(1), "thing", 1_i64, &events);
            let other = Item::new(tenant(1), "thing", 1_i64, &shuffled);
            let moment = Moment::at(at(now));
            prop_assert_eq!(first.evaluate(&one, &HoldView::none(), &moment), second.evaluate(&other, &HoldView::none(), &moment));
        }

        #[test]
        fn floors_only_delay_and_ceilings_only_hasten(
            said in proptest::collection::vec(rule(), 1..4),
            more in rule(),
            events in events(),
            now in 0..SPAN_SECS,
        ) {
            let mut longer = said.clone();
            longer.push(more.clone());
            let (Some(few), Some(many)) = (build(&said), build(&longer)) else { return Ok(()) };
            let item = Item::new(tenant(1), "thing", 1_i64, &events);
            let (before, after) = (
                few.evaluate(&item, &HoldView::none(), &Moment::at(at(now))),
                many.evaluate(&item, &HoldView::none(), &Moment::at(at(now))),
            );
            match more {
                Said::Ceiling { .. } => {
                    let first = before.gone_by.into_iter().chain(after.gone_by).min();
                    prop_assert_eq!(after.gone_by, first);
                }
                Said::Floor { .. } | Said::Until { .. } => {
                    prop_assert_eq!(after.gone_by, before.gone_by);
                    // an open end of a set in which nothing had started is no floor's
                    if before.keep_until != KeepUntil::Open {
                        prop_assert!(after.keep_until >= before.keep_until);
                    }
                }
            }
        }

        #[test]
        fn tolerances_free_sooner_and_allow_later(
            from in 0..3_usize,
            period in 0..PERIODS.len(),
            tolerance in 0..50_i64,
            events in events(),
            now in 0..SPAN_SECS,
        ) {
            let (from, period) = (FROM[from], PERIODS[period]);
            let judge = |early: i64, late: i64| {
                let floor = Said::Floor { from, period, early, waived_by: None };
                let floor = build(&[floor]).unwrap();
                let ceiling = build(&[Said::Ceiling { from, period, late }]).unwrap();
                let item = Item::new(tenant(1), "thing", 1_i64, &events);
                let moment = Moment::at(at(now));
                let keep_until = floor.evaluate(&item, &HoldView::none(), &moment).keep_until;
                (keep_until, ceiling.evaluate(&item, &HoldView::none(), &moment).gone_by)
            };
            let (strict, lenient) = (judge(0, 0), judge(tolerance, tolerance));
            match (strict.0, lenient.0) {
                (KeepUntil::At(strict), KeepUntil::At(lenient)) => {
                    prop_assert_eq!(strict - lenient, secs(tolerance));
                }
                (strict, lenient) => prop_assert_eq!(strict, lenient),
            }
            prop_assert_eq!(lenient.1, strict.1.map(|gone| gone + secs(tolerance)));
        }

        #[test]
        fn simulation_is_evaluation_at_every_change(
            said in proptest::collection::vec(rule(), 1..5),
            lists in proptest::collection::vec(events(), 1..4),
        ) {
            let Some(rules) = build(&said) else { return Ok(()) };
            let items: Vec<Item<'_>> = lists
                .iter()
                .enumerate()
                .map(|(n, events)| Item::new(tenant(1), "thing", i64::try_from(n).unwrap(), events))
                .collect();
            let span = Span { from: at(0), until: at(SPAN_SECS) };
            let none = HoldView::none();
            let changes: Vec<_> = rules.simulate(&items, &none, slack(2), span).collect();
            prop_assert!(changes.windows(2).all(|w| (w[0].at, w[0].item) < (w[1].at, w[1].item)));
            for (n, item) in items.iter().enumerate() {
                let own: Vec<_> = changes.iter().filter(|change| change.item == n).collect();
                for second in 0..SPAN_SECS {
                    let alone = rules.evaluate(item, &HoldView::none(), &Moment::at(at(second)).with_slack(slack(2)));
                    let last = own.iter().rfind(|change| change.at <= at(second)).unwrap();
                    prop_assert_eq!(alone.state, last.verdict.state);
                    if last.at == at(second) {
                        prop_assert_eq!(&alone, &last.verdict);
                    }
                }
            }
        }
    }

    fn build_file(rule: &Said) -> Option<retention_policy::RuleSpec> {
        let base = Rules::new();
        let rules = match rule {
            Said::Floor {
                from,
                period,
                early,
                waived_by,
            } => {
                let all = base
                    .keep("thing", from, period)
                    .early(&format!("PT{early}S"));
                waived_by
                    .iter()
                    .fold(all, |all, event| all.waived_by(event))
            }
            Said::Ceiling { from, period, late } => {
                base.gone("thing", from, period).late(&format!("PT{late}S"))
            }
            Said::Until { event, waived_by } => {
                let all = base.keep_until("thing", event);
                waived_by
                    .iter()
                    .fold(all, |all, event| all.waived_by(event))
            }
        };
        rules.file().rules.pop()
    }

    /// A record of the vendor's bin: 30 days, late PT25H, restored ones start anew.
    fn bin() -> RuleSet {
        Rules::new()
            .keep("record", "record.deleted", "P30D")
            .clause("P-51")
            .waived_by("record.manual_purge")
            .gone("record", "record.deleted", "P30D")
            .clause("P-52")
            .late("PT25H")
            .cancel("record.restored", "record.deleted")
            .build()
            .unwrap()
    }

    const DAY: i64 = 86_400;

    // clause: P-51, P-52
    #[test]
    fn the_bin_keeps_thirty_days_in_every_reading_and_no_longer_than_a_day_and_an_hour() {
        let rules = bin();
        for deleted in [0, 1, 3_600, 43_200, 86_399] {
            let events = [Occurrence::new("record.deleted", at(deleted))];
            let item = Item::new(tenant(1), "record", 7_i64, &events);
            let verdict =
                |second| rules.evaluate(&item, &HoldView::none(), &Moment::at(at(second)));
            // end of the thirtieth day after the day of deletion: the latest reading
            assert_eq!(verdict(deleted).keep_until, KeepUntil::At(at(31 * DAY)));
            assert_eq!(verdict(31 * DAY - 1).state, State::Keep);
            assert_eq!(verdict(31 * DAY).state, State::Eligible);
            assert!(verdict(31 * DAY).disposes());
            let gone_by = deleted + 30 * DAY + 25 * 3_600;
            assert_eq!(verdict(deleted).gone_by, Some(at(gone_by)));
            assert!(gone_by - 31 * DAY >= 3_600, "the night's flush has an hour");
            assert_eq!(verdict(gone_by - 1).state, State::Eligible);
            assert_eq!(verdict(gone_by).state, State::Overdue);
        }
    }

    // clause: P-51
    #[test]
    fn what_was_restored_is_live_and_what_never_was_deleted_stays() {
        let rules = bin();
        let moment = Moment::at(at(400 * DAY));
        let histories: [&[Occurrence<'_>]; 3] = [
            &[],
            &[Occurrence::new("record.created", at(0))],
            &[
                Occurrence::new("record.deleted", at(10)),
                Occurrence::new("record.restored", at(20)),
            ],
        ];
        for events in histories {
            let verdict = rules.evaluate(
                &Item::new(tenant(1), "record", 7_i64, events),
                &HoldView::none(),
                &moment,
            );
            assert_eq!(
                (verdict.state, verdict.keep_until),
                (State::Keep, KeepUntil::Open)
            );
            assert!(!verdict.disposes() && !verdict.alarms());
        }
        let again = [
            Occurrence::new("record.deleted", at(10)),
            Occurrence::new("record.restored", at(20)),
            Occurrence::new("record.deleted", at(300 * DAY)),
        ];
        let item = Item::new(tenant(1), "record", 7_i64, &again);
        let verdict = rules.evaluate(&item, &HoldView::none(), &Moment::at(at(300 * DAY + 5)));
        assert_eq!(verdict.state, State::Keep);
        assert_eq!(verdict.keep_until, KeepUntil::At(at(331 * DAY)));
    }

    #[test]
    fn what_is_undone_at_the_same_instant_is_undone() {
        let rules = bin();
        let moment = Moment::at(at(400 * DAY));
        let events = |restored| {
            [
                Occurrence::new("record.deleted", at(10)),
                Occurrence::new("record.restored", restored),
            ]
        };
        for (restored, state) in [(9, State::Overdue), (10, State::Keep), (11, State::Keep)] {
            let events = events(at(restored));
            let item = Item::new(tenant(1), "record", 7_i64, &events);
            assert_eq!(
                rules.evaluate(&item, &HoldView::none(), &moment).state,
                state,
                "{restored}"
            );
        }
    }

    #[test]
    fn late_rules_wait_for_the_deadline_and_one_late_rule_is_enough() {
        let build = |act: [Act; 2]| {
            Rules::new()
                .keep("trial", "trial.ended", "PT10S")
                .act(act[0])
                .gone("trial", "trial.ended", "PT100S")
                .act(act[1])
                .build()
                .unwrap()
        };
        let events = [Occurrence::new("trial.ended", at(0))];
        let item = Item::new(tenant(1), "trial", 7_i64, &events);
        for act in [
            [Act::Early, Act::Late],
            [Act::Late, Act::Early],
            [Act::Late, Act::Late],
        ] {
            let judge = |second| {
                build(act).evaluate(
                    &item,
                    &HoldView::none(),
                    &Moment::at(at(second)).with_slack(slack(5)),
                )
            };
            let states = [9, 10, 94, 95, 100].map(|second| judge(second).state);
            use State::{Due, Eligible, Keep, Overdue};
            assert_eq!(states, [Keep, Eligible, Eligible, Due, Overdue]);
            assert_eq!(
                [9, 10, 94, 95, 100].map(|s| judge(s).disposes()),
                [false, false, false, true, true]
            );
        }
        let early = build([Act::Early, Act::Early]);
        assert!(
            early
                .evaluate(&item, &HoldView::none(), &Moment::at(at(10)))
                .disposes()
        );
    }

    #[test]
    fn a_purge_by_hand_waives_the_bin() {
        let rules = bin();
        let mut events = vec![Occurrence::new("record.deleted", at(10))];
        let moment = Moment::at(at(100));
        let item = Item::new(tenant(1), "record", 7_i64, &events);
        assert!(!rules.evaluate(&item, &HoldView::none(), &moment).disposes());
        events.push(Occurrence::new("record.manual_purge", at(50)));
        let item = Item::new(tenant(1), "record", 7_i64, &events);
        assert!(rules.evaluate(&item, &HoldView::none(), &moment).disposes());
    }

    // clause: P-18
    #[test]
    fn a_backup_lives_six_months_less_its_tolerance_and_is_refused_strictly() {
        let rules = Rules::new()
            .keep("backup", "backup.completed", "P6M")
            .early("PT49H")
            .gone("backup", "backup.consistent", "P6M")
            .build()
            .unwrap();
        // the tests' time begins on 2024-01-01; six months later is 182 days later, 2024-07-01
        let half_a_year = 182 * DAY;
        let events = [
            Occurrence::new("backup.consistent", at(3_600)),
            Occurrence::new("backup.completed", at(3_900)),
        ];
        let item = Item::new(tenant(1), "backup", 1_i64, &events);
        let verdict = rules.evaluate(&item, &HoldView::none(), &Moment::at(at(4_000)));
        let keep = half_a_year + DAY - 49 * 3_600;
        assert_eq!(verdict.keep_until, KeepUntil::At(at(keep)));
        let gone = half_a_year + 3_600;
        assert_eq!(verdict.gone_by, Some(at(gone)));
        assert!(verdict.restorable_at(at(gone) - secs(1)));
        assert!(!verdict.restorable_at(at(gone)));
        assert_eq!(
            rules
                .evaluate(&item, &HoldView::none(), &Moment::at(at(keep - 1)))
                .state,
            State::Keep
        );
        assert_eq!(
            rules
                .evaluate(&item, &HoldView::none(), &Moment::at(at(keep)))
                .state,
            State::Eligible
        );
        assert_eq!(
            rules
                .evaluate(&item, &HoldView::none(), &Moment::at(at(gone)))
                .state,
            State::Overdue
        );
    }

    // clause: R-23
    #[test]
    fn a_floor_without_a_ceiling_keeps_at_least_the_longest_month() {
        let rules = Rules::new()
            .keep("backup", "backup.completed", "P31D")
            .build()
            .unwrap();
        let events = [Occurrence::new("backup.completed", at(5))];
        let item = Item::new(tenant(1), "backup", 1_i64, &events);
        let verdict = rules.evaluate(&item, &HoldView::none(), &Moment::at(at(31 * DAY + 5)));
        assert_eq!((verdict.state, verdict.gone_by), (State::Keep, None));
        assert!(verdict.restorable_at(at(4_000 * DAY)));
        assert_eq!(
            rules
                .evaluate(&item, &HoldView::none(), &Moment::at(at(32 * DAY)))
                .state,
            State::Eligible
        );
    }

    #[test]
    fn what_the_rules_do_not_know_is_kept_with_an_alarm() {
        let rules = bin();
        let moment = Moment::at(at(400 * DAY));
        let known = [Occurrence::new("record.deleted", at(0))];
        let odd = [Occurrence::new("record.delete", at(0))];
        let cases = [
            (Item::new(tenant(1), "record", 1_i64, &known), None),
            (Item::new(tenant(1), "recrod", 1_i64, &known), Some("class")),
            (
                Item::new(tenant(1), "record", 1_i64, &known).in_store("attic"),
                Some("store"),
            ),
            (Item::new(tenant(1), "record", 1_i64, &odd), Some("event")),
        ];
        for (item, expect) in cases {
            let verdict = rules.evaluate(&item, &HoldView::none(), &moment);
            let why = verdict.because.unclassified().map(|why| why.to_string());
            assert_eq!(why.is_some(), expect.is_some());
            assert_eq!(verdict.disposes(), expect.is_none());
            if let (Some(why), Some(expect)) = (why, expect) {
                assert!(why.contains(expect), "{why}");
                assert!(verdict.alarms() && verdict.state == State::Keep);
            }
        }
    }

    #[test]
    fn reasons_name_clause_anchor_and_both_readings() {
        let rules = bin();
        let events = [Occurrence::new("record.deleted", at(10))];
        let item = Item::new(tenant(1), "record", 7_i64, &events);
        let verdict = rules.evaluate(&item, &HoldView::none(), &Moment::at(at(20)));
        let clauses: Vec<String> = verdict
            .because
            .rules()
            .filter_map(|r| r.clause.map(|c| c.to_string()))
            .collect();
        assert_eq!(clauses, ["P-52", "P-51"]); // in order of the rules' ids: gone-2, keep-1
        for reason in verdict.because.rules() {
            assert!(reason.decided);
            assert_eq!(reason.anchor, Some(at(10)));
            let window = reason.window.unwrap();
            assert_eq!(
                (window.earliest, window.latest),
                (at(30 * DAY + 10), at(31 * DAY))
            );
        }
    }
}
