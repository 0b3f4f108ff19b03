//! The users that an instance of a plugin keeps. It is believed in nothing that the host can see for itself.

use outboard_core::identity::name::UserName;
use outboard_core::identity::property;
use outboard_core::identity::user::{Mode, User, UserDraft, UserId, validate};
use outboard_proto::plugin::v1 as wire;
use outboard_proto::plugin::v1::Capability;
use outboard_proto::plugin::v1::user_backend_client::UserBackendClient;
use outboard_store::identity::IdentityError;
use tonic::Code;
use tonic::transport::Channel;

use crate::identity::line::{ANSWER_BYTES, Line};
use crate::identity::{Failure, Parts};
use crate::plugin::roles::BackendRole;

/// Of what a plugin says is wrong.
const MOST_ERRORS: usize = 100;
const LONGEST_ERROR: usize = 1024;

pub(in crate::identity) struct Backend<'a> {
    parts: &'a Parts,
    role: BackendRole,
}

impl<'a> Backend<'a> {
    pub(super) fn new(parts: &'a Parts, role: &BackendRole) -> Self {
        Self { parts, role: role.clone() }
    }

    pub(super) fn instance(&self) -> &str {
        &self.role.instance
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.role.readonly
    }

    pub(super) async fn list(
        &self,
        pattern: &str,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<User>, Failure> {
        let answer = self.ask_list(pattern, offset, limit).await?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut users = Vec::new();
        for user in answer.users.into_iter().take(most) {
            match self.believe(user) {
                Ok(user) => users.extend(self.known(user).await?),
                Err(why) => self.complain(&why),
            }
        }
        Ok(users)
    }

    pub(super) async fn count(&self, pattern: &str) -> Result<u64, Failure> {
        Ok(self.ask_list(pattern, 0, 0).await?.total)
    }

    pub(super) async fn find(&self, name: &UserName) -> Result<Option<User>, Failure> {
        let (line, mut client) = self.line()?;
        let request = line.request(wire::GetUserRequest {
            activation: line.activation(),
            username: name.shown().to_owned(),
        });
        let answer = line.answer_or(client.get(request), &[Code::NotFound]).await?;
        let Ok(answer) = answer else { return Ok(None) };
        let Some(user) = answer.user else { return Err(self.broken("it answers with no user")) };
        let user = self.believe(user).map_err(|why| self.broken(&why))?;
        if user.username.key() != name.key() {
            return Err(self.broken("it answers with another user"));
        }
        self.known(user).await
    }

    pub(super) async fn judge(
        &self,
        user: Option<&User>,
        draft: &UserDraft,
    ) -> Result<Vec<String>, Failure> {
        let (line, mut client) = self.line()?;
        let request = line.request(wire::ValidateUserRequest {
            activation: line.activation(),
            username: user.map(|user| user.username.shown().to_owned()).unwrap_or_default(),
            user: Some(told(draft)),
            password: password(draft)?,
        });
        let answer = line.answer_or(client.validate(request), &[Code::Unimplemented]).await?;
        let errors = answer.map(|answer| answer.errors).unwrap_or_default().into_iter();
        let cut = |error: String| error.chars().take(LONGEST_ERROR).collect();
        Ok(errors.take(MOST_ERRORS).map(cut).collect())
    }

    pub(super) async fn add(&self, name: &UserName, draft: &UserDraft) -> Result<User, Failure> {
        let (line, mut client) = self.line()?;
        let user = wire::BackendUser { username: name.shown().to_owned(), ..told(draft) };
        let request = line.request(wire::AddUserRequest {
            activation: line.activation(),
            user: Some(user),
            password: password(draft)?,
        });
        let known = [Code::AlreadyExists, Code::Unimplemented, Code::InvalidArgument];
        self.done(line.answer_or(client.add(request), &known).await?.map(drop))?;
        drop(line);
        self.find(name).await?.ok_or_else(|| self.broken("it has not what was added"))
    }

    pub(super) async fn change(&self, user: User, draft: &UserDraft) -> Result<User, Failure> {
        let (line, mut client) = self.line()?;
        let username = user.username.shown().to_owned();
        let known = [Code::NotFound, Code::Unimplemented, Code::InvalidArgument];
        let without_password = UserDraft { password: None, ..draft.clone() };
        if without_password != UserDraft::default() {
            let request = line.request(wire::SetUserRequest {
                activation: line.activation(),
                username: username.clone(),
                user: Some(told(draft)),
            });
            self.done(line.answer_or(client.set(request), &known).await?.map(drop))?;
        }
        if let Some(password) = password(draft)? {
            let activation = line.activation();
            let request = wire::SetUserPasswordRequest { activation, username, password };
            let answer = client.set_password(line.request(request));
            self.done(line.answer_or(answer, &known).await?.map(drop))?;
        }
        drop(line);
        self.find(&user.username).await?.ok_or(Failure::NotFound)
    }

    pub(super) async fn is_password(&self, user: &User, password: &str) -> Result<bool, Failure> {
        let (line, mut client) = self.line()?;
        let request = line.request(wire::CheckUserPasswordRequest {
            activation: line.activation(),
            username: user.username.shown().to_owned(),
            password: password.to_owned(),
        });
        let answer = line.answer_or(client.check_password(request), &[Code::NotFound]).await?;
        Ok(answer.is_ok_and(|answer| answer.is_right))
    }

    pub(super) async fn remove(&self, user: &User) -> Result<(), Failure> {
        let (line, mut client) = self.line()?;
        let request = line.request(wire::DeleteUserRequest {
            activation: line.activation(),
            username: user.username.shown().to_owned(),
        });
        let known = [Code::NotFound, Code::Unimplemented];
        match line.answer_or(client.delete(request), &known).await? {
            Err(status) if status.code() == Code::NotFound => Ok(()),
            answer => self.done(answer.map(drop)),
        }
    }

    async fn ask_list(
        &self,
        pattern: &str,
        offset: u64,
        limit: u32,
    ) -> Result<wire::ListUsersResponse, Failure> {
        let (line, mut client) = self.line()?;
        let request = line.request(wire::ListUsersRequest {
            activation: line.activation(),
            pattern: pattern.to_owned(),
            offset,
            limit,
        });
        line.answer(client.list(request)).await
    }

    fn line(&self) -> Result<(Line, UserBackendClient<Channel>), Failure> {
        let timeout = self.parts.settings.backend_timeout;
        let routes = &self.parts.routes;
        let line = Line::open(routes, self.instance(), Capability::UserBackend, timeout)?;
        let client = UserBackendClient::new(line.channel()).max_decoding_message_size(ANSWER_BYTES);
        Ok((line, client))
    }

    /// What a status means that was to be expected.
    fn done(&self, answer: Result<(), tonic::Status>) -> Result<(), Failure> {
        let Err(status) = answer else { return Ok(()) };
        Err(match status.code() {
            Code::NotFound => Failure::NotFound,
            Code::AlreadyExists => Failure::Conflict(super::TAKEN.to_owned()),
            Code::Unimplemented => {
                Failure::ReadOnly(format!("{:?} does not do that", self.instance()))
            }
            _ => Failure::invalid(format!("{:?} does not take that", self.instance())),
        })
    }

    /// A user of the plugin's, if it can be one. It has no id yet.
    fn believe(&self, user: wire::BackendUser) -> Result<User, String> {
        let name = UserName::new(&user.username);
        let name = name.map_err(|error| format!("a user's name {error}"))?;
        let properties = property::read(&user.properties)?;
        let draft = UserDraft {
            username: None,
            name: Some(user.name.filter(|name| !name.is_empty())),
            email: Some(user.email.filter(|email| !email.is_empty())),
            enabled: user.enabled,
            scopes: Some(user.scopes),
            properties,
            password: None,
        };
        if let Some(fault) = validate(&draft, Mode::Update).into_iter().next() {
            return Err(format!("a user's {fault}"));
        }
        let mut user = User {
            id: UserId::stored(String::new()),
            username: name,
            name: None,
            email: None,
            enabled: true,
            scopes: Vec::new(),
            properties: property::Properties::new(),
            source: self.instance().to_owned(),
            passwords: 1,
            last_login_ms: None,
            revision: 0,
        };
        user.change(&draft);
        Ok(user)
    }

    /// The user with his id. `None`: he was deleted here, and not all have been told.
    async fn known(&self, mut user: User) -> Result<Option<User>, Failure> {
        let (name, id) = (&user.username, uuid::Uuid::now_v7().to_string());
        let accounts = self.parts.store.accounts();
        match accounts.ensure(self.instance(), name.key(), name.shown(), &id).await {
            Ok(account) => {
                user.id = UserId::stored(account.id);
                Ok(Some(user))
            }
            Err(IdentityError::Held { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn broken(&self, why: &str) -> Failure {
        self.complain(why);
        Failure::Unavailable(format!("the instance {:?} can't be believed", self.instance()))
    }

    fn complain(&self, why: &str) {
        tracing::warn!(instance = self.instance(), why, "a plugin that keeps users answers oddly");
    }
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

/// Plugins keep one password for each user.
fn password(draft: &UserDraft) -> Result<Option<String>, Failure> {
    match draft.password.as_deref() {
        None => Ok(None),
        Some([password]) => Ok(Some(password.clone())),
        Some(_) => Err(Failure::invalid("password: this source keeps one for each user")),
    }
}
