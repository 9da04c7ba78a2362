//! When enough runs have been seen: Wald's sequential probability ratio test.
//!
//! A. Wald, "Sequential Tests of Statistical Hypotheses", Annals of Mathematical
//! Statistics 16 (1945). After every run the evidence is the logarithm of the
//! likelihood ratio of two hypotheses about the share `p` of seeds that agree;
//! the test goes on while it lies between `ln(β/(1−α))` and `ln((1−β)/α)`. No
//! test with the same error rates needs fewer runs on average (Wald and
//! Wolfowitz, 1948).
//!
//! Here H0 is *the scenario is steady*, p = 99 %: one seed in a hundred is
//! granted to chance. H1 is *it is not*, p = 50 %, α = β = 5 %. A scenario is
//! hardly ever written to sit at a coin's toss; where one does, five agreeing
//! runs in a row come with p⁵ ≈ 3 %. And five is what it takes: every agreeing
//! run adds `ln(0.5/0.99) = −0.68` to the evidence, and the bound is −2.94. A
//! test against 90 % would need 31, for a difference that the verdict does not
//! hang on: a scenario that is seen to disagree even once is called flaky, and
//! runs on, because then the share itself is what one wants to know.

use serde::{Deserialize, Serialize};

/// The two hypotheses about the share of seeds that agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hypothesis {
    /// H0: (nearly) all agree.
    Steady,
    /// H1: many do not.
    Unsteady,
}

/// A test of one share against another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequentialTest {
    /// The share under H0.
    pub steady: f64,
    /// The share under H1; less.
    pub unsteady: f64,
    /// How often H0 may be rejected although it is true.
    pub alpha: f64,
    /// How often H0 may be accepted although H1 is true.
    pub beta: f64,
}

impl Default for SequentialTest {
    /// The one the module argues for.
    fn default() -> Self {
        Self {
            steady: 0.99,
            unsteady: 0.5,
            alpha: 0.05,
            beta: 0.05,
        }
    }
}

impl SequentialTest {
    /// The bounds of the evidence: below the first H0 is accepted, above the second H1.
    pub fn bounds(&self) -> (f64, f64) {
        (
            libm::log(self.beta / (1.0 - self.alpha)),
            libm::log((1.0 - self.beta) / self.alpha),
        )
    }

    /// The logarithm of the likelihood ratio, H1 over H0, after runs of which some agreed and some did not.
    pub fn evidence(&self, agreed: u64, disagreed: u64) -> f64 {
        let step = |h1: f64, h0: f64| libm::log(h1 / h0);
        agreed as f64 * step(self.unsteady, self.steady)
            + disagreed as f64 * step(1.0 - self.unsteady, 1.0 - self.steady)
    }

    /// What is accepted after these runs; `None` while more are wanted.
    pub fn decide(&self, agreed: u64, disagreed: u64) -> Option<Hypothesis> {
        let (low, high) = self.bounds();
        match self.evidence(agreed, disagreed) {
            evidence if evidence <= low => Some(Hypothesis::Steady),
            evidence if evidence >= high => Some(Hypothesis::Unsteady),
            _ => None,
        }
    }

    /// How many runs it takes when all agree.
    pub fn runs_when_steady(&self) -> u64 {
        let mut runs = 1;
        while self.decide(runs, 0) != Some(Hypothesis::Steady) && runs < 1_000_000 {
            runs += 1;
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_walds() {
        let (low, high) = SequentialTest::default().bounds();
        // ln(0.95/0.05) = ln 19.
        assert!((high - 2.944_438_979).abs() < 1e-9, "{high}");
        assert!((low + 2.944_438_979).abs() < 1e-9, "{low}");
        let other = SequentialTest {
            alpha: 0.01,
            beta: 0.1,
            ..SequentialTest::default()
        };
        let (low, high) = other.bounds();
        assert!((high - 4.499_809_670).abs() < 1e-9, "ln 90: {high}");
        assert!((low + 2.292_534_757).abs() < 1e-9, "ln(0.1/0.99): {low}");
    }

    #[test]
    fn five_agreeing_runs_are_enough() {
        let test = SequentialTest::default();
        assert!((test.evidence(1, 0) + 0.683_096_844).abs() < 1e-9);
        assert!((test.evidence(0, 1) - 3.912_023_005).abs() < 1e-9, "ln 50");
        assert_eq!(test.decide(4, 0), None);
        assert_eq!(test.decide(5, 0), Some(Hypothesis::Steady));
        assert_eq!(test.runs_when_steady(), 5);
        assert_eq!(test.decide(0, 1), Some(Hypothesis::Unsteady));
        assert_eq!(test.decide(4, 1), None);
        let strict = SequentialTest {
            unsteady: 0.9,
            ..test
        };
        assert_eq!(strict.runs_when_steady(), 31);
    }

    /// The errors of the rule that is used, five agreeing runs in a row, counted out: they keep what α and β allow.
    #[test]
    fn its_errors_are_as_promised() {
        let test = SequentialTest::default();
        let runs = i32::try_from(test.runs_when_steady()).unwrap();
        assert!(test.unsteady.powi(runs) <= test.beta);
        assert!(1.0 - test.steady.powi(runs) <= test.alpha);
    }
}
