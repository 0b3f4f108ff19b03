//! The calls to schemes. What an answer says is looked at before anybody believes it.

use bytes::Bytes;
use outboard_core::identity::scheme::Availability;
use outboard_core::identity::user::User;
use outboard_proto::plugin::v1 as wire;
use outboard_proto::plugin::v1::scheme_client::SchemeClient;
use outboard_proto::plugin::v1::{Capability, SchemeResult};
use serde_json::Value;
use tonic::transport::Channel;

use super::guards::Call;
use super::{At, Schemes};
use crate::identity::Failure;
use crate::identity::line::{ANSWER_BYTES, Line};

/// What goes to a scheme and what comes back, in bytes.
const MOST_JSON: usize = 64 << 10;
/// What a scheme may complain of.
const MOST_ERRORS: usize = 100;
const LONGEST_ERROR: usize = 512;
const LONGEST_USER_AGENT: usize = 256;

/// What a scheme answers beside how it went.
struct Answer {
    result: SchemeResult,
    response: Bytes,
    errors: Vec<String>,
}

impl Schemes<'_> {
    /// Whether a user can use a scheme. One that is gone, late or confused can't be used.
    pub async fn availability(self, name: &str, user: &User, at: At<'_>) -> Availability {
        self.can_use(name, user, at).await.unwrap_or_default()
    }

    /// Whether a user can use a scheme.
    pub async fn can_use(
        self,
        name: &str,
        user: &User,
        at: At<'_>,
    ) -> Result<Availability, Failure> {
        let (line, mut client) = self.line(name, Call::CanUse)?;
        let request = wire::CanUseRequest {
            activation: line.activation(),
            subject: Some(self.subject(user, at)),
        };
        let answer = line.answer(client.can_use(line.request(request))).await?;
        Ok(answer.availability().into())
    }

    /// Registers a scheme for a user, or does a step of it.
    pub async fn register(
        self,
        name: &str,
        user: &User,
        at: At<'_>,
        data: &Value,
    ) -> Result<Option<Value>, Failure> {
        let (line, mut client) = self.line(name, Call::Register)?;
        let request = wire::RegisterRequest {
            activation: line.activation(),
            subject: Some(self.subject(user, at)),
            data: bytes(data)?,
        };
        let wire::RegisterResponse { result, response, errors } =
            line.answer(client.register(line.request(request))).await?;
        judged(name, Answer { result: result_of(result), response, errors })
    }

    /// What a user has registered.
    pub async fn registration(
        self,
        name: &str,
        user: &User,
        at: At<'_>,
    ) -> Result<Option<Value>, Failure> {
        let (line, mut client) = self.line(name, Call::GetRegistration)?;
        let request = wire::GetRegistrationRequest {
            activation: line.activation(),
            subject: Some(self.subject(user, at)),
        };
        let wire::GetRegistrationResponse { result, response } =
            line.answer(client.get_registration(line.request(request))).await?;
        judged(name, Answer { result: result_of(result), response, errors: Vec::new() })
    }

    /// Takes a registration back. That there is none is as good.
    pub async fn deregister(self, name: &str, user: &User, at: At<'_>) -> Result<(), Failure> {
        let (line, mut client) = self.line(name, Call::Deregister)?;
        let request = wire::DeregisterRequest {
            activation: line.activation(),
            subject: Some(self.subject(user, at)),
        };
        let answer = line.answer(client.deregister(line.request(request))).await?;
        let result = result_of(answer.result);
        match judged(name, Answer { result, response: Bytes::new(), errors: Vec::new() }) {
            Ok(_) | Err(Failure::NotFound) => {}
            Err(failure) => return Err(failure),
        }
        // What was proved by it counts no more, even if it is registered anew.
        Ok(self.0.store.sessions().disable(user.id.as_str(), Some(name)).await?)
    }

    /// Begins an authentication.
    pub async fn trigger(
        self,
        name: &str,
        user: &User,
        at: At<'_>,
        data: &Value,
    ) -> Result<Option<Value>, Failure> {
        let (line, mut client) = self.line(name, Call::Trigger)?;
        let request = wire::TriggerRequest {
            activation: line.activation(),
            subject: Some(self.subject(user, at)),
            data: bytes(data)?,
        };
        let wire::TriggerResponse { result, response, errors } =
            line.answer(client.trigger(line.request(request))).await?;
        judged(name, Answer { result: result_of(result), response, errors })
    }

    /// Whether the value proves that it is the user. Anything but a clear yes is an error.
    pub(super) async fn validate(
        self,
        name: &str,
        user: &User,
        at: At<'_>,
        value: &Value,
    ) -> Result<(), Failure> {
        let (line, mut client) = self.line(name, Call::Validate)?;
        let request = wire::ValidateRequest {
            activation: line.activation(),
            subject: Some(self.subject(user, at)),
            value: bytes(value)?,
        };
        let wire::ValidateResponse { result, errors } =
            line.answer(client.validate(line.request(request))).await?;
        let answer = Answer { result: result_of(result), response: Bytes::new(), errors };
        match judged(name, answer) {
            Ok(_) => Ok(()),
            // Whoever has registered nothing proves nothing, and nobody else need know.
            Err(Failure::NotFound) => Err(Failure::Unauthorized),
            Err(failure) => Err(failure),
        }
    }

    fn line(self, name: &str, call: Call) -> Result<(Line, SchemeClient<Channel>), Failure> {
        self.role(name).ok_or(Failure::NotFound)?;
        let timeout = self.0.settings.scheme_timeout;
        let line = Line::open(&self.0.routes, name, Capability::Scheme, timeout)?;
        let line = line.guarded_by(self.0.guards.of(call))?;
        let client = SchemeClient::new(line.channel()).max_decoding_message_size(ANSWER_BYTES);
        Ok((line, client))
    }

    fn subject(self, user: &User, at: At<'_>) -> wire::Subject {
        let properties = Value::Object(user.properties.clone());
        wire::Subject {
            user_id: user.id.as_str().to_owned(),
            username: user.username.shown().to_owned(),
            name: user.name.clone().unwrap_or_default(),
            email: user.email.clone().unwrap_or_default(),
            client_address: at.origin.address.clone(),
            user_agent: cut(&at.origin.user_agent, LONGEST_USER_AGENT).to_owned(),
            properties: properties.to_string().into(),
            session: at.session.map(|session| session.label(&user.id)).unwrap_or_default(),
            origin: origin_of(&self.0.settings.external_url),
        }
    }
}

fn result_of(result: i32) -> SchemeResult {
    SchemeResult::try_from(result).unwrap_or(SchemeResult::Unspecified)
}

/// What an answer means to whoever has asked.
fn judged(scheme: &str, answer: Answer) -> Result<Option<Value>, Failure> {
    let broken = |how: &str| {
        tracing::warn!(instance = scheme, problem = how, "a scheme could not answer as it should");
        Failure::Unavailable(format!("the scheme {scheme:?} could not answer"))
    };
    match answer.result {
        SchemeResult::Ok if answer.response.is_empty() => Ok(None),
        SchemeResult::Ok if answer.response.len() > MOST_JSON => {
            Err(broken("it answers with more than 64 KiB"))
        }
        SchemeResult::Ok => serde_json::from_slice(&answer.response)
            .map(Some)
            .map_err(|_| broken("what it answers with is not JSON")),
        SchemeResult::Unauthorized => Err(Failure::Unauthorized),
        SchemeResult::NotFound => Err(Failure::NotFound),
        SchemeResult::Invalid => Err(Failure::Invalid(errors(answer.errors))),
        SchemeResult::Error | SchemeResult::Unspecified => Err(broken("it says that it failed")),
    }
}

fn errors(errors: Vec<String>) -> Vec<String> {
    let errors = errors.into_iter().take(MOST_ERRORS);
    let errors: Vec<_> = errors.map(|error| error.chars().take(LONGEST_ERROR).collect()).collect();
    if errors.is_empty() { vec!["the scheme refuses the value".to_owned()] } else { errors }
}

fn bytes(value: &Value) -> Result<Bytes, Failure> {
    let bytes = Bytes::from(value.to_string());
    if bytes.len() > MOST_JSON {
        return Err(Failure::Invalid(vec!["value must be at most 64 KiB of JSON".to_owned()]));
    }
    Ok(bytes)
}

fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// Scheme and authority of a URL.
fn origin_of(url: &str) -> String {
    let after = url.find("://").map_or(0, |at| at + 3);
    let end = url[after..].find('/').map_or(url.len(), |at| after + at);
    url[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(
        result: SchemeResult,
        response: &[u8],
        errors: &[&str],
    ) -> Result<Option<Value>, Failure> {
        let errors = errors.iter().map(ToString::to_string).collect();
        judged("otp", Answer { result, response: Bytes::copy_from_slice(response), errors })
    }

    #[test]
    fn only_a_clear_yes_is_one() {
        assert_eq!(told(SchemeResult::Ok, b"", &[]).ok(), Some(None));
        assert_eq!(told(SchemeResult::Ok, b"{}", &[]).ok(), Some(Some(serde_json::json!({}))));
        for (result, response) in [
            (SchemeResult::Unspecified, &b""[..]),
            (SchemeResult::Error, b""),
            (SchemeResult::Ok, b"{"),
            (SchemeResult::Ok, &vec![b' '; MOST_JSON + 1]),
        ] {
            assert!(matches!(told(result, response, &[]), Err(Failure::Unavailable(_))));
        }
        assert!(matches!(told(SchemeResult::Unauthorized, b"{}", &[]), Err(Failure::Unauthorized)));
        assert!(matches!(told(SchemeResult::NotFound, b"{}", &[]), Err(Failure::NotFound)));
        assert_eq!(result_of(17), SchemeResult::Unspecified);
    }

    #[test]
    fn what_a_scheme_complains_of_is_bounded_and_never_nothing() {
        let Err(Failure::Invalid(errors)) = told(SchemeResult::Invalid, b"", &["é"; 200]) else {
            panic!()
        };
        assert_eq!(errors.len(), MOST_ERRORS);
        let Err(Failure::Invalid(errors)) = told(SchemeResult::Invalid, b"", &[&"é".repeat(999)])
        else {
            panic!()
        };
        assert_eq!(errors[0].chars().count(), LONGEST_ERROR);
        let Err(Failure::Invalid(errors)) = told(SchemeResult::Invalid, b"", &[]) else { panic!() };
        assert_eq!(errors.len(), 1);
    }

    #[test]
    fn an_origin_has_no_path() {
        for (url, origin) in [
            ("https://example.org", "https://example.org"),
            ("https://example.org:8443/sso", "https://example.org:8443"),
            ("http://[::1]:4593/", "http://[::1]:4593"),
        ] {
            assert_eq!(origin_of(url), origin);
        }
    }
}
