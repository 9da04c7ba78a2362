//! Time is exact to the nanosecond, and order at one instant is fixed.

use mesh_core::seam::{Instant, Rng, timeout_at};

use super::kit::*;
use crate::fabric::{FabricError, HostId};
use crate::plan::Distribution;

#[test]
fn sleeps_are_exact() {
    let mut fabric = fixed(1, us(250));
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, A, async move |seams| {
        for n in 1..=10_000 {
            pause(&seams, us(100)).await;
            out.push(seams.now() == at(us(100) * n));
        }
    });
    fabric.run_until(at(secs(2))).unwrap();
    let all = log.take();
    assert_eq!(all.len(), 10_000);
    assert!(all.iter().all(|&exact| exact));
    assert_eq!(fabric.now(), at(secs(2)));
}

#[test]
fn random_timers_fire_at_their_nanosecond() {
    let mut fabric = fixed(3, us(250));
    let log = Log::new();
    for host in [A, B, C] {
        let out = log.clone();
        start(&mut fabric, host, async move |seams| {
            let mut draws = seams.random.stream("deadlines");
            for _ in 0..1000 {
                let deadline = Instant::from_nanos(draws.below(1_000_000_000));
                let (clock, out) = (seams.clock.clone(), out.clone());
                seams.spawn(async move {
                    clock.sleep_until(deadline).await;
                    out.push((clock.now(), deadline));
                });
            }
        });
    }
    fabric.run_until(at(secs(1))).unwrap();
    let all = log.take();
    assert_eq!(all.len(), 3000);
    assert!(all.iter().all(|(fired, due)| fired == due));
    assert!(all.is_sorted());
}

#[test]
fn a_round_trip_is_two_latencies() {
    let mut fabric = fixed(2, us(250));
    let log = Log::new();
    let out = log.clone();
    start_echo(&mut fabric, B, 80);
    start(&mut fabric, A, async move |seams| {
        let before = seams.now();
        let mut connection = seams.network.connect(addr(B, 80)).await.unwrap();
        out.push(seams.now().since(before));
        for _ in 0..1000 {
            let before = seams.now();
            ping(&mut connection).await.unwrap();
            out.push(seams.now().since(before));
        }
    });
    fabric.run_until(at(secs(1))).unwrap();
    let all = log.take();
    assert_eq!(all.len(), 1001);
    assert!(all.iter().all(|&rtt| rtt == us(500)), "{:?}", &all[..5]);
}

#[test]
fn loopback_takes_no_time_on_either_of_its_addresses() {
    let mut fabric = fixed(2, us(250));
    let log = Log::new();
    let out = log.clone();
    start_echo(&mut fabric, A, 80);
    start(&mut fabric, A, async move |seams| {
        for peer in [loopback(80), addr(A, 80)] {
            let mut connection = seams.network.connect(peer).await.unwrap();
            assert_eq!(connection.peer, peer);
            ping(&mut connection).await.unwrap();
            out.push(seams.now());
        }
    });
    fabric.run_until(at(secs(1))).unwrap();
    assert_eq!(log.take(), [Instant::ZERO; 2]);
    assert_eq!(fabric.stats().packets, 0);
}

#[test]
fn nobody_listening_is_refused_after_one_round_trip() {
    let mut fabric = fixed(2, us(250));
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, B, async |_| ());
    start(&mut fabric, A, async move |seams| {
        for peer in [addr(B, 81), loopback(81)] {
            let error = seams.network.connect(peer).await.err();
            out.push((error.map(|e| e.kind()), seams.now()));
        }
    });
    fabric.run_until(at(secs(1))).unwrap();
    let refused = Some(std::io::ErrorKind::ConnectionRefused);
    assert_eq!(log.take(), [(refused, at(us(500))); 2]);
    assert_eq!(fabric.stats().connections, 0);
}

/// A thousand timers at one instant on two hosts fire in the order they were
/// armed, and each host's tasks run together.
#[test]
fn equal_instants_keep_the_order_of_arming() {
    let mut fabric = fixed(2, us(250));
    let log = Log::new();
    for host in [A, B] {
        let out = log.clone();
        start(&mut fabric, host, async move |seams| {
            for n in 0..1000u32 {
                let (seams, out) = (seams.clone(), out.clone());
                seams.clone().spawn(async move {
                    pause(&seams, ms(5)).await;
                    out.push((host.index() as u32, n));
                });
            }
        });
    }
    fabric.run_until(at(ms(5))).unwrap();
    let mut seen = log.take();
    assert_eq!(seen.len(), 2000);
    let first = seen[0].0;
    seen.sort_by_key(|&(host, _)| host != first);
    for of_host in seen.chunks(1000) {
        assert!(of_host.is_sorted());
    }
}

#[test]
fn idle_time_costs_no_events() {
    let mut fabric = fixed(2, us(250));
    start_echo(&mut fabric, B, 80);
    start(&mut fabric, A, async |seams| {
        let mut connection = seams.network.connect(addr(B, 80)).await.unwrap();
        for _ in 0..24 {
            pause(&seams, secs(3600)).await;
            ping(&mut connection).await.unwrap();
        }
    });
    fabric.run_until(at(secs(24 * 3600 + 60))).unwrap();
    let stats = fabric.stats();
    // A handshake of 3 packets, 4 packets and a timer each hour, a close of 4.
    assert_eq!(stats.packets, 3 + 24 * 4 + 4);
    assert_eq!(stats.events, stats.packets + 24);
}

#[test]
fn a_deadline_in_the_past_is_now_and_never_is_never() {
    let mut fabric = fixed(1, us(250));
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, A, async move |seams| {
        pause(&seams, secs(3)).await;
        seams.clock.sleep_until(Instant::ZERO).await;
        out.push(seams.now());
        seams.clock.sleep_until(Instant::NEVER).await;
        out.push(seams.now());
    });
    fabric.run_until(at(secs(1_000_000))).unwrap();
    assert_eq!(log.take(), [at(secs(3))]);
}

#[test]
fn a_reset_timer_fires_at_its_last_deadline() {
    let mut fabric = fixed(1, us(250));
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, A, async move |seams| {
        let mut timer = seams.clock.sleep_until(at(ms(10)));
        let armed = timeout_at(&*seams.clock, at(ms(1)), timer.as_mut()).await;
        assert_eq!(armed, None);
        for n in 0..1000 {
            timer.as_mut().reset(at(ms(20 + n)));
        }
        timer.as_mut().reset(at(ms(7)));
        timer.as_mut().await;
        out.push(seams.now());
        timer.as_mut().reset(at(ms(8)));
        timer.as_mut().await;
        out.push(seams.now());
    });
    fabric.run_until(at(secs(1))).unwrap();
    assert_eq!(log.take(), [at(ms(7)), at(ms(8))]);
}

#[test]
fn one_fabric_per_thread() {
    let first = fixed(1, us(250));
    let second = || crate::fabric::Fabric::new(config(1, link(Distribution::ZERO)));
    assert_eq!(second().err(), Some(FabricError::Occupied));
    drop(first);
    assert!(second().is_ok());
}

#[test]
fn hosts_need_addresses_of_their_own() {
    let mut twice = config(2, link(Distribution::ZERO));
    twice.hosts[1].ip = ip(A);
    let error = crate::fabric::Fabric::new(twice).err();
    let host = "h1".into();
    assert_eq!(error, Some(FabricError::BadAddress { host, ip: ip(A) }));
}

#[test]
fn streams_belong_to_the_host_that_names_them() {
    let fabric = fixed(2, us(250));
    let mut of_a = seams(&fabric, A).random.stream("x");
    let mut of_b = seams(&fabric, HostId::new(1)).random.stream("x");
    let mut named = Rng::named(1, "h0/x");
    let first = of_a.bits();
    assert_eq!(first, named.bits());
    assert_ne!(first, of_b.bits());
}
