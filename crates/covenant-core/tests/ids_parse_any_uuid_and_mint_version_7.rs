//! Ids: minted from the clock and randomness passed in, parsed from any UUID, and never mixed up;
//! item ids are opaque and short.
#![cfg(feature = "testing")]

use std::time::Duration;

use proptest::prelude::*;
use time::macros::utc_datetime;
use uuid::Uuid;

use covenant_core::testing::SeededRandom;
use covenant_core::{
    EventId, ITEM_ID_LEN_BYTES_MAX, IdError, ItemId, ManualClock, Random, RandomError, TenantId,
};

#[derive(Debug)]
struct NoRandom;
impl Random for NoRandom {
    fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

#[test]
fn minted_ids_are_version_7_in_the_order_of_time() {
    let clock = ManualClock::at(utc_datetime!(2026-01-31 12:00));
    let random = SeededRandom::new(1);
    let mut before = None;
    for _ in 0..1_000 {
        let id = EventId::mint(&clock, &random).unwrap();
        assert_eq!(id.as_uuid().get_version_num(), 7);
        let millis =
            u64::from_be_bytes([&[0, 0], &id.as_bytes()[..6]].concat().try_into().unwrap());
        assert_eq!(Ok(millis), u64::try_from(clock_millis(&clock)));
        assert!(before < Some(id));
        before = Some(id);
        clock.advance(Duration::from_millis(1));
    }
    assert_eq!(EventId::mint(&clock, &NoRandom), Err(RandomError));
}

fn clock_millis(clock: &ManualClock) -> i128 {
    covenant_core::Clock::now(clock).unix_timestamp_nanos() / 1_000_000
}

#[test]
fn two_ids_of_one_millisecond_differ() {
    let clock = ManualClock::at(utc_datetime!(1969-12-31 23:59));
    let random = SeededRandom::new(2);
    let mint = || TenantId::mint(&clock, &random).unwrap();
    assert_ne!(mint(), mint());
}

#[test]
fn derived_tenants_are_stable() {
    let space = Uuid::from_u128(1);
    let derived = TenantId::derive(&space, "customer-17");
    assert_eq!(derived, TenantId::derive(&space, "customer-17"));
    assert_eq!(derived.as_uuid(), Uuid::new_v5(&space, b"customer-17"));
    assert_ne!(derived, TenantId::derive(&space, "customer-18"));
    assert_ne!(
        derived,
        TenantId::derive(&Uuid::from_u128(2), "customer-17")
    );
}

proptest! {
    #[test]
    fn every_uuid_is_an_id_and_reads_back(n in any::<u128>()) {
        let id = TenantId::from_uuid(Uuid::from_u128(n));
        prop_assert_eq!(id.to_string().parse::<TenantId>(), Ok(id));
        prop_assert_eq!(id.simple().parse::<TenantId>(), Ok(id));
        prop_assert_eq!(TenantId::from_bytes(*id.as_bytes()), id);
    }

    #[test]
    fn item_ids_are_1_to_64_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let id = ItemId::try_from(bytes.as_slice());
        prop_assert_eq!(id.is_ok(), (1..=ITEM_ID_LEN_BYTES_MAX).contains(&bytes.len()));
        if let Ok(id) = id {
            prop_assert_eq!(id.as_bytes(), bytes.as_slice());
        }
    }
}

#[test]
fn texts_that_are_no_uuid_are_refused() {
    for text in [
        "",
        "0",
        "customer-17",
        "0190a5b2-7e1c-7a31-8000-00000000000",
        "g190a5b27e1c7a318000000000000001",
    ] {
        assert_eq!(text.parse::<TenantId>(), Err(IdError), "{text}");
    }
}
