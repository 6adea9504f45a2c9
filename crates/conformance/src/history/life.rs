//! Who lives through a history: tenants and records by number, what is known of them, and the trace
//! of what the subject recorded.

use std::collections::BTreeSet;

use covenant_core::SnapshotId;
use time::{Duration, UtcDateTime};

use super::plan::What;
use crate::act::{Act, ActKind, Cadence, DepotFault, KeysAtHand, Person, Record, Seen, Tenant};
use crate::canary::Canary;
use crate::clock::Simulator;
use crate::stage::{Stop, draw};
use crate::subject::{CrashPoint, Refusal, Subject};
use crate::trace::{Trace, Wall};

/// The tenant that lives from the first day to the last.
const STEADY: Tenant = Tenant(1);
/// The tenant whose database is deleted.
const LEAVING: Tenant = Tenant(2);

/// The tenant whose contract begins later, and ends.
const PASSING: Tenant = Tenant(3);

/// The numbers of canaries in files start here: bodies of new records are numbered from 1, those of
/// changed ones from the largest number of a record.
const FILES_FROM: u64 = 1 << 48;

/// What is known of one tenant.
#[derive(Debug, Default)]
struct Home {
    live: BTreeSet<Record>,
    /// The live ones that have a file.
    filed: BTreeSet<Record>,
    binned: BTreeSet<Record>,
    snapshots: Vec<SnapshotId>,
}

/// A history while it is lived.
pub(super) struct Life<'a> {
    subject: &'a mut dyn Subject,
    simulator: &'a Simulator,
    seed: u64,
    homes: Vec<(Tenant, Home)>,
    records: u32,
    acts: u64,
    faulty_until: Option<UtcDateTime>,
    absent: BTreeSet<String>,
    trace: Trace,
}

impl<'a> Life<'a> {
    pub(super) const fn new(
        subject: &'a mut dyn Subject,
        simulator: &'a Simulator,
        seed: u64,
    ) -> Self {
        Self {
            subject,
            simulator,
            seed,
            homes: Vec::new(),
            records: 0,
            acts: 0,
            faulty_until: None,
            absent: BTreeSet::new(),
            trace: Trace::new(),
        }
    }

    /// Both tenants begin, with one record each.
    pub(super) async fn begin(&mut self) -> Result<(), Stop> {
        for tenant in [STEADY, LEAVING] {
            self.begin_tenant(tenant).await?;
        }
        // a cadence that is set anew begins now, on a subject that would wait for the first slot
        let cadence = Cadence::AsPromised;
        self.may(Act::SetCadence { cadence }).await.map(drop)
    }

    async fn begin_tenant(&mut self, tenant: Tenant) -> Result<(), Stop> {
        self.must(Act::CreateTenant { tenant }).await?;
        self.homes.push((tenant, Home::default()));
        self.put(tenant).await
    }

    /// From now on once a day.
    pub(super) async fn back_up_daily(&mut self) -> Result<(), Stop> {
        let cadence = Cadence::Daily;
        self.must(Act::SetCadence { cadence }).await.map(drop)
    }

    /// Lets true time pass.
    pub(super) async fn pass_until(&mut self, at: UtcDateTime) -> Result<(), Stop> {
        Ok(self.simulator.pass_until(self.subject, at).await?)
    }

    /// One step of the plan.
    pub(super) async fn take(&mut self, what: What) -> Result<(), Stop> {
        if self.faulty_until.is_some_and(|until| until <= self.now()) {
            self.faulty_until = None;
        }
        let Some(tenant) = self.drawn_tenant() else {
            return Ok(());
        };
        match what {
            What::Put => self.put(tenant).await,
            What::Change => self.change(tenant).await,
            What::Delete => self.delete(tenant).await,
            What::Undelete => self.undelete(tenant).await,
            What::PurgeByHand => self.purge_by_hand(tenant).await,
            What::DeleteFile => self.delete_file(tenant).await,
            What::BackUp => self.back_up(tenant).await,
            What::RestoreSnapshot => self.restore_snapshot(tenant).await,
            What::DeleteDatabase => {
                self.must(Act::DeleteDatabase { tenant: LEAVING }).await?;
                self.homes.retain(|(tenant, _)| *tenant != LEAVING);
                Ok(())
            }
            What::BeginContract => self.begin_tenant(PASSING).await,
            What::EndContract => {
                self.may(Act::EndContract { tenant: PASSING }).await?;
                self.homes.retain(|(tenant, _)| *tenant != PASSING);
                Ok(())
            }
            What::Down(lasts) => self.fault(DepotFault::Down, lasts).await,
            What::Full(lasts) => self.fault(DepotFault::Full, lasts).await,
            What::Slow(lasts) => self.fault(DepotFault::Slow, lasts).await,
            What::CrashIdle => self.crash(CrashPoint::Idle).await,
            What::CrashAt(call) => self.crash(CrashPoint::Depot { call }).await,
            What::WrongClock { off, lasts } => self.wrong_clock(off, lasts).await,
        }
    }

    /// Takes what was recorded so far into the trace.
    pub(super) async fn listen(&mut self) -> Result<(), Stop> {
        self.hear(Wall::Right).await
    }

    pub(super) fn now(&self) -> UtcDateTime {
        self.simulator.now()
    }

    pub(super) const fn trace(&self) -> &Trace {
        &self.trace
    }

    pub(super) const fn acts(&self) -> u64 {
        self.acts
    }

    pub(super) const fn absent(&self) -> &BTreeSet<String> {
        &self.absent
    }

    async fn hear(&mut self, wall: Wall) -> Result<(), Stop> {
        let entries = self.subject.entries().await?;
        self.trace.take(entries, wall);
        Ok(())
    }

    async fn put(&mut self, tenant: Tenant) -> Result<(), Stop> {
        self.records = self.records.saturating_add(1);
        let record = Record(self.records);
        let body = Canary::drawn(self.seed, u64::from(self.records));
        // every other record has a file
        let file = self.records.is_multiple_of(2);
        let number = FILES_FROM.saturating_add(u64::from(self.records));
        let attachment = file.then(|| Canary::drawn(self.seed, number));
        let act = Act::PutRecord {
            tenant,
            record,
            body,
            sensitive: None,
            attachment,
        };
        self.must(act).await?;
        if let Some(home) = self.home(tenant) {
            home.live.insert(record);
            if file {
                home.filed.insert(record);
            }
        }
        Ok(())
    }

    async fn change(&mut self, tenant: Tenant) -> Result<(), Stop> {
        let Some(record) = self.any(tenant, |home| &home.live) else {
            return Ok(());
        };
        let number = u64::from(u32::MAX).saturating_add(self.acts);
        let body = Canary::drawn(self.seed, number);
        let act = Act::ChangeRecord {
            tenant,
            record,
            body,
        };
        self.may(act).await.map(drop)
    }

    async fn delete(&mut self, tenant: Tenant) -> Result<(), Stop> {
        let Some(record) = self.any(tenant, |home| &home.live) else {
            return Ok(());
        };
        self.must(Act::DeleteRecord { tenant, record }).await?;
        if let Some(home) = self.home(tenant) {
            home.live.remove(&record);
            home.filed.remove(&record);
            home.binned.insert(record);
        }
        Ok(())
    }

    /// One that was purged meanwhile is refused, as it must be.
    async fn undelete(&mut self, tenant: Tenant) -> Result<(), Stop> {
        let Some(record) = self.any(tenant, |home| &home.binned) else {
            return Ok(());
        };
        let back = self.may(Act::RestoreRecord { tenant, record }).await?;
        if let Some(home) = self.home(tenant) {
            home.binned.remove(&record);
            if back.is_some() {
                home.live.insert(record);
            }
        }
        Ok(())
    }

    /// One that was purged meanwhile is refused, as it must be.
    async fn purge_by_hand(&mut self, tenant: Tenant) -> Result<(), Stop> {
        let Some(record) = self.any(tenant, |home| &home.binned) else {
            return Ok(());
        };
        let act = Act::PurgeByHand {
            tenant,
            record: Some(record),
            by: Person::DatabaseAdministrator,
        };
        self.may(act).await?;
        if let Some(home) = self.home(tenant) {
            home.binned.remove(&record);
        }
        Ok(())
    }

    async fn delete_file(&mut self, tenant: Tenant) -> Result<(), Stop> {
        let Some(record) = self.any(tenant, |home| &home.filed) else {
            return Ok(());
        };
        self.may(Act::DeleteAttachment { tenant, record }).await?;
        if let Some(home) = self.home(tenant) {
            home.filed.remove(&record);
        }
        Ok(())
    }

    async fn back_up(&mut self, tenant: Tenant) -> Result<(), Stop> {
        let made = self.may(Act::BackUp { tenant }).await?;
        if let (Some(Seen::Snapshot(made)), Some(home)) = (made, self.home(tenant)) {
            home.snapshots.push(made.id);
        }
        Ok(())
    }

    /// One that is past its end is refused, as it must be.
    async fn restore_snapshot(&mut self, tenant: Tenant) -> Result<(), Stop> {
        let last = self.home(tenant).and_then(|home| home.snapshots.pop());
        let Some(snapshot) = last else {
            return Ok(());
        };
        let act = Act::RestoreSnapshot {
            tenant,
            snapshot,
            keys: KeysAtHand::All,
        };
        self.may(act).await.map(drop)
    }

    async fn fault(&mut self, fault: DepotFault, lasts: Duration) -> Result<(), Stop> {
        if self.faulty_until.is_some() {
            return Ok(());
        }
        let until = self.now().checked_add(lasts).unwrap_or(UtcDateTime::MAX);
        match self.must(Act::Fault { fault, until }).await {
            Ok(_) => self.faulty_until = Some(until),
            Err(Stop::Unsupported(_)) => {
                let word = match fault {
                    DepotFault::Down => "down",
                    DepotFault::Full => "full",
                    DepotFault::Slow => "slow",
                };
                self.absent.insert(format!("a depot that is {word}"));
            }
            Err(stop) => return Err(stop),
        }
        Ok(())
    }

    async fn crash(&mut self, at: CrashPoint) -> Result<(), Stop> {
        if self.faulty_until.is_some() {
            return Ok(());
        }
        if !self.subject.can_crash(at) {
            self.absent.insert(match at {
                CrashPoint::Depot { .. } => "a crash between two effects on the depot".to_owned(),
                _ => "a crash between two acts".to_owned(),
            });
            return Ok(());
        }
        self.subject.crash(at).await?;
        self.acts = self.acts.saturating_add(1);
        // a new process looks at once for what is due
        Ok(self.subject.run_until(self.now()).await?)
    }

    /// The wall clock is wrong for a while: background work goes on, and a record is written. Then it
    /// is put right.
    async fn wrong_clock(&mut self, off: Duration, lasts: Duration) -> Result<(), Stop> {
        self.hear(Wall::Right).await?;
        let from = self.now();
        let shown = from.checked_add(off).unwrap_or(from);
        self.step(shown).await?;
        self.put(STEADY).await?;
        let end = shown.checked_add(lasts).unwrap_or(shown);
        self.pass_until(end).await?;
        let until = self.now().checked_sub(off).unwrap_or(from);
        self.hear(Wall::Wrong { off, from, until }).await?;
        self.step(until).await
    }

    async fn step(&mut self, to: UtcDateTime) -> Result<(), Stop> {
        self.simulator.step(to);
        self.must(Act::StepClock { to }).await?;
        Ok(self.subject.run_until(to).await?)
    }

    /// An act that nothing forbids.
    async fn must(&mut self, act: Act) -> Result<Seen, Stop> {
        let kind = act.kind();
        match self.subject.perform(&act).await {
            Ok(seen) => {
                self.acts = self.acts.saturating_add(1);
                Ok(seen)
            }
            Err(Refusal::Unsupported(kind)) => Err(Stop::Unsupported(kind)),
            Err(refusal) => Err(Stop::Refused { act: kind, refusal }),
        }
    }

    /// An act that may be denied, that may fail while the depot is faulty, and that the subject need
    /// not have.
    async fn may(&mut self, act: Act) -> Result<Option<Seen>, Stop> {
        let kind: ActKind = act.kind();
        match self.subject.perform(&act).await {
            Ok(seen) => {
                self.acts = self.acts.saturating_add(1);
                Ok(Some(seen))
            }
            Err(Refusal::Unsupported(kind)) => {
                self.absent.insert(format!("the act {kind}"));
                Ok(None)
            }
            Err(Refusal::Denied { .. }) => Ok(None),
            Err(Refusal::Failed { .. }) if self.faulty_until.is_some() => Ok(None),
            Err(refusal) => Err(Stop::Refused { act: kind, refusal }),
        }
    }

    fn home(&mut self, tenant: Tenant) -> Option<&mut Home> {
        let mut homes = self.homes.iter_mut();
        homes.find(|(id, _)| *id == tenant).map(|(_, home)| home)
    }

    fn draw(&self, name: &str, below: usize) -> usize {
        let below = u64::try_from(below).unwrap_or(u64::MAX);
        let drawn = draw(self.seed, &format!("life/{}/{name}", self.acts), below);
        usize::try_from(drawn).unwrap_or(0)
    }

    /// Whose turn it is.
    fn drawn_tenant(&self) -> Option<Tenant> {
        let at = self.draw("tenant", self.homes.len());
        self.homes.get(at).map(|(tenant, _)| *tenant)
    }

    fn any(&mut self, tenant: Tenant, of: impl Fn(&Home) -> &BTreeSet<Record>) -> Option<Record> {
        let (_, home) = self.homes.iter().find(|(id, _)| *id == tenant)?;
        let all = of(home);
        let at = self.draw("record", all.len());
        all.iter().nth(at).copied()
    }
}
