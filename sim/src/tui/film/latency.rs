//! Latencies of a moment: few, kept sparsely, merged over any stretch of time.

/// Buckets to the octave, as a power of two: a bucket is at most 1/128 of its value wide.
const BITS: u32 = 7;

/// A histogram as the sorted list of buckets in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Buckets(Vec<(u16, u32)>);

impl Buckets {
    /// Adds `count` values of `ns`.
    pub(crate) fn add(&mut self, ns: u64, count: u32) {
        self.add_bucket(bucket(ns), count);
    }

    fn add_bucket(&mut self, bucket: u16, count: u32) {
        match self.0.binary_search_by_key(&bucket, |(b, _)| *b) {
            Ok(at) => self.0[at].1 = self.0[at].1.saturating_add(count),
            Err(at) => self.0.insert(at, (bucket, count)),
        }
    }

    /// Adds all of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            self.add_bucket(*bucket, *count);
        }
    }

    /// The `q` quantile (nearest rank): the middle of its bucket, at most 1/256 off; `None` without values.
    pub(crate) fn quantile(&self, q: f64) -> Option<u64> {
        let total: u64 = self.0.iter().map(|(_, count)| u64::from(*count)).sum();
        let rank = ((q * total as f64).ceil() as u64).clamp(1, total.max(1));
        let mut seen = 0;
        for (bucket, count) in &self.0 {
            seen += u64::from(*count);
            if seen >= rank {
                let (low, high) = (floor(*bucket), floor(bucket + 1));
                return Some(low + (high - low) / 2);
            }
        }
        None
    }
}

fn bucket(ns: u64) -> u16 {
    let Some(exponent) = ns.checked_ilog2().filter(|e| *e >= BITS) else {
        return ns as u16;
    };
    let within = (ns >> (exponent - BITS)) & ((1 << BITS) - 1);
    (((exponent - BITS + 1) << BITS) as u64 + within) as u16
}

/// The least value of a bucket.
fn floor(bucket: u16) -> u64 {
    let (octave, within) = (
        u32::from(bucket >> BITS),
        u64::from(bucket) & ((1 << BITS) - 1),
    );
    match octave {
        0 => within,
        octave => (((1 << BITS) + within) as u128)
            .checked_shl(octave - 1)
            .and_then(|value| u64::try_from(value).ok())
            .unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket(ns: u64) {
            let bucket = bucket(ns);
            prop_assert!(floor(bucket) <= ns);
            prop_assert!(ns < floor(bucket + 1) || floor(bucket + 1) == u64::MAX);
            prop_assert!((floor(bucket + 1) - floor(bucket)) as f64 <= 1.0 + ns as f64 / 128.0);
        }

        #[test]
        fn a_quantile_is_near_the_exact_one(mut values in prop::collection::vec(1u64..10_000_000_000, 1..100), q in 0.0f64..1.0) {
            let mut buckets = Buckets::default();
            values.iter().for_each(|v| buckets.add(*v, 1));
            values.sort_unstable();
            let exact = values[((q * values.len() as f64).ceil() as usize).clamp(1, values.len()) - 1];
            let told = buckets.quantile(q).unwrap();
            prop_assert!(told.abs_diff(exact) as f64 <= exact as f64 / 128.0 + 1.0);
        }
    }

    #[test]
    fn without_values_there_is_no_quantile() {
        assert_eq!(Buckets::default().quantile(0.5), None);
    }
}
