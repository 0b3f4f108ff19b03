//! The first start: somebody has to be there who can let in others.

use outboard_core::identity::scope::Scope;
use outboard_core::identity::user::{MUST_CHANGE_PASSWORD, UserDraft};
use outboard_store::identity::{IdentityError, Listing};
use rand::RngExt as _;
use rand::distr::Alphanumeric;
use serde_json::Value;

use super::{Failure, Identity};

/// Characters of the first password: 119 bits.
const LENGTH: usize = 20;

/// The administrator of a first start, with a password that is for one sign-in. It is shown once, and not in a log.
pub struct First {
    pub username: String,
    pub password: String,
}

impl Identity {
    /// Makes the scopes of the host's own and an administrator, in a database that has no user yet.
    ///
    /// # Errors
    /// If the database can't be asked, or `login.admin_name` is no name.
    pub async fn begin(&self) -> Result<Option<First>, Failure> {
        let one = Listing { limit: 1, ..Listing::ALL };
        if !self.0.store.users().list(&one).await?.is_empty() {
            return Ok(None);
        }
        self.make_scopes().await?;
        let (username, password) = (self.settings().admin_name.clone(), password());
        let must_change = (MUST_CHANGE_PASSWORD.to_owned(), Value::from("yes"));
        let draft = UserDraft {
            username: Some(username.clone()),
            scopes: Some(vec![
                self.settings().admin_scope.clone(),
                self.settings().profile_scope.clone(),
            ]),
            properties: [must_change].into_iter().collect(),
            password: Some(vec![password.clone()]),
            ..UserDraft::default()
        };
        match self.people().add_own(&draft).await {
            Ok(_) => Ok(Some(First { username, password })),
            // Another supervisor on the same database was quicker, or the last user is just being forgotten.
            Err(Failure::Conflict(_)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn make_scopes(&self) -> Result<(), Failure> {
        let settings = self.settings();
        for (name, display_name, description) in [
            (&settings.admin_scope, "Administration", "Everything that the API can do"),
            (&settings.profile_scope, "Profile", "What users may see and do of themselves"),
        ] {
            let scope = Scope::by_password(name, display_name, description);
            match self.0.store.scopes().insert(&scope).await {
                Ok(()) | Err(IdentityError::AlreadyExists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Letters and digits that nobody can guess.
fn password() -> String {
    rand::rng().sample_iter(Alphanumeric).take(LENGTH).map(char::from).collect()
}
