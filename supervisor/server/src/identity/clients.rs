//! Clients, wherever they are kept.

mod asked;
mod principal;

use outboard_core::identity::client::{Client, ClientDraft};
use outboard_core::identity::password;
use outboard_core::identity::user::Mode;

use super::sources::{ListQuery, Source, Sources};
use super::{Failure, Identity, Origin, Parts};

/// The clients of all sources.
#[derive(Clone, Copy, Debug)]
pub struct Clients<'a>(pub(in crate::identity) &'a Parts);

impl Identity {
    pub fn clients(&self) -> Clients<'_> {
        Clients(&self.0)
    }
}

impl Parts {
    pub(in crate::identity) fn clients(&self) -> Clients<'_> {
        Clients(self)
    }
}

impl<'a> Clients<'a> {
    /// By id, those of the first source first.
    ///
    /// # Errors
    /// If a source can't say.
    pub async fn list(self, query: &ListQuery<'_>) -> Result<Vec<Client>, Failure> {
        Sources(self.0).list(query).await
    }

    /// The client of this id, in the first source that has one.
    ///
    /// # Errors
    /// [`Failure::NotFound`], or that a source can't say.
    pub async fn get(self, id: &str) -> Result<Client, Failure> {
        Ok(self.find(id).await?.0)
    }

    /// The client, if it is enabled and, where a `password` is given, that is its secret. What it does without is not
    /// limited, since it tells nothing.
    ///
    /// # Errors
    /// [`Failure::Unauthorized`] for whatever is not so, or [`Failure::Limited`], or that a source can't say.
    pub async fn check(
        self,
        id: &str,
        password: Option<&str>,
        origin: &Origin,
    ) -> Result<Client, Failure> {
        let Some(password) = password else {
            return self.enabled(id).await.map(|(client, _)| client);
        };
        // No name of a user begins so.
        let key = format!("client {}", id.chars().take(128).collect::<String>());
        let attempt = self.0.limits.attempt(&key, &origin.address)?;
        match self.check_password(id, password).await {
            Err(Failure::Unauthorized) => Err(Failure::Unauthorized),
            checked => {
                attempt.forgive();
                checked
            }
        }
    }

    async fn check_password(self, id: &str, password: &str) -> Result<Client, Failure> {
        let found = match self.enabled(id).await {
            Err(Failure::Unauthorized) => None,
            found => Some(found?),
        };
        let Some((client, source)) = found.filter(|_| password::is_possible(password)) else {
            self.0.passwords.pretend("nobody's").await?;
            return Err(Failure::Unauthorized);
        };
        let is_right = match client.secret() {
            Some(secret) => is_same(secret, password),
            None => source.is_password(&client, password).await?,
        };
        if is_right { Ok(client) } else { Err(Failure::Unauthorized) }
    }

    async fn enabled(self, id: &str) -> Result<(Client, Source<'a, Client>), Failure> {
        match self.find(id).await {
            Ok((client, source)) if client.enabled => Ok((client, source)),
            Ok(_) | Err(Failure::NotFound) => Err(Failure::Unauthorized),
            Err(failure) => Err(failure),
        }
    }

    /// Judges a client to be (without an `id`), or a change of one.
    ///
    /// # Errors
    /// [`Failure::Invalid`], each beginning with the name of a field; or that nothing may be changed there.
    pub async fn validate(self, id: Option<&str>, draft: &ClientDraft) -> Result<(), Failure> {
        let mode = if id.is_some() { Mode::Update } else { Mode::Add };
        Sources(self.0).validate::<Client>(id, draft, mode).await
    }

    /// Adds a client to the first source that can be written.
    ///
    /// # Errors
    /// What is wrong with it, or that the id is taken.
    pub async fn add(self, draft: &ClientDraft) -> Result<Client, Failure> {
        Sources(self.0).add(draft, None).await
    }

    /// Changes what the draft says, and nothing else.
    ///
    /// # Errors
    /// What is wrong with it, or that nothing may be changed there.
    pub async fn set(self, id: &str, draft: &ClientDraft) -> Result<Client, Failure> {
        Sources(self.0).change(id, draft, Mode::Update).await
    }

    /// Deletes a client, and what users have granted to it.
    ///
    /// # Errors
    /// [`Failure::NotFound`], or that nothing may be changed there.
    pub async fn delete(self, id: &str) -> Result<(), Failure> {
        let (client, source) = self.find(id).await?;
        source.check_writable()?;
        if let Source::Backend(backend) = source {
            backend.remove(&client).await?;
            // What users have granted to it is the database's, whoever keeps the client.
            self.0.store.clients().delete(id).await?;
            return Ok(());
        }
        let deleted = self.0.store.clients().delete(id).await?;
        if deleted { Ok(()) } else { Err(Failure::NotFound) }
    }

    async fn find(self, id: &str) -> Result<(Client, Source<'a, Client>), Failure> {
        Sources(self.0).find(id).await
    }
}

fn is_same(one: &str, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}
