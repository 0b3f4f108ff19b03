//! Where this supervisor is, and what it makes of people, as plugins are told.

use outboard_core::config::{HashAlgorithm, SameSite};

/// Where this supervisor's gateway is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// First path segment of all instances, without slashes.
    pub prefix: String,
    /// Where clients reach the gateway, without a final slash.
    pub external_url: String,
    /// Lines a second that a plugin may log, in whatever way.
    pub log_rate: u32,
    pub people: People,
}

/// What it makes of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct People {
    /// The path of the log-in page, without a slash before it.
    pub login: String,
    pub admin_scope: String,
    pub profile_scope: String,
    pub cookie: Cookie,
    pub hash: HashAlgorithm,
    /// What one instance may keep, in bytes.
    pub storage_quota: u64,
}

/// The host's own cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    pub name: String,
    pub domain: Option<String>,
    pub is_secure: bool,
    pub same_site: SameSite,
}

impl Site {
    pub fn base_path(&self, instance: &str) -> String {
        format!("/{}/{instance}/", self.prefix)
    }

    /// Where clients reach an instance, with a slash at the end.
    pub fn external_url(&self, instance: &str) -> String {
        format!("{}{}", self.external_url, self.base_path(instance))
    }

    /// The log-in page, without a query.
    pub fn login_url(&self) -> String {
        format!("{}/{}", self.external_url, self.people.login)
    }
}
