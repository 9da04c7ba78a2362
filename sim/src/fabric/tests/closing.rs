//! Every way to end a connection looks the same on the wire, wherever data goes.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use mesh_core::seam::{Connection, Seams, timeout_at};

use super::kit::*;
use crate::fabric::{FabricStats, Sweeping};
use crate::plan::Distribution;

/// What a program does with its connection before it drops it.
#[derive(Clone, Copy, Debug)]
enum Step {
    Write(usize),
    Read(usize),
    Shut,
    Pause(u64),
}

use Step::{Pause, Read, Shut, Write};

async fn play(seams: &Seams, mut connection: Connection, steps: &[Step], log: &Log<Told>) {
    for &step in steps {
        let patience = seams.now() + ms(2);
        let said = match step {
            Write(bytes) => {
                let written = connection.io.write_all(&vec![7; bytes]).await;
                written.map_or_else(|error| format!("{:?}", error.kind()), |()| "wrote".into())
            }
            Read(bytes) => {
                let mut buf = vec![0; bytes];
                let read = connection.io.read(&mut buf);
                format!("{:?}", timeout_at(&*seams.clock, patience, read).await)
            }
            Shut => format!("{:?}", connection.io.shutdown().await.is_ok()),
            Pause(span) => {
                pause(seams, us(span)).await;
                continue;
            }
        };
        log.push((seams.now().as_nanos(), said));
    }
}

type Told = (u64, String);

/// Each pair of programs has a connection from A to B.
fn run(
    latency: Distribution,
    pairs: &[(Vec<Step>, Vec<Step>)],
    mode: Sweeping,
) -> (Vec<(u64, String, String)>, Vec<Told>, FabricStats) {
    let mut fabric = sweeping(config(2, link(latency)), mode);
    let packets = trace_packets(&mut fabric);
    let log = Log::new();
    for (position, (client, server)) in (0_u16..).zip(pairs.iter().cloned()) {
        let port = 80 + position;
        let told = log.clone();
        start(&mut fabric, B, move |seams| async move {
            let mut listener = seams.network.listen(addr(B, port)).await.unwrap();
            let connection = listener.accept().await.unwrap();
            play(&seams, connection, &server, &told).await;
        });
        let told = log.clone();
        start(&mut fabric, A, move |seams| async move {
            pause(&seams, us(1)).await;
            let connection = seams.network.connect(addr(B, port)).await.unwrap();
            play(&seams, connection, &client, &told).await;
        });
    }
    fabric.run_until(at(secs(1))).unwrap();
    let stats = fabric.stats();
    (
        packets.take(),
        log.take(),
        FabricStats { sweeps: 0, ..stats },
    )
}

#[track_caller]
fn all_modes_agree(latency: Distribution, pairs: &[(Vec<Step>, Vec<Step>)]) -> Vec<String> {
    let always = run(latency.clone(), pairs, Sweeping::Always);
    for mode in [Sweeping::Touched, Sweeping::Late] {
        let other = run(latency.clone(), pairs, mode);
        assert_same(&always.0, &other.0);
        assert_same(&always.1, &other.1);
        assert_eq!(always.2, other.2);
    }
    always.0.into_iter().map(|(_, line, _)| line).collect()
}

fn count(lines: &[String], flags: &str) -> usize {
    let flags = format!(" {flags} ");
    lines.iter().filter(|line| line.contains(&flags)).count()
}

/// The FIN is made at the shutdown and leaves before the reset, however late the sweep is.
#[test]
fn a_fin_goes_before_the_reset_that_follows_it() {
    let far = Distribution::Constant(ms(5));
    for wait in [0, 1, 100, 4_999, 5_000, 5_001] {
        let client = vec![Write(10), Pause(50_000)];
        let server = vec![Pause(7_000), Shut, Pause(wait)];
        let lines = all_modes_agree(far.clone(), &[(client, server)]);
        assert_eq!(
            (count(&lines, "AF"), count(&lines, "AR")),
            (1, 1),
            "{lines:#?}"
        );
    }
}

#[test]
fn both_ends_may_shut_and_reset_at_once() {
    let far = Distribution::Constant(ms(5));
    for wait in [0, 1, 4_999, 5_000] {
        let client = vec![Write(10), Pause(10_000), Shut, Pause(wait)];
        let server = vec![Write(10), Pause(5_000), Shut, Pause(wait)];
        let lines = all_modes_agree(far.clone(), &[(client, server)]);
        assert_eq!(
            (count(&lines, "AF"), count(&lines, "AR")),
            (2, 2),
            "{lines:#?}"
        );
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (1_usize..4_000).prop_map(Write),
        1 => (1_usize..4_000).prop_map(Read),
        2 => Just(Shut),
        2 => prop_oneof![Just(0), Just(1), Just(500), Just(1_000), 0_u64..2_000].prop_map(Pause),
    ]
}

fn program() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 0..6)
}

fn latency() -> impl Strategy<Value = Distribution> {
    prop_oneof![
        Just(Distribution::ZERO),
        Just(Distribution::Constant(us(500))),
        Just(Distribution::Uniform {
            low: us(100),
            high: us(900)
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_wire_is_the_same_however_connections_end(
        latency in latency(),
        pairs in proptest::collection::vec((program(), program()), 1..4),
    ) {
        all_modes_agree(latency, &pairs);
    }
}
