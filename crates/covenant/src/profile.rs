//! A profile: the settings of all crates, derived from the clauses of one policy document. The
//! figures stand in the document and nowhere else; what no clause gives is a constant here, and the
//! documentation says that it is ours.

use backup_engine::{BackupPolicy, Cadence, Keeping, PolicyError};
use covenant_core::{Action, ClauseId, Period, Reading, RegionSet, Zone};
use crypto_envelope::{ExpiryError, Isolation, KeyExpiry};
use policy_document::{Bound, Clause, Document, Figure, KeyDeath, Modality, Per, StoreKind};
use retention_policy::{ClassId, Limits, RuleErrors, RuleSet};
use time::{Duration, Time};

use crate::rules::DocumentRules;

/// Class of records in the rules.
pub const CLASS_RECORD: &str = "record";
/// Class of attached files in the rules, where a document has one of them.
pub const CLASS_ATTACHMENT: &str = "attachment";
/// Class of whole databases in the rules.
pub const CLASS_DATABASE: &str = "database";

/// Longest time between two backups where neither a clause nor the store graph says so: ours.
const BACKUP_EVERY: Duration = Duration::hours(24);
/// How long backups are kept after their epoch where the store graph does not say so: ours.
const BACKUP_KEPT: Period = Period::days(30);
/// Local time of the nightly backup: ours.
const NIGHTLY_HOUR: (u8, u8) = (2, 30);
/// Longest time between two sweeps: ours.
const SWEEP: Duration = Duration::hours(1);
/// Longest time until a replica has deleted a prefix: ours.
const REPLICA: Duration = Duration::hours(24);
/// Longest session of a backup: ours.
const SESSION: Duration = Duration::hours(1);
/// How far the wall clock may be ahead of elapsed time before deletions stop: ours.
const CLOCK_STEP_MAX: std::time::Duration = std::time::Duration::from_secs(600);
/// After how long keys are replaced where no clause says so: ours.
const KEY_EXPIRY: KeyExpiry = KeyExpiry::OneYear;
/// Days of the calendar's cycle, over which the backup policy is checked.
const CALENDAR_DAYS: u32 = 146_097;

/// Days in which every length of a month and a year occurs.
const LEAP_CYCLE_DAYS: u32 = 1_461;

/// The settings of one deployment.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Id of the policy document.
    pub document: String,
    /// The places where stores may be.
    pub regions: RegionSet,
    /// The civil zone that cuts days, nights and epochs.
    pub zone: Zone,
    /// How periods are read.
    pub reading: Reading,
    /// What must be kept and what must go: every class, store, key and clause in time of the document.
    pub rules: RuleSet,
    /// The store of the rules in which records and databases lie first.
    pub rows: String,
    /// The store of the rules in which backups lie; `None` where the document declares none.
    pub backups: Option<String>,
    /// The store of the rules in which attached files lie; `None` where the document has no store of
    /// objects.
    pub file_store: Option<String>,
    /// The classes of which an attached file may be: what keeps any of them keeps it.
    pub file_classes: Vec<ClassId>,
    /// The stores that the document declares, but for those that hold nothing of a tenant.
    pub declared: Vec<DeclaredStore>,
    /// The rule that keeps a record in the bin.
    pub bin_floor: String,
    /// How much one sweep of one bin may remove before somebody approves it; nothing is limited
    /// unless set here. Of the limits those on all items count, since a sweep plans a tenant at a
    /// time.
    pub limits: Limits,
    /// When backups are taken and when they die.
    pub backup: BackupPolicy,
    /// The clause that says how long a backup must be restorable; `None` where none does.
    pub backup_floor: Option<ClauseId>,
    /// How long after a database's purge its roots die; `None` where the document plans nothing, and
    /// they then die with the last vault that holds bytes under them.
    pub tenant_roots: Option<Period>,
    /// Whether a tenant has keys that wrap keys for itself: where the document has its keys die with
    /// its contract, so that nothing of it is left then.
    pub isolation: Isolation,
    /// After how long keys that wrap keys are replaced: the shortest that the document offers, or one
    /// year where it says nothing.
    pub key_expiry: KeyExpiry,
    /// How far the wall clock may be ahead of elapsed time before deletions stop.
    pub clock_step_max: std::time::Duration,
}

/// A store that a document declares.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeclaredStore {
    /// Its id.
    pub id: String,
    /// What it is.
    pub kind: retention_policy::StoreKind,
    /// The classes that lie in it.
    pub classes: Vec<String>,
}

/// A document gives no profile that can be honoured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The document names no civil zone.
    #[error("document {0} names no civil zone")]
    NoZone(String),
    /// The rules cannot all be honoured.
    #[error("the clauses give rules that cannot be honoured")]
    Rules(#[from] RuleErrors),
    /// The backup figures cannot be honoured.
    #[error("the clauses give a backup policy that cannot be honoured")]
    Backup(#[from] PolicyError),
    /// The key of a backup epoch, or of a purged tenant, would die before the floor over what lies
    /// under it ends.
    #[error("the key dies by {dies}, before {keeps} lets it go")]
    KeyBeforeFloor {
        /// The clause, or else the store or key of the document, that gives the date.
        dies: String,
        /// The clause that gives the floor.
        keeps: String,
    },
    /// Keys are to be replaced after a time that is not offered.
    #[error("document {document} has keys replaced after {expiry}")]
    Expiry {
        /// The document.
        document: String,
        /// What it says.
        expiry: String,
        /// Why that cannot be.
        #[source]
        source: ExpiryError,
    },
    /// A class of the document is none of the rules.
    #[error("{0} is no name of a class")]
    NotAClass(String),
    /// A figure of a clause is no fixed span of time where one is needed.
    #[error("a tolerance or cadence of document {0} is no fixed span of time")]
    NotASpan(String),
}

impl Profile {
    /// The profile that the document's clauses give, for stores in these regions.
    ///
    /// # Errors
    /// [`ProfileError`] when a figure is missing or the figures cannot all be honoured.
    pub fn from_document(document: &Document, regions: RegionSet) -> Result<Self, ProfileError> {
        let id = document.id().to_string();
        let zone = document.zones().first().cloned();
        let zone = zone.ok_or_else(|| ProfileError::NoZone(id.clone()))?;
        let reading = document.reading().clone();
        let DocumentRules {
            file,
            rows,
            bin_floor,
        } = DocumentRules::of(document);
        let (file_store, file_classes) = files(document)?;
        let rules = RuleSet::load(file)?;
        let backup = backup(document, &zone, &reading)?;
        let epochs = CALENDAR_DAYS / u32::from(backup.epoch_days.max(1));
        match backup.validate(first_day(), epochs) {
            Err(PolicyError::DiesTooEarly { .. }) => return Err(too_early(document)),
            checked => checked?,
        }
        let clock_step_max = CLOCK_STEP_MAX;
        let tenant_roots = document.keys().iter().find_map(|key| match key.death {
            KeyDeath::After {
                from: Action::DatabasePurged,
                after,
            } => Some((key.id.to_string(), after)),
            _ => None,
        });
        if let Some((key, after)) = &tenant_roots {
            check_roots(document, &backup, key, *after)?;
        }
        let tenant_roots = tenant_roots.map(|(_, after)| after);
        Ok(Self {
            document: id,
            regions,
            zone,
            reading,
            rules,
            rows,
            backups: backup_store(document).map(|store| store.id.to_string()),
            file_store,
            file_classes,
            declared: declared(document),
            bin_floor,
            limits: Limits::default(),
            backup,
            backup_floor: backup_floor(document),
            tenant_roots,
            isolation: isolation(document),
            key_expiry: key_expiry(document)?,
            clock_step_max,
        })
    }
}

/// Where attached files lie, and of which classes they may be: `attachment` where the document knows
/// it, else all that its store of objects holds.
fn files(document: &Document) -> Result<(Option<String>, Vec<ClassId>), ProfileError> {
    let class = |name: &str| {
        let named = name.parse::<ClassId>();
        named.map_err(|_unnamed| ProfileError::NotAClass(name.to_owned()))
    };
    let mut stores = document.stores().iter();
    let Some(store) = stores.find(|store| store.kind == StoreKind::Object) else {
        return Ok((None, vec![class(CLASS_ATTACHMENT)?]));
    };
    let mut classes: Vec<String> = store.classes.iter().map(ToString::to_string).collect();
    if classes.iter().any(|class| class == CLASS_ATTACHMENT) {
        classes.retain(|class| class == CLASS_ATTACHMENT);
    }
    let classes: Result<_, _> = classes.iter().map(|name| class(name)).collect();
    Ok((Some(store.id.to_string()), classes?))
}

fn declared(document: &Document) -> Vec<DeclaredStore> {
    let stores = document.stores().iter();
    let stores = stores.filter(|store| !store.classes.is_empty());
    let declared = |store: &policy_document::Store| DeclaredStore {
        id: store.id.to_string(),
        kind: crate::rules::kind(store.kind),
        classes: store.classes.iter().map(ToString::to_string).collect(),
    };
    stores.map(declared).collect()
}

/// Which two exclude each other when the key of an epoch dies before its floor.
fn too_early(document: &Document) -> ProfileError {
    let completed = Action::BackupCompleted;
    let ceiling = find(document, Modality::Exact, completed, Action::BackupPurged);
    let store = backup_store(document);
    let dies = ceiling
        .map(|(clause, _)| clause.id.to_string())
        .or_else(|| store.map(|store| store.id.to_string()));
    ProfileError::KeyBeforeFloor {
        dies: dies.unwrap_or_else(|| document.id().to_string()),
        keeps: floor_name(document),
    }
}

/// A purged tenant's roots outlive what is owed of its last backup, whatever day it is purged on.
// clause: P-60
fn check_roots(
    document: &Document,
    backup: &BackupPolicy,
    key: &str,
    after: Period,
) -> Result<(), ProfileError> {
    let mut day = first_day();
    for _ in 0..LEAP_CYCLE_DAYS {
        let purged = backup.zone.start_of(day);
        let dies = after.resolve(purged, &backup.reading);
        let dies = dies.map_err(PolicyError::from)?.latest;
        if backup.keep_until(purged).map_err(PolicyError::from)? > dies {
            return Err(ProfileError::KeyBeforeFloor {
                dies: key.to_owned(),
                keeps: floor_name(document),
            });
        }
        day = day.saturating_add(Duration::DAY);
    }
    Ok(())
}

fn floor_name(document: &Document) -> String {
    let floor = backup_floor(document);
    floor.map_or_else(|| document.id().to_string(), |clause| clause.to_string())
}

/// The first store of epochs.
fn backup_store(document: &Document) -> Option<&policy_document::Store> {
    let mut stores = document.stores().iter();
    stores.find(|store| store.kind == StoreKind::Epoch)
}

fn first_day() -> time::Date {
    time::Date::from_ordinal_date(2000, 1).unwrap_or(time::Date::MIN)
}

/// Cadence and life of backups.
fn backup(
    document: &Document,
    zone: &Zone,
    reading: &Reading,
) -> Result<BackupPolicy, ProfileError> {
    let not_a_span = || ProfileError::NotASpan(document.id().to_string());
    let span = |period: Period| fixed(period).ok_or_else(not_a_span);
    let store = backup_store(document);
    let every = document.clauses().iter().find_map(|clause| {
        let bound = clause.bound.as_ref()?;
        let every = clause.modality == Some(Modality::Every);
        (every && bound.to.contains(&Action::BackupCompleted)).then_some(bound)
    });
    let (hour, minute) = NIGHTLY_HOUR;
    let nightly = Cadence::CivilNight {
        at: Time::from_hms(hour, minute, 0).unwrap_or(Time::MIDNIGHT),
    };
    let cadence = match (every, store.and_then(|store| store.every)) {
        // clause: R-22
        (Some(bound), _) if bound.per == Some(Per::CivilNight) => nightly,
        (Some(Bound { max: Some(max), .. }), _) => Cadence::Every(span(*max)?),
        (_, Some(policy_document::Cadence::CivilNight)) => nightly,
        (_, Some(policy_document::Cadence::Every(period))) => Cadence::Every(span(period)?),
        _ => Cadence::Every(BACKUP_EVERY),
    };
    let completed = Action::BackupCompleted;
    let exact = find(document, Modality::Exact, completed, Action::BackupPurged);
    let floor = find(
        document,
        Modality::Floor,
        completed,
        Action::BackupUnrestorable,
    );
    let keeping = match exact {
        // clause: P-18
        Some((
            _,
            Bound {
                min: Some(min),
                max: Some(max),
                early,
                late,
                ..
            },
        )) => Keeping::Bounded {
            ceiling: *max,
            late: span(*late)?,
            floor: *min,
            early: span(*early)?,
        },
        // clause: R-23
        _ => Keeping::Kept {
            after_end: store.and_then(|store| store.kept).unwrap_or(BACKUP_KEPT),
            floor: floor
                .and_then(|(_, bound)| bound.min)
                .unwrap_or(Period::ZERO),
        },
    };
    let epoch_days = store
        .and_then(|store| store.epoch)
        .map_or(1, |epoch| epoch.day_part());
    Ok(BackupPolicy {
        cadence,
        zone: zone.clone(),
        reading: reading.clone(),
        epoch_days: u16::try_from(epoch_days.max(1)).unwrap_or(u16::MAX),
        keeping,
        sweep: SWEEP,
        replica: REPLICA,
        session: SESSION,
    })
}

/// Keys that die with a tenant's contract are its own.
fn isolation(document: &Document) -> Isolation {
    let with_contract = |death: &KeyDeath| {
        matches!(
            death,
            KeyDeath::After {
                from: Action::ContractTerminated,
                ..
            }
        )
    };
    if document.keys().iter().any(|key| with_contract(&key.death)) {
        Isolation::Dedicated
    } else {
        Isolation::Shared
    }
}

/// After how long keys are replaced: every time that a clause offers must be one of ours, and the
/// shortest is in force until another one is chosen.
// clause: Q-17
fn key_expiry(document: &Document) -> Result<KeyExpiry, ProfileError> {
    let offers = document.clauses().iter().find_map(|clause| {
        let bound = clause.bound.as_ref()?;
        let rotates =
            bound.from.contains(&Action::KeyCreated) && bound.to.contains(&Action::KeyRotated);
        match &clause.figure {
            Some(Figure::OneOf(words)) if rotates => Some(words),
            _ => None,
        }
    });
    let mut shortest = None;
    for word in offers.into_iter().flatten() {
        let expiry = word.to_string();
        let parsed: Result<KeyExpiry, _> = expiry.parse();
        let parsed = parsed.map_err(|source| ProfileError::Expiry {
            document: document.id().to_string(),
            expiry,
            source,
        })?;
        shortest = Some(shortest.map_or(parsed, |other: KeyExpiry| other.min(parsed)));
    }
    Ok(shortest.unwrap_or(KEY_EXPIRY))
}

/// The clause that says how long a backup must be restorable.
fn backup_floor(document: &Document) -> Option<ClauseId> {
    let completed = Action::BackupCompleted;
    let exact = find(document, Modality::Exact, completed, Action::BackupPurged);
    let floor = find(
        document,
        Modality::Floor,
        completed,
        Action::BackupUnrestorable,
    );
    let (clause, bound) = exact.or(floor)?;
    bound.min.map(|_| clause.id)
}

/// The clause with a bound of this modality between these two events.
fn find(
    document: &Document,
    modality: Modality,
    from: Action,
    to: Action,
) -> Option<(&Clause, &Bound)> {
    document.clauses().iter().find_map(|clause| {
        let bound = clause.bound.as_ref()?;
        let fits = clause.modality == Some(modality)
            && bound.from.contains(&from)
            && bound.to.contains(&to);
        fits.then_some((clause, bound))
    })
}

/// A period without months as a span of time; a day counts 24 hours.
fn fixed(period: Period) -> Option<Duration> {
    if period.month_part() > 0 {
        return None;
    }
    let seconds = u64::from(period.day_part())
        .checked_mul(86_400)?
        .checked_add(period.sec_part())?;
    i64::try_from(seconds).ok().map(Duration::seconds)
}
