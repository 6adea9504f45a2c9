//! Every pattern says of random traces what a naive rescan of the whole trace says, at the exact
//! second, in zones with and without changes of their clocks.

#[cfg(test)]
mod rescan {
    use std::collections::{BTreeMap, BTreeSet};

    use covenant_core::{
        Action, ClauseId, DayRule, MonthRule, Period, Reading, TenantId, TxnId, Zone,
    };
    use policy_document::monitor::{
        Attribute, Attributes, Cases, Judgement, Monitor, Observed, Pattern, Rhythm, TXN_SPAN_SECS,
    };
    use proptest::prelude::*;
    use time::{Date, Duration, UtcDateTime};
    use uuid::Uuid;

    const A: Action = Action::RecordDeleted;
    const B: Action = Action::RecordPurged;
    const END: Action = Action::RecordRestored;
    const OTHER: Action = Action::RecordCreated;
    const KEYS: [&[u8]; 3] = [b"one", b"two", b"three"];
    const WORDS: [&str; 3] = ["red", "green", "blue"];

    /// One step of a trace: seconds after the one before, action, key, transaction, two words.
    type Step = (i64, Action, usize, u128, usize, usize);

    #[derive(Debug, Clone)]
    struct Seen {
        at: UtcDateTime,
        action: Action,
        key: usize,
        txn: u128,
        words: (usize, usize),
    }

    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    struct Count {
        held: u64,
        broken: u64,
        open: u64,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let gaps = vec![
            0, 1, 2, 3, 1_799, 1_800, 3_599, 3_600, 3_601, 43_200, 86_399, 86_400, 86_401,
        ];
        let step = (
            prop::sample::select(gaps),
            prop::sample::select(vec![A, A, B, B, END, OTHER]),
            0..KEYS.len(),
            0_u128..4,
            0..WORDS.len(),
            0..WORDS.len(),
        );
        prop::collection::vec(step, 0..24)
    }

    fn starts() -> impl Strategy<Value = UtcDateTime> {
        // changes of clocks in Chicago, Berlin and Lord Howe, and an end of February
        prop::sample::select(vec![
            time::macros::utc_datetime!(2027-03-13 11:59:58),
            time::macros::utc_datetime!(2027-11-06 17:00:00),
            time::macros::utc_datetime!(2027-03-27 23:30:00),
            time::macros::utc_datetime!(2027-04-03 14:00:00),
            time::macros::utc_datetime!(2028-02-28 14:59:59),
        ])
    }

    fn readings() -> impl Strategy<Value = Reading> {
        let zones = [
            "UTC",
            "+09:00",
            "America/Chicago",
            "Europe/Berlin",
            "Australia/Lord_Howe",
        ];
        let zones = prop::sample::subsequence(zones.to_vec(), 1..=2);
        let days = prop::sample::select(vec![
            vec![DayRule::Elapsed],
            vec![DayRule::EndOfDay],
            DayRule::ALL.to_vec(),
        ]);
        (zones, days).prop_map(|(zones, days)| {
            let zones = zones.into_iter().map(|z| z.parse::<Zone>().unwrap());
            Reading::new(zones, days, MonthRule::ClampEnd).unwrap()
        })
    }

    fn periods() -> impl Strategy<Value = Period> {
        let texts = ["PT0S", "PT1S", "PT2S", "PT1H", "P1D", "P2DT1S", "P1M"];
        prop::sample::select(texts.to_vec()).prop_map(|p| p.parse().unwrap())
    }

    fn tolerances() -> impl Strategy<Value = Period> {
        prop::sample::select(vec![0_u64, 1, 3_600]).prop_map(Period::seconds)
    }

    fn trace(start: UtcDateTime, steps: Vec<Step>) -> Vec<Seen> {
        let mut at = start;
        let mut seen = Vec::new();
        for (gap, action, key, txn, one, other) in steps {
            at += Duration::seconds(gap);
            seen.push(Seen {
                at,
                action,
                key,
                txn,
                words: (one, other),
            });
        }
        seen
    }

    fn tenant() -> TenantId {
        TenantId::derive(&Uuid::NAMESPACE_DNS, "one.example")
    }

    fn txn(number: u128) -> Option<TxnId> {
        (number > 0).then(|| TxnId::from_uuid(Uuid::from_u128(number)))
    }

    fn judge(pattern: Pattern, reading: &Reading, trace: &[Seen], end: UtcDateTime) -> Judgement {
        let clause: ClauseId = "P-51".parse().unwrap();
        let mut monitor = Monitor::new(clause, pattern, reading);
        for seen in trace {
            let words = [
                ("colour", Attribute::Word(WORDS[seen.words.0])),
                ("shade", Attribute::Word(WORDS[seen.words.1])),
            ];
            let event = Observed {
                at: seen.at,
                action: seen.action,
                tenant: Some(tenant()),
                key: Some(KEYS[seen.key]),
                txn: txn(seen.txn),
                attributes: Attributes::new(covenant_core::Outcome::Ok, &words),
            };
            monitor.see(&event).unwrap();
        }
        monitor.close(end)
    }

    fn check(judgement: &Judgement, expect: &Count) -> Result<(), TestCaseError> {
        let broken = expect.broken;
        match judgement {
            Judgement::Violated(all) => {
                prop_assert_eq!(all.len() as u64, broken, "{:?} {:?}", judgement, expect);
            }
            Judgement::Pending(all) => {
                prop_assert_eq!(broken, 0, "{:?}", expect);
                prop_assert_eq!(
                    all.len() as u64,
                    expect.open,
                    "{:?} {:?}",
                    judgement,
                    expect
                );
            }
            Judgement::Satisfied { cases, .. } => {
                prop_assert_eq!((broken, expect.open), (0, 0), "{:?}", expect);
                prop_assert_eq!(*cases, expect.held);
            }
            Judgement::Unseen => prop_assert_eq!(expect, &Count::default()),
            other => prop_assert!(false, "{other:?}"),
        }
        Ok(())
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    enum Verdict {
        Dropped,
        Held,
        Open,
        Broken,
    }

    /// Each start with the first thing that settles it; starts that one thing settles are one case.
    fn rescan(
        trace: &[Seen],
        to: Action,
        settled: impl Fn(&Seen, &Seen) -> Verdict,
        ended: impl Fn(&Seen, &Seen) -> Verdict,
        left: impl Fn(&Seen) -> Verdict,
    ) -> Count {
        let mut groups: BTreeMap<(usize, usize), Verdict> = BTreeMap::new();
        for (index, start) in trace.iter().enumerate().filter(|(_, s)| s.action == A) {
            let later = trace.iter().enumerate().skip(index + 1);
            let mut later = later.filter(|(_, s)| s.key == start.key);
            let next = later.find(|(_, s)| s.action == to || s.action == END);
            let (at, verdict) = match next {
                Some((at, s)) if s.action == to => (at, settled(start, s)),
                Some((at, s)) => (at, ended(start, s)),
                None => (usize::MAX, left(start)),
            };
            let group = groups.entry((start.key, at)).or_insert(verdict);
            *group = (*group).max(verdict);
        }
        count(groups.into_values())
    }

    fn count(verdicts: impl Iterator<Item = Verdict>) -> Count {
        let mut count = Count::default();
        for verdict in verdicts {
            match verdict {
                Verdict::Dropped => {}
                Verdict::Held => count.held += 1,
                Verdict::Open => count.open += 1,
                Verdict::Broken => count.broken += 1,
            }
        }
        count
    }

    const fn if_else(condition: Option<()>, yes: Verdict, no: Verdict) -> Verdict {
        if condition.is_some() { yes } else { no }
    }

    fn night(at: UtcDateTime, zone: &Zone) -> Date {
        (zone.local(at) - Duration::hours(12)).date()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_500))]

        #[test]
        fn within(
            start in starts(), steps in steps(), reading in readings(),
            max in periods(), late in tolerances(), more in 0_i64..90_000,
        ) {
            let trace = trace(start, steps);
            let end = trace.last().map_or(start, |s| s.at) + Duration::seconds(more);
            let limit = |s: &Seen| {
                let late = Duration::seconds(i64::try_from(late.as_secs().unwrap()).unwrap());
                max.resolve(s.at, &reading).unwrap().earliest + late
            };
            let expect = rescan(
                &trace,
                B,
                |a, b| if_else((b.at <= limit(a)).then_some(()), Verdict::Held, Verdict::Broken),
                |a, e| if_else((e.at <= limit(a)).then_some(()), Verdict::Dropped, Verdict::Broken),
                |a| if_else((end <= limit(a)).then_some(()), Verdict::Open, Verdict::Broken),
            );
            let (from, ended_by) = ([A].into(), [END].into());
            let pattern = Pattern::Within { from, to: B, max, late, ended_by, cases: Cases::Thing };
            check(&judge(pattern, &reading, &trace, end), &expect)?;
        }

        #[test]
        fn not_before(
            start in starts(), steps in steps(), reading in readings(),
            min in periods(), early in tolerances(), more in 0_i64..90_000,
        ) {
            let trace = trace(start, steps);
            let end = trace.last().map_or(start, |s| s.at) + Duration::seconds(more);
            let limit = |s: &Seen| {
                let early = Duration::seconds(i64::try_from(early.as_secs().unwrap()).unwrap());
                min.resolve(s.at, &reading).unwrap().latest - early
            };
            let expect = rescan(
                &trace,
                B,
                |a, b| if_else((b.at >= limit(a)).then_some(()), Verdict::Held, Verdict::Broken),
                |_, _| Verdict::Dropped,
                |a| if_else((end >= limit(a)).then_some(()), Verdict::Held, Verdict::Open),
            );
            let (from, ended_by) = ([A].into(), [END].into());
            let pattern = Pattern::NotBefore { from, to: B, min, early, ended_by, cases: Cases::Thing };
            check(&judge(pattern, &reading, &trace, end), &expect)?;
        }

        #[test]
        fn every(
            start in starts(), steps in steps(), reading in readings(),
            period in prop::option::of(periods()), more in 0_i64..190_000,
        ) {
            let trace = trace(start, steps);
            let end = trace.last().map_or(start, |s| s.at) + Duration::seconds(more);
            let in_time = |a: &Seen, at: UtcDateTime| match period {
                Some(period) => at <= period.resolve(a.at, &reading).unwrap().earliest,
                None => reading.zones().iter().all(|zone| {
                    night(at, zone) <= night(a.at, zone).next_day().unwrap()
                }),
            };
            let settled = |a: &Seen, b: &Seen| {
                if_else(in_time(a, b.at).then_some(()), Verdict::Held, Verdict::Broken)
            };
            let ended = |a: &Seen, e: &Seen| {
                if_else(in_time(a, e.at).then_some(()), Verdict::Dropped, Verdict::Broken)
            };
            let left = |a: &Seen| {
                if_else(in_time(a, end).then_some(()), Verdict::Open, Verdict::Broken)
            };
            let mut expect = rescan(&trace, A, settled, ended, left);
            if expect.held > 0 {
                expect.open = 0;
            }
            let pattern = Pattern::Every {
                action: A,
                rhythm: period.map_or(Rhythm::CivilNight, Rhythm::Period),
                late: Period::ZERO,
                ended_by: [END].into(),
                cases: Cases::Thing,
            };
            check(&judge(pattern, &reading, &trace, end), &expect)?;
        }

        #[test]
        fn never_and_before(start in starts(), steps in steps()) {
            let (trace, reading) = (trace(start, steps), Reading::default());
            let end = trace.last().map_or(start, |s| s.at);
            let before = |i: usize, actions: &[Action]| {
                let key = trace[i].key;
                let found = trace[..i].iter().rev().find(|s| s.key == key && actions.contains(&s.action));
                found.map(|s| s.action)
            };
            let (mut never, mut first) = (Count::default(), Count::default());
            for (i, seen) in trace.iter().enumerate() {
                let state = before(i, &[A, END]) == Some(A);
                match seen.action {
                    A if !state => never.held += 1,
                    B if state => never.broken += 1,
                    _ => {}
                }
                if seen.action == B && before(i, &[A]).is_some() {
                    first.held += 1;
                } else if seen.action == B {
                    first.broken += 1;
                }
            }
            let (from, until) = ([A].into(), [END].into());
            let pattern = Pattern::Never { action: B, from, until, cases: Cases::Thing };
            check(&judge(pattern, &reading, &trace, end), &never)?;
            let pattern = Pattern::Before { first: A, then: B, cases: Cases::Thing };
            check(&judge(pattern, &reading, &trace, end), &first)?;
        }

        #[test]
        fn always(start in starts(), steps in steps(), more in 0_i64..7_200) {
            let (trace, reading) = (trace(start, steps), Reading::default());
            let end = trace.last().map_or(start, |s| s.at) + Duration::seconds(more);
            let span = Duration::seconds(TXN_SPAN_SECS);
            let mut verdicts = Vec::new();
            let mut done = BTreeSet::new();
            for (i, first) in trace.iter().enumerate() {
                if done.contains(&i) || !(first.action == A || first.action == B) {
                    continue;
                }
                // all of one transaction, from its first event on, as long as it may last
                let of = |j: &usize| {
                    let s = &trace[*j];
                    s.txn == first.txn && (s.action == A || s.action == B) && s.at <= first.at + span
                };
                let all: Vec<usize> = match first.txn {
                    0 => vec![i],
                    _ => (i..trace.len()).filter(of).collect(),
                };
                let when = all.iter().any(|j| trace[*j].action == A);
                let then = all.iter().any(|j| trace[*j].action == B);
                verdicts.push(match (when, then) {
                    (false, _) => Verdict::Dropped,
                    (true, true) => Verdict::Held,
                    (true, false) if first.txn != 0 && end <= first.at + span => Verdict::Open,
                    (true, false) => Verdict::Broken,
                });
                done.extend(all);
            }
            let expect = count(verdicts.into_iter());
            check(&judge(Pattern::Always { when: A, then: B }, &reading, &trace, end), &expect)?;
        }

        #[test]
        fn member_and_unique(start in starts(), steps in steps()) {
            let (trace, reading) = (trace(start, steps), Reading::default());
            let end = trace.last().map_or(start, |s| s.at);
            let (mut member, mut unique) = (Count::default(), Count::default());
            let mut pairs: Vec<(usize, usize)> = Vec::new();
            for seen in trace.iter().filter(|s| s.action == A) {
                *if seen.words.0 < 2 { &mut member.held } else { &mut member.broken } += 1;
                let clash = |p: &(usize, usize)| (p.0 == seen.words.0) != (p.1 == seen.words.1);
                if pairs.iter().any(clash) {
                    unique.broken += 1;
                } else {
                    pairs.push(seen.words);
                    unique.held += 1;
                }
            }
            let (attribute, per) = ("colour".parse().unwrap(), "shade".parse().unwrap());
            let set = ["red", "green"].iter().map(|w| w.parse().unwrap()).collect();
            let pattern = Pattern::Member { action: A, attribute, set };
            check(&judge(pattern, &reading, &trace, end), &member)?;
            let attribute = "colour".parse().unwrap();
            let pattern = Pattern::Unique { action: A, attribute, per };
            check(&judge(pattern, &reading, &trace, end), &unique)?;
        }
    }
}
