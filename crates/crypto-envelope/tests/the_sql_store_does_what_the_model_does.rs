//! Random operations on the store in memory and on SQLite: every answer, and in the end every
//! record, is the same.
#![cfg(all(unix, feature = "sqlite"))]

#[cfg(test)]
mod common;

use common::{SEED, TestResult, World, start};
use covenant_core::event::{Action, ActorContext, Outcome};
use covenant_core::sealer::{DestroyOrder, Purpose};
use covenant_core::testing::SeededRandom;
use covenant_core::{EventId, KeyId, OrderId, Owner, TenantId, VaultId};
use crypto_envelope::GroupName;
use crypto_envelope::journal::KeyEvent;
use crypto_envelope::record::{KekRecord, KekState, RootRecord, RootState, Switch};
use crypto_envelope::store::{KeyStore, MemoryStore};
use crypto_envelope::wrapped::WRAPPED_LEN_BYTES;
use time::{Duration, UtcDateTime};
use uuid::Uuid;

const OPERATIONS: usize = 4000;

#[tokio::test]
async fn on_random_operations() -> TestResult {
    let dir = tempfile::tempdir()?;
    let sql = World::on_files(dir.path()).await?.store;
    let model = MemoryStore::new();
    let random = SeededRandom::new(SEED);
    println!("seed {}", random.seed());
    let mut effects = 0;
    for step in 0..OPERATIONS {
        let seed = random.next_u64();
        let told = operate(&model, &SeededRandom::new(seed)).await?;
        let answer = operate(&*sql, &SeededRandom::new(seed)).await?;
        assert_eq!(answer, told, "step {step}");
        effects += usize::from(told.starts_with("stored"));
    }
    assert_eq!(sql.keks().await?, model.keks().await?);
    let roots = sql.roots().await?;
    assert_eq!(roots, model.roots().await?);
    let destroyed = roots
        .iter()
        .filter(|root| root.state == RootState::Destroyed)
        .count();
    assert!(
        effects > 30,
        "only {effects} roots were stored: the run proves little"
    );
    assert!(
        destroyed > 10,
        "only {destroyed} roots were destroyed: the run proves little"
    );
    Ok(())
}

/// One operation, drawn from few owners, keys and days so that they meet; its answer as text.
async fn operate(
    store: &dyn KeyStore,
    random: &SeededRandom,
) -> Result<String, Box<dyn std::error::Error>> {
    let small = |n: u64| random.next_u64() % n;
    let uuid = |kind: u128, n: u64| Uuid::from_u128((kind << 64) + u128::from(n) + 1);
    let tenant = TenantId::from_uuid(uuid(1, small(8)));
    let subject = uuid(2, small(3));
    let vault = VaultId::from_uuid(uuid(3, small(12)));
    let kek = KeyId::from_uuid(uuid(4, small(6)));
    let root = KeyId::from_uuid(uuid(5, small(400)));
    let order = OrderId::from_uuid(uuid(6, small(6)));
    let at: UtcDateTime = start() + Duration::days(i64::try_from(small(6))?);
    let dated = (small(3) == 0).then_some(at);
    let group = ["standard", "sensitive", "epoch/a", "epoch/b", "epoch/c"];
    let group: GroupName = group
        .get(usize::try_from(small(5))?)
        .ok_or("a group")?
        .parse()?;
    let (owner, purpose) = match small(5) {
        0 => (Owner::Tenant(tenant), Purpose::Data),
        1 => (Owner::Tenant(tenant), Purpose::Sensitive),
        2 => (Owner::Subject(tenant, subject), Purpose::Subject),
        3 => (Owner::Vault(tenant, vault), Purpose::Vault),
        _ => (Owner::Platform(subject), Purpose::Platform),
    };
    let show = |result: Result<String, crypto_envelope::store::StoreError>| match result {
        Ok(answer) => answer,
        Err(error) => format!("error {error}"),
    };
    let event = KeyEvent {
        id: EventId::from_uuid(uuid(7, small(1 << 32))),
        at,
        actor: ActorContext::service("model"),
        action: Action::KeyEnabled,
        key: Some(kek),
        tenant: None,
        outcome: Outcome::Ok,
        code: None,
        reason: None,
    };
    let switch = *Switch::ALL
        .get(usize::try_from(small(8) / 3)?)
        .ok_or("on")?;
    Ok(show(match small(24) {
        0 => {
            let kek = KekRecord {
                id: kek,
                group,
                n: u32::try_from(small(3))? + 1,
                state: KekState::Intended,
                switch: Switch::On,
                wraps: 0,
                created_at: at,
                expires_at: None,
                destroy_at: dated,
                pending_until: None,
                compromised_at: None,
                destroyed_at: None,
                gone_at: None,
                canary: Vec::new(),
                revision: 0,
            };
            store.intend_kek(&kek).await.map(|kek| format!("{kek:?}"))
        }
        1 => store
            .enable_kek(kek, b"canary", &event)
            .await
            .map(|kek| format!("{kek:?}")),
        2..=6 => {
            let wrapped = vec![u8::try_from(small(256))?; WRAPPED_LEN_BYTES];
            let root = RootRecord {
                id: root,
                owner,
                purpose,
                n: u32::try_from(small(8) / 7)? + 1,
                kek,
                wrapped,
                state: RootState::Active,
                switch: Switch::On,
                created_at: at,
                active_from: None,
                destroy_at: None,
                pending_until: None,
                compromised_at: None,
                destroyed_at: None,
                wrapped_revision: 0,
                revision: 0,
            };
            store
                .add_root(&root)
                .await
                .map(|added| format!("{added:?}").to_lowercase())
        }
        7 => store
            .plan_roots(tenant, at)
            .await
            .map(|planned| format!("{planned:?}")),
        8 => store.due(at).await.map(|due| format!("{due:?}")),
        9 => store.next_due().await.map(|next| format!("{next:?}")),
        10 if small(8) == 0 => store
            .bury_kek(kek, at, &event.actor)
            .await
            .map(|buried| format!("{buried:?}")),
        11 => store
            .finish_kek(kek, at)
            .await
            .map(|()| String::from("finished")),
        12 => store
            .bury_root(root, at, &event.actor)
            .await
            .map(|root| format!("{root:?}")),
        13 => {
            let clause = "P-56".parse()?;
            let order = DestroyOrder {
                id: order,
                tenant,
                subject,
                at,
                clause,
            };
            store
                .erase_subject(&order, at, &event.actor)
                .await
                .map(|erasure| format!("{erasure:?}"))
        }
        14 => store
            .settle_erasure(order, at)
            .await
            .map(|at| format!("{at:?}")),
        15 => {
            let Some(kek) = store.kek(kek).await? else {
                return Ok(String::from("no KEK"));
            };
            let revision = kek.revision - small(2).min(kek.revision);
            let kek = KekRecord {
                switch,
                pending_until: dated,
                revision,
                ..kek
            };
            let done = match small(2) {
                0 => store.put_kek(&kek, &event).await,
                _ => store.put_empty_kek(&kek, &event).await,
            };
            done.map(|swap| format!("{swap:?}"))
        }
        16 => {
            let Some(root) = store.root(root).await? else {
                return Ok(String::from("no root"));
            };
            let state = if small(2) == 0 {
                RootState::Pending
            } else {
                RootState::Active
            };
            let root = RootRecord {
                state,
                switch,
                active_from: Some(at),
                pending_until: dated,
                ..root
            };
            let swap = store.put_root(&root, &event).await;
            swap.map(|swap| format!("{swap:?}"))
        }
        17 => {
            let mut page = store.roots_under(kek, Some(root), 5).await?;
            for root in &mut page {
                root.revision -= small(2).min(root.revision);
            }
            let to = KeyId::from_uuid(uuid(4, small(6)));
            let moved = store.move_roots(to, &page).await;
            moved.map(|moved| format!("{moved:?} {page:?}"))
        }
        18 => store
            .count_wrap(kek)
            .await
            .map(|counted| format!("{counted:?}")),
        19 => {
            let since = small(200);
            store.changes(since).await.map(|all| format!("{all:?}"))
        }
        20 => store.standing().await.map(|all| format!("{all:?}")),
        21 => store.keks_of(&group).await.map(|all| format!("{all:?}")),
        22 => {
            let page = store.events(50).await?;
            let ids: Vec<_> = page.iter().map(|event| event.id).collect();
            store.settle_events(&ids).await?;
            Ok(format!("{page:?}"))
        }
        _ => store
            .root_of(owner, purpose)
            .await
            .map(|root| format!("{root:?}")),
    }))
}
