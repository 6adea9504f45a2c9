//! Clauses that decisions cite, as constants.

use covenant_core::ClauseId;

/// The clause of this letter and number; every call below is checked by the test.
const fn clause(letter: char, number: u16) -> ClauseId {
    match ClauseId::new(letter, number) {
        Some(id) => id,
        None => clause('A', 1),
    }
}

/// Region rule: listed sites, the one site of the list, the region that the customer chose.
pub(crate) const REGION: &[ClauseId] = &[clause('P', 3), clause('P', 4), clause('Q', 4)];
/// State rule: expired, locked, deleted.
pub(crate) const STATE: &[ClauseId] = &[clause('P', 55), clause('P', 56), clause('P', 58)];
/// Member rule: whom the organisation let in, by whom, and what only its admins may do.
pub(crate) const MEMBER: &[ClauseId] = &[clause('P', 53), clause('R', 1), clause('R', 5)];
/// Service rule, and default deny: nobody else.
pub(crate) const NOBODY_ELSE: &[ClauseId] = &[clause('R', 1)];
/// Level rule: not above the level that was given.
pub(crate) const LEVEL: &[ClauseId] = &[clause('P', 24)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_name_the_clauses_they_say() {
        let all = [REGION, STATE, MEMBER, NOBODY_ELSE, LEVEL];
        let text = all.map(|ids| {
            ids.iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        });
        assert_eq!(
            text,
            [
                "P-03 P-04 Q-04",
                "P-55 P-56 P-58",
                "P-53 R-01 R-05",
                "R-01",
                "P-24"
            ]
        );
    }
}
