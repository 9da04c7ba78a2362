//! The secrets of TLS connections, as lines of an NSS key log.
//!
//! Both ends of a connection tell the same secrets; a line is kept once. They
//! are told while a handshake is computed, so before the packets that they
//! decrypt are on the wire.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use rustls::KeyLog;

/// Lines remembered in order to know them again: the two ends of a handshake are a round trip apart.
const REMEMBERED_MAX: usize = 65_536;

/// Lines that nobody has taken yet.
#[derive(Default)]
pub(super) struct KeyLines(Mutex<Lines>);

#[derive(Default)]
struct Lines {
    pending: String,
    known: BTreeSet<String>,
}

impl KeyLines {
    /// The lines since the last time, each with its end.
    pub(super) fn take(&self) -> String {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut lines.pending)
    }
}

impl KeyLog for KeyLines {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut line = format!("{label} ");
        hex(&mut line, client_random);
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.known.len() >= REMEMBERED_MAX {
            lines.known.clear();
        }
        if !lines.known.insert(line.clone()) {
            return;
        }
        line.push(' ');
        hex(&mut line, secret);
        line.push('\n');
        lines.pending.push_str(&line);
    }
}

impl std::fmt::Debug for KeyLines {
    /// Secrets are not for logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyLines")
    }
}

fn hex(line: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // A string takes whatever is written.
        let _written = write!(line, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_both_ends_tell_is_one_line() {
        let keys = KeyLines::default();
        keys.log("CLIENT_TRAFFIC_SECRET_0", &[0, 0xAB], &[0xFF]);
        keys.log("CLIENT_TRAFFIC_SECRET_0", &[0, 0xAB], &[0xFF]);
        keys.log("SERVER_TRAFFIC_SECRET_0", &[0, 0xAB], &[1]);
        assert_eq!(
            keys.take(),
            "CLIENT_TRAFFIC_SECRET_0 00ab ff\nSERVER_TRAFFIC_SECRET_0 00ab 01\n"
        );
        assert_eq!(keys.take(), "");
        assert_eq!(format!("{keys:?}"), "KeyLines");
    }
}
