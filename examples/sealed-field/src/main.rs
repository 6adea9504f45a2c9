//! One sealed field, with keys in memory: it opens at its own row, and at no other.

use std::error::Error;
use std::sync::Arc;

use covenant_core::sealer::Purpose::Data;
use covenant_core::{Owner, Place, Random, Sealer, SystemClock, SystemRandom, TenantId};
use crypto_envelope::{Envelope, Keys, KeysOptions, backend::MemoryBackend, store::MemoryStore};

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
    let sealed = sealer.seal(&row(b"1")?, b"for row 1 alone").await?;
    let opened = sealer.open(&row(b"1")?, &sealed).await?;
    let refused = sealer.open(&row(b"2")?, &sealed).await;
    println!("row 1: {}", opened.expose().escape_ascii());
    println!("row 2: {}", refused.err().ok_or("it opened")?);
    Ok(())
}
