//! Skew, drift and freezes. The expected numbers are arithmetic: a clock that
//! gains g per second reaches d after d / (1 + g).

use mesh_core::seam::Instant;

use super::kit::*;

#[test]
fn a_drifting_clock_counts_its_own_seconds() {
    let mut fabric = fixed(3, us(250));
    fabric.set_clock_rate(A, 100_000); // +100 ppm
    fabric.set_clock_rate(B, -500_000_000); // half speed
    let log = Log::new();
    for host in [A, B] {
        let out = log.clone();
        start(&mut fabric, host, async move |seams| {
            pause(&seams, secs(10)).await;
            out.push((host, seams.now()));
        });
    }
    fabric
        .run_until(Instant::from_nanos(9_999_000_099))
        .unwrap();
    assert_eq!(log.take(), []);
    fabric
        .run_until(Instant::from_nanos(9_999_000_100))
        .unwrap();
    assert_eq!(log.take(), [(A, at(secs(10)))]);
    fabric
        .run_until(Instant::from_nanos(19_999_999_999))
        .unwrap();
    assert_eq!(log.take(), []);
    fabric.run_until(at(secs(20))).unwrap();
    assert_eq!(log.take(), [(B, at(secs(10)))]);
}

#[test]
fn random_timers_on_a_slow_clock_are_never_early_nor_late() {
    let mut fabric = fixed(1, us(250));
    fabric.set_clock_rate(A, -500_000_000);
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, A, async move |seams| {
        let mut draws = seams.random.stream("deadlines");
        for _ in 0..6000 {
            let due = Instant::from_nanos(draws.below(5_000_000_000));
            let (seams, out) = (seams.clone(), out.clone());
            seams.clone().spawn(async move {
                seams.clock.sleep_until(due).await;
                out.push((due, seams.now()));
            });
        }
    });
    fabric.run_until(at(secs(10))).unwrap();
    let all = log.take();
    assert_eq!(all.len(), 6000);
    assert!(all.iter().all(|(due, fired)| due == fired));
}

#[test]
fn a_new_rate_retimes_what_is_pending() {
    let mut fabric = fixed(1, us(250));
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, A, async move |seams| {
        pause(&seams, secs(10)).await;
        out.push(seams.now());
    });
    fabric.at(at(secs(4)), |fabric| {
        fabric.set_clock_rate(A, 1_000_000_000)
    });
    // 4 s at normal speed leave 6 s, which take 3 s at double speed.
    fabric
        .run_until(Instant::from_nanos(6_999_999_999))
        .unwrap();
    assert_eq!(log.take(), []);
    fabric.run_until(at(secs(7))).unwrap();
    assert_eq!(log.take(), [at(secs(10))]);
}

#[test]
fn the_wall_clock_steps_without_the_monotonic_one() {
    let mut fabric = fixed(2, us(250));
    let clock = seams(&fabric, A).clock;
    fabric.run_until(at(secs(2))).unwrap();
    fabric.step_wall_clock(A, -3_000_000_000);
    assert_eq!(clock.now(), at(secs(2)));
    assert_eq!(clock.unix_time(), secs(1_700_000_002 - 3));
    fabric.step_wall_clock(A, 20 * 365 * 86_400 * 1_000_000_000);
    assert_eq!(clock.unix_time(), secs(1_699_999_999 + 20 * 365 * 86_400));
    fabric.set_clock_rate(A, 1_000_000_000);
    fabric.run_until(at(secs(3))).unwrap();
    assert_eq!(clock.now(), at(secs(4)));
    assert_eq!(clock.unix_time(), secs(1_700_000_001 + 20 * 365 * 86_400));
    assert_eq!(seams(&fabric, B).clock.unix_time(), secs(1_700_000_003));
}

#[test]
fn a_frozen_process_catches_up_at_the_thaw() {
    let mut fabric = fixed(2, us(250));
    let log = Log::new();
    let out = log.clone();
    start(&mut fabric, A, async move |seams| {
        pause(&seams, secs(12) - ms(1)).await;
        for _ in 0..5 {
            pause(&seams, ms(15)).await;
            out.push(seams.now());
        }
    });
    fabric.at(at(ms(12_020)), |fabric| fabric.freeze(A));
    fabric.at(at(ms(12_060)), |fabric| fabric.thaw(A));
    fabric.run_until(at(secs(13))).unwrap();
    let ticks = [12_014, 12_060, 12_075, 12_090, 12_105];
    assert_eq!(log.take(), ticks.map(|tick| at(ms(tick))));
}

/// As with SIGSTOP: the kernel takes connections and bytes, nobody answers.
#[test]
fn a_frozen_host_accepts_but_does_not_answer() {
    let mut fabric = fixed(2, us(250));
    start_echo(&mut fabric, B, 80);
    let log = Log::new();
    let out = log.clone();
    fabric.at(at(ms(1)), |fabric| fabric.freeze(B));
    fabric.at(at(ms(10)), |fabric| fabric.thaw(B));
    start(&mut fabric, A, async move |seams| {
        pause(&seams, ms(2)).await;
        let mut connection = seams.network.connect(addr(B, 80)).await.unwrap();
        out.push(seams.now());
        ping(&mut connection).await.unwrap();
        out.push(seams.now());
    });
    fabric.run_until(at(ms(20))).unwrap();
    assert_eq!(log.take(), [at(us(2500)), at(us(10_250))]);
}
