//! The suites pass for what keeps a contract, and name the sentence that a faulty one breaks.
#![cfg(all(feature = "digest", feature = "testing"))]

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use time::UtcDateTime;
use time::macros::utc_datetime;
use uuid::Uuid;

use covenant_core::event::{Event, EventSink, Prepared, SinkError};
use covenant_core::note::Ed25519Signer;
use covenant_core::sealer::{DestroyError, DestroyOrder, Destroyed, OpenError, SealError};
use covenant_core::testing::{
    MemoryOutboxTx, MemorySink, SeededRandom, clock_suite, event_sink_suite, note_signer_suite,
    outbox_tx_suite, random_suite, sealer_destroy_suite, sealer_suite,
};
use covenant_core::{
    Action, ActorContext, BoxFuture, Clock, EventId, ItemId, KeyId, ManualClock, Monotonic,
    NoteSigner, OutboxTx, Outcome, Owner, Place, Random, RandomError, Sealer, Secret, SignerError,
    SystemClock, SystemRandom, Target, TenantId, TxTag, TxnId, digest,
};

const NOON: UtcDateTime = utc_datetime!(2026-01-31 12:00);

/// Runs a future that waits for nothing.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

fn tenant(n: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(n))
}

fn check<E: std::fmt::Display>(result: Result<(), E>, expect: Option<&str>) {
    let error = result.err().map(|e| e.to_string());
    let error = error.as_deref();
    assert!(
        match (error, expect) {
            (None, None) => true,
            (Some(error), Some(expect)) => error.contains(expect),
            _ => false,
        },
        "{error:?}, not {expect:?}"
    );
}

#[derive(Debug)]
struct BackwardClock(AtomicU64);
impl Clock for BackwardClock {
    fn now(&self) -> UtcDateTime {
        NOON
    }
    fn monotonic(&self) -> Monotonic {
        Duration::from_secs(100 - self.0.fetch_add(1, Ordering::Relaxed).min(100))
    }
}

#[test]
fn clocks() {
    check(clock_suite(&SystemClock::new()), None);
    check(clock_suite(&ManualClock::at(NOON)), None);
    check(
        clock_suite(&BackwardClock(AtomicU64::new(0))),
        Some("monotonic time decreased"),
    );
}

#[derive(Debug)]
enum BadRandom {
    Constant,
    Half,
    Broken,
}
impl Random for BadRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        static NEXT: SeededRandom = SeededRandom::new(1);
        match self {
            Self::Constant => bytes.fill(4),
            Self::Half => {
                let half = bytes.len() / 2;
                NEXT.fill(bytes.get_mut(..half).unwrap_or_default())?;
            }
            Self::Broken => return Err(RandomError),
        }
        Ok(())
    }
}

#[test]
fn randomness() {
    check(random_suite(&SystemRandom::new()), None);
    check(random_suite(&SeededRandom::new(0)), None);
    check(random_suite(&BadRandom::Constant), Some("came twice"));
    check(random_suite(&BadRandom::Half), Some("a bit never changed"));
    check(
        random_suite(&BadRandom::Broken),
        Some("no randomness available"),
    );
}

#[derive(Debug)]
struct OtherText(Ed25519Signer);
impl NoteSigner for OtherText {
    fn key(&self) -> &str {
        self.0.key()
    }
    fn sign<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<String, SignerError>> {
        Box::pin(async move { Ok(self.0.sign_line(text.trim_end())) })
    }
}

#[test]
fn signers() {
    let signer = || Ed25519Signer::from_seed("suite.example", &Secret::new([3; 32])).unwrap();
    check(ready(note_signer_suite(&signer())), None);
    check(
        ready(note_signer_suite(&OtherText(signer()))),
        Some("does not verify"),
    );
}

fn tx(tenant: TenantId) -> MemoryOutboxTx {
    let txn = TxnId::from_uuid(Uuid::from_u128(77));
    MemoryOutboxTx::new(TxTag {
        txn,
        tenant: Some(tenant),
        decision: None,
    })
}

fn event(n: u128) -> Event {
    Event::new(
        EventId::from_uuid(Uuid::from_u128(n)),
        NOON,
        ActorContext::system(),
        Action::RecordDeleted,
        Target::of(tenant(1), "record", ItemId::from(5)),
        Outcome::Ok,
    )
}

/// Keeps every emitted event, whatever its id.
#[derive(Debug)]
struct Forgetful(MemorySink);
impl EventSink for Forgetful {
    fn prepare(&self, event: Event) -> BoxFuture<'_, Result<Prepared, SinkError>> {
        self.0.prepare(event)
    }
    fn record<'a>(
        &'a self,
        tx: &'a mut dyn OutboxTx,
        prepared: Prepared,
    ) -> BoxFuture<'a, Result<EventId, SinkError>> {
        self.0.record(tx, prepared)
    }
    fn emit(&self, event: Event) -> BoxFuture<'_, Result<EventId, SinkError>> {
        Box::pin(async move { Ok(event.id) })
    }
}

#[test]
fn sinks_and_outboxes() {
    check(ready(outbox_tx_suite(&mut tx(tenant(1)))), None);
    let run = |sink: &dyn EventSink| {
        let (mut own, mut foreign) = (tx(tenant(1)), tx(tenant(2)));
        let done = ready(event_sink_suite(
            sink,
            [event(1), event(2)],
            &mut own,
            &mut foreign,
        ));
        assert!(foreign.rows().is_empty());
        (done, own.commit())
    };
    let sink = MemorySink::new();
    let (done, rows) = run(&sink);
    check(done, None);
    assert_eq!(rows.len(), 1);
    assert_eq!(sink.events(), [event(1), event(2)]);
    assert_eq!(sink.actions(), [Action::RecordDeleted; 2]);
    check(
        run(&Forgetful(MemorySink::new())).0,
        Some("another event was taken"),
    );
}

/// A sealer good enough for its contract and for nothing else: a keystream and a tag of SHA-256.
#[derive(Debug)]
struct Toy {
    random: SeededRandom,
    fault: Fault,
}

#[derive(Debug, PartialEq)]
enum Fault {
    None,
    NoTag,
    NoNonce,
    NoTenant,
    NoLayer,
    Parts,
    Plain,
}

impl Toy {
    fn new(fault: Fault) -> Self {
        Self {
            random: SeededRandom::new(9),
            fault,
        }
    }

    fn context(&self, place: &Place) -> Vec<u8> {
        let version = KeyId::from_uuid(Uuid::nil());
        let shown = format!("{place:?}");
        match self.fault {
            Fault::NoTenant => shown.split("purpose").skip(1).collect::<String>().into(),
            Fault::NoLayer => shown.split("layer").take(1).collect::<String>().into(),
            Fault::Parts => shown
                .replace(['"', ' ', ','], "")
                .replace("field:", "")
                .into(),
            _ => place.context(version),
        }
    }

    fn apply(&self, context: &[u8], nonce: &[u8], bytes: &[u8]) -> Vec<u8> {
        if self.fault == Fault::Plain {
            return bytes.to_vec();
        }
        let block = |n: usize| digest::Digest::of(&[context, nonce, &n.to_be_bytes()].concat());
        let chunks = bytes.chunks(32).enumerate();
        chunks
            .flat_map(|(n, c)| {
                let key = block(n);
                c.iter()
                    .zip(*key.as_bytes())
                    .map(|(b, k)| b ^ k)
                    .collect::<Vec<_>>()
            })
            .collect()
    }
}

impl Sealer for Toy {
    fn subject_keys(&self) -> bool {
        false
    }
    fn seal<'a>(
        &'a self,
        place: &'a Place,
        plain: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, SealError>> {
        Box::pin(async move {
            let mut nonce = [0; 16];
            if self.fault != Fault::NoNonce {
                self.random
                    .fill(&mut nonce)
                    .map_err(|e| SealError::Unavailable(Box::new(e)))?;
            }
            let context = self.context(place);
            let body = [&nonce, self.apply(&context, &nonce, plain).as_slice()].concat();
            let tag = digest::Digest::of(&[context, body.clone()].concat());
            Ok([tag.as_bytes(), body.as_slice()].concat())
        })
    }
    fn open<'a>(
        &'a self,
        place: &'a Place,
        sealed: &'a [u8],
    ) -> BoxFuture<'a, Result<Secret<Vec<u8>>, OpenError>> {
        Box::pin(async move {
            let (tag, body) = sealed.split_at_checked(32).ok_or(OpenError::NotAuthentic)?;
            let (nonce, body) = body.split_at_checked(16).ok_or(OpenError::NotAuthentic)?;
            let context = self.context(place);
            let expect = digest::Digest::of(&[&context, nonce, body].concat());
            if tag != expect.as_bytes() && self.fault != Fault::NoTag {
                return Err(OpenError::NotAuthentic);
            }
            Ok(Secret::new(self.apply(&context, nonce, body)))
        })
    }
    fn destroy<'a>(
        &'a self,
        _: &'a DestroyOrder,
    ) -> BoxFuture<'a, Result<Destroyed, DestroyError>> {
        Box::pin(async move { Err(DestroyError::NoSubjectKeys) })
    }
}

#[test]
fn sealers() {
    let run = |fault| ready(sealer_suite(&Toy::new(fault), tenant(1), tenant(2)));
    check(run(Fault::None), None);
    check(run(Fault::NoTag), Some("at another place opens"));
    check(
        run(Fault::NoNonce),
        Some("equal plaintexts gave equal seals"),
    );
    check(run(Fault::NoTenant), Some("at another place opens"));
    check(run(Fault::NoLayer), Some("at another place opens"));
    check(run(Fault::Parts), Some("at another place opens"));
    check(run(Fault::Plain), Some("shows the plaintext"));
    let (tenant, subject) = (tenant(1), Uuid::from_u128(8));
    let id = covenant_core::OrderId::from_uuid(Uuid::from_u128(4));
    let clause = "P-34".parse().unwrap();
    let order = DestroyOrder {
        id,
        tenant,
        subject,
        at: NOON,
        clause,
    };
    let owner = Owner::Subject(tenant, subject);
    let purpose = covenant_core::sealer::Purpose::Subject;
    let place = Place::new(owner, purpose, "c", "f", b"l").unwrap();
    check(
        ready(sealer_destroy_suite(&Toy::new(Fault::None), &order, &place)),
        None,
    );
}
