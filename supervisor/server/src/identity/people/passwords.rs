//! Whether somebody is who he says: limited, and telling nothing to those who guess.

use outboard_core::identity::name::{LONGEST_NAME, UserName};
use outboard_core::identity::password;
use outboard_core::identity::user::User;

use super::People;
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

    async fn check(self, name: &str, password: &str) -> Result<User, Failure> {
        let is_possible = password::is_possible(password);
        let found = match self.find(name).await {
            Err(Failure::NotFound) => None,
            found => Some(found?),
        };
        let Some((user, source)) = found.filter(|_| is_possible) else {
            self.0.passwords.pretend("nobody's").await?;
            return Err(if is_possible { Failure::NotFound } else { Failure::Unauthorized });
        };
        if !source.is_password(&user, password).await? || !user.enabled {
            return Err(Failure::Unauthorized);
        }
        Ok(user)
    }
}
