//! Events of an item: what happened to it, by name, and when. Names that are no [`Action`] exist
//! for instants that a fact carries beside its own, such as a backup's consistent point.

use covenant_core::Action;
use time::UtcDateTime;

/// The instant that a backup shows; its ceilings count from here, because what was purged before
/// it is not in it.
pub const BACKUP_CONSISTENT: &str = "backup.consistent";
/// The instant from which a backup can be restored; its floors count from here.
pub const BACKUP_COMPLETED: &str = Action::BackupCompleted.name();

/// Pairs of triggers of which the first always comes before, or with, the second: between a ceiling
/// from the first and a floor of the same length from the second there is no room either.
pub(crate) const ORDERED: [(&str, &str); 1] = [(BACKUP_CONSISTENT, BACKUP_COMPLETED)];

/// Something happened to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Occurrence<'a> {
    /// The name of the event.
    pub name: &'a str,
    /// When; it counts from this instant on, not before.
    pub at: UtcDateTime,
}

impl<'a> Occurrence<'a> {
    /// The event of this name.
    #[must_use]
    pub const fn new(name: &'a str, at: UtcDateTime) -> Self {
        Self { name, at }
    }
}

impl Occurrence<'static> {
    /// The event of this action.
    #[must_use]
    pub const fn of(action: Action, at: UtcDateTime) -> Self {
        Self {
            name: action.name(),
            at,
        }
    }
}
