//! `outboard.host.v1.Host`: where a plugin stands, what the host makes of people, and one more way in.

use std::net::IpAddr;
use std::sync::Arc;

use outboard_core::config::{HashAlgorithm, SameSite};
use outboard_core::identity::login_url::{LoginUrl, is_name};
use outboard_core::name::InstanceName;
use outboard_proto::host::v1 as wire;
use outboard_proto::host::v1::host_server::Host;
use tonic::{Request, Response, Status};

use super::{Caller, Cookie, People, Room, digest};
use crate::locate::Place;
use crate::{task, version};

/// What tonic takes by default.
const MAX_REQUEST: u64 = 4 << 20;

/// Of a log-in page.
const MOST_PARAMETERS: usize = 100;

/// What browsers and proxies still take, if not all of them.
const LONGEST_URL: usize = 64 << 10;

#[tonic::async_trait]
impl Host for Caller {
    async fn announce(
        &self,
        _: Request<wire::AnnounceRequest>,
    ) -> Result<Response<wire::AnnounceResponse>, Status> {
        let id = announce(&self.0).await?;
        Ok(Response::new(wire::AnnounceResponse { broker_id: id }))
    }

    async fn info(
        &self,
        request: Request<wire::InfoRequest>,
    ) -> Result<Response<wire::InfoResponse>, Status> {
        let instance = self.identify(&request)?.instance;
        Ok(Response::new(wire::InfoResponse {
            host_version: version().to_owned(),
            plugin: self.0.plugin().to_owned(),
            generation: self.0.generation(),
            base_path: self.0.site.base_path(&instance),
            external_url: self.0.site.external_url(&instance),
            instance,
        }))
    }

    async fn config(
        &self,
        request: Request<wire::ConfigRequest>,
    ) -> Result<Response<wire::ConfigResponse>, Status> {
        self.identify(&request)?;
        let site = &self.0.site;
        let People { admin_scope, profile_scope, cookie, hash, storage_quota, .. } =
            site.people.clone();
        Ok(Response::new(wire::ConfigResponse {
            external_url: site.external_url.clone(),
            prefix: site.prefix.clone(),
            login_url: site.login_url(),
            admin_scope,
            profile_scope,
            session_cookie: Some(session_cookie(cookie)),
            hash_algorithm: word(hash).to_owned(),
            max_request_bytes: MAX_REQUEST,
            storage_quota_bytes: storage_quota,
        }))
    }

    async fn external_url(
        &self,
        request: Request<wire::ExternalUrlRequest>,
    ) -> Result<Response<wire::ExternalUrlResponse>, Status> {
        let own = self.identify(&request)?.instance;
        let named = request.into_inner().instance;
        let instance = if named.is_empty() { own } else { named };
        InstanceName::new(&instance)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let url = self.0.site.external_url(&instance);
        Ok(Response::new(wire::ExternalUrlResponse { url: url.trim_end_matches('/').to_owned() }))
    }

    async fn login_url(
        &self,
        request: Request<wire::LoginUrlRequest>,
    ) -> Result<Response<wire::LoginUrlResponse>, Status> {
        self.identify(&request)?;
        let url = login_url(request.get_ref(), &self.0.site.login_url())?;
        Ok(Response::new(wire::LoginUrlResponse { url }))
    }

    async fn hash(
        &self,
        request: Request<wire::HashRequest>,
    ) -> Result<Response<wire::HashResponse>, Status> {
        self.identify(&request)?;
        let hash = digest::hash(self.0.site.people.hash, &request.get_ref().data);
        Ok(Response::new(wire::HashResponse { hash }))
    }

    async fn locate(
        &self,
        request: Request<wire::LocateRequest>,
    ) -> Result<Response<wire::LocateResponse>, Status> {
        self.identify(&request)?;
        let address = &request.get_ref().address;
        let address = address.parse::<IpAddr>().map_err(|_| {
            let shown: String = address.chars().take(64).collect();
            Status::invalid_argument(format!(
                "{shown:?} is not an IP address; send one without a port"
            ))
        })?;
        let Place { text, country_code } = self.0.services.locator.place(address);
        Ok(Response::new(wire::LocateResponse { place: text, country_code }))
    }
}

fn login_url(request: &wire::LoginUrlRequest, page: &str) -> Result<String, Status> {
    let parameters: Vec<_> = request
        .parameters
        .iter()
        .map(|parameter| (parameter.name.as_str(), parameter.value.as_deref()))
        .collect();
    if parameters.len() > MOST_PARAMETERS {
        return Err(Status::resource_exhausted(format!(
            "{} parameters, more than {MOST_PARAMETERS}; leave some out",
            parameters.len()
        )));
    }
    if let Some((name, _)) = parameters.iter().find(|(name, _)| !is_name(name)) {
        let shown: String = name.chars().take(64).collect();
        return Err(Status::invalid_argument(format!(
            "{shown:?} is no name of a parameter; use 1 to 64 letters, digits, \"-\", \"_\" and \".\""
        )));
    }
    let url = LoginUrl {
        client_id: request.client_id.as_deref(),
        scope: request.scope.as_deref(),
        callback_url: request.callback_url.as_deref(),
        parameters: &parameters,
    };
    let url = url.text(page);
    if url.len() > LONGEST_URL {
        return Err(Status::out_of_range(format!(
            "the URL would have {} bytes, more than {LONGEST_URL}; browsers and proxies would refuse it",
            url.len()
        )));
    }
    Ok(url)
}

fn session_cookie(cookie: Cookie) -> wire::SessionCookie {
    let same_site = match cookie.same_site {
        SameSite::Lax => "Lax",
        SameSite::Strict => "Strict",
        SameSite::None => "None",
    };
    wire::SessionCookie {
        name: cookie.name,
        domain: cookie.domain.unwrap_or_default(),
        secure: cookie.is_secure,
        same_site: same_site.to_owned(),
    }
}

fn word(algorithm: HashAlgorithm) -> &'static str {
    match algorithm {
        HashAlgorithm::Sha1 => "SHA1",
        HashAlgorithm::Sha256 => "SHA256",
        HashAlgorithm::Sha512 => "SHA512",
    }
}

/// Offers the host's services under a new broker id, good for one dial.
pub async fn announce(room: &Arc<Room>) -> Result<u32, Status> {
    let broker = room.broker().ok_or_else(|| {
        Status::failed_precondition("the process is not connected yet; call again after Load")
    })?;
    if !room.may_announce() {
        return Err(Status::resource_exhausted(
            "announced too often to this process; keep a connection instead of dialling anew",
        ));
    }
    let id = broker.next_id();
    let refused = |error| Status::failed_precondition(format!("the broker: {error}"));
    let incoming = broker.accept(id).await.map_err(refused)?;
    task::spawn("host services over the broker", super::serve(room.clone(), incoming)).detach();
    Ok(id)
}
