//! A plugin, as `outboard plugin list --json` shows it.

use anyhow::{Context, Result};
use serde_json::Value;

/// Its JSON. What is missing reads as empty: the test then says what it has instead.
#[derive(Debug, Clone)]
pub struct Plugin(pub Value);

impl Plugin {
    pub fn state(&self) -> &str {
        self.text("state")
    }

    pub fn error(&self) -> &str {
        self.text("error")
    }

    pub fn hash(&self) -> &str {
        self.text("hash")
    }

    pub fn generation(&self) -> u64 {
        self.0["generation"].as_u64().unwrap_or_default()
    }

    /// Fails if there is no process.
    pub fn pid(&self) -> Result<i32> {
        let pid = self.0["pid"].as_i64().with_context(|| format!("no process: {self:?}"))?;
        Ok(i32::try_from(pid)?)
    }

    pub fn is_foreign(&self) -> bool {
        self.0["foreign"] == true
    }

    pub fn instance(&self, name: &str) -> Option<&Value> {
        self.0["instances"].as_array()?.iter().find(|instance| instance["name"] == name)
    }

    pub fn activation(&self, instance: &str) -> Option<&str> {
        self.instance(instance)?["activation"].as_str()
    }

    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_default()
    }
}
