//! Every request ends exactly once.
//!
//! A client numbers its requests. A number is sent once, and ended at most
//! once; at the end of the run it has ended or is in flight. What a sidecar
//! does has no numbers, so there the law is one of counts
//! ([`conservation`](super::conservation)).

use mesh_core::seam::Instant;

use crate::record::quick::Map;

/// A client's requests in flight, by number.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Map<u64, Start>);

/// When a request was to be sent, and when it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) intended: Instant,
    pub(crate) sent: Instant,
}

impl InFlight {
    /// Request `number` was sent.
    ///
    /// # Errors
    /// When it is in flight.
    pub(crate) fn sent(&mut self, number: u64, start: Start) -> Result<(), &'static str> {
        match self.0.insert(number, start) {
            Some(_) => Err("was sent twice"),
            None => Ok(()),
        }
    }

    /// Request `number` ended.
    ///
    /// # Errors
    /// When it is not in flight.
    pub(crate) fn ended(&mut self, number: u64) -> Result<(), &'static str> {
        match self.0.swap_remove(&number) {
            Some(_) => Ok(()),
            None => Err("ended, and was not in flight"),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn starts(&self) -> impl Iterator<Item = Start> {
        self.0.values().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_sent_once_and_ends_once() {
        let start = Start {
            intended: Instant::ZERO,
            sent: Instant::ZERO,
        };
        let mut requests = InFlight::default();
        assert!(requests.sent(1, start).is_ok() && requests.sent(2, start).is_ok());
        assert_eq!(requests.sent(1, start), Err("was sent twice"));
        assert!(requests.ended(1).is_ok());
        assert_eq!(requests.ended(1), Err("ended, and was not in flight"));
        assert_eq!(requests.len(), 1);
    }
}
