//! Random numbers that are the same for ever: a seed must make the same schedule with every version of every crate.

use std::time::Duration;

/// `SplitMix64`.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice that follow from a seed and what they are for, so that one use does not disturb another.
    #[must_use]
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut dice = Self(seed ^ purpose.wrapping_mul(0xd1b5_4a32_d192_ed03));
        dice.draw();
        dice
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `count`, which is at least one.
    pub fn below(&mut self, count: usize) -> usize {
        // Counts are tiny beside 2^64: the bias of the remainder is beyond notice.
        usize::try_from(self.draw() % count.max(1) as u64).unwrap_or_default()
    }

    /// A time between the two, to the millisecond.
    pub fn between(&mut self, from_ms: u64, to_ms: u64) -> Duration {
        Duration::from_millis(from_ms + self.draw() % (to_ms.saturating_sub(from_ms) + 1))
    }

    /// Whether something that happens `hundredths` of all times happens now.
    pub fn happens(&mut self, hundredths: usize) -> bool {
        self.below(100) < hundredths
    }

    /// One of these.
    ///
    /// # Panics
    /// When there is none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_the_same_for_ever_and_purposes_differ() {
        let draws = |purpose| {
            let mut dice = Dice::new(7, purpose);
            [dice.below(1_000), dice.below(1_000), dice.below(1_000)]
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
        let mut dice = Dice::new(1, 1);
        assert!((0..1_000).all(|_| (20..=30).contains(&dice.between(20, 30).as_millis())));
    }
}
