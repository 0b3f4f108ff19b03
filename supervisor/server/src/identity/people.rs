//! Users, wherever they are kept.

mod backend;
mod database;
mod passwords;
pub(in crate::identity) mod source;

use outboard_core::identity::name::UserName;
use outboard_core::identity::password;
use outboard_core::identity::user::{self, MUST_CHANGE_PASSWORD, Mode, User, UserDraft, UserId};
use serde_json::Value;

use self::source::Source;
use super::{Failure, Identity, Parts};

/// Times that a change is made anew because somebody else has made one meanwhile.
const MOST_TRIES: usize = 5;

/// The users of all sources.
#[derive(Clone, Copy, Debug)]
pub struct People<'a>(pub(in crate::identity) &'a Parts);

/// Which users.
#[derive(Clone, Copy, Debug)]
pub struct ListQuery<'a> {
    /// Part of a user name, name or e-mail, without regard to ASCII case. Empty: all.
    pub pattern: &'a str,
    pub offset: u64,
    pub limit: u32,
    /// Only of this source.
    pub source: Option<&'a str>,
}

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
        let (mut offset, mut users) = (query.offset, Vec::new());
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        for source in self.sources() {
            if query.source.is_some_and(|wanted| wanted != source.name()) {
                continue;
            }
            let room = limit.saturating_sub(users.len());
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
            users.extend(page);
        }
        Ok(users)
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
        let mut faults = self.faults(draft, mode);
        let Some(name) = name else {
            let source = self.first_writable()?;
            if let Some(username) = &draft.username
                && self.find_somewhere(username).await?.is_some()
            {
                faults.push(TAKEN.to_owned());
            }
            if faults.is_empty() {
                faults = source.judge(None, draft).await?;
            }
            return Failure::if_any(faults);
        };
        let (user, source) = self.find(name).await?;
        source.check_writable()?;
        if faults.is_empty() {
            faults = source.judge(Some(&user), draft).await?;
        }
        Failure::if_any(faults)
    }

    /// Adds a user to the first source that can be written.
    ///
    /// # Errors
    /// What is wrong with it, or that the name is taken.
    pub async fn add(self, draft: &UserDraft) -> Result<User, Failure> {
        Failure::if_any(self.faults(draft, Mode::Add))?;
        self.add_judged(draft, None).await
    }

    /// Adds a user whose passwords are only known by what another system has kept of them.
    ///
    /// # Errors
    /// As [`Self::add`]; and [`Failure::Invalid`] if one is of an unknown form.
    pub async fn import(self, draft: &UserDraft, hashes: Vec<String>) -> Result<User, Failure> {
        let mut faults = self.faults(draft, Mode::Add);
        if !hashes.iter().all(|hash| super::is_hash(hash)) {
            faults.push("password: is not of a known form".to_owned());
        }
        Failure::if_any(faults)?;
        self.add_judged(draft, Some(hashes)).await
    }

    /// Adds a user to the database, whatever other sources have or say.
    pub(in crate::identity) async fn add_own(self, draft: &UserDraft) -> Result<User, Failure> {
        Failure::if_any(self.faults(draft, Mode::Add))?;
        Source::database(self.0).add(&name_of(draft)?, draft, None).await
    }

    async fn add_judged(
        self,
        draft: &UserDraft,
        hashes: Option<Vec<String>>,
    ) -> Result<User, Failure> {
        let source = self.first_writable()?;
        let name = name_of(draft)?;
        if self.find_somewhere(name.shown()).await?.is_some() {
            return Err(Failure::Conflict(TAKEN.to_owned()));
        }
        Failure::if_any(source.judge(None, draft).await?)?;
        source.add(&name, draft, hashes).await
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
        let faults = self.faults(draft, mode);
        let mut conflict = None;
        for _ in 0..MOST_TRIES {
            let (user, source) = self.find(name).await?;
            source.check_writable()?;
            Failure::if_any(faults.clone())?;
            Failure::if_any(source.judge(Some(&user), draft).await?)?;
            match source.change(user, draft).await {
                // Of what it does not say, the other's change counts.
                Err(Failure::Conflict(why)) => conflict = Some(why),
                other => return other,
            }
        }
        Err(Failure::Conflict(conflict.unwrap_or_default()))
    }

    fn faults(self, draft: &UserDraft, mode: Mode) -> Vec<String> {
        let mut faults = user::validate(draft, mode);
        let least = self.0.settings.least_password;
        let passwords = draft.password.iter().flatten();
        faults.extend(passwords.filter_map(|new| password::fault(new, least)));
        faults.sort_unstable();
        faults.dedup();
        faults
    }

    pub(in crate::identity) async fn find(self, name: &str) -> Result<(User, Source<'a>), Failure> {
        let name = UserName::new(name).map_err(|_| Failure::NotFound)?;
        for source in self.sources() {
            if let Some(user) = source.find(&name).await? {
                return Ok((user, source));
            }
        }
        Err(Failure::NotFound)
    }

    /// `None` also for what is no name.
    async fn find_somewhere(self, name: &str) -> Result<Option<User>, Failure> {
        match self.get(name).await {
            Ok(user) => Ok(Some(user)),
            Err(Failure::NotFound) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn first_writable(self) -> Result<Source<'a>, Failure> {
        let writable = self.sources().into_iter().find(|source| !source.is_read_only());
        writable.ok_or_else(|| Failure::ReadOnly("no source of users can be written".to_owned()))
    }

    fn source(self, name: &str) -> Option<Source<'a>> {
        self.sources().into_iter().find(|source| source.name() == name)
    }

    pub(in crate::identity) fn source_names(self) -> Vec<String> {
        self.sources().iter().map(|source| source.name().to_owned()).collect()
    }

    /// By rank. The database has rank 0, and is the first of those.
    fn sources(self) -> Vec<Source<'a>> {
        let roles = self.0.roster.roles();
        let backends = roles.as_ref().map_or(&[][..], |roles| &roles.user_backends);
        let mut ranked: Vec<_> =
            backends.iter().map(|role| (role.rank, Source::backend(self.0, role))).collect();
        ranked.push((0, Source::database(self.0)));
        ranked.sort_by_key(|(rank, source)| (*rank, !source.is_database()));
        ranked.into_iter().map(|(_, source)| source).collect()
    }
}

fn name_of(draft: &UserDraft) -> Result<UserName, Failure> {
    let name = UserName::new(draft.username.as_deref().unwrap_or_default());
    name.map_err(|error| Failure::invalid(format!("username: {error}")))
}

const TAKEN: &str = "username: is taken; choose another one";
