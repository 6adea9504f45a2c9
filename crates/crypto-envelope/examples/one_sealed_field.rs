//! One sealed field with keys in memory: seal it, open it, and see another row refuse it.

use std::sync::Arc;

use covenant_core::sealer::Purpose;
use covenant_core::{Owner, Place, Random, SystemClock, SystemRandom, TenantId};
use crypto_envelope::backend::MemoryBackend;
use crypto_envelope::store::MemoryStore;
use crypto_envelope::{Envelope, Keys, KeysOptions, Sealed};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (clock, random): (_, Arc<dyn Random>) = (SystemClock::new(), Arc::new(SystemRandom::new()));
    let tenant = TenantId::mint(&clock, &*random)?;
    let backend = Arc::new(MemoryBackend::new(random.clone()));
    let store = Arc::new(MemoryStore::new());
    let keys = Keys::open(
        store,
        backend,
        Arc::new(clock),
        random,
        KeysOptions::default(),
    )
    .await?;
    keys.create_tenant(tenant).await?;
    let sealer = Envelope::new(Arc::new(keys));

    let row = |id: &[u8]| Place::new(Owner::Tenant(tenant), Purpose::Data, "note", "body", id);
    let note = "for row 1 alone".to_owned();
    let sealed = Sealed::seal(&sealer, &row(b"1")?, &note).await?;
    assert_eq!(
        sealed.open(&sealer, &row(b"1")?).await?.expose(),
        "for row 1 alone"
    );
    assert!(sealed.open(&sealer, &row(b"2")?).await.is_err());
    Ok(())
}
