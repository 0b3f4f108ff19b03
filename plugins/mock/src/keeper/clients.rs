//! Clients in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use outboard_sdk::{
    BackendClient, BackendError, BackendPage, BackendQuery, ClientBackend, ClientChange,
    merge_properties,
};

use super::{Entry, Lie, changed, refused};
use crate::trouble::Trouble;
use crate::{Instance, Mock};

/// A client and its password.
#[derive(Clone)]
struct Kept {
    client: BackendClient,
    password: Option<String>,
}

/// Those of one instance.
pub(crate) struct Clients {
    kept: Mutex<BTreeMap<String, Kept>>,
    read_only: bool,
    lie: Option<Lie>,
    trouble: Trouble,
}

impl Clients {
    pub(super) fn new(
        entries: Vec<Entry>,
        read_only: bool,
        lie: Option<Lie>,
        trouble: Trouble,
    ) -> Self {
        let kept = entries.into_iter().map(|it| (it.id.clone(), kept(it))).collect();
        Self { kept: Mutex::new(kept), read_only, lie, trouble }
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self, client: BackendClient) -> BackendClient {
        let Some(lie) = self.lie else { return client };
        let client_id = lie.about_name(client.client_id.clone());
        let properties = lie.about_properties(client.properties.clone());
        BackendClient { client_id, properties, ..client }
    }

    fn page(&self, query: &BackendQuery) -> BackendPage<BackendClient> {
        let pattern = query.pattern.to_lowercase();
        let kept = self.kept();
        let matching = kept.values().filter(|it| is_like(&it.client, &pattern));
        let page = query.page(matching.map(|it| self.told(it.client.clone())));
        self.lie.map_or(page.clone(), |lie| lie.about_page(page))
    }

    /// What every call that writes begins with.
    fn writable(&self) -> Result<(), BackendError> {
        if self.read_only { Err(BackendError::ReadOnly) } else { Ok(()) }
    }
}

fn kept(entry: Entry) -> Kept {
    let Entry {
        id, name, description, enabled, confidential, scopes, properties, password, ..
    } = entry;
    let client_id = id;
    let client =
        BackendClient { client_id, name, description, enabled, confidential, scopes, properties };
    Kept { client, password }
}

fn is_like(client: &BackendClient, pattern: &str) -> bool {
    let fields = [Some(&client.client_id), client.name.as_ref(), client.description.as_ref()];
    fields.into_iter().flatten().any(|field| field.to_lowercase().contains(pattern))
}

fn apply(kept: &mut Kept, change: ClientChange) {
    let ClientChange {
        name, description, enabled, confidential, scopes, properties, password, ..
    } = change;
    changed(&mut kept.client.name, name);
    changed(&mut kept.client.description, description);
    kept.client.enabled = enabled.unwrap_or(kept.client.enabled);
    kept.client.confidential = confidential.unwrap_or(kept.client.confidential);
    kept.client.scopes = scopes.unwrap_or(std::mem::take(&mut kept.client.scopes));
    merge_properties(&mut kept.client.properties, properties);
    kept.password = password.or(kept.password.take());
}

impl Instance {
    /// Notes a call of the host's, and gets it wrong where that was asked for.
    async fn begin_clients(&self, call: &'static str, id: &str) -> Result<&Clients, BackendError> {
        self.asked.count(call);
        self.clients.trouble.make(call, id).await.map_err(BackendError::Unavailable)?;
        Ok(&self.clients)
    }
}

impl ClientBackend for Mock {
    async fn list_clients(
        &self,
        instance: Arc<Instance>,
        query: BackendQuery,
    ) -> Result<BackendPage<BackendClient>, BackendError> {
        Ok(instance.begin_clients("list_clients", "").await?.page(&query))
    }

    async fn get_client(
        &self,
        instance: Arc<Instance>,
        client_id: String,
    ) -> Result<Option<BackendClient>, BackendError> {
        let clients = instance.begin_clients("get_client", &client_id).await?;
        let found = clients.kept().get(&client_id).map(|it| it.client.clone());
        Ok(found.map(|client| clients.told(client)))
    }

    async fn check_client_password(
        &self,
        instance: Arc<Instance>,
        client_id: String,
        password: String,
    ) -> Result<bool, BackendError> {
        let clients = instance.begin_clients("check_client_password", &client_id).await?;
        let found = clients.kept().get(&client_id).and_then(|it| it.password.clone());
        Ok(clients.lie == Some(Lie::Yes) || found.is_some_and(|it| it == password))
    }

    async fn validate_client(
        &self,
        instance: Arc<Instance>,
        client_id: Option<String>,
        change: ClientChange,
    ) -> Result<Vec<String>, BackendError> {
        let about = client_id.clone().or(change.client_id.clone()).unwrap_or_default();
        let clients = instance.begin_clients("validate_client", &about).await?;
        clients.writable()?;
        let is_kept = clients.kept().contains_key(&about);
        let mut errors = refused(&change.properties);
        match client_id {
            None if is_kept => errors.push("client_id: is taken".to_owned()),
            None if about.is_empty() => errors.push("client_id: is missing".to_owned()),
            Some(_) if !is_kept => return Err(BackendError::NotFound),
            _ => {}
        }
        Ok(errors)
    }

    async fn add_client(
        &self,
        instance: Arc<Instance>,
        client: ClientChange,
    ) -> Result<(), BackendError> {
        let id = client.client_id.clone().unwrap_or_default();
        let clients = instance.begin_clients("add_client", &id).await?;
        clients.writable()?;
        if id.is_empty() {
            return Err(BackendError::Invalid("a client has an id".to_owned()));
        }
        let mut kept = clients.kept();
        if kept.contains_key(&id) {
            return Err(BackendError::Exists);
        }
        let mut new = Kept { client: BackendClient::new(&id), password: None };
        apply(&mut new, client);
        kept.insert(id, new);
        Ok(())
    }

    async fn set_client(
        &self,
        instance: Arc<Instance>,
        client_id: String,
        change: ClientChange,
    ) -> Result<(), BackendError> {
        let clients = instance.begin_clients("set_client", &client_id).await?;
        clients.writable()?;
        let mut kept = clients.kept();
        apply(kept.get_mut(&client_id).ok_or(BackendError::NotFound)?, change);
        Ok(())
    }

    async fn delete_client(
        &self,
        instance: Arc<Instance>,
        client_id: String,
    ) -> Result<(), BackendError> {
        let clients = instance.begin_clients("delete_client", &client_id).await?;
        clients.writable()?;
        clients.kept().remove(&client_id);
        Ok(())
    }
}
