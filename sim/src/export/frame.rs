//! A packet of the fabric as bytes: the headers that a kernel would have put on it.

use std::net::IpAddr;

use etherparse::PacketBuilder;
use etherparse::err::packet::BuildWriteError;
use turmoil_net::{Packet, TcpSegment, Transport};

/// Writes `packet` from its IP header on, checksums included. `None` when its addresses are of two families.
pub(super) fn write(packet: &Packet, into: &mut Vec<u8>) -> Option<()> {
    let begun = match (packet.src, packet.dst) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            PacketBuilder::ipv4(from.octets(), to.octets(), packet.ttl)
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            PacketBuilder::ipv6(from.octets(), to.octets(), packet.ttl)
        }
        _ => return None,
    };
    let written: Result<(), BuildWriteError> = match &packet.payload {
        Transport::Udp(datagram) => begun
            .udp(datagram.src_port, datagram.dst_port)
            .write(into, &datagram.payload),
        Transport::Tcp(tcp) => {
            let header = begun.tcp_header(header(tcp));
            header.write(into, &tcp.payload)
        }
    };
    written.ok()
}

fn header(tcp: &TcpSegment) -> etherparse::TcpHeader {
    let mut header = etherparse::TcpHeader::new(tcp.src_port, tcp.dst_port, tcp.seq, tcp.window);
    header.acknowledgment_number = if tcp.flags.ack { tcp.ack } else { 0 };
    header.syn = tcp.flags.syn;
    header.ack = tcp.flags.ack;
    header.fin = tcp.flags.fin;
    header.rst = tcp.flags.rst;
    header.psh = tcp.flags.psh;
    header.urg = tcp.flags.urg;
    header
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use turmoil_net::{TcpFlags, UdpDatagram};

    use super::*;

    fn syn() -> Packet {
        Packet {
            src: [10, 0, 0, 1].into(),
            dst: [10, 0, 0, 2].into(),
            ttl: 64,
            payload: Transport::Tcp(TcpSegment {
                src_port: 40_000,
                dst_port: 15_006,
                seq: 7,
                ack: 99,
                flags: TcpFlags {
                    syn: true,
                    ..TcpFlags::default()
                },
                window: 65_535,
                payload: Bytes::new(),
            }),
        }
    }

    /// The sum that RFC 1071 has: of all 16-bit words with their checksum it is 0xFFFF.
    fn sum(words: &[u8]) -> u16 {
        let pairs = words.chunks(2);
        let total: u32 = pairs
            .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
            .sum();
        let folded = (total & 0xFFFF) + (total >> 16);
        (folded + (folded >> 16)) as u16
    }

    #[test]
    fn headers_are_as_a_kernel_makes_them() {
        let mut bytes = Vec::new();
        write(&syn(), &mut bytes).unwrap();
        assert_eq!(bytes.len(), 40);
        assert_eq!(bytes[..10], *b"\x45\0\0\x28\0\0\x40\0\x40\x06");
        assert_eq!(sum(&bytes[..20]), 0xFFFF);
        assert_eq!(bytes[20..32], *b"\x9C\x40\x3A\x9E\0\0\0\x07\0\0\0\0");
        assert_eq!(bytes[32..36], *b"\x50\x02\xFF\xFF");
        let pseudo = [&bytes[12..20], &[0, 6, 0, 20], &bytes[20..]].concat();
        assert_eq!(sum(&pseudo), 0xFFFF);
    }

    #[test]
    fn datagrams_and_the_other_family_too() {
        let packet = Packet {
            src: "fd00::1".parse().unwrap(),
            dst: "fd00::2".parse().unwrap(),
            ttl: 3,
            payload: Transport::Udp(UdpDatagram {
                src_port: 53,
                dst_port: 54,
                payload: Bytes::from_static(b"abc"),
            }),
        };
        let mut bytes = Vec::new();
        write(&packet, &mut bytes).unwrap();
        assert_eq!(bytes.len(), 40 + 8 + 3);
        assert_eq!(bytes[..8], *b"\x60\0\0\0\0\x0B\x11\x03");
        let pseudo = [&bytes[8..40], &[0, 0, 0, 11, 0, 0, 0, 17], &bytes[40..]].concat();
        assert_eq!(sum(&pseudo), 0xFFFF);
        let mixed = Packet {
            src: [10, 0, 0, 1].into(),
            ..packet
        };
        assert_eq!(write(&mixed, &mut bytes), None);
    }
}
