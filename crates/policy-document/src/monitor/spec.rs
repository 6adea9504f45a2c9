//! How a document names a monitor: by the word of a pattern that follows from its bound, or by a
//! whole pattern that no bound says.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use covenant_core::Action;

use super::{Cases, Pattern};
use crate::Token;

/// Longest text of a monitor in bytes: four times the longest that the table of actions allows with
/// one action on each side; a bound of ours.
pub const SPEC_LEN_BYTES_MAX: usize = 1_000;

/// A monitor, as `[clause.verify]` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MonitorSpec {
    /// `every`: the rhythm of the bound.
    Every,
    /// `not_before`: the floor of the bound.
    NotBefore,
    /// A pattern without figures, in full: `always`, `before`, `member`, `never` or `unique`.
    Pattern(Pattern),
    /// `within`: the ceiling of the bound.
    Within,
}

/// A text names no monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a monitor is within, not_before, every, always(A implies B), before(A, B), per X, \
     never(A while B until C), per X, member(A attribute, x | y) or unique(A attribute per other)"
)]
pub struct MonitorSpecError;

impl MonitorSpec {
    /// Whether it names this pattern of a monitor of the same clause.
    #[must_use]
    pub fn names(&self, pattern: &Pattern) -> bool {
        match (self, pattern) {
            (Self::Every, Pattern::Every { .. })
            | (Self::NotBefore, Pattern::NotBefore { .. })
            | (Self::Within, Pattern::Within { .. }) => true,
            (Self::Pattern(own), other) => own == other,
            _ => false,
        }
    }
}

impl fmt::Display for MonitorSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("every"),
            Self::NotBefore => f.write_str("not_before"),
            Self::Pattern(pattern) => pattern.fmt(f),
            Self::Within => f.write_str("within"),
        }
    }
}

/// The words, or the text that [`Pattern`] displays; any other spelling of the same is refused.
impl FromStr for MonitorSpec {
    type Err = MonitorSpecError;

    fn from_str(text: &str) -> Result<Self, MonitorSpecError> {
        let found = match text {
            _ if text.len() > SPEC_LEN_BYTES_MAX => None,
            "every" => Some(Self::Every),
            "not_before" => Some(Self::NotBefore),
            "within" => Some(Self::Within),
            _ => pattern(text).map(Self::Pattern),
        };
        let found = found.ok_or(MonitorSpecError)?;
        if found.to_string() == text {
            Ok(found)
        } else {
            Err(MonitorSpecError)
        }
    }
}

fn pattern(text: &str) -> Option<Pattern> {
    let (name, rest) = text.split_once('(')?;
    let (inside, after) = rest.rsplit_once(')')?;
    match name {
        "always" => {
            let (when, then) = inside.split_once(" implies ")?;
            let (when, then) = (action(when)?, action(then)?);
            after.is_empty().then_some(Pattern::Always { when, then })
        }
        "before" => {
            let (first, then) = inside.split_once(", ")?;
            Some(Pattern::Before {
                first: action(first)?,
                then: action(then)?,
                cases: cases(after)?,
            })
        }
        "member" => {
            let (what, words) = inside.split_once(", ")?;
            let (act, attribute) = what.split_once(' ')?;
            let set: Option<BTreeSet<Token>> = words.split(" | ").map(|w| w.parse().ok()).collect();
            after.is_empty().then_some(Pattern::Member {
                action: action(act)?,
                attribute: attribute.parse().ok()?,
                set: set?,
            })
        }
        "never" => {
            let (act, state) = inside.split_once(" while ")?;
            let (from, until) = state.split_once(" until ")?;
            Some(Pattern::Never {
                action: action(act)?,
                from: actions(from)?,
                until: actions(until)?,
                cases: cases(after)?,
            })
        }
        "unique" => {
            let (what, per) = inside.split_once(" per ")?;
            let (act, attribute) = what.split_once(' ')?;
            after.is_empty().then_some(Pattern::Unique {
                action: action(act)?,
                attribute: attribute.parse().ok()?,
                per: per.parse().ok()?,
            })
        }
        _ => None,
    }
}

fn action(name: &str) -> Option<Action> {
    name.parse().ok()
}

fn actions(names: &str) -> Option<BTreeSet<Action>> {
    names.split(" or ").map(action).collect()
}

fn cases(after: &str) -> Option<Cases> {
    match after {
        ", per tenant" => Some(Cases::Tenant),
        ", per thing" => Some(Cases::Thing),
        ", per vault" => Some(Cases::Vault),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_displayed_alike() {
        for text in [
            "within",
            "not_before",
            "every",
            "always(staff.access implies notice.queued)",
            "before(disclosure.requested, disclosure.made), per thing",
            "member(backup.completed region, eu-1 | us-1)",
            "never(record.purged while hold.placed until hold.released), per thing",
            "never(access.allowed while contract.terminated or database.deleted until \
             subscription.started or database.restored), per tenant",
            "unique(backup.completed root per vault)",
        ] {
            let spec: MonitorSpec = text.parse().unwrap();
            assert_eq!(spec.to_string(), text);
        }
    }

    #[test]
    fn any_other_text_is_refused() {
        for text in [
            "",
            "Within",
            "within(record.deleted, record.purged, P30D)",
            "always(staff.access implies notice.sent)",
            "always(staff.access  implies notice.queued)",
            "always(staff.access implies notice.queued) ",
            "always(staff.access implies notice.queued), per thing",
            "before(disclosure.requested, disclosure.made)",
            "before(disclosure.requested, disclosure.made), per record",
            "member(backup.completed region, us-1 | eu-1)",
            "member(backup.completed region, )",
            "member(backup.completed, eu-1)",
            "never(record.purged while until hold.released), per thing",
            "unique(backup.completed root per )",
            "sometimes(record.deleted implies record.purged)",
        ] {
            assert_eq!(text.parse::<MonitorSpec>(), Err(MonitorSpecError), "{text}");
        }
        let long = format!("member(backup.completed region, {})", "x".repeat(2_000));
        assert_eq!(long.parse::<MonitorSpec>(), Err(MonitorSpecError));
    }

    #[test]
    fn a_spec_names_the_pattern_of_its_word_alone() {
        let always = |then| Pattern::Always {
            when: Action::StaffAccess,
            then,
        };
        let spec = MonitorSpec::Pattern(always(Action::NoticeQueued));
        assert!(spec.names(&always(Action::NoticeQueued)));
        assert!(!spec.names(&always(Action::NoticeDelivered)));
        assert!(!MonitorSpec::Within.names(&always(Action::NoticeQueued)));
    }
}
