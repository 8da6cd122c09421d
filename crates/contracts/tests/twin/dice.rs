//! Chance, all of it from one number.
use alloy::primitives::{Address, B256, Bytes, U256};

/// Splitmix64: needs no crate, and every seed is as good as any other.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn index(&mut self, count: usize) -> usize {
        self.below(count as u64) as usize
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())].clone()
    }

    /// The same, where there may be nothing.
    pub(crate) fn find<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| self.pick(from))
    }

    /// Mostly one of the last ones: the newest things are the most interesting ones.
    pub(crate) fn recent<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        let window = if self.chance(80) { 12 } else { from.len() };
        self.find(&from[from.len().saturating_sub(window)..])
    }

    pub(crate) fn word(&mut self) -> B256 {
        let words = [(); 4].map(|()| self.next().to_be_bytes());
        B256::from_slice(words.as_flattened())
    }

    pub(crate) fn address(&mut self) -> Address {
        Address::from_word(self.word())
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Bytes {
        let bytes = std::iter::repeat_with(|| self.next() as u8).take(count);
        bytes.collect::<Vec<_>>().into()
    }

    /// A number at the edge of something.
    pub(crate) fn huge(&mut self) -> U256 {
        let bit = self.pick(&[24, 40, 48, 63, 64, 95, 96, 127, 128, 160, 254, 255]);
        let edge = U256::from(1) << bit;
        match self.below(4) {
            0 => edge - U256::from(1),
            1 => edge,
            2 => edge + U256::from(self.below(100)),
            _ => U256::MAX - U256::from(self.below(3)),
        }
    }

    /// One of the entries, as often as its weight says.
    pub(crate) fn weighted<'a, T>(&mut self, from: &'a [(u64, T)]) -> &'a T {
        let total = from.iter().map(|(weight, _)| weight).sum();
        let mut left = self.below(total);
        for (weight, entry) in from {
            if left < *weight {
                return entry;
            }
            left -= weight;
        }
        &from[0].1
    }
}
