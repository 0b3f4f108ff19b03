//! Ways to authenticate beyond the password. Each is an instance of a plugin; here it is asked, and only here.

mod ask;
mod guards;

use futures_util::future::join_all;
use outboard_core::identity::scheme::{
    Availability, LONGEST_EXPIRATION_S, MOST_USES, SchemeSettings,
};
use outboard_core::identity::scope::Scope;
use outboard_core::identity::user::User;
use serde_json::{Map, Value};

pub(super) use self::guards::Guards;
use super::sessions::{Method, Session, SignedIn};
use super::{Failure, Origin, Parts, now_ms};
use crate::plugin::roles::SchemeRole;

/// The schemes.
#[derive(Clone, Copy)]
pub struct Schemes<'a>(pub(super) &'a Parts);

/// An instance of kind scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// The plugin.
    pub module: String,
    /// The instance.
    pub name: String,
    /// For people.
    pub display_name: String,
    pub settings: SchemeSettings,
}

/// Where a user is who is asked to prove something.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// None: somebody acts for the user.
    pub session: Option<&'a Session>,
    pub origin: &'a Origin,
}

impl Schemes<'_> {
    /// Those in use, by name.
    pub async fn list(self) -> Result<Vec<Scheme>, Failure> {
        let Some(roles) = self.0.roster.roles() else { return Ok(Vec::new()) };
        let mut stored = self.0.store.schemes().list().await?;
        let schemes = roles.schemes.iter().map(|(name, role)| Scheme {
            module: role.plugin.clone(),
            name: name.clone(),
            display_name: role.display_name.clone(),
            settings: stored.remove(name).unwrap_or_else(|| role.settings.clone()),
        });
        Ok(schemes.collect())
    }

    pub async fn get(self, name: &str) -> Result<Scheme, Failure> {
        let role = self.role(name).ok_or(Failure::NotFound)?;
        let stored = self.0.store.schemes().get(name).await?;
        Ok(Scheme {
            module: role.plugin,
            name: name.to_owned(),
            display_name: role.display_name,
            settings: stored.unwrap_or(role.settings),
        })
    }

    /// Says how an instance is to be used from now on, whether its plugin runs or not.
    pub async fn set(self, name: &str, settings: &SchemeSettings) -> Result<(), Failure> {
        if settings.expiration_s > LONGEST_EXPIRATION_S || settings.max_use > MOST_USES {
            return Err(Failure::invalid(format!(
                "expiration must be at most {LONGEST_EXPIRATION_S} s, and max_use at most {MOST_USES}"
            )));
        }
        Ok(self.0.store.schemes().set(name, settings).await?)
    }

    /// The instances that are not asked at the moment, since they did not answer too often, each with the call.
    pub fn held_back(self) -> Vec<(String, &'static str)> {
        self.0.guards.held_back()
    }

    /// Those that a user can use: of a group of a scope of his, and not refused to him by the scheme itself.
    pub async fn of_user(
        self,
        user: &User,
        at: At<'_>,
    ) -> Result<Vec<(Scheme, Availability)>, Failure> {
        let scopes = self.0.store.scopes().get_many(&user.scopes).await?;
        let schemes = self.list().await?.into_iter();
        let own = schemes.filter(|scheme| scopes.iter().any(|scope| uses(scope, &scheme.name)));
        let asked = own.map(async |scheme| {
            let availability = self.availability(&scheme.name, user, at).await;
            (scheme, availability)
        });
        let told = join_all(asked).await.into_iter();
        Ok(told.filter(|(_, told)| *told != Availability::NotAvailable).collect())
    }

    /// Whether one of the user's scopes has the scheme in a group.
    pub async fn is_of_user(self, name: &str, user: &User) -> Result<bool, Failure> {
        let scopes = self.0.store.scopes().get_many(&user.scopes).await?;
        Ok(self.role(name).is_some() && scopes.iter().any(|scope| uses(scope, name)))
    }

    /// Lets a user in who proves by a scheme who they are. `session`: of the cookie, if there is one.
    ///
    /// # Errors
    /// [`Failure::NotFound`]: there is no such scheme. [`Failure::Unauthorized`]: it is not the user, or the scheme is not
    /// one of theirs. [`Failure::Invalid`]: as the scheme says. [`Failure::Limited`]: there were too many wrong ones.
    pub async fn authenticate(
        self,
        cookie: Option<&str>,
        user: &User,
        name: &str,
        value: &Value,
        origin: &Origin,
    ) -> Result<SignedIn, Failure> {
        let scheme = self.get(name).await?;
        if !user.enabled || !self.is_of_user(name, user).await? {
            return Err(Failure::Unauthorized);
        }
        let session = match cookie {
            Some(cookie) => self.0.sessions().find(cookie).await?,
            None => None,
        };
        let session = session.filter(|session| session.has(&user.id));
        let at = At { session: session.as_ref(), origin };
        let attempt = self.0.codes.attempt(&format!("{} by {name}", user.id), &origin.address)?;
        match self.validate(name, user, at, value).await {
            // Dropped, it counts.
            Err(Failure::Unauthorized) => return Err(Failure::Unauthorized),
            validated => {
                attempt.forgive();
                validated?;
            }
        }
        let expires_ms = scheme.settings.expires_ms(now_ms());
        let by = Method::Scheme { instance: name, expires_ms };
        self.0.sessions().sign_in(cookie, user, by, origin).await
    }

    /// Takes what a user has registered back from every scheme, of all of which none keeps the others from it.
    pub async fn deregister_all(self, user: &User, at: At<'_>) -> Result<(), Failure> {
        let schemes = self.list().await?;
        let told = schemes.iter().map(|scheme| self.deregister(&scheme.name, user, at));
        join_all(told).await.into_iter().collect()
    }

    /// What is known of an instance of kind scheme that is in use.
    pub(super) fn role(self, name: &str) -> Option<SchemeRole> {
        self.0.roster.roles()?.schemes.get(name).cloned()
    }
}

impl Scheme {
    /// As the HTTP API shows it to users.
    pub fn to_json(&self) -> Value {
        Value::Object(self.labels())
    }

    /// The same with the settings.
    pub fn to_full_json(&self) -> Value {
        let mut object = self.labels();
        self.settings.add_to(&mut object);
        Value::Object(object)
    }

    fn labels(&self) -> Map<String, Value> {
        let labels =
            [("module", &self.module), ("name", &self.name), ("display_name", &self.display_name)];
        labels.map(|(key, text)| (key.to_owned(), text.as_str().into())).into_iter().collect()
    }
}

fn uses(scope: &Scope, scheme: &str) -> bool {
    scope.groups.iter().any(|group| group.schemes.iter().any(|name| name == scheme))
}
