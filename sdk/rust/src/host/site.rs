//! Where the host is, and what it makes of people.

use std::net::IpAddr;

use outboard_proto::host::v1;
use outboard_proto::host::v1::host_client::HostClient;

use super::{Host, HostError};

/// What the operator has configured of the host. It stays as it is while the activation lives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostConfig {
    /// Where clients reach the host, without a slash at the end.
    pub external_url: String,
    /// The first segment of all paths of instances, such as `api`.
    pub prefix: String,
    /// The log-in page, without a query.
    pub login_url: String,
    /// The scope of administrators.
    pub admin_scope: String,
    /// The scope of those who see their own profile.
    pub profile_scope: String,
    /// The host's own cookie.
    pub session_cookie: SessionCookie,
    /// How [`Host::hash`] hashes: `SHA1`, `SHA256` or `SHA512`.
    pub hash_algorithm: String,
    /// The most bytes of one request to the host.
    pub max_request_bytes: u64,
    /// The most bytes that this instance may keep in the host's storage.
    pub storage_quota_bytes: u64,
}

/// How the host sets its own cookie, which plugins neither see nor set. One that sets cookies for the same people does
/// well to set them alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionCookie {
    /// Its name.
    pub name: String,
    /// `None`: only the host that set it gets it.
    pub domain: Option<String>,
    /// Whether browsers send it over HTTPS only.
    pub secure: bool,
    /// `Lax`, `Strict` or `None`.
    pub same_site: String,
}

/// What the log-in page is to know: see [`Host::login_url`]. What is not said is left out of the URL.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoginUrl(v1::LoginUrlRequest);

/// Where an IP address is, as far as that is known. What is not known is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// The city and the country, for people.
    pub place: String,
    /// As in ISO 3166-1, such as `CH`.
    pub country_code: String,
}

impl LoginUrl {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The client that somebody logs in for.
    #[must_use]
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.0.client_id = Some(client_id.into());
        self
    }

    /// The scopes that it wants, with blanks between them.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.0.scope = Some(scope.into());
        self
    }

    /// Where the browser goes afterwards. The page follows it only to an enabled instance of this host, or to a redirect
    /// URI of the client.
    #[must_use]
    pub fn callback_url(mut self, callback_url: impl Into<String>) -> Self {
        self.0.callback_url = Some(callback_url.into());
        self
    }

    /// One more parameter, such as `prompt`. Names have 1 to 64 letters, digits, `-`, `_` and `.`.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let value = Some(value.into());
        self.0.parameters.push(v1::LoginParameter { name: name.into(), value });
        self
    }

    /// One more parameter that stands alone, such as `refresh_login`.
    #[must_use]
    pub fn flag(mut self, name: impl Into<String>) -> Self {
        self.0.parameters.push(v1::LoginParameter { name: name.into(), value: None });
        self
    }
}

impl Host {
    /// Tells what the operator has configured: where people log in, what the host's cookie is like, what it bounds.
    ///
    /// # Errors
    ///
    /// When the host is unreachable or the activation is closed.
    pub async fn config(&self) -> Result<HostConfig, HostError> {
        let config =
            HostClient::new(self.channel()?).config(v1::ConfigRequest {}).await?.into_inner();
        let cookie = config.session_cookie.unwrap_or_default();
        Ok(HostConfig {
            external_url: config.external_url,
            prefix: config.prefix,
            login_url: config.login_url,
            admin_scope: config.admin_scope,
            profile_scope: config.profile_scope,
            session_cookie: SessionCookie {
                name: cookie.name,
                domain: Some(cookie.domain).filter(|domain| !domain.is_empty()),
                secure: cookie.secure,
                same_site: cookie.same_site,
            },
            hash_algorithm: config.hash_algorithm,
            max_request_bytes: config.max_request_bytes,
            storage_quota_bytes: config.storage_quota_bytes,
        })
    }

    /// Tells where clients reach this instance, without a slash at the end.
    ///
    /// # Errors
    ///
    /// When the host is unreachable or the activation is closed.
    pub async fn external_url(&self) -> Result<String, HostError> {
        self.external_url_of("").await
    }

    /// Tells where clients reach an instance, which need not exist, without a slash at the end.
    ///
    /// # Errors
    ///
    /// [`HostErrorKind::Invalid`](super::HostErrorKind::Invalid) if that is no name of an instance.
    pub async fn external_url_of(&self, instance: &str) -> Result<String, HostError> {
        let request = v1::ExternalUrlRequest { instance: instance.to_owned() };
        Ok(HostClient::new(self.channel()?).external_url(request).await?.into_inner().url)
    }

    /// Makes the URL to send a browser to whose user is to log in.
    ///
    /// # Errors
    ///
    /// [`HostErrorKind::Invalid`](super::HostErrorKind::Invalid) for a parameter that can't have its name.
    pub async fn login_url(&self, login: LoginUrl) -> Result<String, HostError> {
        Ok(HostClient::new(self.channel()?).login_url(login.0).await?.into_inner().url)
    }

    /// Hashes a secret that is to be looked up by its hash, such as a code or a token: `{SHA256}` and the digest in
    /// Base64, or as the operator wants it. Not for passwords, which take a salt and much time.
    ///
    /// # Errors
    ///
    /// When the host is unreachable or the activation is closed.
    pub async fn hash(&self, data: impl Into<bytes::Bytes>) -> Result<String, HostError> {
        let request = v1::HashRequest { data: data.into() };
        Ok(HostClient::new(self.channel()?).hash(request).await?.into_inner().hash)
    }

    /// Tells where an IP address is, as far as the operator has a database of that.
    ///
    /// # Errors
    ///
    /// When the host is unreachable or the activation is closed.
    pub async fn locate(&self, address: IpAddr) -> Result<Location, HostError> {
        let request = v1::LocateRequest { address: address.to_string() };
        let found = HostClient::new(self.channel()?).locate(request).await?.into_inner();
        Ok(Location { place: found.place, country_code: found.country_code })
    }
}
