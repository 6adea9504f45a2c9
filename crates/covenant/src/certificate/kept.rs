//! Certificates as the control database keeps them: the newest of each order, for as long as the
//! deployment lives, since nobody waits for what a sweep removes.

use covenant_core::{OrderId, TenantId};
use sql_store::{Args, Db, DbError, Mode};
use time::UtcDateTime;

use crate::control;

/// How far what a certificate tells of is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "something is left to do, or nothing"
)]
pub enum Progress {
    /// A store is not done yet: another certificate follows.
    Pending,
    /// Every store that was expected is done and verified.
    Complete,
}

/// A certificate of disposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The order.
    pub order: OrderId,
    /// When it was issued.
    pub issued: UtcDateTime,
    /// How far the order is.
    pub progress: Progress,
    /// The statement of kind `disposal`, signed as a note under
    /// [`crate::Covenant::certificate_key`].
    pub note: String,
}

/// Keeps a certificate in the place of an earlier one of the same order; a complete one stays.
pub(crate) async fn keep(
    control: &Db,
    tenant: TenantId,
    certificate: &Certificate,
) -> Result<(), DbError> {
    let Certificate {
        order,
        issued,
        progress,
        note,
    } = certificate;
    let complete = match progress {
        Progress::Pending => 0_i64,
        Progress::Complete => 1,
    };
    let args = Args::new().bind(tenant).bind(*order).bind(*issued);
    let args = args.bind(complete).bind(note.as_str());
    let mut tx = control::begin(control, Mode::ReadWrite).await?;
    tx.execute(include_str!("../../sql/put_certificate.sql"), args)
        .await?;
    tx.commit().await
}

/// The tenant's certificates, oldest first.
pub(crate) async fn of(control: &Db, tenant: TenantId) -> Result<Vec<Certificate>, DbError> {
    let mut tx = control::begin(control, Mode::ReadOnly).await?;
    let sql = include_str!("../../sql/list_certificates.sql");
    let rows = tx.rows(sql, Args::new().bind(tenant)).await?;
    let read = |row: &sql_store::Row| {
        Ok(Certificate {
            order: row.id("disposal")?,
            issued: row.instant("issued")?,
            progress: if row.int("complete")? > 0 {
                Progress::Complete
            } else {
                Progress::Pending
            },
            note: row.text("note")?.to_owned(),
        })
    };
    rows.iter().map(read).collect()
}
