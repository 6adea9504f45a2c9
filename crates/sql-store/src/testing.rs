//! What every database behind [`crate::Db`] must do, as functions that a test calls.

pub mod cancel;
pub mod suite;

/// Does what SQL of others may do to a connection that it was lent: deleted bytes then stay.
///
/// # Errors
/// As the database answers.
#[cfg(feature = "sqlite")]
pub async fn switch_secure_delete_off(
    connection: &mut crate::SqliteConnection,
) -> Result<(), crate::DbError> {
    crate::sqlite::switch_secure_delete_off(connection).await
}
