//! The suite of side tables: the sentences of the contract one by one, and a long walk beside the
//! model.

use covenant_core::{ItemId, KeyId};

use super::{SuiteError, that};
use crate::token::{
    Claimed, Filled, MemoryTable, TOKEN_LEN_BYTES, TOKEN_VERSION, TableError, Token, TokenTable,
};

/// Steps of the walk: a bound of ours on how long the suite takes.
const STEPS: u32 = 150;

/// Checks a table of tokens. Both tables are empty, and of two indexes of one store.
///
/// # Errors
/// [`SuiteError`] with the first sentence of the contract that does not hold.
pub async fn token_suite(table: &dyn TokenTable, other: &dyn TokenTable) -> Result<(), SuiteError> {
    sentences(table).await?;
    apart(table, other).await?;
    walk(table, Rows::Put).await?;
    walk(table, Rows::Claimed).await
}

async fn sentences(table: &dyn TokenTable) -> Result<(), SuiteError> {
    let (a, b) = (row(1), row(2));
    let (old, new) = (token(1, 1), token(2, 1));
    let (other_old, other_new) = (token(1, 2), token(2, 2));
    done(table.put(&b, &[old]).await)?;
    done(table.put(&a, &[old, other_old]).await)?;
    let found = done(table.find(&[other_old, old]).await)?;
    that!(
        found == [a.clone(), b.clone()],
        "rows are ordered and each once"
    );
    that!(
        done(table.find(&[new]).await)?.is_empty(),
        "a row is found by its tokens alone"
    );
    that!(
        done(table.find(&[]).await)?.is_empty(),
        "no token finds no row"
    );
    done(table.put(&a, &[other_old]).await)?;
    let found = done(table.find(&[old]).await)?;
    that!(found == [b.clone()], "put replaces all tokens of the row");

    // a token of the other version, and of a value that is another by now
    let filled = done(table.fill(&b, &[old, new]).await)?;
    that!(
        filled == Filled::Now,
        "fill adds to a row that has the first"
    );
    let found = done(table.find(&[new]).await)?;
    that!(found == [b.clone()], "what was filled is found");
    let filled = done(table.fill(&a, &[old, new]).await)?;
    that!(filled == Filled::Not, "fill leaves any other row");
    let filled = done(table.fill(&row(9), &[old, new]).await)?;
    that!(filled == Filled::Not, "fill makes no row");
    that!(
        done(table.find(&[new]).await)?.len() == 1,
        "what was not filled is not there"
    );

    let lacking = done(table.lacking(version(2), None, 9).await)?;
    that!(
        lacking == [a.clone()],
        "lacking names rows without the version"
    );
    done(table.put(&row(3), &[old]).await)?;
    let lacking = done(table.lacking(version(2), None, 1).await)?;
    that!(lacking == [a.clone()], "lacking gives so many at most");
    let lacking = done(table.lacking(version(2), Some(&a), 9).await)?;
    that!(lacking == [row(3)], "lacking goes on after a row");

    done(table.drop_version(version(1)).await)?;
    let found = done(table.find(&[old, other_old]).await)?;
    that!(found.is_empty(), "a dropped version finds nothing");
    let found = done(table.find(&[new]).await)?;
    that!(found == [b.clone()], "drop leaves the other versions");
    let lacking = done(table.lacking(version(3), None, 9).await)?;
    that!(lacking == [b.clone()], "a row without tokens is forgotten");

    done(table.put(&b, &[]).await)?;
    for (name, tokens) in [("first", [old, new]), ("both", [other_old, other_new])] {
        let claimed = done(table.claim(&a, &tokens).await)?;
        that!(
            claimed == Claimed::Now,
            format!("a free value is claimed: {name}")
        );
        let again = done(table.claim(&a, &tokens).await)?;
        that!(again == Claimed::Now, "who has it may claim it again");
    }
    for token in [other_old, other_new] {
        let claimed = done(table.claim(&b, &[token]).await)?;
        that!(claimed == Claimed::Taken, "no version is claimed twice");
    }
    that!(
        done(table.find(&[other_old]).await)? == [a.clone()],
        "what was taken changes nothing"
    );
    let claimed = done(table.claim(&b, &[old, new]).await)?;
    that!(claimed == Claimed::Now, "a value that was given up is free");
    let added = token(3, 2);
    that!(
        done(table.fill(&a, &[other_old, added]).await)? == Filled::Now,
        "a claimed row is filled"
    );
    let claimed = done(table.claim(&b, &[added]).await)?;
    that!(claimed == Claimed::Taken, "what was filled is claimed too");
    for row in [a, b] {
        done(table.put(&row, &[]).await)?;
    }
    that!(
        done(table.lacking(version(9), None, 9).await)?.is_empty(),
        "a row that is put without tokens is forgotten"
    );
    Ok(())
}

async fn apart(table: &dyn TokenTable, other: &dyn TokenTable) -> Result<(), SuiteError> {
    let (row, token) = (row(1), token(1, 1));
    done(table.claim(&row, &[token]).await)?;
    that!(
        done(other.find(&[token]).await)?.is_empty(),
        "an index finds its own rows alone"
    );
    let claimed = done(other.claim(&row, &[token]).await)?;
    that!(
        claimed == Claimed::Now,
        "what is taken in one index is free in another"
    );
    done(other.drop_version(version(1)).await)?;
    that!(
        done(table.find(&[token]).await)?.len() == 1,
        "a version is dropped in its own index alone"
    );
    done(table.put(&row, &[]).await)
}

/// What a walk does with rows: of one index they are all put, or all claimed.
#[derive(Debug, Clone, Copy)]
enum Rows {
    Put,
    Claimed,
}

/// A walk of rows, values and versions, compared at each step with the model, which scans.
async fn walk(table: &dyn TokenTable, rows: Rows) -> Result<(), SuiteError> {
    let model = MemoryTable::new();
    let mut state: u32 = 20_261_122;
    let mut draw = |below: u8| {
        // a generator of Numerical Recipes; the high bits are the good ones
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u8::try_from(state >> 24)
            .unwrap_or(0)
            .checked_rem(below)
            .unwrap_or(0)
    };
    for step in 0..STEPS {
        let (what, at) = (draw(8), row(draw(6)));
        let (value, other) = (draw(4), draw(4));
        let (old, new) = (draw(3), draw(3));
        let tokens = [token(old, value), token(new, value)];
        let tokens = if what == 0 { &[][..] } else { &tokens[..] };
        let same = match (what, rows) {
            (0, _) | (1..=3, Rows::Put) => {
                equal((table.put(&at, tokens).await, model.put(&at, tokens).await))?
            }
            (1..=5, Rows::Claimed) => {
                let ours = table.claim(&at, tokens).await;
                equal((ours, model.claim(&at, tokens).await))?
            }
            (4 | 5, Rows::Put) => {
                let ours = table.fill(&at, tokens).await;
                equal((ours, model.fill(&at, tokens).await))?
            }
            (6, _) if other == 0 => {
                let ours = table.drop_version(version(old)).await;
                equal((ours, model.drop_version(version(old)).await))?
            }
            _ => true,
        };
        that!(same, format!("step {step} answers as the model does"));
        let looked = [token(old, other), token(new, value), token(new, other)];
        let found = (table.find(&looked).await, model.find(&looked).await);
        that!(equal(found)?, format!("step {step}: a lookup is a scan"));
        let (version, max) = (version(old), usize::from(draw(4)));
        let lacking = (
            table.lacking(version, Some(&at), max).await,
            model.lacking(version, Some(&at), max).await,
        );
        that!(
            equal(lacking)?,
            format!("step {step}: rows that lack a version")
        );
    }
    for n in 0..6 {
        done(table.put(&row(n), &[]).await)?;
    }
    Ok(())
}

fn equal<T: PartialEq>(
    (ours, models): (Result<T, TableError>, Result<T, TableError>),
) -> Result<bool, SuiteError> {
    Ok(done(ours)? == done(models)?)
}

fn done<T>(result: Result<T, TableError>) -> Result<T, SuiteError> {
    result.map_err(|error| match std::error::Error::source(&error) {
        Some(source) => SuiteError::of(format!("{error}: {source}")),
        None => SuiteError::of(error),
    })
}

fn row(n: u8) -> ItemId {
    ItemId::from(i64::from(n))
}

fn version(n: u8) -> KeyId {
    KeyId::from_bytes([n; 16])
}

/// The token of a value under a version.
fn token(of: u8, value: u8) -> Token {
    let mut bytes = [value; TOKEN_LEN_BYTES];
    let head = std::iter::once(TOKEN_VERSION).chain(*version(of).as_bytes());
    bytes.iter_mut().zip(head).for_each(|(to, from)| *to = from);
    Token::of(bytes)
}
