//! `outboard plugin logs`.

use anyhow::Result;
use clap::Args;
use outboard_proto::admin::v1::LogsRequest;
use outboard_proto::admin::v1::plugins_client::PluginsClient;
use tonic::transport::Channel;

use super::view::LogLine;
use crate::cli::client::ClientError;
use crate::cli::output::{self, plain};

#[derive(Args, Debug)]
pub(super) struct Logs {
    /// The plugin's name, as `outboard plugin list` shows it
    name: String,
    /// How many old lines to begin with; the supervisor keeps the newest 1000
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 100)]
    tail: u32,
    /// Go on with new lines until interrupted
    #[arg(long, short)]
    follow: bool,
    /// Write each line as JSON
    #[arg(long)]
    json: bool,
}

impl Logs {
    pub(super) async fn run(self, mut client: PluginsClient<Channel>) -> Result<()> {
        let request = LogsRequest { name: self.name, tail: self.tail, follow: self.follow };
        let mut lines = client.logs(request).await.map_err(ClientError::from)?.into_inner();
        while let Some(line) = lines.message().await.map_err(ClientError::from)? {
            let line = LogLine::from(line);
            if self.json {
                output::json(&line)?;
            } else {
                output::line(&text(&line))?;
            }
        }
        Ok(())
    }
}

fn text(line: &LogLine) -> String {
    let mut text =
        format!("{} {:5} {}", line.time, line.level.to_uppercase(), plain(&line.message));
    for (key, value) in &line.fields {
        text.push(' ');
        text.push_str(&plain(&format!("{key}={value:?}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_with_its_fields_behind() {
        let fields = [("b", "two words"), ("a", "1\n2")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let line = LogLine {
            time: "2026-01-02T03:04:05.006Z".to_owned(),
            level: "info".to_owned(),
            message: "sent\x07".to_owned(),
            fields: fields.into(),
        };
        assert_eq!(
            text(&line),
            "2026-01-02T03:04:05.006Z INFO  sent\\u{7} a=\"1\\n2\" b=\"two words\""
        );
    }
}
