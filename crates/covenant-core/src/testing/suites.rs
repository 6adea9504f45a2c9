//! Suites that every implementation of a joint runs: the sentences of its contract, one check each.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::event::{Event, EventSink, SinkError};
use crate::outbox::{LEAF_LEN_BYTES_MAX, OutboxError, OutboxRow, OutboxTx};
use crate::sealer::{DestroyError, DestroyOrder, Layer, OpenError, Owner, Place, Purpose, Sealer};
use crate::{Clock, EventId, LogId, Random, TenantId};

/// An implementation broke a sentence of its contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{joint}: {what}")]
pub struct SuiteError {
    joint: &'static str,
    what: String,
}

type Suite = Result<(), SuiteError>;

/// The checks of one joint.
struct Checks(&'static str);

impl Checks {
    fn fail(&self, what: impl ToString) -> SuiteError {
        SuiteError {
            joint: self.0,
            what: what.to_string(),
        }
    }

    fn that(&self, holds: impl Into<Holds>, what: &str) -> Suite {
        if holds.into() == Holds::Yes {
            Ok(())
        } else {
            Err(self.fail(what))
        }
    }

    fn ok<T, E: std::fmt::Display>(
        &self,
        result: Result<T, E>,
        what: &str,
    ) -> Result<T, SuiteError> {
        result.map_err(|error| self.fail(format_args!("{what}: {error}")))
    }
}

#[derive(PartialEq, Eq)]
enum Holds {
    Yes,
    No,
}

impl From<bool> for Holds {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// What every [`Clock`] does.
///
/// # Errors
/// [`SuiteError`] for the first sentence that does not hold.
pub fn clock_suite(clock: &dyn Clock) -> Suite {
    let checks = Checks("Clock");
    let mut before = clock.monotonic();
    for _ in 0..10_000 {
        let now = clock.monotonic();
        checks.that(now >= before, "monotonic time decreased")?;
        before = now;
    }
    let wall = clock.now();
    checks.that(
        (1970..9999).contains(&wall.year()),
        "wall time is outside the years 1970 to 9998",
    )
}

/// What every [`Random`] does.
///
/// # Errors
/// [`SuiteError`] for the first sentence that does not hold.
pub fn random_suite(random: &dyn Random) -> Suite {
    let checks = Checks("Random");
    let mut seen = BTreeSet::new();
    let mut ever_set = [0_u8; 16];
    let mut ever_clear = [0_u8; 16];
    for _ in 0..1_000 {
        let mut bytes = [0_u8; 16];
        checks.ok(random.fill(&mut bytes), "16 bytes")?;
        ever_set
            .iter_mut()
            .zip(bytes)
            .for_each(|(ever, byte)| *ever |= byte);
        ever_clear
            .iter_mut()
            .zip(bytes)
            .for_each(|(ever, byte)| *ever |= !byte);
        checks.that(seen.insert(bytes), "16 bytes came twice")?;
    }
    let every_bit = ever_set == [255; 16] && ever_clear == [255; 16];
    checks.that(every_bit, "a bit never changed in 1,000 fills")?;
    for len in 0..=64 {
        let mut bytes = vec![0_u8; len];
        checks.ok(random.fill(&mut bytes), "a fill of 0 to 64 bytes")?;
        let left_alone = len >= 24 && bytes.iter().rev().take(8).all(|byte| *byte == 0);
        checks.that(!left_alone, "the end of the buffer was not filled")?;
    }
    Ok(())
}

/// What every [`crate::NoteSigner`] does.
///
/// # Errors
/// [`SuiteError`] for the first sentence that does not hold.
#[cfg(feature = "digest")]
pub async fn note_signer_suite(signer: &dyn crate::NoteSigner) -> Suite {
    use crate::note::{Note, Vkey};

    let checks = Checks("NoteSigner");
    let key: Vkey = checks.ok(signer.key().parse(), "the key is no verifier key")?;
    let known = [key];
    let text = "suite\n\nline\n";
    let line = checks.ok(signer.sign(text).await, "signing")?;
    let again = checks.ok(signer.sign(text).await, "signing again")?;
    checks.that(line == again, "the same text gave another line")?;
    let mut note = checks.ok(Note::unsigned(text), "a note of the text")?;
    checks.ok(note.add_signature(&line), "the line is no signature line")?;
    checks.ok(note.verify(&known), "the signature does not verify")?;
    let mut other = checks.ok(Note::unsigned("other\n"), "a note of another text")?;
    checks.ok(other.add_signature(&line), "the line is no signature line")?;
    checks.that(
        other.verify(&known).is_err(),
        "the signature verifies under another text",
    )
}

/// What every [`OutboxTx`] does. The transaction is open and empty, and is rolled back after this.
///
/// # Errors
/// [`SuiteError`] for the first sentence that does not hold.
pub async fn outbox_tx_suite(tx: &mut dyn OutboxTx) -> Suite {
    let checks = Checks("OutboxTx");
    let row = |n: u128| OutboxRow {
        event: EventId::from_uuid(Uuid::from_u128(n)),
        log: LogId::from_uuid(Uuid::from_u128(9)),
        kind: 0,
        leaf: b"leaf".to_vec(),
        sealed: Vec::new(),
    };
    checks.that(tx.tag() == tx.tag(), "the tag changed")?;
    checks.ok(tx.put(row(1)).await, "a row")?;
    checks.ok(tx.put(row(2)).await, "a row of another event")?;
    let longest = OutboxRow {
        leaf: vec![0; LEAF_LEN_BYTES_MAX],
        ..row(3)
    };
    checks.ok(tx.put(longest).await, "a leaf of the longest length")?;
    let over = LEAF_LEN_BYTES_MAX.saturating_add(1);
    let too_long = tx
        .put(OutboxRow {
            leaf: vec![0; over],
            ..row(4)
        })
        .await;
    let refused = matches!(too_long, Err(OutboxError::TooLarge));
    checks.that(
        refused,
        "a leaf beyond the longest length was not refused as too large",
    )?;
    // last, since the transaction can only be rolled back after it
    checks.that(tx.put(row(1)).await.is_err(), "an event was put twice")
}

/// What every [`EventSink`] does. Both events are complete, of one tenant, and have different ids;
/// `tx` is an open transaction of that tenant and `foreign` one of another.
///
/// # Errors
/// [`SuiteError`] for the first sentence that does not hold.
pub async fn event_sink_suite(
    sink: &dyn EventSink,
    events: [Event; 2],
    tx: &mut dyn OutboxTx,
    foreign: &mut dyn OutboxTx,
) -> Suite {
    let checks = Checks("EventSink");
    let [recorded, emitted] = events;
    let fits = recorded.id != emitted.id
        && recorded.target.tenant == tx.tag().tenant
        && recorded.target.tenant != foreign.tag().tenant;
    checks.that(fits, "the suite's own arguments do not fit together")?;

    let prepared = checks.ok(sink.prepare(recorded.clone()).await, "preparing")?;
    let heads = prepared.event == recorded.id
        && prepared.tenant == recorded.target.tenant
        && prepared.action == recorded.action;
    checks.that(heads, "the prepared event is another one")?;
    checks.that(!prepared.rows.is_empty(), "the prepared event has no row")?;
    let wrong = sink.record(foreign, prepared.clone()).await;
    let refused = matches!(wrong, Err(SinkError::WrongTenant));
    checks.that(refused, "recorded in another tenant's transaction")?;
    let id = checks.ok(sink.record(tx, prepared).await, "recording")?;
    checks.that(id == recorded.id, "recorded under another id")?;

    let id = checks.ok(sink.emit(emitted.clone()).await, "emitting")?;
    checks.that(id == emitted.id, "emitted under another id")?;
    let again = checks.ok(
        sink.emit(emitted.clone()).await,
        "emitting the same event again",
    )?;
    checks.that(again == id, "the same event again got another id")?;
    let mut other = emitted;
    other.rows = Some(other.rows.unwrap_or(0).wrapping_add(1));
    let taken = sink.emit(other).await;
    let refused = matches!(taken, Err(SinkError::Taken(taken)) if taken == id);
    checks.that(
        refused,
        "another event was taken under an id that is in use",
    )
}

/// What every [`Sealer`] does, with keys of two different tenants.
///
/// # Errors
/// [`SuiteError`] for the first sentence that does not hold.
pub async fn sealer_suite(sealer: &dyn Sealer, a: TenantId, b: TenantId) -> Suite {
    let checks = Checks("Sealer");
    checks.that(a != b, "the suite needs two tenants")?;
    let place = |tenant, collection: &str, field: &str, locator: &[u8]| {
        let place = Place::new(
            Owner::Tenant(tenant),
            Purpose::Data,
            collection,
            field,
            locator,
        );
        checks.ok(place, "a place")
    };
    let here = place(a, "suite", "body", b"row-1")?;
    let plain = b"what is sealed here opens here and nowhere else".as_slice();

    for plain in [plain, b"", &[0; 70_000]] {
        let sealed = checks.ok(sealer.seal(&here, plain).await, "sealing")?;
        let opened = checks.ok(sealer.open(&here, &sealed).await, "opening")?;
        checks.that(
            opened.expose() == plain,
            "what opens is not what was sealed",
        )?;
        let shown = !plain.is_empty() && sealed.windows(plain.len()).any(|part| part == plain);
        checks.that(!shown, "the seal shows the plaintext")?;
    }
    let sealed = checks.ok(sealer.seal(&here, plain).await, "sealing")?;
    let again = checks.ok(sealer.seal(&here, plain).await, "sealing again")?;
    checks.that(sealed != again, "equal plaintexts gave equal seals")?;

    let elsewhere = [
        place(b, "suite", "body", b"row-1")?,
        place(a, "suitf", "body", b"row-1")?,
        place(a, "suite", "bodz", b"row-1")?,
        place(a, "suite", "body", b"row-2")?,
        place(a, "suiteb", "ody", b"row-1")?,
        place(a, "suite", "bodyr", b"ow-1")?,
        here.layered(Layer::Inner, Purpose::Data),
        here.layered(Layer::Outer, Purpose::Data),
    ];
    for other in &elsewhere {
        not_authentic(&checks, sealer, other, &sealed, "at another place").await?;
    }
    for at in 0..sealed.len() {
        let flipped = sealed.iter().enumerate();
        let flipped: Vec<u8> = flipped
            .map(|(i, b)| if i == at { b ^ 1 } else { *b })
            .collect();
        not_authentic(&checks, sealer, &here, &flipped, "with a byte flipped").await?;
        let cut = sealed.get(..at).unwrap_or_default();
        not_authentic(&checks, sealer, &here, cut, "cut short").await?;
    }
    let longer = [sealed.as_slice(), &[0]].concat();
    not_authentic(&checks, sealer, &here, &longer, "with a byte appended").await?;
    not_authentic(&checks, sealer, &here, plain, "which is the plaintext").await?;
    // the positive control of all refusals above
    checks
        .ok(sealer.open(&here, &sealed).await, "opening at the end")
        .map(drop)
}

/// What every [`Sealer`] does with an order to destroy a data subject's keys. Where data subjects
/// have keys, `place` is one of the order's subject, and what is sealed there is lost.
///
/// # Errors
/// [`SuiteError`] for the first sentence that does not hold.
pub async fn sealer_destroy_suite(
    sealer: &dyn Sealer,
    order: &DestroyOrder,
    place: &Place,
) -> Suite {
    let checks = Checks("Sealer");
    if !sealer.subject_keys() {
        let refused = matches!(
            sealer.destroy(order).await,
            Err(DestroyError::NoSubjectKeys)
        );
        return checks.that(
            refused,
            "keys of data subjects were destroyed where there are none",
        );
    }
    let subject = place.owner() == Owner::Subject(order.tenant, order.subject);
    checks.that(subject, "the suite's place is not of the order's subject")?;
    let sealed = checks.ok(sealer.seal(place, b"subject").await, "sealing")?;
    checks.ok(sealer.open(place, &sealed).await, "opening before")?;
    let first = checks.ok(sealer.destroy(order).await, "destroying")?;
    checks.that(!first.keys.is_empty(), "no key was destroyed")?;
    checks.that(
        sealer.open(place, &sealed).await.is_err(),
        "opened after its key was destroyed",
    )?;
    let second = checks.ok(sealer.destroy(order).await, "the same order again")?;
    checks.that(first == second, "the same order again got another answer")
}

async fn not_authentic(
    checks: &Checks,
    sealer: &dyn Sealer,
    place: &Place,
    sealed: &[u8],
    how: &str,
) -> Suite {
    match sealer.open(place, sealed).await {
        Err(OpenError::NotAuthentic) => Ok(()),
        Err(other) => Err(checks.fail(format_args!("a seal {how} fails otherwise: {other}"))),
        Ok(_) => Err(checks.fail(format_args!("a seal {how} opens"))),
    }
}
