//! A SQLite file in a temporary folder.

use std::error::Error;
use std::path::Path;

use sql_store::{Db, Durability, SqliteOptions, SqliteProfile};

use super::clock::clock;

/// A new SQLite file.
pub(crate) async fn create(folder: &Path, profile: SqliteProfile) -> Result<Db, Box<dyn Error>> {
    let options = SqliteOptions::new(folder.join("main.db"), profile).durability(Durability::Off);
    Ok(Db::create_sqlite(options, clock()).await?)
}
