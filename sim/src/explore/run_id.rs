//! The name of a run: `scenarios/checkout.yaml@17`.

use std::fmt;

/// A scenario's file and a seed. No shell takes `@` for anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunId {
    /// The scenario's file.
    pub file: String,
    /// The seed.
    pub seed: u64,
}

impl RunId {
    /// Reads one: what stands before the last `@`, and a number after it.
    pub fn parse(text: &str) -> Option<Self> {
        let (file, seed) = text.rsplit_once('@')?;
        let digits = !seed.is_empty() && seed.bytes().all(|b| b.is_ascii_digit());
        if file.is_empty() || !digits {
            return None;
        }
        Some(Self {
            file: file.to_owned(),
            seed: seed.parse().ok()?,
        })
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.file, self.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "a.yaml",
            "@1",
            "a.yaml@",
            "a.yaml@-1",
            "a@b",
            "a@99999999999999999999999",
        ] {
            assert_eq!(RunId::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_reads_what_it_writes(file in ".+", seed: u64) {
            let id = RunId { file, seed };
            prop_assert_eq!(RunId::parse(&id.to_string()), Some(id));
        }
    }
}
