//! A leaf is read from the bytes it is written to and from no others; it holds no content.

use audit_log::field::{self, Keep};
use audit_log::leaf::{Leaf, LeafActor, LeafChange, LeafDatum, LeafError, LeafField};
use audit_log::leaf::{LeafSource, LeafTarget};
use covenant_core::event::{ActorKind, Path};
use covenant_core::{Action, EventId, ItemId, LogId, Outcome, TxnId};
use proptest::prelude::*;
use time::macros::utc_datetime;
use uuid::Uuid;

fn leaf() -> Leaf {
    let event = EventId::from_bytes([2; 16]);
    let field = |path: &str, keep| LeafField {
        path: path.to_owned(),
        commitment: field::commit(event, path, &[7; 32], b"value"),
        keep,
    };
    Leaf {
        log: LogId::from_bytes([1; 16]),
        event,
        at: utc_datetime!(2026-03-01 12:00:00.000_001),
        recorded_at: Some(utc_datetime!(2026-03-01 12:00:01)),
        txn: Some(TxnId::from_bytes([3; 16])),
        action: Action::ChangeRecorded,
        outcome: Outcome::Ok,
        code: Some("member".to_owned()),
        actor: LeafActor {
            kind: ActorKind::Member,
            id: Some(Uuid::from_bytes([4; 16])),
        },
        on_behalf_of: None,
        source: LeafSource {
            path: Path::App,
            address: Some(0),
        },
        target: LeafTarget {
            kind: "record".to_owned(),
            table: Some("records".to_owned()),
            id: Some(ItemId::from(7)),
        },
        decision: Some(EventId::from_bytes([5; 16])),
        changes: vec![LeafChange {
            column: ItemId::from(1),
            before: None,
            after: Some(1),
        }],
        rows: None,
        fields: vec![
            field("src.ip", Keep::Sealed),
            field("changes.0.a", Keep::Never),
        ],
        clauses: "R-20".parse().into_iter().collect(),
        data: [("count".to_owned(), LeafDatum::Count(3))].into(),
    }
}

const TEXT: &str = concat!(
    r#"{"action":"change.recorded","actor":{"id":"04040404-0404-0404-0404-040404040404","#,
    r#""kind":"member"},"at":"2026-03-01T12:00:00.000001Z","changes":[{"a":1,"b":null,"#,
    r#""col":"0000000000000001"}],"clauses":["R-20"],"code":"member","data":{"count":3},"#,
    r#""decision":"05050505-0505-0505-0505-050505050505","#,
    r#""event":"02020202-0202-0202-0202-020202020202","fields":[{"c":"C0","k":"sealed","#,
    r#""p":"src.ip"},{"c":"C1","k":"never","p":"changes.0.a"}],"#,
    r#""log":"01010101-0101-0101-0101-010101010101","obo":null,"outcome":"ok","#,
    r#""recorded_at":"2026-03-01T12:00:01.000000Z","rows":null,"src":{"ip":0,"path":"app"},"#,
    r#""target":{"id":"0000000000000007","kind":"record","table":"records"},"#,
    r#""txn":"03030303-0303-0303-0303-030303030303","v":0}"#
);

fn text() -> String {
    let leaf = leaf();
    let marks = ["C0", "C1"].into_iter().zip(&leaf.fields);
    marks.fold(TEXT.to_owned(), |text, (mark, field)| {
        text.replace(mark, &field.commitment.to_string())
    })
}

#[test]
fn the_bytes_are_these() {
    assert_eq!(String::from_utf8(leaf().encode().unwrap()).unwrap(), text());
    assert_eq!(Leaf::decode(text().as_bytes()), Ok(leaf()));
}

#[test]
fn every_changed_byte_is_another_leaf_or_none() {
    let bytes = leaf().encode().unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            if let Ok(other) = Leaf::decode(&changed) {
                assert_ne!(other, leaf(), "byte {at}");
                assert_eq!(other.encode().unwrap(), changed);
            }
        }
        assert!(Leaf::decode(&bytes[..at]).is_err());
    }
}

#[test]
fn other_texts_are_no_leaves() {
    let swap = |from: &str, to: &str| {
        let changed = text().replace(from, to);
        assert_ne!(changed, text(), "{from} is not in the leaf");
        assert!(Leaf::decode(changed.as_bytes()).is_err(), "{to}");
    };
    swap("\"v\":0", "\"v\":1");
    swap("\"v\":0", "\"v\":0,\"w\":0");
    swap(",\"rows\":null", "");
    swap("\"obo\":null,", "\"obo\":null,\"obo\":null,");
    swap(
        "\"id\":\"04040404-0404-0404-0404-040404040404\"",
        "\"id\":\"04040404040404040404040404040404\"",
    );
    swap("12:00:01.000000Z", "12:00:01Z");
    swap("12:00:01.000000Z", "12:00:01.000000+00:00");
    swap("2026-03-01T12:00:00", "2026-02-29T12:00:00");
    swap("change.recorded", "change.imagined");
    swap("\"ok\"", "\"fine\"");
    swap("\"ip\":0", "\"ip\":2");
    swap("\"a\":1", "\"a\":2");
    swap("\"app\"", "\"web\"");
    swap("\"R-20\"", "\"R-2\"");
    swap("\"count\":3", "\"count\":3.0");
    swap("\"count\":3", "\"count\":null");
    swap("\"count\":3", "\"count\":\"free text\"");
    swap("\"k\":\"never\"", "\"k\":\"maybe\"");
    swap("\"code\":\"member\"", "\"code\":\"bob@example.com\"");
    swap("{", "{ ");
}

#[test]
fn a_leaf_longer_than_an_entry_is_refused() {
    let mut leaf = leaf();
    for n in 0..3 {
        leaf.data
            .insert(format!("text{n}"), LeafDatum::Text("a".repeat(30_000)));
    }
    assert_eq!(leaf.encode(), Err(LeafError::TooLarge));
    leaf.data.remove("text0");
    assert!(leaf.encode().is_ok());
    assert_eq!(Leaf::decode(&vec![b'['; 65_536]), Err(LeafError::TooLarge));
}

#[test]
fn chance_and_stamps_make_no_other_fact() {
    let mut other = leaf();
    other.txn = None;
    other.recorded_at = None;
    other.fields[1].commitment = field::commit(other.event, "changes.0.a", &[8; 32], b"value");
    assert!(leaf().same_fact(&other) && leaf() != other);
    other.action = Action::RecordDeleted;
    assert!(!leaf().same_fact(&other));
}

proptest! {
    #[test]
    fn what_parses_encodes_again(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Leaf::decode(&bytes).is_err());
    }

    #[test]
    fn any_edit_of_the_text_is_refused_or_kept(from in 0_usize..800, len in 0_usize..9, with in "[ -~]{0,9}") {
        let text = text();
        let from = from.min(text.len());
        let to = (from + len).min(text.len());
        let mut edited = text;
        edited.replace_range(from..to, &with);
        if let Ok(leaf) = Leaf::decode(edited.as_bytes()) {
            prop_assert_eq!(leaf.encode().unwrap(), edited.into_bytes());
        }
    }
}
