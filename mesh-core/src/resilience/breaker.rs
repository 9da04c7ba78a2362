//! Breakers: bounds on what one proxy may have open to one cluster.
//!
//! Envoy calls them circuit breakers, but nothing opens and closes: they are
//! plain counters with a limit, per cluster and per proxy, not shared between
//! proxies (`resource_manager_impl.h`). What does not fit is rejected at once
//! with 503 and `UO`, and never retried (case cb_overflow_and_retry). Without a
//! queue this is Erlang's loss system.

use std::cell::Cell;
use std::rc::Rc;

use crate::policy::ConnectionPool;

/// A limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

#[derive(Debug, Default)]
struct Counter {
    limit: Cell<u32>,
    count: Cell<u32>,
}

impl Counter {
    fn has_room(&self) -> bool {
        self.count.get() < self.limit.get()
    }
}

#[derive(Clone, Copy, Debug)]
enum Resource {
    Connections,
    Pending,
    Requests,
}

/// The counters of one cluster in one proxy. `u32::MAX` is no limit.
#[derive(Debug)]
pub struct Breaker {
    connections: Counter,
    pending: Counter,
    requests: Counter,
}

impl Breaker {
    /// Counters with the limits of `pool`.
    pub fn new(pool: &ConnectionPool) -> Rc<Self> {
        let breaker = Self {
            connections: Counter::default(),
            pending: Counter::default(),
            requests: Counter::default(),
        };
        breaker.configure(pool);
        Rc::new(breaker)
    }

    /// Takes over changed limits. What is open stays open.
    pub fn configure(&self, pool: &ConnectionPool) {
        self.connections.limit.set(pool.connections_max);
        self.pending.limit.set(pool.pending_max);
        self.requests.limit.set(pool.requests_max);
    }

    /// Admits a connection (`max_connections`).
    ///
    /// # Errors
    /// When the limit is reached.
    pub fn connection(self: &Rc<Self>) -> Result<Permit, Overflow> {
        self.admit(Resource::Connections)
    }

    /// Counts a connection whatever the limit: an endpoint that has none gets its
    /// first, or requests queued for it would wait for ever (Envoy's `conn_pool_base.cc`).
    pub fn first_connection(self: &Rc<Self>) -> Permit {
        Permit::new(self, Resource::Connections)
    }

    /// Admits a request that waits for a connection or a stream (`max_pending_requests`).
    ///
    /// # Errors
    /// When the limit is reached.
    pub fn pending(self: &Rc<Self>) -> Result<Permit, Overflow> {
        self.admit(Resource::Pending)
    }

    /// Admits a request to its connection, HTTP/1.1 and HTTP/2 alike
    /// (`max_requests`; case cb_max_requests_h1). Retries and mirrors count too.
    ///
    /// # Errors
    /// When the limit is reached.
    pub fn request(self: &Rc<Self>) -> Result<Permit, Overflow> {
        self.admit(Resource::Requests)
    }

    /// Connections open.
    pub fn connections(&self) -> u32 {
        self.connections.count.get()
    }

    /// Requests waiting.
    pub fn pending_requests(&self) -> u32 {
        self.pending.count.get()
    }

    /// Requests in flight.
    pub fn active_requests(&self) -> u32 {
        self.requests.count.get()
    }

    fn admit(self: &Rc<Self>, resource: Resource) -> Result<Permit, Overflow> {
        if self.counter(resource).has_room() {
            Ok(Permit::new(self, resource))
        } else {
            Err(Overflow)
        }
    }

    fn counter(&self, resource: Resource) -> &Counter {
        match resource {
            Resource::Connections => &self.connections,
            Resource::Pending => &self.pending,
            Resource::Requests => &self.requests,
        }
    }
}

/// A place under a limit, given back when dropped.
#[derive(Debug)]
#[must_use = "the place is given back when the permit is dropped"]
pub struct Permit {
    breaker: Rc<Breaker>,
    resource: Resource,
}

impl Permit {
    fn new(breaker: &Rc<Breaker>, resource: Resource) -> Self {
        let count = &breaker.counter(resource).count;
        count.set(count.get().saturating_add(1));
        Self {
            breaker: breaker.clone(),
            resource,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let count = &self.breaker.counter(self.resource).count;
        count.set(count.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::fixture::pool;
    use proptest::prelude::*;

    #[test]
    fn two_connections_and_one_pending_leave_five_of_eight_out() {
        // cb_connections_and_pending: 8 at once, limits 2 and 1.
        let mut limits = pool(2);
        limits.pending_max = 1;
        let breaker = Breaker::new(&limits);
        let connected: Vec<_> = (0..8).filter_map(|_| breaker.connection().ok()).collect();
        let waiting: Vec<_> = (0..6).filter_map(|_| breaker.pending().ok()).collect();
        assert_eq!((connected.len(), waiting.len()), (2, 1));
        drop(connected);
        assert!(breaker.connection().is_ok());
    }

    #[test]
    fn the_first_connection_always_fits() {
        let breaker = Breaker::new(&pool(0));
        assert_eq!(breaker.connection().unwrap_err(), Overflow);
        let first = breaker.first_connection();
        assert_eq!(breaker.connections(), 1);
        drop(first);
        assert_eq!(breaker.connections(), 0);
    }

    #[test]
    fn a_lowered_limit_lets_the_open_ones_end() {
        let breaker = Breaker::new(&pool(2));
        let open = [breaker.request(), breaker.request()];
        breaker.configure(&pool(1));
        assert_eq!(breaker.active_requests(), 2);
        drop(open);
        assert!(breaker.request().is_ok());
    }

    proptest! {
        #[test]
        fn limits_are_never_exceeded(limit in 0u32..8, steps in prop::collection::vec(any::<u8>(), 0..200)) {
            let breaker = Breaker::new(&pool(limit));
            let mut held: Vec<Permit> = Vec::new();
            for step in steps {
                let admitted = match step % 5 {
                    0 => breaker.connection(),
                    1 => breaker.pending(),
                    2 => breaker.request(),
                    _ if !held.is_empty() => {
                        drop(held.swap_remove(usize::from(step) % held.len()));
                        continue;
                    }
                    _ => continue,
                };
                held.extend(admitted.ok());
                prop_assert!(breaker.connections() <= limit);
                prop_assert!(breaker.pending_requests() <= limit);
                prop_assert!(breaker.active_requests() <= limit);
            }
            let open = breaker.connections() + breaker.pending_requests() + breaker.active_requests();
            prop_assert_eq!(open as usize, held.len());
        }
    }
}
