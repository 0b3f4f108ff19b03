//! `outboard.admin.v1.Sessions`.

use outboard_core::identity::user::UserId;
use outboard_proto::admin::v1 as admin;
use outboard_proto::admin::v1::sessions_server::Sessions;
use tonic::{Request, Response, Status};

use super::{Access, status};
use crate::clock::timestamp;
use crate::identity::sessions::Session;

#[tonic::async_trait]
impl Sessions for Access {
    async fn list(
        &self,
        request: Request<admin::ListSessionsRequest>,
    ) -> Result<Response<admin::ListSessionsResponse>, Status> {
        let id = self.user(&request.get_ref().username).await?;
        let listed = self.identity.sessions().list_of(&id).await;
        let listed = listed.map_err(|failure| status(failure, "session"))?;
        let sessions = listed.iter().map(|session| shown(session, &id)).collect();
        Ok(Response::new(admin::ListSessionsResponse { sessions }))
    }

    async fn end(
        &self,
        request: Request<admin::EndSessionsRequest>,
    ) -> Result<Response<admin::EndSessionsResponse>, Status> {
        let admin::EndSessionsRequest { username, hash } = request.get_ref();
        let id = self.user(username).await?;
        let sessions = self.identity.sessions();
        let ended = if hash.is_empty() {
            sessions.end_all(&id, None).await
        } else {
            sessions.end(&id, hash).await.map(|()| 1)
        };
        let thing = || format!("session {hash:?} of {username:?}");
        let count = ended.map_err(|failure| status(failure, &thing()))?;
        tracing::info!(user = id.as_str(), count, "signed a user out, as asked");
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        Ok(Response::new(admin::EndSessionsResponse { count }))
    }
}

impl Access {
    async fn user(&self, name: &str) -> Result<UserId, Status> {
        let user = self.identity.people().get(name).await;
        user.map(|user| user.id).map_err(|failure| status(failure, &format!("user {name:?}")))
    }
}

fn shown(session: &Session, user: &UserId) -> admin::Session {
    let methods = session.authentications_of(user).iter();
    let methods = methods.map(|it| it.scheme.clone().unwrap_or_else(|| "password".to_owned()));
    admin::Session {
        hash: session.hash().to_owned(),
        created: Some(timestamp(session.created_ms())),
        last_seen: Some(timestamp(session.last_seen_ms())),
        expires: Some(timestamp(session.expires_ms())),
        issued_for: session.issued_for().to_owned(),
        user_agent: session.user_agent().to_owned(),
        methods: methods.collect(),
    }
}
