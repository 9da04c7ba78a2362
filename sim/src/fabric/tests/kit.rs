//! Small worlds.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use mesh_core::seam::{Connection, Instant, Seams, sleep};
use mesh_core::telemetry::NullObserver;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turmoil_net::{Packet, Transport};

use crate::fabric::{Fabric, FabricConfig, HostId, HostSpec, Sweeping};
use crate::plan::{Distribution, LinkPlan, LinkQuality};

pub(super) const A: HostId = HostId::new(0);
pub(super) const B: HostId = HostId::new(1);
pub(super) const C: HostId = HostId::new(2);

pub(super) const fn us(n: u64) -> Duration {
    Duration::from_micros(n)
}

pub(super) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(super) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(super) fn at(span: Duration) -> Instant {
    Instant::ZERO + span
}

pub(super) fn ip(host: HostId) -> IpAddr {
    let position = host.index() as u16;
    Ipv4Addr::new(10, 0, (position >> 8) as u8, position as u8 + 1).into()
}

pub(super) fn addr(host: HostId, port: u16) -> SocketAddr {
    (ip(host), port).into()
}

pub(super) fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

pub(super) fn link(latency: Distribution) -> LinkQuality {
    LinkQuality {
        latency,
        loss: 0.0,
        bandwidth_bps: None,
        queue_bytes_max: None,
    }
}

pub(super) fn plan(quality: LinkQuality) -> LinkPlan {
    LinkPlan {
        same_zone: quality.clone(),
        cross_zone: quality.clone(),
        cross_region: quality,
    }
}

/// `count` hosts in one zone.
pub(super) fn config(count: u32, quality: LinkQuality) -> FabricConfig {
    let hosts = (0..count)
        .map(|position| HostSpec {
            name: format!("h{position}").into(),
            ip: ip(HostId::new(position)),
            region: "r".into(),
            zone: "z".into(),
        })
        .collect();
    FabricConfig::new(1, secs(1_700_000_000), hosts, plan(quality))
}

pub(super) fn fixed(count: u32, latency: Duration) -> Fabric {
    Fabric::new(config(count, link(Distribution::Constant(latency)))).unwrap()
}

pub(super) fn sweeping(mut config: FabricConfig, sweeping: Sweeping) -> Fabric {
    config.sweeping = sweeping;
    Fabric::new(config).unwrap()
}

pub(super) fn seams(fabric: &Fabric, host: HostId) -> Seams {
    fabric.seams(host, Rc::new(NullObserver))
}

/// Starts `main` on `host`, with its seams.
pub(super) fn start<F>(fabric: &mut Fabric, host: HostId, main: impl FnOnce(Seams) -> F + 'static)
where
    F: Future<Output = ()> + 'static,
{
    let seams = seams(fabric, host);
    fabric.start(host, move || Box::pin(main(seams)));
}

/// Listens on `addr` and serves every connection with `serve`, each in its own task.
pub(super) async fn serve<F>(seams: Seams, addr: SocketAddr, serve: impl Fn(Seams, Connection) -> F)
where
    F: Future<Output = ()> + 'static,
{
    let mut listener = seams.network.listen(addr).await.unwrap();
    while let Ok(connection) = listener.accept().await {
        seams.spawn(serve(seams.clone(), connection));
    }
}

/// Sends back what comes.
pub(super) async fn echo(_seams: Seams, mut connection: Connection) {
    let mut buf = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = connection.io.read(&mut buf).await {
        if connection.io.write_all(&buf[..n]).await.is_err() {
            return;
        }
    }
}

/// An echo server on every address of `host`.
pub(super) fn start_echo(fabric: &mut Fabric, host: HostId, port: u16) {
    start(fabric, host, move |seams| {
        serve(seams, (Ipv4Addr::UNSPECIFIED, port).into(), echo)
    });
}

/// One byte there and back.
pub(super) async fn ping(connection: &mut Connection) -> std::io::Result<()> {
    connection.io.write_all(b"x").await?;
    connection.io.read_exact(&mut [0; 1]).await.map(|_| ())
}

pub(super) async fn pause(seams: &Seams, span: Duration) {
    sleep(&*seams.clock, span).await;
}

/// What tasks report, in order.
pub(super) struct Log<T>(Rc<RefCell<Vec<T>>>);

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Log<T> {
    pub(super) fn new() -> Self {
        Self(Rc::default())
    }

    pub(super) fn push(&self, entry: T) {
        self.0.borrow_mut().push(entry);
    }

    pub(super) fn take(&self) -> Vec<T> {
        self.0.take()
    }
}

/// Every packet put on a link, in every field: when, what, and a hash of its payload.
pub(super) fn trace_packets(fabric: &mut Fabric) -> Log<(u64, String, String)> {
    let log = Log::new();
    let sink = log.clone();
    fabric.tap(Box::new(move |at, packet| {
        let payload = match &packet.payload {
            Transport::Tcp(tcp) => blake3::hash(&tcp.payload).to_hex()[..8].to_owned(),
            Transport::Udp(_) => String::new(),
        };
        sink.push((at.as_nanos(), line(packet), payload));
    }));
    log
}

/// Where two traces part.
#[track_caller]
pub(super) fn assert_same<T: PartialEq + std::fmt::Debug>(one: &[T], other: &[T]) {
    if let Some(first) = one.iter().zip(other).position(|(a, b)| a != b) {
        let around = first.saturating_sub(5)..(first + 3).min(one.len().min(other.len()));
        panic!(
            "differ at {first}:\n{:#?}\n{:#?}",
            &one[around.clone()],
            &other[around]
        );
    }
    let both = one.len().min(other.len());
    let more = [&one[both..], &other[both..]];
    assert!(
        more.iter().all(|rest| rest.is_empty()),
        "one goes on: {more:#?}"
    );
}

/// A packet as text, without its payload.
pub(super) fn line(packet: &Packet) -> String {
    let Transport::Tcp(tcp) = &packet.payload else {
        return "udp".into();
    };
    let flags = [
        (tcp.flags.syn, 'S'),
        (tcp.flags.ack, 'A'),
        (tcp.flags.fin, 'F'),
        (tcp.flags.rst, 'R'),
        (tcp.flags.psh, 'P'),
    ];
    let flags: String = flags.iter().filter(|f| f.0).map(|f| f.1).collect();
    format!(
        "{}:{} > {}:{} {flags} seq {} ack {} len {} win {}",
        packet.src,
        tcp.src_port,
        packet.dst,
        tcp.dst_port,
        tcp.seq,
        tcp.ack,
        tcp.payload.len(),
        tcp.window
    )
}
