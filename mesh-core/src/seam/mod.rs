//! The only doors to the outside.
//!
//! Everything the mesh needs from its surroundings goes through five narrow
//! seams: [`Network`], [`Clock`], [`Spawn`], [`Randomness`] and
//! [`Observer`](crate::telemetry::Observer). Production implements them on tokio ([`real`]);
//! a simulator implements them on virtual time. Nothing else in this crate
//! reads a clock, opens a socket, starts a task or draws a random number, so
//! whoever implements the seams decides everything a run can see.
//!
//! Tasks are `!Send` on purpose: a sidecar is single-threaded, as one Envoy
//! worker is, and shares its state through `Rc`. Only the clock must be
//! `Send + Sync`, because hyper's `Timer` and rustls' `TimeProvider` demand it.

mod clock;
mod network;
mod peeked;
mod random;
pub mod real;
mod spawn;

pub use clock::{BoxSleep, Clock, HyperTimer, Instant, Sleep, TlsTime, sleep, timeout_at};
pub use network::{Connection, Io, Listener, Network};
pub(crate) use peeked::Peeked;
pub use random::{Randomness, Rng};
pub use spawn::{Executor, LocalBoxFuture, Spawn};

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::KeyLog;

use crate::telemetry::Observer;

/// One host's handles to the five seams. Cheap to clone.
#[derive(Clone)]
pub struct Seams {
    /// Sockets.
    pub network: Rc<dyn Network>,
    /// Time, monotonic and wall.
    pub clock: Arc<dyn Clock>,
    /// Tasks.
    pub spawn: Rc<dyn Spawn>,
    /// Named random streams.
    pub random: Rc<dyn Randomness>,
    /// Where typed events go.
    pub observer: Rc<dyn Observer>,
    /// Who is told the secrets of TLS connections, to read captured packets by. A host that gives `None`, as any in
    /// production does, tells nobody; a host that gives one changes nothing else.
    pub key_log: Option<Arc<dyn KeyLog>>,
}

impl Seams {
    /// The instant on this host's monotonic clock.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The next connection of `listener`. That one cannot be accepted (no more file
    /// descriptors, a peer that gave up) must not end a server: it is waited out.
    pub async fn accept(&self, listener: &mut (dyn Listener + 'static)) -> Connection {
        /// Long enough not to spin, short enough for nobody to notice.
        const PAUSE: Duration = Duration::from_millis(100);
        loop {
            match listener.accept().await {
                Ok(connection) => return connection,
                Err(_) => sleep(&*self.clock, PAUSE).await,
            }
        }
    }

    /// Starts `future` as a task of this host.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        self.spawn.spawn(Box::pin(future));
    }
}
