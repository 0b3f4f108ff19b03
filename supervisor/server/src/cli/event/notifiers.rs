//! `outboard event notifiers`.

use std::io;
use std::time::SystemTime;

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;
use outboard_proto::admin::v1::ListNotifiersRequest;
use outboard_proto::admin::v1::events_client::EventsClient;
use tonic::transport::Channel;

use super::view::{Listing, Notifier};
use crate::cli::client::ClientError;
use crate::cli::output::{self, plain};

#[derive(Args, Debug)]
pub(super) struct Notifiers {
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Notifiers {
    pub(super) async fn run(self, mut client: EventsClient<Channel>) -> Result<()> {
        let response = client.list_notifiers(ListNotifiersRequest {}).await;
        let listing = Listing::from(response.map_err(ClientError::from)?.into_inner());
        if self.json {
            return Ok(output::json(&listing)?);
        }
        Ok(write(&listing)?)
    }
}

fn write(listing: &Listing) -> io::Result<()> {
    if listing.notifiers.is_empty() {
        return output::line(
            "nobody is told of events; a plugin with `notify.types` in its plugin.toml is",
        );
    }
    let now = SystemTime::now();
    let headings = ["NOTIFIER", "PLUGIN", "TYPES", "PENDING", "BYTES", "OLDEST", "DEAD"];
    let mut table = output::table(headings);
    for notifier in &listing.notifiers {
        table.add_row(row(notifier, now));
    }
    output::write_table(&table)?;
    for notifier in listing.notifiers.iter().filter(|notifier| notifier.last_error.is_some()) {
        let error = plain(notifier.last_error.as_deref().unwrap_or_default());
        output::line(&format!("\n{}, last error: {error}", plain(&notifier.instance)))?;
    }
    let (bytes, most) = (ByteSize(listing.outbox_bytes), ByteSize(listing.outbox_limit_bytes));
    output::line(&format!("\noutbox: {bytes} of {most}"))
}

fn row(notifier: &Notifier, now: SystemTime) -> [String; 7] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        plain(&notifier.instance),
        or_dash(notifier.plugin.as_deref().map(plain)),
        plain(&notifier.types.join(" ")),
        notifier.pending.to_string(),
        ByteSize(notifier.pending_bytes).to_string(),
        or_dash(notifier.oldest_time.map(|oldest| output::ago(oldest, now))),
        notifier.dead.to_string(),
    ]
}
