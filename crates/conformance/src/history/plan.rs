//! What happens on which day: drawn from the seed, but for what every history must have.

use time::Duration;

use crate::stage::draw;

/// Seconds of a day.
const DAY_SECS: u64 = 86_400;

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A member writes a new record.
    Put,
    /// A member changes a record.
    Change,
    /// A member deletes a record to the bin.
    Delete,
    /// A member takes a record out of the bin.
    Undelete,
    /// An administrator of the database purges a record that is in the bin.
    PurgeByHand,
    /// A member deletes the file of a record, which stays.
    DeleteFile,
    /// Somebody asks for a backup now.
    BackUp,
    /// Somebody looks at an old backup.
    RestoreSnapshot,
    /// The second tenant's database is deleted.
    DeleteDatabase,
    /// The third tenant's contract begins.
    BeginContract,
    /// It ends.
    EndContract,
    /// The depot is down for so long.
    Down(Duration),
    /// The depot takes nothing new for so long.
    Full(Duration),
    /// The depot answers slowly for so long.
    Slow(Duration),
    /// The system stops dead and starts again.
    CrashIdle,
    /// The same, before this effect of what is due.
    CrashAt(u64),
    /// The wall clock is off by so much for so long.
    WrongClock {
        /// By how much.
        off: Duration,
        /// For how long.
        lasts: Duration,
    },
}

/// When, counted from the start, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) after: Duration,
    pub(super) what: What,
}

/// What every history has, on these days: the clock is wrong once by each amount of the design, a
/// database is deleted in time to be purged long before the end, and a contract is over, with
/// everything of its tenant, long before it too: both before the clock is 400 days ahead, since a
/// backup that is made meanwhile belongs to an epoch that is not over for as long, and keeps a tenant
/// from leaving.
const FIXED: &[(u16, What)] = &[
    (40, What::BeginContract),
    (45, What::CrashIdle),
    (
        60,
        What::WrongClock {
            off: Duration::hours(-1),
            lasts: Duration::hours(2),
        },
    ),
    (75, What::Down(Duration::hours(3))),
    (90, What::CrashAt(2)),
    (100, What::Slow(Duration::hours(30))),
    (
        120,
        What::WrongClock {
            off: Duration::hours(1),
            lasts: Duration::hours(2),
        },
    ),
    (140, What::Full(Duration::hours(2))),
    (150, What::DeleteDatabase),
    (155, What::EndContract),
    (156, What::CrashIdle),
    (170, What::CrashAt(4)),
    (
        200,
        What::WrongClock {
            off: Duration::days(400),
            lasts: Duration::minutes(20),
        },
    ),
    (230, What::CrashAt(1)),
];

/// The steps of a day, in the order of their times.
pub(super) fn day(seed: u64, day: u16) -> Vec<Step> {
    let drawn = |name: &str, below| draw(seed, &format!("history/{day}/{name}"), below);
    let at = |name: &str| {
        let secs = i64::try_from(drawn(name, DAY_SECS)).unwrap_or(0);
        Duration::days(i64::from(day)).saturating_add(Duration::seconds(secs))
    };
    let mut steps = Vec::new();
    let fixed = FIXED.iter().filter(|(on, _)| *on == day);
    steps.extend(fixed.map(|(_, what)| Step {
        after: at("fixed"),
        what: *what,
    }));
    let what = match drawn("what", 100) {
        0..28 => Some(What::Put),
        28..38 => Some(What::Change),
        38..56 => Some(What::Delete),
        56..62 => Some(What::Undelete),
        62..64 => Some(What::BackUp),
        64..66 => Some(What::RestoreSnapshot),
        66 => Some(What::Down(Duration::hours(2))),
        67 => Some(What::CrashIdle),
        68 => Some(What::CrashAt(drawn("effect", 9).saturating_add(1))),
        69 => Some(What::Full(Duration::hours(1))),
        70..73 => Some(What::PurgeByHand),
        73..76 => Some(What::DeleteFile),
        _ => None,
    };
    steps.extend(what.map(|what| Step {
        after: at("when"),
        what,
    }));
    steps.sort_by_key(|step| step.after);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_follows_from_the_seed_and_holds_what_every_history_must() {
        let all = |seed| (2..425).flat_map(|d| day(seed, d)).collect::<Vec<_>>();
        assert_eq!(all(7), all(7));
        assert_ne!(all(7), all(8));
        for seed in [7, 8] {
            let steps = all(seed);
            assert!(steps.is_sorted_by_key(|step| step.after));
            for (_, what) in FIXED {
                assert!(steps.iter().any(|step| step.what == *what), "{what:?}");
            }
            assert!((150..400).contains(&steps.len()), "{}", steps.len());
        }
    }
}
