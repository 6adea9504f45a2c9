//! A signed human word on what no software can prove.

use covenant_core::digest::Digest;
use covenant_core::{ClauseId, Period};
use time::{Date, UtcDateTime};

use crate::Position;

/// What an attestation is worth at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AttestationState {
    /// It is in force.
    Attested,
    /// Its time has run out.
    Expired,
}

/// Somebody's word, with evidence and an end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attestation {
    /// The clause.
    pub clause: ClauseId,
    /// Where its table stands.
    pub at: Position,
    /// Who answers for it.
    pub owner: String,
    /// What is attested.
    pub statement: String,
    /// SHA-256 of the evidence.
    pub evidence: Digest,
    /// The day it was signed.
    pub signed_on: Date,
    /// How long it holds, from that day.
    pub valid_for: Period,
    /// The first instant at which it holds no more: the end, in UTC, of the day that `valid_for`
    /// leads to.
    pub expires: UtcDateTime,
}

impl Attestation {
    /// What it is worth at this instant.
    #[must_use]
    pub fn state(&self, at: UtcDateTime) -> AttestationState {
        if at < self.expires {
            AttestationState::Attested
        } else {
            AttestationState::Expired
        }
    }
}
