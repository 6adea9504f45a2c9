//! How long items stay, store by store: what no single rule says, but all of them imply.
//!
//! The longest and the shortest way through the rules, from an event that nobody chooses to the
//! moment at which the store no longer has the item. Days are counted as elapsed, at the figures of
//! the rules; what declared tolerances add or take stands beside. A copy counts from the moment at
//! which its origin loses the item, because the last copy is not older.

use std::collections::BTreeSet;

use covenant_core::network::{Calendar, Network, Stretch};
use covenant_core::{DayRule, MonthRule, Reading, Zone};

use crate::feasible::{ClassView, Copies, gone_from};
use crate::trigger::{BACKUP_COMPLETED, BACKUP_CONSISTENT};
use crate::{ClassId, RuleId, RuleSet, StoreName, Trigger};

/// Seconds of a day of 24 hours.
const DAY_SECS: u64 = 86_400;

/// How long items of a class may and must stay in a store after an event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Residency {
    /// The class.
    pub class: ClassId,
    /// The store.
    pub store: StoreName,
    /// The event from which it is counted.
    pub from: Trigger,
    /// The name that rules give to the moment at which it is gone; `None` when they give none.
    pub to: Option<Trigger>,
    /// It stays at least so long, if nobody waives a floor; nothing when it may go at once.
    pub shortest: Stay,
    /// It is gone after so long; `None` when nothing says so.
    pub longest: Option<Stay>,
}

/// One side of a residency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stay {
    /// Its length in seconds, by the figures of the rules alone.
    pub secs: u64,
    /// What declared tolerances change: the shortest stay may be so much shorter, the longest so
    /// much longer.
    pub tolerance_secs: u64,
    /// The rules that give it, ascending.
    pub because: Vec<RuleId>,
}

impl Residency {
    /// The whole days that are certain.
    #[must_use]
    pub const fn min_days(&self) -> u64 {
        self.shortest.secs.div_euclid(DAY_SECS)
    }

    /// The days after which it is gone, a part of a day counted as a day.
    #[must_use]
    pub fn max_days(&self) -> Option<u64> {
        Some(self.longest.as_ref()?.secs.div_ceil(DAY_SECS))
    }

    /// How long it stays, in words: whole days, or the seconds of less than a day.
    #[must_use]
    pub fn stays(&self) -> String {
        let least = self.min_days();
        match (&self.longest, self.max_days()) {
            (Some(most), _) if most.secs < DAY_SECS => format!("at most {} s", most.secs),
            (_, Some(most)) if most == least => format!("{most} d"),
            (_, Some(most)) if least == 0 => format!("at most {most} d"),
            (_, Some(most)) => format!("{least} to {most} d"),
            (_, None) => format!("at least {least} d, and nothing says when it goes"),
        }
    }

    /// What declared tolerances change, in words.
    #[must_use]
    pub fn tolerance(&self) -> String {
        let hours = |secs: u64| match secs.checked_rem(3_600) {
            Some(0) => format!("PT{}H", secs.div_euclid(3_600)),
            _ => format!("PT{secs}S"),
        };
        let more = self.longest.as_ref().map_or(0, |most| most.tolerance_secs);
        match (more, self.shortest.tolerance_secs) {
            (0, 0) => "none".to_owned(),
            (more, 0) => format!("{} more", hours(more)),
            (0, less) => format!("{} less", hours(less)),
            (more, less) => format!("{} more, {} less", hours(more), hours(less)),
        }
    }
}

impl RuleSet {
    /// How long items of the class stay in each store after each event that rules count from, in
    /// order of events and then of stores; nothing for a class that the rules do not know.
    ///
    /// What tenants added is not looked at: their rules concern their own items alone.
    // clause: P-18, P-49, P-52, P-57, P-59, P-60, R-23
    #[must_use]
    pub fn residency(&self, class: &ClassId) -> Vec<Residency> {
        let view = ClassView::of(&self.graph, &self.rules, &self.pairs, class);
        let calendar = Calendar::new();
        let roots = view.roots();
        let is_counted = |root: &&Trigger| {
            // the two instants of one copy
            let twice = roots.iter().any(|other| other.as_str() == BACKUP_COMPLETED);
            !(twice && root.as_str() == BACKUP_CONSISTENT)
        };
        let mut rows = Vec::new();
        for root in roots.iter().copied().filter(is_counted) {
            let course = view.course(root, Copies::Origin);
            for store in view.stores() {
                let gone = gone_from(store);
                if !course.reaches(&gone) {
                    continue;
                }
                let between = (root.as_str(), gone.as_str());
                let stay = stay(&calendar, course.network(), between).or_else(|| {
                    // only an older copy than the last can be kept as long as its rules ask
                    let course = view.course(root, Copies::OwnEvents);
                    stay(&calendar, course.network(), between)
                });
                let Some((shortest, longest)) = stay else {
                    continue;
                };
                rows.push(Residency {
                    class: class.clone(),
                    store: store.clone(),
                    from: root.clone(),
                    to: view.end(store).cloned(),
                    shortest,
                    longest,
                });
            }
        }
        rows
    }

    /// The classes that the rules know, in order of their names.
    #[must_use]
    pub fn classes(&self) -> BTreeSet<&ClassId> {
        self.pairs.keys().map(|(_, class)| class).collect()
    }
}

fn stay(
    calendar: &Calendar,
    network: &Network,
    between: (&str, &str),
) -> Option<(Stay, Option<Stay>)> {
    let elapsed = Reading::exact(Zone::UTC, DayRule::Elapsed, MonthRule::ClampEnd);
    let span = |network: &Network| network.span_with(calendar, between, &elapsed);
    let declared = span(network)?;
    // without tolerances rules of one figure may have no room at all; these then have
    let strict = span(&network.without_tolerances()).unwrap_or_else(|| declared.clone());
    let shortest = side(strict.least.as_ref(), declared.least.as_ref()).unwrap_or_default();
    let longest = side(strict.most.as_ref(), declared.most.as_ref());
    let by_no_rule = |side: &Stay| side.because.is_empty();
    if by_no_rule(&shortest) && longest.as_ref().is_none_or(by_no_rule) {
        return None;
    }
    Some((shortest, longest))
}

fn side(strict: Option<&Stretch>, declared: Option<&Stretch>) -> Option<Stay> {
    let strict = strict?;
    let tolerance_secs = declared.map_or(0, |declared| declared.secs.abs_diff(strict.secs));
    let rules = strict.labels.iter();
    let rules = rules.filter_map(|label| label.strip_prefix("rule ")?.parse().ok());
    Some(Stay {
        secs: u64::try_from(strict.secs).unwrap_or(0),
        tolerance_secs,
        because: rules.collect(),
    })
}
