//! Late sweeps are invisible: the packets, their instants, their headers and
//! what every program sees are those of a sweep after every poll.

use std::time::Duration;

use mesh_core::seam::{Connection, Rng, Seams, timeout_at};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::kit::*;
use crate::fabric::{
    Effect, Fabric, FabricConfig, FabricStats, HostId, HostSet, PacketScope, Sweeping,
};
use crate::plan::{Distribution, LinkQuality};

const MODES: [Sweeping; 3] = [Sweeping::Always, Sweeping::Touched, Sweeping::Late];

/// Answers each request `[reply size u32][pause in µs u32][padding…]` of fixed
/// header after a pause; hangs up on some.
async fn answer(seams: Seams, mut connection: Connection) {
    let mut luck = seams.random.stream("hang up");
    loop {
        let (Ok(size), Ok(pause_us), Ok(body)) = (
            connection.io.read_u32().await,
            connection.io.read_u32().await,
            connection.io.read_u32().await,
        ) else {
            return;
        };
        let mut upload = vec![0; body as usize];
        if luck.below(50) == 0 {
            // Perhaps with unread bytes (a reset), perhaps after a FIN.
            if luck.below(2) == 0 {
                let _ = connection.io.shutdown().await;
                pause(&seams, us(luck.below(800))).await;
            }
            return;
        }
        if connection.io.read_exact(&mut upload).await.is_err() {
            return;
        }
        pause(&seams, us(u64::from(pause_us))).await;
        let reply = vec![size as u8; size as usize];
        for piece in reply.chunks(1000 + luck.below(9000) as usize) {
            if connection.io.write_all(piece).await.is_err() {
                return;
            }
        }
    }
}

async fn request(connection: &mut Connection, draws: &mut Rng) -> std::io::Result<()> {
    let size = if draws.below(4) == 0 { 200_000 } else { 900 };
    let size = draws.below(size) as u32 + 1;
    let body = draws.below(20_000) as u32;
    connection.io.write_u32(size).await?;
    connection.io.write_u32(draws.below(3000) as u32).await?;
    connection.io.write_u32(body).await?;
    connection.io.write_all(&vec![1; body as usize]).await?;
    let mut reply = vec![0; size as usize];
    connection.io.read_exact(&mut reply).await.map(|_| ())
}

/// Calls servers at random, pauses, gives up, closes early.
async fn client(seams: Seams, servers: u32, log: Log<(u64, u32, String)>, who: u32) {
    let mut draws = seams.random.stream(&format!("client {who}"));
    loop {
        let server = HostId::new(draws.below(u64::from(servers)) as u32);
        if server.index() == who as usize {
            continue;
        }
        let patience = seams.now() + us(draws.below(60_000));
        let connect = seams.network.connect(addr(server, 80));
        let connected = timeout_at(&*seams.clock, patience, connect).await;
        let outcome = match connected {
            None => "no connection".into(),
            Some(Err(error)) => format!("{:?}", error.kind()),
            Some(Ok(mut connection)) => {
                let mut outcome = String::new();
                for _ in 0..draws.below(20) {
                    let patience = seams.now() + us(draws.below(200_000));
                    let answer = request(&mut connection, &mut draws);
                    match timeout_at(&*seams.clock, patience, answer).await {
                        Some(Ok(())) => outcome.push('.'),
                        Some(Err(error)) => outcome.push_str(&format!("{:?}", error.kind())),
                        None => outcome.push('T'),
                    }
                    if !outcome.ends_with('.') {
                        break;
                    }
                    pause(&seams, us(draws.below(5_000))).await;
                }
                outcome
            }
        };
        log.push((seams.now().as_nanos(), who, outcome));
    }
}

struct Run {
    packets: Vec<(u64, String, String)>,
    requests: Vec<(u64, u32, String)>,
    stats: FabricStats,
}

fn run(
    config: FabricConfig,
    mode: Sweeping,
    length: Duration,
    faults: impl FnOnce(&mut Fabric),
) -> Run {
    let hosts = config.hosts.len() as u32;
    let mut fabric = sweeping(config, mode);
    let packets = trace_packets(&mut fabric);
    let log = Log::new();
    for position in 0..hosts {
        boot(&mut fabric, position, hosts, &log);
    }
    faults(&mut fabric);
    fabric.run_until(at(length)).unwrap();
    Run {
        packets: packets.take(),
        requests: log.take(),
        stats: fabric.stats(),
    }
}

fn boot(fabric: &mut Fabric, position: u32, hosts: u32, log: &Log<(u64, u32, String)>) {
    let host = HostId::new(position);
    start(fabric, host, move |seams| {
        serve(seams, addr(host, 80), answer)
    });
    for _ in 0..2 {
        let log = log.clone();
        start(fabric, host, move |seams| {
            client(seams, hosts, log, position)
        });
    }
}

#[track_caller]
fn all_modes_agree(
    config: &FabricConfig,
    length: Duration,
    faults: impl Fn(&mut Fabric),
) -> [Run; 3] {
    let runs = MODES.map(|mode| run(config.clone(), mode, length, &faults));
    let [always, touched, late] = &runs;
    assert!(always.requests.len() > 50, "{}", always.requests.len());
    for other in [touched, late] {
        assert_same(&always.packets, &other.packets);
        assert_same(&always.requests, &other.requests);
        let sweeps = |stats: FabricStats| FabricStats { sweeps: 0, ..stats };
        assert_eq!(sweeps(always.stats), sweeps(other.stats));
    }
    runs
}

fn jittery(count: u32) -> FabricConfig {
    config(
        count,
        link(Distribution::Uniform {
            low: us(200),
            high: us(900),
        }),
    )
}

#[test]
fn with_jitter() {
    let [always, touched, late] = all_modes_agree(&jittery(6), ms(400), |_| ());
    assert!(touched.stats.sweeps < always.stats.sweeps);
    assert!(
        late.stats.sweeps * 2 < touched.stats.sweeps,
        "{} {}",
        late.stats.sweeps,
        touched.stats.sweeps
    );
}

#[test]
fn with_latencies_down_to_nothing() {
    let wild = link(Distribution::Exponential { mean: us(500) });
    all_modes_agree(&config(5, wild), ms(300), |_| ());
    all_modes_agree(&config(3, link(Distribution::ZERO)), ms(700), |_| ());
}

#[test]
fn with_everything_at_once_on_a_grid() {
    let grid = link(Distribution::Constant(us(500)));
    all_modes_agree(&config(5, grid), ms(300), |_| ());
}

#[test]
fn with_very_long_latencies() {
    let far = link(Distribution::Constant(ms(30)));
    all_modes_agree(&config(8, far), secs(1), |_| ());
}

#[test]
fn with_bandwidth_loss_and_queues() {
    let poor = LinkQuality {
        latency: Distribution::Normal {
            mean: us(500),
            deviation: us(200),
        },
        loss: 0.01,
        bandwidth_bps: Some(50_000_000),
        queue_bytes_max: Some(30_000),
    };
    let [always, ..] = all_modes_agree(&config(5, poor), secs(2), |_| ());
    assert!(always.stats.lost > 100, "{:?}", always.stats);
}

#[test]
fn with_faults() {
    let mut config = jittery(6);
    config.timeouts.user = ms(700);
    let [always, ..] = all_modes_agree(&config, secs(2), |fabric| {
        fabric.at(at(ms(300)), |fabric| {
            let slow = PacketScope::everything();
            let rule = fabric.add_latency(slow, Distribution::Constant(us(77)));
            let cut = fabric.partition(PacketScope::around(vec![B]));
            fabric.at(at(ms(1600)), move |fabric| fabric.remove(cut));
            fabric.at(at(ms(400)), move |fabric| fabric.remove(rule));
        });
        fabric.at(at(ms(500)), |fabric| {
            fabric.crash(C);
            fabric.freeze(A);
        });
        fabric.at(at(ms(620)), |fabric| fabric.thaw(A));
        fabric.at(at(ms(700)), |fabric| {
            boot(fabric, C.index() as u32, 6, &Log::new());
            fabric.power_off(HostId::new(3));
            fabric.set_clock_rate(HostId::new(4), 123_456);
        });
        fabric.at(at(ms(1000)), |fabric| {
            let reset = HostSet::Only(vec![HostId::new(5)]);
            let scope = PacketScope::new(reset, HostSet::ALL);
            let rule = fabric.add_rule(scope.clone(), Effect::Reset);
            fabric.at(at(ms(1050)), move |fabric| fabric.remove(rule));
            fabric.add_rule(scope, Effect::Loss(0.05));
        });
    });
    assert!(always.stats.aborted > 0, "{:?}", always.stats);
    assert!(always.stats.parked > 0);
}

#[test]
fn two_runs_are_one() {
    let one = run(jittery(4), Sweeping::Late, ms(300), |_| ());
    let two = run(jittery(4), Sweeping::Late, ms(300), |_| ());
    assert_same(&one.packets, &two.packets);
    assert_eq!(one.stats, two.stats);
    assert_eq!(one.requests, two.requests);
    let mut other_seed = jittery(4);
    other_seed.seed = 2;
    let three = run(other_seed, Sweeping::Late, ms(300), |_| ());
    assert_ne!(one.packets, three.packets);
}
