//! Users in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use outboard_sdk::{
    BackendError, BackendPage, BackendQuery, BackendUser, UserBackend, UserChange, merge_properties,
};

use super::{Entry, Lie, changed, refused};
use crate::trouble::Trouble;
use crate::{Instance, Mock};

/// A user and its password.
#[derive(Clone)]
struct Kept {
    user: BackendUser,
    password: Option<String>,
}

/// Those of one instance.
pub(crate) struct Users {
    /// By name in lower case.
    kept: Mutex<BTreeMap<String, Kept>>,
    read_only: bool,
    lie: Option<Lie>,
    trouble: Trouble,
}

impl Users {
    pub(super) fn new(
        entries: Vec<Entry>,
        read_only: bool,
        lie: Option<Lie>,
        trouble: Trouble,
    ) -> Self {
        let kept = entries.into_iter().map(|it| (it.id.to_lowercase(), kept(it))).collect();
        Self { kept: Mutex::new(kept), read_only, lie, trouble }
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self, user: BackendUser) -> BackendUser {
        let Some(lie) = self.lie else { return user };
        let username = lie.about_name(user.username.clone());
        let properties = lie.about_properties(user.properties.clone());
        BackendUser { username, properties, ..user }
    }

    fn page(&self, query: &BackendQuery) -> BackendPage<BackendUser> {
        let pattern = query.pattern.to_lowercase();
        let kept = self.kept();
        let matching = kept.values().filter(|it| is_like(&it.user, &pattern));
        let page = query.page(matching.map(|it| self.told(it.user.clone())));
        self.lie.map_or(page.clone(), |lie| lie.about_page(page))
    }

    /// What every call that writes begins with.
    fn writable(&self) -> Result<(), BackendError> {
        if self.read_only { Err(BackendError::ReadOnly) } else { Ok(()) }
    }

    fn set(&self, name: &str, change: UserChange) -> Result<(), BackendError> {
        let mut kept = self.kept();
        let kept = kept.get_mut(&name.to_lowercase()).ok_or(BackendError::NotFound)?;
        apply(kept, change);
        Ok(())
    }
}

fn kept(entry: Entry) -> Kept {
    let Entry { id, name, email, enabled, scopes, properties, password, .. } = entry;
    let user = BackendUser { username: id, name, email, enabled, scopes, properties };
    Kept { user, password }
}

fn is_like(user: &BackendUser, pattern: &str) -> bool {
    let fields = [Some(&user.username), user.name.as_ref(), user.email.as_ref()];
    fields.into_iter().flatten().any(|field| field.to_lowercase().contains(pattern))
}

fn apply(kept: &mut Kept, change: UserChange) {
    let UserChange { name, email, enabled, scopes, properties, password, .. } = change;
    changed(&mut kept.user.name, name);
    changed(&mut kept.user.email, email);
    kept.user.enabled = enabled.unwrap_or(kept.user.enabled);
    kept.user.scopes = scopes.unwrap_or(std::mem::take(&mut kept.user.scopes));
    merge_properties(&mut kept.user.properties, properties);
    kept.password = password.or(kept.password.take());
}

impl Instance {
    /// Notes a call of the host's, and gets it wrong where that was asked for.
    async fn begin_users(&self, call: &'static str, name: &str) -> Result<&Users, BackendError> {
        self.asked.count(call);
        self.users.trouble.make(call, name).await.map_err(BackendError::Unavailable)?;
        Ok(&self.users)
    }
}

impl UserBackend for Mock {
    async fn list_users(
        &self,
        instance: Arc<Instance>,
        query: BackendQuery,
    ) -> Result<BackendPage<BackendUser>, BackendError> {
        Ok(instance.begin_users("list_users", "").await?.page(&query))
    }

    async fn get_user(
        &self,
        instance: Arc<Instance>,
        username: String,
    ) -> Result<Option<BackendUser>, BackendError> {
        let users = instance.begin_users("get_user", &username).await?;
        let found = users.kept().get(&username.to_lowercase()).map(|it| it.user.clone());
        Ok(found.map(|user| users.told(user)))
    }

    async fn check_user_password(
        &self,
        instance: Arc<Instance>,
        username: String,
        password: String,
    ) -> Result<bool, BackendError> {
        let users = instance.begin_users("check_user_password", &username).await?;
        let found = users.kept().get(&username.to_lowercase()).and_then(|it| it.password.clone());
        Ok(users.lie == Some(Lie::Yes) || found.is_some_and(|it| it == password))
    }

    async fn validate_user(
        &self,
        instance: Arc<Instance>,
        username: Option<String>,
        change: UserChange,
    ) -> Result<Vec<String>, BackendError> {
        let about = username.clone().or(change.username.clone()).unwrap_or_default();
        let users = instance.begin_users("validate_user", &about).await?;
        users.writable()?;
        let is_kept = users.kept().contains_key(&about.to_lowercase());
        let mut errors = refused(&change.properties);
        match username {
            None if is_kept => errors.push("username: is taken".to_owned()),
            None if about.is_empty() => errors.push("username: is missing".to_owned()),
            Some(_) if !is_kept => return Err(BackendError::NotFound),
            _ => {}
        }
        Ok(errors)
    }

    async fn add_user(
        &self,
        instance: Arc<Instance>,
        user: UserChange,
    ) -> Result<(), BackendError> {
        let name = user.username.clone().unwrap_or_default();
        let users = instance.begin_users("add_user", &name).await?;
        users.writable()?;
        if name.is_empty() {
            return Err(BackendError::Invalid("a user has a name".to_owned()));
        }
        let mut kept = users.kept();
        if kept.contains_key(&name.to_lowercase()) {
            return Err(BackendError::Exists);
        }
        let mut new = Kept { user: BackendUser::new(&name), password: None };
        apply(&mut new, user);
        kept.insert(name.to_lowercase(), new);
        Ok(())
    }

    async fn set_user(
        &self,
        instance: Arc<Instance>,
        username: String,
        change: UserChange,
    ) -> Result<(), BackendError> {
        let users = instance.begin_users("set_user", &username).await?;
        users.writable()?;
        users.set(&username, change)
    }

    async fn set_user_password(
        &self,
        instance: Arc<Instance>,
        username: String,
        password: String,
    ) -> Result<(), BackendError> {
        let users = instance.begin_users("set_user_password", &username).await?;
        users.writable()?;
        let mut kept = users.kept();
        let kept = kept.get_mut(&username.to_lowercase()).ok_or(BackendError::NotFound)?;
        kept.password = Some(password);
        Ok(())
    }

    async fn delete_user(
        &self,
        instance: Arc<Instance>,
        username: String,
    ) -> Result<(), BackendError> {
        let users = instance.begin_users("delete_user", &username).await?;
        users.writable()?;
        users.kept().remove(&username.to_lowercase());
        Ok(())
    }
}
