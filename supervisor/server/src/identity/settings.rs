//! What the operator decides about people.

use std::time::Duration;

/// As the configuration says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whoever satisfies it may do anything by the API.
    pub admin_scope: String,
    /// What users need for their own profile.
    pub profile_scope: String,
    /// The user who is made at the first start.
    pub admin_name: String,
    /// Wrong passwords a minute, for one name.
    pub attempts: u32,
    /// Wrong passwords a minute, from one address.
    pub attempts_address: u32,
    /// For one call of a plugin that keeps users or clients.
    pub backend_timeout: Duration,
    /// For one call of a scheme.
    pub scheme_timeout: Duration,
    /// For telling one instance that a user is gone.
    pub call_timeout: Duration,
    /// Fewest characters of a new password.
    pub least_password: usize,
    pub cost: Cost,
    pub session_expires: Duration,
    /// Whether several users may be signed in in one session.
    pub session_multiple: bool,
    /// Where clients reach the gateway, without a final slash.
    pub external_url: String,
}

/// What a new password's hash costs (Argon2id).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub iterations: u32,
    pub parallelism: u32,
}

impl Default for Cost {
    /// What OWASP asks for.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, iterations: 2, parallelism: 1 }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            admin_scope: "g_admin".into(),
            profile_scope: "g_profile".into(),
            admin_name: "admin".into(),
            attempts: 10,
            attempts_address: 60,
            backend_timeout: Duration::from_secs(5),
            scheme_timeout: Duration::from_secs(10),
            call_timeout: Duration::from_secs(10),
            least_password: 8,
            cost: Cost::default(),
            session_expires: Duration::from_hours(4 * 7 * 24),
            session_multiple: true,
            external_url: "http://localhost".into(),
        }
    }
}
