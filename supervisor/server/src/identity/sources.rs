//! Where users and clients are kept, and what is the same for both: which source is asked first, how pages go over several
//! sources, who may be added where, and changes that meet others.

mod asked;
mod backend;
mod database;
mod principal;
mod source;

use outboard_core::identity::user::Mode;

pub(in crate::identity) use self::asked::{Answer, Asked, Call};
pub(in crate::identity) use self::principal::Principal;
pub(in crate::identity) use self::source::Source;
use super::{Failure, Parts, is_hash};

/// Times that a change is made anew because somebody else has made one meanwhile.
const MOST_TRIES: usize = 5;

/// Which users or clients.
#[derive(Clone, Copy, Debug)]
pub struct ListQuery<'a> {
    /// Part of a name, or of what else is said of one, without regard to ASCII case. Empty: all.
    pub pattern: &'a str,
    pub offset: u64,
    pub limit: u32,
    /// Only of this source.
    pub source: Option<&'a str>,
}

/// All sources, of users and of clients.
#[derive(Clone, Copy)]
pub(in crate::identity) struct Sources<'a>(pub(in crate::identity) &'a Parts);

impl<'a> Sources<'a> {
    /// By name, those of the first source first.
    pub(in crate::identity) async fn list<P: Asked>(
        self,
        query: &ListQuery<'_>,
    ) -> Result<Vec<P>, Failure> {
        let (mut offset, mut listed) = (query.offset, Vec::new());
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        for source in self.ranked() {
            if query.source.is_some_and(|wanted| wanted != source.name()) {
                continue;
            }
            let room = limit.saturating_sub(listed.len());
            if room == 0 {
                break;
            }
            let room = u32::try_from(room).unwrap_or(u32::MAX);
            let page = source.list(query.pattern, offset, room).await?;
            if page.is_empty() && offset > 0 {
                offset = offset.saturating_sub(source.count(query.pattern).await?);
            } else if !page.is_empty() {
                offset = 0;
            }
            listed.extend(page);
        }
        Ok(listed)
    }

    /// Who has this name, in the first source that has one.
    pub(in crate::identity) async fn find<P: Asked>(
        self,
        name: &str,
    ) -> Result<(P, Source<'a, P>), Failure> {
        let name = P::read_name(name).ok_or(Failure::NotFound)?;
        for source in self.ranked() {
            if let Some(found) = source.find(&name).await? {
                return Ok((found, source));
            }
        }
        Err(Failure::NotFound)
    }

    /// Judges one to be (without a `name`), or a change of one.
    pub(in crate::identity) async fn validate<P: Asked>(
        self,
        name: Option<&str>,
        draft: &P::Draft,
        mode: Mode,
    ) -> Result<(), Failure> {
        let mut faults = P::faults(draft, mode, &self.0.settings);
        let (changed, source) = if let Some(name) = name {
            let (found, source) = self.find::<P>(name).await?;
            source.check_writable()?;
            (Some(found), source)
        } else {
            let source = self.first_writable::<P>()?;
            if let Some(name) = P::name_in(draft)
                && self.is_taken::<P>(name).await?
            {
                faults.push(taken::<P>());
            }
            (None, source)
        };
        if faults.is_empty() {
            faults = source.judge(changed.as_ref(), draft).await?;
        }
        Failure::if_any(faults)
    }

    /// Adds one to the first source that can be written: with the passwords of the draft, or with what another system has
    /// kept of others.
    pub(in crate::identity) async fn add<P: Asked>(
        self,
        draft: &P::Draft,
        hashes: Option<Vec<String>>,
    ) -> Result<P, Failure> {
        let mut faults = P::faults(draft, Mode::Add, &self.0.settings);
        if !hashes.iter().flatten().all(|hash| is_hash(hash)) {
            faults.push("password: is not of a known form".to_owned());
        }
        Failure::if_any(faults)?;
        let source = self.first_writable::<P>()?;
        let name = P::name_in(draft).unwrap_or_default();
        if self.is_taken::<P>(name).await? {
            return Err(Failure::Conflict(taken::<P>()));
        }
        Failure::if_any(source.judge(None, draft).await?)?;
        source.add(named::<P>(draft)?, draft, hashes).await
    }

    /// Adds one to the database, whatever other sources have or say.
    pub(in crate::identity) async fn add_own<P: Asked>(
        self,
        draft: &P::Draft,
    ) -> Result<P, Failure> {
        Failure::if_any(P::faults(draft, Mode::Add, &self.0.settings))?;
        Source::database(self.0).add(named::<P>(draft)?, draft, None).await
    }

    /// Changes what the draft says, and nothing else.
    pub(in crate::identity) async fn change<P: Asked>(
        self,
        name: &str,
        draft: &P::Draft,
        mode: Mode,
    ) -> Result<P, Failure> {
        let mut conflict = None;
        for _ in 0..MOST_TRIES {
            let (found, source) = self.find::<P>(name).await?;
            source.check_writable()?;
            Failure::if_any(P::faults(draft, mode, &self.0.settings))?;
            Failure::if_any(source.judge(Some(&found), draft).await?)?;
            match source.change(found, draft).await {
                // Of what it does not say, the other's change counts.
                Err(Failure::Conflict(why)) => conflict = Some(why),
                other => return other,
            }
        }
        Err(Failure::Conflict(conflict.unwrap_or_default()))
    }

    /// False also for what is no name.
    async fn is_taken<P: Asked>(self, name: &str) -> Result<bool, Failure> {
        match self.find::<P>(name).await {
            Ok(_) => Ok(true),
            Err(Failure::NotFound) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    fn first_writable<P: Asked>(self) -> Result<Source<'a, P>, Failure> {
        let writable = self.ranked().into_iter().find(|source| !source.is_read_only());
        let none = || Failure::ReadOnly(format!("no source of {}s can be written", P::THING));
        writable.ok_or_else(none)
    }

    /// By rank. The database has rank 0, and is the first of those.
    pub(in crate::identity) fn ranked<P: Asked>(self) -> Vec<Source<'a, P>> {
        let roles = self.0.roster.roles();
        let backends = roles.as_ref().map_or(&[][..], |roles| P::backends(roles));
        let mut ranked: Vec<_> =
            backends.iter().map(|role| (role.rank, Source::backend(self.0, role))).collect();
        ranked.push((0, Source::database(self.0)));
        ranked.sort_by_key(|(rank, source)| (*rank, !source.is_database()));
        ranked.into_iter().map(|(_, source)| source).collect()
    }
}

fn taken<P: Principal>() -> String {
    format!("{}: is taken; choose another one", P::NAME)
}

/// The name that a draft of a new one has.
fn named<P: Principal>(draft: &P::Draft) -> Result<P::Name, Failure> {
    let name = P::name_in(draft).and_then(P::read_name);
    name.ok_or_else(|| Failure::invalid(format!("{}: is no name", P::NAME)))
}
