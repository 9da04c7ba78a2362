//! What can be measured, and of whom.

use mesh_core::telemetry::ResponseFlag;

/// Whose doings are measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The requests of a traffic source, as its clients saw them.
    Traffic(String),
    /// Calls from one service (or traffic source) to another, as the callers' sidecars saw them; `None` is anybody.
    Edge {
        /// The caller.
        from: Option<String>,
        /// The callee.
        to: Option<String>,
    },
    /// Requests to a service, as its sidecars saw them on the way in, and what its apps did with them.
    Service(String),
    /// The whole mesh: all requests of all traffic sources, and every sidecar and app.
    Mesh,
}

/// The kinds of subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectKind {
    /// A traffic source.
    Traffic,
    /// An edge.
    Edge,
    /// A service.
    Service,
    /// The whole mesh.
    Mesh,
}

impl Subject {
    /// Its kind.
    pub const fn kind(&self) -> SubjectKind {
        match self {
            Self::Traffic(_) => SubjectKind::Traffic,
            Self::Edge { .. } => SubjectKind::Edge,
            Self::Service(_) => SubjectKind::Service,
            Self::Mesh => SubjectKind::Mesh,
        }
    }
}

impl SubjectKind {
    /// The key that names such a subject in a scenario.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Traffic => "traffic",
            Self::Edge => "edge",
            Self::Service => "service",
            Self::Mesh => "mesh",
        }
    }
}

/// What is measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// Share of requests that succeeded, 0 to 1.
    Success,
    /// How many times faster than an SLO allows errors spend its budget: the share of failures divided by one minus
    /// the SLO (Google, The Site Reliability Workbook, chapter 5).
    BurnRate {
        /// The SLO: the share that is to succeed, below 1.
        slo: f64,
    },
    /// A latency of all requests that were answered, in nanoseconds.
    Latency(LatencyMeasure),
    /// Successes per second.
    Goodput,
    /// Requests per second.
    Rate,
    /// Attempts per request.
    Attempts,
    /// Requests that reach this service per request of the traffic, down the whole chain.
    Calls(String),
    /// Requests with this response flag.
    Flag(ResponseFlag, Amount),
    /// Requests with this status.
    Status(StatusClass, Amount),
    /// The share of the endpoint that got most.
    Busiest,
    /// The load of the endpoint that got most, divided by the mean.
    Imbalance,
    /// Jain's index of the endpoints' loads: (Σx)² / (n Σx²), from 1/n to 1, which is even (Jain, Chiu and Hawe, DEC
    /// Research Report TR-301, 1984).
    Fairness,
    /// The share of workers' time spent for callers that had gone.
    Wasted,
    /// The longest line that an arriving request met.
    Queue,
    /// The q-quantile of the time waiting for a worker, in nanoseconds.
    Wait(f64),
    /// The share of attempts that went to another zone.
    CrossZone,
    /// Bytes of bodies, both ways, that went between zones.
    CrossZoneBytes(Amount),
    /// Requests that came without TLS.
    Plaintext,
    /// Requests that an app served although policy denies them.
    Unauthorised,
}

/// Whether a number of things is counted, or divided by all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// How many.
    Count,
    /// Which share, 0 to 1.
    Share,
}

/// Which latency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LatencyMeasure {
    /// Mean.
    Mean,
    /// Largest.
    Max,
    /// The q-quantile, 0 to 1.
    Quantile(f64),
}

/// Which statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusClass {
    /// No answer.
    None,
    /// This one.
    Exactly(u16),
    /// All with this first digit, `5xx`.
    Hundred(u16),
}

impl StatusClass {
    /// Whether `status` (0 for none) is one of these.
    pub const fn has(self, status: u16) -> bool {
        match self {
            Self::None => status == 0,
            Self::Exactly(one) => status == one,
            Self::Hundred(digit) => status / 100 == digit,
        }
    }
}

impl Measure {
    /// The kinds of subject that have this measure.
    pub const fn subjects(&self) -> &'static [SubjectKind] {
        use SubjectKind::{Edge, Mesh, Service, Traffic};
        match self {
            Self::Success
            | Self::BurnRate { .. }
            | Self::Latency(_)
            | Self::Goodput
            | Self::Rate
            | Self::Flag(..)
            | Self::Status(..) => &[Traffic, Edge, Service, Mesh],
            Self::Attempts => &[Traffic, Edge, Mesh],
            Self::Calls(_) => &[Traffic],
            Self::Busiest | Self::Imbalance | Self::Fairness => &[Edge, Service],
            Self::Wasted | Self::Queue | Self::Wait(_) | Self::Unauthorised => &[Service, Mesh],
            Self::CrossZone | Self::CrossZoneBytes(_) => &[Edge, Mesh],
            Self::Plaintext => &[Edge, Service, Mesh],
        }
    }
}

/// A measure of a subject that has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    subject: Subject,
    measure: Measure,
}

impl Claim {
    /// `measure` of `subject`; `None` when such a subject has none.
    pub fn new(subject: Subject, measure: Measure) -> Option<Self> {
        let defined = measure.subjects().contains(&subject.kind());
        defined.then_some(Self { subject, measure })
    }

    /// Of whom.
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// What.
    pub const fn measure(&self) -> &Measure {
        &self.measure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_has_its_own_measures() {
        let claim = |subject, measure| Claim::new(subject, measure).is_some();
        let traffic = || Subject::Traffic("shoppers".into());
        assert!(claim(traffic(), Measure::Success));
        assert!(claim(traffic(), Measure::Calls("db".into())));
        assert!(!claim(traffic(), Measure::Queue));
        assert!(!claim(Subject::Mesh, Measure::Fairness));
        assert!(!claim(Subject::Service("a".into()), Measure::Attempts));
    }

    #[test]
    fn statuses_have_classes() {
        assert!(StatusClass::Hundred(5).has(503) && !StatusClass::Hundred(5).has(404));
        assert!(StatusClass::None.has(0) && !StatusClass::Exactly(200).has(201));
    }
}
