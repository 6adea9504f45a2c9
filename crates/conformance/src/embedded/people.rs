//! Who asks the embedded subject for something: members of a tenant, strangers and staff.

use std::net::{IpAddr, Ipv4Addr};

use covenant::FromBin;
use covenant_core::{StaffId, UserId};
use tenant_isolation::{Caller, Role};
use uuid::Uuid;

use super::acts::{record_seen, refusal};
use super::{Embedded, Home};
use crate::act::{Certified, Person, Record, Seen, Tenant};
use crate::subject::Refusal;

impl Embedded {
    /// This person as a caller, let in before as far as the administrator lets it in.
    pub(super) async fn caller(&self, tenant: Tenant, who: Person) -> Result<Caller, Refusal> {
        let home = self.home(tenant)?;
        let role = match who {
            Person::Member => Role::Member,
            Person::Reader => Role::Reader,
            Person::DatabaseAdministrator => return Ok(home.caller()),
            Person::Stranger => {
                let other = self.homes.values().find(|other| other.id != home.id);
                let other = other.ok_or_else(|| Refusal::denied("no other tenant"))?;
                return Ok(stranger(home, other));
            }
            Person::Staff => {
                let staff = StaffId::from_uuid(named(&format!("{who}")));
                return Ok(Caller::staff(staff, ADDRESS));
            }
        };
        let user = UserId::from_uuid(named(&format!("{who}/{tenant}")));
        let admin = home.caller();
        let let_in = self.covenant.set_member(&admin, home.id, user, Some(role));
        match let_in.await.map_err(refusal) {
            // One that was let in before stays so while nobody can be let in.
            Ok(()) | Err(Refusal::Denied { .. }) => {}
            Err(failed) => return Err(failed),
        }
        Ok(Caller::member(home.id, user, ADDRESS))
    }

    pub(super) async fn read_as(
        &self,
        tenant: Tenant,
        record: Record,
        by: Person,
    ) -> Result<Seen, Refusal> {
        let caller = self.caller(tenant, by).await?;
        let home = self.home(tenant)?;
        let item = home.item(record)?;
        let read = self.covenant.get(&caller, home.id, item).await;
        Ok(record_seen(read.map_err(refusal)?))
    }

    pub(super) async fn purge_by_hand(
        &self,
        tenant: Tenant,
        record: Option<Record>,
        by: Person,
    ) -> Result<Seen, Refusal> {
        let caller = self.caller(tenant, by).await?;
        let home = self.home(tenant)?;
        let what = match record {
            Some(record) => FromBin::One(home.item(record)?),
            None => FromBin::All,
        };
        let purged = self.covenant.purge(&caller, home.id, what).await;
        let key = self.covenant.certificate_key().await.map_err(refusal)?;
        Ok(Seen::Certified(Certified {
            note: purged.map_err(refusal)?.certificate,
            key,
        }))
    }
}

/// From where everybody here calls.
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 18));

/// The administrator of the other tenant, who says to be of this one.
fn stranger(home: &Home, other: &Home) -> Caller {
    Caller::member(home.id, other.admin, ADDRESS)
}

fn named(who: &str) -> Uuid {
    Uuid::new_v5(
        &Uuid::NAMESPACE_OID,
        format!("conformance/person/{who}").as_bytes(),
    )
}
