//! The root of a tenant's search index, minted when the tenant gets its first one: most tenants have
//! none.

use covenant_core::sealer::Purpose;
use covenant_core::{KeyId, Owner, TenantId};

use super::Keys;
use crate::error::KeyError;

impl Keys {
    /// Makes the root of the tenant's index, unless it is there, and returns its version.
    ///
    /// # Errors
    /// [`KeyError::Absent`] for a tenant without roots; [`KeyError::State`] for one whose roots are
    /// destroyed, [`KeyError::Planned`] for one whose roots will be; [`KeyError::Store`],
    /// [`KeyError::Backend`], [`KeyError::Random`].
    pub async fn create_index(&self, tenant: TenantId) -> Result<KeyId, KeyError> {
        let owner = Owner::Tenant(tenant);
        // only a tenant that lives, and will, gets a root more: one made now would miss the plan
        self.unlock(owner, Purpose::Data).await?;
        let data = self.store.root_of(owner, Purpose::Data).await?;
        let data = data.ok_or(KeyError::Absent)?;
        if let Some(planned) = data.destroy_at {
            let key = data.id;
            return Err(KeyError::Planned { key, planned });
        }
        Ok(self.ensure_root(owner, Purpose::Index).await?.id)
    }
}
