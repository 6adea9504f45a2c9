//! Reviews: somebody has looked again at a promise whose line or figure changed.

use covenant_core::ClauseId;
use time::Date;

use crate::Position;

/// Somebody's word that a change of a promise is meant. The clause may be one that is gone: that is
/// how its end is reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Review {
    /// The clause.
    pub clause: ClauseId,
    /// Where its table stands.
    pub at: Position,
    /// The day of the review.
    pub on: Date,
    /// Who looked.
    pub by: String,
    /// What changed, and why that is right.
    pub change: String,
}
