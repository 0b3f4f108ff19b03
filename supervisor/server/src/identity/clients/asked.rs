//! The calls to a plugin that keeps clients.

use outboard_core::identity::client::{Client, ClientDraft, ClientId};
use outboard_core::identity::property;
use outboard_proto::plugin::v1 as wire;
use outboard_proto::plugin::v1::Capability;
use outboard_proto::plugin::v1::client_backend_client::ClientBackendClient;
use tonic::Code;
use tonic::transport::Channel;

use crate::identity::line::{ANSWER_BYTES, Line};
use crate::identity::sources::{Answer, Asked, Call};

impl Asked for Client {
    const CAPABILITY: Capability = Capability::ClientBackend;

    type Told = wire::BackendClient;

    fn read(told: wire::BackendClient) -> Result<(ClientId, ClientDraft), String> {
        let id = ClientId::new(&told.client_id).ok_or("a client's id is none")?;
        let draft = ClientDraft {
            client_id: None,
            name: Some(told.name.filter(|name| !name.is_empty())),
            description: Some(told.description.filter(|text| !text.is_empty())),
            enabled: told.enabled,
            confidential: told.confidential,
            scopes: Some(told.scopes),
            properties: property::read(&told.properties)?,
            password: None,
        };
        Ok((id, draft))
    }

    async fn ask_list(
        line: &Line,
        pattern: &str,
        offset: u64,
        limit: u32,
    ) -> Call<(Vec<wire::BackendClient>, u64)> {
        let (activation, pattern) = (line.activation(), pattern.to_owned());
        let request = wire::ListClientsRequest { activation, pattern, offset, limit };
        let answer = backend(line).list(line.request(request)).await?;
        Ok(answer.map(|answer| (answer.clients, answer.total)))
    }

    async fn ask_get(line: &Line, id: &ClientId) -> Call<Option<wire::BackendClient>> {
        let (activation, client_id) = (line.activation(), id.to_string());
        let request = line.request(wire::GetClientRequest { activation, client_id });
        Ok(backend(line).get(request).await?.map(|answer| answer.client))
    }

    async fn ask_validate(
        line: &Line,
        id: Option<&ClientId>,
        draft: &ClientDraft,
        password: Option<String>,
    ) -> Call<Vec<String>> {
        let request = line.request(wire::ValidateClientRequest {
            activation: line.activation(),
            client_id: id.map(ClientId::to_string).unwrap_or_default(),
            client: Some(told(draft)),
            password,
        });
        Ok(backend(line).validate(request).await?.map(|answer| answer.errors))
    }

    async fn ask_add(
        line: &Line,
        id: &ClientId,
        draft: &ClientDraft,
        password: Option<String>,
    ) -> Call<()> {
        let client = Some(wire::BackendClient { client_id: id.to_string(), ..told(draft) });
        let request = wire::AddClientRequest { activation: line.activation(), client, password };
        Ok(backend(line).add(line.request(request)).await?.map(drop))
    }

    async fn ask_set(
        line: &Line,
        id: &ClientId,
        draft: &ClientDraft,
        password: Option<String>,
        known: &[Code],
    ) -> Answer<()> {
        let request = line.request(wire::SetClientRequest {
            activation: line.activation(),
            client_id: id.to_string(),
            client: Some(told(draft)),
            password,
        });
        Ok(line.answer_or(backend(line).set(request), known).await?.map(drop))
    }

    async fn ask_password(line: &Line, id: &ClientId, password: &str) -> Call<bool> {
        let request = line.request(wire::CheckClientPasswordRequest {
            activation: line.activation(),
            client_id: id.to_string(),
            password: password.to_owned(),
        });
        Ok(backend(line).check_password(request).await?.map(|answer| answer.is_right))
    }

    async fn ask_delete(line: &Line, id: &ClientId) -> Call<()> {
        let (activation, client_id) = (line.activation(), id.to_string());
        let request = line.request(wire::DeleteClientRequest { activation, client_id });
        Ok(backend(line).delete(request).await?.map(drop))
    }
}

fn backend(line: &Line) -> ClientBackendClient<Channel> {
    ClientBackendClient::new(line.channel()).max_decoding_message_size(ANSWER_BYTES)
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
