//! What is counted of one subject in one window, and what a measure makes of it.

use std::collections::BTreeMap;

use mesh_core::telemetry::ResponseFlags;

use super::samples::Samples;
use crate::plan::{Amount, LatencyMeasure, Measure, Subject};
use crate::record::Counts;

/// One thing to count.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entry {
    /// A request ended.
    Request {
        succeeded: bool,
        /// 0 is no answer.
        status: u16,
        /// In nanoseconds, when it was answered.
        latency: Option<u64>,
    },
    /// A request was in flight at the end of the run, and had been for too long.
    Hung,
    /// A request ended with these flags.
    Flags(ResponseFlags),
    /// An attempt ended.
    Attempt {
        /// The endpoint, when one was picked.
        endpoint: Option<EndpointId>,
        /// Whether it went to another zone.
        crossed: bool,
        /// It reached its endpoint without TLS.
        plaintext: bool,
    },
    /// Bodies went to an endpoint and back.
    Bytes { bytes: u64, crossed: bool },
    /// A request came in at a pod.
    Arrival {
        endpoint: EndpointId,
        plaintext: bool,
        unauthorised: bool,
    },
    /// A request of the traffic reached the app of a service.
    Call { service: ServiceId },
    /// An app is done with a request.
    Work(Work),
}

/// An endpoint's number.
pub(super) type EndpointId = u32;
/// A service's number.
pub(super) type ServiceId = u32;

/// An app is done with a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    /// Nanoseconds on a worker.
    pub(super) busy: u64,
    /// For a caller that had gone.
    pub(super) wasted: bool,
    /// Nanoseconds in line, when it left the line for a worker.
    pub(super) wait: Option<u64>,
    /// The line it met.
    pub(super) queue: u32,
}

/// What is kept beyond counters, because a measure asks for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Keeps {
    pub(super) latencies: bool,
    pub(super) waits: bool,
    pub(super) loads: bool,
}

impl Keeps {
    pub(super) fn for_measure(&mut self, measure: &Measure) {
        match measure {
            Measure::Latency(LatencyMeasure::Quantile(_)) => self.latencies = true,
            Measure::Wait(_) => self.waits = true,
            Measure::Busiest | Measure::Imbalance | Measure::Fairness => self.loads = true,
            _ => {}
        }
    }
}

/// Everything counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    ended: u64,
    succeeded: u64,
    hung: u64,
    answered: u64,
    sum: u128,
    max: u64,
    latencies: Option<Samples>,
    statuses: Counts<u16>,
    flagged: u64,
    flags: Counts<ResponseFlags>,
    attempts: u64,
    attempts_crossed: u64,
    bytes: u64,
    bytes_crossed: u64,
    arrivals: u64,
    plaintext: u64,
    unauthorised: u64,
    loads: Option<BTreeMap<EndpointId, u64>>,
    calls: BTreeMap<ServiceId, u64>,
    works: u64,
    busy: u128,
    wasted: u128,
    queue: u32,
    waits: Option<Samples>,
}

/// What a measure needs to know besides the counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Length of the window.
    pub(super) seconds: f64,
    /// Endpoints that the callee has, by the plan.
    pub(super) endpoints: usize,
    /// The service that a [`Measure::Calls`] asks for.
    pub(super) callee: Option<ServiceId>,
}

impl Tally {
    pub(super) fn new(keeps: Keeps) -> Self {
        Self {
            latencies: keeps.latencies.then(Samples::new),
            waits: keeps.waits.then(Samples::new),
            loads: keeps.loads.then(BTreeMap::new),
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Request {
                succeeded,
                status,
                latency,
            } => {
                self.ended += 1;
                self.succeeded += u64::from(succeeded);
                self.statuses.add(status);
                if let Some(nanos) = latency {
                    self.answer(nanos);
                }
            }
            Entry::Hung => self.hung += 1,
            Entry::Flags(flags) => {
                self.flagged += 1;
                self.flags.add(flags);
            }
            Entry::Attempt {
                endpoint,
                crossed,
                plaintext,
            } => {
                self.attempts += 1;
                self.attempts_crossed += u64::from(crossed);
                self.plaintext += u64::from(plaintext);
                self.load(endpoint);
            }
            Entry::Bytes { bytes, crossed } => {
                self.bytes += bytes;
                self.bytes_crossed += if crossed { bytes } else { 0 };
            }
            Entry::Arrival {
                endpoint,
                plaintext,
                unauthorised,
            } => {
                self.arrivals += 1;
                self.plaintext += u64::from(plaintext);
                self.unauthorised += u64::from(unauthorised);
                self.load(Some(endpoint));
            }
            Entry::Call { service } => *self.calls.entry(service).or_default() += 1,
            Entry::Work(work) => self.work(work),
        }
    }

    fn answer(&mut self, nanos: u64) {
        self.answered += 1;
        self.sum += u128::from(nanos);
        self.max = self.max.max(nanos);
        if let Some(latencies) = &mut self.latencies {
            latencies.record(nanos);
        }
    }

    fn load(&mut self, endpoint: Option<EndpointId>) {
        if let (Some(loads), Some(endpoint)) = (&mut self.loads, endpoint) {
            *loads.entry(endpoint).or_default() += 1;
        }
    }

    fn work(&mut self, work: Work) {
        self.works += 1;
        self.busy += u128::from(work.busy);
        self.wasted += if work.wasted { work.busy.into() } else { 0 };
        self.queue = self.queue.max(work.queue);
        if let (Some(waits), Some(wait)) = (&mut self.waits, work.wait) {
            waits.record(wait);
        }
    }

    /// Requests that ended or hang.
    pub(super) const fn requests(&self) -> u64 {
        self.ended + self.hung
    }

    /// How many things `measure` of `subject` is made of.
    pub(super) fn counted(&self, subject: &Subject, measure: &Measure) -> u64 {
        let sidecars = matches!(subject, Subject::Edge { .. });
        match measure {
            Measure::Flag(..) => self.flagged,
            Measure::Busiest | Measure::Imbalance | Measure::Fairness if sidecars => self.attempts,
            Measure::CrossZone => self.attempts,
            Measure::Plaintext if sidecars => self.attempts,
            Measure::Busiest
            | Measure::Imbalance
            | Measure::Fairness
            | Measure::Plaintext
            | Measure::Unauthorised => self.arrivals,
            Measure::Wasted | Measure::Queue | Measure::Wait(_) => self.works,
            _ => self.requests(),
        }
    }

    /// What `measure` of `subject` comes to, in its unit; `None` when there is nothing to measure.
    pub(super) fn measure(
        &self,
        subject: &Subject,
        measure: &Measure,
        frame: &Frame,
    ) -> Option<f64> {
        let counted = self.counted(subject, measure);
        if counted == 0 {
            return None;
        }
        let each = |n: u64| n as f64 / counted as f64;
        let amount = |amount: Amount, n: u64| match amount {
            Amount::Count => n as f64,
            Amount::Share => each(n),
        };
        let per_second = |n: u64| (frame.seconds > 0.0).then(|| n as f64 / frame.seconds);
        match measure {
            Measure::Success => Some(each(self.succeeded)),
            Measure::BurnRate { slo } => Some(each(counted - self.succeeded) / (1.0 - slo)),
            Measure::Latency(latency) => self.latency(*latency),
            Measure::Goodput => per_second(self.succeeded),
            Measure::Rate => per_second(counted),
            Measure::Attempts => (self.attempts > 0).then(|| each(self.attempts)),
            Measure::Calls(_) => {
                let calls = frame.callee.and_then(|callee| self.calls.get(&callee));
                Some(each(calls.copied().unwrap_or_default()))
            }
            Measure::Flag(flag, unit) => {
                let with = self.flags.iter().filter(|(flags, _)| flags.contains(*flag));
                Some(amount(*unit, with.map(|(_, n)| n).sum()))
            }
            Measure::Status(class, unit) => {
                let of = self
                    .statuses
                    .iter()
                    .filter(|(status, _)| class.has(*status));
                Some(amount(*unit, of.map(|(_, n)| n).sum()))
            }
            Measure::Busiest | Measure::Imbalance | Measure::Fairness => {
                let loads = self.loads.as_ref()?.values().copied();
                spread(measure, &loads.collect::<Vec<_>>(), frame.endpoints)
            }
            Measure::Wasted => (self.busy > 0).then(|| self.wasted as f64 / self.busy as f64),
            Measure::Queue => Some(self.queue.into()),
            Measure::Wait(q) => Some(self.waits.as_ref()?.quantile(*q)? as f64),
            Measure::CrossZone => Some(each(self.attempts_crossed)),
            Measure::CrossZoneBytes(Amount::Count) => Some(self.bytes_crossed as f64),
            Measure::CrossZoneBytes(Amount::Share) => {
                (self.bytes > 0).then(|| self.bytes_crossed as f64 / self.bytes as f64)
            }
            Measure::Plaintext => Some(self.plaintext as f64),
            Measure::Unauthorised => Some(self.unauthorised as f64),
        }
    }

    fn latency(&self, measure: LatencyMeasure) -> Option<f64> {
        match measure {
            _ if self.answered == 0 => None,
            LatencyMeasure::Mean => Some(self.sum as f64 / self.answered as f64),
            LatencyMeasure::Max => Some(self.max as f64),
            LatencyMeasure::Quantile(q) => Some(self.latencies.as_ref()?.quantile(q)? as f64),
        }
    }
}

/// How unevenly `loads` fall on `endpoints`, those without any load included.
fn spread(measure: &Measure, loads: &[u64], endpoints: usize) -> Option<f64> {
    let n = endpoints.max(loads.len()) as f64;
    let sum: f64 = loads.iter().map(|x| *x as f64).sum();
    let busiest = loads.iter().copied().max()? as f64;
    Some(match measure {
        Measure::Busiest => busiest / sum,
        Measure::Imbalance => busiest * n / sum,
        _ => {
            let squares: f64 = loads.iter().map(|x| (*x as f64) * (*x as f64)).sum();
            sum * sum / (n * squares)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::StatusClass;
    use mesh_core::telemetry::ResponseFlag;

    const FRAME: Frame = Frame {
        seconds: 10.0,
        endpoints: 0,
        callee: None,
    };

    fn request(status: u16) -> Entry {
        Entry::Request {
            succeeded: (1..500).contains(&status),
            status,
            latency: None,
        }
    }

    fn of(subject: &Subject, measure: Measure, entries: &[Entry], frame: Frame) -> Option<f64> {
        let mut keeps = Keeps::default();
        keeps.for_measure(&measure);
        let mut tally = Tally::new(keeps);
        entries.iter().for_each(|entry| tally.add(*entry));
        tally.measure(subject, &measure, &frame)
    }

    fn traffic() -> Subject {
        Subject::Traffic("shoppers".into())
    }

    fn edge() -> Subject {
        Subject::Edge {
            from: None,
            to: None,
        }
    }

    fn service() -> Subject {
        Subject::Service("reviews".into())
    }

    /// Workbook, chapter 5, table 5-4: at an SLO of 99.9 %, an error rate of 0.1 % burns at 1, and 1.44 % at 14.4.
    #[test]
    fn a_budget_burns_at_the_workbooks_rate() {
        let requests = |failed: usize, all: usize| {
            let mut entries = vec![request(500); failed];
            entries.resize(all, request(200));
            entries
        };
        let burn = Measure::BurnRate { slo: 0.999 };
        let rate = |failed, all| {
            let rate = of(&traffic(), burn.clone(), &requests(failed, all), FRAME);
            (rate.unwrap() * 1e6).round() / 1e6
        };
        assert_eq!(rate(1, 1_000), 1.0);
        assert_eq!(rate(144, 10_000), 14.4);
        assert_eq!(rate(10, 10), 1_000.0);
    }

    #[test]
    fn rates_are_of_the_window() {
        let entries = [request(200), request(200), request(503), Entry::Hung];
        assert_eq!(of(&traffic(), Measure::Goodput, &entries, FRAME), Some(0.2));
        assert_eq!(of(&traffic(), Measure::Rate, &entries, FRAME), Some(0.4));
    }

    #[test]
    fn flags_and_statuses_are_counted_or_shared() {
        let overflow = ResponseFlag::UpstreamOverflow;
        let entries = [
            request(200),
            request(503),
            request(504),
            request(0),
            Entry::Flags(overflow.into()),
            Entry::Flags(ResponseFlags::from(overflow).with(ResponseFlag::RateLimited)),
            Entry::Flags(ResponseFlags::NONE),
            Entry::Flags(ResponseFlags::NONE),
        ];
        let told = |measure| of(&traffic(), measure, &entries, FRAME);
        assert_eq!(told(Measure::Flag(overflow, Amount::Count)), Some(2.0));
        assert_eq!(told(Measure::Flag(overflow, Amount::Share)), Some(0.5));
        let status = |class, amount| told(Measure::Status(class, amount));
        assert_eq!(status(StatusClass::Hundred(5), Amount::Share), Some(0.5));
        assert_eq!(status(StatusClass::Exactly(504), Amount::Count), Some(1.0));
        assert_eq!(status(StatusClass::None, Amount::Count), Some(1.0));
    }

    /// By hand: loads 6, 2, 0 of three endpoints. Busiest 3/4; 6 over the mean 8/3; Jain 64 / (3 · 40).
    #[test]
    fn idle_endpoints_count_for_fairness() {
        let to = |endpoint| Entry::Attempt {
            endpoint: Some(endpoint),
            crossed: endpoint == 1,
            plaintext: endpoint == 1,
        };
        let mut entries = vec![to(0); 6];
        entries.extend([to(1), to(1)]);
        let frame = Frame {
            endpoints: 3,
            ..FRAME
        };
        let told = |measure| of(&edge(), measure, &entries, frame).unwrap();
        assert_eq!(told(Measure::Busiest), 0.75);
        assert_eq!(told(Measure::Imbalance), 2.25);
        assert!((told(Measure::Fairness) - 64.0 / 120.0).abs() < 1e-12);
        assert_eq!(told(Measure::CrossZone), 0.25);
        assert_eq!(told(Measure::Plaintext), 2.0);
    }

    #[test]
    fn attempts_and_calls_are_per_request() {
        let attempt = Entry::Attempt {
            endpoint: None,
            crossed: false,
            plaintext: false,
        };
        let call = Entry::Call { service: 4 };
        let entries = [request(200), request(200), attempt, attempt, attempt, call];
        let frame = Frame {
            callee: Some(4),
            ..FRAME
        };
        let told = |measure| of(&traffic(), measure, &entries, frame);
        assert_eq!(told(Measure::Attempts), Some(1.5));
        assert_eq!(told(Measure::Calls("db".into())), Some(0.5));
        assert_eq!(
            of(&traffic(), Measure::Attempts, &[request(200)], FRAME),
            None
        );
    }

    #[test]
    fn work_is_weighed_by_its_time() {
        let work = |busy, wasted, wait, queue| {
            Entry::Work(Work {
                busy,
                wasted,
                wait,
                queue,
            })
        };
        let entries = [
            work(30, true, Some(7), 4),
            work(10, false, Some(5), 9),
            work(0, false, None, 2),
        ];
        let told = |measure| of(&service(), measure, &entries, FRAME);
        assert_eq!(told(Measure::Wasted), Some(0.75));
        assert_eq!(told(Measure::Queue), Some(9.0));
        assert_eq!(told(Measure::Wait(0.99)), Some(7.0));
    }

    #[test]
    fn bytes_and_strangers() {
        let entries = [
            request(200),
            Entry::Bytes {
                bytes: 100,
                crossed: true,
            },
            Entry::Bytes {
                bytes: 300,
                crossed: false,
            },
        ];
        let told = |measure| of(&Subject::Mesh, measure, &entries, FRAME);
        let bytes = |amount| told(Measure::CrossZoneBytes(amount));
        assert_eq!(bytes(Amount::Count), Some(100.0));
        assert_eq!(bytes(Amount::Share), Some(0.25));
        let arrival = |plaintext, unauthorised| Entry::Arrival {
            endpoint: 0,
            plaintext,
            unauthorised,
        };
        let entries = [arrival(true, true), arrival(false, false)];
        let told = |measure| of(&service(), measure, &entries, FRAME);
        assert_eq!(told(Measure::Plaintext), Some(1.0));
        assert_eq!(told(Measure::Unauthorised), Some(1.0));
        assert_eq!(
            of(&service(), Measure::Plaintext, &[], FRAME),
            None,
            "silence"
        );
    }
}
