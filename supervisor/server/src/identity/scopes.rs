//! Scopes as they are kept, and how far a session has come with them.

mod check;

use outboard_core::identity::scope::{Label, Scope};
use outboard_store::identity::Listing;
use serde_json::Value;

pub use check::{Checked, SignedInUser};

use super::{Failure, Parts};

/// The scopes.
#[derive(Clone, Copy)]
pub struct Scopes<'a>(pub(super) &'a Parts);

impl<'a> Scopes<'a> {
    /// By name; `pattern`: a part of a name or of the texts for people.
    pub async fn list(self, pattern: &str, offset: u64, limit: u32) -> Result<Vec<Scope>, Failure> {
        Ok(self.0.store.scopes().list(&Listing { pattern, offset, limit }).await?)
    }

    pub async fn get(self, name: &str) -> Result<Scope, Failure> {
        let found = self.get_many(std::slice::from_ref(&name.to_owned())).await?;
        found.into_iter().next().ok_or(Failure::NotFound)
    }

    /// Those of these that exist, in the order of the names.
    pub async fn get_many(self, names: &[String]) -> Result<Vec<Scope>, Failure> {
        let mut found = self.0.store.scopes().get_many(names).await?;
        in_order_of(names, &mut found);
        Ok(found)
    }

    /// Adds the scope that an object of the HTTP API describes.
    ///
    /// # Errors
    /// [`Failure::Invalid`] with all that is wrong, [`Failure::Conflict`] if there is one of that name.
    pub async fn add(self, object: &Value) -> Result<Scope, Failure> {
        let scope = self.read(object, None)?;
        self.0.store.scopes().insert(&scope).await?;
        Ok(scope)
    }

    /// Replaces all of a scope but its name.
    pub async fn set(self, name: &str, object: &Value) -> Result<Scope, Failure> {
        let scope = self.read(object, Some(name))?;
        self.0.store.scopes().update(&scope).await?;
        Ok(scope)
    }

    /// Removes a scope. Whoever has it has it again when there is one of that name again.
    ///
    /// # Errors
    /// [`Failure::NotFound`], and [`Failure::Invalid`] for the two that the host itself goes by: without them nobody could
    /// do anything any more.
    pub async fn delete(self, name: &str) -> Result<(), Failure> {
        let settings = &self.0.settings;
        for (own, key) in
            [(&settings.admin_scope, "admin_scope"), (&settings.profile_scope, "profile_scope")]
        {
            if own == name {
                let error = format!(
                    "name: {name:?} is the scope that login.{key} names, and can't be deleted; configure another one first"
                );
                return Err(Failure::Invalid(vec![error]));
            }
        }
        let was_there = self.0.store.scopes().delete(name).await?;
        was_there.then_some(()).ok_or(Failure::NotFound)
    }

    /// The object of the HTTP API.
    pub fn show(self, scope: &Scope) -> Value {
        scope.to_json(|scheme| self.label(scheme))
    }

    /// What an object says, if it says nothing wrong and names schemes that there are.
    pub fn read(self, object: &Value, name: Option<&str>) -> Result<Scope, Failure> {
        let scope = Scope::from_json(object, name).map_err(Failure::Invalid)?;
        let unknown: Vec<_> = scope
            .schemes()
            .into_iter()
            .filter(|scheme| self.label(scheme).is_none())
            .map(|scheme| {
                format!(
                    "scheme names {scheme:?}, which is no instance of kind scheme; make it first"
                )
            })
            .collect();
        if unknown.is_empty() { Ok(scope) } else { Err(Failure::Invalid(unknown)) }
    }

    fn label(self, scheme: &str) -> Option<Label> {
        let scheme = self.schemes().role(scheme)?;
        Some(Label { module: scheme.plugin, display_name: scheme.display_name })
    }

    fn schemes(self) -> super::schemes::Schemes<'a> {
        super::schemes::Schemes(self.0)
    }
}

fn in_order_of(names: &[String], scopes: &mut [Scope]) {
    scopes.sort_by_key(|scope| names.iter().position(|name| *name == scope.name));
}
