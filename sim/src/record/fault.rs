//! What the faults touched. One that touched nothing tested nothing.

use std::sync::Arc;

use mesh_core::seam::Instant;
use meshquake_reports::FaultReport;
use meshquake_reports::record::seconds;

use super::edge::nanos;
use super::event::{FaultEvent, FaultPhase};
use crate::plan::{FaultPlan, Plan};

/// All faults, in plan order.
pub(super) struct Faults(Vec<Touched>);

/// Drawn pods kept of one fault.
const DRAWN_MAX: usize = 20;
/// Stretches kept of one fault.
pub(super) const SPANS_MAX: usize = 100;

#[derive(Clone, Default)]
struct Touched {
    began: bool,
    pods: u64,
    packets: u64,
    requests: u64,
    /// The pods that were drawn, each once.
    drawn: Vec<Arc<str>>,
    /// How often it began.
    times: u64,
    /// When it first began and last ended.
    first: Option<Instant>,
    last: Option<Instant>,
    /// When it was at work, the first stretches, each with its end once that has come.
    spans: Vec<(Instant, Option<Instant>)>,
    /// The stretch that it is at work in, if that is one of those kept.
    open: Option<usize>,
}

impl Faults {
    pub(super) fn new(plan: &Plan) -> Self {
        Self(vec![Touched::default(); plan.faults.len()])
    }

    pub(super) fn event(&mut self, at: Instant, event: &FaultEvent<'_>) {
        if let Some(touched) = self.0.get_mut(event.index as usize) {
            touched.began = true;
            touched.pods = touched.pods.max(event.pods.into());
            touched.packets = touched.packets.max(event.packets);
            touched.requests = touched.requests.max(event.requests);
            match event.phase {
                FaultPhase::Began => {
                    for pod in event.drawn {
                        if touched.drawn.len() < DRAWN_MAX && !touched.drawn.contains(pod) {
                            touched.drawn.push(pod.clone());
                        }
                    }
                    touched.times += 1;
                    touched.first.get_or_insert(at);
                    touched.open = (touched.spans.len() < SPANS_MAX).then(|| {
                        touched.spans.push((at, None));
                        touched.spans.len() - 1
                    });
                }
                FaultPhase::Ended => {
                    touched.last = Some(at);
                    let open = touched.open.take();
                    if let Some((_, end)) = open.and_then(|open| touched.spans.get_mut(open)) {
                        *end = Some(at);
                    }
                }
            }
        }
    }

    /// `origin` is when the scenario's clock shows zero.
    pub(super) fn report(&self, plan: &Plan, origin: Instant) -> Vec<FaultReport> {
        let faults = plan.faults.iter().zip(&self.0);
        faults
            .map(|(fault, touched)| touched.told(fault, origin))
            .collect()
    }

    /// When each fault was at work, in a run of this length in nanoseconds.
    pub(super) fn spans(&self, origin: Instant, length: u64) -> Vec<Vec<[f64; 2]>> {
        let told = |at: Instant| seconds(nanos(at.since(origin)).min(length));
        let of = |touched: &Touched| {
            let spans = touched.spans.iter();
            spans
                .map(|(from, to)| [told(*from), to.map_or(seconds(length), told)])
                .collect()
        };
        self.0.iter().map(of).collect()
    }
}

impl Touched {
    /// A fault that touched nothing tested nothing.
    fn is_inert(&self) -> bool {
        self.packets == 0 && self.pods == 0 && self.requests == 0
    }

    fn told(&self, fault: &FaultPlan, origin: Instant) -> FaultReport {
        let told = |at: Instant| seconds(at.since(origin).as_nanos() as u64);
        let planned = fault.schedule.known_start();
        let planned = planned.map(|at| seconds(nanos(at)));
        let length = fault.schedule.known_length();
        let over = self
            .first
            .zip(self.last)
            .map(|(first, last)| told(last) - told(first));
        FaultReport {
            name: fault.name.clone(),
            what: fault.what.clone(),
            at_s: self.first.map(told).or(planned).unwrap_or_default(),
            for_s: length.map(|length| seconds(nanos(length))),
            over_s: over,
            times: self.times,
            began: self.began,
            pods: self.pods,
            drawn: self.drawn.iter().map(ToString::to_string).collect(),
            packets: self.packets,
            requests: self.requests,
            inert: self.is_inert(),
            place: fault.place.clone(),
            burst: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample::plan;

    /// The end of a stretch that is not kept is nobody else's end.
    #[test]
    fn an_end_belongs_to_the_stretch_that_began_last() {
        let plan = plan();
        let mut faults = Faults::new(&plan);
        let second = |s: u64| Instant::from_nanos(s * 1_000_000_000);
        let mut tell = |s: u64, phase| {
            let event = FaultEvent {
                index: 0,
                name: "crash",
                phase,
                pods: 1,
                packets: 0,
                requests: 0,
                drawn: &[],
            };
            faults.event(second(s), &event);
        };
        // One that never ended, as the last that is kept.
        for index in 0..SPANS_MAX as u64 {
            tell(10 * index, FaultPhase::Began);
            if index + 1 < SPANS_MAX as u64 {
                tell(10 * index + 5, FaultPhase::Ended);
            }
        }
        tell(2_000, FaultPhase::Began);
        tell(2_005, FaultPhase::Ended);
        let spans = &faults.spans(Instant::ZERO, 3_000_000_000_000)[0];
        assert_eq!(spans.len(), SPANS_MAX);
        assert_eq!(spans[0], [0.0, 5.0]);
        assert_eq!(
            spans[SPANS_MAX - 1],
            [990.0, 3_000.0],
            "open to the end of the run"
        );
        assert_eq!(faults.0[0].times, SPANS_MAX as u64 + 1);
    }
}
