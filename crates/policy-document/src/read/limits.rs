//! How much of everything a document may have, so that whether its promises can all be kept is found
//! out in bounded time: each figure is several times that of the largest of three real documents.

use super::errors::Errors;
use crate::document::Head;
use crate::store::{Class, Key, Store};
use crate::{Clause, ErrorKind, Position};

/// Most zones: the sites of a vendor that reads its own page in several.
const ZONES_MAX: usize = 4;
/// Most classes, as in a rule file.
const CLASSES_MAX: usize = 256;
/// Most stores, as in a rule file.
const STORES_MAX: usize = 64;
/// Most keys with a planned death; each is held against every floor.
const KEYS_MAX: usize = 16;
/// Most pairs of events that bounds are about: the largest of three real documents has 15.
const PAIRS_MAX: usize = 96;
/// Most alternatives of all clauses; each is a network of its own.
const ALTERNATIVES_MAX: usize = 16;

pub(super) fn limits(
    head: Option<&Head>,
    classes: &[Class],
    stores: &[Store],
    keys: &[Key],
    clauses: &[Clause],
    errors: &mut Errors<'_>,
) {
    let mut limit = |places: &[Position], most: usize, what: &str| {
        if let Some(at) = places.get(most) {
            let message = format!("a document has at most {most} {what}");
            errors.push_at(*at, ErrorKind::TooLarge, message);
        }
    };
    if let Some(head) = head {
        limit(&vec![head.at; head.zones.len()], ZONES_MAX, "zones");
    }
    let places: Vec<_> = classes.iter().map(|class| class.at).collect();
    limit(&places, CLASSES_MAX, "classes");
    let places: Vec<_> = stores.iter().map(|store| store.at).collect();
    limit(&places, STORES_MAX, "stores");
    let places: Vec<_> = keys.iter().map(|key| key.at).collect();
    limit(&places, KEYS_MAX, "keys");
    let pairs = clauses.iter().flat_map(|clause| {
        let bound = clause.bound.as_ref();
        let pairs = bound.map_or(0, |b| b.from.len().max(1).saturating_mul(b.to.len()));
        std::iter::repeat_n(clause.at, pairs)
    });
    let places: Vec<_> = pairs.take(PAIRS_MAX.saturating_add(1)).collect();
    limit(&places, PAIRS_MAX, "pairs of events in bounds");
    let alternatives = clauses
        .iter()
        .flat_map(|clause| std::iter::repeat_n(clause.at, clause.alternatives.len()));
    let places: Vec<_> = alternatives.collect();
    limit(&places, ALTERNATIVES_MAX, "alternatives");
}
