//! The clients that an instance of a plugin keeps. It is believed in nothing that the host can see for itself.

use outboard_core::identity::client::{Client, ClientDraft, ClientId, validate};
use outboard_core::identity::property;
use outboard_core::identity::user::Mode;
use outboard_proto::plugin::v1 as wire;
use outboard_proto::plugin::v1::Capability;
use outboard_proto::plugin::v1::client_backend_client::ClientBackendClient;
use tonic::Code;
use tonic::transport::Channel;

use crate::identity::line::{ANSWER_BYTES, Line};
use crate::identity::{Failure, Parts};
use crate::plugin::roles::BackendRole;

/// Of what a plugin says is wrong.
const MOST_ERRORS: usize = 100;
const LONGEST_ERROR: usize = 1024;

pub(super) struct Backend<'a> {
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
    ) -> Result<Vec<Client>, Failure> {
        let answer = self.ask_list(pattern, offset, limit).await?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut clients = Vec::new();
        for client in answer.clients.into_iter().take(most) {
            match self.believe(client) {
                Ok(client) => clients.push(client),
                Err(why) => self.complain(&why),
            }
        }
        Ok(clients)
    }

    pub(super) async fn count(&self, pattern: &str) -> Result<u64, Failure> {
        Ok(self.ask_list(pattern, 0, 0).await?.total)
    }

    pub(super) async fn find(&self, id: &ClientId) -> Result<Option<Client>, Failure> {
        let (line, mut backend) = self.line()?;
        let request = line.request(wire::GetClientRequest {
            activation: line.activation(),
            client_id: id.as_str().to_owned(),
        });
        let answer = line.answer_or(backend.get(request), &[Code::NotFound]).await?;
        let Ok(answer) = answer else { return Ok(None) };
        let Some(client) = answer.client else {
            return Err(self.broken("it answers with no client"));
        };
        let client = self.believe(client).map_err(|why| self.broken(&why))?;
        if client.id != *id {
            return Err(self.broken("it answers with another client"));
        }
        Ok(Some(client))
    }

    pub(super) async fn judge(
        &self,
        client: Option<&Client>,
        draft: &ClientDraft,
    ) -> Result<Vec<String>, Failure> {
        let (line, mut backend) = self.line()?;
        let request = line.request(wire::ValidateClientRequest {
            activation: line.activation(),
            client_id: client.map(|client| client.id.to_string()).unwrap_or_default(),
            client: Some(told(draft)),
            password: password(draft)?,
        });
        let answer = line.answer_or(backend.validate(request), &[Code::Unimplemented]).await?;
        let errors = answer.map(|answer| answer.errors).unwrap_or_default().into_iter();
        let cut = |error: String| error.chars().take(LONGEST_ERROR).collect();
        Ok(errors.take(MOST_ERRORS).map(cut).collect())
    }

    pub(super) async fn add(&self, id: &ClientId, draft: &ClientDraft) -> Result<Client, Failure> {
        let (line, mut backend) = self.line()?;
        let client = wire::BackendClient { client_id: id.to_string(), ..told(draft) };
        let request = line.request(wire::AddClientRequest {
            activation: line.activation(),
            client: Some(client),
            password: password(draft)?,
        });
        let known = [Code::AlreadyExists, Code::Unimplemented, Code::InvalidArgument];
        self.done(line.answer_or(backend.add(request), &known).await?.map(drop))?;
        drop(line);
        self.find(id).await?.ok_or_else(|| self.broken("it has not what was added"))
    }

    pub(super) async fn change(
        &self,
        client: Client,
        draft: &ClientDraft,
    ) -> Result<Client, Failure> {
        let (line, mut backend) = self.line()?;
        let request = line.request(wire::SetClientRequest {
            activation: line.activation(),
            client_id: client.id.to_string(),
            client: Some(told(draft)),
            password: password(draft)?,
        });
        let known = [Code::NotFound, Code::Unimplemented, Code::InvalidArgument];
        self.done(line.answer_or(backend.set(request), &known).await?.map(drop))?;
        drop(line);
        self.find(&client.id).await?.ok_or(Failure::NotFound)
    }

    pub(super) async fn is_password(
        &self,
        client: &Client,
        password: &str,
    ) -> Result<bool, Failure> {
        let (line, mut backend) = self.line()?;
        let request = line.request(wire::CheckClientPasswordRequest {
            activation: line.activation(),
            client_id: client.id.to_string(),
            password: password.to_owned(),
        });
        let answer = line.answer_or(backend.check_password(request), &[Code::NotFound]).await?;
        Ok(answer.is_ok_and(|answer| answer.is_right))
    }

    pub(super) async fn remove(&self, client: &Client) -> Result<(), Failure> {
        let (line, mut backend) = self.line()?;
        let request = line.request(wire::DeleteClientRequest {
            activation: line.activation(),
            client_id: client.id.to_string(),
        });
        let known = [Code::NotFound, Code::Unimplemented];
        let answer = line.answer_or(backend.delete(request), &known).await?;
        self.done(answer.map(drop))?;
        // What users have granted to it is the database's, whoever keeps the client.
        self.parts.store.clients().delete(client.id.as_str()).await?;
        Ok(())
    }

    async fn ask_list(
        &self,
        pattern: &str,
        offset: u64,
        limit: u32,
    ) -> Result<wire::ListClientsResponse, Failure> {
        let (line, mut backend) = self.line()?;
        let request = line.request(wire::ListClientsRequest {
            activation: line.activation(),
            pattern: pattern.to_owned(),
            offset,
            limit,
        });
        line.answer(backend.list(request)).await
    }

    fn line(&self) -> Result<(Line, ClientBackendClient<Channel>), Failure> {
        let timeout = self.parts.settings.backend_timeout;
        let routes = &self.parts.routes;
        let line = Line::open(routes, self.instance(), Capability::ClientBackend, timeout)?;
        let backend = ClientBackendClient::new(line.channel());
        Ok((line, backend.max_decoding_message_size(ANSWER_BYTES)))
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

    /// A client of the plugin's, if it can be one.
    fn believe(&self, client: wire::BackendClient) -> Result<Client, String> {
        let id = ClientId::new(&client.client_id).ok_or("a client's id is none")?;
        let draft = ClientDraft {
            client_id: None,
            name: Some(client.name.filter(|name| !name.is_empty())),
            description: Some(client.description.filter(|text| !text.is_empty())),
            enabled: client.enabled,
            confidential: client.confidential,
            scopes: Some(client.scopes),
            properties: property::read(&client.properties)?,
            password: None,
        };
        if let Some(fault) = validate(&draft, Mode::Update).into_iter().next() {
            return Err(format!("a client's {fault}"));
        }
        let mut client = Client {
            id,
            name: None,
            description: None,
            enabled: true,
            confidential: false,
            scopes: Vec::new(),
            properties: property::Properties::new(),
            source: self.instance().to_owned(),
            passwords: 1,
            revision: 0,
        };
        client.change(&draft);
        Ok(client)
    }

    fn broken(&self, why: &str) -> Failure {
        self.complain(why);
        Failure::Unavailable(format!("the instance {:?} can't be believed", self.instance()))
    }

    fn complain(&self, why: &str) {
        tracing::warn!(
            instance = self.instance(),
            why,
            "a plugin that keeps clients answers oddly"
        );
    }
}

/// A draft, as plugins are told it: an empty text takes away.
fn told(draft: &ClientDraft) -> wire::BackendClient {
    let text = |text: &Option<Option<String>>| text.clone().map(Option::unwrap_or_default);
    let properties = serde_json::to_vec(&draft.properties).unwrap_or_default();
    wire::BackendClient {
        client_id: draft.client_id.clone().unwrap_or_default(),
        name: text(&draft.name),
        description: text(&draft.description),
        enabled: draft.enabled,
        confidential: draft.confidential,
        scopes: draft.scopes.clone().unwrap_or_default(),
        has_scopes: draft.scopes.is_some(),
        properties: properties.into(),
    }
}

/// Plugins keep one password for each client.
fn password(draft: &ClientDraft) -> Result<Option<String>, Failure> {
    match draft.password.as_deref() {
        None => Ok(None),
        Some([password]) => Ok(Some(password.clone())),
        Some(_) => Err(Failure::invalid("password: this source keeps one for each client")),
    }
}
