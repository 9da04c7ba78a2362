//! Stretches of time.

/// Stretches `[from, to)` in nanoseconds: none empty, in order, none touching another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spans(Vec<(u64, u64)>);

impl Spans {
    pub(crate) fn one(from: u64, to: u64) -> Self {
        Self::any(vec![(from, to)])
    }

    /// What lies in any of `spans`.
    pub(crate) fn any(mut spans: Vec<(u64, u64)>) -> Self {
        spans.retain(|(from, to)| from < to);
        spans.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(spans.len());
        for (from, to) in spans {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    /// What lies in both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let both = self.0.iter().flat_map(|a| {
            let others = other.0.iter();
            others.map(move |b| (a.0.max(b.0), a.1.min(b.1)))
        });
        Self::any(both.collect())
    }

    /// All of their lengths.
    pub(crate) fn length(&self) -> u64 {
        self.0.iter().map(|(from, to)| to - from).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// From the first beginning to the last end.
    pub(crate) fn hull(&self) -> Option<(u64, u64)> {
        Some((self.0.first()?.0, self.0.last()?.1))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_sets() {
        let a = Spans::any(vec![(5, 9), (1, 3), (3, 4), (7, 7)]);
        assert_eq!(a.iter().collect::<Vec<_>>(), [(1, 4), (5, 9)]);
        let both = a.and(&Spans::one(2, 6));
        assert_eq!(both.iter().collect::<Vec<_>>(), [(2, 4), (5, 6)]);
        assert_eq!((both.length(), both.hull()), (3, Some((2, 6))));
        assert!(Spans::one(4, 4).is_empty());
    }
}
