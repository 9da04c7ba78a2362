//! The pcapng file format: what packet analysers read.
//!
//! By `draft-ietf-opsawg-pcapng`: a file is a section header, an interface and
//! a list of blocks, each with its length at both ends, so that a file that
//! ends in the middle of a run can be read up to there. Five kinds of block
//! are enough here: besides packets it can hold the names of addresses and the
//! secrets that TLS is decrypted with, and timestamps of any resolution, which
//! the older format cannot. The format is written by hand because the one
//! kept crate (`pcap-file`) knows no secrets block and no resolution but its
//! own.

use std::io::{self, Write};
use std::net::IpAddr;

/// Bytes of an address's name at most; a length has 16 bits.
const NAME_MAX: usize = 255;
/// Bytes in one block of secrets, well below what readers take for a broken file.
const SECRETS_MAX: usize = 1 << 20;

const SECTION: u32 = 0x0A0D_0D0A;
const INTERFACE: u32 = 1;
const NAMES: u32 = 4;
const PACKET: u32 = 6;
const SECRETS: u32 = 10;
/// `TLSK`: lines of an NSS key log.
const TLS_KEY_LOG: u32 = 0x544C_534B;
/// Packets that begin with an IP header (`LINKTYPE_RAW`).
const RAW_IP: u16 = 101;

/// Writes one file.
pub(super) struct Pcapng {
    out: Box<dyn Write>,
    block: Vec<u8>,
}

impl Pcapng {
    /// Begins a file of raw IP packets with timestamps in nanoseconds, written by `application`.
    pub(super) fn begin(out: Box<dyn Write>, application: &str) -> io::Result<Self> {
        let mut this = Self {
            out,
            block: Vec::new(),
        };
        this.u32(0x1A2B_3C4D); // little endian
        this.u16(1);
        this.u16(0); // version 1.0
        this.u64(u64::MAX); // of unknown length
        this.option(4, application.as_bytes());
        this.end_of_options();
        this.close(SECTION)?;
        this.u16(RAW_IP);
        this.u16(0);
        this.u32(0); // packets are never cut
        this.option(2, b"mesh");
        this.option(9, &[9]); // timestamps in 10^-9 s
        this.end_of_options();
        this.close(INTERFACE)?;
        Ok(this)
    }

    /// Names addresses.
    pub(super) fn names<'a>(
        &mut self,
        names: impl Iterator<Item = (IpAddr, &'a str)>,
    ) -> io::Result<()> {
        for (ip, name) in names {
            let name: String = name.chars().filter(|c| !c.is_control()).collect();
            let name = &name.as_bytes()[..whole_characters(&name, NAME_MAX)];
            let (kind, bytes) = match ip {
                IpAddr::V4(ip) => (1, ip.octets().to_vec()),
                IpAddr::V6(ip) => (2, ip.octets().to_vec()),
            };
            let record = [&bytes, name, &[0]].concat();
            self.option(kind, &record);
        }
        self.end_of_options();
        self.close(NAMES)
    }

    /// Adds lines of a key log. What they decrypt comes after them.
    pub(super) fn secrets(&mut self, lines: &[u8]) -> io::Result<()> {
        for part in lines.chunks(SECRETS_MAX) {
            self.u32(TLS_KEY_LOG);
            self.u32(part.len() as u32);
            self.padded(part);
            self.close(SECRETS)?;
        }
        Ok(())
    }

    /// Adds a packet, `at` nanoseconds after the Unix epoch.
    pub(super) fn packet(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.u32(0); // the one interface
        self.u32((at >> 32) as u32);
        self.u32(at as u32);
        self.u32(bytes.len() as u32);
        self.u32(bytes.len() as u32);
        self.padded(bytes);
        self.close(PACKET)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn close(&mut self, kind: u32) -> io::Result<()> {
        let length = (self.block.len() as u32 + 12).to_le_bytes();
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&length)?;
        self.out.write_all(&self.block)?;
        self.out.write_all(&length)?;
        self.block.clear();
        Ok(())
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        self.u16(code);
        self.u16(value.len() as u16);
        self.padded(value);
    }

    fn end_of_options(&mut self) {
        self.u32(0);
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.block.extend_from_slice(bytes);
        let odd = self.block.len() % 4;
        if odd > 0 {
            self.block.resize(self.block.len() + 4 - odd, 0);
        }
    }

    fn u16(&mut self, value: u16) {
        self.block.extend_from_slice(&value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.block.extend_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.block.extend_from_slice(&value.to_le_bytes());
    }
}

/// The longest length up to `max` that cuts no character.
fn whole_characters(text: &str, max: usize) -> usize {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::testing::Shared;

    fn blocks(bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let mut found = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let length = word(at + 4) as usize;
            assert_eq!(length % 4, 0);
            assert_eq!(
                word(at + length - 4) as usize,
                length,
                "a length at both ends"
            );
            found.push((word(at), bytes[at + 8..at + length - 4].to_vec()));
            at += length;
        }
        found
    }

    /// The bytes are those of the specification's figures.
    #[test]
    fn a_file_is_a_list_of_blocks() {
        let sink = Shared::default();
        let mut file = Pcapng::begin(Box::new(sink.clone()), "app").unwrap();
        file.secrets(b"LINE\n").unwrap();
        file.packet(0x0102_0304_0506_0708, &[0x45, 0, 1]).unwrap();
        let blocks = blocks(&sink.bytes());
        let kinds: Vec<u32> = blocks.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [SECTION, INTERFACE, SECRETS, PACKET]);
        assert_eq!(
            blocks[0].1[..16],
            *b"\x4D\x3C\x2B\x1A\x01\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
        );
        assert_eq!(blocks[0].1[16..], *b"\x04\0\x03\0app\0\0\0\0\0");
        assert_eq!(
            blocks[1].1,
            *b"\x65\0\0\0\0\0\0\0\x02\0\x04\0mesh\x09\0\x01\0\x09\0\0\0\0\0\0\0"
        );
        assert_eq!(blocks[2].1, *b"KSLT\x05\0\0\0LINE\n\0\0\0");
        assert_eq!(
            blocks[3].1,
            *b"\0\0\0\0\x04\x03\x02\x01\x08\x07\x06\x05\x03\0\0\0\x03\0\0\0\x45\0\x01\0"
        );
    }

    #[test]
    fn names_of_any_kind_stay_names() {
        let sink = Shared::default();
        let mut file = Pcapng::begin(Box::new(sink.clone()), "").unwrap();
        let long = "ü".repeat(10_000);
        let names = [
            ("10.0.0.1".parse().unwrap(), "a\0b\u{1b}[31m\n"),
            ("fd00::1".parse().unwrap(), long.as_str()),
        ];
        file.names(names.into_iter()).unwrap();
        let names = blocks(&sink.bytes()).pop().unwrap();
        assert_eq!(names.0, NAMES);
        assert_eq!(names.1[..16], *b"\x01\0\x0B\0\x0A\0\0\x01ab[31m\0\0");
        let length = u16::from_le_bytes([names.1[18], names.1[19]]);
        assert_eq!(length, 16 + 254 + 1, "no character is cut");
    }
}
