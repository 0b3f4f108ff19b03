//! `outboard event dead`.

use std::io;

use anyhow::Result;
use clap::Args;
use outboard_proto::admin::v1::ListDeadRequest;
use outboard_proto::admin::v1::events_client::EventsClient;
use tonic::transport::Channel;

use super::view::DeadLetter;
use crate::cli::client::ClientError;
use crate::cli::output::{self, plain};

/// In one answer of the supervisor's.
const PAGE: u32 = 1000;

#[derive(Args, Debug)]
pub(super) struct Dead {
    /// Only those of this notifier
    #[arg(long, value_name = "INSTANCE")]
    notifier: Option<String>,
    /// How many at most, oldest first
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 100)]
    limit: u32,
    /// Write each as JSON, on a line of its own
    #[arg(long)]
    json: bool,
}

impl Dead {
    pub(super) async fn run(self, mut client: EventsClient<Channel>) -> Result<()> {
        let headings = ["DELIVERY", "NOTIFIER", "TYPE", "ID", "ATTEMPTS", "SINCE", "ERROR"];
        let mut table = output::table(headings);
        let (mut left, mut after) = (self.limit, 0);
        while left > 0 {
            let instance = self.notifier.clone().unwrap_or_default();
            let request = ListDeadRequest { instance, limit: left.min(PAGE), after };
            let response = client.list_dead(request).await.map_err(ClientError::from)?;
            let letters = response.into_inner().letters;
            let Some(last) = letters.last() else { break };
            after = last.position;
            left = left.saturating_sub(u32::try_from(letters.len()).unwrap_or(u32::MAX));
            for letter in letters.into_iter().map(DeadLetter::from) {
                if self.json {
                    output::json(&letter)?;
                } else {
                    table.add_row(row(&letter));
                }
            }
        }
        if self.json { Ok(()) } else { Ok(write(&table)?) }
    }
}

fn write(table: &comfy_table::Table) -> io::Result<()> {
    if table.is_empty() {
        return output::line("no dead letters");
    }
    output::write_table(table)
}

fn row(letter: &DeadLetter) -> [String; 7] {
    let or_dash = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), plain);
    let of_event = |name: &str| or_dash(letter.event[name].as_str());
    let delivery = &letter.delivery;
    [
        plain(&delivery.id),
        plain(&delivery.instance),
        of_event("type"),
        of_event("id"),
        delivery.attempts.to_string(),
        or_dash(delivery.updated.as_deref()),
        or_dash(delivery.error.as_deref()),
    ]
}
