//! Canonical encoding: what was written reads back, other values give other bytes, and no input
//! makes the reader read past the end.

use proptest::collection::vec;
use proptest::prelude::*;

use covenant_core::canon::{CanonError, Reader, Writer, hex, unhex};

#[derive(Debug, Clone, PartialEq)]
enum Field {
    Bytes(Vec<u8>),
    I64(i64),
    Text(String),
    U16(u16),
    U32(u32),
    U64(u64),
    U8(u8),
}

fn field() -> impl Strategy<Value = Field> {
    prop_oneof![
        vec(any::<u8>(), 0..40).prop_map(Field::Bytes),
        any::<i64>().prop_map(Field::I64),
        ".{0,12}".prop_map(Field::Text),
        any::<u16>().prop_map(Field::U16),
        any::<u32>().prop_map(Field::U32),
        any::<u64>().prop_map(Field::U64),
        any::<u8>().prop_map(Field::U8),
    ]
}

fn write(fields: &[Field]) -> Vec<u8> {
    let mut w = Writer::new();
    for field in fields {
        match field {
            Field::Bytes(v) => w.bytes(v),
            Field::I64(v) => w.i64(*v),
            Field::Text(v) => w.text(v),
            Field::U16(v) => w.u16(*v),
            Field::U32(v) => w.u32(*v),
            Field::U64(v) => w.u64(*v),
            Field::U8(v) => w.u8(*v),
        };
    }
    w.finish()
}

/// Reads fields of the same kinds as `like`.
fn read(bytes: &[u8], like: &[Field]) -> Result<Vec<Field>, CanonError> {
    let mut r = Reader::new(bytes);
    let mut fields = Vec::new();
    for field in like {
        fields.push(match field {
            Field::Bytes(_) => Field::Bytes(r.bytes(64)?.to_vec()),
            Field::I64(_) => Field::I64(r.i64()?),
            Field::Text(_) => Field::Text(r.text(64)?.to_owned()),
            Field::U16(_) => Field::U16(r.u16()?),
            Field::U32(_) => Field::U32(r.u32()?),
            Field::U64(_) => Field::U64(r.u64()?),
            Field::U8(_) => Field::U8(r.u8()?),
        });
    }
    r.end()?;
    Ok(fields)
}

proptest! {
    #[test]
    fn what_was_written_reads_back(fields in vec(field(), 0..8)) {
        let bytes = write(&fields);
        prop_assert_eq!(read(&bytes, &fields), Ok(fields.clone()));
        for cut in 0..bytes.len() {
            prop_assert!(read(&bytes[..cut], &fields).is_err());
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        prop_assert!(read(&longer, &fields).is_err());
    }

    #[test]
    fn texts_never_run_into_each_other(a in vec(".{0,6}", 0..5), b in vec(".{0,6}", 0..5)) {
        let texts = |all: &[String]| write(&all.iter().cloned().map(Field::Text).collect::<Vec<_>>());
        prop_assert_eq!(texts(&a) == texts(&b), a == b);
    }

    #[test]
    fn any_bytes_are_read_without_panic_and_write_back(bytes in vec(any::<u8>(), 0..80), like in vec(field(), 0..6)) {
        if let Ok(fields) = read(&bytes, &like) {
            prop_assert_eq!(write(&fields), bytes);
        }
    }

    #[test]
    fn hexadecimal_reads_back(bytes in vec(any::<u8>(), 0..40), text in "[0-9a-fA-F]{0,9}") {
        prop_assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        let canonical = text.len() % 2 == 0 && text.to_lowercase() == text;
        prop_assert_eq!(unhex(&text).is_some(), canonical);
        if let Some(bytes) = unhex(&text) {
            prop_assert_eq!(hex(&bytes), text);
        }
    }
}

#[test]
fn the_encoding_is_the_documented_one() {
    let mut w = Writer::new();
    w.text("ab")
        .u8(1)
        .u16(2)
        .u32(3)
        .u64(4)
        .i64(-1)
        .bytes(&[])
        .fixed(&[9, 9]);
    w.instant(time::macros::utc_datetime!(1970-01-01 0:01));
    let expect = concat!(
        "000000026162",
        "01",
        "0002",
        "00000003",
        "0000000000000004",
        "ffffffffffffffff",
        "00000000",
        "0909",
        "000000000000003c"
    );
    assert_eq!(hex(w.as_bytes()), expect);
}

#[test]
fn lengths_are_capped_before_anything_is_taken() {
    let over = [0, 0, 0, 5, 1, 2, 3, 4, 5];
    assert!(Reader::new(&over).bytes(4).is_err());
    assert_eq!(Reader::new(&over).bytes(5), Ok([1, 2, 3, 4, 5].as_slice()));
    let huge = [255, 255, 255, 255, 1];
    assert!(Reader::new(&huge).bytes(usize::MAX).is_err());
    assert!(Reader::new(&[0, 0, 0, 1, 255]).text(9).is_err());
    let beyond = i64::MAX.to_be_bytes();
    assert!(Reader::new(&beyond).instant().is_err());
}
