//! What users let clients do in their name.

use std::collections::BTreeMap;

use outboard_core::identity::client::Client;
use outboard_core::identity::scope::Scope;
use outboard_core::identity::user::User;
use serde_json::{Value, json};

use super::{Failure, Parts, now_ms};

/// What users have consented to.
#[derive(Clone, Copy)]
pub struct Consents<'a>(pub(super) &'a Parts);

/// What a user lets a client do, of what it asks for.
#[derive(Clone, Debug)]
pub struct Grant {
    pub client: Client,
    /// The user's own scopes of those that were asked about: those that are granted first.
    pub scopes: Vec<(Scope, bool)>,
}

/// A client that a user has granted something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    pub client_id: String,
    /// With the moment of each, in milliseconds since 1970.
    pub scopes: BTreeMap<String, i64>,
}

impl Consents<'_> {
    /// Which of these scopes a user has granted to a client, and which others there are to be granted.
    ///
    /// # Errors
    /// [`Failure::NotFound`]: there is no such client. [`Failure::Invalid`]: it is disabled, or no scope is named.
    pub async fn grant(
        self,
        client_id: &str,
        user: &User,
        names: &[String],
    ) -> Result<Grant, Failure> {
        if names.is_empty() {
            return Err(Failure::invalid("scope: none is named"));
        }
        let client = self.client(client_id).await?;
        let granted = self.0.store.consents().of(user.id.as_str(), client_id).await?;
        let is_granted = |scope: &Scope| granted.iter().any(|consent| consent.scope == scope.name);
        let own = self.own(user, names).await?.into_iter();
        let mut scopes: Vec<_> = own
            .map(|scope| {
                let is_granted = is_granted(&scope);
                (scope, is_granted)
            })
            .collect();
        scopes.sort_by_key(|(_, is_granted)| !is_granted);
        Ok(Grant { client, scopes })
    }

    /// From now on a user grants these of his scopes to a client, and no others. None: he grants nothing.
    ///
    /// # Errors
    /// [`Failure::NotFound`]: there is no such client. [`Failure::Unauthorized`]: none of these scopes is the user's.
    pub async fn set(self, client_id: &str, user: &User, names: &[String]) -> Result<(), Failure> {
        self.client(client_id).await?;
        let own = self.own(user, names).await?;
        if own.is_empty() && !names.is_empty() {
            return Err(Failure::Unauthorized);
        }
        let names: Vec<_> = own.into_iter().map(|scope| scope.name).collect();
        self.0.store.consents().set(user.id.as_str(), client_id, &names, now_ms()).await?;
        Ok(())
    }

    /// What a user has granted, by client.
    pub async fn list(self, user: &User) -> Result<Vec<Connection>, Failure> {
        let mut connections: Vec<Connection> = Vec::new();
        for consent in self.0.store.consents().list(user.id.as_str()).await? {
            if connections.last().is_none_or(|last| last.client_id != consent.client_id) {
                let client_id = consent.client_id;
                connections.push(Connection { client_id, scopes: BTreeMap::new() });
            }
            if let Some(last) = connections.last_mut() {
                last.scopes.insert(consent.scope, consent.granted_ms);
            }
        }
        Ok(connections)
    }

    /// From now on a user grants nothing to a client, whether there still is one of that name or not.
    pub async fn revoke(self, user: &User, client_id: &str) -> Result<(), Failure> {
        let was_there = self.0.store.consents().revoke(user.id.as_str(), client_id).await?;
        was_there.then_some(()).ok_or(Failure::NotFound)
    }

    async fn client(self, client_id: &str) -> Result<Client, Failure> {
        let client = self.0.clients().get(client_id).await?;
        if client.enabled {
            Ok(client)
        } else {
            Err(Failure::invalid("client_id: the client is disabled"))
        }
    }

    /// Those of these scopes that exist and that the user has.
    async fn own(self, user: &User, names: &[String]) -> Result<Vec<Scope>, Failure> {
        let mut scopes = self.0.scopes().get_many(names).await?;
        scopes.retain(|scope| user.has_scope(&scope.name));
        Ok(scopes)
    }
}

impl Grant {
    /// The object of the HTTP API.
    pub fn to_json(&self) -> Value {
        let mut client = json!({ "client_id": self.client.id.as_str() });
        if let Some(name) = &self.client.name {
            client["name"] = name.as_str().into();
        }
        let scopes = self.scopes.iter().map(|(scope, is_granted)| {
            json!({
                "name": scope.name,
                "display_name": scope.display_name,
                "description": scope.description,
                "password_required": scope.password_required,
                "granted": is_granted,
            })
        });
        json!({ "client": client, "scope": scopes.collect::<Vec<_>>() })
    }
}
