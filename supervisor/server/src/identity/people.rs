//! Users, wherever they are kept.

mod asked;
mod passwords;
mod principal;

use outboard_core::identity::name::UserName;
use outboard_core::identity::user::{MUST_CHANGE_PASSWORD, Mode, User, UserDraft, UserId};
use outboard_store::identity::SessionUser;
use serde_json::Value;

use super::sources::{ListQuery, Source, Sources};
use super::{Failure, Identity, Parts};

/// The users of all sources.
#[derive(Clone, Copy, Debug)]
pub struct People<'a>(pub(in crate::identity) &'a Parts);

impl Identity {
    pub fn people(&self) -> People<'_> {
        People(&self.0)
    }
}

impl Parts {
    pub(in crate::identity) fn people(&self) -> People<'_> {
        People(self)
    }
}

impl<'a> People<'a> {
    /// By name, those of the first source first.
    ///
    /// # Errors
    /// If a source can't say.
    pub async fn list(self, query: &ListQuery<'_>) -> Result<Vec<User>, Failure> {
        Sources(self.0).list(query).await
    }

    /// The user of this name, in the first source that has one.
    ///
    /// # Errors
    /// [`Failure::NotFound`], or that a source can't say.
    pub async fn get(self, name: &str) -> Result<User, Failure> {
        Ok(self.find(name).await?.0)
    }

    /// The user of this id, as long as the name is still his.
    ///
    /// # Errors
    /// [`Failure::NotFound`], or that the source can't say.
    pub async fn get_by_id(self, id: &UserId) -> Result<User, Failure> {
        if let Some(user) = self.0.store.users().get_by_id(id.as_str()).await? {
            return Ok(user);
        }
        let account = self.0.store.accounts().get(id.as_str()).await?;
        let account = account.filter(|account| account.deleted_ms.is_none());
        let account = account.ok_or(Failure::NotFound)?;
        let source = self.source(&account.source).ok_or(Failure::NotFound)?;
        let name = UserName::stored(account.username, account.name_key);
        let user = source.find(&name).await?;
        user.filter(|user| user.id == *id).ok_or(Failure::NotFound)
    }

    /// The user that a session knows, as the source has it that keeps it.
    pub(in crate::identity) async fn of_session(
        self,
        known: &SessionUser,
    ) -> Result<Option<User>, Failure> {
        let Some(source) = self.source(&known.source) else { return Ok(None) };
        let name = UserName::stored(known.username.clone(), known.name_key.clone());
        let user = source.find(&name).await?;
        Ok(user.filter(|user| user.id.as_str() == known.account))
    }

    /// Judges a user to be (without a `name`), or a change of one.
    ///
    /// # Errors
    /// [`Failure::Invalid`], each beginning with the name of a field; or that nothing may be changed there.
    pub async fn validate(
        self,
        name: Option<&str>,
        draft: &UserDraft,
        mode: Mode,
    ) -> Result<(), Failure> {
        Sources(self.0).validate::<User>(name, draft, mode).await
    }

    /// Adds a user to the first source that can be written.
    ///
    /// # Errors
    /// What is wrong with it, or that the name is taken.
    pub async fn add(self, draft: &UserDraft) -> Result<User, Failure> {
        Sources(self.0).add(draft, None).await
    }

    /// Adds a user whose passwords are only known by what another system has kept of them.
    ///
    /// # Errors
    /// As [`Self::add`]; and [`Failure::Invalid`] if one is of an unknown form.
    pub async fn import(self, draft: &UserDraft, hashes: Vec<String>) -> Result<User, Failure> {
        Sources(self.0).add(draft, Some(hashes)).await
    }

    /// Adds a user to the database, whatever other sources have or say.
    pub(in crate::identity) async fn add_own(self, draft: &UserDraft) -> Result<User, Failure> {
        Sources(self.0).add_own(draft).await
    }

    /// Changes what the draft says, and nothing else.
    ///
    /// # Errors
    /// What is wrong with it, or that nothing may be changed there.
    pub async fn set(self, name: &str, draft: &UserDraft) -> Result<User, Failure> {
        self.change(name, draft, Mode::Update).await
    }

    /// Changes what users may change of themselves.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub async fn set_profile(self, name: &str, draft: &UserDraft) -> Result<User, Failure> {
        self.change(name, draft, Mode::Profile).await
    }

    /// Gives a user one new password, instead of all others.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub async fn set_password(self, name: &str, password: &str) -> Result<(), Failure> {
        let chosen = [(MUST_CHANGE_PASSWORD.to_owned(), Value::Null)];
        let draft = UserDraft {
            password: Some(vec![password.to_owned()]),
            properties: chosen.into_iter().collect(),
            ..UserDraft::default()
        };
        self.change(name, &draft, Mode::Update).await.map(drop)
    }

    async fn change(self, name: &str, draft: &UserDraft, mode: Mode) -> Result<User, Failure> {
        Sources(self.0).change(name, draft, mode).await
    }

    pub(in crate::identity) async fn find(
        self,
        name: &str,
    ) -> Result<(User, Source<'a, User>), Failure> {
        Sources(self.0).find(name).await
    }

    fn source(self, name: &str) -> Option<Source<'a, User>> {
        Sources(self.0).ranked::<User>().into_iter().find(|source| source.name() == name)
    }

    pub(in crate::identity) fn source_names(self) -> Vec<String> {
        let sources = Sources(self.0).ranked::<User>();
        sources.iter().map(|source| source.name().to_owned()).collect()
    }
}
