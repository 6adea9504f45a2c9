//! Randomness that repeats from run to run and never within one.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Random, RandomError};

/// Deterministic randomness from a seed, which a failing test prints.
///
/// Blocks of eight bytes are a permutation of a counter (splitmix64), so no block comes twice: two
/// fills of eight bytes or more always differ. The bytes are predictable: never for keys that
/// protect anything.
#[derive(Debug)]
pub struct SeededRandom {
    seed: u64,
    state: AtomicU64,
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl SeededRandom {
    /// The source with this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            state: AtomicU64::new(permute(seed.wrapping_add(STEP))),
        }
    }

    /// The seed, to print.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The next eight bytes as a number.
    pub fn next_u64(&self) -> u64 {
        permute(self.state.fetch_add(STEP, Ordering::Relaxed))
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        for block in bytes.chunks_mut(8) {
            let next = self.next_u64().to_be_bytes();
            block.iter_mut().zip(next).for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

/// The finaliser of splitmix64, a bijection.
const fn permute(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_no_block_comes_twice() {
        let (a, b, c) = (
            SeededRandom::new(1),
            SeededRandom::new(1),
            SeededRandom::new(2),
        );
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..10_000 {
            let block = a.next_u64();
            assert_eq!(block, b.next_u64());
            assert!(seen.insert(block));
            assert!(seen.insert(c.next_u64()));
        }
    }

    #[test]
    fn it_keeps_the_contract() {
        crate::testing::random_suite(&SeededRandom::new(7)).unwrap();
    }
}
