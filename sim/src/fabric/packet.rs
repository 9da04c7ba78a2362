//! Packets: their TCP part, and those that carry no data.

use std::net::SocketAddr;

use bytes::Bytes;
use turmoil_net::{Packet, TcpFlags, TcpSegment, Transport};

/// The full window; what every receiver advertises that has room.
pub(super) const FULL_WINDOW: u16 = u16::MAX;

/// The flags of an acknowledgement.
pub(super) const ACK: TcpFlags = TcpFlags {
    syn: false,
    ack: true,
    fin: false,
    rst: false,
    psh: false,
    urg: false,
};

/// The flags of data.
pub(super) const PSH: TcpFlags = TcpFlags { psh: true, ..ACK };

/// The flags of the end of what a sender has to say.
pub(super) const FIN: TcpFlags = TcpFlags { fin: true, ..ACK };

/// The flags of a reset.
pub(super) const RST: TcpFlags = TcpFlags {
    syn: false,
    ack: true,
    fin: false,
    rst: true,
    psh: false,
    urg: false,
};

/// The TCP part of a packet.
pub(super) fn segment(packet: &Packet) -> Option<&TcpSegment> {
    match &packet.payload {
        Transport::Tcp(segment) => Some(segment),
        Transport::Udp(_) => None,
    }
}

/// Both addresses of a packet.
pub(super) fn addresses(packet: &Packet) -> (SocketAddr, SocketAddr) {
    let (from, to) = match &packet.payload {
        Transport::Tcp(segment) => (segment.src_port, segment.dst_port),
        Transport::Udp(datagram) => (datagram.src_port, datagram.dst_port),
    };
    (
        SocketAddr::new(packet.src, from),
        SocketAddr::new(packet.dst, to),
    )
}

/// Whether a packet only acknowledges.
pub(super) fn is_pure_ack(packet: &Packet) -> bool {
    segment(packet).is_some_and(|tcp| {
        tcp.payload.is_empty() && !(tcp.flags.syn || tcp.flags.fin || tcp.flags.rst)
    })
}

/// A packet without payload.
pub(super) fn control_packet(
    from: SocketAddr,
    to: SocketAddr,
    seq: u32,
    ack: u32,
    flags: TcpFlags,
) -> Packet {
    Packet {
        src: from.ip(),
        dst: to.ip(),
        ttl: 64,
        payload: Transport::Tcp(TcpSegment {
            src_port: from.port(),
            dst_port: to.port(),
            seq,
            ack,
            flags,
            window: if flags.rst { 0 } else { FULL_WINDOW },
            payload: Bytes::new(),
        }),
    }
}
