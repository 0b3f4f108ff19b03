//! The memory that hashes are made in. To get megabytes from the system takes a good part of the time of a hash, so what
//! one was made in is kept for the next: wiped, at most one for each thread, and given back when nobody comes any more.

use std::sync::{Mutex, MutexGuard, PoisonError};

use argon2::{Block, Params};
use zeroize::Zeroize as _;

/// Memory that nobody uses at the moment.
pub(super) struct Memory {
    /// Blocks that the wanted hashes take. What takes more is rare, and not kept.
    length: usize,
    kept: Mutex<Vec<Vec<Block>>>,
}

/// Memory for one hash after the other. Dropped, it is wiped and kept.
pub(super) struct Lent<'m> {
    memory: &'m Memory,
    blocks: Vec<Block>,
}

impl Memory {
    /// For hashes that cost so much.
    pub(super) fn new(params: &Params) -> Self {
        Self { length: params.block_count(), kept: Mutex::default() }
    }

    pub(super) fn lend(&self) -> Lent<'_> {
        Lent { memory: self, blocks: self.kept().pop().unwrap_or_default() }
    }

    /// Gives everything back to the system.
    pub(super) fn give_back(&self) {
        self.kept().clear();
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Vec<Block>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent<'_> {
    /// As much as a hash needs that costs so much.
    pub(super) fn blocks(&mut self, params: &Params) -> &mut [Block] {
        let length = params.block_count();
        if self.blocks.len() < length {
            self.wipe();
            self.blocks = vec![Block::new(); length];
        }
        &mut self.blocks[..length]
    }

    fn wipe(&mut self) {
        for block in &mut self.blocks {
            block.zeroize();
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.wipe();
        if self.blocks.len() == self.memory.length {
            self.memory.kept().push(std::mem::take(&mut self.blocks));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(memory_kib: u32) -> Params {
        Params::new(memory_kib, 1, 1, None).unwrap()
    }

    fn fill(lent: &mut Lent<'_>, params: &Params) {
        for block in lent.blocks(params) {
            block.as_mut().fill(7);
        }
    }

    #[test]
    fn what_one_hash_was_made_in_is_wiped_and_there_for_the_next() {
        let (memory, wanted) = (Memory::new(&params(64)), params(64));
        fill(&mut memory.lend(), &wanted);
        assert_eq!(memory.kept().len(), 1);
        let mut lent = memory.lend();
        assert_eq!((lent.blocks.len(), memory.kept().len()), (64, 0), "it is the same");
        assert!(lent.blocks(&wanted).iter_mut().all(|block| *block.as_mut() == [0; 128]));
    }

    #[test]
    fn no_more_is_kept_than_hashes_want() {
        let memory = Memory::new(&params(64));
        fill(&mut memory.lend(), &params(256));
        fill(&mut memory.lend(), &params(8));
        drop(memory.lend());
        assert_eq!(memory.kept().len(), 0);
        let both = (memory.lend(), memory.lend());
        for mut lent in [both.0, both.1] {
            fill(&mut lent, &params(64));
        }
        fill(&mut memory.lend(), &params(8));
        assert_eq!(memory.kept().len(), 2, "less is made in what is there");
        memory.give_back();
        assert_eq!(memory.kept().len(), 0);
    }
}
