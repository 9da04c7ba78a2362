//! Real time that passes behind a run's back changes nothing in it.
//!
//! Whoever cancels an HTTP/2 request resets its stream, and h2 remembers the
//! stream for a while, against frames that are still on their way. By default
//! that while is a second of real time, so that a machine that stalls forgets
//! earlier, and answers late frames otherwise. Connections are set up here as
//! sidecars set theirs up, which takes the machine's clock out of it.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, client, server};
use hyper_util::rt::TokioIo;
use mesh_core::seam::{Connection, Executor, HyperTimer, Seams, timeout_at};

use super::kit::*;
use crate::plan::Distribution;

/// Requests of one caller; three of four are given up while the answer is on its way.
const REQUESTS: u64 = 3000;

/// Longer than h2 would remember, then as long as a busy machine may take.
const STALLS: [(u64, Duration); 3] = [(2_000, ms(250)), (6_000, ms(1_100)), (10_000, ms(250))];

async fn answer(seams: Seams, connection: Connection) {
    let clock = seams.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let seams = clock.clone();
        async move {
            let body = request.into_body().collect().await;
            pause(&seams, us(200)).await;
            let size = body.map_or(0, |body| body.to_bytes().len());
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(vec![b'a'; size]))))
        }
    });
    let mut http = server::conn::http2::Builder::new(Executor(seams.spawn.clone()));
    http.timer(HyperTimer::new(seams.clock.clone()))
        .auto_date_header(false)
        .max_concurrent_streams(None)
        .max_pending_accept_reset_streams(usize::MAX)
        .max_local_error_reset_streams(None);
    let _ended = http
        .serve_connection(TokioIo::new(connection.io), service)
        .await;
}

/// Sends a request every millisecond and gives most of them up.
async fn call(seams: Seams, ended: Log<(u64, bool)>) {
    let connection = seams.network.connect(addr(B, 80)).await.unwrap();
    let (sender, driver) = client::conn::http2::Builder::new(Executor(seams.spawn.clone()))
        .timer(HyperTimer::new(seams.clock.clone()))
        .reset_stream_duration(Duration::from_secs(1_000_000))
        .max_concurrent_reset_streams(100_000)
        .max_local_error_reset_streams(None)
        .handshake(TokioIo::new(connection.io))
        .await
        .unwrap();
    seams.spawn(async move { drop(driver.await) });
    for number in 0..REQUESTS {
        let (mut sender, own, ended) = (sender.clone(), seams.clone(), ended.clone());
        seams.spawn(async move {
            let patience = if number % 4 == 0 { secs(5) } else { ms(25) };
            let body = Full::new(Bytes::from_static(&[7; 300]));
            let request = Request::post("http://b/").body(body).unwrap();
            let deadline = own.now() + patience;
            let exchange = async {
                let response = sender.send_request(request).await.ok()?;
                response.into_body().collect().await.ok()
            };
            let answered = timeout_at(&*own.clock, deadline, exchange).await.flatten();
            ended.push((own.now().as_nanos(), answered.is_some()));
        });
        pause(&seams, ms(1)).await;
    }
}

struct Run {
    packets: u64,
    trace: blake3::Hash,
    ended: Vec<(u64, bool)>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "this test is about real time that passes behind a run's back"
)]
fn stall(length: Duration) {
    std::thread::sleep(length);
}

fn run(stalls: &'static [(u64, Duration)]) -> Run {
    let there_in_20_ms = Distribution::Constant(ms(20));
    let mut fabric = sweeping(config(2, link(there_in_20_ms)), Default::default());
    let trace = Rc::new(Cell::new((0, blake3::hash(b""))));
    let seen = trace.clone();
    fabric.tap(Box::new(move |at, packet| {
        let (count, before) = seen.get();
        let mut hash = blake3::Hasher::new();
        hash.update(before.as_bytes());
        hash.update(format!("{} {packet:?}", at.as_nanos()).as_bytes());
        seen.set((count + 1, hash.finalize()));
        if let Some((_, length)) = stalls.iter().find(|(at, _)| *at == count) {
            stall(*length);
        }
    }));
    let ended = Log::new();
    start(&mut fabric, B, |seams| serve(seams, addr(B, 80), answer));
    let log = ended.clone();
    start(&mut fabric, A, |seams| async move {
        pause(&seams, us(1)).await;
        call(seams, log).await;
    });
    fabric.run_until(at(secs(10))).unwrap();
    let (packets, trace) = trace.get();
    Run {
        packets,
        trace,
        ended: ended.take(),
    }
}

#[test]
fn a_stalled_machine_under_mass_cancellation_changes_no_packet() {
    let (smooth, stalled) = (run(&[]), run(&STALLS));
    let last = STALLS.iter().map(|(at, _)| *at).max().unwrap();
    assert!(smooth.packets > last, "{} packets", smooth.packets);
    let given_up = smooth.ended.iter().filter(|(_, answered)| !answered);
    assert_eq!(given_up.count() as u64, REQUESTS / 4 * 3);
    assert_eq!(smooth.ended.len() as u64, REQUESTS);
    assert_same(&smooth.ended, &stalled.ended);
    assert_eq!(
        (smooth.packets, smooth.trace),
        (stalled.packets, stalled.trace)
    );
}
