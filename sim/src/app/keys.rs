//! Draws of keys: uniform, or by Zipf's law.

use crate::plan::KeyDraw;

use super::sample::scaled;

/// A sampler of keys `0..n`. Every draw takes one word.
pub(crate) enum Draws {
    /// Each equally likely.
    Uniform(u64),
    /// Key k with probability `table[k] − table[k − 1]`.
    Table(Vec<f64>),
}

impl Draws {
    /// The sampler that `plan` asks for. A table takes 8 bytes per key.
    pub(crate) fn new(plan: &KeyDraw) -> Self {
        match plan {
            KeyDraw::Uniform { keys } => Self::Uniform(*keys),
            KeyDraw::Zipf { exponent, keys } => {
                let mut sum = 0.0;
                let weights = (1..=*keys).map(|rank| {
                    sum += libm::pow(rank as f64, -exponent);
                    sum
                });
                let sums: Vec<f64> = weights.collect();
                let total = sums.last().copied().unwrap_or(1.0);
                Self::Table(sums.into_iter().map(|sum| sum / total).collect())
            }
        }
    }

    /// The key that the uniform word `luck` stands for.
    pub(crate) fn key(&self, luck: u64) -> u64 {
        match self {
            Self::Uniform(keys) => scaled(luck, *keys),
            Self::Table(table) => {
                let place = (luck >> 11) as f64 * (1.0 / (1u64 << 53) as f64);
                let found = table.partition_point(|upper| *upper <= place);
                found.min(table.len().saturating_sub(1)) as u64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mesh_core::seam::Rng;

    use super::*;

    #[test]
    fn popularity_falls_as_zipf_says() {
        // exponent 1, 100 keys: H(100) = 5.18738, so the first has 19.28 %, the second half of that, the tenth a tenth.
        let draws = Draws::new(&KeyDraw::Zipf {
            exponent: 1.0,
            keys: 100,
        });
        let mut rng = Rng::named(4, "keys");
        let mut counts = [0u32; 100];
        for _ in 0..100_000 {
            counts[draws.key(rng.bits()) as usize] += 1;
        }
        for rank in [1, 2, 10, 100] {
            let expected = 100_000.0 / 5.187_38 / f64::from(rank);
            let found = f64::from(counts[rank as usize - 1]);
            let five_deviations = 5.0 * expected.sqrt();
            assert!(
                (found - expected).abs() < five_deviations,
                "{rank}: {found} {expected}"
            );
        }
    }

    #[test]
    fn the_ends_of_the_range_are_keys() {
        for draw in [
            KeyDraw::Uniform { keys: 3 },
            KeyDraw::Zipf {
                exponent: 1.2,
                keys: 3,
            },
        ] {
            let draws = Draws::new(&draw);
            assert_eq!((draws.key(0), draws.key(u64::MAX)), (0, 2));
        }
    }
}
