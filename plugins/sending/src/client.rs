//! Posts to a target. Each request has a bound in time, what comes back one in size, and no redirect is followed: it
//! would send what is meant for one receiver to another.

use std::error::Error as _;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use outboard_sdk::{HeaderMap, NotifyError, Problems, header};
use reqwest::redirect::Policy;
use reqwest::{Certificate, ClientBuilder, Response};

use crate::answer::{Answer, retry_after};
use crate::target::Target;

/// More of an answer than this is not read.
const MOST_READ: usize = 4096;

/// How to send.
pub struct Settings {
    /// Whose program this is, in `User-Agent`.
    pub agent: &'static str,
    /// For one request, from the connection to the end of the answer.
    pub timeout: Duration,
    /// A PEM file with authorities to trust besides the system's.
    pub ca: Option<PathBuf>,
}

/// Connections to receivers.
#[derive(Clone)]
pub struct Client(reqwest::Client);

impl Client {
    /// Judges the settings, too: nothing is sent yet.
    ///
    /// # Errors
    ///
    /// If `ca` can't be used, or the system has no authorities.
    pub fn new(settings: &Settings) -> Result<Self, Problems> {
        let mut builder = ClientBuilder::new()
            .redirect(Policy::none())
            .timeout(settings.timeout)
            .user_agent(settings.agent);
        if let Some(ca) = &settings.ca {
            builder = builder.tls_certs_merge(certificates(ca)?);
        }
        let client = builder.build().map_err(|error| {
            let mut problems = Problems::default();
            problems.add("", format!("TLS can't be set up: {}", causes(&error)));
            problems
        })?;
        Ok(Self(client))
    }

    /// Posts a body once, and gives the answer.
    ///
    /// # Errors
    ///
    /// If there is none; it is worth to try again.
    pub async fn post(
        &self,
        target: &Target,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, NotifyError> {
        let request = self.0.post(target.url().clone()).headers(headers).body(body);
        let failed = |error: reqwest::Error| unanswered(target, &error);
        let response = request.send().await.map_err(failed)?;
        answer(target, response).await.map_err(failed)
    }
}

async fn answer(target: &Target, mut response: Response) -> Result<Answer, reqwest::Error> {
    let status = response.status();
    let retry_after = retry_after(response.headers(), SystemTime::now());
    let media_type = response.headers().get(header::CONTENT_TYPE);
    let is_page = media_type.is_some_and(|it| it.as_bytes().starts_with(b"text/html"));
    let mut body = Vec::new();
    while body.len() < MOST_READ {
        // What was received counts, even if the end of the body never comes.
        let Ok(Some(piece)) = response.chunk().await else { break };
        body.extend_from_slice(&piece);
    }
    body.truncate(MOST_READ);
    let text = target.redact(&String::from_utf8_lossy(&body));
    Ok(Answer { status, retry_after, is_page, text })
}

fn unanswered(target: &Target, error: &reqwest::Error) -> NotifyError {
    let what = if error.is_timeout() {
        "the receiver did not answer in time"
    } else if error.is_connect() {
        "the receiver can't be reached"
    } else {
        "the receiver did not answer"
    };
    NotifyError::retry(target.redact(&format!("{what}: {}", causes(error))))
}

/// What lies behind an error; its own words would show the URL.
fn causes(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.dedup();
    if causes.is_empty() { "no reason is known".to_owned() } else { causes.join(": ") }
}

fn certificates(ca: &PathBuf) -> Result<Vec<Certificate>, Problems> {
    let problem = |message: String| {
        let mut problems = Problems::default();
        problems.add("/ca", message);
        problems
    };
    let pem = fs::read(ca).map_err(|error| problem(format!("can't be read: {error}")))?;
    let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
    if certificates.is_empty() {
        return Err(problem("holds no certificate in PEM".to_owned()));
    }
    Ok(certificates)
}
