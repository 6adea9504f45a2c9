//! The sealer that tests of the log use keeps the contract of every sealer, so that what passes with
//! it says something.
#![cfg(feature = "testing")]

use audit_log::testing::EscrowSealer;
use covenant_core::sealer::{DestroyOrder, Owner, Place, Purpose};
use covenant_core::testing::{sealer_destroy_suite, sealer_suite};
use covenant_core::{OrderId, TenantId};
use time::UtcDateTime;
use uuid::Uuid;

#[tokio::test]
async fn it_passes_the_suites() {
    let sealer = EscrowSealer::new();
    let [a, b] = [1, 2].map(|n| TenantId::from_uuid(Uuid::from_u128(n)));
    sealer_suite(&sealer, a, b).await.unwrap();
    let subject = Uuid::from_u128(3);
    let order = DestroyOrder {
        id: OrderId::from_bytes([4; 16]),
        tenant: a,
        subject,
        at: UtcDateTime::UNIX_EPOCH,
        clause: "P-35".parse().unwrap(),
    };
    let owner = Owner::Subject(a, subject);
    let place = Place::new(owner, Purpose::Subject, "suite", "body", b"1").unwrap();
    sealer_destroy_suite(&sealer, &order, &place).await.unwrap();
}
