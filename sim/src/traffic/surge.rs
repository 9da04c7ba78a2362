//! Requests that a source sends because of faults, on top of its own.
//!
//! A Poisson process of rate kλ is one of rate λ and an independent one of rate
//! (k − 1)λ laid over each other; so a larger load is the source's own, arrival
//! for arrival, and another stream beside it. When the strength of the fault
//! changes, the other stream begins anew: a Poisson process has no memory, so
//! that is exact. Evenly spaced loads get evenly spaced company.
//!
//! Such requests are numbered from [`FIRST`] on, and their traces are drawn from
//! the fault's stream: the source's own requests keep their numbers and traces.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::select;
use mesh_core::seam::Instant;

use super::arrivals::Schedule;
use super::draws::Draws;
use super::knobs::SourceLever;
use super::source::{Seat, Source};
use crate::app::fork;
use crate::plan::{Arrivals, Distribution, Load, RatePoint, RateProfile, SourceEffect};

/// The number of the first request that is sent because of a fault.
pub(super) const FIRST: u64 = 1 << 48;

impl Source {
    /// Sends what faults demand, for as long as its pod lives.
    pub(super) async fn heed_faults(self: Rc<Self>, load: Rc<Load>) {
        let mut changes = self.knobs.changes();
        loop {
            for lever in self.knobs.levers() {
                if lever.take() {
                    self.clone().begin(&load, lever);
                }
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn begin(self: Rc<Self>, load: &Rc<Load>, lever: Rc<SourceLever>) {
        let (source, load) = (self.clone(), load.clone());
        match &lever.effect {
            SourceEffect::Load(_) => self.seams.spawn(async move {
                match &*load {
                    Load::Open { rate, arrivals } => source.more(&lever, rate, *arrivals).await,
                    Load::Closed { users, think } => source.more_users(&lever, *users, think).await,
                    Load::Script(_) => {}
                }
            }),
            SourceEffect::Herd {
                requests,
                over,
                random,
            } => {
                let times = herd(*requests, *over, *random, &lever);
                let began = self.seams.now();
                self.seams.spawn(async move {
                    let draws = Draws::of_fault(&lever);
                    for at in times {
                        source.seams.clock.sleep_until(began + at).await;
                        source.send_more(&lever, &draws, began + at);
                    }
                });
            }
            SourceEffect::SlowLoris {
                authority,
                connections,
                pause,
            } => {
                for _ in 0..*connections {
                    let tormented =
                        source
                            .clone()
                            .torment(lever.clone(), authority.clone(), *pause);
                    self.seams.spawn(tormented);
                }
            }
            SourceEffect::HotKey { .. } | SourceEffect::Retries(_) | SourceEffect::Mix(_) => {}
        }
    }

    /// An open load's company.
    async fn more(self: Rc<Self>, lever: &Rc<SourceLever>, own: &RateProfile, arrivals: Arrivals) {
        let draws = Draws::of_fault(lever);
        let mut changes = self.knobs.changes();
        while lever.is_in_force() {
            changes.mark_unchanged();
            let strength = lever.strength();
            let rate = excess(own, |rate| lever.rate(rate));
            let begun = self.seams.now().max(self.start);
            let rng = fork(&mut lever.rng.borrow_mut());
            let from = Duration::from_nanos(begun.since(self.origin).as_nanos() as u64);
            let schedule = Schedule::beside(&rate, arrivals, from, rng);
            let send = async {
                for at in schedule.map(|at| self.origin + at) {
                    if at >= self.end {
                        break;
                    }
                    self.seams.clock.sleep_until(at).await;
                    self.send_more(lever, &draws, at);
                }
                std::future::pending::<()>().await;
            };
            let news = async {
                while lever.is_in_force() && lever.strength() == strength {
                    if changes.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
            };
            let (send, news) = (std::pin::pin!(send), std::pin::pin!(news));
            select(send, news).await;
        }
    }

    fn send_more(self: &Rc<Self>, lever: &Rc<SourceLever>, draws: &Rc<Draws>, intended: Instant) {
        if intended >= self.end {
            return;
        }
        lever.touch();
        let (source, turn) = (self.clone(), self.next_turn(draws, intended));
        self.seams.spawn(async move {
            source.send_planned(turn).await;
        });
    }

    /// A closed load's company: users who come, and go again.
    async fn more_users(self: Rc<Self>, lever: &Rc<SourceLever>, own: u32, think: &Distribution) {
        let begun = self.seams.now().max(self.start);
        let draws = Draws::of_fault(lever);
        for number in 0..lever.users_more_max(own) {
            let (source, draws) = (self.clone(), draws.clone());
            let rng = fork(&mut lever.rng.borrow_mut());
            let think = think.clone();
            let seat = Seat::Added {
                number,
                own,
                lever: lever.clone(),
            };
            self.seams.spawn(async move {
                source.user(begun, &think, rng, &draws, seat).await;
            });
        }
    }
}

/// When the requests of a herd come, in order.
fn herd(requests: u64, over: Duration, random: bool, lever: &SourceLever) -> Vec<Duration> {
    let mut rng = lever.rng.borrow_mut();
    let nanos = over.as_nanos();
    let mut times: Vec<Duration> = (0..requests)
        .map(|number| {
            let at = match random {
                true => (u128::from(rng.bits()) * nanos) >> 64,
                false => nanos * u128::from(number) / u128::from(requests),
            };
            Duration::from_nanos(at as u64)
        })
        .collect();
    times.sort_unstable();
    times
}

/// By how much the rate that `wanted` makes of a rate is above it, over time. `wanted` is linear, so between two points
/// the difference is too; where it changes its sign there is a point more.
fn excess(own: &RateProfile, wanted: impl Fn(f64) -> f64) -> RateProfile {
    let more = |point: &RatePoint| wanted(point.per_second) - point.per_second;
    let at = |at, per_second: f64| RatePoint {
        at,
        per_second: per_second.max(0.0),
    };
    let mut points: Vec<RatePoint> = own
        .0
        .first()
        .map(|first| at(first.at, more(first)))
        .into_iter()
        .collect();
    for pair in own.0.windows(2) {
        let (left, right) = (more(&pair[0]), more(&pair[1]));
        if left * right < 0.0 {
            let share = left / (left - right);
            points.push(at(
                pair[0].at + (pair[1].at - pair[0].at).mul_f64(share),
                0.0,
            ));
        }
        points.push(at(pair[1].at, right));
    }
    RateProfile(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_excess_of_a_ramp_over_a_level_ends_where_they_meet() {
        let point = |at, per_second| RatePoint {
            at: Duration::from_secs(at),
            per_second,
        };
        let ramp = RateProfile(vec![point(0, 0.0), point(10, 100.0)]);
        // 40/s in place of a ramp from 0 to 100/s: 40 more at first, none from 4 s on.
        let found = excess(&ramp, |_| 40.0);
        assert_eq!(found.0, [point(0, 40.0), point(4, 0.0), point(10, 0.0)]);
        let found = excess(&ramp, |rate| rate * 3.0);
        assert_eq!(found.0, [point(0, 0.0), point(10, 200.0)]);
        assert_eq!(excess(&ramp, |rate| rate * 0.5).0[1].per_second, 0.0);
    }
}
