//! A wiretap on every link: puts the byte streams together again and says what
//! in them is not TLS, and which secrets can be read.
//!
//! It knows TLS from the outside alone (RFC 8446, section 5.1): a stream is a
//! sequence of records, each with a type, a version and a length, and a client
//! begins with a handshake record.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use meshquake::fabric::Tap;
use turmoil_net::{Packet, TcpSegment, Transport};

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const HEADER_BYTES: usize = 5;
/// Largest record body: 2¹⁴ bytes and the expansion of encryption.
const RECORD_BYTES_MAX: usize = (1 << 14) + 256;

/// What was found on the wire.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// Addresses that opened connections and sent data on them, with the address dialled.
    pub(crate) dialled: BTreeSet<(SocketAddr, SocketAddr)>,
    /// Bytes of payload.
    pub(crate) bytes: u64,
    /// Whole records of application data.
    pub(crate) application_records: u64,
    /// Streams that are not TLS, and why.
    pub(crate) not_tls: Vec<String>,
    /// Secrets that could be read, with the stream they were in.
    pub(crate) leaked: BTreeSet<(String, SocketAddr, SocketAddr)>,
    /// Segments of streams whose beginning was not seen; nothing can be said about them.
    pub(crate) unknown: u64,
}

/// A wiretap, and what it has found so far.
#[derive(Clone)]
pub(crate) struct Wiretap(Rc<RefCell<Recorder>>);

struct Recorder {
    secrets: Vec<&'static str>,
    streams: BTreeMap<(SocketAddr, SocketAddr), Stream>,
    findings: Findings,
}

/// One direction of one connection.
struct Stream {
    of_client: bool,
    next: u32,
    early: BTreeMap<u32, Bytes>,
    /// The end of what was read, in case a secret lies across segments.
    tail: Vec<u8>,
    records: Records,
    condemned: bool,
}

impl Wiretap {
    /// A wiretap that looks for these secrets.
    pub(crate) fn new(secrets: &[&'static str]) -> Self {
        Self(Rc::new(RefCell::new(Recorder {
            secrets: secrets.to_vec(),
            streams: BTreeMap::new(),
            findings: Findings::default(),
        })))
    }

    /// To be put on a fabric before anything is sent.
    pub(crate) fn tap(&self) -> Tap {
        let recorder = self.0.clone();
        Box::new(move |_, packet| recorder.borrow_mut().see(packet))
    }

    pub(crate) fn findings(&self) -> Findings {
        self.0.borrow().findings.clone()
    }
}

impl Recorder {
    fn see(&mut self, packet: &Packet) {
        let Transport::Tcp(tcp) = &packet.payload else {
            self.findings
                .not_tls
                .push(format!("a datagram from {}", packet.src));
            return;
        };
        let from = SocketAddr::new(packet.src, tcp.src_port);
        let to = SocketAddr::new(packet.dst, tcp.dst_port);
        if tcp.flags.syn {
            self.streams.insert((from, to), Stream::new(tcp));
        }
        if tcp.payload.is_empty() {
            return;
        }
        let Some(stream) = self.streams.get_mut(&(from, to)) else {
            self.findings.unknown += 1;
            return;
        };
        let start = tcp.seq.wrapping_add(u32::from(tcp.flags.syn));
        stream.early.insert(start, tcp.payload.clone());
        while let Some(bytes) = stream.next_bytes() {
            self.findings.bytes += bytes.len() as u64;
            if stream.of_client {
                self.findings.dialled.insert((from, to));
            }
            stream.look_for(&self.secrets, &bytes, |secret| {
                self.findings.leaked.insert((secret.to_owned(), from, to));
            });
            stream.parse(&bytes, from, to, &mut self.findings);
        }
    }
}

impl Stream {
    fn new(syn: &TcpSegment) -> Self {
        Self {
            of_client: !syn.flags.ack,
            next: syn.seq.wrapping_add(1),
            early: BTreeMap::new(),
            tail: Vec::new(),
            records: Records::default(),
            condemned: false,
        }
    }

    /// The next bytes of the stream, whatever order segments came in and however often.
    fn next_bytes(&mut self) -> Option<Bytes> {
        loop {
            let next = self.next;
            let reaches = |start: u32| next.wrapping_sub(start) < 1 << 31;
            let start = *self.early.keys().find(|start| reaches(**start))?;
            let bytes = self.early.remove(&start)?;
            let known = next.wrapping_sub(start) as usize;
            if known < bytes.len() {
                self.next = start.wrapping_add(u32::try_from(bytes.len()).ok()?);
                return Some(bytes.slice(known..));
            }
        }
    }

    fn look_for(&mut self, secrets: &[&str], bytes: &[u8], mut found: impl FnMut(&str)) {
        self.tail.extend_from_slice(bytes);
        for secret in secrets {
            if self
                .tail
                .windows(secret.len())
                .any(|w| w == secret.as_bytes())
            {
                found(secret);
            }
        }
        let longest = secrets.iter().map(|s| s.len()).max().unwrap_or_default();
        let keep = longest.saturating_sub(1).min(self.tail.len());
        self.tail.drain(..self.tail.len() - keep);
    }

    fn parse(&mut self, bytes: &[u8], from: SocketAddr, to: SocketAddr, findings: &mut Findings) {
        if self.condemned {
            return;
        }
        match self.records.read(bytes, self.of_client) {
            Ok(records) => findings.application_records += records,
            Err(why) => {
                self.condemned = true;
                findings.not_tls.push(format!("{from} to {to}: {why}"));
            }
        }
    }
}

/// Cuts a stream into TLS records.
#[derive(Default)]
struct Records {
    header: Vec<u8>,
    /// Bytes of the current record still to come.
    left: usize,
    begun: bool,
}

impl Records {
    /// Reads on; how many records of application data began, or why this is no TLS.
    fn read(&mut self, mut bytes: &[u8], of_client: bool) -> Result<u64, String> {
        let mut application = 0;
        while !bytes.is_empty() {
            if self.left > 0 {
                let taken = self.left.min(bytes.len());
                self.left -= taken;
                bytes = &bytes[taken..];
                continue;
            }
            let taken = (HEADER_BYTES - self.header.len()).min(bytes.len());
            self.header.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            let first = self.header[0];
            if of_client && !self.begun && first != HANDSHAKE {
                return Err(format!("the client begins with byte {first:#04x}"));
            }
            if let Ok(header) = <[u8; HEADER_BYTES]>::try_from(&self.header[..]) {
                self.left = length(header)?;
                self.begun = true;
                self.header.clear();
                application += u64::from(first == APPLICATION_DATA);
            }
        }
        Ok(application)
    }
}

/// The length of the record behind `header`.
fn length(header: [u8; HEADER_BYTES]) -> Result<usize, String> {
    let [kind, major, minor, high, low] = header;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if !(CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&kind) {
        return Err(format!("a record of type {kind}"));
    }
    if major != 3 || !(minor == 1 || minor == 3) {
        return Err(format!("a record of version {major}.{minor}"));
    }
    if length > RECORD_BYTES_MAX {
        return Err(format!("a record of {length} bytes"));
    }
    Ok(length)
}
