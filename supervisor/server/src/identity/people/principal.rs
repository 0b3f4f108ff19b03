//! Users, as sources keep them.

use outboard_core::identity::name::UserName;
use outboard_core::identity::password;
use outboard_core::identity::property::Properties;
use outboard_core::identity::user::{self, Mode, User, UserDraft, UserId};

use crate::identity::sources::{Principal, Source};
use crate::identity::{Failure, Settings};
use crate::plugin::roles::{BackendRole, Roles};

impl Principal for User {
    type Name = UserName;
    type Draft = UserDraft;

    const NAME: &'static str = "username";

    fn backends(roles: &Roles) -> &[BackendRole] {
        &roles.user_backends
    }

    fn new(name: UserName, source: &str) -> Self {
        Self {
            id: UserId::stored(uuid::Uuid::now_v7().to_string()),
            username: name,
            name: None,
            email: None,
            enabled: true,
            scopes: Vec::new(),
            properties: Properties::new(),
            source: source.to_owned(),
            passwords: 1,
            last_login_ms: None,
            revision: 0,
        }
    }

    fn name(&self) -> &UserName {
        &self.username
    }

    fn read_name(text: &str) -> Option<UserName> {
        UserName::new(text).ok()
    }

    fn key(name: &UserName) -> &str {
        name.key()
    }

    fn name_in(draft: &UserDraft) -> Option<&str> {
        draft.username.as_deref()
    }

    fn passwords_in(draft: &UserDraft) -> Option<&[String]> {
        draft.password.as_deref()
    }

    fn faults(draft: &UserDraft, mode: Mode, settings: &Settings) -> Vec<String> {
        let mut faults = user::validate(draft, mode);
        let least = settings.least_password;
        let passwords = draft.password.iter().flatten();
        faults.extend(passwords.filter_map(|new| password::fault(new, least)));
        faults.sort_unstable();
        faults.dedup();
        faults
    }

    fn apply(&mut self, draft: &UserDraft) {
        self.change(draft);
    }
}

impl Source<'_, User> {
    /// The user of this name, and whether that is the password. Where there is one, it takes its time.
    pub(in crate::identity) async fn check_password(
        &self,
        name: &UserName,
        password: &str,
    ) -> Result<Option<(User, bool)>, Failure> {
        if let Self::Database(database) = self {
            return database.check_password(name, password).await;
        }
        let Some(user) = self.find(name).await? else { return Ok(None) };
        let is_right = self.is_password(&user, password).await?;
        Ok(Some((user, is_right)))
    }

    /// Takes a user away from a plugin that keeps him. What the database has goes with the account.
    pub(in crate::identity) async fn remove(&self, user: &User) -> Result<(), Failure> {
        match self {
            Self::Database(_) => Ok(()),
            Self::Backend(backend) => match backend.remove(user).await {
                Err(Failure::NotFound) => Ok(()),
                removed => removed,
            },
        }
    }
}
