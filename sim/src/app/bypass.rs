//! A way past the sidecar.

use std::cell::Cell;

/// A way past a pod's sidecar, as a process has it whose packets are not redirected.
#[derive(Default)]
pub struct Bypass {
    /// How many keep it open.
    open: Cell<u32>,
    requests: Cell<u64>,
}

impl Bypass {
    /// Opens it, or closes it for one of those who have opened it.
    pub(crate) fn set(&self, open: bool) {
        let others = self.open.get();
        self.open.set(match open {
            true => others + 1,
            false => others.saturating_sub(1),
        });
    }

    /// Takes it for one request, if it is open.
    pub(super) fn take(&self) -> bool {
        let open = self.open.get() > 0;
        self.requests.set(self.requests.get() + u64::from(open));
        open
    }

    /// Requests that went this way.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.get()
    }
}
