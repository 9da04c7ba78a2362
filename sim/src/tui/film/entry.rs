//! What happens in a film.

use mesh_core::telemetry::{EjectionReason, Mechanism};
use meshquake_reports::Happening;
use meshquake_reports::summary::unit;

use super::Film;
use super::cast::{EdgeId, PodId};
use crate::record::PodChange;
use crate::tui::text::{Label, span};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// When, in nanoseconds since the beginning of the scenario.
    pub(crate) at: u64,
    /// What.
    pub(crate) what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A fault began or ended; what it has touched.
    Fault {
        /// Which.
        fault: u32,
        /// Whether it began.
        began: bool,
        /// Pods.
        pods: u32,
        /// Packets.
        packets: u64,
        /// Requests.
        requests: u64,
    },
    /// A pod came or went.
    Pod {
        /// Which.
        pod: PodId,
        /// What happened to it.
        change: PodChange,
    },
    /// A sidecar ejected an endpoint.
    Ejected {
        /// Which.
        pod: PodId,
        /// Whose sidecar.
        by: PodId,
        /// In which of its clusters.
        cluster: u32,
        /// Why.
        reason: EjectionReason,
        /// For how long at least.
        least_ns: u64,
    },
    /// A sidecar took an endpoint back.
    Returned {
        /// Which.
        pod: PodId,
        /// Whose sidecar.
        by: PodId,
        /// In which of its clusters.
        cluster: u32,
    },
    /// Configuration moved.
    Config {
        /// How.
        step: ConfigStep,
        /// Which.
        version: u64,
        /// Whose sidecar.
        pod: Option<PodId>,
        /// Why, where there is a reason.
        why: Label,
    },
    /// A certificate moved.
    Certificate {
        /// How.
        step: CertificateStep,
        /// Whose sidecar.
        pod: Option<PodId>,
        /// End of its validity, seconds since the Unix epoch.
        not_after: u64,
        /// Why, where there is a reason.
        why: Label,
    },
    /// A breaker of a sidecar rejects requests, for the first time or after a quiet time.
    Opened {
        /// Whose sidecar.
        by: PodId,
        /// On which edge.
        edge: EdgeId,
        /// Which of its limits is reached.
        breaker: Breaker,
    },
    /// A mechanism acted on an edge, so often within a moment.
    Acted {
        /// Which.
        mechanism: Mechanism,
        /// On which edge.
        edge: EdgeId,
        /// How often.
        count: u32,
        /// From the first time, which is when this happened, to the last.
        over_ns: u64,
    },
    /// As the record of a run tells it.
    Told {
        /// What kind.
        kind: Happening,
        /// Whom it happened to.
        subject: Label,
        /// What.
        text: Label,
    },
}

/// Breakers that reject requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Breaker {
    /// Requests in flight (`max_requests`).
    Requests,
    /// Requests waiting for a connection (`max_pending_requests`).
    Pending,
}

/// What becomes of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConfigStep {
    /// Sent to a sidecar.
    Push,
    /// Taken.
    Ack,
    /// Refused.
    Nack,
    /// A sidecar found its control plane.
    Connect,
    /// A sidecar lost it.
    Disconnect,
}

/// What becomes of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CertificateStep {
    /// A sidecar has its first.
    Obtained,
    /// A sidecar has its next.
    Rotated,
    /// The CA refused one.
    Refused,
    /// None could be had.
    Failed,
}

/// Kinds of entry, to choose from and to jump to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Faults.
    Fault,
    /// Pods.
    Pod,
    /// Ejections and returns.
    Ejection,
    /// Breakers that open.
    Breaker,
    /// Configuration.
    Config,
    /// Certificates.
    Identity,
    /// Resilience mechanisms.
    Mechanism,
}

impl Kind {
    /// All, in the order of their numbers on the screen.
    pub(crate) const ALL: [Self; 7] = [
        Self::Fault,
        Self::Pod,
        Self::Ejection,
        Self::Breaker,
        Self::Config,
        Self::Identity,
        Self::Mechanism,
    ];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Pod => "pod",
            Self::Ejection => "ejection",
            Self::Breaker => "breaker",
            Self::Config => "config",
            Self::Identity => "identity",
            Self::Mechanism => "mechanism",
        }
    }
}

impl What {
    /// Of which kind it is.
    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Fault { .. } => Kind::Fault,
            Self::Pod { .. } => Kind::Pod,
            Self::Ejected { .. } | Self::Returned { .. } => Kind::Ejection,
            Self::Config { .. } => Kind::Config,
            Self::Certificate { .. } => Kind::Identity,
            Self::Opened { .. } => Kind::Breaker,
            Self::Acted { .. } => Kind::Mechanism,
            Self::Told { kind, .. } => match kind {
                Happening::Fault => Kind::Fault,
                Happening::Pod => Kind::Pod,
                Happening::Ejection => Kind::Ejection,
                Happening::Breaker => Kind::Breaker,
                Happening::Push | Happening::Config => Kind::Config,
                Happening::Identity => Kind::Identity,
            },
        }
    }

    /// Whether it is the rule that such things happen, so that nobody wants to read it.
    pub(crate) const fn is_routine(&self) -> bool {
        matches!(
            self,
            Self::Config {
                step: ConfigStep::Ack | ConfigStep::Connect,
                ..
            }
        )
    }

    /// Whether it happens all the time when anything does: pushes too.
    pub(crate) const fn is_common(&self) -> bool {
        let pushed = matches!(
            self,
            Self::Config {
                step: ConfigStep::Push,
                ..
            }
        );
        pushed || self.is_routine()
    }

    /// The same as news only: it changes nothing any more.
    pub(super) fn into_told(self) -> Self {
        match self {
            Self::Config {
                step, version, why, ..
            } => Self::Config {
                step,
                version,
                pod: None,
                why,
            },
            Self::Certificate {
                step,
                not_after,
                why,
                ..
            } => Self::Certificate {
                step,
                pod: None,
                not_after,
                why,
            },
            what => what,
        }
    }

    /// Whether the same thing happened, to whoever tells it.
    pub(crate) fn same_news(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ejected { pod: a, .. }, Self::Ejected { pod: b, .. })
            | (Self::Returned { pod: a, .. }, Self::Returned { pod: b, .. }) => a == b,
            (
                Self::Config {
                    step: a,
                    version: v,
                    ..
                },
                Self::Config {
                    step: b,
                    version: w,
                    ..
                },
            ) => a == b && v == w,
            (
                Self::Opened {
                    edge: a,
                    breaker: v,
                    ..
                },
                Self::Opened {
                    edge: b,
                    breaker: w,
                    ..
                },
            ) => a == b && v == w,
            _ => false,
        }
    }

    /// Whom it happened to, and what, in words.
    pub(crate) fn tell(&self, film: &Film) -> (String, String) {
        let cast = &film.cast;
        let pod = |pod: &PodId| cast.pod_name(*pod).to_owned();
        let somebody = |pod: &Option<PodId>| match pod {
            Some(pod) => cast.pod_name(*pod).to_owned(),
            None => "control plane".into(),
        };
        let because = |why: &Label| match &**why {
            "" => String::new(),
            why => format!(": {why}"),
        };
        match self {
            Self::Fault {
                fault,
                began,
                pods,
                packets,
                requests,
            } => {
                let name = cast.fault_name(*fault).to_owned();
                if *began {
                    return (name, "begins".into());
                }
                let touched = [
                    (u64::from(*pods), "pod"),
                    (*packets, "packet"),
                    (*requests, "request"),
                ];
                let touched = touched.iter().filter(|(n, _)| *n > 0);
                let touched: Vec<String> =
                    touched.map(|(n, what)| unit::counted(*n, what)).collect();
                match touched.is_empty() {
                    true => (name, "ends; it has touched nothing".into()),
                    false => (name, format!("ends; it has touched {}", touched.join(", "))),
                }
            }
            Self::Pod { pod: id, change } => (pod(id), told(*change).into()),
            Self::Ejected {
                pod: id,
                by,
                reason,
                least_ns,
                ..
            } => {
                let (why, least) = (why(*reason), span(*least_ns));
                (
                    pod(id),
                    format!("ejected for {least} ({why}) by {}", pod(by)),
                )
            }
            Self::Returned { pod: id, by, .. } => (pod(id), format!("taken back by {}", pod(by))),
            Self::Config {
                step,
                version,
                pod,
                why,
            } => {
                let text = match step {
                    ConfigStep::Push => format!("is pushed version {version}"),
                    ConfigStep::Ack => format!("takes version {version}"),
                    ConfigStep::Nack => format!("refuses version {version}{}", because(why)),
                    ConfigStep::Connect => "connects to the control plane".into(),
                    ConfigStep::Disconnect => format!("loses the control plane{}", because(why)),
                };
                (somebody(pod), text)
            }
            Self::Certificate { step, pod, why, .. } => {
                let text = match step {
                    CertificateStep::Obtained => "has a certificate".into(),
                    CertificateStep::Rotated => "has a new certificate".into(),
                    CertificateStep::Refused => format!("is refused a certificate{}", because(why)),
                    CertificateStep::Failed => format!("gets no certificate{}", because(why)),
                };
                (somebody(pod), text)
            }
            Self::Opened { by, edge, breaker } => {
                let limit = match breaker {
                    Breaker::Requests => "as many requests in flight",
                    Breaker::Pending => "as many requests waiting",
                };
                let text = format!("breaker opens: {limit} as it allows, in {}", pod(by));
                (film.edge_name(*edge), text)
            }
            Self::Acted {
                mechanism,
                edge,
                count,
                over_ns,
            } => {
                let times = match (count, over_ns) {
                    (1, _) => String::new(),
                    (n, 0) => format!(" ×{n} at once"),
                    (n, over) => format!(" ×{n} within {}", span(*over)),
                };
                (
                    film.edge_name(*edge),
                    format!("{}{times}", acted(*mechanism)),
                )
            }
            Self::Told { subject, text, .. } => (subject.to_string(), text.to_string()),
        }
    }
}

const fn told(change: PodChange) -> &'static str {
    match change {
        PodChange::Started => "starts",
        PodChange::Ready => "is ready",
        PodChange::NotReady => "is not ready any more",
        PodChange::Crashed => "crashes",
        PodChange::PoweredOff => "loses power",
        PodChange::Frozen => "freezes",
        PodChange::Thawed => "runs again",
        PodChange::OomKilled => "is killed: out of memory",
    }
}

/// Why an endpoint was ejected, in words.
pub(crate) const fn why(reason: EjectionReason) -> &'static str {
    match reason {
        EjectionReason::Consecutive5xx => "consecutive 5xx",
        EjectionReason::ConsecutiveGateway => "consecutive gateway errors",
        EjectionReason::ConsecutiveLocal => "consecutive local failures",
        EjectionReason::SuccessRate => "success rate",
        EjectionReason::FailurePercentage => "failure percentage",
    }
}

/// What a mechanism did, in words.
pub(crate) const fn acted(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Retry => "retry",
        Mechanism::RetryExhausted => "retries used up",
        Mechanism::RetryBudgetExhausted => "retry budget exhausted",
        Mechanism::Overflow => "breaker overflow",
        Mechanism::Timeout => "timeout",
        Mechanism::PerTryTimeout => "timeout of a try",
        Mechanism::Panic => "panic: health ignored",
        Mechanism::LocalityFailover => "locality failover",
        Mechanism::RateLimit => "rate limit",
        Mechanism::Denied => "denied",
        Mechanism::Fault => "fault injected by the mesh",
        Mechanism::Mirror => "mirrored",
        Mechanism::PlaintextRefused => "plaintext refused",
        Mechanism::HandshakeFailed => "handshake failed",
    }
}
