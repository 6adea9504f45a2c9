//! An empty schema of the PostgreSQL server that the environment names.

use std::error::Error;

use covenant_core::{Random, RandomError};
use sql_store::{PgConnection, PostgresOptions, Transport};

/// Random bytes out of the standard library's own seeds; enough for a nonce in a test.
#[derive(Debug)]
pub(crate) struct TestRandom;

impl Random for TestRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        use std::hash::{BuildHasher as _, RandomState};
        for byte in bytes {
            *byte = RandomState::new().hash_one(0_u8).to_be_bytes()[0];
        }
        Ok(())
    }
}

/// The server's URL; `None`, with a note, when there is none and none is required.
pub(crate) fn server() -> Option<String> {
    covenant_core::testing::provided("COVENANT_TEST_POSTGRES").unwrap()
}

/// Options for an empty schema of this name; `None` as [`server`].
pub(crate) async fn schema(name: &'static str) -> Result<Option<PostgresOptions>, Box<dyn Error>> {
    let Some(url) = server() else { return Ok(None) };
    let mut admin = <PgConnection as sqlx::Connection>::connect(&url).await?;
    let sql = format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}");
    sqlx::Executor::execute(&mut admin, sqlx::AssertSqlSafe(sql)).await?;
    Ok(Some(PostgresOptions::new(&url, name, Transport::Local)?))
}
