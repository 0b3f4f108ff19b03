//! Clients, as sources keep them.

use outboard_core::identity::client::{self, Client, ClientDraft, ClientId};
use outboard_core::identity::property::Properties;
use outboard_core::identity::user::Mode;

use crate::identity::Settings;
use crate::identity::sources::Principal;
use crate::plugin::roles::{BackendRole, Roles};

impl Principal for Client {
    type Name = ClientId;
    type Draft = ClientDraft;

    const NAME: &'static str = "client_id";

    fn backends(roles: &Roles) -> &[BackendRole] {
        &roles.client_backends
    }

    fn new(name: ClientId, source: &str) -> Self {
        Self {
            id: name,
            name: None,
            description: None,
            enabled: true,
            confidential: false,
            scopes: Vec::new(),
            properties: Properties::new(),
            source: source.to_owned(),
            passwords: 1,
            revision: 0,
        }
    }

    fn name(&self) -> &ClientId {
        &self.id
    }

    fn read_name(text: &str) -> Option<ClientId> {
        ClientId::new(text)
    }

    fn key(name: &ClientId) -> &str {
        name.as_str()
    }

    fn name_in(draft: &ClientDraft) -> Option<&str> {
        draft.client_id.as_deref()
    }

    fn passwords_in(draft: &ClientDraft) -> Option<&[String]> {
        draft.password.as_deref()
    }

    fn faults(draft: &ClientDraft, mode: Mode, _: &Settings) -> Vec<String> {
        client::validate(draft, mode)
    }

    fn apply(&mut self, draft: &ClientDraft) {
        self.change(draft);
    }
}
