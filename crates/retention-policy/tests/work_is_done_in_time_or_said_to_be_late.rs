//! Whether all that is due fits is answered as trying every order would; and no worker goes faster
//! than its rate.
#[cfg(test)]
mod cases {
    use std::time::Duration;

    use proptest::prelude::*;
    use retention_policy::{Infeasible, Rate, TokenBucket, Work, done_by, feasible};
    use time::UtcDateTime;

    fn at(secs: i64) -> UtcDateTime {
        UtcDateTime::UNIX_EPOCH + time::Duration::seconds(secs)
    }

    fn work(deadline: i64, items: u64, bytes: u64) -> Work {
        Work {
            deadline: at(deadline),
            items,
            bytes,
        }
    }

    /// Whether any order of the work meets every deadline, tried one after the other.
    fn any_order(work: &mut Vec<Work>, done: usize, busy: Duration, rate: &Rate) -> bool {
        if done == work.len() {
            return true;
        }
        for next in done..work.len() {
            work.swap(done, next);
            let one = work[done];
            let over = busy + rate.takes(one.items, one.bytes);
            let in_time =
                time::Duration::try_from(over).is_ok_and(|over| at(0) + over <= one.deadline);
            let fits = in_time && any_order(work, done + 1, over, rate);
            work.swap(done, next);
            if fits {
                return true;
            }
        }
        false
    }

    fn some_work() -> impl Strategy<Value = Vec<Work>> {
        let one = (0_i64..30, 1..20_u64, 0..200_u64);
        proptest::collection::vec(one, 0..6).prop_map(|all| {
            let all = all.into_iter();
            all.map(|(deadline, items, bytes)| work(deadline, items, bytes))
                .collect()
        })
    }

    proptest! {
        // clause: P-52
        #[test]
        fn earliest_deadline_first_finds_an_order_if_there_is_one(
            mut all in some_work(), items in 1..5_u64, bytes in 1..60_u64,
        ) {
            let rate = Rate { items, bytes };
            let answer = feasible(&all, &rate, at(0));
            prop_assert_eq!(answer.is_ok(), any_order(&mut all, 0, Duration::ZERO, &rate));
            all.reverse();
            prop_assert_eq!(feasible(&all, &rate, at(0)), answer);
            if let Err(Infeasible { deadline, shortfall }) = answer {
                prop_assert!(!shortfall.is_zero());
                // with so much more time the same deadline is met
                let more = time::Duration::try_from(shortfall).unwrap();
                let due: Vec<Work> = all.iter().copied().filter(|one| one.deadline <= deadline).collect();
                let later: Vec<Work> = due
                    .iter()
                    .map(|one| Work { deadline: one.deadline.max(deadline + more), ..*one })
                    .collect();
                prop_assert_eq!(feasible(&later, &rate, at(0)), Ok(()));
                prop_assert!(done_by(&due, &rate, at(0)) == deadline + more);
            }
        }

        /// In no stretch of time more goes than was in the bucket and what was filled in.
        #[test]
        fn nobody_goes_faster_than_the_rate(
            asks in proptest::collection::vec((0..3_000_u64, 0..150_u64), 1..80),
            items in 1..5_u64, bytes in 1..100_u64, burst in 1..5_u64,
        ) {
            let rate = Rate { items, bytes };
            let mut bucket = TokenBucket::new(rate, Duration::from_secs(burst), Duration::from_secs(100));
            let mut now = Duration::from_secs(100);
            let mut taken: Vec<(Duration, u64)> = Vec::new();
            for (wait_millis, size) in asks {
                now += Duration::from_millis(wait_millis);
                match bucket.take(size, now) {
                    Ok(()) => taken.push((now, size)),
                    Err(wait) => {
                        prop_assert!(!wait.is_zero());
                        let mut later = bucket.clone();
                        prop_assert_eq!(later.take(size, now + wait), Ok(()), "the wait is enough");
                    }
                }
            }
            for (n, (from, _)) in taken.iter().enumerate() {
                for (m, (until, last)) in taken.iter().enumerate().skip(n) {
                    let span = (*until - *from).as_secs_f64() + f64::from(u32::try_from(burst).unwrap());
                    let count = u32::try_from(m - n).unwrap();
                    let sum: u64 = taken[n..m].iter().map(|(_, size)| size).sum();
                    // the last one may be lent: it is larger than what a bucket holds
                    prop_assert!(f64::from(count) <= span * f64::from(u32::try_from(items).unwrap()) + 1e-6);
                    let most = span * f64::from(u32::try_from(bytes).unwrap()) + 1e-6;
                    let lent = taken[n..=m].iter().map(|(_, size)| *size).max().unwrap_or(*last);
                    prop_assert!(f64::from(u32::try_from(sum).unwrap()) <= most + f64::from(u32::try_from(lent).unwrap()));
                }
            }
        }
    }

    #[test]
    fn the_first_deadline_that_is_missed_is_named() {
        let rate = Rate {
            items: 1,
            bytes: 10,
        };
        let all = [work(10, 5, 0), work(20, 4, 170), work(30, 1, 0)];
        let missed = feasible(&all, &rate, at(0));
        let expect = Infeasible {
            deadline: at(20),
            shortfall: Duration::from_secs(2),
        };
        assert_eq!(missed, Err(expect));
        assert_eq!(feasible(&all[..1], &rate, at(5)), Ok(()));
        assert!(feasible(&all[..1], &rate, at(6)).is_err());
        // what is overdue is late by what has passed as well
        let late = feasible(&[work(0, 3, 0)], &rate, at(10)).unwrap_err();
        assert_eq!(late.shortfall, Duration::from_secs(13));
        // nothing goes at no rate
        let none = Rate { items: 0, bytes: 0 };
        assert!(feasible(&all, &none, at(0)).is_err());
        assert_eq!(done_by(&all, &none, at(0)), UtcDateTime::MAX);
        // a third of a second is not over before its last nanosecond is
        let thirds = Rate { items: 3, bytes: 7 };
        assert_eq!(thirds.takes(1, 0), Duration::from_nanos(333_333_334));
        assert_eq!(thirds.takes(1, 3), Duration::from_nanos(428_571_429));
        assert_eq!(thirds.takes(3, 7), Duration::from_secs(1));
        assert_eq!(feasible(&[work(0, 0, 0)], &none, at(10)), Ok(()));
        // a bucket is full from the first moment of the clock on
        let four = Rate { items: 4, bytes: 4 };
        let mut new = TokenBucket::new(four, Duration::from_secs(1), Duration::ZERO);
        for _ in 0..4 {
            assert_eq!(new.take(1, Duration::ZERO), Ok(()));
        }
        assert!(new.take(1, Duration::ZERO).is_err());
        let mut shut = TokenBucket::new(none, Duration::from_secs(1), Duration::from_secs(9));
        assert_eq!(shut.take(0, Duration::from_secs(99)), Err(Duration::MAX));
    }
}
