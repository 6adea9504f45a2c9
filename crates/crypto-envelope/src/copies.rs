//! Copies of the key store, each with its own end, and from them the instant from which a destroyed
//! key is in nobody's reach. Pure: who makes, counts and removes copies is the assembly's affair.

mod encoding;
#[cfg(feature = "object-store")]
mod sites;

use time::{Duration, UtcDateTime};
use uuid::Uuid;

pub use encoding::{NotACopy, decode, encode};
#[cfg(feature = "object-store")]
pub use sites::{Chain, CopiesError, StoreCopies, Tended};

/// Days for which a copy of the key store may live (recovery; P5D).
pub const COPY_DAYS_MAX: i64 = 5;
/// Hours after which the newest full copy is too old.
pub const COPY_AGE_HOURS_MAX: i64 = 25;

/// When a copy ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "dates are computed from each of these"
)]
pub enum CopyEnd {
    /// It is removed at this instant.
    At(UtcDateTime),
    /// It follows the store, and drops what was destroyed so long after: a replica, a log archive.
    Follows(Duration),
    /// Nobody knows.
    Unknown,
}

/// One copy of the key store, or of some of its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCopy {
    /// Its id.
    pub id: Uuid,
    /// Where it lies: a name of the operator's, at most 64 bytes, no content.
    pub site: String,
    /// The newest revision of the store that is in it.
    pub revision: u64,
    /// When it was taken.
    pub taken_at: UtcDateTime,
    /// When it ends.
    pub end: CopyEnd,
    /// When it was seen to be gone, before its end or after; `None` as long as it was not.
    pub removed_at: Option<UtcDateTime>,
}

impl KeyCopy {
    /// When this copy no longer holds a key that was destroyed then; `None` when nobody knows.
    #[must_use]
    pub fn ends_at(&self, destroyed_at: UtcDateTime) -> Option<UtcDateTime> {
        if self.removed_at.is_some() {
            return self.removed_at;
        }
        match self.end {
            CopyEnd::At(at) => Some(at),
            CopyEnd::Follows(lag) => Some(destroyed_at.saturating_add(lag)),
            CopyEnd::Unknown => None,
        }
    }

    /// Whether it may hold a record as it was before a destruction at this revision.
    #[must_use]
    pub const fn may_hold(&self, destroyed_revision: u64) -> bool {
        match self.end {
            CopyEnd::Follows(_) => true,
            CopyEnd::At(_) | CopyEnd::Unknown => self.revision < destroyed_revision,
        }
    }

    /// What is wrong with this copy now.
    #[must_use]
    pub fn fault(&self, now: UtcDateTime) -> Option<CopyFault> {
        if self.removed_at.is_some() {
            return None;
        }
        match self.end {
            CopyEnd::Unknown => Some(CopyFault::UnknownEnd),
            CopyEnd::Follows(lag) if lag > Duration::days(COPY_DAYS_MAX) => {
                Some(CopyFault::LivesTooLong)
            }
            CopyEnd::Follows(_) => None,
            CopyEnd::At(end) if end <= now => Some(CopyFault::PastItsEnd),
            CopyEnd::At(end) => {
                let latest = self.taken_at.saturating_add(Duration::days(COPY_DAYS_MAX));
                (end > latest).then_some(CopyFault::LivesTooLong)
            }
        }
    }
}

/// What is wrong with a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CopyFault {
    /// It lives longer than five days: a rotated-out KEK may be gone before it.
    #[error("lives longer than {COPY_DAYS_MAX} days")]
    LivesTooLong,
    /// It is still there.
    #[error("is past its end")]
    PastItsEnd,
    /// No end is known.
    #[error("has no known end")]
    UnknownEnd,
}

/// One copy, as far as one destroyed root is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// When the copy ends; `None` when nobody knows.
    pub ends_at: Option<UtcDateTime>,
    /// When the KEK that wraps the root in that copy is gone everywhere; `None` when it is not, or
    /// nobody knows.
    pub kek_gone_at: Option<UtcDateTime>,
}

/// From when on no copy gives the key back: the latest, over the process caches and every copy, of
/// the instant at which that one is of no use. `None` when any of them has no known end.
#[must_use]
pub fn unrecoverable_at(
    destroyed_at: UtcDateTime,
    cache_bound: Duration,
    holdings: impl IntoIterator<Item = Holding>,
) -> Option<UtcDateTime> {
    let cached = destroyed_at.saturating_add(cache_bound);
    holdings.into_iter().try_fold(cached, |latest, holding| {
        let useless = match (holding.ends_at, holding.kek_gone_at) {
            (Some(copy), Some(kek)) => copy.min(kek),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) => return None,
        };
        Some(latest.max(useless))
    })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::{Strategy, prop_assert_eq, proptest};

    use super::*;

    fn at(hour: i64) -> UtcDateTime {
        UtcDateTime::UNIX_EPOCH + Duration::hours(hour)
    }

    /// Hour by hour: is the key in anybody's reach?
    fn reachable(hour: i64, gone: i64, cached: i64, copies: &[(Option<i64>, Option<i64>)]) -> bool {
        let before = |end: Option<i64>| end.is_none_or(|end| hour < end);
        hour < gone + cached || copies.iter().any(|(end, kek)| before(*end) && before(*kek))
    }

    const LAST: i64 = 60;

    fn hour() -> impl Strategy<Value = Option<i64>> {
        option::weighted(0.8, 0..LAST)
    }

    proptest! {
        #[test]
        fn the_date_is_what_a_search_hour_by_hour_finds(
            gone in 0..20_i64,
            cached in 0..5_i64,
            copies in vec((hour(), hour()), 0..6),
        ) {
            let holdings = copies.iter().map(|(end, kek)| Holding {
                ends_at: end.map(at),
                kek_gone_at: kek.map(at),
            });
            let date = unrecoverable_at(at(gone), Duration::hours(cached), holdings);
            // the last hour is beyond every end, so what is reachable then is so for ever
            let for_ever = reachable(LAST, gone, cached, &copies);
            let last = (0..LAST).rev().find(|hour| reachable(*hour, gone, cached, &copies));
            let expect = last.map_or(at(gone + cached), |hour| at(hour + 1));
            // before the destruction the key is in reach anyway, by itself
            let expect = expect.max(at(gone + cached));
            prop_assert_eq!(date, (!for_ever).then_some(expect));
        }
    }

    fn copy(end: CopyEnd) -> KeyCopy {
        KeyCopy {
            id: Uuid::nil(),
            site: "second-site".to_owned(),
            revision: 7,
            taken_at: at(0),
            end,
            removed_at: None,
        }
    }

    #[test]
    fn a_copy_holds_what_was_destroyed_after_it_was_taken() {
        let ends = [CopyEnd::At(at(100)), CopyEnd::Unknown];
        for end in ends {
            assert!(copy(end).may_hold(8), "{end:?}");
            assert!(!copy(end).may_hold(7), "{end:?}");
        }
        let replica = copy(CopyEnd::Follows(Duration::HOUR));
        assert!(replica.may_hold(7) && replica.may_hold(8));
        assert_eq!(replica.ends_at(at(50)), Some(at(51)));
        assert_eq!(copy(CopyEnd::Unknown).ends_at(at(50)), None);
        let removed = KeyCopy {
            removed_at: Some(at(9)),
            ..copy(CopyEnd::Unknown)
        };
        assert_eq!(removed.ends_at(at(50)), Some(at(9)));
    }

    #[test]
    fn a_copy_that_outlives_five_days_or_its_end_is_a_fault() {
        let check = |end: CopyEnd, now: i64, expect: Option<CopyFault>| {
            assert_eq!(copy(end).fault(at(now)), expect, "{end:?} {now}");
        };
        check(CopyEnd::At(at(120)), 119, None);
        check(CopyEnd::At(at(120)), 120, Some(CopyFault::PastItsEnd));
        check(CopyEnd::At(at(121)), 0, Some(CopyFault::LivesTooLong));
        check(CopyEnd::Follows(Duration::hours(120)), 500, None);
        let lag = CopyEnd::Follows(Duration::hours(121));
        check(lag, 0, Some(CopyFault::LivesTooLong));
        check(CopyEnd::Unknown, 0, Some(CopyFault::UnknownEnd));
    }
}
