//! Why rules do not load.

use std::fmt;

use covenant_core::{ClauseIdError, PeriodError};
use time::Date;

use crate::NameError;

/// One reason why rules do not load. A rule is named by its id, or by `#` and its number from 1
/// where the id is malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A name is malformed.
    #[error("{place}: malformed name of a {what}")]
    Name {
        /// Where.
        place: String,
        /// What it should name.
        what: &'static str,
        /// Why.
        #[source]
        source: NameError,
    },
    /// A clause id is malformed.
    #[error("{place}: malformed clause id")]
    Clause {
        /// Where.
        place: String,
        /// Why.
        #[source]
        source: ClauseIdError,
    },
    /// A period is malformed or too long.
    #[error("{place}: bad {field}")]
    Period {
        /// Where.
        place: String,
        /// The field, such as `period`.
        field: &'static str,
        /// Why.
        #[source]
        source: PeriodError,
    },
    /// A tolerance has months or days, whose length depends on the date.
    #[error("{place}: {field} takes hours, minutes and seconds only")]
    Tolerance {
        /// Where.
        place: String,
        /// `early` or `late`.
        field: &'static str,
    },
    /// Something that its kind needs is missing.
    #[error("{place}: {field} is missing")]
    Missing {
        /// Where.
        place: String,
        /// What.
        field: &'static str,
    },
    /// The rule has something that its kind does not have.
    #[error("{place}: {field} does not belong to a rule of this kind")]
    Misplaced {
        /// Where.
        place: String,
        /// What.
        field: &'static str,
    },
    /// Something was said about the last rule before there was one.
    #[error("{call} was called before any rule")]
    Stray {
        /// The call.
        call: &'static str,
    },
    /// Two things have one name.
    #[error("the {what} {id} is declared twice")]
    Duplicate {
        /// Rule, class or store.
        what: &'static str,
        /// Its name.
        id: String,
    },
    /// A class or store is named and not declared.
    #[error("{place}: the {what} {id} is not declared")]
    Unknown {
        /// Where.
        place: String,
        /// Class or store.
        what: &'static str,
        /// Its name.
        id: String,
    },
    /// A class is its own ancestor.
    #[error("the class {class} is its own ancestor")]
    ClassCycle {
        /// The class.
        class: String,
    },
    /// An event cancels itself.
    #[error("the event {event} cancels itself")]
    CancelsItself {
        /// The event.
        event: String,
    },
    /// No rule rules this class in this store: nobody said what becomes of it.
    #[error("no rule for class {class} in store {store}")]
    Unruled {
        /// The class.
        class: String,
        /// The store.
        store: String,
    },
    /// A floor and a ceiling are one figure and leave no room for a sweep.
    #[error("rules {floor} and {ceiling} leave no room: declare early on one or late on the other")]
    ZeroWidth {
        /// The floor.
        floor: String,
        /// The ceiling.
        ceiling: String,
    },
    /// Rules, keys and stores that cannot all be kept; without any one of them it could not be shown.
    #[error("{} cannot all hold: {}", members(rules, keys, stores), dates(when.as_ref()))]
    Contradiction {
        /// The rules, ascending.
        rules: Vec<String>,
        /// Keys that die too early or too late, ascending.
        keys: Vec<String>,
        /// Stores whose rhythm takes part in it, ascending.
        stores: Vec<String>,
        /// When it is first so, if it is only on some dates.
        when: Option<Witness>,
    },
    /// A store copies from itself, directly or through others.
    #[error("the store {store} copies from itself")]
    FeedCycle {
        /// The store.
        store: String,
    },
    /// A rule overrides itself, directly or through others.
    #[error("the rule {rule} overrides itself")]
    OverrideCycle {
        /// The rule.
        rule: String,
    },
    /// A rule overrides one of a higher authority.
    #[error("the rule {rule} overrides {other}, which has a higher authority")]
    OverridesHigher {
        /// The rule.
        rule: String,
        /// The rule of higher authority.
        other: String,
    },
    /// A rule of a tenant overrides another: tenants only ever add rules.
    #[error("the rule {rule} is a tenant's and overrides another")]
    TenantOverrides {
        /// The rule.
        rule: String,
    },
    /// A rule of a tenant says less than one of everybody's wherever it rules: it would look like a
    /// promise and change nothing.
    #[error("the rule {rule} is weaker than {than}")]
    Weaker {
        /// The rule.
        rule: String,
        /// One that says more.
        than: String,
    },
    /// A rule that is added for a tenant claims another authority.
    #[error("the rule {rule} is added for a tenant and claims another authority")]
    NotATenants {
        /// The rule.
        rule: String,
    },
    /// More than the rules may have.
    #[error("more than {max} of: {what}")]
    TooMany {
        /// What.
        what: &'static str,
        /// The cap.
        max: usize,
    },
}

/// When promises cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// The event that nobody chooses.
    pub event: String,
    /// The first day on which it makes them fail, from the day of the review on.
    pub date: Date,
    /// How many of the 146,097 days of the calendar's cycle are like it.
    pub days: u32,
}

fn members(rules: &[String], keys: &[String], stores: &[String]) -> String {
    let named = |what: &str, all: &[String]| match all {
        [] => None,
        [one] => Some(format!("{what} {one}")),
        more => Some(format!("{what}s {}", more.join(", "))),
    };
    let all = [
        named("rule", rules),
        named("key", keys),
        named("store", stores),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn dates(when: Option<&Witness>) -> String {
    when.map_or_else(
        || "on every date".to_owned(),
        |Witness { event, date, days }| {
            format!("first when {event} is on {date}, on {days} of 146097 days")
        },
    )
}

impl RuleError {
    /// The table that it is about, such as `rule bin` or `store rows`; `None` for the whole file.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        Some(match self {
            Self::Name { place, .. }
            | Self::Clause { place, .. }
            | Self::Period { place, .. }
            | Self::Tolerance { place, .. }
            | Self::Missing { place, .. }
            | Self::Misplaced { place, .. }
            | Self::Unknown { place, .. } => place.clone(),
            Self::Duplicate { what, id } => format!("{what} {id}"),
            Self::ClassCycle { class } => format!("class {class}"),
            Self::CancelsItself { .. } => "cancel".to_owned(),
            Self::Unruled { store, .. } | Self::FeedCycle { store } => format!("store {store}"),
            Self::ZeroWidth { floor, .. } => format!("rule {floor}"),
            Self::Contradiction {
                rules,
                keys,
                stores,
                ..
            } => {
                let first = |what: &str, all: &[String]| Some(format!("{what} {}", all.first()?));
                let rule = first("rule", rules);
                rule.or_else(|| first("key", keys))
                    .or_else(|| first("store", stores))?
            }
            Self::OverrideCycle { rule }
            | Self::OverridesHigher { rule, .. }
            | Self::TenantOverrides { rule }
            | Self::Weaker { rule, .. }
            | Self::NotATenants { rule } => format!("rule {rule}"),
            Self::Stray { .. } | Self::TooMany { .. } => return None,
        })
    }
}

/// An error with every cause behind it: for lists, which have no cause of their own to follow.
pub(crate) fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Every reason why rules do not load; at least one. It prints each with its causes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleErrors(Vec<RuleError>);

impl RuleErrors {
    /// The reasons, or nothing when there is none.
    pub(crate) fn of(errors: Vec<RuleError>) -> Option<Self> {
        if errors.is_empty() {
            None
        } else {
            Some(Self(errors))
        }
    }

    /// The reasons, in the order in which they were found.
    #[must_use]
    pub fn as_slice(&self) -> &[RuleError] {
        &self.0
    }
}

impl fmt::Display for RuleErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            f.write_str(&whole(error))?;
        }
        Ok(())
    }
}
impl std::error::Error for RuleErrors {}
impl IntoIterator for RuleErrors {
    type Item = RuleError;
    type IntoIter = std::vec::IntoIter<RuleError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
