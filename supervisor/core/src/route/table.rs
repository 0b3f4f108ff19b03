//! The index of one instance's endpoints: built whole, then only read.
//!
//! A trie by segment. At each node a request can go on by its literal, by a variable, and by a `*`, and all
//! three count, because every endpoint that matches is a step of the chain. So the cost of a lookup is that
//! of the endpoints it finds and the segments it has, whatever else the table holds.

use std::collections::HashMap;
use std::sync::Arc;

use super::pattern::{Part, Pattern};
use super::{Endpoint, Method, Segment};

/// The endpoints of one instance, ready to be looked up.
#[derive(Debug)]
pub struct Table {
    /// By priority, then in the order of addition; an index into this is a [`Rank`].
    endpoints: Box<[Arc<Endpoint>]>,
    /// Names that endpoints gave; an index into this is a [`Wanted::Named`].
    methods: Vec<Box<str>>,
    nodes: Vec<Node>,
}

type Rank = u32;
type NodeIndex = u32;

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<[u8]>, NodeIndex>,
    variable: Option<NodeIndex>,
    /// Endpoints whose pattern ends here.
    ends: Vec<End>,
    /// Endpoints whose pattern has its `*` here.
    rests: Vec<End>,
}

#[derive(Debug, Clone, Copy)]
struct End {
    method: Wanted,
    rank: Rank,
}

/// A method by number, so that a lookup compares one name once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Any,
    Named(u32),
}

impl Table {
    /// Indexes `endpoints`, which come in the order of addition.
    pub fn new(endpoints: impl IntoIterator<Item = Arc<Endpoint>>) -> Self {
        let mut endpoints: Vec<_> = endpoints.into_iter().collect();
        endpoints.sort_by_key(|endpoint| endpoint.priority); // stable: equal ones keep their order
        let mut table =
            Self { endpoints: Box::default(), methods: Vec::new(), nodes: vec![Node::default()] };
        for (rank, endpoint) in (0..).zip(&endpoints) {
            table.insert(rank, endpoint);
        }
        table.endpoints = endpoints.into();
        table
    }

    fn insert(&mut self, rank: Rank, endpoint: &Endpoint) {
        let end = End { method: self.intern(&endpoint.method), rank };
        let node = self.node_of(&endpoint.pattern);
        let node = &mut self.nodes[node as usize];
        if endpoint.pattern.takes_rest() { node.rests.push(end) } else { node.ends.push(end) }
    }

    fn intern(&mut self, method: &Method) -> Wanted {
        let Method::Named(name) = method else { return Wanted::Any };
        let known = self.methods.iter().position(|known| known == name);
        let index = known.unwrap_or_else(|| {
            self.methods.push(name.clone());
            self.methods.len() - 1
        });
        Wanted::Named(index_of(index))
    }

    fn node_of(&mut self, pattern: &Pattern) -> NodeIndex {
        pattern.parts().iter().fold(0, |at, part| {
            let fresh = index_of(self.nodes.len());
            let node = &mut self.nodes[at as usize];
            let next = match part {
                Part::Literal(literal) => *node.literals.entry(literal.clone()).or_insert(fresh),
                Part::Variable(_) => *node.variable.get_or_insert(fresh),
            };
            if next == fresh {
                self.nodes.push(Node::default());
            }
            next
        })
    }

    /// All endpoints for `method` at the path `segments`, in the order in which they run.
    pub fn matches(&self, method: &str, segments: &[Segment<'_>]) -> Matches<'_> {
        let known = self.methods.iter().position(|known| **known == *method);
        let named = known.map(|index| Wanted::Named(index_of(index)));
        let mut ranks = Vec::new();
        self.walk(0, segments, &mut |ends| {
            let wanted =
                ends.iter().filter(|end| end.method == Wanted::Any || Some(end.method) == named);
            ranks.extend(wanted.map(|end| end.rank));
        });
        ranks.sort_unstable();
        Matches { endpoints: &self.endpoints, ranks }
    }

    /// The methods of the endpoints at the path `segments` that are no filters, each once.
    pub fn methods(&self, segments: &[Segment<'_>]) -> Vec<&Method> {
        let mut methods: Vec<&Method> = Vec::new();
        self.walk(0, segments, &mut |ends| {
            let endpoints = ends.iter().map(|end| &self.endpoints[end.rank as usize]);
            for endpoint in endpoints.filter(|endpoint| !endpoint.filter) {
                if !methods.contains(&&endpoint.method) {
                    methods.push(&endpoint.method);
                }
            }
        });
        methods
    }

    fn walk(&self, at: NodeIndex, segments: &[Segment<'_>], found: &mut impl FnMut(&[End])) {
        let node = &self.nodes[at as usize];
        found(&node.rests);
        let Some((segment, rest)) = segments.split_first() else { return found(&node.ends) };
        if let Some(next) = node.literals.get(&**segment) {
            self.walk(*next, rest, found);
        }
        if let Some(next) = node.variable {
            self.walk(next, rest, found);
        }
    }

    /// How many endpoints the table holds.
    pub fn len(&self) -> usize {
        self.endpoints.len()
    }

    pub fn is_empty(&self) -> bool {
        self.endpoints.is_empty()
    }

    /// All endpoints, in the order in which they would run.
    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }
}

fn index_of(index: usize) -> u32 {
    u32::try_from(index).expect("10,000 endpoints of 1024 bytes make fewer than 2^32 nodes")
}

/// What a lookup found.
#[derive(Debug, Clone)]
pub struct Matches<'t> {
    endpoints: &'t [Arc<Endpoint>],
    ranks: Vec<Rank>,
}

impl<'t> Matches<'t> {
    /// The endpoints by priority, then in the order of addition.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &'t Endpoint> + use<'t, '_> {
        self.ranks.iter().map(|&rank| &*self.endpoints[rank as usize])
    }

    /// Whether there is nothing that answers: no endpoint, or filters alone.
    pub fn is_unanswered(&self) -> bool {
        self.iter().all(|endpoint| endpoint.filter)
    }

    pub fn len(&self) -> usize {
        self.ranks.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }
}

#[cfg(test)]
mod tests;
