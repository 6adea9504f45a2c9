//! Acts on the embedded subject: each by the way that a service of `covenant` would take.

use std::collections::{BTreeMap, BTreeSet};

use backup_engine::{BackupError, Snapshot};
use covenant::{Covenant, Error, NewRecord, Written};
use covenant_core::event::Datum;
use covenant_core::{Action, ItemId, SnapshotId, TenantId};
use crypto_envelope::backend::MemoryBackend;
use crypto_envelope::store::MemoryStore;
use crypto_envelope::{Keys, KeysOptions};
use std::sync::{Arc, PoisonError};
use tenant_isolation::{Caller, ServiceKind};

use super::wraps::Strain;
use super::{Embedded, Home, keys, trail};
use crate::act::{
    Act, Cadence, DepotFault, KeysAtHand, PutSeen, Reader, Record, RecordSeen, Seen, SnapshotSeen,
    Tenant,
};
use crate::canary::Canary;
use crate::subject::{Refusal, SubjectError};
use time::UtcDateTime;

impl Embedded {
    pub(super) async fn do_act(&mut self, act: &Act) -> Result<Seen, Refusal> {
        match act {
            Act::CreateTenant { tenant } => self.create_tenant(*tenant).await,
            Act::PutRecord {
                tenant,
                record,
                body,
                sensitive,
                attachment,
            } => {
                self.put(
                    *tenant,
                    *record,
                    body,
                    sensitive.as_ref(),
                    attachment.as_ref(),
                )
                .await
            }
            Act::ChangeRecord {
                tenant,
                record,
                body,
            } => self.change(*tenant, *record, body).await,
            Act::DeleteRecord { tenant, record } => {
                let home = self.home(*tenant)?;
                let item = home.item(*record)?;
                self.covenant
                    .delete(&home.caller(), home.id, item)
                    .await
                    .map_err(refusal)?;
                Ok(Seen::Done)
            }
            Act::RestoreRecord { tenant, record } => {
                let home = self.home(*tenant)?;
                let item = home.item(*record)?;
                self.covenant
                    .restore(&home.caller(), home.id, item)
                    .await
                    .map_err(refusal)?;
                Ok(Seen::Done)
            }
            Act::ReadRecord { tenant, record } => self.read(*tenant, *record, Reader::Front).await,
            Act::ReadFrom {
                tenant,
                record,
                reader,
            } => self.read(*tenant, *record, *reader).await,
            Act::RevealSensitive { tenant, record } => {
                let home = self.home(*tenant)?;
                let item = home.item(*record)?;
                let shown = self.covenant.reveal(&home.caller(), home.id, item).await;
                Ok(Seen::Revealed(shown.map_err(refusal)?.expose().clone()))
            }
            Act::ListRecords { tenant } => {
                let home = self.home(*tenant)?;
                let listed = self
                    .covenant
                    .list(&home.caller(), home.id)
                    .await
                    .map_err(refusal)?;
                Ok(Seen::Records(numbered(home, &listed)))
            }
            Act::DeleteAttachment { tenant, record } => {
                self.delete_attachment(*tenant, *record).await
            }
            Act::ReachAttachment {
                tenant,
                record,
                way,
            } => self.reach_attachment(*tenant, *record, *way).await,
            Act::PurgeByHand { tenant, record, by } => {
                self.purge_by_hand(*tenant, *record, *by).await
            }
            Act::ReadAs { tenant, record, by } => self.read_as(*tenant, *record, *by).await,
            Act::EndTrial { tenant } => {
                let ended = self.covenant.end_trial(self.home(*tenant)?.id).await;
                ended.map(|()| Seen::Done).map_err(refusal)
            }
            Act::CancelSubscription { tenant } => {
                let id = self.home(*tenant)?.id;
                let cancelled = self.covenant.cancel_subscription(id).await;
                cancelled.map(|()| Seen::Done).map_err(refusal)
            }
            Act::StartSubscription { tenant } => {
                let id = self.home(*tenant)?.id;
                let started = self.covenant.start_subscription(id).await;
                started.map(|()| Seen::Done).map_err(refusal)
            }
            Act::EndContract { tenant } => {
                let billing = Caller::service(ServiceKind::Billing);
                let id = self.home(*tenant)?.id;
                let ended = self.covenant.end_contract(&billing, id).await;
                ended.map(|()| Seen::Done).map_err(refusal)
            }
            Act::DeleteDatabase { tenant } => {
                let home = self.home(*tenant)?;
                let deleted = self.covenant.delete_database(&home.caller(), home.id).await;
                deleted.map_err(refusal)?;
                Ok(Seen::Done)
            }
            Act::Churn {
                tenant,
                rows,
                deletes,
                seed,
            } => self.churn(*tenant, *rows, *deletes, *seed).await,
            Act::BackUp { tenant } => {
                let home = self.home(*tenant)?;
                let made = self.covenant.back_up(home.id).await.map_err(refusal)?;
                self.steal_depot().map_err(Refusal::failed)?;
                self.covenant.sequence().await.map_err(refusal)?;
                self.keep_log(made.id).map_err(Refusal::failed)?;
                let told = self.consistent_points(home.id).await?;
                if !told.contains_key(&ItemId::from(made.id.as_uuid())) {
                    let what = "the log lacks a backup that was just made";
                    return Err(Refusal::failed(SubjectError::new(what)));
                }
                Ok(Seen::Snapshot(snapshot_seen(&told, &made)))
            }
            Act::ListSnapshots { tenant } => {
                let home = self.home(*tenant)?;
                let listed = self.covenant.snapshots(home.id).await.map_err(refusal)?;
                let told = self.consistent_points(home.id).await?;
                let seen = listed.iter().map(|made| snapshot_seen(&told, made));
                Ok(Seen::Snapshots(seen.collect()))
            }
            Act::RestoreSnapshot {
                tenant,
                snapshot,
                keys,
            } => match keys {
                KeysAtHand::All => self.restore(*tenant, *snapshot).await,
                KeysAtHand::None => self.restore_without_keys(*tenant, *snapshot).await,
            },
            Act::PlaceHold { tenant } => self.place_hold(*tenant).await,
            Act::ReleaseHold { tenant } => self.release_hold(*tenant).await,
            Act::RestoreInPlace { tenant, snapshot } => {
                self.restore_in_place(*tenant, *snapshot).await
            }
            Act::RestoreBehindLog { tenant, snapshot } => {
                self.restore_behind_log(*tenant, *snapshot).await
            }
            Act::SetCadence { cadence } => self.set_cadence(*cadence).await,
            Act::Fault {
                fault: DepotFault::Down,
                until,
            } => {
                self.switches.faults.take_down();
                self.switches.broken_until = Some(*until);
                Ok(Seen::Done)
            }
            Act::Fault { fault, until } => {
                self.switches.strain.set(match fault {
                    DepotFault::Full => Strain::Full,
                    DepotFault::Slow => Strain::Slow,
                    DepotFault::Down => Strain::None,
                });
                self.switches.broken_until = Some(*until);
                Ok(Seen::Done)
            }
            Act::StepClock { to: _ } => Ok(Seen::Done),
            Act::AuditCoverage { tenant } => self.coverage(*tenant).await,
            Act::ListVaults => self.vaults().await,
            Act::TryVaultRoot { vault, root_of } => self.try_root(*vault, *root_of).await,
            Act::DescribeSealing {
                tenant,
                record,
                canary,
            } => self.describe(*tenant, *record, canary).await,
            Act::ListEndpoints => self.endpoints(),
            Act::SendHello { hello } => self.send_hello(*hello).await,
            Act::ShowChain => self.show_chain().await,
            Act::UseEndpoint { address } => self.use_endpoint(address),
            Act::SetRules { tenant, rules, by } => self.set_rules(*tenant, rules, *by).await,
            Act::ListRules { tenant } => self.list_rules(*tenant).await,
            Act::ListStores => Ok(self.list_stores()),
            Act::StartAnother { lacking } => self.start_another(lacking).await,
            Act::ListKeys { role } => self.list_keys(*role).await,
            Act::AdministerKey { role, key, verb } => self.administer(*role, *key, *verb).await,
            Act::SetKeyExpiry { expiry } => self.set_key_expiry(*expiry).await,
        }
    }

    /// The consistent point of every backup, as its event in the log tells.
    async fn consistent_points(
        &self,
        tenant: TenantId,
    ) -> Result<BTreeMap<ItemId, UtcDateTime>, Refusal> {
        self.covenant.sequence().await.map_err(refusal)?;
        let events = trail::events(&self.covenant, &[tenant]).await;
        let events = events.map_err(Refusal::failed)?;
        let completed = events
            .into_iter()
            .filter(|event| event.action == Action::BackupCompleted);
        let points = completed.filter_map(|event| {
            let point = event.data.get("consistent_at")?;
            let Datum::At(point) = point else { return None };
            Some((event.target.id?, *point))
        });
        Ok(points.collect())
    }

    async fn create_tenant(&mut self, tenant: Tenant) -> Result<Seen, Refusal> {
        let (id, admin) = Self::ids(tenant);
        self.covenant
            .create_tenant(id, admin)
            .await
            .map_err(refusal)?;
        let home = Home {
            id,
            admin,
            records: BTreeMap::new(),
            attached: BTreeMap::new(),
            session: None,
        };
        self.homes.insert(tenant, home);
        Ok(Seen::Done)
    }

    async fn put(
        &mut self,
        tenant: Tenant,
        record: Record,
        body: &Canary,
        sensitive: Option<&Canary>,
        attachment: Option<&Canary>,
    ) -> Result<Seen, Refusal> {
        let home = self.home(tenant)?;
        let item = ItemId::from(i64::from(record.0));
        let new = NewRecord {
            body: content(body),
            sensitive: sensitive.map(content),
            attachments: attachment.map(content).into_iter().collect(),
        };
        let caller = home.caller();
        let written = self
            .covenant
            .put(&caller, home.id, &item, &new)
            .await
            .map_err(refusal)?;
        if let Some(home) = self.homes.get_mut(&tenant) {
            home.records.insert(record, item.clone());
        }
        Ok(put_seen(item, written))
    }

    async fn change(
        &mut self,
        tenant: Tenant,
        record: Record,
        body: &Canary,
    ) -> Result<Seen, Refusal> {
        let home = self.home(tenant)?;
        let item = home.item(record)?;
        let changed = self
            .covenant
            .change(&home.caller(), home.id, item, &content(body))
            .await;
        Ok(put_seen(item.clone(), changed.map_err(refusal)?))
    }

    async fn read(
        &mut self,
        tenant: Tenant,
        record: Record,
        reader: Reader,
    ) -> Result<Seen, Refusal> {
        let home = self.home(tenant)?;
        let (caller, id, item) = (home.caller(), home.id, home.item(record)?.clone());
        let read = match reader {
            Reader::Front => self.covenant.get(&caller, id, &item).await,
            Reader::OpenSession => {
                if home.session.is_none() {
                    let opened = self.covenant.open_session(&caller, id).await;
                    let opened = opened.map_err(refusal)?;
                    if let Some(home) = self.homes.get_mut(&tenant) {
                        home.session = Some(opened);
                    }
                }
                match &self.home(tenant)?.session {
                    Some(session) => session.get(&item).await,
                    None => return Ok(Seen::Absent),
                }
            }
            Reader::SecondProcess => self.second().await?.get(&caller, id, &item).await,
            // The assembly keeps no answers and has no copies that answer.
            _ => return Ok(Seen::Absent),
        };
        Ok(record_seen(read.map_err(refusal)?))
    }

    async fn churn(
        &mut self,
        tenant: Tenant,
        rows: u32,
        deletes: u32,
        seed: u64,
    ) -> Result<Seen, Refusal> {
        let home = self.home(tenant)?;
        let (caller, id) = (home.caller(), home.id);
        let drawn = |row: u32, what: &str| {
            let name = format!("{seed}/{row}/{what}");
            covenant_core::digest::Digest::of(name.as_bytes())
        };
        let item = |row: u32| ItemId::from(uuid_of(&drawn(row, "key")));
        let body = |row: u32, what: &str, blocks: u8| {
            let digest = drawn(row, what).to_string();
            let blocks = 1 + digest.bytes().map(|b| b % blocks).next().unwrap_or(0);
            digest.repeat(usize::from(blocks)).into_bytes()
        };
        let first: Vec<_> = (0..rows)
            .map(|row| (item(row), body(row, "first", 5)))
            .collect();
        let put = self
            .covenant
            .put_many(&caller, id, &first)
            .await
            .map_err(refusal)?;
        // Every third row grows, so that pages split and leave copies behind.
        let grown: Vec<u32> = (0..rows).filter(|row| row % 3 == 0).collect();
        let second: Vec<_> = grown
            .iter()
            .map(|row| (item(*row), body(*row, "grown", 12)))
            .collect();
        let changed = self
            .covenant
            .change_many(&caller, id, &second)
            .await
            .map_err(refusal)?;
        let step = rows.checked_div(deletes).unwrap_or(1).max(1);
        let gone: Vec<u32> = (0..deletes).map(|n| n.saturating_mul(step)).collect();
        let items: Vec<ItemId> = gone.iter().map(|row| item(*row)).collect();
        self.covenant
            .delete_many(&caller, id, &items)
            .await
            .map_err(refusal)?;
        let is_gone: BTreeSet<u32> = gone.into_iter().collect();
        let old = (0..rows).zip(put);
        let new = grown.into_iter().zip(changed);
        let salts = old
            .chain(new)
            .filter(|(row, _)| is_gone.contains(row))
            .map(|(_, salt)| salt);
        Ok(Seen::Churned(Canary::of(b"").with_salts(salts)))
    }

    async fn restore(&self, tenant: Tenant, snapshot: SnapshotId) -> Result<Seen, Refusal> {
        self.restore_on(&self.covenant, tenant, snapshot).await
    }

    pub(super) async fn restore_on(
        &self,
        covenant: &Covenant,
        tenant: Tenant,
        snapshot: SnapshotId,
    ) -> Result<Seen, Refusal> {
        let home = self.home(tenant)?;
        let restored = covenant
            .restore_beside(home.id, snapshot)
            .await
            .map_err(refusal)?;
        let records = restored.records().await.map_err(refusal)?;
        let named: BTreeMap<&ItemId, Record> = home
            .records
            .iter()
            .map(|(record, item)| (item, *record))
            .collect();
        let seen = records.into_iter().filter_map(|record| {
            named
                .get(&record.id)
                .map(|number| (*number, record.body.0.clone()))
        });
        Ok(Seen::Restored(seen.collect()))
    }

    /// A restore with the depot's bytes and a key service that holds nothing of this deployment.
    async fn restore_without_keys(
        &self,
        tenant: Tenant,
        snapshot: SnapshotId,
    ) -> Result<Seen, Refusal> {
        let home = self.home(tenant)?;
        let keys = Keys::open(
            Arc::new(MemoryStore::new()),
            Arc::new(MemoryBackend::new(self.random.clone())),
            self.clock.clone(),
            self.random.clone(),
            KeysOptions::default(),
        );
        let keys = Arc::new(keys.await.map_err(Refusal::failed)?);
        let engine = self
            .covenant
            .engine_on(keys)
            .await
            .map_err(Refusal::failed)?;
        let domain = Covenant::domain(home.id).map_err(Refusal::failed)?;
        let scratch = self.covenant.layout().scratch();
        match backup_engine::Backups::restore(&engine, &domain, snapshot, &scratch).await {
            Ok(_quarantined) => Ok(Seen::Restored(BTreeMap::new())),
            Err(error) => Err(refusal(error.into())),
        }
    }

    async fn set_cadence(&mut self, cadence: Cadence) -> Result<Seen, Refusal> {
        *self
            .switches
            .cadence
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = cadence;
        self.covenant.rebuild_due().await.map_err(refusal)?;
        Ok(Seen::Done)
    }
}

/// A backup as scenarios see it. One that is listed and not in the log has no other instant than that
/// at which it is said to have completed.
fn snapshot_seen(told: &BTreeMap<ItemId, UtcDateTime>, made: &Snapshot) -> SnapshotSeen {
    let point = told.get(&ItemId::from(made.id.as_uuid()));
    SnapshotSeen {
        id: made.id,
        consistent_at: point.copied().unwrap_or(made.completed),
        completed_at: made.completed,
    }
}

/// A record as a read shows it.
pub(super) fn record_seen(read: covenant::Record) -> Seen {
    let mask = read.shown_sensitive().map(str::as_bytes);
    Seen::Record(RecordSeen {
        sensitive: mask.map(<[u8]>::to_vec),
        body: read.body.0,
        attachment: read.attachments.into_iter().next().map(|file| file.0),
    })
}

/// What is written for a canary: its marker among other words, as content would have it.
fn content(canary: &Canary) -> Vec<u8> {
    let mut bytes = b"before ".to_vec();
    bytes.extend_from_slice(canary.marker());
    bytes.extend_from_slice(b" after");
    bytes
}

fn put_seen(item: ItemId, written: Written) -> Seen {
    Seen::Put(PutSeen {
        item,
        body: written.body,
        sensitive: written.sensitive,
        attachment: written.attachments,
    })
}

fn numbered(home: &Home, items: &[ItemId]) -> BTreeSet<Record> {
    home.records
        .iter()
        .filter(|(_, item)| items.contains(item))
        .map(|(record, _)| *record)
        .collect()
}

fn uuid_of(digest: &covenant_core::digest::Digest) -> uuid::Uuid {
    let mut bytes = [0_u8; 16];
    bytes
        .iter_mut()
        .zip(digest.as_bytes())
        .for_each(|(to, from)| *to = *from);
    uuid::Uuid::from_bytes(bytes)
}

/// A decision or a state that forbids is a denial; anything else is a failure.
pub(super) fn refusal(error: Error) -> Refusal {
    match error {
        Error::Denied(_) => Refusal::denied("decision"),
        Error::Revoked => Refusal::denied("revoked"),
        Error::NotFound => Refusal::denied("not found"),
        Error::Exists => Refusal::denied("exists"),
        Error::Kept => Refusal::denied("kept"),
        Error::NotAuthentic => Refusal::denied("not authentic"),
        Error::Shut(_) => Refusal::denied("shut"),
        error @ (Error::Rules(_) | Error::NotCarriedOut(_)) => Refusal::denied(error.to_string()),
        Error::Unavailable(source) if keys::forbids(source.as_ref()) => {
            Refusal::denied("state of the key")
        }
        Error::Backup(
            error @ (BackupError::Dead { .. }
            | BackupError::Key(_)
            | BackupError::UnknownSnapshot(_)
            | BackupError::Corrupt { .. }),
        ) => Refusal::denied(error.to_string()),
        other => Refusal::failed(other),
    }
}
