//! What is told of a scope to pages, plugins and clients of the HTTP API.

use serde_json::{Map, Value, json};

use crate::identity::scope::Scope;

/// How far a session has come with a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeState {
    pub name: String,
    /// For people, as the description.
    pub display_name: String,
    pub description: String,
    /// The user has it, and each of its groups has a scheme that can be used. The rest is only told then.
    pub is_available: bool,
    /// Also where the user must choose another password first.
    pub password_required: bool,
    /// The password was given, recently enough, and is not one to be changed.
    pub password_authenticated: bool,
    pub password_last_login_ms: Option<i64>,
    pub groups: Vec<GroupState>,
}

/// A group, with the schemes that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupState {
    pub name: String,
    /// How many of them are needed.
    pub required: u32,
    pub schemes: Vec<SchemeState>,
}

/// A scheme as a session's user has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemeState {
    /// The plugin.
    pub module: String,
    /// The instance.
    pub name: String,
    /// For people.
    pub display_name: String,
    pub is_registered: bool,
    /// The session has authenticated with it, and that still counts.
    pub is_authenticated: bool,
    pub last_login_ms: Option<i64>,
    /// It may only be used so often.
    pub wears_out: bool,
}

impl ScopeState {
    /// Of a scope that the user can't have.
    pub(super) fn unavailable(scope: &Scope) -> Self {
        Self {
            name: scope.name.clone(),
            display_name: scope.display_name.clone(),
            description: scope.description.clone(),
            is_available: false,
            password_required: false,
            password_authenticated: false,
            password_last_login_ms: None,
            groups: Vec::new(),
        }
    }

    /// Whether all is proved that it needs.
    pub fn is_satisfied(&self) -> bool {
        let password = !self.password_required || self.password_authenticated;
        self.is_available && password && self.groups.iter().all(GroupState::is_satisfied)
    }

    /// The schemes of its groups.
    pub fn schemes(&self) -> impl Iterator<Item = &SchemeState> {
        self.groups.iter().flat_map(|group| &group.schemes)
    }

    /// The object of the HTTP API, which stands there under the scope's name. Times are seconds since 1970.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("available".into(), self.is_available.into());
        object.insert("display_name".into(), self.display_name.as_str().into());
        object.insert("description".into(), self.description.as_str().into());
        if self.is_available {
            object.insert("password_required".into(), self.password_required.into());
            object.insert("password_authenticated".into(), self.password_authenticated.into());
            if let Some(at) = self.password_last_login_ms {
                object.insert("password_last_login".into(), seconds(at).into());
            }
        }
        let groups = self.groups.iter().map(|group| {
            let schemes = group.schemes.iter().map(SchemeState::to_json);
            (group.name.clone(), schemes.collect())
        });
        object.insert("schemes".into(), Value::Object(groups.collect()));
        let required =
            self.groups.iter().map(|group| (group.name.clone(), Value::from(group.required)));
        object.insert("scheme_required".into(), Value::Object(required.collect()));
        Value::Object(object)
    }
}

impl GroupState {
    /// A group that asks for nothing is satisfied by nothing, but never one that has no scheme left.
    pub fn is_satisfied(&self) -> bool {
        let count = self.schemes.iter().filter(|scheme| scheme.is_authenticated).count();
        u32::try_from(count).is_ok_and(|count| count >= self.required)
    }
}

impl SchemeState {
    fn to_json(&self) -> Value {
        let mut object = json!({
            "scheme_type": self.module,
            "scheme_name": self.name,
            "scheme_display_name": self.display_name,
            "scheme_registered": self.is_registered,
            "scheme_authenticated": self.is_authenticated,
        });
        if let Some(at) = self.last_login_ms {
            object["scheme_last_login"] = seconds(at).into();
        }
        object
    }
}

fn seconds(ms: i64) -> i64 {
    ms.div_euclid(1000)
}
