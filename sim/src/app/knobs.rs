//! What faults change in a running app.

use tokio::sync::watch;

/// The knobs of one pod's app. They outlive its processes: a fault that is in force when a pod dies is in force when it
/// comes back.
pub struct AppKnobs {
    /// Told to stop, in this life.
    stop: watch::Sender<bool>,
}

impl Default for AppKnobs {
    fn default() -> Self {
        Self {
            stop: watch::Sender::new(false),
        }
    }
}

impl AppKnobs {
    /// A new life begins: nobody has told it to stop.
    pub(crate) fn begin_life(&self) {
        self.stop.send_replace(false);
    }

    /// Tells the app to stop, as SIGTERM does: it accepts no more connections, and ends those it has after their answers.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Completes when it is told to stop.
    pub(super) async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        if stop.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
