//! Clients, wherever they are kept.

mod backend;
mod database;
mod source;

use outboard_core::identity::client::{self, Client, ClientDraft, ClientId};
use outboard_core::identity::password;
use outboard_core::identity::user::Mode;

use self::source::Source;
use super::people::ListQuery;
use super::{Failure, Identity, Origin, Parts};

/// Times that a change is made anew because somebody else has made one meanwhile.
const MOST_TRIES: usize = 5;

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
        let (mut offset, mut clients) = (query.offset, Vec::new());
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        for source in self.sources() {
            if query.source.is_some_and(|wanted| wanted != source.name()) {
                continue;
            }
            let room = limit.saturating_sub(clients.len());
            if room == 0 {
                break;
            }
            let room = u32::try_from(room).unwrap_or(u32::MAX);
            let page = source.list(query.pattern, offset, room).await?;
            if page.is_empty() && offset > 0 {
                offset = offset.saturating_sub(source.count(query.pattern).await?);
            } else if !page.is_empty() {
                offset = 0;
            }
            clients.extend(page);
        }
        Ok(clients)
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

    async fn enabled(self, id: &str) -> Result<(Client, Source<'a>), Failure> {
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
        let Some(id) = id else {
            let (source, mut faults) = (self.first_writable()?, faults(draft, Mode::Add));
            if let Some(id) = &draft.client_id
                && self.find_somewhere(id).await?.is_some()
            {
                faults.push(TAKEN.to_owned());
            }
            if faults.is_empty() {
                faults = source.judge(None, draft).await?;
            }
            return Failure::if_any(faults);
        };
        let (client, source) = self.find(id).await?;
        source.check_writable()?;
        Failure::if_any(faults(draft, Mode::Update))?;
        Failure::if_any(source.judge(Some(&client), draft).await?)
    }

    /// Adds a client to the first source that can be written.
    ///
    /// # Errors
    /// What is wrong with it, or that the id is taken.
    pub async fn add(self, draft: &ClientDraft) -> Result<Client, Failure> {
        Failure::if_any(faults(draft, Mode::Add))?;
        let source = self.first_writable()?;
        let id = draft.client_id.as_deref().unwrap_or_default();
        let id = ClientId::new(id).ok_or(Failure::NotFound)?;
        if self.find_somewhere(id.as_str()).await?.is_some() {
            return Err(Failure::Conflict(TAKEN.to_owned()));
        }
        Failure::if_any(source.judge(None, draft).await?)?;
        source.add(&id, draft).await
    }

    /// Changes what the draft says, and nothing else.
    ///
    /// # Errors
    /// What is wrong with it, or that nothing may be changed there.
    pub async fn set(self, id: &str, draft: &ClientDraft) -> Result<Client, Failure> {
        let mut conflict = None;
        for _ in 0..MOST_TRIES {
            let (client, source) = self.find(id).await?;
            source.check_writable()?;
            Failure::if_any(faults(draft, Mode::Update))?;
            Failure::if_any(source.judge(Some(&client), draft).await?)?;
            match source.change(client, draft).await {
                // Of what it does not say, the other's change counts.
                Err(Failure::Conflict(why)) => conflict = Some(why),
                other => return other,
            }
        }
        Err(Failure::Conflict(conflict.unwrap_or_default()))
    }

    /// Deletes a client, and what users have granted to it.
    ///
    /// # Errors
    /// [`Failure::NotFound`], or that nothing may be changed there.
    pub async fn delete(self, id: &str) -> Result<(), Failure> {
        let (client, source) = self.find(id).await?;
        source.check_writable()?;
        source.remove(&client).await
    }

    async fn find(self, id: &str) -> Result<(Client, Source<'a>), Failure> {
        let id = ClientId::new(id).ok_or(Failure::NotFound)?;
        for source in self.sources() {
            if let Some(client) = source.find(&id).await? {
                return Ok((client, source));
            }
        }
        Err(Failure::NotFound)
    }

    async fn find_somewhere(self, id: &str) -> Result<Option<Client>, Failure> {
        match self.get(id).await {
            Ok(client) => Ok(Some(client)),
            Err(Failure::NotFound) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn first_writable(self) -> Result<Source<'a>, Failure> {
        let writable = self.sources().into_iter().find(|source| !source.is_read_only());
        writable.ok_or_else(|| Failure::ReadOnly("no source of clients can be written".to_owned()))
    }

    /// By rank. The database has rank 0, and is the first of those.
    fn sources(self) -> Vec<Source<'a>> {
        let roles = self.0.roster.roles();
        let backends = roles.as_ref().map_or(&[][..], |roles| &roles.client_backends);
        let mut ranked: Vec<_> =
            backends.iter().map(|role| (role.rank, Source::backend(self.0, role))).collect();
        ranked.push((0, Source::database(self.0)));
        ranked.sort_by_key(|(rank, source)| (*rank, !source.is_database()));
        ranked.into_iter().map(|(_, source)| source).collect()
    }
}

const TAKEN: &str = "client_id: is taken; choose another one";

fn faults(draft: &ClientDraft, mode: Mode) -> Vec<String> {
    client::validate(draft, mode)
}

fn is_same(one: &str, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}
