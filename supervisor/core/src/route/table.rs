//! The index of one instance's endpoints: built whole, then only read.
//!
//! A trie by segment. At each node a request can go on by its literal, by a variable, and by a `*`, and all
//! three count, because every endpoint that matches is a step of the chain. So the cost of a lookup is that
//! of the endpoints it finds and the segments it has, whatever else the table holds. What is left to differ
//! is how many cache lines it touches, so nodes, texts and ends lie in three flat arrays, in the order in
//! which a request comes by.

use std::sync::Arc;

use super::pattern::{Part, Pattern};
use super::{Endpoint, Method, Segment};
use literals::{Literals, Text};

mod literals;

/// The endpoints of one instance, ready to be looked up.
#[derive(Debug, Default)]
pub struct Table {
    /// By priority, then in the order of addition; an index into this is a [`Rank`].
    endpoints: Box<[Arc<Endpoint>]>,
    /// Names that endpoints gave; an index into this is a [`Wanted::Named`].
    methods: Vec<Box<str>>,
    /// The root first, each node before its children.
    nodes: Vec<Node>,
    literals: Literals,
    ends: Vec<End>,
}

type Rank = u32;
type NodeIndex = u32;

#[derive(Debug)]
struct Node {
    literals: Ways,
    variable: Option<NodeIndex>,
    /// Endpoints whose pattern ends here, in [`Table::ends`].
    ends: Run,
    /// Endpoints whose pattern has its `*` here, in [`Table::ends`].
    rests: Run,
}

/// How many literals lead on from a node.
#[derive(Debug, Clone, Copy)]
enum Ways {
    None,
    /// To the next node in the array, which is most likely in the same cache line.
    One(Text),
    /// All in [`Table::literals`].
    Many,
}

/// Neighbours in an array.
#[derive(Debug, Clone, Copy)]
struct Run {
    from: u32,
    to: u32,
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
        let mut table = Self::default();
        let mut leaves = Vec::with_capacity(endpoints.len());
        for (rank, endpoint) in (0..).zip(&endpoints) {
            let end = End { method: table.intern(&endpoint.method), rank };
            leaves.push(Leaf { pattern: &endpoint.pattern, end });
        }
        // Stable again: ends of one place stay sorted by rank.
        leaves.sort_by(|a, b| a.pattern.steps().cmp(b.pattern.steps()));
        table.grow(&leaves, 0);
        table.endpoints = endpoints.into();
        table
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

    /// Makes the node of all `leaves`, whose first `depth` steps are the same, and those below it.
    fn grow(&mut self, leaves: &[Leaf<'_>], depth: usize) {
        let at = self.nodes.len();
        let (here, below) =
            leaves.split_at(leaves.partition_point(|leaf| leaf.step(depth).is_none()));
        let (rests, ends): (Vec<_>, Vec<_>) =
            here.iter().partition(|leaf| leaf.pattern.takes_rest());
        let (ends, rests) = (self.run(&ends), self.run(&rests));
        self.nodes.push(Node { literals: Ways::None, variable: None, ends, rests });
        let groups: Vec<_> = below.chunk_by(|a, b| a.step(depth) == b.step(depth)).collect();
        let literals =
            groups.iter().filter(|group| group[0].step(depth) != Some(Step::Variable)).count();
        for group in groups {
            let child = index_of(self.nodes.len());
            match group[0].step(depth) {
                Some(Step::Literal(literal)) => self.lead(at, literal, child, literals),
                Some(Step::Variable) | None => self.nodes[at].variable = Some(child),
            }
            self.grow(group, depth + 1);
        }
    }

    /// Lets `literal`, one of `literals` at the node `at`, lead to `child`.
    fn lead(&mut self, at: usize, literal: &[u8], child: NodeIndex, literals: usize) {
        let text = self.literals.keep(literal);
        if literals == 1 {
            self.nodes[at].literals = Ways::One(text); // literals come first, so the child is the next node
        } else {
            self.nodes[at].literals = Ways::Many;
            self.literals.insert(index_of(at), text, child);
        }
    }

    fn run(&mut self, leaves: &[&Leaf<'_>]) -> Run {
        let from = index_of(self.ends.len());
        self.ends.extend(leaves.iter().map(|leaf| leaf.end));
        Run { from, to: index_of(self.ends.len()) }
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
        let Some(node) = self.nodes.get(at as usize) else { return };
        found(self.ends_of(node.rests));
        let Some((segment, rest)) = segments.split_first() else {
            return found(self.ends_of(node.ends));
        };
        let next = match node.literals {
            Ways::None => None,
            Ways::One(text) => self.literals.is(text, segment).then_some(at + 1),
            Ways::Many => self.literals.get(at, segment),
        };
        if let Some(next) = next {
            self.walk(next, rest, found);
        }
        if let Some(next) = node.variable {
            self.walk(next, rest, found);
        }
    }

    fn ends_of(&self, run: Run) -> &[End] {
        &self.ends[run.from as usize..run.to as usize]
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

/// An endpoint while the trie is built.
struct Leaf<'e> {
    pattern: &'e Pattern,
    end: End,
}

impl<'e> Leaf<'e> {
    fn step(&self, depth: usize) -> Option<Step<'e>> {
        self.pattern.parts().get(depth).map(Step::of)
    }
}

/// One part of a pattern as the trie sees it: a variable's name makes no difference.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Step<'e> {
    Literal(&'e [u8]),
    Variable,
}

impl<'e> Step<'e> {
    fn of(part: &'e Part) -> Self {
        match part {
            Part::Literal(literal) => Self::Literal(literal),
            Part::Variable(_) => Self::Variable,
        }
    }
}

impl Pattern {
    fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.parts().iter().map(Step::of)
    }
}

fn index_of(index: usize) -> u32 {
    u32::try_from(index).expect("10,000 endpoints of 1024 bytes make fewer than 2^32 of anything")
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
