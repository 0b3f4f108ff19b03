//! Whether somebody is who he says: limited, and telling nothing to those who guess.

use outboard_core::identity::name::{LONGEST_NAME, UserName};
use outboard_core::identity::password;
use outboard_core::identity::user::User;

use super::People;
use crate::identity::sources::Sources;
use crate::identity::{Failure, Origin};

impl People<'_> {
    /// The user of this name, if that is the password and he may sign in.
    ///
    /// Nobody takes as long as somebody whose password is wrong. To people, say the same of both.
    ///
    /// # Errors
    /// [`Failure::NotFound`], [`Failure::Unauthorized`] or [`Failure::Limited`], or that the source can't say.
    pub async fn check_password(
        self,
        name: &str,
        password: &str,
        origin: &Origin,
    ) -> Result<User, Failure> {
        let key = UserName::new(name).map(|name| name.key().to_owned());
        // What is no name is counted as well.
        let no_name =
            |_| format!("no name {}", name.chars().take(LONGEST_NAME).collect::<String>());
        let key = key.unwrap_or_else(no_name);
        let attempt = self.0.limits.attempt(&key, &origin.address)?;
        match self.check(name, password).await {
            Ok(user) => {
                attempt.forgive();
                Ok(user)
            }
            Err(failure) => {
                if !matches!(failure, Failure::NotFound | Failure::Unauthorized) {
                    attempt.forgive();
                }
                Err(failure)
            }
        }
    }

    /// Those of these scopes that the user has and that need nothing but a password.
    ///
    /// # Errors
    /// If the database can't be asked.
    pub async fn scopes_by_password(
        self,
        user: &User,
        names: &[String],
    ) -> Result<Vec<String>, Failure> {
        let mut own: Vec<_> = names.iter().filter(|name| user.has_scope(name)).cloned().collect();
        own.dedup();
        let mut scopes = self.0.store.scopes().get_many(&own).await?;
        scopes.retain(|scope| scope.groups.iter().all(|group| group.required == 0));
        Ok(scopes.into_iter().map(|scope| scope.name).collect())
    }

    /// Gives a user the password that they have chosen. One that is good for one sign-in only is no choice.
    ///
    /// # Errors
    /// As [`Self::set_password`].
    pub async fn choose_password(self, user: &User, password: &str) -> Result<(), Failure> {
        let name = user.username.shown();
        if user.must_change_password() {
            let known = self.known(name, password).await?;
            if known.is_some_and(|(_, is_right)| is_right) {
                return Err(Failure::invalid("password: is the one to be changed; choose another"));
            }
        }
        self.set_password(name, password).await
    }

    async fn check(self, name: &str, password: &str) -> Result<User, Failure> {
        if !password::is_possible(password) {
            self.0.passwords.pretend("nobody's").await?;
            return Err(Failure::Unauthorized);
        }
        let Some((user, is_right)) = self.known(name, password).await? else {
            self.0.passwords.pretend("nobody's").await?;
            return Err(Failure::NotFound);
        };
        if is_right && user.enabled { Ok(user) } else { Err(Failure::Unauthorized) }
    }

    /// The user of this name, in the first source that has one, and whether that is the password.
    async fn known(self, name: &str, password: &str) -> Result<Option<(User, bool)>, Failure> {
        let Ok(name) = UserName::new(name) else { return Ok(None) };
        for source in Sources(self.0).ranked::<User>() {
            if let Some(known) = source.check_password(&name, password).await? {
                return Ok(Some(known));
            }
        }
        Ok(None)
    }
}
