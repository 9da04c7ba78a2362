//! What an open connection of a pool is to the rest of the proxy.

use std::cell::Cell;
use std::rc::{Rc, Weak};
use std::time::Duration;

use hyper::client::conn::http2;

use super::HostPool;
use crate::proxy::failure::root_cause;
use crate::proxy::transport::Verdict;
use crate::resilience::Permit;
use crate::seam::{Executor, HyperTimer, Instant, Seams};
use crate::telemetry::TlsState;

/// hyper's HTTP/2 client, with every dependence on the wall clock removed and
/// without the limits that would kill a connection after many cancellations.
pub(super) fn http2_client(seams: &Seams, timer: &HyperTimer) -> http2::Builder<Executor> {
    /// Long enough that h2 never expires a reset stream by the wall clock.
    const NEVER: Duration = Duration::from_secs(1_000_000);
    let mut builder = http2::Builder::new(Executor(seams.spawn.clone()));
    builder
        .timer(timer.clone())
        .reset_stream_duration(NEVER)
        .max_concurrent_reset_streams(100_000)
        .max_local_error_reset_streams(None)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(16 << 20)
        .initial_max_send_streams(1 << 20);
    builder
}

/// An open connection's share of the breaker, and the event when it closes.
pub(super) struct OpenConnection {
    pool: Weak<HostPool>,
    open: Rc<Cell<u32>>,
    tls: TlsState,
    verdict: Verdict,
    start: Instant,
    _permit: Permit,
}

impl OpenConnection {
    pub(super) fn new(
        pool: &HostPool,
        permit: Permit,
        tls: TlsState,
        verdict: Verdict,
        start: Instant,
    ) -> Self {
        pool.open.set(pool.open.get() + 1);
        Self {
            pool: pool.own.clone(),
            open: pool.open.clone(),
            tls,
            verdict,
            start,
            _permit: permit,
        }
    }

    /// Sees the connection through to its end.
    pub(super) async fn follow(self, driver: impl Future<Output = hyper::Result<()>>) {
        let error = driver.await.err();
        self.closed(error);
    }

    fn closed(self, error: Option<hyper::Error>) {
        let Some(pool) = self.pool.upgrade() else {
            return;
        };
        let why = match self.verdict.refusal() {
            Some(refusal) => {
                pool.handshake_failed(&refusal);
                refusal
            }
            None => error.map_or_else(String::new, |e| root_cause(&e)).into(),
        };
        pool.observe("close", &why, self.start, self.tls);
        drop(self);
        // Those whom the breaker kept from connecting may do so now.
        pool.connect_if_needed();
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.open.set(self.open.get().saturating_sub(1));
    }
}
