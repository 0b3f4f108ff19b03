//! What a plugin that keeps users or clients is asked.

use outboard_proto::plugin::v1::Capability;
use tonic::{Code, Response, Status};

use super::Principal;
use crate::identity::line::Line;
use crate::identity::{Failure, Parts};

/// How a call ends, before [`Line::answer_or`] has judged it.
pub(in crate::identity) type Call<T> = Result<Response<T>, Status>;
/// The same behind it: an answer, or a status that is one.
pub(in crate::identity) type Answer<T> = Result<Result<T, Status>, Failure>;

/// A user or a client whom a plugin can keep: the calls of its service, and nothing else.
pub(in crate::identity) trait Asked: Principal {
    const CAPABILITY: Capability;

    /// What a plugin tells of one.
    type Told: Send;

    /// Its name, and the rest as the draft of a change.
    fn read(told: Self::Told) -> Result<(Self::Name, Self::Draft), String>;

    /// A page, and how many there are.
    async fn ask_list(
        line: &Line,
        pattern: &str,
        offset: u64,
        limit: u32,
    ) -> Call<(Vec<Self::Told>, u64)>;

    async fn ask_get(line: &Line, name: &Self::Name) -> Call<Option<Self::Told>>;

    /// What is wrong with one to be (without a `name`), or with a change.
    async fn ask_validate(
        line: &Line,
        name: Option<&Self::Name>,
        draft: &Self::Draft,
        password: Option<String>,
    ) -> Call<Vec<String>>;

    async fn ask_add(
        line: &Line,
        name: &Self::Name,
        draft: &Self::Draft,
        password: Option<String>,
    ) -> Call<()>;

    /// In one call or in two, until one is answered by a status that is `known`.
    async fn ask_set(
        line: &Line,
        name: &Self::Name,
        draft: &Self::Draft,
        password: Option<String>,
        known: &[Code],
    ) -> Answer<()>;

    async fn ask_password(line: &Line, name: &Self::Name, password: &str) -> Call<bool>;

    async fn ask_delete(line: &Line, name: &Self::Name) -> Call<()>;

    /// With what the host knows beside the plugin. `None`: deleted here, and not all have been told.
    async fn known(self, parts: &Parts) -> Result<Option<Self>, Failure> {
        let _ = parts;
        Ok(Some(self))
    }
}
