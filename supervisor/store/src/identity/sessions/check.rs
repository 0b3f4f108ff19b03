//! A session with its current user and the scopes that it is asked about: one statement, since plugins and endpoints ask
//! with every request.

use outboard_core::identity::name::UserName;
use outboard_core::identity::scope::Scope;
use outboard_core::identity::user::{DATABASE, User, UserId};
use sqlx::{FromRow, QueryBuilder};

use super::find::{Row, columns, gather, joins, order};
use super::{CheckedSession, Session, Sessions};
use crate::error::StoreError;
use crate::identity::handle::{count, names_read, properties_read};
use crate::identity::scopes::groups_read;
use crate::outbox::rows::text;
use crate::pools::on;

/// Up to the hash. A row for each authentication and scope.
const SELECT: &str = concat!(
    "SELECT ",
    columns!(),
    ", user_detail.name AS full_name, email, user_detail.enabled AS may_sign_in, scopes, properties, \
     user_detail.last_login_ms AS user_signed_in_ms, revision, \
     (SELECT COUNT(*) FROM user_password WHERE user_password.account = user_detail.account) AS passwords, \
     scope.name AS scope_name, display_name, description, password_required, password_max_age_s, scope_groups \
     FROM (SELECT * FROM session WHERE hash = "
);
/// Between the time and the names of the scopes.
const JOINS: &str = concat!(
    ") AS session",
    joins!(),
    " LEFT JOIN user_detail ON user_detail.account = account.id AND is_current = TRUE \
     LEFT JOIN scope ON "
);
const ORDER: &str = concat!(order!(), ", scope.name");

#[derive(FromRow)]
struct CheckedRow {
    #[sqlx(flatten)]
    session: Row,
    #[sqlx(flatten)]
    detail: Detail,
    #[sqlx(flatten)]
    scope: ScopeColumns,
}

/// Of the current user, and of nobody else.
#[derive(FromRow)]
struct Detail {
    full_name: Option<String>,
    email: Option<String>,
    may_sign_in: Option<bool>,
    scopes: Option<String>,
    properties: Option<String>,
    user_signed_in_ms: Option<i64>,
    revision: Option<i64>,
    passwords: i64,
}

#[derive(FromRow)]
struct ScopeColumns {
    scope_name: Option<String>,
    display_name: Option<String>,
    description: Option<String>,
    password_required: Option<bool>,
    password_max_age_s: Option<i64>,
    scope_groups: Option<String>,
}

impl Sessions<'_> {
    /// What the cookie with this hash stands for now, if anything, with its current user and those of these scopes that
    /// there are.
    pub async fn check(
        self,
        hash: &str,
        now_ms: i64,
        scopes: &[String],
    ) -> Result<Option<CheckedSession>, StoreError> {
        let rows: Result<Vec<CheckedRow>, _> = on!(&self.store.pools, pool => {
            let mut query = QueryBuilder::new(SELECT);
            query.push_bind(text(hash)).push(" AND expires_ms > ").push_bind(now_ms).push(JOINS);
            if scopes.is_empty() {
                query.push("FALSE");
            } else {
                let mut names = query.push("scope.name IN (").separated(", ");
                for name in scopes {
                    names.push_bind(text(name));
                }
                query.push(")");
            }
            query.push(ORDER).build_query_as().fetch_all(pool).await
        });
        Ok(checked(self.told("check a session", rows)?))
    }
}

fn checked(rows: Vec<CheckedRow>) -> Option<CheckedSession> {
    let (mut known, mut details, mut scopes) = (Vec::new(), None, Vec::<Scope>::new());
    for CheckedRow { session, detail, scope } in rows {
        let scope = scope.read();
        scopes.extend(scope.filter(|new| scopes.iter().all(|scope| scope.name != new.name)));
        if detail.revision.is_some() {
            details = Some(detail);
        }
        known.push(session);
    }
    let session = gather(known).pop()?;
    let user = details.and_then(|detail| detail.read(&session));
    Some(CheckedSession { session, user, scopes })
}

impl Detail {
    fn read(self, session: &Session) -> Option<User> {
        let current = session.current()?;
        Some(User {
            id: UserId::stored(current.account.clone()),
            username: UserName::stored(current.username.clone(), current.name_key.clone()),
            name: self.full_name,
            email: self.email,
            enabled: self.may_sign_in?,
            scopes: names_read(&self.scopes?),
            properties: properties_read(&self.properties?),
            source: DATABASE.to_owned(),
            passwords: count(self.passwords),
            last_login_ms: self.user_signed_in_ms,
            revision: self.revision?,
        })
    }
}

impl ScopeColumns {
    fn read(self) -> Option<Scope> {
        Some(Scope {
            name: self.scope_name?,
            display_name: self.display_name?,
            description: self.description?,
            password_required: self.password_required?,
            password_max_age_s: u64::try_from(self.password_max_age_s?).unwrap_or_default(),
            groups: groups_read(&self.scope_groups?),
        })
    }
}
