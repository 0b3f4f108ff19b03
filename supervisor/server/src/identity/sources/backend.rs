//! Those whom an instance of a plugin keeps. It is believed in nothing that the host can see for itself.

use std::marker::PhantomData;

use outboard_core::identity::user::Mode;
use tonic::{Code, Status};

use super::{Asked, taken};
use crate::identity::line::Line;
use crate::identity::{Failure, Parts};
use crate::plugin::roles::BackendRole;

/// Of what a plugin says is wrong.
const MOST_ERRORS: usize = 100;
const LONGEST_ERROR: usize = 1024;

pub(in crate::identity) struct Backend<'a, P> {
    parts: &'a Parts,
    role: BackendRole,
    of: PhantomData<fn() -> P>,
}

impl<'a, P: Asked> Backend<'a, P> {
    pub(super) fn new(parts: &'a Parts, role: &BackendRole) -> Self {
        Self { parts, role: role.clone(), of: PhantomData }
    }

    pub(super) fn instance(&self) -> &str {
        &self.role.instance
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.role.readonly
    }

    pub(super) async fn list(
        &self,
        pattern: &str,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<P>, Failure> {
        let line = self.line()?;
        let (told, _) = line.answer(P::ask_list(&line, pattern, offset, limit)).await?;
        drop(line);
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut listed = Vec::new();
        for one in told.into_iter().take(most) {
            match self.believe(one) {
                Ok(one) => listed.extend(one.known(self.parts).await?),
                Err(why) => self.complain(&why),
            }
        }
        Ok(listed)
    }

    pub(super) async fn count(&self, pattern: &str) -> Result<u64, Failure> {
        let line = self.line()?;
        Ok(line.answer(P::ask_list(&line, pattern, 0, 0)).await?.1)
    }

    pub(super) async fn find(&self, name: &P::Name) -> Result<Option<P>, Failure> {
        let line = self.line()?;
        let answer = line.answer_or(P::ask_get(&line, name), &[Code::NotFound]).await?;
        let Ok(answer) = answer else { return Ok(None) };
        let told =
            answer.ok_or_else(|| self.broken(&format!("it answers with no {}", P::THING)))?;
        let found = self.believe(told).map_err(|why| self.broken(&why))?;
        if P::key(found.name()) != P::key(name) {
            return Err(self.broken(&format!("it answers with another {}", P::THING)));
        }
        found.known(self.parts).await
    }

    pub(super) async fn judge(
        &self,
        changed: Option<&P>,
        draft: &P::Draft,
    ) -> Result<Vec<String>, Failure> {
        let (line, password) = (self.line()?, password::<P>(draft)?);
        let call = P::ask_validate(&line, changed.map(P::name), draft, password);
        let errors = line.answer_or(call, &[Code::Unimplemented]).await?.unwrap_or_default();
        let cut = |error: String| error.chars().take(LONGEST_ERROR).collect();
        Ok(errors.into_iter().take(MOST_ERRORS).map(cut).collect())
    }

    pub(super) async fn add(&self, name: &P::Name, draft: &P::Draft) -> Result<P, Failure> {
        let (line, password) = (self.line()?, password::<P>(draft)?);
        let known = [Code::AlreadyExists, Code::Unimplemented, Code::InvalidArgument];
        let call = P::ask_add(&line, name, draft, password);
        self.done(line.answer_or(call, &known).await?)?;
        drop(line);
        self.find(name).await?.ok_or_else(|| self.broken("it has not what was added"))
    }

    pub(super) async fn change(&self, found: &P, draft: &P::Draft) -> Result<P, Failure> {
        let (line, password) = (self.line()?, password::<P>(draft)?);
        let known = [Code::NotFound, Code::Unimplemented, Code::InvalidArgument];
        self.done(P::ask_set(&line, found.name(), draft, password, &known).await?)?;
        drop(line);
        self.find(found.name()).await?.ok_or(Failure::NotFound)
    }

    pub(super) async fn is_password(&self, found: &P, password: &str) -> Result<bool, Failure> {
        let line = self.line()?;
        let call = P::ask_password(&line, found.name(), password);
        Ok(line.answer_or(call, &[Code::NotFound]).await?.unwrap_or(false))
    }

    pub(in crate::identity) async fn remove(&self, found: &P) -> Result<(), Failure> {
        let line = self.line()?;
        let known = [Code::NotFound, Code::Unimplemented];
        self.done(line.answer_or(P::ask_delete(&line, found.name()), &known).await?)
    }

    fn line(&self) -> Result<Line, Failure> {
        let timeout = self.parts.settings.backend_timeout;
        Line::open(&self.parts.routes, self.instance(), P::CAPABILITY, timeout)
    }

    /// What a status means that was to be expected.
    fn done(&self, answer: Result<(), Status>) -> Result<(), Failure> {
        let Err(status) = answer else { return Ok(()) };
        Err(match status.code() {
            Code::NotFound => Failure::NotFound,
            Code::AlreadyExists => Failure::Conflict(taken::<P>()),
            Code::Unimplemented => {
                Failure::ReadOnly(format!("{:?} does not do that", self.instance()))
            }
            _ => Failure::invalid(format!("{:?} does not take that", self.instance())),
        })
    }

    /// Whom the plugin tells of, if there can be such.
    fn believe(&self, told: P::Told) -> Result<P, String> {
        let (name, draft) = P::read(told)?;
        let faults = P::faults(&draft, Mode::Update, &self.parts.settings);
        if let Some(fault) = faults.into_iter().next() {
            return Err(format!("a {}'s {fault}", P::THING));
        }
        let mut believed = P::new(name, self.instance());
        believed.apply(&draft);
        Ok(believed)
    }

    fn broken(&self, why: &str) -> Failure {
        self.complain(why);
        Failure::Unavailable(format!("the instance {:?} can't be believed", self.instance()))
    }

    fn complain(&self, why: &str) {
        let instance = self.instance();
        tracing::warn!(instance, why, "a plugin that keeps {}s answers oddly", P::THING);
    }
}

/// Plugins keep one password for each.
fn password<P: Asked>(draft: &P::Draft) -> Result<Option<String>, Failure> {
    match P::passwords_in(draft) {
        None => Ok(None),
        Some([password]) => Ok(Some(password.clone())),
        Some(_) => {
            Err(Failure::invalid(format!("password: this source keeps one for each {}", P::THING)))
        }
    }
}
