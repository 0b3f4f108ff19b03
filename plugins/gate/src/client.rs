//! The way to Gate: one GET, bounded in time and size, that follows nothing and keeps nothing.

use std::error::Error;
use std::time::Duration;

use outboard_sdk::{AuthError, RefusalReason, User};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response, redirect};

use crate::answer::{Answer, judge};
use crate::request::{Profiles, authorization};

/// A profile has some hundred bytes; a user in every group there is may have many thousand.
const MAX_BODY: usize = 1024 * 1024;

/// Gate, as seen from here.
pub(crate) struct Gate {
    client: Client,
    profiles: Profiles,
}

impl Gate {
    pub(crate) fn new(profiles: Profiles, timeout: Duration) -> Result<Self, String> {
        let client = Client::builder()
            .user_agent(concat!("outboard-gate/", env!("CARGO_PKG_VERSION")))
            // Connecting, TLS, head and body together.
            .timeout(timeout)
            // A redirect would hand the token to whoever is at its end.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build();
        let client =
            client.map_err(|error| format!("no HTTP client can be made: {}", chain(&error)))?;
        Ok(Self { client, profiles })
    }

    /// Asks for the profile of `email`, with `token` as the right to ask.
    pub(crate) async fn user(&self, email: &str, token: &str) -> Result<User, AuthError> {
        let Some(header) = authorization(token) else {
            let why = "no token of Gate's has blanks or other than visible characters";
            return Err(AuthError::refuse(RefusalReason::Token, why));
        };
        let mut response = self.ask(email, header).await.map_err(|error| self.trouble(error))?;
        let status = response.status().as_u16();
        let content_type =
            response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        let body = self.body(&mut response).await?;
        judge(email, &Answer { status, content_type: &content_type, body: &body })
    }

    async fn ask(&self, email: &str, header: HeaderValue) -> reqwest::Result<Response> {
        let request = self.client.get(self.profiles.of(email));
        request.header(ACCEPT, "application/json").header(AUTHORIZATION, header).send().await
    }

    async fn body(&self, response: &mut Response) -> Result<Vec<u8>, AuthError> {
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.trouble(error))? {
            if body.len() + piece.len() > MAX_BODY {
                let why = format!("Gate's answer is larger than {MAX_BODY} bytes");
                return Err(AuthError::unavailable(why));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// Without the question itself: who has asked is nobody's business who reads the log.
    fn trouble(&self, error: reqwest::Error) -> AuthError {
        let what = if error.is_timeout() { "did not answer in time" } else { "can't be reached" };
        let causes = chain(&error.without_url());
        AuthError::unavailable(format!("Gate at {} {what}: {causes}", self.profiles.shown()))
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
