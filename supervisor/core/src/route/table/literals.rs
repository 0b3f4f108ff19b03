//! Where a literal leads to, for all nodes of a table at once.
//!
//! One open-addressing hash table instead of one map per node: a lookup touches one slot and one text,
//! however many literals there are. Whoever sends requests cannot fill it, only look; and a plugin whose
//! literals collide makes its own requests slow.

use super::NodeIndex;

/// (node, literal) to node.
#[derive(Debug, Default)]
pub(super) struct Literals {
    /// A power of two, at most half of them used; none before the first literal.
    slots: Vec<Slot>,
    used: usize,
    texts: Vec<u8>,
}

/// A literal, kept in [`Literals`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Text {
    from: u32,
    length: u16,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    hash: u32,
    parent: NodeIndex,
    /// [`EMPTY`] where there is none: the root is nobody's child.
    child: NodeIndex,
    text: Text,
}

const EMPTY: Slot = Slot { hash: 0, parent: 0, child: 0, text: Text { from: 0, length: 0 } };

impl Slot {
    fn is_empty(self) -> bool {
        self.child == 0
    }
}

impl Literals {
    /// Keeps a literal's text.
    pub(super) fn keep(&mut self, literal: &[u8]) -> Text {
        let from = u32::try_from(self.texts.len())
            .expect("10,000 patterns of 1024 bytes are fewer than 2^32 bytes");
        let length =
            u16::try_from(literal.len()).expect("a literal is at most as long as a pattern");
        self.texts.extend_from_slice(literal);
        Text { from, length }
    }

    /// Adds a way that is not there yet.
    pub(super) fn insert(&mut self, parent: NodeIndex, text: Text, child: NodeIndex) {
        if self.used * 2 >= self.slots.len() {
            self.double();
        }
        self.place(Slot { hash: hash(parent, self.text(text)), parent, child, text });
        self.used += 1;
    }

    fn double(&mut self) {
        let larger = (self.slots.len() * 2).max(8);
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; larger]);
        old.into_iter().filter(|slot| !slot.is_empty()).for_each(|slot| self.place(slot));
    }

    fn place(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let mut at = slot.hash as usize & mask;
        while !self.slots[at].is_empty() {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }

    pub(super) fn get(&self, parent: NodeIndex, literal: &[u8]) -> Option<NodeIndex> {
        let mask = self.slots.len().checked_sub(1)?;
        let hash = hash(parent, literal);
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.is_empty() {
                return None;
            }
            if slot.hash == hash && slot.parent == parent && self.is(slot.text, literal) {
                return Some(slot.child);
            }
            at = (at + 1) & mask;
        }
    }

    /// Whether a kept text is this literal.
    pub(super) fn is(&self, text: Text, literal: &[u8]) -> bool {
        usize::from(text.length) == literal.len() && self.text(text) == literal
    }

    fn text(&self, text: Text) -> &[u8] {
        let from = text.from as usize;
        &self.texts[from..from + usize::from(text.length)]
    }
}

/// Multiply and fold, eight bytes at a time. Needs to be quick and even, not secret.
fn hash(parent: NodeIndex, literal: &[u8]) -> u32 {
    let seed =
        u64::from(parent) << 32 | u64::from(u16::try_from(literal.len()).unwrap_or(u16::MAX));
    let mut hash = fold(seed, 0x9e37_79b9_7f4a_7c15);
    for chunk in literal.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = fold(hash ^ u64::from_le_bytes(word), 0xd6e8_feb8_6659_fd93);
    }
    u32::try_from(hash & u64::from(u32::MAX)).expect("masked")
}

fn fold(word: u64, factor: u64) -> u64 {
    let product = u128::from(word ^ 0xa076_1d64_78bd_642f) * u128::from(factor);
    let (low, high) = (product & u128::from(u64::MAX), product >> 64);
    u64::try_from(low ^ high).expect("both halves are 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_found_and_nothing_else() {
        let mut literals = Literals::default();
        assert_eq!(literals.get(0, b"a"), None);
        let text = |number: u32| format!("literal-{number}");
        for number in 1..5000 {
            let kept = literals.keep(text(number).as_bytes());
            literals.insert(number % 7, kept, number);
        }
        for number in 1..5000 {
            assert_eq!(literals.get(number % 7, text(number).as_bytes()), Some(number));
            assert_eq!(literals.get((number + 1) % 7, text(number).as_bytes()), None);
        }
        assert_eq!(literals.get(0, b""), None);
        assert_eq!(literals.get(0, &vec![b'x'; 70_000]), None);
    }

    #[test]
    fn hashes_are_even() {
        let mut buckets = [0; 256];
        for number in 0..25_600_u32 {
            buckets[hash(number % 10, format!("item{number}").as_bytes()) as usize % 256] += 1;
        }
        assert!(buckets.iter().all(|count| (50..200).contains(count)), "{buckets:?}");
    }
}
