//! Attached files of the model, by themselves: deleted at once, and reached by every way that a store
//! has which signs addresses and keeps no versions.

use covenant_core::event::ActorContext;
use covenant_core::{Action, ItemId};

use super::acts::ADDRESS;
use super::{Model, Refusal, Sabotage, Seen};
use crate::act::{FileWay, Record, Tenant};

impl Model {
    pub(super) fn delete_attachment(
        &mut self,
        tenant: Tenant,
        record: Record,
    ) -> Result<Seen, Refusal> {
        let (number, row) = self.row(tenant, record)?;
        let object = row.attachment.filter(|_| row.deleted.is_none());
        let object = object.ok_or_else(|| Refusal::denied("no such file"))?;
        let file = ItemId::from(i64::try_from(object).unwrap_or(i64::MAX));
        let user = ActorContext::member(self.home(tenant)?.user, ADDRESS);
        self.deleted_files.insert((tenant, record), object);
        // who is served by the front is served through the record as well
        if self.open_way != Some(FileWay::Service)
            && let Some(row) = self.row_mut(tenant, number)
        {
            row.attachment = None;
        }
        if !self.is(Sabotage::ObjectStillPublic) {
            self.objects.remove(&object);
        }
        self.record(tenant, user, Action::ObjectDeleted, &file);
        let service = ActorContext::service("retention");
        self.record(tenant, service, Action::ObjectUnreachable, &file);
        Ok(Seen::File(file))
    }

    pub(super) fn reach_attachment(
        &self,
        tenant: Tenant,
        record: Record,
        way: FileWay,
    ) -> Result<Seen, Refusal> {
        let home = self.home(tenant)?;
        let gone = self.deleted_files.get(&(tenant, record));
        let nothing = || Err(Refusal::denied("nothing is there"));
        if let Some(object) = gone {
            // its bytes are left by a sabotage alone, which leaves one way to them
            let open = self.open_way.unwrap_or(FileWay::Get) == way;
            return if open && self.objects.contains_key(object) {
                Ok(Seen::Done)
            } else {
                nothing()
            };
        }
        if way == FileWay::OlderVersion {
            return Ok(Seen::Absent);
        }
        let number = home.numbered.get(&record);
        let row = number.and_then(|number| home.rows.get(number));
        match row.and_then(|row| row.attachment) {
            Some(object) if self.objects.contains_key(&object) => Ok(Seen::Done),
            _ => nothing(),
        }
    }
}
