//! Who there is, for the plugin mock, and how a client says who it is.

use std::fs;

use anyhow::Result;
use e2e::supervisor::stage::Stage;

/// In the group that the proxies ask for.
pub(crate) const ANN: Claim = Claim("ann@example.org", "ann-token");
/// In other groups.
pub(crate) const BOB: Claim = Claim("bob@example.org", "bob-token");
/// Not active any more.
pub(crate) const CARL: Claim = Claim("carl@example.org", "carl-token");

/// The auth plugin says that this is Ann.
pub(crate) const DORA: Claim = Claim("dora@example.org", "dora-token");
/// The auth plugin says that this is somebody without an e-mail.
pub(crate) const EMIL: Claim = Claim("emil@example.org", "emil-token");

/// As parameters of an instance: what stands behind its `[[instance]]`.
pub(crate) const PEOPLE: &str = r#"
[instance.parameters.auth.users."ann@example.org"]
name = "Ann Ä."
token = "ann-token"
active = true
groups = ["ops", "x, y"]
[instance.parameters.auth.users."bob@example.org"]
token = "bob-token"
active = true
groups = ["sales"]
[instance.parameters.auth.users."carl@example.org"]
token = "carl-token"
active = false
groups = ["ops"]
[instance.parameters.auth.users."dora@example.org"]
token = "dora-token"
groups = ["ops"]
answer = "ann@example.org"
[instance.parameters.auth.users."emil@example.org"]
token = "emil-token"
groups = ["ops"]
answer = ""
"#;

/// What a client says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim(pub(crate) &'static str, pub(crate) &'static str);

impl Claim {
    /// As header lines, under Proctor's names.
    pub(crate) fn headers(self) -> String {
        format!("Email-Id: {}\r\nAccess-Token: {}\r\n", self.0, self.1)
    }

    pub(crate) fn with_token(self, token: &'static str) -> Self {
        Self(self.0, token)
    }
}

/// A stage with mock as auth plugin and notifier, and those people in it. `more` is configuration before the
/// instance, `parameters` more of the instance's.
pub(crate) fn stage(more: &str, parameters: &str) -> Result<Stage> {
    let stage = Stage::new()?;
    install_mock(&stage)?;
    // Answers that were kept would hide what becomes of a plugin.
    let text = format!(
        "[auth]\ncache_ttl = \"0s\"\n{more}\n[[instance]]\nplugin = \"mock\"\nname = \"people\"\n\
         {parameters}\n{PEOPLE}"
    );
    stage.configure(&text)?;
    Ok(stage)
}

/// With the manifest by which it authenticates and is told of events.
pub(crate) fn install_mock(stage: &Stage) -> Result<()> {
    stage.install("mock")?;
    fs::rename(stage.plugin("mock/roles.toml"), stage.plugin("mock/plugin.toml"))?;
    Ok(())
}
