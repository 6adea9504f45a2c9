//! Where administrators reach the keys of a running deployment: what they do is in the audit log
//! before the answer, as far as the log can be reached, and a copy of what changed is made soon.

use std::fmt;

use covenant_core::KeyId;
use covenant_core::sealer::{DestroyOrder, Destroyed};
use crypto_envelope::backend::Capabilities;
use crypto_envelope::copies::KeyCopy;
use crypto_envelope::record::KekRecord;
use crypto_envelope::wrapped::WrappedKey;
use crypto_envelope::{
    AdminCall, DataKey, DestroyedKey, GroupName, KeyAdmin, KeyError, KeyFuture, KeyService,
    KeyState, Keys, Listing, PendingWindow, Replay, Replayed, Rewrap, Rotated, WrapContext,
    WrapInfo,
};
use time::UtcDateTime;

use crate::assembly::Covenant;

/// The keys of a deployment, for administrators.
#[derive(Clone)]
pub struct KeyDesk(Covenant);

impl Covenant {
    /// The keys, for administrators: every act is told to the log when it is done, or refused.
    #[must_use]
    pub fn key_desk(&self) -> KeyDesk {
        KeyDesk(self.clone())
    }
}

impl KeyDesk {
    fn keys(&self) -> &Keys {
        self.0.keys()
    }

    /// Lets the act end in the log. Its event is durable beside the act already: where the log is
    /// out of reach, the next sweep tells it.
    // clause: Q-16
    async fn told<T>(&self, act: KeyFuture<'_, T>) -> Result<T, KeyError> {
        let done = act.await;
        drop(self.0.tell_keys().await);
        drop(self.0.note_keys().await);
        done
    }
}

impl fmt::Debug for KeyDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDesk")
    }
}

#[deny(clippy::missing_trait_methods)]
impl KeyService for KeyDesk {
    fn generate<'a>(
        &'a self,
        group: &'a GroupName,
        context: &'a WrapContext,
    ) -> KeyFuture<'a, (DataKey, WrappedKey)> {
        self.keys().generate(group, context)
    }
    fn unwrap_key<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a WrapContext,
    ) -> KeyFuture<'a, DataKey> {
        self.keys().unwrap_key(wrapped, context)
    }
    fn rewrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a WrapContext,
    ) -> KeyFuture<'a, Rewrap> {
        self.keys().rewrap(wrapped, context)
    }
    fn describe<'a>(&'a self, wrapped: &'a WrappedKey) -> KeyFuture<'a, WrapInfo> {
        self.keys().describe(wrapped)
    }
    fn capabilities(&self) -> Capabilities {
        self.keys().capabilities()
    }
}

#[deny(clippy::missing_trait_methods)]
impl KeyAdmin for KeyDesk {
    fn create<'a>(
        &'a self,
        call: &'a AdminCall,
        group: &'a GroupName,
        destroy_at: Option<UtcDateTime>,
    ) -> KeyFuture<'a, KekRecord> {
        Box::pin(self.told(self.keys().create(call, group, destroy_at)))
    }
    fn list<'a>(&'a self, call: &'a AdminCall) -> KeyFuture<'a, Listing> {
        Box::pin(self.told(KeyAdmin::list(self.keys(), call)))
    }
    fn copies<'a>(&'a self, call: &'a AdminCall) -> KeyFuture<'a, Vec<KeyCopy>> {
        Box::pin(self.told(self.keys().copies(call)))
    }
    fn enable<'a>(&'a self, call: &'a AdminCall, key: KeyId) -> KeyFuture<'a, KeyState> {
        Box::pin(self.told(self.keys().enable(call, key)))
    }
    fn disable<'a>(&'a self, call: &'a AdminCall, key: KeyId) -> KeyFuture<'a, KeyState> {
        Box::pin(self.told(self.keys().disable(call, key)))
    }
    fn rotate<'a>(&'a self, call: &'a AdminCall, key: KeyId) -> KeyFuture<'a, Rotated> {
        Box::pin(self.told(self.keys().rotate(call, key)))
    }
    fn mark_compromised<'a>(&'a self, call: &'a AdminCall, key: KeyId) -> KeyFuture<'a, ()> {
        Box::pin(self.told(self.keys().mark_compromised(call, key)))
    }
    fn schedule_destruction<'a>(
        &'a self,
        call: &'a AdminCall,
        key: KeyId,
        window: PendingWindow,
    ) -> KeyFuture<'a, UtcDateTime> {
        Box::pin(self.told(self.keys().schedule_destruction(call, key, window)))
    }
    fn plan_destruction<'a>(
        &'a self,
        call: &'a AdminCall,
        key: KeyId,
        at: UtcDateTime,
    ) -> KeyFuture<'a, ()> {
        Box::pin(self.told(self.keys().plan_destruction(call, key, at)))
    }
    fn cancel_destruction<'a>(
        &'a self,
        call: &'a AdminCall,
        key: KeyId,
    ) -> KeyFuture<'a, KeyState> {
        Box::pin(self.told(self.keys().cancel_destruction(call, key)))
    }
    fn destroy_due<'a>(
        &'a self,
        call: &'a AdminCall,
        now: UtcDateTime,
    ) -> KeyFuture<'a, Vec<DestroyedKey>> {
        Box::pin(self.told(KeyAdmin::destroy_due(self.keys(), call, now)))
    }
    fn destroy_subject<'a>(
        &'a self,
        call: &'a AdminCall,
        order: &'a DestroyOrder,
    ) -> KeyFuture<'a, Destroyed> {
        Box::pin(self.told(KeyAdmin::destroy_subject(self.keys(), call, order)))
    }
    fn replay<'a>(&'a self, call: &'a AdminCall, since: &'a Replay) -> KeyFuture<'a, Replayed> {
        Box::pin(self.told(self.keys().replay(call, since)))
    }
}
