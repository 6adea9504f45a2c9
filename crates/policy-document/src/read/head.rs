//! `[document]`, `[[ignore]]` and `[terms]`.

use std::collections::BTreeMap;

use covenant_core::digest::Digest;
use covenant_core::{DayRule, MonthRule, Reading, Zone};

use super::errors::Errors;
use super::value::{self, Fields, Value, transpose};
use crate::clause::PinnedLine;
use crate::document::{FORMAT, Head, SOURCE_LINES_MAX};
use crate::{ErrorKind, Ignore, IgnoreReason, Token};

pub(super) fn head(table: Value<'_>, errors: &mut Errors<'_>) -> Option<Head> {
    let mut fields = Fields::of(table, "document", errors)?;
    let at = fields.at(errors);
    let format = fields
        .required("format", errors)
        .and_then(|v| format(v, errors));
    let id = fields
        .required("id", errors)
        .and_then(|v| value::parsed(v, errors));
    let vendor = fields
        .required("vendor", errors)
        .and_then(|v| value::words(v, errors));
    let source = fields
        .required("source", errors)
        .and_then(|v| file_name(v, errors));
    let url = fields.optional("url").map(|v| value::words(v, errors));
    let sha256 = fields
        .required("sha256", errors)
        .and_then(|v| value::parsed(v, errors));
    let lines = fields
        .required("lines", errors)
        .and_then(|v| line_count(v, errors));
    let blank = fields.required("blank", errors);
    let blank = blank.and_then(|v| value::set(v, errors, value::number));
    let published = fields.optional("published").map(|v| value::date(v, errors));
    let reviewed = fields
        .required("reviewed", errors)
        .and_then(|v| value::date(v, errors));
    let zones = fields.required("zones", errors);
    let zones = zones.and_then(|v| value::distinct(v, errors, value::parsed::<Zone>));
    let days = fields.required("day", errors);
    let days = days.and_then(|v| value::distinct(v, errors, value::parsed::<DayRule>));
    fields.finish(errors);
    let (zones, days) = (zones?, days?);
    let Ok(reading) = Reading::new(zones.iter().cloned(), days, MonthRule::ClampEnd) else {
        let message = "document needs at least one zone and one day rule";
        return value::fail(table, ErrorKind::Value, message, errors);
    };
    format?;
    Some(Head {
        at,
        id: id?,
        vendor: vendor?,
        source: source?,
        url: transpose(url)?,
        sha256: sha256?,
        lines: lines?,
        blank: blank?,
        published: transpose(published)?,
        reviewed: reviewed?,
        zones,
        reading,
    })
}

pub(super) fn ignore(mut fields: Fields<'_>, errors: &mut Errors<'_>) -> Option<Ignore> {
    let at = fields.at(errors);
    let lines = pinned_lines(&mut fields, errors);
    let reason = fields.required("reason", errors);
    let reason = reason.and_then(|v| value::word(v, IgnoreReason::ALL, IgnoreReason::name, errors));
    fields.finish(errors);
    Some(Ignore {
        at,
        lines: lines?,
        reason: reason?,
    })
}

pub(super) fn terms(table: Value<'_>, errors: &mut Errors<'_>) -> Option<BTreeMap<Token, String>> {
    value::map(table, errors, |_, entry, errors| {
        value::words(entry, errors)
    })
}

/// `lines` and `digests` of a clause or ignore: one digest a line, lines ascending.
pub(super) fn pinned_lines(
    fields: &mut Fields<'_>,
    errors: &mut Errors<'_>,
) -> Option<Vec<PinnedLine>> {
    let lines_value = fields.required("lines", errors);
    let lines = lines_value.and_then(|v| value::whole(v, errors, value::number));
    let digests_value = fields.required("digests", errors);
    let digests = digests_value.and_then(|v| value::whole(v, errors, value::parsed::<Digest>));
    let (lines, digests) = (lines?, digests?);
    if lines.is_empty() {
        return value::fail(lines_value?, ErrorKind::Value, "the list is empty", errors);
    }
    if !lines
        .iter()
        .zip(lines.iter().skip(1))
        .all(|(one, next)| one < next)
    {
        let message = "the line numbers must ascend, each once";
        return value::fail(lines_value?, ErrorKind::Value, message, errors);
    }
    if lines.len() != digests.len() {
        let message = format!("{} lines have {} digests", lines.len(), digests.len());
        return value::fail(digests_value?, ErrorKind::Contradiction, &message, errors);
    }
    let pairs = lines.into_iter().zip(digests);
    Some(
        pairs
            .map(|(number, digest)| PinnedLine { number, digest })
            .collect(),
    )
}

fn format(value: Value<'_>, errors: &mut Errors<'_>) -> Option<()> {
    if value::string(value, errors)? == FORMAT {
        return Some(());
    }
    value::fail(
        value,
        ErrorKind::Value,
        &format!("the format must be {FORMAT}"),
        errors,
    )
}

/// A bare file name: a source is looked up in the folder of sources and nowhere else.
fn file_name(value: Value<'_>, errors: &mut Errors<'_>) -> Option<String> {
    let name = value::words(value, errors)?;
    if name.contains(['/', '\\']) || name == "." || name == ".." {
        let message = "the source must be a file name without a folder";
        return value::fail(value, ErrorKind::Value, message, errors);
    }
    Some(name)
}

fn line_count(value: Value<'_>, errors: &mut Errors<'_>) -> Option<u32> {
    let lines = value::number(value, errors)?;
    if lines > SOURCE_LINES_MAX {
        let message = format!("a source has at most {SOURCE_LINES_MAX} lines");
        return value::fail(value, ErrorKind::Value, &message, errors);
    }
    Some(lines)
}
