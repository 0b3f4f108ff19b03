//! The calls to a plugin that keeps users.

use outboard_core::identity::name::UserName;
use outboard_core::identity::property;
use outboard_core::identity::user::{User, UserDraft, UserId};
use outboard_proto::plugin::v1 as wire;
use outboard_proto::plugin::v1::Capability;
use outboard_proto::plugin::v1::user_backend_client::UserBackendClient;
use outboard_store::identity::IdentityError;
use tonic::Code;
use tonic::transport::Channel;

use crate::identity::line::{ANSWER_BYTES, Line};
use crate::identity::sources::{Answer, Asked, Call};
use crate::identity::{Failure, Parts};

impl Asked for User {
    const CAPABILITY: Capability = Capability::UserBackend;

    type Told = wire::BackendUser;

    fn read(told: wire::BackendUser) -> Result<(UserName, UserDraft), String> {
        let name =
            UserName::new(&told.username).map_err(|error| format!("a user's name {error}"))?;
        let draft = UserDraft {
            username: None,
            name: Some(told.name.filter(|name| !name.is_empty())),
            email: Some(told.email.filter(|email| !email.is_empty())),
            enabled: told.enabled,
            scopes: Some(told.scopes),
            properties: property::read(&told.properties)?,
            password: None,
        };
        Ok((name, draft))
    }

    async fn ask_list(
        line: &Line,
        pattern: &str,
        offset: u64,
        limit: u32,
    ) -> Call<(Vec<wire::BackendUser>, u64)> {
        let (activation, pattern) = (line.activation(), pattern.to_owned());
        let request = wire::ListUsersRequest { activation, pattern, offset, limit };
        let answer = backend(line).list(line.request(request)).await?;
        Ok(answer.map(|answer| (answer.users, answer.total)))
    }

    async fn ask_get(line: &Line, name: &UserName) -> Call<Option<wire::BackendUser>> {
        let (activation, username) = (line.activation(), name.to_string());
        let request = line.request(wire::GetUserRequest { activation, username });
        Ok(backend(line).get(request).await?.map(|answer| answer.user))
    }

    async fn ask_validate(
        line: &Line,
        name: Option<&UserName>,
        draft: &UserDraft,
        password: Option<String>,
    ) -> Call<Vec<String>> {
        let request = line.request(wire::ValidateUserRequest {
            activation: line.activation(),
            username: name.map(UserName::to_string).unwrap_or_default(),
            user: Some(told(draft)),
            password,
        });
        Ok(backend(line).validate(request).await?.map(|answer| answer.errors))
    }

    async fn ask_add(
        line: &Line,
        name: &UserName,
        draft: &UserDraft,
        password: Option<String>,
    ) -> Call<()> {
        let user = Some(wire::BackendUser { username: name.to_string(), ..told(draft) });
        let request = wire::AddUserRequest { activation: line.activation(), user, password };
        Ok(backend(line).add(line.request(request)).await?.map(drop))
    }

    async fn ask_set(
        line: &Line,
        name: &UserName,
        draft: &UserDraft,
        password: Option<String>,
        known: &[Code],
    ) -> Answer<()> {
        let without_password = UserDraft { password: None, ..draft.clone() };
        if without_password != UserDraft::default() {
            let (activation, username) = (line.activation(), name.to_string());
            let request = wire::SetUserRequest { activation, username, user: Some(told(draft)) };
            let mut backend = backend(line);
            let call = backend.set(line.request(request));
            if let Err(status) = line.answer_or(call, known).await? {
                return Ok(Err(status));
            }
        }
        let Some(password) = password else { return Ok(Ok(())) };
        let (activation, username) = (line.activation(), name.to_string());
        let request = wire::SetUserPasswordRequest { activation, username, password };
        let mut backend = backend(line);
        let call = backend.set_password(line.request(request));
        Ok(line.answer_or(call, known).await?.map(drop))
    }

    async fn ask_password(line: &Line, name: &UserName, password: &str) -> Call<bool> {
        let request = line.request(wire::CheckUserPasswordRequest {
            activation: line.activation(),
            username: name.to_string(),
            password: password.to_owned(),
        });
        Ok(backend(line).check_password(request).await?.map(|answer| answer.is_right))
    }

    async fn ask_delete(line: &Line, name: &UserName) -> Call<()> {
        let (activation, username) = (line.activation(), name.to_string());
        let request = line.request(wire::DeleteUserRequest { activation, username });
        Ok(backend(line).delete(request).await?.map(drop))
    }

    /// The user under the id of the account, which is made for one who was never seen before.
    async fn known(mut self, parts: &Parts) -> Result<Option<Self>, Failure> {
        let name = &self.username;
        let accounts = parts.store.accounts();
        match accounts.ensure(&self.source, name.key(), name.shown(), self.id.as_str()).await {
            Ok(account) => {
                self.id = UserId::stored(account.id);
                Ok(Some(self))
            }
            Err(IdentityError::Held { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn backend(line: &Line) -> UserBackendClient<Channel> {
    UserBackendClient::new(line.channel()).max_decoding_message_size(ANSWER_BYTES)
}

/// A draft, as plugins are told it: an empty text takes away.
fn told(draft: &UserDraft) -> wire::BackendUser {
    let text = |text: &Option<Option<String>>| text.clone().map(Option::unwrap_or_default);
    let properties = serde_json::to_vec(&draft.properties).unwrap_or_default();
    wire::BackendUser {
        username: draft.username.clone().unwrap_or_default(),
        name: text(&draft.name),
        email: text(&draft.email),
        enabled: draft.enabled,
        scopes: draft.scopes.clone().unwrap_or_default(),
        has_scopes: draft.scopes.is_some(),
        properties: properties.into(),
    }
}
