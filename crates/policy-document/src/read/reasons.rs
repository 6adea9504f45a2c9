//! `[[deviation]]`, `[[attestation]]` and `[[answer]]`.

use covenant_core::{ClauseId, DayRule, MonthRule, Period, Reading, Zone};
use time::{Date, Time, UtcDateTime};

use super::errors::Errors;
use super::graph::positive;
use super::value::{self, Fields, transpose};
use crate::{Answer, Attestation, Deviation, DeviationClass, ErrorKind, FindingCode};

pub(super) fn deviation(mut fields: Fields<'_>, errors: &mut Errors<'_>) -> Option<Deviation> {
    let at = fields.at(errors);
    let clause = fields.required("clause", errors);
    let clause = clause.and_then(|v| value::parsed::<ClauseId>(v, errors));
    let class = fields.required("class", errors);
    let class =
        class.and_then(|v| value::word(v, DeviationClass::ALL, DeviationClass::name, errors));
    let promised = fields
        .required("promised", errors)
        .and_then(|v| value::words(v, errors));
    let delivered = fields
        .required("delivered", errors)
        .and_then(|v| value::words(v, errors));
    let reason = fields
        .required("reason", errors)
        .and_then(|v| value::words(v, errors));
    let approved_by = fields.required("approved_by", errors);
    let approved_by = approved_by.and_then(|v| value::words(v, errors));
    let review_by = fields
        .required("review_by", errors)
        .and_then(|v| value::date(v, errors));
    let profile = fields.optional("profile").map(|v| value::parsed(v, errors));
    fields.finish(errors);
    Some(Deviation {
        clause: clause?,
        at,
        class: class?,
        promised: promised?,
        delivered: delivered?,
        reason: reason?,
        approved_by: approved_by?,
        review_by: review_by?,
        profile: transpose(profile)?,
    })
}

pub(super) fn attestation(mut fields: Fields<'_>, errors: &mut Errors<'_>) -> Option<Attestation> {
    let at = fields.at(errors);
    let clause = fields.required("clause", errors);
    let clause = clause.and_then(|v| value::parsed::<ClauseId>(v, errors));
    let owner = fields
        .required("owner", errors)
        .and_then(|v| value::words(v, errors));
    let statement = fields
        .required("statement", errors)
        .and_then(|v| value::words(v, errors));
    let evidence = fields
        .required("evidence", errors)
        .and_then(|v| value::parsed(v, errors));
    let signed_on = fields
        .required("signed_on", errors)
        .and_then(|v| value::date(v, errors));
    let valid_for_value = fields.required("valid_for", errors);
    let valid_for = valid_for_value.and_then(|v| positive(v, errors));
    fields.finish(errors);
    let (signed_on, valid_for) = (signed_on?, valid_for?);
    let Some(expires) = end(signed_on, valid_for) else {
        let message = "the attestation would end outside the calendar";
        return value::fail(valid_for_value?, ErrorKind::Value, message, errors);
    };
    Some(Attestation {
        clause: clause?,
        at,
        owner: owner?,
        statement: statement?,
        evidence: evidence?,
        signed_on,
        valid_for,
        expires,
    })
}

pub(super) fn answer(mut fields: Fields<'_>, errors: &mut Errors<'_>) -> Option<Answer> {
    let at = fields.at(errors);
    let finding_value = fields.required("finding", errors);
    let finding = finding_value.and_then(|v| value::parsed::<FindingCode>(v, errors));
    let clauses = fields.required("clauses", errors);
    let clauses = clauses.and_then(|v| value::set(v, errors, value::parsed::<ClauseId>));
    let reason = fields
        .required("reason", errors)
        .and_then(|v| value::words(v, errors));
    fields.finish(errors);
    let finding = finding?;
    if !finding.is_answerable() {
        let message = format!("{finding} cannot be answered, only corrected or reviewed");
        return value::fail(finding_value?, ErrorKind::Contradiction, &message, errors);
    }
    Some(Answer {
        finding,
        at,
        clauses: clauses?,
        reason: reason?,
    })
}

/// The end, in UTC, of the day that the period leads to.
fn end(signed_on: Date, valid_for: Period) -> Option<UtcDateTime> {
    let reading = Reading::exact(Zone::UTC, DayRule::EndOfDay, MonthRule::ClampEnd);
    let signed = UtcDateTime::new(signed_on, Time::MIDNIGHT);
    valid_for
        .resolve(signed, &reading)
        .ok()
        .map(|window| window.latest)
}
