//! A service that asks Outboard itself, over the service socket.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::PathBuf,
};

use anyhow::{Context as _, Result, ensure};
use e2e::supervisor::{
    LIMIT,
    http::{self, Reply},
    stage::Stage,
};
use serde_json::{Value, json};

use crate::people::Claim;

/// The socket of a running supervisor.
pub(crate) struct Service(pub(crate) PathBuf);

impl Service {
    pub(crate) fn of(stage: &Stage) -> Self {
        Self(stage.runtime().join("service.sock"))
    }

    pub(crate) fn exchange(&self, request: &str) -> Result<Reply> {
        let mut stream = UnixStream::connect(&self.0)
            .with_context(|| format!("cannot connect to {}", self.0.display()))?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(request.as_bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Reply::parse(&bytes)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Reply> {
        let kind = "content-type: application/json\r\n";
        self.exchange(&http::request("POST", path, kind, &body.to_string()))
    }

    pub(crate) fn authenticate(&self, Claim(email, token): Claim) -> Result<Reply> {
        self.post("/v1/authenticate", &json!({ "email": email, "token": token }))
    }

    /// Whether somebody who is let in at all may do what takes these groups.
    pub(crate) fn authorize(&self, Claim(email, token): Claim, groups: &[&str]) -> Result<bool> {
        let body = json!({ "email": email, "token": token, "required_groups": groups });
        let reply = self.post("/v1/authorize", &body)?;
        ensure!(reply.status == 200, "{reply:?}");
        reply.json()?["allowed"].as_bool().context("no \"allowed\"")
    }

    /// As a proxy asks.
    pub(crate) fn forward_auth(&self, query: &str, headers: &str) -> Result<Reply> {
        self.exchange(&http::request("GET", &format!("/v1/forward-auth{query}"), headers, ""))
    }
}
