//! Whether a tenant's rule narrows anything: one that says less than a rule of everybody's wherever it
//! rules is refused, since it could only mislead.

use std::collections::BTreeMap;

use covenant_core::{Period, Reading};

use super::{Check, lineage};
use crate::feasible::Index;
use crate::rule::{Limit, Rule};
use crate::{ClassId, RuleError};

impl Check {
    /// Refuses each added rule to which a rule of everybody's leaves nothing to say.
    // clause: P-46
    pub(super) fn weaker(
        &mut self,
        added: &[Rule],
        (base, index): (&[Rule], &Index),
        parents: &BTreeMap<ClassId, Option<ClassId>>,
        reading: &Reading,
    ) {
        for rule in added {
            let rules_pair = |store, class: &ClassId| {
                let line = lineage(class, parents);
                rule.stores.contains(store) && rule.classes.iter().any(|one| line.contains(one))
            };
            let pairs = index.iter();
            let pairs = pairs.filter(|((store, class), _)| rules_pair(store, class));
            let more = pairs.map(|(_, under)| {
                let under = under.iter().filter_map(|at| base.get(*at));
                under
                    .into_iter()
                    .find(|other| says_more(other, rule, reading))
            });
            let more: Option<Vec<&Rule>> = more.collect();
            if let Some(than) = more.and_then(|more| more.first().map(|rule| rule.id.to_string())) {
                let rule = rule.id.to_string();
                self.errors.push(RuleError::Weaker { rule, than });
            }
        }
    }
}

/// Whether the first rule asks for more than the second on every date, and the second for nothing
/// besides.
fn says_more(more: &Rule, less: &Rule, reading: &Reading) -> bool {
    if more.to != less.to || more.limit == less.limit {
        return false;
    }
    match (&more.limit, &less.limit) {
        (
            Limit::Floor {
                from: a,
                period: long,
                early_secs: early,
            },
            Limit::Floor {
                from: b,
                period: short,
                early_secs: earlier,
            },
        ) => {
            // one that fewer events waive keeps where the other lets go
            let waived = more
                .waived_by
                .iter()
                .all(|event| less.waived_by.contains(event));
            let within = is_part_of(short, long) && early <= earlier;
            a == b && waived && (within || ends_before((short, earlier), (long, early), reading))
        }
        (
            Limit::Ceiling {
                from: a,
                period: short,
                late_secs: late,
            },
            Limit::Ceiling {
                from: b,
                period: long,
                late_secs: later,
            },
        ) => {
            let within = is_part_of(short, long) && late <= later;
            let longest = short.bounds(reading).longest_secs.saturating_add(*late);
            let shortest = long.bounds(reading).shortest_secs.saturating_add(*later);
            a == b && (within || longest <= shortest)
        }
        _ => false,
    }
}

/// Whether no part of the first period is longer than that of the second.
const fn is_part_of(short: &Period, long: &Period) -> bool {
    short.month_part() <= long.month_part()
        && short.day_part() <= long.day_part()
        && short.sec_part() <= long.sec_part()
}

/// Whether the first floor, less its tolerance, has ended on every date before the second does.
fn ends_before(
    (short, earlier): (&Period, &u64),
    (long, early): (&Period, &u64),
    reading: &Reading,
) -> bool {
    let longest = short.bounds(reading).longest_secs.saturating_sub(*earlier);
    let shortest = long.bounds(reading).shortest_secs.saturating_sub(*early);
    longest <= shortest
}
