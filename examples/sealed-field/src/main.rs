//! One sealed field, with keys in memory: it opens at its own row, and at no other.

use std::error::Error;
use std::sync::Arc;

use covenant_core::sealer::Purpose::Data;
use covenant_core::{Owner, Place, Random, SystemClock, SystemRandom, TenantId};
use crypto_envelope::backend::MemoryBackend;
use crypto_envelope::store::MemoryStore;
use crypto_envelope::{Envelope, Keys, KeysOptions, Sealed};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (clock, random) = (Arc::new(SystemClock::new()), Arc::new(SystemRandom::new()));
    let tenant = TenantId::mint(&*clock, &*random)?;
    let random: Arc<dyn Random> = random;
    let backend = Arc::new(MemoryBackend::new(random.clone()));
    let store = Arc::new(MemoryStore::new());
    let keys = Keys::open(store, backend, clock, random, KeysOptions::default()).await?;
    keys.create_tenant(tenant).await?;
    let sealer = Envelope::new(Arc::new(keys));
    let row = |id: &[u8]| Place::new(Owner::Tenant(tenant), Data, "note", "body", id);
    let note = "for row 1 alone".to_owned();
    let sealed = Sealed::seal(&sealer, &row(b"1")?, &note).await?;
    let opened = sealed.open(&sealer, &row(b"1")?).await?;
    let refused = sealed.open(&sealer, &row(b"2")?).await;
    println!("row 1: {}", opened.expose());
    println!("row 2: {}", refused.err().ok_or("it opened")?);
    Ok(())
}
