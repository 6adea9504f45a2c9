//! What the model does for each act of a scenario.

use super::{
    Act, Action, ActorContext, Cadence, Disk, Home, ItemId, Model, Record, Refusal, Row, Sabotage,
    Salt, Seen, Tenant, TenantId, churned, seal,
};
use crate::act::{
    CoverageSeen, DepotFault, KeyUse, LayerSeen, Opening, PutSeen, Reader, RecordSeen, SealingSeen,
};
use crate::canary::{Canary, occurrences};
use covenant_core::Clock;

use super::keys::Life;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

pub(super) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
/// What stands in the place of every field that was not revealed.
const MASK: &[u8] = b"****";

impl Model {
    pub(super) fn do_act(&mut self, act: &Act) -> Result<Seen, Refusal> {
        match act {
            Act::CreateTenant { tenant } => self.create_tenant(*tenant),
            Act::PutRecord {
                tenant,
                record,
                body,
                sensitive,
                attachment,
            } => {
                let (sensitive, attachment) = (sensitive.as_ref(), attachment.as_ref());
                self.put_record(*tenant, *record, body, sensitive, attachment)
            }
            Act::ChangeRecord {
                tenant,
                record,
                body,
            } => self.change_record(*tenant, *record, body),
            Act::DeleteRecord { tenant, record } => self.delete_record(*tenant, *record),
            Act::RestoreRecord { tenant, record } => self.restore_record(*tenant, *record),
            Act::ReadRecord { tenant, record } => self.read_record(*tenant, *record),
            Act::ReadFrom {
                tenant,
                record,
                reader,
            } => self.read_from(*tenant, *record, *reader),
            Act::RevealSensitive { tenant, record } => self.reveal(*tenant, *record),
            Act::ListRecords { tenant } => {
                let home = self.home(*tenant)?;
                let bin_shown = self.is(Sabotage::BinVisible);
                let live = |number: &u64| {
                    let row = home.rows.get(number);
                    row.is_some_and(|row| row.deleted.is_none() || bin_shown)
                };
                let all = home.numbered.iter().filter(|(_, number)| live(number));
                Ok(Seen::Records(all.map(|(record, _)| *record).collect()))
            }
            Act::DeleteAttachment { tenant, record } => self.delete_attachment(*tenant, *record),
            Act::ReachAttachment {
                tenant,
                record,
                way,
            } => self.reach_attachment(*tenant, *record, *way),
            Act::PurgeByHand { tenant, record, by } => self.purge_by_hand(*tenant, *record, *by),
            Act::ReadAs { tenant, record, by } => self.read_as(*tenant, *record, *by),
            Act::EndTrial { tenant } => self.end_trial(*tenant),
            Act::CancelSubscription { tenant } => self.cancel_subscription(*tenant),
            Act::StartSubscription { tenant } => self.start_subscription(*tenant),
            Act::EndContract { tenant } => self.end_contract(*tenant),
            Act::DeleteDatabase { tenant } => {
                let user = self.any_home(*tenant)?.user;
                self.delete_database(*tenant, ActorContext::member(user, ADDRESS))
            }
            Act::Churn {
                tenant,
                rows,
                deletes,
                seed,
            } => self.churn(*tenant, *rows, *deletes, *seed),
            Act::PlaceHold { tenant } => self.place_hold(*tenant),
            Act::ReleaseHold { tenant } => self.release_hold(*tenant),
            Act::SetCadence { cadence } => {
                self.cadence = *cadence;
                self.next_backup = match cadence {
                    Cadence::Off => None,
                    _ => Some(self.slot_after(self.clock.now())),
                };
                Ok(Seen::Done)
            }
            Act::Fault {
                fault: DepotFault::Down | DepotFault::Full,
                until,
            } => {
                self.depot_down_until = Some(*until);
                Ok(Seen::Done)
            }
            Act::Fault { .. } => Err(Refusal::Unsupported(act.kind())),
            Act::StepClock { .. } => Ok(Seen::Done),
            Act::AuditCoverage { tenant } => {
                let home = self.home(*tenant)?;
                let (touched, attributed) = (home.touched, home.attributed);
                Ok(Seen::Coverage(CoverageSeen {
                    touched,
                    attributed,
                }))
            }
            Act::DescribeSealing { canary, .. } => Ok(self.describe(canary)),
            Act::ListEndpoints => Ok(self.endpoints()),
            Act::SendHello { hello } => Ok(self.answer(*hello)),
            Act::ShowChain => Ok(self.chain()),
            Act::UseEndpoint { address } => self.use_endpoint(address),
            Act::SetRules { tenant, rules, by } => self.set_rules(*tenant, rules, *by),
            Act::ListRules { tenant } => Ok(Seen::Rules(self.rules(*tenant))),
            Act::ListStores => Ok(Seen::Stores(self.stores())),
            Act::StartAnother { lacking } => self.start_another(lacking),
            Act::ListKeys { role } => self.list_keys(*role),
            Act::AdministerKey { role, key, verb } => self.administer(*role, *key, *verb),
            Act::SetKeyExpiry { expiry } => self.set_expiry(*expiry),
            Act::BackUp { .. }
            | Act::ListSnapshots { .. }
            | Act::RestoreSnapshot { .. }
            | Act::RestoreBehindLog { .. }
            | Act::RestoreInPlace { .. }
            | Act::ListVaults
            | Act::TryVaultRoot { .. } => self.do_backup_act(act),
        }
    }

    fn create_tenant(&mut self, tenant: Tenant) -> Result<Seen, Refusal> {
        if self.homes.contains_key(&tenant) {
            return Err(Refusal::denied("the tenant exists"));
        }
        let home = Home {
            id: TenantId::from_uuid(self.uuid()),
            user: self.uuid(),
            data: self.key(),
            sensitive: self.key(),
            deleted: false,
            expired: false,
            disk: Disk::default(),
            rows: BTreeMap::new(),
            numbered: BTreeMap::new(),
            touched: 0,
            attributed: 0,
            last: None,
        };
        let (data, sensitive) = (home.data, home.sensitive);
        let (contents, second) = (KeyUse::Contents(tenant), KeyUse::Sensitive(tenant));
        let now = self.clock.now();
        self.lives.insert(data, Life::new(contents, now));
        self.lives.insert(sensitive, Life::new(second, now));
        self.homes.insert(tenant, home);
        Ok(Seen::Done)
    }

    pub(super) fn home(&self, tenant: Tenant) -> Result<&Home, Refusal> {
        let open = self.is(Sabotage::ExpiredReadable);
        let in_use = |home: &&Home| !home.deleted && (!home.expired || open);
        let home = self.homes.get(&tenant).filter(in_use);
        home.ok_or_else(|| Refusal::denied("no such database"))
    }

    /// A tenant, whether its database is deleted or not.
    pub(super) fn any_home(&self, tenant: Tenant) -> Result<&Home, Refusal> {
        let home = self.homes.get(&tenant);
        home.ok_or_else(|| Refusal::denied("no such tenant"))
    }

    fn home_mut(&mut self, tenant: Tenant) -> Result<&mut Home, Refusal> {
        let open = self.is(Sabotage::ExpiredReadable);
        let in_use = |home: &&mut Home| !home.deleted && (!home.expired || open);
        let home = self.homes.get_mut(&tenant).filter(in_use);
        home.ok_or_else(|| Refusal::denied("no such database"))
    }

    pub(super) fn row_mut(&mut self, tenant: Tenant, number: u64) -> Option<&mut Row> {
        self.homes.get_mut(&tenant)?.rows.get_mut(&number)
    }

    pub(super) fn row(&self, tenant: Tenant, record: Record) -> Result<(u64, &Row), Refusal> {
        let home = self.home(tenant)?;
        let found = home
            .numbered
            .get(&record)
            .and_then(|n| Some((*n, home.rows.get(n)?)));
        found.ok_or_else(|| Refusal::denied("no such record"))
    }

    fn put_record(
        &mut self,
        tenant: Tenant,
        record: Record,
        body: &Canary,
        sensitive: Option<&Canary>,
        attachment: Option<&Canary>,
    ) -> Result<Seen, Refusal> {
        let (data, second) = self.home(tenant).map(|home| (home.data, home.sensitive))?;
        let item = ItemId::from(self.uuid());
        let (number, slot) = (self.mint(), self.mint());
        let (bytes, body_salts) = self.seal(data, body.marker());
        self.home_mut(tenant)?.disk.write(slot, bytes);
        let mut sensitive_salts: Vec<Salt> = Vec::new();
        let mut sensitive_slot = None;
        if let Some(canary) = sensitive {
            let inner = if self.is(Sabotage::OneLayer) {
                canary.marker().to_vec()
            } else {
                let (bytes, salts) = self.seal(second, canary.marker());
                sensitive_salts.extend(salts);
                bytes
            };
            let (bytes, salts) = self.seal(data, &inner);
            sensitive_salts.extend(salts);
            let slot = self.mint();
            self.home_mut(tenant)?.disk.write(slot, bytes);
            sensitive_slot = Some(slot);
        }
        let mut object = None;
        let mut attachment_salts = Vec::new();
        if let Some(canary) = attachment {
            let (bytes, salts) = self.seal(data, canary.marker());
            attachment_salts = salts;
            let number = self.mint();
            self.objects.insert(number, bytes);
            object = Some(number);
        }
        let row = Row {
            item: item.clone(),
            body: slot,
            sensitive: sensitive_slot,
            attachment: object,
            deleted: None,
        };
        let home = self.home_mut(tenant)?;
        home.rows.insert(number, row);
        home.numbered.insert(record, number);
        let user = ActorContext::member(home.user, ADDRESS);
        self.record(tenant, user.clone(), Action::RecordCreated, &item);
        self.record(tenant, user, Action::ChangeRecorded, &item);
        let (sensitive, attachment) = (sensitive_salts, attachment_salts);
        Ok(Seen::Put(PutSeen {
            item,
            body: body_salts,
            sensitive,
            attachment,
        }))
    }

    fn change_record(
        &mut self,
        tenant: Tenant,
        record: Record,
        body: &Canary,
    ) -> Result<Seen, Refusal> {
        let (_, row) = self.row(tenant, record)?;
        let (item, slot) = (row.item.clone(), row.body);
        let data = self.home(tenant)?.data;
        let (bytes, salts) = self.seal(data, body.marker());
        let home = self.home_mut(tenant)?;
        home.disk.write(slot, bytes);
        let user = ActorContext::member(home.user, ADDRESS);
        self.record(tenant, user, Action::ChangeRecorded, &item);
        let (sensitive, attachment) = (Vec::new(), Vec::new());
        Ok(Seen::Put(PutSeen {
            item,
            body: salts,
            sensitive,
            attachment,
        }))
    }

    fn delete_record(&mut self, tenant: Tenant, record: Record) -> Result<Seen, Refusal> {
        let (number, row) = self.row(tenant, record)?;
        if row.deleted.is_some() {
            return Err(Refusal::denied("the record is in the bin"));
        }
        let (item, attachment) = (row.item.clone(), row.attachment);
        self.bin_row(tenant, number)?;
        if self.is(Sabotage::BinLost) {
            self.objects.retain(|object, _| Some(*object) != attachment);
        }
        let user = ActorContext::member(self.home(tenant)?.user, ADDRESS);
        self.record(tenant, user, Action::RecordDeleted, &item);
        Ok(Seen::Done)
    }

    fn bin_row(&mut self, tenant: Tenant, number: u64) -> Result<(), Refusal> {
        let now = self.clock.now();
        let (floor, ceiling) = self.figures.bin(now);
        let second = time::Duration::seconds(2);
        let due = match self.sabotage {
            Some(Sabotage::PurgeEarly) => floor - second,
            Some(Sabotage::PurgeLate) => ceiling + second,
            _ => floor.max(self.own_floor(tenant, now)),
        };
        if let Some(row) = self.home_mut(tenant)?.rows.get_mut(&number) {
            row.deleted = Some(now);
        }
        self.purges.insert((due, tenant, number));
        Ok(())
    }

    fn restore_record(&mut self, tenant: Tenant, record: Record) -> Result<Seen, Refusal> {
        let (number, row) = self.row(tenant, record)?;
        if row.deleted.is_none() {
            return Err(Refusal::denied("the record is not in the bin"));
        }
        let item = row.item.clone();
        let home = self.home_mut(tenant)?;
        if let Some(row) = home.rows.get_mut(&number) {
            row.deleted = None;
        }
        let user = ActorContext::member(home.user, ADDRESS);
        self.purges
            .retain(|(_, of, at)| (*of, *at) != (tenant, number));
        self.record(tenant, user, Action::RecordRestored, &item);
        Ok(Seen::Done)
    }

    pub(super) fn read_record(&mut self, tenant: Tenant, record: Record) -> Result<Seen, Refusal> {
        let (_, row) = self.row(tenant, record)?;
        if row.deleted.is_some() && !self.is(Sabotage::BinVisible) {
            return Err(Refusal::denied("the record is in the bin"));
        }
        let row = row.clone();
        self.unwrap(self.home(tenant)?.data)?;
        let stored = self.home(tenant)?.disk.read(row.body);
        let body = stored.map(|bytes| self.open(bytes)).unwrap_or_default();
        let attachment = row.attachment.and_then(|object| self.objects.get(&object));
        let attachment = attachment.map(|bytes| self.open(bytes));
        let sensitive = row.sensitive.map(|_| MASK.to_vec());
        let seen = RecordSeen {
            body,
            attachment,
            sensitive,
        };
        self.read.insert((tenant, record), seen.clone());
        Ok(Seen::Record(seen))
    }

    fn read_from(
        &mut self,
        tenant: Tenant,
        record: Record,
        reader: Reader,
    ) -> Result<Seen, Refusal> {
        let cached = self.read.get(&(tenant, record)).cloned();
        match reader {
            Reader::Cache if self.is(Sabotage::DeletedReadableInCache) => cached
                .map(Seen::Record)
                .ok_or_else(|| Refusal::denied("not in the cache")),
            Reader::Replica => Ok(Seen::Absent),
            _ => self.read_record(tenant, record),
        }
    }

    fn reveal(&mut self, tenant: Tenant, record: Record) -> Result<Seen, Refusal> {
        let (_, row) = self.row(tenant, record)?;
        let slot = row.sensitive.filter(|_| row.deleted.is_none());
        let item = row.item.clone();
        let home = self.home(tenant)?;
        for key in [home.data, home.sensitive] {
            self.unwrap(key)?;
        }
        let stored = slot.and_then(|slot| self.home(tenant).ok()?.disk.read(slot));
        let stored = stored.map(<[u8]>::to_vec);
        let stored = stored.ok_or_else(|| Refusal::denied("no such field"))?;
        self.record_reveal(tenant, &item);
        Ok(Seen::Revealed(self.open(&stored)))
    }

    fn churn(
        &mut self,
        tenant: Tenant,
        rows: u32,
        deletes: u32,
        seed: u64,
    ) -> Result<Seen, Refusal> {
        let data = self.home(tenant)?.data;
        let mut canary = Canary::of(b"");
        for number in 0..rows {
            let (key, slot) = (self.mint(), self.mint());
            let (bytes, salts) = self.seal(data, &churned(seed, number));
            let item = ItemId::from(i64::from(number));
            let row = Row {
                item,
                body: slot,
                sensitive: None,
                attachment: None,
                deleted: None,
            };
            let home = self.home_mut(tenant)?;
            home.disk.write(slot, bytes);
            home.rows.insert(key, row);
            if number < deletes {
                canary = canary.with_salts(salts);
                self.bin_row(tenant, key)?;
            }
        }
        let user = ActorContext::member(self.home(tenant)?.user, ADDRESS);
        let many = ItemId::from(0_i64);
        self.record(tenant, user.clone(), Action::RecordCreated, &many);
        self.record(tenant, user, Action::ChangeRecorded, &many);
        Ok(Seen::Churned(canary))
    }

    /// Opens the stored value that holds the canary, layer by layer, by trying every key.
    fn describe(&self, canary: &Canary) -> Seen {
        let rows = self.homes.values().flat_map(|home| home.disk.values());
        let holds =
            |value: &&[u8]| seal::salt_of(value).is_some_and(|salt| canary.salts().contains(&salt));
        let objects = self.objects.values().map(Vec::as_slice);
        let mut value = rows.chain(objects).find(holds).map(<[u8]>::to_vec);
        let mut layers = Vec::new();
        let mut outer_alone = Opening::Refused;
        while let Some(sealed) = value.take() {
            let opened = |key: &seal::Key| Some((key.clone(), seal::open(key, &sealed)?));
            let Some((key, inner)) = self.keys.values().find_map(opened) else {
                break;
            };
            if layers.is_empty() && occurrences(&inner, canary.marker()) > 0 {
                outer_alone = Opening::Opened;
            }
            let bits = key.bits();
            layers.push(LayerSeen {
                cipher: format!("aes-{bits}"),
                key_bits: bits,
                root: key.id,
            });
            value = Some(inner);
        }
        Seen::Sealing(SealingSeen {
            layers,
            outer_alone,
            column: String::new(),
            content_columns: Vec::new(),
            plain_columns: Vec::new(),
            undeclared_columns: Vec::new(),
        })
    }
}
