//! Hosts that die, and what their peers see.

use std::io::ErrorKind;

use mesh_core::seam::{Connection, Instant, Seams, timeout_at};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::kit::*;
use crate::fabric::{Fabric, HostId};

type Seen = (Instant, Result<(), ErrorKind>);

/// A client that pings every 10 ms on one connection and reports how it ended.
fn start_pinger(fabric: &mut Fabric, host: HostId, peer: HostId) -> Log<Seen> {
    let log = Log::new();
    let out = log.clone();
    start(fabric, host, async move |seams| {
        let outcome = ping_for_ever(&seams, peer).await;
        out.push((seams.now(), outcome.map_err(|error| error.kind())));
    });
    log
}

async fn ping_for_ever(seams: &Seams, peer: HostId) -> std::io::Result<()> {
    let mut connection = seams.network.connect(addr(peer, 80)).await?;
    loop {
        ping(&mut connection).await?;
        pause(seams, ms(10)).await;
    }
}

/// A connection that only listens, and reports how it ended.
fn start_reader(fabric: &mut Fabric, host: HostId, peer: HostId) -> Log<Seen> {
    let log = Log::new();
    let out = log.clone();
    start(fabric, host, async move |seams| {
        let mut connection = seams.network.connect(addr(peer, 80)).await.unwrap();
        let read = connection.io.read(&mut [0; 1]).await;
        let outcome = read.map(|n| assert_eq!(n, 0));
        out.push((seams.now(), outcome.map_err(|error| error.kind())));
    });
    log
}

#[test]
fn a_killed_process_resets_its_peers_one_latency_later() {
    let mut fabric = fixed(2, us(250));
    start_echo(&mut fabric, B, 80);
    let reader = start_reader(&mut fabric, A, B);
    fabric.at(at(ms(5)), |fabric| {
        assert!(fabric.is_up(B));
        fabric.crash(B);
        assert!(!fabric.is_up(B));
    });
    fabric.run_until(at(ms(20))).unwrap();
    let reset = Err(ErrorKind::ConnectionReset);
    assert_eq!(reader.take(), [(at(us(5250)), reset)]);
    // Its kernel still answers: refused after a round trip.
    let late = start_pinger(&mut fabric, A, B);
    fabric.run_until(at(ms(30))).unwrap();
    let refused = Err(ErrorKind::ConnectionRefused);
    assert_eq!(late.take(), [(at(us(20_500)), refused)]);
    assert_eq!(fabric.stats().connections, 0);
}

#[test]
fn bytes_sent_before_the_kill_arrive_before_the_reset() {
    let mut fabric = fixed(2, us(250));
    start(&mut fabric, B, async |seams| {
        serve(seams, addr(B, 80), async |seams, mut connection| {
            pause(&seams, ms(5)).await;
            connection.io.write_all(b"last words").await.unwrap();
            std::future::pending::<()>().await;
        })
        .await;
    });
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, A, async move |seams| {
        let mut connection = seams.network.connect(addr(B, 80)).await.unwrap();
        let mut words = [0; 10];
        connection.io.read_exact(&mut words).await.unwrap();
        out.push(words);
    });
    // The server accepts at 750 us and writes 5 ms later. Killed just after,
    // its words are on the wire already.
    fabric.run_until(at(us(5751))).unwrap();
    fabric.crash(B);
    fabric.run_until(at(ms(20))).unwrap();
    assert_eq!(log.take(), [*b"last words"]);
}

#[test]
fn a_host_without_power_is_silent() {
    let mut config = config(2, link(crate::plan::Distribution::Constant(us(250))));
    config.timeouts.user = secs(5);
    let mut fabric = Fabric::new(config).unwrap();
    start_echo(&mut fabric, B, 80);
    let pinger = start_pinger(&mut fabric, A, B);
    let reader = start_reader(&mut fabric, A, B);
    fabric.at(at(ms(5)), |fabric| fabric.power_off(B));
    fabric.run_until(at(secs(4))).unwrap();
    assert_eq!(pinger.take(), []);
    assert!(fabric.stats().parked > 0);
    fabric.run_until(at(secs(60))).unwrap();
    // Its second ping leaves at 500 us handshake + 500 us ping + 10 ms pause,
    // and gives up 5 s later.
    let timed_out = Err(ErrorKind::TimedOut);
    assert_eq!(pinger.take(), [(at(ms(11) + secs(5)), timed_out)]);
    // Who never sends never learns.
    assert_eq!(reader.take(), []);
    assert_eq!(fabric.stats().aborted, 1);
}

#[test]
fn a_connect_to_a_host_without_power_gives_up_after_127_seconds() {
    let mut fabric = fixed(2, us(250));
    let packets = trace_packets(&mut fabric);
    let pinger = start_pinger(&mut fabric, A, B);
    fabric.run_until(at(secs(200))).unwrap();
    let timed_out = Err(ErrorKind::TimedOut);
    assert_eq!(pinger.take(), [(at(secs(127)), timed_out)]);
    let tries: Vec<u64> = packets.take().iter().map(|p| p.0 / 1_000_000_000).collect();
    assert_eq!(tries, [0, 1, 3, 7, 15, 31, 63], "tcp_syn_retries = 6");
    assert_eq!(fabric.stats().connections, 0);
}

#[test]
fn an_address_of_nobody_is_silent_too() {
    let mut fabric = fixed(1, us(250));
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, A, async move |seams| {
        let connect = seams.network.connect(([9, 9, 9, 9], 80).into());
        let given_up = timeout_at(&*seams.clock, at(secs(2)), connect).await;
        assert!(given_up.is_none());
        let error = seams.network.connect(([9, 9, 9, 9], 80).into()).await.err();
        out.push((error.map(|error| error.kind()), seams.now()));
    });
    fabric.run_until(at(secs(200))).unwrap();
    assert_eq!(log.take(), [(Some(ErrorKind::TimedOut), at(secs(129)))]);
    assert_eq!(fabric.stats().connections, 0);
}

/// A host that comes back does not know the connections of its former life,
/// and says so when one of them is heard of again.
#[test]
fn a_host_that_comes_back_resets_what_it_has_forgotten() {
    let mut fabric = fixed(2, us(250));
    start_echo(&mut fabric, B, 80);
    let pinger = start_pinger(&mut fabric, A, B);
    fabric.at(at(ms(5)), |fabric| fabric.power_off(B));
    fabric.at(at(secs(1)), |fabric| start_echo(fabric, B, 80));
    fabric.run_until(at(secs(10))).unwrap();
    let outcome = pinger.take();
    let [(when, Err(ErrorKind::ConnectionReset))] = outcome[..] else {
        panic!("{outcome:?}");
    };
    // Sent at 11 ms, sent again about 0.2, 0.6 and 1.4 s later (the doubled
    // timeout is a round trip above 0.2 s): the first after the boot at 1 s.
    assert!(when > at(ms(1400)) && when < at(ms(1430)), "{when:?}");
    let again = start_pinger(&mut fabric, A, B);
    fabric.run_until(at(secs(11))).unwrap();
    assert_eq!(again.take(), [], "the new life serves");
}

#[test]
fn a_restart_rebinds_its_ports_whatever_was_going_on() {
    let mut fabric = fixed(3, us(250));
    let log = Log::new();
    let boot = |fabric: &mut Fabric, log: &Log<Instant>| {
        let out = log.clone();
        start(fabric, B, async move |seams| {
            let mut listener = seams.network.listen(addr(B, 80)).await.unwrap();
            let mut inner = seams.network.listen(loopback(80)).await.unwrap();
            out.push(seams.now());
            let within = seams.clone();
            seams.spawn(async move {
                let mut own = within.network.connect(loopback(80)).await.unwrap();
                let _ = own.io.read(&mut [0; 1]).await;
            });
            let _own = inner.accept().await.unwrap();
            let mut kept: Vec<Connection> = Vec::new();
            loop {
                kept.push(listener.accept().await.unwrap());
                if kept.len() > 3 {
                    // The rest stays in the backlog.
                    std::future::pending::<()>().await;
                }
            }
        });
    };
    boot(&mut fabric, &log);
    // Connects of all ages: cancelled, half-open, in the backlog, established.
    for host in [A, C] {
        for n in 0..40 {
            start(&mut fabric, host, async move |seams| {
                pause(&seams, us(n * 97)).await;
                let connect = seams.network.connect(addr(B, 80));
                let patience = seams.now() + us(n * 50 + 1);
                let connection = timeout_at(&*seams.clock, patience, connect).await;
                if let Some(Ok(mut connection)) = connection {
                    let _ = connection.io.write_all(b"hello").await;
                    pause(&seams, ms(n)).await;
                }
            });
        }
    }
    let mut down = us(100);
    for n in 0..30u64 {
        let log = log.clone();
        fabric.at(at(down), move |fabric| {
            match n % 3 {
                0 => fabric.crash(B),
                1 => fabric.power_off(B),
                _ => fabric.freeze(B),
            }
            fabric.crash(B);
            boot(fabric, &log);
        });
        down += us(173);
    }
    fabric.run_until(at(secs(300))).unwrap();
    assert_eq!(log.take().len(), 31, "every life has bound its ports");
    assert_eq!(fabric.stats().connections, 0);
}

#[test]
fn loopback_dies_with_its_host_and_its_ports_are_free_again() {
    let mut fabric = fixed(1, us(250));
    let log = Log::new();
    let out = log.clone();
    let boot = move |fabric: &mut Fabric| {
        let out = out.clone();
        start_echo(fabric, A, 80);
        start(fabric, A, async move |seams| {
            let mut connection = seams.network.connect(loopback(80)).await.unwrap();
            ping(&mut connection).await.unwrap();
            let taken = seams.network.listen(loopback(80)).await.err();
            out.push(taken.map(|error| error.kind()));
            let end = connection.io.read(&mut [0; 1]).await;
            out.push(Some(
                end.map_or_else(|error| error.kind(), |_| ErrorKind::Other),
            ));
        });
    };
    boot(&mut fabric);
    fabric.at(at(ms(1)), move |fabric| {
        fabric.crash(A);
        boot(fabric);
    });
    fabric.run_until(at(ms(2))).unwrap();
    assert_eq!(log.take(), [Some(ErrorKind::AddrInUse); 2]);
}

/// Closing with unread bytes is a reset, as Linux has it (RFC 2525, 2.17).
#[test]
fn a_close_with_unread_bytes_resets() {
    let mut fabric = fixed(2, us(250));
    start(&mut fabric, B, async |seams| {
        serve(seams, addr(B, 80), async |seams, connection| {
            pause(&seams, ms(5)).await;
            drop(connection);
        })
        .await;
    });
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, A, async move |seams| {
        for bytes in [&b"unread"[..], b""] {
            let mut connection = seams.network.connect(addr(B, 80)).await.unwrap();
            connection.io.write_all(bytes).await.unwrap();
            let end = connection.io.read(&mut [0; 1]).await;
            out.push(end.map_err(|error| error.kind()));
        }
    });
    fabric.run_until(at(secs(1))).unwrap();
    assert_eq!(log.take(), [Err(ErrorKind::ConnectionReset), Ok(0)]);
}
