//! Attached files on the embedded subject: deleted by themselves, and looked for by every way that the
//! deployment has to them.

use covenant::{Reached, Way};
use covenant_core::ItemId;

use super::acts::refusal;
use super::{Attached, Embedded};
use crate::act::{FileWay, Record, Seen, Tenant};
use crate::subject::Refusal;

impl Embedded {
    pub(super) async fn delete_attachment(
        &mut self,
        tenant: Tenant,
        record: Record,
    ) -> Result<Seen, Refusal> {
        let file = self.attached(tenant, record).await?.id;
        let home = self.home(tenant)?;
        let caller = home.caller();
        let deleted = self.covenant.delete_attachment(&caller, home.id, &file);
        deleted.await.map_err(refusal)?;
        Ok(Seen::File(file))
    }

    pub(super) async fn reach_attachment(
        &mut self,
        tenant: Tenant,
        record: Record,
        way: FileWay,
    ) -> Result<Seen, Refusal> {
        let attached = self.attached(tenant, record).await?;
        let way = match way {
            FileWay::Service => return self.read_attachment(tenant, &attached.id).await,
            FileWay::Get => Way::Get,
            FileWay::Head => Way::Head,
            FileWay::List => Way::List,
            FileWay::Copy => Way::Copy,
            FileWay::Signed => Way::Signed,
            FileWay::OlderVersion => match attached.version {
                Some(version) => Way::Older(version),
                None => return Ok(Seen::Absent),
            },
        };
        let name = self
            .covenant
            .public_name(self.home(tenant)?.id, &attached.id);
        match self.covenant.files().reach(&name, &way).await {
            Ok(Reached::Open) => Ok(Seen::Done),
            Ok(Reached::Closed) => Err(Refusal::denied("nothing is there")),
            Ok(Reached::NoSuchWay) => Ok(Seen::Absent),
            Err(error) => Err(refusal(error)),
        }
    }

    async fn read_attachment(&self, tenant: Tenant, file: &ItemId) -> Result<Seen, Refusal> {
        let home = self.home(tenant)?;
        let caller = home.caller();
        let read = self.covenant.attachment(&caller, home.id, file);
        read.await.map(|_| Seen::Done).map_err(refusal)
    }

    /// The file of a record, as it was when it was first asked for: somebody outside remembers it.
    async fn attached(&mut self, tenant: Tenant, record: Record) -> Result<Attached, Refusal> {
        let home = self.home(tenant)?;
        if let Some(known) = home.attached.get(&record) {
            return Ok(known.clone());
        }
        let item = home.item(record)?;
        let caller = home.caller();
        let listed = self.covenant.attachments(&caller, home.id, item);
        let listed = listed.await.map_err(refusal)?;
        let file = listed.into_iter().next();
        let file = file.ok_or_else(|| Refusal::denied("the record has no file"))?;
        let name = self.covenant.public_name(home.id, &file.id);
        let version = self.covenant.files().version(&name).await;
        let attached = Attached {
            id: file.id,
            version: version.map_err(refusal)?,
        };
        if let Some(home) = self.homes.get_mut(&tenant) {
            home.attached.insert(record, attached.clone());
        }
        Ok(attached)
    }
}
