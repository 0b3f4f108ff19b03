//! What one activation has added so far: checked, unique, bounded.
//!
//! Each call changes all or nothing, so a plugin never has half of what it asked for.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::pattern::Shape;
use super::{Method, MethodError, Pattern, PatternError, Requirement, RequirementError, Table};

/// Most endpoints of one activation.
const MOST: usize = 10_000;
/// Most endpoints of one call.
const MOST_IN_ONE_CALL: usize = 1000;

/// An endpoint as a plugin asks for it; zero and empty mean the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointSpec {
    pub id: u32,
    pub method: String,
    pub url: String,
    pub priority: u32,
    pub filter: bool,
    pub max_body_bytes: u64,
    pub timeout_ms: u32,
    pub first_byte_timeout_ms: u32,
    pub idle_timeout_ms: u32,
    pub max_concurrent_requests: u32,
    pub requires: Requirement,
}

/// An endpoint that passed all checks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    pub id: u32,
    pub method: Method,
    pub pattern: Pattern,
    /// Lower runs first.
    pub priority: u32,
    /// Only prepares or checks: alone it answers nothing.
    pub filter: bool,
    /// Largest request body; none: the operator's limit alone.
    pub max_body_bytes: Option<u64>,
    /// Time for the whole request; none: the operator's limit alone.
    pub timeout: Option<Duration>,
    /// From the end of the request to the beginning of its response; none: the operator's limit alone.
    pub first_byte_timeout: Option<Duration>,
    /// How long a body may stand still; none: the operator's limit alone.
    pub idle_timeout: Option<Duration>,
    /// Requests that run at once; none: the operator's limit for the whole plugin alone.
    pub max_concurrent_requests: Option<NonZeroU32>,
    /// Who may send requests; none: everybody.
    pub requires: Option<Box<Requirement>>,
}

/// The endpoints of one activation.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    /// Keyed by a number that only grows, which is the order of addition.
    added: BTreeMap<u64, Arc<Endpoint>>,
    numbers: HashMap<u32, u64>,
    places: HashMap<Place, u32>,
    next: u64,
}

/// What no two endpoints of an activation may share.
type Place = (Method, Shape, u32);

impl Endpoints {
    /// Adds all of `specs`, or none if one of them is wrong.
    pub fn add(&mut self, specs: Vec<EndpointSpec>) -> Result<(), EndpointsError> {
        if specs.len() > MOST_IN_ONE_CALL {
            return Err(EndpointsError::TooManyInOneCall(specs.len()));
        }
        if self.added.len() + specs.len() > MOST {
            return Err(EndpointsError::TooMany(self.added.len() + specs.len()));
        }
        let endpoints = specs.into_iter().map(Endpoint::check).collect::<Result<Vec<_>, _>>()?;
        for (done, endpoint) in endpoints.iter().enumerate() {
            if let Err(error) = self.insert(endpoint.clone()) {
                for added in &endpoints[..done] {
                    self.withdraw(added.id);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn insert(&mut self, endpoint: Endpoint) -> Result<(), EndpointsError> {
        if let Some(other) = self.get(endpoint.id) {
            return Err(EndpointsError::Id { id: endpoint.id, used: other.to_string() });
        }
        let place = endpoint.place();
        if let Some(other) = self.places.get(&place).and_then(|id| self.get(*id)) {
            return Err(EndpointsError::Place {
                new: endpoint.to_string(),
                old: other.to_string(),
                priority: endpoint.priority,
            });
        }
        self.places.insert(place, endpoint.id);
        self.numbers.insert(endpoint.id, self.next);
        self.added.insert(self.next, Arc::new(endpoint));
        self.next += 1;
        Ok(())
    }

    /// Removes all of `ids`, or none if one of them is not in use.
    pub fn remove(&mut self, ids: &[u32]) -> Result<(), EndpointsError> {
        if ids.len() > MOST_IN_ONE_CALL {
            return Err(EndpointsError::TooManyInOneCall(ids.len()));
        }
        if let Some(unknown) = ids.iter().find(|id| !self.numbers.contains_key(id)) {
            return Err(EndpointsError::Unknown(*unknown));
        }
        for id in ids {
            self.withdraw(*id);
        }
        Ok(())
    }

    fn withdraw(&mut self, id: u32) {
        let number = self.numbers.remove(&id);
        if let Some(endpoint) = number.and_then(|number| self.added.remove(&number)) {
            self.places.remove(&endpoint.place());
        }
    }

    pub fn get(&self, id: u32) -> Option<&Endpoint> {
        self.numbers.get(&id).and_then(|number| self.added.get(number)).map(|endpoint| &**endpoint)
    }

    /// In the order of addition.
    pub fn iter(&self) -> impl Iterator<Item = &Endpoint> {
        self.added.values().map(|endpoint| &**endpoint)
    }

    pub fn len(&self) -> usize {
        self.added.len()
    }

    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
    }

    /// The index to publish.
    pub fn table(&self) -> Table {
        Table::new(self.added.values().cloned())
    }
}

impl Endpoint {
    fn check(spec: EndpointSpec) -> Result<Self, EndpointsError> {
        let id = spec.id;
        if id == 0 {
            return Err(EndpointsError::Zero { url: spec.url });
        }
        Ok(Self {
            id,
            method: Method::parse(&spec.method)
                .map_err(|error| EndpointsError::Method { id, error })?,
            pattern: Pattern::parse(&spec.url)
                .map_err(|error| EndpointsError::Pattern { id, error })?,
            priority: spec.priority,
            filter: spec.filter,
            max_body_bytes: (spec.max_body_bytes != 0).then_some(spec.max_body_bytes),
            timeout: time(spec.timeout_ms),
            first_byte_timeout: time(spec.first_byte_timeout_ms),
            idle_timeout: time(spec.idle_timeout_ms),
            max_concurrent_requests: NonZeroU32::new(spec.max_concurrent_requests),
            requires: spec
                .requires
                .check()
                .map_err(|error| EndpointsError::Requirement { id, error })?,
        })
    }

    fn place(&self) -> Place {
        (self.method.clone(), self.pattern.shape(), self.priority)
    }
}

fn time(ms: u32) -> Option<Duration> {
    (ms != 0).then(|| Duration::from_millis(ms.into()))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "endpoint {} ({} {})", self.id, self.method, self.pattern)
    }
}

/// Why endpoints were not added or removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointsError {
    #[error("the endpoint with url {url:?} has the id 0; number endpoints from 1")]
    Zero { url: String },
    #[error("endpoint {id}: {error}")]
    Method { id: u32, error: MethodError },
    #[error("endpoint {id}: {error}")]
    Pattern { id: u32, error: PatternError },
    #[error("endpoint {id}: {error}")]
    Requirement { id: u32, error: RequirementError },
    #[error("the id {id} is in use by {used}; choose another, or remove that endpoint first")]
    Id { id: u32, used: String },
    #[error(
        "{new} has the same method, path and priority ({priority}) as {old}; give one of them another priority"
    )]
    Place { new: String, old: String, priority: u32 },
    #[error("the activation would have {0} endpoints, more than {MOST}; use variables or \"*\"")]
    TooMany(usize),
    #[error("the call has {0} endpoints, more than {MOST_IN_ONE_CALL}; split it")]
    TooManyInOneCall(usize),
    #[error("the endpoint id {0} is not in use; nothing was removed")]
    Unknown(u32),
}

#[cfg(test)]
mod tests;
