//! How often each resilience mechanism acted.

use std::collections::BTreeMap;

use mesh_core::telemetry::{EjectionEvent, Mechanism};

use super::count::Counts;

/// Mechanisms over the whole mesh.
#[derive(Default)]
pub(super) struct Mechanisms {
    counts: Counts<Mechanism>,
    /// Handshakes that failed, as the callers and as the called tell it.
    handshakes: [u64; 2],
    ejections: u64,
    returns: u64,
}

impl Mechanisms {
    /// `calls` is whether the caller's side tells.
    pub(super) fn acted(&mut self, mechanism: Mechanism, calls: bool) {
        match mechanism {
            Mechanism::HandshakeFailed => self.handshakes[usize::from(calls)] += 1,
            _ => self.counts.add(mechanism),
        }
    }

    pub(super) fn ejection(&mut self, event: &EjectionEvent<'_>) {
        match event.reason {
            Some(_) => self.ejections += 1,
            None => self.returns += 1,
        }
    }

    pub(super) fn report(&self) -> BTreeMap<String, u64> {
        let mut told = self.counts.told(name);
        // Both ends tell of the same handshake, unless one of them has no sidecar.
        let [called, callers] = self.handshakes;
        let also = [
            ("handshake_failed", called.max(callers)),
            ("ejection", self.ejections),
            ("ejection_ended", self.returns),
        ];
        for (name, count) in also.into_iter().filter(|(_, count)| *count > 0) {
            told.insert(name.into(), count);
        }
        told
    }
}

/// A mechanism's name in reports: its own in snake case.
pub(super) fn name(mechanism: Mechanism) -> String {
    snake(&format!("{mechanism:?}"))
}

/// `PerTryTimeout` to `per_try_timeout`, `Consecutive5xx` to `consecutive_5xx`.
pub(super) fn snake(camel: &str) -> String {
    let mut out = String::with_capacity(camel.len() + 4);
    for c in camel.chars() {
        let number_begins = c.is_ascii_digit() && !out.ends_with(|c: char| c.is_ascii_digit());
        if (c.is_ascii_uppercase() || number_begins) && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_snake_case() {
        assert_eq!(name(Mechanism::Retry), "retry");
        assert_eq!(name(Mechanism::PerTryTimeout), "per_try_timeout");
        assert_eq!(snake("Consecutive5xx"), "consecutive_5xx");
    }
}
