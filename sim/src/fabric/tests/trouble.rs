//! Links in trouble: loss, jitter, bandwidth, partitions, resets.

use std::io::ErrorKind;

use mesh_core::seam::{Instant, timeout_at};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::kit::*;
use crate::fabric::{Effect, Fabric, HostSet, PacketScope};
use crate::plan::{Distribution, LinkQuality};

/// Pings every millisecond on one connection; the round trips.
fn start_pings(fabric: &mut Fabric, count: usize) -> Log<(Instant, std::time::Duration)> {
    start_echo(fabric, B, 80);
    let log = Log::new();
    let out = log.clone();
    start(fabric, A, async move |seams| {
        let mut connection = seams.network.connect(addr(B, 80)).await.unwrap();
        for _ in 0..count {
            let sent = seams.now();
            if ping(&mut connection).await.is_err() {
                return;
            }
            out.push((sent, seams.now().since(sent)));
            pause(&seams, ms(1)).await;
        }
    });
    log
}

fn a_to_b() -> PacketScope {
    PacketScope::new(HostSet::Only(vec![A]), HostSet::Only(vec![B]))
}

#[test]
fn a_lost_segment_comes_late_by_a_timeout_and_never_gets_lost() {
    let lossy = LinkQuality {
        loss: 0.05,
        ..link(Distribution::Constant(us(250)))
    };
    let mut fabric = Fabric::new(config(2, lossy)).unwrap();
    let pings = start_pings(&mut fabric, 2000);
    fabric.run_until(at(secs(3000))).unwrap();
    let pings = pings.take();
    assert_eq!(pings.len(), 2000);
    // A ping is two segments: 1 - 0.95^2 of them are late. Six standard
    // deviations of a binomial(2000, 0.0975) are 80.
    let late = pings.iter().filter(|p| p.1 > us(500)).count();
    assert!(late.abs_diff(195) < 80, "{late}");
    // The first timeout is a smoothed round trip above 200 ms.
    let shortest = pings.iter().map(|p| p.1).filter(|&t| t > us(500)).min();
    let shortest = shortest.unwrap();
    assert!(shortest > ms(200) && shortest < ms(202), "{shortest:?}");
    // Two losses in a row double it: about 0.6 s.
    assert!(pings.iter().any(|p| p.1 > ms(600) && p.1 < ms(610)));
}

#[test]
fn a_rule_loses_what_it_counts() {
    let mut fabric = fixed(2, us(250));
    let rule = fabric.add_rule(a_to_b(), Effect::Loss(0.1));
    let pings = start_pings(&mut fabric, 500);
    fabric.run_until(at(secs(3000))).unwrap();
    assert_eq!(pings.take().len(), 500);
    assert_eq!(fabric.touched(rule), fabric.stats().lost);
    assert!(fabric.touched(rule) > 20);
}

#[test]
fn a_lost_syn_is_sent_again_after_a_second() {
    let mut fabric = fixed(2, us(250));
    start_echo(&mut fabric, B, 80);
    let rule = fabric.add_rule(a_to_b(), Effect::Loss(1.0));
    fabric.at(at(ms(900)), move |fabric| fabric.remove(rule));
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, A, async move |seams| {
        seams.network.connect(addr(B, 80)).await.unwrap();
        out.push(seams.now());
    });
    fabric.run_until(at(secs(5))).unwrap();
    assert_eq!(log.take(), [at(secs(1) + us(500))]);
}

#[test]
fn delivery_is_in_order_whatever_the_jitter() {
    let wild = link(Distribution::Exponential { mean: ms(5) });
    let mut fabric = Fabric::new(config(2, wild)).unwrap();
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, B, async move |seams| {
        let mut listener = seams.network.listen(addr(B, 80)).await.unwrap();
        let mut connection = listener.accept().await.unwrap();
        while let Ok(n) = connection.io.read_u32().await {
            out.push(n);
        }
    });
    start(&mut fabric, A, async |seams| {
        let mut connection = seams.network.connect(addr(B, 80)).await.unwrap();
        for n in 0..5000u32 {
            connection.io.write_u32(n).await.unwrap();
            pause(&seams, us(100)).await;
        }
        pause(&seams, secs(5)).await;
    });
    fabric.run_until(at(secs(10))).unwrap();
    assert_eq!(log.take(), (0..5000).collect::<Vec<_>>());
}

/// 1 Mbit/s: the transfer takes its bits, headers included, and not one more nanosecond.
#[test]
fn bandwidth_is_exact() {
    let narrow = LinkQuality {
        bandwidth_bps: Some(1_000_000),
        ..link(Distribution::Constant(ms(1)))
    };
    let mut fabric = Fabric::new(config(2, narrow)).unwrap();
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, B, async move |seams| {
        let mut listener = seams.network.listen(addr(B, 80)).await.unwrap();
        let mut connection = listener.accept().await.unwrap();
        connection
            .io
            .read_exact(&mut vec![0; 14_600])
            .await
            .unwrap();
        out.push(seams.now());
    });
    start(&mut fabric, A, async |seams| {
        let mut connection = seams.network.connect(addr(B, 80)).await.unwrap();
        pause(&seams, secs(1)).await;
        connection.io.write_all(&[7; 14_600]).await.unwrap();
        pause(&seams, secs(1)).await;
    });
    fabric.run_until(at(secs(4))).unwrap();
    // Handshake: SYN and SYN-ACK of 40 bytes take 320 us each and 1 ms of travel.
    let connected = us(2 * 320) + ms(2);
    // Ten segments of 1500 bytes: 12 ms each.
    let arrived = connected + secs(1) + ms(120) + ms(1);
    assert_eq!(log.take(), [at(arrived)]);
}

#[test]
fn a_full_queue_loses_and_the_connection_survives() {
    let narrow = LinkQuality {
        bandwidth_bps: Some(10_000_000),
        queue_bytes_max: Some(15_000),
        ..link(Distribution::Constant(ms(1)))
    };
    let mut fabric = Fabric::new(config(2, narrow)).unwrap();
    start_echo(&mut fabric, B, 80);
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, A, async move |seams| {
        let mut connection = seams.network.connect(addr(B, 80)).await.unwrap();
        connection.io.write_all(&[7; 60_000]).await.unwrap();
        connection.io.read_exact(&mut [0; 60_000]).await.unwrap();
        out.push(());
    });
    fabric.run_until(at(secs(100))).unwrap();
    assert_eq!(log.take().len(), 1);
    assert!(fabric.stats().lost > 0);
}

#[test]
fn added_latency_ends_with_its_rule() {
    let mut fabric = fixed(2, us(250));
    let pings = start_pings(&mut fabric, 100);
    fabric.at(at(ms(20)), |fabric| {
        let rule = fabric.add_latency(a_to_b(), Distribution::Constant(ms(5)));
        fabric.at(at(ms(60)), move |fabric| {
            assert!(fabric.touched(rule) > 0);
            fabric.remove(rule);
        });
    });
    fabric.run_until(at(secs(1))).unwrap();
    let pings = pings.take();
    assert_eq!(pings.len(), 100);
    for (sent, took) in pings {
        // An acknowledgement of the pong may hold the next ping up (FIFO).
        match sent {
            sent if sent < at(ms(20)) => assert_eq!(took, us(500)),
            sent if sent < at(ms(60)) => assert_eq!(took, us(5500)),
            sent if sent > at(ms(67)) => assert_eq!(took, us(500)),
            _ => {}
        }
    }
}

/// Segments wait out a partition and leave at the first back-off instant after it.
#[test]
fn a_partition_parks_and_heals() {
    let mut fabric = fixed(2, us(250));
    let pings = start_pings(&mut fabric, 10_000);
    let packets = trace_packets(&mut fabric);
    fabric.at(at(ms(100)), |fabric| {
        let cut = fabric.partition(PacketScope::around(vec![B]));
        fabric.at(at(secs(2)), move |fabric| {
            assert!(fabric.touched(cut) >= 4, "{}", fabric.touched(cut));
            fabric.remove(cut);
        });
    });
    fabric.run_until(at(secs(5))).unwrap();
    let pings = pings.take();
    let hung: Vec<_> = pings.iter().filter(|p| p.1 > us(500)).collect();
    let [(sent, took)] = hung[..] else {
        panic!("{hung:?}");
    };
    assert_eq!(*sent, at(ms(101)));
    // With a timeout of 200 ms and a bit: 0.2, 0.6, 1.4, 3.0 s after the first.
    assert!(*took > ms(3000) && *took < ms(3020), "{took:?}");
    let tried = packets.take();
    let during = tried
        .iter()
        .filter(|p| p.0 > 101_000_000 && p.0 < 2_000_000_000);
    assert!(during.count() >= 3, "0.2, 0.6 and 1.4 s after");
    assert_eq!(fabric.stats().aborted, 0);
}

#[test]
fn one_way_is_one_way() {
    let mut fabric = fixed(2, us(250));
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, B, async move |seams| {
        let mut listener = seams.network.listen(addr(B, 80)).await.unwrap();
        let mut connection = listener.accept().await.unwrap();
        while let Ok(1) = connection.io.read(&mut [0; 1]).await {
            out.push(seams.now());
            let _ = connection.io.write_all(b"y").await;
        }
    });
    let back = Log::new();
    let heard = back.clone();
    start(&mut fabric, A, async move |seams| {
        let mut connection = seams.network.connect(addr(B, 80)).await.unwrap();
        pause(&seams, ms(10)).await;
        connection.io.write_all(b"x").await.unwrap();
        connection.io.read_exact(&mut [0; 1]).await.unwrap();
        heard.push(seams.now());
    });
    fabric.at(at(ms(5)), |fabric| {
        let b_to_a = PacketScope::new(HostSet::Only(vec![B]), HostSet::Only(vec![A]));
        let cut = fabric.partition(b_to_a);
        fabric.at(at(ms(300)), move |fabric| fabric.remove(cut));
    });
    fabric.run_until(at(secs(5))).unwrap();
    assert_eq!(log.take(), [at(us(10_750))]);
    let heard = back.take();
    // The acknowledgement, parked first, is sent again after 0.2 and 0.6 s.
    assert!(heard.len() == 1 && heard[0] > at(ms(600)) && heard[0] < at(ms(620)));
}

#[test]
fn a_partition_that_outlasts_patience_aborts_both_ends() {
    let mut fabric = fixed(2, us(250));
    let served = Log::new();
    let out = served.clone();
    start(&mut fabric, B, async move |seams| {
        let mut listener = seams.network.listen(addr(B, 80)).await.unwrap();
        let mut connection = listener.accept().await.unwrap();
        let end = connection.io.read(&mut [0; 1]).await;
        out.push((seams.now(), end.map_err(|error| error.kind())));
    });
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, A, async move |seams| {
        let mut connection = seams.network.connect(addr(B, 80)).await.unwrap();
        pause(&seams, ms(10)).await;
        let end = ping(&mut connection).await;
        out.push((seams.now(), end.map_err(|error| error.kind())));
    });
    fabric.at(at(ms(5)), |fabric| {
        fabric.partition(PacketScope::around(vec![A]));
    });
    fabric.run_until(at(secs(1000))).unwrap();
    // tcp_retries2 = 15: 924.6 s after the segment was first sent.
    let end = at(us(10_500) + ms(924_600));
    assert_eq!(log.take(), [(end, Err(ErrorKind::TimedOut))]);
    assert_eq!(served.take(), [(end, Err(ErrorKind::ConnectionReset))]);
    assert_eq!(fabric.stats().aborted, 1);
    assert_eq!(fabric.stats().connections, 0);
}

#[test]
fn a_reset_rule_kills_live_connections_and_refuses_new_ones() {
    let mut fabric = fixed(2, us(250));
    start_echo(&mut fabric, B, 80);
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, A, async move |seams| {
        let mut connection = seams.network.connect(addr(B, 80)).await.unwrap();
        pause(&seams, ms(10)).await;
        let end = ping(&mut connection).await.map_err(|error| error.kind());
        out.push((seams.now(), end));
        let end = seams.network.connect(addr(B, 80)).await.map(|_| ());
        out.push((seams.now(), end.map_err(|error| error.kind())));
    });
    fabric.at(at(ms(5)), |fabric| {
        let rule = fabric.add_rule(PacketScope::everything(), Effect::Reset);
        fabric.at(at(ms(20)), move |fabric| {
            assert_eq!(fabric.touched(rule), 2);
        });
    });
    fabric.run_until(at(secs(1))).unwrap();
    let expected = [
        (at(us(11_000)), Err(ErrorKind::ConnectionReset)),
        (at(us(11_500)), Err(ErrorKind::ConnectionRefused)),
    ];
    assert_eq!(log.take(), expected);
    assert_eq!(fabric.stats().connections, 0);
}

/// A backlog that nobody empties drops SYNs in silence; their senders try again.
#[test]
fn a_full_backlog_costs_a_second() {
    let mut fabric = fixed(2, us(250));
    start(&mut fabric, B, async |seams| {
        let mut listener = seams.network.listen(addr(B, 80)).await.unwrap();
        pause(&seams, ms(500)).await;
        loop {
            let connection = listener.accept().await.unwrap();
            seams.spawn(echo(seams.clone(), connection));
        }
    });
    let log = Log::new();
    for _ in 0..1030 {
        let out = log.clone();
        start(&mut fabric, A, async move |seams| {
            let mut connection = seams.network.connect(addr(B, 80)).await.unwrap();
            out.push(seams.now());
            ping(&mut connection).await.unwrap();
        });
    }
    fabric.run_until(at(secs(5))).unwrap();
    let connected = log.take();
    assert_eq!(connected.len(), 1030);
    let late = connected.iter().filter(|&&t| t == at(secs(1) + us(500)));
    assert_eq!(late.count(), 1030 - 1024);
    assert_eq!(fabric.stats().connections, 0);
}

/// Connects given up at every stage leave neither sockets nor ports behind:
/// many times the ephemeral ports of a host can be tried.
#[test]
fn cancelled_connects_leave_nothing() {
    let mut fabric = fixed(2, us(250));
    start_echo(&mut fabric, B, 80);
    start(&mut fabric, A, async |seams| {
        for n in 0..20_000u64 {
            let connect = seams.network.connect(addr(B, 80));
            let patience = seams.now() + us(n % 7 * 100 + 1);
            if let Some(connection) = timeout_at(&*seams.clock, patience, connect).await {
                ping(&mut connection.unwrap()).await.unwrap();
            }
            pause(&seams, us(900)).await;
        }
    });
    fabric.run_until(at(secs(60))).unwrap();
    assert_eq!(fabric.stats().connections, 0);
    // Nothing is half-open any more, so the port can be bound again.
    fabric.crash(B);
    start_echo(&mut fabric, B, 80);
    let pings = start_pings_again(&mut fabric);
    fabric.run_until(at(secs(61))).unwrap();
    assert_eq!(pings.take().len(), 1);
}

fn start_pings_again(fabric: &mut Fabric) -> Log<()> {
    let log = Log::new();
    let out = log.clone();
    start(fabric, A, async move |seams| {
        let mut connection = seams.network.connect(addr(B, 80)).await.unwrap();
        ping(&mut connection).await.unwrap();
        out.push(());
    });
    log
}

/// A transfer far larger than any buffer, to a reader that dawdles, ends.
#[test]
fn a_bulk_transfer_to_a_slow_reader_ends() {
    const BYTES: usize = 20_000_000;
    let mut fabric = fixed(2, us(250));
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, B, async move |seams| {
        let mut listener = seams.network.listen(addr(B, 80)).await.unwrap();
        let mut connection = listener.accept().await.unwrap();
        let mut buf = vec![0; 50_000];
        let mut got = 0;
        while got < BYTES {
            pause(&seams, us(300)).await;
            got += connection.io.read(&mut buf).await.unwrap();
        }
        out.push(got);
    });
    start(&mut fabric, A, async |seams| {
        let mut connection = seams.network.connect(addr(B, 80)).await.unwrap();
        connection.io.write_all(&vec![1; BYTES]).await.unwrap();
        connection.io.shutdown().await.unwrap();
        pause(&seams, secs(10)).await;
    });
    fabric.run_until(at(secs(10))).unwrap();
    assert_eq!(log.take(), [BYTES]);
}

/// One connection carries at most its send buffer per round trip.
#[test]
fn throughput_is_one_window_per_round_trip() {
    const BYTES: usize = 65_534 * 10;
    let mut fabric = fixed(2, ms(10));
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, B, async move |seams| {
        let mut listener = seams.network.listen(addr(B, 80)).await.unwrap();
        let mut connection = listener.accept().await.unwrap();
        connection.io.read_exact(&mut vec![0; BYTES]).await.unwrap();
        out.push(seams.now());
    });
    start(&mut fabric, A, async |seams| {
        let mut connection = seams.network.connect(addr(B, 80)).await.unwrap();
        connection.io.write_all(&vec![1; BYTES]).await.unwrap();
        pause(&seams, secs(1)).await;
    });
    fabric.run_until(at(secs(2))).unwrap();
    // Connected after 20 ms; the last of ten windows leaves nine round trips later.
    assert_eq!(log.take(), [at(ms(20 + 9 * 20 + 10))]);
}
