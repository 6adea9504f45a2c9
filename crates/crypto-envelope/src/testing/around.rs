//! Stores around a store: whoever fails on demand, or is wrong in one way, says only what it does
//! otherwise.

use std::fmt::Debug;

use covenant_core::event::ActorContext;
use covenant_core::sealer::{DestroyOrder, Purpose};
use covenant_core::{EventId, KeyId, OrderId, Owner, TenantId};
use time::UtcDateTime;
use uuid::Uuid;

use crate::copies::KeyCopy;
use crate::group::GroupName;
use crate::journal::KeyEvent;
use crate::record::{Erasure, KekRecord, RootRecord};
use crate::store::{
    Added, Changes, Counted, Due, Flush, Gate, KeyStore, Moved, Planned, StoreFuture,
    StoreStanding, Swap,
};

/// Makes the trait, whose methods pass every call on, and a store of all that have it.
macro_rules! around {
    ($(fn $name:ident($($arg:ident: $kind:ty),*) -> $answer:ty;)*) => {
        /// A key store around another: every call is passed on, unless a method says otherwise.
        /// Each is the method of [`KeyStore`] by its name, and all that have this trait are stores.
        pub trait AroundStore: Debug + Send + Sync {
            /// The store within.
            fn within(&self) -> &dyn KeyStore;
            /// A call on its way: what is done to every one that is passed on.
            fn pass<'a, T: Send + 'a>(&'a self, call: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
                call
            }
            $(
                #[doc = concat!("[`KeyStore::", stringify!($name), "`].")]
                fn $name<'a>(&'a self, $($arg: $kind),*) -> StoreFuture<'a, $answer> {
                    self.pass(self.within().$name($($arg),*))
                }
            )*
        }

        impl<S: AroundStore> KeyStore for S {
            $(
                fn $name<'a>(&'a self, $($arg: $kind),*) -> StoreFuture<'a, $answer> {
                    AroundStore::$name(self, $($arg),*)
                }
            )*
        }
    };
}

around! {
    fn kek(id: KeyId) -> Option<KekRecord>;
    fn keks_of(group: &'a GroupName) -> Vec<KekRecord>;
    fn intend_kek(kek: &'a KekRecord) -> KekRecord;
    fn enable_kek(id: KeyId, canary: &'a [u8], event: &'a KeyEvent) -> KekRecord;
    fn put_kek(kek: &'a KekRecord, event: &'a KeyEvent) -> Swap;
    fn put_empty_kek(kek: &'a KekRecord, event: &'a KeyEvent) -> Swap;
    fn count_wrap(kek: KeyId) -> Counted;
    fn root(id: KeyId) -> Option<RootRecord>;
    fn root_of(owner: Owner, purpose: Purpose) -> Option<RootRecord>;
    fn roots_of(owner: Owner, purpose: Purpose) -> Vec<RootRecord>;
    fn add_root(root: &'a RootRecord) -> Added;
    fn put_root(root: &'a RootRecord, event: &'a KeyEvent) -> Swap;
    fn roots_under(kek: KeyId, after: Option<KeyId>, limit: u32) -> Vec<RootRecord>;
    fn move_roots(to: KeyId, roots: &'a [RootRecord]) -> Moved;
    fn plan_roots(tenant: TenantId, at: UtcDateTime) -> Planned;
    fn due(now: UtcDateTime) -> Due;
    fn next_due() -> Option<UtcDateTime>;
    fn bury_kek(id: KeyId, at: UtcDateTime, actor: &'a ActorContext) -> (KekRecord, Vec<RootRecord>);
    fn finish_kek(id: KeyId, at: UtcDateTime) -> ();
    fn bury_root(id: KeyId, at: UtcDateTime, actor: &'a ActorContext) -> RootRecord;
    fn erase_subject(order: &'a DestroyOrder, at: UtcDateTime, actor: &'a ActorContext) -> Erasure;
    fn settle_erasure(order: OrderId, complete_by: UtcDateTime) -> UtcDateTime;
    fn flush() -> Flush;
    fn keks() -> Vec<KekRecord>;
    fn roots() -> Vec<RootRecord>;
    fn standing() -> StoreStanding;
    fn set_gate(gate: Gate) -> ();
    fn changes(after: u64) -> Changes;
    fn restore(copies: &'a [Changes]) -> ();
    fn put_copy(copy: &'a KeyCopy) -> ();
    fn copies() -> Vec<KeyCopy>;
    fn forget_copy(id: Uuid) -> ();
    fn add_event(event: &'a KeyEvent) -> ();
    fn events(limit: u32) -> Vec<KeyEvent>;
    fn settle_events(ids: &'a [EventId]) -> ();
}
