//! A lookup by token finds what a scan of all values finds, also while the index is rotated; and a
//! token says nothing across tenants, fields and normalisers.
#![cfg(all(feature = "token", feature = "testing"))]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use covenant_core::sealer::Purpose;
use covenant_core::testing::SeededRandom;
use covenant_core::{ItemId, ManualClock, Owner, TenantId};
use crypto_envelope::backend::MemoryBackend;
use crypto_envelope::store::MemoryStore;
use crypto_envelope::token::{
    Backfilled, Field, Index, MemoryTable, Normaliser, TOKEN_LEN_BYTES, Token, TokenError,
    TokenTable as _, VALUE_LEN_BYTES_MAX,
};
use crypto_envelope::{KeyError, Keys, KeysOptions, Unlocked};
use proptest::prelude::{Just, ProptestConfig, Strategy, prop_oneof, proptest};
use ring::hmac;
use time::UtcDateTime;
use uuid::Uuid;

type TestResult = Result<(), Box<dyn Error>>;

const TENANT: TenantId = TenantId::from_bytes([5; 16]);
const OTHER: TenantId = TenantId::from_bytes([6; 16]);

/// Keys with both tenants; another seed gives other versions of all roots.
async fn keys(seed: u64) -> Result<Keys, KeyError> {
    let random = Arc::new(SeededRandom::new(seed));
    let clock = Arc::new(ManualClock::at(UtcDateTime::UNIX_EPOCH));
    let store = Arc::new(MemoryStore::new());
    let backend = Arc::new(MemoryBackend::new(random.clone()));
    let keys = Keys::open(store, backend, clock, random, KeysOptions::default()).await?;
    for tenant in [TENANT, OTHER] {
        keys.create_tenant(tenant).await?;
        let made = keys.create_index(tenant).await?;
        assert_eq!(keys.create_index(tenant).await?, made);
    }
    Ok(keys)
}

async fn root(keys: &Keys, tenant: TenantId) -> Result<Unlocked, KeyError> {
    keys.unlock(Owner::Tenant(tenant), Purpose::Index).await
}

fn field(tenant: Option<TenantId>, field: &str, normaliser: Normaliser) -> Field {
    Field {
        tenant,
        collection: "person".to_owned(),
        field: field.to_owned(),
        normaliser,
    }
}

fn email(tenant: TenantId) -> Field {
    field(Some(tenant), "email", Normaliser::AsciiLower)
}

#[tokio::test]
async fn a_token_is_the_hash_that_the_format_says() -> TestResult {
    let keys = keys(1).await?;
    let root = root(&keys, TENANT).await?;
    let version = root.version();
    let token = Index::new(email(TENANT), root)?.tokens("Ann@Example.org")?[0];
    let secret = keys.surviving_roots().await?;
    let secret = secret.iter().find(|root| root.version == version);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.ok_or("no root")?.root.expose());
    let mut message = Vec::new();
    for part in [
        &b"covenant/token/1"[..],
        version.as_bytes(),
        TENANT.as_bytes(),
        b"person",
        b"email",
        b"ascii-lower",
        b"ann@example.org",
    ] {
        message.extend(u32::try_from(part.len())?.to_be_bytes());
        message.extend(part);
    }
    let mac = hmac::sign(&key, &message);
    let expected = [&[1], version.as_bytes().as_slice(), mac.as_ref()].concat();
    assert_eq!(token.as_bytes().as_slice(), expected);
    assert_eq!(token.version(), version);
    assert_eq!(Token::try_from(expected.as_slice())?, token);
    for wrong in [
        &expected[1..],
        &[&[2], &expected[1..]].concat(),
        &[0; TOKEN_LEN_BYTES + 1],
    ] {
        assert!(Token::try_from(wrong).is_err());
    }
    Ok(())
}

#[tokio::test]
async fn tokens_are_equal_in_one_field_of_one_tenant_alone() -> TestResult {
    let keys = keys(1).await?;
    let (mine, theirs) = (root(&keys, TENANT).await?, root(&keys, OTHER).await?);
    let token = |field, root: &Unlocked, value: &str| -> Result<Token, TokenError> {
        Ok(Index::new(field, root.clone())?.tokens(value)?[0])
    };
    let one = token(email(TENANT), &mine, "a@b")?;
    assert_eq!(token(email(TENANT), &mine, "A@B")?, one);
    let exact = field(Some(TENANT), "email", Normaliser::Exact);
    let phone = field(Some(TENANT), "phone", Normaliser::AsciiLower);
    for other in [
        token(email(TENANT), &mine, "a@c")?,
        token(email(OTHER), &theirs, "a@b")?,
        token(exact, &mine, "a@b")?,
        token(phone, &mine, "a@b")?,
    ] {
        assert_ne!(other.as_bytes()[17..], one.as_bytes()[17..]);
    }
    // a root of another tenant, purpose or owner makes no token of this index
    let data = keys.unlock(Owner::Tenant(TENANT), Purpose::Data).await?;
    let platform = keys.unlock(
        Owner::Platform(Uuid::from_bytes([8; 16])),
        Purpose::Platform,
    );
    let platform = platform.await?;
    for wrong in [&theirs, &data, &platform] {
        let refused = token(email(TENANT), wrong, "a@b");
        assert!(matches!(refused, Err(TokenError::OtherRoot)), "{refused:?}");
    }
    let login = field(None, "login", Normaliser::NfkcLower);
    assert_eq!(
        token(login.clone(), &platform, "Ann")?,
        token(login.clone(), &platform, "ann")?
    );
    assert!(matches!(
        token(login, &mine, "ann"),
        Err(TokenError::OtherRoot)
    ));
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_searched_for_is_refused() -> TestResult {
    let keys = keys(1).await?;
    let index = Index::new(email(TENANT), root(&keys, TENANT).await?)?;
    assert!(matches!(index.tokens(""), Err(TokenError::Empty)));
    let long = "x".repeat(VALUE_LEN_BYTES_MAX + 1);
    assert!(matches!(index.tokens(&long), Err(TokenError::TooLarge)));
    let fits = "x".repeat(VALUE_LEN_BYTES_MAX);
    assert_eq!(index.tokens(&fits)?.len(), 1);
    assert!(!format!("{index:?}").contains("a@b"));
    Ok(())
}

#[tokio::test]
async fn only_a_tenant_that_will_live_gets_an_index() -> TestResult {
    let keys = keys(1).await?;
    let stranger = TenantId::from_bytes([9; 16]);
    let refused = keys.create_index(stranger).await;
    assert!(matches!(refused, Err(KeyError::Absent)), "{refused:?}");
    let at = UtcDateTime::UNIX_EPOCH + time::Duration::days(30);
    keys.create_tenant(stranger).await?;
    keys.plan_tenant(stranger, at).await?;
    let refused = keys.create_index(stranger).await;
    assert!(
        matches!(refused, Err(KeyError::Planned { .. })),
        "{refused:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_rotation_ends_only_when_every_row_has_its_new_token() -> TestResult {
    let (old, new) = (keys(1).await?, keys(2).await?);
    let table = MemoryTable::new();
    let index = Index::new(email(TENANT), root(&old, TENANT).await?)?;
    let rows: Vec<ItemId> = (1..=5_i64).map(ItemId::from).collect();
    for row in &rows {
        index.put(&table, row, "a@b").await?;
    }
    let same = index.clone().rotating(root(&old, TENANT).await?);
    assert!(matches!(same.map(drop), Err(TokenError::OtherRoot)));
    let rotating = index.rotating(root(&new, TENANT).await?)?;
    let early = rotating.clone().rotated(&table).await;
    assert!(matches!(early.map(drop), Err(TokenError::NotBackfilled(_))));

    // row 2 is written meanwhile, and keeps what was written; row 3 is gone; row 4 has no value
    let values = async |row: &ItemId| {
        if row == &rows[1] {
            rotating.put(&table, row, "c@d").await?;
        }
        let value = (row != &rows[2]).then(|| if row == &rows[3] { "" } else { "a@b" });
        Ok(value.map(str::to_owned))
    };
    let first = rotating.backfill(&table, None, 3, values).await?;
    let ended = Some(rows[2].clone());
    assert_eq!(
        first,
        Backfilled {
            filled: 1,
            ended: ended.clone()
        }
    );
    let second = rotating.backfill(&table, ended.as_ref(), 3, values).await?;
    assert_eq!((second.filled, second.ended.as_ref()), (1, Some(&rows[4])));
    let last = rotating
        .backfill(&table, second.ended.as_ref(), 3, values)
        .await?;
    assert_eq!(last, Backfilled::default());

    let index = rotating.rotated(&table).await?;
    assert_eq!(index.versions(), [root(&new, TENANT).await?.version()]);
    assert_eq!(
        index.candidates(&table, "a@b").await?,
        [rows[0].clone(), rows[4].clone()]
    );
    assert_eq!(index.candidates(&table, "c@d").await?, [rows[1].clone()]);
    let gone = Index::new(email(TENANT), root(&old, TENANT).await?)?;
    assert!(gone.candidates(&table, "a@b").await?.is_empty());
    assert_eq!(table.lacking(index.versions()[0], None, 9).await?, []);
    Ok(())
}

#[derive(Debug, Clone)]
enum Step {
    Put(i64, String),
    Delete(i64),
    Rotate,
    Backfill(usize),
    End,
}

fn step() -> impl Strategy<Value = Step> {
    let value = || "[aAbB]{0,2}";
    prop_oneof![
        6 => (0..8_i64, value()).prop_map(|(row, value)| Step::Put(row, value)),
        2 => (0..8_i64).prop_map(Step::Delete),
        1 => Just(Step::Rotate),
        3 => (1..4_usize).prop_map(Step::Backfill),
        2 => Just(Step::End),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn a_lookup_is_a_scan(steps in proptest::collection::vec(step(), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut seed = 1;
            let table = MemoryTable::new();
            let mut rows: BTreeMap<ItemId, String> = BTreeMap::new();
            let first = root(&keys(seed).await.expect("keys"), TENANT).await.expect("a root");
            let mut index = Index::new(email(TENANT), first).expect("an index");
            let mut cursor = None;
            for step in steps {
                match step {
                    Step::Put(row, value) => {
                        let row = ItemId::from(row);
                        match index.put(&table, &row, &value).await {
                            Ok(()) => { rows.insert(row, value); }
                            Err(TokenError::Empty) => assert!(value.is_empty()),
                            Err(error) => panic!("{error}"),
                        }
                    }
                    Step::Delete(row) => {
                        let row = ItemId::from(row);
                        rows.remove(&row);
                        table.put(&row, &[]).await.expect("forgets");
                    }
                    Step::Rotate if index.versions().len() == 1 => {
                        seed += 1;
                        let next = root(&keys(seed).await.expect("keys"), TENANT).await.expect("a root");
                        index = index.rotating(next).expect("another version");
                        cursor = None;
                    }
                    Step::Rotate => {}
                    Step::Backfill(batch) => {
                        let values = async |row: &ItemId| Ok(rows.get(row).cloned());
                        let done = index.backfill(&table, cursor.as_ref(), batch, values).await;
                        cursor = done.expect("fills").ended;
                    }
                    Step::End => match index.clone().rotated(&table).await {
                        Ok(rotated) => index = rotated,
                        Err(TokenError::NotBackfilled(_)) => {}
                        Err(error) => panic!("{error}"),
                    },
                }
                for value in ["a", "B", "ab", "bb"] {
                    let scanned: Vec<_> = rows
                        .iter()
                        .filter(|(_, has)| has.eq_ignore_ascii_case(value))
                        .map(|(row, _)| row.clone())
                        .collect();
                    assert_eq!(index.candidates(&table, value).await.expect("finds"), scanned);
                }
            }
        });
    }
}
