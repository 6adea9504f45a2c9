//! Whether all that is due can be done in time, and how fast it may be done.
//!
//! Work is done one piece after the other, earliest deadline first: if any order meets every
//! deadline, this one does.

use std::collections::BTreeMap;
use std::time::Duration;

use covenant_core::Monotonic;
use time::UtcDateTime;

use super::later;

/// A piece of work: so many items and bytes, to be over by a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Work {
    /// By when it must be over; the rest of the slack lies before it.
    pub deadline: UtcDateTime,
    /// Items.
    pub items: u64,
    /// Bytes.
    pub bytes: u64,
}

/// How fast disposal may go: the slower of the two counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Items a second; 0 lets nothing go.
    pub items: u64,
    /// Bytes a second; 0 lets nothing with bytes go.
    pub bytes: u64,
}

/// What is due cannot all be done in time: told while there is still time to do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what is due by {deadline} ends {} s too late", .shortfall.as_secs())]
pub struct Infeasible {
    /// The first deadline that is missed.
    pub deadline: UtcDateTime,
    /// By how much.
    pub shortfall: Duration,
}

impl Rate {
    /// How long the work takes, in whole nanoseconds rounded up; `Duration::MAX` when never.
    #[must_use]
    pub fn takes(&self, items: u64, bytes: u64) -> Duration {
        takes(items, self.items).max(takes(bytes, self.bytes))
    }
}

/// Whether all of it can be done from now on, earliest deadline first. The list may be in any order.
///
/// # Errors
/// [`Infeasible`], for the first deadline that is missed.
// clause: P-52
pub fn feasible(work: &[Work], rate: &Rate, now: UtcDateTime) -> Result<(), Infeasible> {
    let mut due: BTreeMap<UtcDateTime, Duration> = BTreeMap::new();
    for one in work {
        let takes = rate.takes(one.items, one.bytes);
        if !takes.is_zero() {
            let all = due.entry(one.deadline).or_default();
            *all = all.saturating_add(takes);
        }
    }
    let mut busy = Duration::ZERO;
    for (deadline, takes) in due {
        busy = busy.saturating_add(takes);
        let left = Duration::try_from(deadline - now).unwrap_or(Duration::ZERO);
        // Work that is overdue is late by what has passed, and by what it takes.
        let past = Duration::try_from(now - deadline).unwrap_or(Duration::ZERO);
        let shortfall = busy.saturating_sub(left).saturating_add(past);
        if !shortfall.is_zero() {
            return Err(Infeasible {
                deadline,
                shortfall,
            });
        }
    }
    Ok(())
}

/// When the last of it is over, if it is begun now; the end of the calendar when never.
#[must_use]
pub fn done_by(work: &[Work], rate: &Rate, now: UtcDateTime) -> UtcDateTime {
    let all = work.iter().fold(Duration::ZERO, |busy, work| {
        busy.saturating_add(rate.takes(work.items, work.bytes))
    });
    later(now, all)
}

fn takes(amount: u64, rate: u64) -> Duration {
    if amount == 0 {
        return Duration::ZERO;
    }
    let nanos = u128::from(amount).saturating_mul(1_000_000_000);
    let Some(nanos) = nanos.checked_next_multiple_of(u128::from(rate)) else {
        return Duration::MAX;
    };
    let nanos = nanos.checked_div(u128::from(rate)).unwrap_or(u128::MAX);
    let secs = nanos.checked_div(1_000_000_000).unwrap_or(u128::MAX);
    let rest = nanos.checked_rem(1_000_000_000).unwrap_or(0);
    match (u64::try_from(secs), u32::try_from(rest)) {
        (Ok(secs), Ok(rest)) => Duration::new(secs, rest),
        _ => Duration::MAX,
    }
}

/// Holds disposal to its rate: a bucket of items and one of bytes, each filled by the second and
/// never above what it holds. What is larger than a bucket waits for a full one, and is then lent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenBucket {
    rate: Rate,
    burst: Duration,
    /// Time that was used of each kind, counted from one burst before the beginning of the clock, so
    /// that a bucket is full also when the clock has just begun.
    items_free_at: Monotonic,
    bytes_free_at: Monotonic,
}

impl TokenBucket {
    /// Full buckets, which hold what the rate gives in `burst`.
    #[must_use]
    pub const fn new(rate: Rate, burst: Duration, now: Monotonic) -> Self {
        Self {
            rate,
            burst,
            items_free_at: now,
            bytes_free_at: now,
        }
    }

    /// Takes an item of so many bytes out of both buckets, or neither.
    ///
    /// # Errors
    /// How long to wait before asking again; `Duration::MAX` when a rate is zero.
    pub fn take(&mut self, bytes: u64, now: Monotonic) -> Result<(), Duration> {
        let (full, now) = (now, now.saturating_add(self.burst));
        let (item, size) = (takes(1, self.rate.items), takes(bytes, self.rate.bytes));
        if item == Duration::MAX || size == Duration::MAX {
            return Err(Duration::MAX);
        }
        let items = self.items_free_at.max(full);
        let sizes = self.bytes_free_at.max(full);
        // What no bucket can hold at once is let through when the bucket is full.
        let wait = |since: Monotonic, takes: Duration| {
            let needs = since.saturating_add(takes.min(self.burst));
            needs.saturating_sub(now)
        };
        let wait = wait(items, item).max(wait(sizes, size));
        if !wait.is_zero() {
            return Err(wait);
        }
        self.items_free_at = items.saturating_add(item);
        self.bytes_free_at = sizes.saturating_add(size);
        Ok(())
    }
}
