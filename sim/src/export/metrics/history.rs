//! Scrapes, and what a series was at each.

use std::time::Duration;

use mesh_core::seam::Instant;

/// When scrapes were made.
pub(super) struct Scrapes {
    /// When the run began, and what the wall clock showed then.
    origin: Instant,
    epoch: Duration,
    interval: Duration,
    due: Instant,
    made: Vec<Instant>,
    /// The latest instant of which all is known.
    known: Instant,
}

impl Scrapes {
    /// With a first one when the run begins, in which everything is zero.
    pub(super) fn new(origin: Instant, epoch: Duration, interval: Duration) -> Self {
        Self {
            origin,
            epoch,
            interval,
            due: origin + interval,
            made: vec![origin],
            known: origin,
        }
    }

    pub(super) fn is_due(&self, at: Instant) -> bool {
        at >= self.due
    }

    pub(super) fn reached(&mut self, at: Instant) {
        self.known = self.known.max(at);
    }

    pub(super) fn scrape(&mut self, at: Instant) {
        self.made.push(at);
        while self.due <= at {
            self.due = self.due + self.interval;
        }
    }

    /// The number of the last scrape.
    pub(super) fn last(&self) -> usize {
        self.made.len() - 1
    }

    /// The end of what is known, if it was not scraped.
    pub(super) fn unscraped(&self) -> Option<Instant> {
        let last = self.made.last().copied().unwrap_or(self.origin);
        (self.known > last).then_some(self.known)
    }

    /// Forgets every other scrape; the first is kept. `false` when none is left to forget.
    pub(super) fn thin(&mut self) -> bool {
        if self.made.len() < 3 {
            return false;
        }
        let mut number = 0;
        self.made.retain(|_| {
            number += 1;
            number % 2 == 1
        });
        self.interval *= 2;
        let last = self.made.last().copied().unwrap_or(self.origin);
        self.due = last + self.interval;
        true
    }

    /// Milliseconds since the Unix epoch of scrapes from `first` on.
    pub(super) fn times(&self, first: usize) -> impl Iterator<Item = u64> {
        self.made.iter().skip(first).map(|at| {
            let wall = self.epoch + at.since(self.origin);
            u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)
        })
    }
}

/// `N` numbers that belong together, at each scrape.
pub(super) struct History<const N: usize> {
    /// The scrape before it was first heard of: it was zero then.
    first: usize,
    then: Vec<[u64; N]>,
    pub(super) now: [u64; N],
}

impl<const N: usize> History<N> {
    pub(super) fn new(first: usize) -> Self {
        Self {
            first,
            then: vec![[0; N]],
            now: [0; N],
        }
    }

    pub(super) fn scrape(&mut self) {
        self.then.push(self.now);
    }

    pub(super) fn thin(&mut self) {
        let first = self.first;
        let mut number = first;
        self.then.retain(|_| {
            number += 1;
            number % 2 == 1
        });
        self.first = first.div_ceil(2);
    }

    /// Numbers kept.
    pub(super) fn samples(&self) -> usize {
        self.then.len() * N
    }

    /// The times of its scrapes and what it was.
    pub(super) fn rows<'a>(
        &'a self,
        scrapes: &'a Scrapes,
    ) -> impl Iterator<Item = (u64, &'a [u64; N])> {
        scrapes.times(self.first).zip(&self.then)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_series_is_told_from_the_scrape_before_it_began() {
        let mut scrapes = Scrapes::new(Instant::ZERO, Duration::from_millis(7), SECOND);
        scrapes.scrape(Instant::ZERO + SECOND);
        let mut series = History::<1>::new(scrapes.last());
        series.now = [5];
        scrapes.scrape(Instant::ZERO + SECOND * 2);
        series.scrape();
        let rows: Vec<_> = series.rows(&scrapes).collect();
        assert_eq!(rows, [(1_007, &[0]), (2_007, &[5])]);
    }

    /// Thinned or not, a series has at each time what it was at that time.
    #[test]
    fn thinning_forgets_and_does_not_shift() {
        for begun in 0..9 {
            let mut scrapes = Scrapes::new(Instant::ZERO, Duration::ZERO, SECOND);
            let mut series = None;
            for number in 1..12u64 {
                if number == begun + 1 {
                    series = Some(History::<1>::new(scrapes.last()));
                }
                scrapes.scrape(Instant::ZERO + SECOND * number as u32);
                if let Some(series) = &mut series {
                    series.now = [number];
                    series.scrape();
                }
                if number == 6 || number == 10 {
                    assert!(scrapes.thin());
                    series.iter_mut().for_each(History::thin);
                }
            }
            let series = series.unwrap();
            let rows: Vec<_> = series.rows(&scrapes).collect();
            assert_eq!(rows.len(), series.then.len());
            for (at, [value]) in &rows {
                assert!(*value * 1_000 == *at || *value == 0, "{begun}: {rows:?}");
            }
            assert_eq!(rows.last(), Some(&(11_000, &[11])));
        }
    }

    #[test]
    fn the_end_is_scraped_once() {
        let mut scrapes = Scrapes::new(Instant::ZERO, Duration::ZERO, SECOND);
        scrapes.reached(Instant::ZERO + SECOND);
        assert_eq!(scrapes.unscraped(), Some(Instant::ZERO + SECOND));
        scrapes.scrape(Instant::ZERO + SECOND);
        assert_eq!(scrapes.unscraped(), None);
    }
}
