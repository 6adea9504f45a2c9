//! Key administration: whatever administrators do, in whatever order, every answer and every key's
//! state and dates are those of one table, and a value opens exactly when its key's row says so.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use covenant_core::event::ActorContext;
use covenant_core::sealer::{DestroyOrder, OpenError, Purpose};
use covenant_core::testing::SeededRandom;
use covenant_core::{Clock, KeyId, ManualClock, OrderId, Owner, Place, Sealer, TenantId};
use crypto_envelope::backend::MemoryBackend;
use crypto_envelope::store::{KeyStore, MemoryStore};
use crypto_envelope::{
    AdminCall, Envelope, KeyAdmin, KeyError, KeyState, Keys, KeysOptions, PendingWindow, Role,
};
use time::{Duration, UtcDateTime};
use uuid::Uuid;

/// Most operations of one input.
const OPERATIONS_MAX: usize = 200;

/// What the table knows of one key: its state, its dates, and the KEK over a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    state: KeyState,
    window: Option<UtcDateTime>,
    plan: Option<UtcDateTime>,
    kek: Option<KeyId>,
}

/// A value that was sealed at the beginning, and the root that sealed it.
struct Value {
    root: KeyId,
    place: Place,
    sealed: Vec<u8>,
}

/// A key in use that waits for nothing.
const FRESH: (KeyState, Option<UtcDateTime>) = (KeyState::Enabled, None);

/// The tenants, each a byte of its id, with one person each.
const TENANTS: [u8; 2] = [1, 2];

fn person(number: u8) -> Owner {
    let subject = Uuid::from_bytes([number; 16]);
    Owner::Subject(TenantId::from_bytes([number; 16]), subject)
}

struct World {
    clock: Arc<ManualClock>,
    random: Arc<SeededRandom>,
    store: Arc<MemoryStore>,
    backend: Arc<MemoryBackend>,
    keys: Arc<Keys>,
    admin: AdminCall,
    table: HashMap<KeyId, Row>,
    ids: Vec<KeyId>,
    values: Vec<Value>,
}

/// Two bytes an operation: what, and on which key or for how long.
pub fn operations(data: &[u8]) {
    let mut world = ready(World::new()).expect("keys in memory");
    for pair in data.chunks_exact(2).take(OPERATIONS_MAX) {
        let &[what, which] = pair else { continue };
        ready(world.operate(what, which));
        ready(world.check());
    }
}

/// The answer of a call that waits for nothing, as those over memory do.
fn ready<T>(call: impl Future<Output = T>) -> T {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a call over memory waits"),
    }
}

impl World {
    async fn new() -> Result<Self, KeyError> {
        let start = UtcDateTime::UNIX_EPOCH + Duration::days(20_778);
        let clock = Arc::new(ManualClock::at(start));
        let random = Arc::new(SeededRandom::new(20_261_121));
        let store = Arc::new(MemoryStore::new());
        let backend = Arc::new(MemoryBackend::new(random.clone()));
        let keys = Arc::new(process(&clock, &random, &store, &backend).await?);
        let admin = AdminCall {
            actor: ActorContext::service("fuzz"),
            role: Role::SysAdmin,
            reason: Uuid::from_u128(1),
        };
        let mut world = Self {
            clock,
            random,
            store,
            backend,
            keys,
            admin,
            table: HashMap::new(),
            ids: Vec::new(),
            values: Vec::new(),
        };
        let envelope = Envelope::new(world.keys.clone());
        for number in TENANTS {
            let tenant = TenantId::from_bytes([number; 16]);
            world.keys.create_tenant(tenant).await?;
            for (owner, purpose) in [
                (Owner::Tenant(tenant), Purpose::Data),
                (Owner::Tenant(tenant), Purpose::Sensitive),
                (person(number), Purpose::Subject),
                (person(number), Purpose::Sensitive),
            ] {
                let place = Place::new(owner, purpose, "seeds", "value", b"1").expect("a place");
                let sealed = envelope.seal(&place, b"value").await.expect("sealed");
                let root = world.keys.unlock(owner, purpose).await?.version();
                world.values.push(Value {
                    root,
                    place,
                    sealed,
                });
            }
        }
        world.learn().await?;
        Ok(world)
    }

    /// Takes keys into the table that were not there before: they are in use and wait for nothing; a
    /// plan they have from their tenant's other roots.
    async fn learn(&mut self) -> Result<(), KeyError> {
        let roots = self.store.roots().await?.into_iter().map(|root| root.id);
        let keks = self.store.keks().await?.into_iter().map(|kek| kek.id);
        for id in roots.chain(keks) {
            if !self.ids.contains(&id) {
                self.ids.push(id);
                let row = self.read(id).await;
                assert_eq!((row.state, row.window), FRESH);
                self.table.insert(id, row);
            }
        }
        Ok(())
    }

    /// What the store says of a key.
    async fn read(&self, id: KeyId) -> Row {
        if let Ok(Some(kek)) = self.store.kek(id).await {
            return Row {
                state: kek.key_state(),
                window: kek.pending_until,
                plan: kek.destroy_at,
                kek: None,
            };
        }
        let root = self.store.root(id).await.ok().flatten().expect("a key");
        Row {
            state: root.key_state(),
            window: root.pending_until,
            plan: root.destroy_at,
            kek: Some(root.kek),
        }
    }

    async fn operate(&mut self, what: u8, which: u8) {
        let id = self.ids[usize::from(which) % self.ids.len()];
        let now = self.clock.now();
        let (keys, call) = (self.keys.clone(), self.admin.clone());
        let before = self.table[&id];
        let verb = Verb::of(what, which, now);
        let told = match verb {
            Verb::Enable => keys.enable(&call, id).await.map(drop),
            Verb::Disable => keys.disable(&call, id).await.map(drop),
            Verb::Schedule(window) => keys.schedule_destruction(&call, id, window).await.map(drop),
            Verb::Cancel => keys.cancel_destruction(&call, id).await.map(drop),
            Verb::Plan(at) => keys.plan_destruction(&call, id, at).await,
            Verb::Rotate => return self.rotate(id).await,
            Verb::Erase(number) => return self.erase(number).await,
            Verb::DestroyDue => return self.destroy_due().await,
            Verb::Wait(by) => return self.clock.advance(by),
            Verb::Restart => return self.restart().await,
        };
        match (told, expected(before, verb, now)) {
            (Ok(()), Ok(after)) => {
                self.table.insert(id, after);
            }
            (Err(error), Err(word)) => assert_eq!(told_word(&error), word, "{verb:?} {before:?}"),
            (told, expect) => panic!("{verb:?} on {before:?}: {told:?}, and not {expect:?}"),
        }
    }

    /// A KEK in use is replaced: its roots lie under the next one, with the dates they had, and it
    /// waits as long as the settings say, unless a switched-off root cannot be moved.
    async fn rotate(&mut self, id: KeyId) {
        let before = self.table[&id];
        if before.kek.is_some() {
            return self.rotate_root(id).await;
        }
        let done = self.keys.rotate(&self.admin, id).await;
        if before.state != KeyState::Enabled {
            let refused = done.expect_err("a KEK out of use was replaced");
            assert_eq!(told_word(&refused), before.state.name());
            return;
        }
        self.learn().await.expect("KEKs");
        let Ok(done) = done else {
            // the next KEK may be out of use: whatever was not moved lies where it lay
            return self.moved(id, None).await;
        };
        self.moved(id, Some(done.new)).await;
        assert_eq!(done.left, 0);
        let ends = wait_ends(self.clock.now(), 7);
        assert_eq!(done.old_ends_at, Some(ends));
        let row = self.table.get_mut(&id).expect("in the table");
        (row.state, row.window) = (KeyState::PendingDeletion, Some(ends));
    }

    /// A root in use gets a next version beside it, unless the KEK that would wrap that one is out of
    /// use, or its owner was erased; the root itself, and what it sealed, is as before.
    async fn rotate_root(&mut self, id: KeyId) {
        let before = self.table[&id];
        let done = self.keys.rotate(&self.admin, id).await;
        self.learn().await.expect("keys");
        match done {
            Ok(done) => {
                assert_eq!(before.state, KeyState::Enabled);
                assert_eq!((done.old, done.rewrapped, done.left), (id, 0, 0));
                assert!(done.new != id && self.table.contains_key(&done.new));
            }
            Err(error) if before.state != KeyState::Enabled => {
                assert_eq!(told_word(&error), before.state.name());
            }
            Err(error) => {
                let word = told_word(&error);
                let others = [
                    KeyState::Disabled,
                    KeyState::PendingDeletion,
                    KeyState::Destroyed,
                ];
                assert!(others.iter().any(|state| state.name() == word), "{word}");
                let out_of_use = |row: &Row| row.state != KeyState::Enabled;
                assert!(self.table.values().any(out_of_use), "{word}");
            }
        }
    }

    /// A person's roots are gone at once, whatever state they were in; nobody else's are.
    async fn erase(&mut self, number: u8) {
        let order = DestroyOrder {
            id: OrderId::from_bytes([number; 16]),
            tenant: TenantId::from_bytes([number; 16]),
            subject: Uuid::from_bytes([number; 16]),
            at: self.clock.now(),
            clause: "P-56".parse().expect("a clause"),
        };
        let done = KeyAdmin::destroy_subject(&*self.keys, &self.admin, &order).await;
        let gone = done.expect("an erasure waits for nothing").keys;
        for root in self.store.roots().await.expect("roots") {
            let row = self.table.get_mut(&root.id).expect("in the table");
            if root.owner == person(number) {
                row.state = KeyState::Destroyed;
                assert!(gone.contains(&root.id));
            }
        }
    }

    /// Notes where the roots of a KEK lie now.
    async fn moved(&mut self, old: KeyId, new: Option<KeyId>) {
        for id in self.ids.clone() {
            let row = self.table[&id];
            if row.kek != Some(old) || row.state == KeyState::Destroyed {
                continue;
            }
            let kek = self.read(id).await.kek;
            assert!(kek == new || new.is_none() && kek == Some(old));
            self.table.insert(id, Row { kek, ..row });
        }
    }

    async fn destroy_due(&mut self) {
        let now = self.clock.now();
        let told = self.keys.destroy_due(now).await;
        let over = |at: Option<UtcDateTime>| at.is_some_and(|at| at <= now);
        let mut gone = Vec::new();
        let mut left = false;
        for kek in [false, true] {
            for id in self.ids.clone() {
                let row = self.table[&id];
                let due = over(row.plan) || over(row.window);
                if row.state == KeyState::Destroyed || !due || row.kek.is_none() != kek {
                    continue;
                }
                let under = |row: &Row| row.kek == Some(id) && row.state != KeyState::Destroyed;
                if kek && !over(row.plan) && self.table.values().any(under) {
                    left = true;
                    continue;
                }
                for row in self.table.values_mut().filter(|row| under(row)) {
                    row.state = KeyState::Destroyed;
                }
                self.table.get_mut(&id).expect("in the table").state = KeyState::Destroyed;
                gone.push(id);
            }
        }
        match told {
            Err(KeyError::RecordsLeft { .. }) => assert!(left),
            Err(other) => panic!("{other:?}"),
            Ok(keys) => {
                assert!(!left);
                let named = |id: &KeyId| keys.iter().any(|key| key.key == *id);
                assert!(gone.iter().all(named), "{keys:?}");
            }
        }
    }

    /// Another process over the same store and backend.
    async fn restart(&mut self) {
        let keys = process(&self.clock, &self.random, &self.store, &self.backend).await;
        self.keys = Arc::new(keys.expect("another process"));
        self.learn().await.expect("KEKs");
    }

    /// The store holds what the table says, and every value opens exactly when it should.
    async fn check(&self) {
        for id in &self.ids {
            assert_eq!(self.read(*id).await, self.table[id], "{id}");
        }
        let envelope = Envelope::new(self.keys.clone());
        for value in &self.values {
            let opened = envelope.open(&value.place, &value.sealed).await;
            let word = match &opened {
                Ok(plain) => {
                    assert_eq!(plain.expose(), b"value");
                    "opens"
                }
                Err(OpenError::Key(state)) => state,
                Err(other) => panic!("{other:?}"),
            };
            assert_eq!(word, self.opening(value.root), "{:?}", self.table);
        }
    }

    fn opening(&self, root: KeyId) -> &'static str {
        let root = self.table[&root];
        let kek = self.table[&root.kek.expect("of a root")];
        let over = |row: &Row| row.plan.is_some_and(|at| at <= self.clock.now());
        match (root.state, kek.state) {
            (KeyState::Enabled, KeyState::Enabled) if over(&root) || over(&kek) => "destroyed",
            (KeyState::Enabled, KeyState::Enabled) => "opens",
            (KeyState::Enabled, state) | (state, _) => state.name(),
        }
    }
}

async fn process(
    clock: &Arc<ManualClock>,
    random: &Arc<SeededRandom>,
    store: &Arc<MemoryStore>,
    backend: &Arc<MemoryBackend>,
) -> Result<Keys, KeyError> {
    let (clock, random) = (clock.clone(), random.clone());
    let (store, backend) = (store.clone(), backend.clone());
    Keys::open(store, backend, clock, random, KeysOptions::default()).await
}

/// What an operation does.
#[derive(Debug, Clone, Copy)]
enum Verb {
    Enable,
    Disable,
    Schedule(PendingWindow),
    Cancel,
    Plan(UtcDateTime),
    Rotate,
    Erase(u8),
    DestroyDue,
    Wait(std::time::Duration),
    Restart,
}

impl Verb {
    /// The verb lies in the low bits, days in the high ones.
    fn of(what: u8, which: u8, now: UtcDateTime) -> Self {
        let days = what >> 4;
        match what & 15 {
            0 | 1 => Self::Enable,
            2 | 3 => Self::Disable,
            4 | 5 => Self::Schedule(PendingWindow::try_from(7 + days).expect("7 to 22 days")),
            6 | 7 => Self::Cancel,
            8 => Self::Plan(now + Duration::days(i64::from(days))),
            9 => Self::Rotate,
            10 | 11 => Self::DestroyDue,
            12 => Self::Restart,
            13 => Self::Erase(TENANTS[usize::from(which) % TENANTS.len()]),
            _ => Self::Wait(std::time::Duration::from_secs(1800 * u64::from(which))),
        }
    }
}

/// The table's answer, without any of the code under test: the row afterwards, or why not.
fn expected(row: Row, verb: Verb, now: UtcDateTime) -> Result<Row, &'static str> {
    use KeyState::{Destroyed, Disabled, Enabled, PendingDeletion};
    let becomes = |state, window| {
        Ok(Row {
            state,
            window,
            ..row
        })
    };
    match (row.state, verb) {
        (state, Verb::Plan(at)) if row.plan == Some(at) => becomes(state, row.window),
        (Destroyed, _) => Err("destroyed"),
        (Enabled | Disabled, Verb::Enable) => becomes(Enabled, None),
        (Enabled | Disabled, Verb::Disable) => becomes(Disabled, None),
        (Enabled | Disabled, Verb::Schedule(window)) => {
            becomes(PendingDeletion, Some(wait_ends(now, window.days())))
        }
        (Enabled | Disabled, Verb::Cancel) => Err("not pending deletion"),
        (PendingDeletion, Verb::Cancel) => becomes(Disabled, None),
        (PendingDeletion, Verb::Schedule(_)) => Err("pending deletion already"),
        (PendingDeletion, Verb::Enable | Verb::Disable | Verb::Plan(_)) => Err("pending deletion"),
        (Disabled, Verb::Plan(_)) => Err("disabled"),
        (Enabled, Verb::Plan(at)) if at < now + Duration::days(7) => Err("too soon"),
        (Enabled, Verb::Plan(_)) if row.plan.is_some() => Err("planned"),
        (Enabled, Verb::Plan(at)) => Ok(Row {
            plan: Some(at),
            ..row
        }),
        (_, Verb::Rotate | Verb::Erase(_) | Verb::DestroyDue | Verb::Wait(_) | Verb::Restart) => {
            Ok(row)
        }
    }
}

/// When so many days are over in every reading: at the end of the last one in UTC, and after thirty
/// times 24 hours at the latest.
fn wait_ends(from: UtcDateTime, days: u8) -> UtcDateTime {
    let last = (from + Duration::days(days.into())).date();
    let end = last.next_day().expect("in the calendar").midnight();
    end.as_utc().min(from + Duration::days(30))
}

/// The word of a refusal, as the table says it.
fn told_word(error: &KeyError) -> &'static str {
    match error {
        KeyError::Refused { refused, .. } => refused.name(),
        KeyError::State(state) => state,
        KeyError::TooSoon { .. } => "too soon",
        KeyError::Planned { .. } => "planned",
        other => panic!("{other:?}"),
    }
}
