//! `outboard event replay|drop`.

use anyhow::Result;
use clap::Args;
use outboard_proto::admin::v1::events_client::EventsClient;
use outboard_proto::admin::v1::{self as admin, DropRequest, ReplayRequest};
use tonic::transport::Channel;

use super::view::Count;
use crate::cli::client::ClientError;
use crate::cli::output;

#[derive(Args, Debug)]
#[group(id = "which", required = true, multiple = true, args = ["deliveries", "notifier"])]
pub(super) struct Selection {
    /// Deliveries, by the ids that `outboard event dead` shows; none: all of the notifier
    #[arg(value_name = "DELIVERY")]
    deliveries: Vec<String>,
    /// Those of this notifier
    #[arg(long, value_name = "INSTANCE")]
    notifier: Option<String>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Selection {
    pub(super) async fn replay(self, mut client: EventsClient<Channel>) -> Result<()> {
        let request = ReplayRequest { selection: Some(self.wire()) };
        let response = client.replay(request).await.map_err(ClientError::from)?;
        self.write(response.into_inner().count, "delivered once more")
    }

    pub(super) async fn drop(self, mut client: EventsClient<Channel>) -> Result<()> {
        let request = DropRequest { selection: Some(self.wire()) };
        let response = client.drop(request).await.map_err(ClientError::from)?;
        self.write(response.into_inner().count, "forgotten")
    }

    fn wire(&self) -> admin::Selection {
        admin::Selection {
            delivery_ids: self.deliveries.clone(),
            instance: self.notifier.clone().unwrap_or_default(),
        }
    }

    fn write(&self, count: u64, what: &str) -> Result<()> {
        if self.json {
            return Ok(output::json(&Count { count })?);
        }
        let letters =
            if count == 1 { "1 dead letter is" } else { &format!("{count} dead letters are") };
        Ok(output::line(&format!("{letters} {what}"))?)
    }
}
