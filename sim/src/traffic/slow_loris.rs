//! Peers that open connections and never finish what they say.
//!
//! Slowloris (R. Hansen, 2009): a client that sends the head of a request a byte
//! at a time, and never its end, keeps a connection of its server busy for next
//! to nothing. A server that bounds its connections then has none for others.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use mesh_core::seam::{Instant, sleep};
use tokio::io::AsyncWriteExt;

use super::knobs::SourceLever;
use super::source::Source;

impl Source {
    /// Keeps one such connection open, as long as the fault is in force; one that the server ends is opened again.
    pub(super) async fn torment(
        self: Rc<Self>,
        lever: Rc<SourceLever>,
        authority: String,
        pause: Duration,
    ) {
        let head = format!("GET / HTTP/1.1\r\nhost: {authority}\r\nx-slow: ");
        while lever.is_in_force() && self.seams.now() < self.end {
            if let Ok(mut connection) = self.client.connect(&authority).await {
                lever.touch();
                let mut well = connection.io.write_all(head.as_bytes()).await.is_ok();
                while well && self.goes_on(&lever, pause).await {
                    well = connection.io.write_all(b"a").await.is_ok()
                        && connection.io.flush().await.is_ok();
                }
                let _gone = connection.io.shutdown().await;
            }
            if lever.is_in_force() {
                sleep(&*self.seams.clock, pause).await;
            }
        }
    }

    /// Waits for a while, or until the fault is over. Whether it goes on.
    async fn goes_on(&self, lever: &SourceLever, pause: Duration) -> bool {
        let mut changes = self.knobs.changes();
        let until: Instant = self.seams.now() + pause;
        while lever.is_in_force() {
            let changed = std::pin::pin!(changes.changed());
            match select(self.seams.clock.sleep_until(until), changed).await {
                Either::Left(_) => return self.seams.now() < self.end,
                Either::Right((Ok(()), _)) => {}
                Either::Right((Err(_), _)) => return false,
            }
        }
        false
    }
}
