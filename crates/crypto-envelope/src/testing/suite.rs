//! What every pair of a key store and a backend does, in one call: the contracts of both, the state
//! table cell by cell, and random administration with failures against one table of keys.

mod cells;
mod random;

use std::sync::Arc;

use covenant_core::event::ActorContext;
use covenant_core::{BoxFuture, ClauseId, KeyId, ManualClock, Random, TenantId};
use time::UtcDateTime;
use uuid::Uuid;

use super::{SuiteError, backend_suite, restore_suite, store_suite};
use crate::admin::{AdminCall, Role};
use crate::backend::KekBackend;
use crate::keys::{Keys, KeysOptions};
use crate::store::KeyStore;

/// Random operations of [`suite`]: enough for every act on every state, and quick on a server.
const STEPS: u32 = 400;

/// Where the suite finds stores and a backend, and what it lives by.
pub trait Ground: Send + Sync {
    /// An empty store; another one at each call.
    fn store(&self) -> BoxFuture<'_, Result<Arc<dyn KeyStore>, SuiteError>>;
    /// The backend; KEKs of earlier calls may be in it.
    fn backend(&self) -> Arc<dyn KekBackend>;
    /// A clock that only the suite moves; its stores read no other.
    fn clock(&self) -> Arc<ManualClock>;
    /// Randomness; seeded, a failure repeats.
    fn random(&self) -> Arc<dyn Random>;
}

/// Runs all that an implementor of [`KeyStore`] or [`KekBackend`] promises: [`store_suite`],
/// [`restore_suite`], [`backend_suite`], every cell of the state table for a root and for a KEK, and
/// random operations, failures of the store among them, compared with one table of keys.
///
/// # Errors
/// [`SuiteError`] for the first sentence that does not hold.
pub async fn suite(ground: &dyn Ground, clause: ClauseId) -> Result<(), SuiteError> {
    let random = ground.random();
    let store = ground.store().await?;
    store_suite(&*store, &*random, clause).await?;
    let since = store.standing().await.map_err(SuiteError::of)?;
    let since = since.revision.div_euclid(2);
    restore_suite(&*store, &*ground.store().await?, since).await?;
    let ids = [uuid(&*random)?, uuid(&*random)?].map(KeyId::from_uuid);
    backend_suite(&*ground.backend(), ids).await?;
    table_suite(ground).await?;
    random_suite(ground, STEPS).await
}

/// Every cell of the state table, for a root and for a KEK, each on keys of its own.
///
/// # Errors
/// [`SuiteError`] with the first cell that holds something else.
// clause
pub async fn table_suite(ground: &dyn Ground) -> Result<(), SuiteError> {
    cells::all(ground).await
}

/// So many random operations on a few roots. Each is answered as one table says; when a call of the
/// store fails somewhere within, before its effect or after it, the key is as before or as afterwards.
///
/// # Errors
/// [`SuiteError`] with the first step that the table does not know.
pub async fn random_suite(ground: &dyn Ground, steps: u32) -> Result<(), SuiteError> {
    random::run(ground, steps).await
}

/// Keys as a new process has them.
async fn process(ground: &dyn Ground, store: Arc<dyn KeyStore>) -> Result<Keys, SuiteError> {
    let (clock, random) = (ground.clock(), ground.random());
    let options = KeysOptions::default();
    let keys = Keys::open(store, ground.backend(), clock, random, options).await;
    keys.map_err(SuiteError::of)
}

fn admin() -> AdminCall {
    AdminCall {
        actor: ActorContext::service("suite"),
        role: Role::SysAdmin,
        reason: Uuid::from_u128(1),
    }
}

fn uuid(random: &dyn Random) -> Result<Uuid, SuiteError> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes).map_err(SuiteError::of)?;
    Ok(Uuid::from_bytes(bytes))
}

fn tenant(random: &dyn Random) -> Result<TenantId, SuiteError> {
    uuid(random).map(TenantId::from_uuid)
}

/// When a wait of so many days in UTC is over, told without the code under test.
fn wait_ends(from: UtcDateTime, days: u8) -> UtcDateTime {
    let last = from
        .date()
        .saturating_add(time::Duration::days(days.into()));
    let end = last.next_day().unwrap_or(last).midnight().as_utc();
    end.min(from.saturating_add(time::Duration::days(30)))
}
