//! Every packet put on a link, and what it takes to read them.
//!
//! What a capture shows is the network between pods: handshakes, mutual TLS,
//! HTTP/2 inside it, retransmissions, resets. Between an app and its own
//! sidecar nothing is put on a link, so nothing is captured. Keys and nonces
//! come from the operating system: two runs of one seed have the same packets,
//! of the same lengths and at the same instants, with other ciphertext inside.

use std::cell::RefCell;
use std::io::{self, Write};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use mesh_core::seam::Instant;
use rustls::KeyLog;
use turmoil_net::Packet;

use super::frame;
use super::keys::KeyLines;
use super::pcapng::Pcapng;
use crate::fabric::Tap;
use crate::plan::Plan;
use crate::record::Listener;
use crate::world::{self, BOOT};

/// A capture in the making.
pub struct Capture(Rc<RefCell<Files>>);

struct Files {
    keys: Arc<KeyLines>,
    packets: Option<Pcapng>,
    key_log: Option<Box<dyn Write>>,
    /// Nanoseconds from the Unix epoch to the beginning of the world.
    epoch: u64,
    frame: Vec<u8>,
    failed: Option<io::Error>,
}

impl Capture {
    /// Captures a run of `plan`: its packets to `packets` (pcapng, with the secrets that decrypt them), its secrets to
    /// `key_log` (NSS key log).
    ///
    /// # Errors
    /// When the beginning of a file cannot be written.
    pub fn begin(
        plan: &Plan,
        packets: Option<Box<dyn Write>>,
        key_log: Option<Box<dyn Write>>,
    ) -> io::Result<Self> {
        let application = concat!("meshquake ", env!("CARGO_PKG_VERSION"));
        let mut packets = packets
            .map(|out| Pcapng::begin(out, application))
            .transpose()?;
        if let Some(packets) = &mut packets {
            packets.names(names(plan))?;
        }
        let epoch = plan.epoch.saturating_sub(BOOT).as_nanos();
        Ok(Self(Rc::new(RefCell::new(Files {
            keys: Arc::default(),
            packets,
            key_log,
            epoch: u64::try_from(epoch).unwrap_or(u64::MAX),
            frame: Vec::new(),
            failed: None,
        }))))
    }

    /// What is shown every packet, if packets are wanted.
    pub fn tap(&self) -> Option<Tap> {
        self.0.borrow().packets.as_ref()?;
        let files = self.0.clone();
        Some(Box::new(move |at, packet| {
            files.borrow_mut().packet(at, packet);
        }))
    }

    /// What is told every secret.
    pub fn key_log(&self) -> Arc<dyn KeyLog> {
        self.0.borrow().keys.clone()
    }

    /// What writes secrets from time to time.
    pub fn listener(&self) -> Box<dyn Listener> {
        Box::new(self.0.clone())
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// The first there was.
    pub fn finish(self) -> io::Result<()> {
        let mut files = self.0.borrow_mut();
        files.secrets();
        let flushed = files.flush();
        match files.failed.take() {
            Some(error) => Err(error),
            None => flushed,
        }
    }
}

impl Listener for Files {
    fn reached(&mut self, _at: Instant) {
        self.secrets();
    }
}

impl Files {
    fn packet(&mut self, at: Instant, packet: &Packet) {
        self.secrets();
        self.frame.clear();
        if frame::write(packet, &mut self.frame).is_none() || self.failed.is_some() {
            return;
        }
        if let Some(packets) = &mut self.packets {
            let at = self.epoch.saturating_add(at.as_nanos());
            self.failed = packets.packet(at, &self.frame).err();
        }
    }

    fn secrets(&mut self) {
        let lines = self.keys.take();
        if lines.is_empty() || self.failed.is_some() {
            return;
        }
        let mut written = Ok(());
        if let Some(packets) = &mut self.packets {
            written = packets.secrets(lines.as_bytes());
        }
        if let Some(key_log) = &mut self.key_log {
            written = written.and(key_log.write_all(lines.as_bytes()));
        }
        self.failed = written.err();
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(packets) = &mut self.packets {
            packets.flush()?;
        }
        self.key_log.as_mut().map_or(Ok(()), Write::flush)
    }
}

/// The names of all addresses.
fn names(plan: &Plan) -> impl Iterator<Item = (IpAddr, &str)> {
    plan.workloads()
        .map(|workload| (workload.ip, &*workload.name))
        .chain([world::control_plane()])
}
