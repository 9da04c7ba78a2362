//! Tasks: fairness, panics, escapes, the end of the world.

use std::time::Duration;

use mesh_core::seam::Instant;
use tokio::io::AsyncReadExt;

use super::kit::*;
use crate::fabric::FabricError;

/// A host that never lets time pass is caught, although each of its tasks
/// yields: timers and streams take part in tokio's cooperative budget.
#[test]
fn a_loop_of_zero_sleeps_is_a_livelock() {
    let mut fabric = fixed(2, us(250));
    start(&mut fabric, B, async |seams| {
        pause(&seams, ms(3)).await;
        loop {
            pause(&seams, Duration::ZERO).await;
        }
    });
    let host = "h1".into();
    let at_3_ms = Err(FabricError::Livelock {
        host,
        at: at(ms(3)),
    });
    assert_eq!(fabric.run_until(at(secs(1))), at_3_ms);
    assert_eq!(fabric.run_until(at(secs(2))), at_3_ms, "it stays stuck");
}

#[test]
fn reading_the_end_for_ever_is_a_livelock() {
    let mut fabric = fixed(2, us(250));
    start(&mut fabric, B, async |seams| {
        serve(seams, addr(B, 80), async |_, connection| drop(connection)).await;
    });
    start(&mut fabric, A, async |seams| {
        let mut connection = seams.network.connect(addr(B, 80)).await.unwrap();
        while let Ok(0) = connection.io.read(&mut [0; 1]).await {}
    });
    let error = fabric.run_until(at(secs(1))).unwrap_err();
    assert!(matches!(error, FabricError::Livelock { host, .. } if &*host == "h0"));
}

#[test]
fn yielding_a_thousand_times_is_not() {
    let mut fabric = fixed(1, us(250));
    let log = Log::new();
    for n in 0..100 {
        let out = log.clone();
        start(&mut fabric, A, async move |_| {
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            out.push(n);
        });
    }
    fabric.run_until(Instant::ZERO).unwrap();
    assert_eq!(log.take(), (0..100).collect::<Vec<_>>());
}

/// Messages between tasks exhaust the budget many times over; nobody is lost.
#[test]
fn a_budget_that_runs_out_is_renewed() {
    let mut fabric = fixed(1, us(250));
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, A, async move |seams| {
        let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
        seams.spawn(async move {
            for n in 0..1000 {
                send.send(n).unwrap();
            }
        });
        while let Some(n) = receive.recv().await {
            out.push(n);
        }
    });
    fabric.run_until(Instant::ZERO).unwrap();
    assert_eq!(log.take(), (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_panic_names_its_host_and_place() {
    let mut fabric = fixed(2, us(250));
    start(&mut fabric, B, async |seams| {
        pause(&seams, ms(1)).await;
        seams.clone().spawn(async {
            panic!("the {} is on fire", "shop");
        });
    });
    let Err(FabricError::Panic { host, message }) = fabric.run_until(at(secs(1))) else {
        panic!("no error");
    };
    assert_eq!(&*host, "h1");
    assert!(message.starts_with("the shop is on fire ("), "{message}");
    assert!(message.contains("tasks.rs"), "{message}");
    assert_eq!(fabric.now(), at(ms(1)));
}

/// What would leave the host has no runtime to go to.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "this is what happens to those who do it all the same"
)]
fn escapes_fail_the_run() {
    type Escape = fn();
    let escapes: [Escape; 3] = [
        || drop(tokio::spawn(async {})),
        || drop(tokio::task::spawn_blocking(|| ())),
        || drop(tokio::time::sleep(ms(1))),
    ];
    for escape in escapes {
        let mut fabric = fixed(1, us(250));
        start(&mut fabric, A, async move |_| escape());
        let error = fabric.run_until(at(ms(1))).unwrap_err();
        assert!(matches!(&error, FabricError::Panic { .. }), "{error}");
    }
}

#[test]
fn a_world_ends_with_everything_open() {
    let mut fabric = fixed(2, us(250));
    start_echo(&mut fabric, B, 80);
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, A, async move |seams| {
        let connection = seams.network.connect(addr(B, 80)).await.unwrap();
        out.push((seams, connection));
        let _never = seams_never().await;
    });
    fabric.run_until(at(secs(1))).unwrap();
    let outside = seams(&fabric, A);
    drop(fabric);
    // Handles that outlive it are inert.
    let kept = log.take();
    assert_eq!(kept.len(), 1);
    outside.spawn(async { unreachable!("no world, no tasks") });
    drop((kept, outside));
}

async fn seams_never() {
    std::future::pending::<()>().await;
}

/// A task that ends its host's life in its destructor, and one that spawns
/// there, are dropped like all others.
#[test]
fn destructors_run_on_their_host() {
    struct SpawnsOnDrop(mesh_core::seam::Seams, Log<&'static str>);
    impl Drop for SpawnsOnDrop {
        fn drop(&mut self) {
            self.1.push("dropped");
            let log = self.1.clone();
            self.0.spawn(async move { log.push("must not run") });
        }
    }
    let mut fabric = fixed(2, us(250));
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, A, async move |seams| {
        let _guard = SpawnsOnDrop(seams, out);
        std::future::pending::<()>().await;
    });
    fabric.run_until(at(ms(1))).unwrap();
    fabric.crash(A);
    fabric.run_until(at(ms(2))).unwrap();
    assert_eq!(log.take(), ["dropped"]);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "worlds side by side, each in its thread"
)]
fn many_worlds_in_threads_do_not_meet() {
    let world = || {
        let mut fabric = fixed(2, us(250));
        let packets = trace_packets(&mut fabric);
        start_echo(&mut fabric, B, 80);
        start(&mut fabric, A, async |seams| {
            let mut connection = seams.network.connect(addr(B, 80)).await.unwrap();
            for _ in 0..100 {
                ping(&mut connection).await.unwrap();
            }
        });
        fabric.run_until(at(secs(1))).unwrap();
        packets.take()
    };
    let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(world)).collect();
    let traces: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    assert_eq!(traces[0].len(), 3 + 100 * 4 + 4);
    assert!(traces.iter().all(|trace| *trace == traces[0]));
}
