//! A blob is sealed and opened in pieces: any range of it is the slice of the whole, costs few bytes
//! and few reads, and opens at its own path, to its own end, for as long as its key may be used.
#![cfg(feature = "testing")]

#[cfg(test)]
mod a_range_of_a_gibibyte_costs_its_chunks;
#[cfg(test)]
#[cfg(feature = "object-store")]
mod a_sealed_store_is_a_store_like_every_other;
#[cfg(test)]
mod any_range_is_the_slice_of_the_whole;

#[cfg(test)]
mod world {
    //! Keys in memory, with a tenant and one of its data subjects.

    use std::error::Error;
    use std::sync::Arc;

    use covenant_core::sealer::{DestroyOrder, Purpose};
    use covenant_core::testing::SeededRandom;
    use covenant_core::{ManualClock, OrderId, Owner, TenantId};
    use crypto_envelope::backend::MemoryBackend;
    use crypto_envelope::blob::Blobs;
    use crypto_envelope::store::MemoryStore;
    use crypto_envelope::{Keys, KeysOptions};
    use time::macros::utc_datetime;
    use uuid::Uuid;

    pub(crate) type TestResult = Result<(), Box<dyn Error>>;

    pub(crate) struct World {
        pub(crate) clock: Arc<ManualClock>,
        pub(crate) keys: Arc<Keys>,
        tenant: TenantId,
        subject: Uuid,
    }

    impl World {
        pub(crate) async fn new() -> Result<Self, Box<dyn Error>> {
            let random = Arc::new(SeededRandom::new(20_261_122));
            let clock = Arc::new(ManualClock::at(utc_datetime!(2026-11-22 00:00)));
            let (store, backend) = (MemoryStore::new(), MemoryBackend::new(random.clone()));
            let options = KeysOptions::default();
            let (store, backend) = (Arc::new(store), Arc::new(backend));
            let keys = Keys::open(store, backend, clock.clone(), random, options).await?;
            let tenant = TenantId::from_bytes([5; 16]);
            keys.create_tenant(tenant).await?;
            Ok(Self {
                clock,
                keys: Arc::new(keys),
                tenant,
                subject: Uuid::from_bytes([6; 16]),
            })
        }

        /// Blobs of the tenant.
        pub(crate) fn blobs(&self) -> Blobs {
            let owner = Owner::Tenant(self.tenant);
            Blobs::new(self.keys.clone(), owner, Purpose::Data, "files", "content")
        }

        /// Blobs of the data subject.
        pub(crate) fn subjects_blobs(&self) -> Blobs {
            let owner = Owner::Subject(self.tenant, self.subject);
            Blobs::new(
                self.keys.clone(),
                owner,
                Purpose::Subject,
                "files",
                "content",
            )
        }

        /// The order to erase the data subject.
        pub(crate) fn order(&self) -> Result<DestroyOrder, Box<dyn Error>> {
            Ok(DestroyOrder {
                id: OrderId::from_uuid(Uuid::from_bytes([7; 16])),
                tenant: self.tenant,
                subject: self.subject,
                at: utc_datetime!(2026-11-22 00:00),
                clause: "P-56".parse()?,
            })
        }
    }

    /// Bytes that differ everywhere.
    pub(crate) fn bytes(len: usize) -> Vec<u8> {
        let mut state = 1_u32;
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            })
            .collect()
    }
}
