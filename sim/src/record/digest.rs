//! The digest: which run this was, in 32 bytes.
//!
//! Every event is appended as `(instant, host, family, event)` in postcard's
//! encoding: variable-length integers, lengths before strings, no padding, the
//! same on every machine and in every build. BLAKE3 hashes blocks of 64 KiB,
//! which is where its throughput lies. A host's name is written once, when it
//! first appears, and its number from then on.

use crate::record::quick::Set;
use mesh_core::seam::Instant;
use postcard::ser_flavors::Flavor;
use serde::Serialize;

/// Bytes hashed at once.
const BLOCK: usize = 64 * 1024;
/// Room for the event that crosses a block's end; longer ones make the buffer grow once.
const SLACK: usize = 4 * 1024;

/// A host's number in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct HostId(u32);

/// Whose event it is. The numbers are part of the encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// The name of the next host.
    Host = 0,
    /// The mesh.
    Mesh = 1,
    /// A traffic source.
    Traffic = 2,
    /// An app.
    App = 3,
    /// A fault.
    Fault = 4,
    /// A pod.
    Pod = 5,
    /// The network.
    Fabric = 6,
}

/// The hash of an event stream, so far.
pub(super) struct Digest {
    hasher: Box<blake3::Hasher>,
    pending: Vec<u8>,
    hosts: Set<Box<str>>,
}

/// Appends to a buffer that outlives the encoding of one event.
struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    #[inline(always)]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline(always)]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        // Most pieces are varints of a byte or three, and a call to memcpy costs more than they do.
        match *bytes {
            [a] => self.0.push(a),
            [a, b] => self.0.extend_from_slice(&[a, b]),
            [a, b, c] => self.0.extend_from_slice(&[a, b, c]),
            _ => self.0.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

impl Digest {
    pub(super) fn new() -> Self {
        Self {
            hasher: Box::new(blake3::Hasher::new()),
            pending: Vec::with_capacity(BLOCK + SLACK),
            hosts: Set::default(),
        }
    }

    /// The number of host `name`, which is given one when it is new.
    pub(super) fn host(&mut self, name: &str) -> HostId {
        if let Some(index) = self.hosts.get_index_of(name) {
            return HostId(index as u32);
        }
        let id = HostId(self.hosts.len() as u32);
        self.hosts.insert(name.into());
        self.append(Instant::ZERO, id, Family::Host, &name);
        id
    }

    /// Takes one event.
    pub(super) fn append(
        &mut self,
        at: Instant,
        host: HostId,
        family: Family,
        event: &impl Serialize,
    ) {
        let before = self.pending.len();
        let whole = (at, host, family as u8, event);
        if postcard::serialize_with_flavor(&whole, Append(&mut self.pending)).is_err() {
            // Only a sequence of unknown length is refused, and no event has one.
            self.pending.truncate(before);
        }
        if self.pending.len() >= BLOCK {
            self.hasher.update(&self.pending);
            self.pending.clear();
        }
    }

    /// The digest of everything taken so far, in hexadecimal.
    pub(super) fn hex(&self) -> String {
        let mut hasher = self.hasher.clone();
        hasher.update(&self.pending);
        hasher.finalize().to_hex().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::event::{PodChange, PodEvent};

    fn pod(name: &str) -> PodEvent<'_> {
        PodEvent {
            pod: name,
            change: PodChange::Crashed,
        }
    }

    /// The bytes, by hand, after postcard's wire format (postcard.jamesmunns.com, "varint(u64)", "String").
    #[test]
    fn the_encoding_is_postcards() {
        let mut digest = Digest::new();
        let host = digest.host("ab");
        digest.append(Instant::from_nanos(300), host, Family::Pod, &pod("ab"));
        let by_hand = [
            0, 0, 0, 2, b'a', b'b', // instant 0, host 0, family 0, "ab"
            0xac, 0x02, 0, 5, 2, b'a', b'b',
            3, // instant 300, host 0, family 5, pod "ab", variant 3
        ];
        assert_eq!(digest.pending, by_hand);
        assert_eq!(digest.hex(), blake3::hash(&by_hand).to_hex().to_string());
    }

    #[test]
    fn blocks_leave_no_trace() {
        let mut digest = Digest::new();
        let host = digest.host("a");
        let mut all = digest.pending.clone();
        for i in 0..20_000 {
            let start = digest.pending.len();
            digest.append(Instant::from_nanos(i), host, Family::Pod, &pod("reviews"));
            if digest.pending.len() > start {
                all.extend_from_slice(&digest.pending[start..]);
            } else {
                let mut again = Digest::new();
                again.hosts.insert("a".into());
                again.append(Instant::from_nanos(i), host, Family::Pod, &pod("reviews"));
                all.extend_from_slice(&again.pending);
            }
        }
        assert!(all.len() > 2 * BLOCK);
        assert_eq!(digest.hex(), blake3::hash(&all).to_hex().to_string());
    }

    #[test]
    fn order_time_and_host_all_count() {
        let hash = |events: &[(u64, &str)]| {
            let mut digest = Digest::new();
            for (at, name) in events {
                let host = digest.host(name);
                digest.append(Instant::from_nanos(*at), host, Family::Pod, &pod("x"));
            }
            digest.hex()
        };
        let base = hash(&[(1, "a"), (1, "b")]);
        assert_ne!(base, hash(&[(1, "b"), (1, "a")]));
        assert_ne!(base, hash(&[(1, "a"), (2, "b")]));
        assert_ne!(base, hash(&[(1, "a"), (1, "a")]));
        assert_eq!(base, hash(&[(1, "a"), (1, "b")]));
    }
}
