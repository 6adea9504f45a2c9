//! covenant-core: what is accepted prints or encodes to itself, and nothing panics.

use covenant_core::canon::{CanonError, Reader, Writer};
use covenant_core::note::{Note, Vkey};
use covenant_core::statement::Statement;
use covenant_core::{Period, Reading, Zone};
use time::UtcDateTime;

/// Notes and verifier keys print to themselves; no key that did not sign verifies.
pub fn note(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    if let Ok(note) = text.parse::<Note>() {
        assert_eq!(note.to_string(), text);
        let strangers = note
            .signatures()
            .iter()
            .filter_map(|s| Vkey::new(s.name(), [7; 32]).ok());
        assert!(note.verify(&strangers.collect::<Vec<_>>()).is_err());
    }
    if let Ok(key) = text.parse::<Vkey>() {
        assert_eq!(key.to_string(), text);
    }
}

/// Statements encode to themselves.
pub fn statement(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    if let Ok(statement) = Statement::parse(text) {
        assert_eq!(statement.encode(), text);
    }
}

/// Eight bytes of anchor, then a period and a zone: canonical text is a fixed point, and every end
/// lies within the bounds.
pub fn period(data: &[u8]) {
    let Some((anchor, text)) = data.split_first_chunk::<8>() else {
        return;
    };
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    let (period, zone) = text.split_once(' ').unwrap_or((text, "UTC"));
    let (Ok(period), Ok(zone)) = (period.parse::<Period>(), zone.parse::<Zone>()) else {
        return;
    };
    assert_eq!(period.to_string().parse(), Ok(period));
    assert_eq!(zone.to_string().parse(), Ok(zone.clone()));
    // from 1970 on, where the bounds of named zones hold
    let secs = i64::from_be_bytes(*anchor).rem_euclid(253_402_300_800);
    let Ok(anchor) = UtcDateTime::from_unix_timestamp(secs) else {
        return;
    };
    let reading = Reading::in_zone(zone);
    let Ok(window) = period.resolve(anchor, &reading) else {
        return;
    };
    let bounds = period.bounds(&reading);
    let span = |end: UtcDateTime| u64::try_from((end - anchor).whole_seconds()).unwrap_or(0);
    assert!(window.earliest <= window.latest);
    assert!(
        bounds.shortest_secs <= span(window.earliest),
        "{period} from {anchor}"
    );
    assert!(
        span(window.latest) <= bounds.longest_secs,
        "{period} from {anchor}"
    );
}

/// Eight bytes say which fields to read from the rest; what is read writes back.
pub fn canon(data: &[u8]) {
    let Some((fields, bytes)) = data.split_first_chunk::<8>() else {
        return;
    };
    let mut reader = Reader::new(bytes);
    let mut writer = Writer::new();
    if fields
        .iter()
        .try_for_each(|field| copy(*field, &mut reader, &mut writer))
        .is_ok()
    {
        let taken = bytes.len() - reader.left();
        assert_eq!(Some(writer.as_bytes()), bytes.get(..taken));
    }
}

fn copy(field: u8, from: &mut Reader<'_>, to: &mut Writer) -> Result<(), CanonError> {
    match field % 8 {
        0 => to.bytes(from.bytes(64)?),
        1 => to.text(from.text(usize::MAX)?),
        2 => to.u8(from.u8()?),
        3 => to.u16(from.u16()?),
        4 => to.u32(from.u32()?),
        5 => to.u64(from.u64()?),
        6 => to.i64(from.i64()?),
        _ => to.instant(from.instant()?),
    };
    Ok(())
}
