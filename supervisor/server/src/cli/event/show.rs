//! `outboard event show`.

use std::io;

use anyhow::Result;
use clap::Args;
use outboard_proto::admin::v1::ShowRequest;
use outboard_proto::admin::v1::events_client::EventsClient;
use tonic::transport::Channel;

use super::view::{Delivery, Shown};
use crate::cli::client::ClientError;
use crate::cli::output::{self, plain};

#[derive(Args, Debug)]
pub(super) struct Show {
    /// The event's id
    id: String,
    /// Its source; default: the newest event of this id, whatever its source
    #[arg(long, value_name = "URI")]
    source: Option<String>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) async fn run(self, mut client: EventsClient<Channel>) -> Result<()> {
        let request = ShowRequest { id: self.id, source: self.source.unwrap_or_default() };
        let response = client.show(request).await.map_err(ClientError::from)?;
        let shown = Shown::from(response.into_inner());
        if self.json {
            return Ok(output::json(&shown)?);
        }
        Ok(write(&shown)?)
    }
}

fn write(shown: &Shown) -> io::Result<()> {
    output::line(&plain(&serde_json::to_string(&shown.event)?))?;
    if let Some(accepted) = &shown.accepted {
        output::line(&format!("accepted: {accepted}"))?;
    }
    output::line("")?;
    if shown.deliveries.is_empty() {
        return output::line("nobody was to be told of it");
    }
    let mut table = output::table(["NOTIFIER", "STATE", "ATTEMPTS", "SINCE", "DELIVERY", "ERROR"]);
    for delivery in &shown.deliveries {
        table.add_row(row(delivery));
    }
    output::write_table(&table)
}

fn row(delivery: &Delivery) -> [String; 6] {
    let or_dash = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), plain);
    let replayed = if delivery.replayed { ", replayed" } else { "" };
    [
        plain(&delivery.instance),
        format!("{}{replayed}", delivery.state),
        delivery.attempts.to_string(),
        or_dash(delivery.updated.as_deref()),
        plain(&delivery.id),
        or_dash(delivery.error.as_deref()),
    ]
}
