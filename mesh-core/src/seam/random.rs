//! Randomness as a seam: every consumer has its own named stream.
//!
//! Adding a draw, a consumer or a host never shifts anybody else's numbers, so
//! the same seed under two policies has the same arrivals and the same service
//! times (common random numbers), and a comparison shows the policy alone.

use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A source of named random streams.
pub trait Randomness {
    /// The generator called `name`. Asking twice for a name gives the same numbers twice.
    fn stream(&self, name: &str) -> Rng;
}

/// One random stream: xoshiro256++ (Blackman and Vigna, 2019).
#[derive(Clone, Debug)]
pub struct Rng(Xoshiro256PlusPlus);

impl Rng {
    /// The generator of stream `name` under `seed`.
    pub fn named(seed: u64, name: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(name.as_bytes());
        Self(Xoshiro256PlusPlus::from_seed(*hasher.finalize().as_bytes()))
    }

    /// A generator from 32 bytes of seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(Xoshiro256PlusPlus::from_seed(seed))
    }

    /// 64 uniform bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `[0, 1)`, with 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `0..n`, without bias (Lemire, 2019). Zero when `n` is zero.
    pub fn below(&mut self, n: u64) -> u64 {
        if n <= 1 {
            return 0;
        }
        loop {
            let wide = u128::from(self.bits()) * u128::from(n);
            let low = wide as u64;
            if low >= n.wrapping_neg() % n {
                return (wide >> 64) as u64;
            }
        }
    }

    /// True with probability `p` of one million.
    pub fn chance_ppm(&mut self, p: u32) -> bool {
        self.below(1_000_000) < u64::from(p)
    }

    /// Fills `out` with random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_owns_its_numbers() {
        let mut a = Rng::named(7, "a");
        let mut again = Rng::named(7, "a");
        let mut b = Rng::named(7, "b");
        let mut other_seed = Rng::named(8, "a");
        let first = a.bits();
        assert_eq!(first, again.bits());
        assert_ne!(first, b.bits());
        assert_ne!(first, other_seed.bits());
    }

    #[test]
    fn below_is_uniform() {
        let mut rng = Rng::named(1, "dice");
        let mut counts = [0u32; 6];
        for _ in 0..60_000 {
            counts[usize::try_from(rng.below(6)).unwrap()] += 1;
        }
        // Six standard deviations of a binomial(60000, 1/6) are 548.
        assert!(
            counts.iter().all(|&c| c.abs_diff(10_000) < 548),
            "{counts:?}"
        );
    }
}
