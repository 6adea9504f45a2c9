//! When a backup is due and when its epoch dies: the deadline sum, decided purely and checked over
//! the whole calendar before anything runs.

use covenant_core::{Period, PeriodError, Reading, Zone};
use crypto_envelope::PLAN_WAIT_DAYS_MIN;
use time::{Date, Duration, UtcDateTime};

use crate::domain::Epoch;

/// How often a domain is backed up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cadence {
    /// At most this long between two completed snapshots.
    Every(Duration),
    /// One completed snapshot in every civil night, from local noon to local noon.
    CivilNight {
        /// Local time at which the night's run starts; the first instant after a gap of the clock.
        at: time::Time,
    },
}

/// How long an epoch is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Keeping {
    /// A promise with two sides: gone by `ceiling` after the consistent point, and restorable for
    /// `floor` after completion, less `early`.
    Bounded {
        /// Longest stay, from the earliest consistent point, read at its earliest.
        ceiling: Period,
        /// Declared slack of the ceiling.
        late: Duration,
        /// Shortest stay, from completion, read at its latest.
        floor: Period,
        /// Declared slack of the floor.
        early: Duration,
    },
    /// No ceiling: kept this long after the epoch ends, and restorable for `floor` at least.
    Kept {
        /// How long after the epoch's end, read at its latest.
        after_end: Period,
        /// Shortest stay, from completion, read at its latest.
        floor: Period,
    },
}

/// The figures of a backup domain, all of them from the profile; nothing defaults here.
#[derive(Debug, Clone)]
pub struct BackupPolicy {
    /// How often.
    pub cadence: Cadence,
    /// Whose civil days cut epochs and nights.
    pub zone: Zone,
    /// The admissible readings of the periods.
    pub reading: Reading,
    /// Civil days in an epoch, at least 1.
    pub epoch_days: u16,
    /// How long an epoch is kept.
    pub keeping: Keeping,
    /// Longest time between two sweeps.
    pub sweep: Duration,
    /// Longest time until a replica has deleted a prefix.
    pub replica: Duration,
    /// Longest time that one session may take.
    pub session: Duration,
}

/// A policy cannot be honoured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A period leads outside the calendar.
    #[error("a period of the backup policy leads outside the calendar")]
    Period(#[from] PeriodError),
    /// A span of time is negative, or an epoch has no days.
    #[error("{0} of the backup policy is less than it can be")]
    TooSmall(&'static str),
    /// The epoch would have to die before its floor ends.
    #[error("epoch {epoch} dies at {destroy_at}, before its last snapshot may go at {keep_until}")]
    DiesTooEarly {
        /// The first epoch on which it happens.
        epoch: Epoch,
        /// When its ceiling makes it die.
        destroy_at: UtcDateTime,
        /// When its floor allows it.
        keep_until: UtcDateTime,
    },
    /// The epoch would die before it ends, or so soon after that no key can be planned to die then.
    #[error("epoch {epoch} dies before it ends, or less than {PLAN_WAIT_DAYS_MIN} days after")]
    DiesAlive {
        /// The first epoch on which it happens.
        epoch: Epoch,
    },
}

impl BackupPolicy {
    /// The epoch in which the instant lies.
    #[must_use]
    pub fn epoch_at(&self, instant: UtcDateTime) -> Epoch {
        Epoch::at(instant, self.epoch_days, &self.zone)
    }

    /// The first instant after the epoch.
    #[must_use]
    pub fn end_of(&self, epoch: Epoch) -> UtcDateTime {
        epoch.end(self.epoch_days, &self.zone)
    }

    /// When the epoch dies: its key is destroyed, and its prefix deleted.
    ///
    /// With a ceiling it dies as late as the strictest reading of its first instant allows, less
    /// the time that a sweep and a replica need; without one, when the latest reading of its last
    /// instant has passed.
    ///
    /// # Errors
    /// [`PeriodError`] outside the calendar.
    pub fn destroy_at(&self, epoch: Epoch) -> Result<UtcDateTime, PeriodError> {
        match &self.keeping {
            // clause: P-18
            Keeping::Bounded { ceiling, late, .. } => {
                let start = epoch.start(&self.zone);
                let limit = ceiling.resolve(start, &self.reading)?.earliest;
                let needed = self.sweep.saturating_add(self.replica);
                Ok(limit.saturating_add(*late).saturating_sub(needed))
            }
            // clause: R-23
            Keeping::Kept { after_end, .. } => {
                Ok(after_end.resolve(self.end_of(epoch), &self.reading)?.latest)
            }
        }
    }

    /// Until when a snapshot that completed at this instant must be restorable, declared slack
    /// taken off.
    ///
    /// # Errors
    /// [`PeriodError`] outside the calendar.
    pub fn keep_until(&self, completed: UtcDateTime) -> Result<UtcDateTime, PeriodError> {
        match &self.keeping {
            Keeping::Bounded { floor, early, .. } => Ok(floor
                .resolve(completed, &self.reading)?
                .latest
                .saturating_sub(*early)),
            Keeping::Kept { floor, .. } => Ok(floor.resolve(completed, &self.reading)?.latest),
        }
    }

    /// Checks that no epoch among `epochs` from `from` on dies before its floors end, however late
    /// in the epoch a snapshot completes. 146,097 days from any date are the whole calendar.
    ///
    /// # Errors
    /// [`PolicyError`] with the first epoch that does not fit as witness.
    pub fn validate(&self, from: Date, epochs: u32) -> Result<(), PolicyError> {
        self.refuse_small()?;
        let mut epoch = Epoch::at(self.zone.start_of(from), self.epoch_days, &self.zone);
        for _ in 0..epochs {
            let destroy_at = self.destroy_at(epoch)?;
            let last = self.end_of(epoch).saturating_sub(Duration::seconds(1));
            let keep_until = self.keep_until(last)?;
            if keep_until > destroy_at {
                return Err(PolicyError::DiesTooEarly {
                    epoch,
                    destroy_at,
                    keep_until,
                });
            }
            let planned = Duration::days(PLAN_WAIT_DAYS_MIN);
            if destroy_at < self.end_of(epoch).saturating_add(planned) {
                return Err(PolicyError::DiesAlive { epoch });
            }
            epoch = epoch.next(self.epoch_days);
        }
        Ok(())
    }

    fn refuse_small(&self) -> Result<(), PolicyError> {
        let (late, early) = match self.keeping {
            Keeping::Bounded { late, early, .. } => (late, early),
            Keeping::Kept { .. } => (Duration::ZERO, Duration::ZERO),
        };
        let gap = match self.cadence {
            Cadence::Every(gap) => gap,
            Cadence::CivilNight { .. } => Duration::DAY,
        };
        let not_negative = [
            ("late", late),
            ("early", early),
            ("sweep", self.sweep),
            ("replica", self.replica),
        ];
        let positive = [("session", self.session), ("cadence", gap)];
        if self.epoch_days == 0 {
            return Err(PolicyError::TooSmall("epoch_days"));
        }
        let small = not_negative
            .into_iter()
            .find(|(_, span)| span.is_negative())
            .or_else(|| positive.into_iter().find(|(_, span)| !span.is_positive()));
        small.map_or(Ok(()), |(name, _)| Err(PolicyError::TooSmall(name)))
    }
}
