//! Which seeds a scenario is run with.
//!
//! First its own, because that is the one its author saw; then 1, 2, 3… without
//! it. The sequence hangs on nothing else: a longer one begins with a shorter
//! one, and two configurations of one scenario get the same seeds, so that they
//! are compared pair by pair.

/// Most seeds of one scenario.
pub const SEEDS_MAX: u64 = 100_000;

/// The seeds to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seeds {
    /// The first so many of the sequence.
    First(u64),
    /// These.
    List(Vec<u64>),
}

impl Seeds {
    /// These, each once: a seed that is counted twice is no second witness.
    pub fn list(seeds: &[u64]) -> Self {
        let mut each: Vec<u64> = Vec::new();
        for seed in seeds {
            if !each.contains(seed) {
                each.push(*seed);
            }
        }
        Self::List(each)
    }

    /// The seeds of a scenario whose own is `own`.
    pub fn of(&self, own: u64) -> Vec<u64> {
        match self {
            Self::First(count) => {
                let count = usize::try_from(*count).unwrap_or(usize::MAX);
                let others = (1..).filter(|seed| *seed != own);
                std::iter::once(own).chain(others).take(count).collect()
            }
            Self::List(seeds) => seeds.clone(),
        }
    }

    /// How many that are.
    pub fn count(&self) -> u64 {
        match self {
            Self::First(count) => *count,
            Self::List(seeds) => seeds.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_seed_comes_first_and_once() {
        assert_eq!(Seeds::First(4).of(7), [7, 1, 2, 3]);
        assert_eq!(Seeds::First(4).of(2), [2, 1, 3, 4]);
        assert_eq!(Seeds::First(1).of(0), [0]);
        assert_eq!(Seeds::list(&[9, 4, 9]).of(7), [9, 4]);
        let (long, short) = (Seeds::First(20).of(3), Seeds::First(5).of(3));
        assert!(long.starts_with(&short));
    }
}
