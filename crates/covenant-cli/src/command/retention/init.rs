//! `covenant retention init`: the ledger, and the tables of holds and orders beside the rows. The
//! views that say what the rows are come from the integrator.

use covenant_core::TenantId;
use serde_json::json;

use super::store::{Needs, StorePlace};
use crate::command::key_place::{Begin, waited};
use crate::output::{Failure, GOOD, Report, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    #[command(flatten)]
    place: StorePlace,
    /// The tenant whose rows are looked at.
    #[arg(long, value_name = "UUID")]
    tenant: TenantId,
}

impl Init {
    pub(crate) fn run(self) -> Result<Report, Failure> {
        waited(self.answer())
    }

    async fn answer(self) -> Result<Report, Failure> {
        // whatever the views lack is told before a ledger is made
        let seen = self.place.open_rows().await?.seen(self.tenant).await?;
        let opened = self.place.open(Needs::Rows, Begin::Create).await?;
        opened.catch_up(self.tenant).await?;
        let items = seen.items.as_slice().len();
        let ledger = opened.ledger.is_some();
        let mut text = Table::default();
        text.row("items", &items.to_string());
        text.row(
            "ledger",
            if ledger {
                "made"
            } else {
                "none: name one by --ledger"
            },
        );
        Ok(Report {
            code: GOOD,
            text,
            json: json!({ "items": items, "ledger": ledger, "exit": GOOD }),
        })
    }
}
