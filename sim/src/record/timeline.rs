//! What happened when, for a person: bounded, and told once when many tell it.
//!
//! One crashed pod is ejected by every sidecar that calls it, within moments.
//! Such a chorus becomes one entry that names the first voice and counts the
//! rest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mesh_core::seam::Instant;
use mesh_core::telemetry::{
    ConfigEvent, EjectionEvent, EjectionReason, IdentityEvent, Mechanism, MechanismEvent,
};
use meshquake_reports::record::seconds;
use meshquake_reports::{Happening, TimelineEntry};

use super::breaker::Breakers;
use super::count::Counts;
use super::edge::nanos;
use super::event::{FaultEvent, FaultPhase, PodChange, PodEvent};
use super::mechanism::snake;

/// Entries of one kind; the others keep their room whatever one kind does.
const KIND_MAX: u64 = 500;
/// Voices within this time belong to one chorus.
const CHORUS: Duration = Duration::from_secs(1);
/// What was silent for so long is told again.
const SILENCE: Duration = Duration::from_secs(60);
/// How far back a chorus is looked for.
const CHORUS_DEPTH: usize = 64;

/// The timeline of a run.
#[derive(Default)]
pub(super) struct Timeline {
    /// When the scenario's clock shows zero.
    origin: Instant,
    moments: Vec<Moment>,
    kinds: Counts<Happening>,
    omitted: u64,
    /// What went wrong last with each identity, until it has a certificate: one that keeps trying is told once.
    uncertified: BTreeMap<String, BTreeSet<String>>,
    /// Wall time when the world began, since the Unix epoch.
    epoch: Duration,
    /// The certificate of each pod, and when it expires.
    certificates: BTreeMap<String, Instant>,
    /// When each trouble was last heard of.
    troubles: BTreeMap<String, Instant>,
    pub(super) breakers: Breakers,
}

struct Moment {
    at: Instant,
    kind: Happening,
    subject: String,
    what: String,
    /// Who told it first, and how many more did.
    by: String,
    more: u32,
}

impl Timeline {
    pub(super) fn new(origin: Instant, epoch: Duration) -> Self {
        Self {
            origin,
            epoch,
            ..Self::default()
        }
    }

    fn add(&mut self, at: Instant, kind: Happening, subject: &str, what: String, by: &str) {
        let same = |moment: &&mut Moment| {
            moment.kind == kind
                && moment.subject == subject
                && moment.what == what
                && moment.at + CHORUS >= at
        };
        let recent = self.moments.iter_mut().rev().take(CHORUS_DEPTH);
        if let Some(chorus) = recent.filter(|_| !by.is_empty()).find(same) {
            chorus.more += 1;
            return;
        }
        if self.kinds.of(kind) >= KIND_MAX {
            self.omitted += 1;
            return;
        }
        self.kinds.add(kind);
        self.moments.push(Moment {
            at,
            kind,
            subject: subject.into(),
            what,
            by: by.into(),
            more: 0,
        });
    }

    pub(super) fn fault(&mut self, at: Instant, event: &FaultEvent<'_>) {
        let what = match event.phase {
            FaultPhase::Began => "began",
            FaultPhase::Ended => "ended",
        };
        self.add(at, Happening::Fault, event.name, what.into(), "");
    }

    /// Pods that come up with the mesh are no news; those that come later are.
    pub(super) fn pod(&mut self, at: Instant, event: &PodEvent<'_>) {
        let comes_up = matches!(event.change, PodChange::Started | PodChange::Ready);
        if comes_up && at < self.origin {
            return;
        }
        let what = event.change.told();
        self.add(at, Happening::Pod, event.pod, what.into(), "");
    }

    pub(super) fn ejection(&mut self, at: Instant, by: &str, event: &EjectionEvent<'_>) {
        let what = match event.reason {
            None => "no longer ejected by".into(),
            Some(reason) => format!(
                "ejected for {} s ({}) by",
                event.ejected_for.as_secs_f64(),
                told(reason)
            ),
        };
        self.add(at, Happening::Ejection, event.upstream, what, by);
    }

    pub(super) fn config(&mut self, at: Instant, event: &ConfigEvent<'_>) {
        let version = event.version;
        let because = |what: &str| match event.why {
            "" => what.to_owned(),
            why => format!("{what}: {why}"),
        };
        let (kind, subject, what, by) = match event.what {
            "push" => {
                let what = format!("version {version} pushed to");
                (Happening::Push, "configuration", what, event.workload)
            }
            "nack" => {
                let what = because(&format!("refused version {version}"));
                (Happening::Config, event.workload, what, "")
            }
            "disconnect" => {
                let what = because("lost its control plane");
                (Happening::Config, event.workload, what, "")
            }
            _ => return,
        };
        self.add(at, kind, subject, what, by);
    }

    /// The sidecar of `pod` tells of its certificate.
    pub(super) fn identity(&mut self, at: Instant, pod: &str, event: &IdentityEvent<'_>) {
        if event.what != "fail" {
            self.certified(at, pod, event);
            return;
        }
        let what = match event.why {
            "" => "got no certificate".to_owned(),
            why => format!("got no certificate: {why}"),
        };
        let told = self.uncertified.entry(event.identity.to_owned());
        if !told.or_default().insert(what.clone()) {
            return;
        }
        self.add(at, Happening::Identity, event.identity, what, "");
    }

    /// A pod has a new certificate. If it was without a valid one, that is news.
    fn certified(&mut self, at: Instant, pod: &str, event: &IdentityEvent<'_>) {
        let was_refused = self.uncertified.remove(event.identity).is_some();
        if event.not_after == 0 {
            return;
        }
        let expires = Duration::from_secs(event.not_after).saturating_sub(self.epoch);
        let expires = Instant::ZERO + expires;
        let old = self.certificates.insert(pod.to_owned(), expires);
        let lapsed = old.filter(|old| *old <= at && at >= self.origin);
        if let Some(old) = lapsed {
            self.expired(old, pod);
        }
        if lapsed.is_some() || was_refused {
            let what = "has a certificate again".to_owned();
            self.add(at, Happening::Identity, event.identity, what, "");
        }
    }

    fn expired(&mut self, at: Instant, pod: &str) {
        self.add(at, Happening::Identity, "SVID", "expired:".to_owned(), pod);
    }

    /// A mechanism of `pod` acted: what cannot connect for want of a valid certificate is told.
    pub(super) fn mechanism(&mut self, at: Instant, pod: &str, event: &MechanismEvent<'_>) {
        let what = match event.mechanism {
            Mechanism::HandshakeFailed => "handshake failed",
            Mechanism::PlaintextRefused => "plaintext refused",
            _ => return,
        };
        let text = match event.detail {
            "" => what.to_owned(),
            detail => format!("{what}: {detail}"),
        };
        let last = self.troubles.insert(format!("{pod} {text}"), at);
        if last.is_none_or(|last| last + SILENCE < at) {
            self.add(at, Happening::Identity, pod, text, "");
        }
    }

    /// The run has ended.
    pub(super) fn close(&mut self, end: Instant) {
        let all = std::mem::take(&mut self.certificates);
        for (pod, expires) in all.into_iter().filter(|(_, at)| *at <= end) {
            self.expired(expires, &pod);
        }
    }

    /// The entries in order of time, and how many found no room.
    pub(super) fn report(&self) -> (Vec<TimelineEntry>, u64) {
        let (mut entries, omitted) = self.breakers.report(self.origin);
        let moments = self.moments.iter();
        entries.extend(moments.map(|moment| moment.told(self.origin)));
        entries.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        (entries, self.omitted + omitted)
    }
}

impl Moment {
    fn told(&self, origin: Instant) -> TimelineEntry {
        let mut text = self.what.clone();
        if !self.by.is_empty() {
            text = format!("{text} {}", self.by);
        }
        if self.more > 0 {
            text = format!("{text} and {} more", self.more);
        }
        TimelineEntry {
            at_s: since(origin, self.at),
            kind: self.kind,
            subject: self.subject.clone(),
            text,
            for_s: None,
        }
    }
}

/// Seconds of the scenario's clock: while the mesh comes up it counts down to zero.
pub(super) fn since(origin: Instant, at: Instant) -> f64 {
    seconds(nanos(at.since(origin))) - seconds(nanos(origin.since(at)))
}

fn told(reason: EjectionReason) -> String {
    snake(&format!("{reason:?}")).replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ejection(reason: Option<EjectionReason>) -> EjectionEvent<'static> {
        EjectionEvent {
            cluster: "outbound|9080||reviews.default.svc.cluster.local",
            upstream: "reviews-v2-0",
            reason,
            ejected_for: Duration::from_secs(30),
            ejected_now: 1,
            endpoints: 3,
        }
    }

    #[test]
    fn a_chorus_is_one_entry() {
        let mut timeline = Timeline::default();
        let event = ejection(Some(EjectionReason::Consecutive5xx));
        for (i, by) in ["a-0", "a-1", "b-0"].into_iter().enumerate() {
            timeline.ejection(Instant::from_nanos(i as u64 * 1_000), by, &event);
        }
        timeline.ejection(Instant::from_nanos(40_000_000_000), "a-0", &event);
        timeline.ejection(Instant::from_nanos(70_000_000_000), "a-0", &ejection(None));
        let (told, omitted) = timeline.report();
        let texts: Vec<&str> = told.iter().map(|entry| entry.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "ejected for 30 s (consecutive 5xx) by a-0 and 2 more",
                "ejected for 30 s (consecutive 5xx) by a-0",
                "no longer ejected by a-0",
            ]
        );
        assert_eq!(omitted, 0);
    }

    #[test]
    fn who_keeps_asking_for_a_certificate_is_told_once() {
        let mut timeline = Timeline::default();
        let mut tell = |at: u64, what, why| {
            let identity = "spiffe://cluster.local/ns/default/sa/a";
            let event = IdentityEvent {
                what,
                identity,
                not_after: 0,
                why,
            };
            timeline.identity(Instant::from_nanos(at), "a-0", &event);
        };
        for at in 0..100 {
            tell(at, "fail", "503");
            tell(at, "fail", "no CA");
        }
        tell(100, "issue", "");
        tell(101, "fail", "503");
        let (told, _) = timeline.report();
        let texts: Vec<&str> = told.iter().map(|entry| entry.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "got no certificate: 503",
                "got no certificate: no CA",
                "got no certificate: 503",
            ]
        );
    }

    #[test]
    fn a_certificate_that_lapses_is_told_when_it_does() {
        let mut timeline = Timeline::default();
        let mut certified = |at: u64, not_after| {
            let event = IdentityEvent {
                what: "rotate",
                identity: "spiffe://cluster.local/ns/default/sa/a",
                not_after,
                why: "",
            };
            timeline.identity(Instant::from_nanos(at * 1_000_000_000), "a-0", &event);
        };
        certified(1, 100);
        certified(50, 150);
        certified(170, 200);
        timeline.close(Instant::from_nanos(300_000_000_000));
        let (told, _) = timeline.report();
        let texts: Vec<(f64, &str)> = told.iter().map(|e| (e.at_s, e.text.as_str())).collect();
        assert_eq!(
            texts,
            [
                (150.0, "expired: a-0"),
                (170.0, "has a certificate again"),
                (200.0, "expired: a-0"),
            ]
        );
    }

    #[test]
    fn before_the_scenario_time_is_negative() {
        let mut timeline = Timeline::new(Instant::from_nanos(10_000_000_000), Duration::ZERO);
        for at in [2_500_000_000, 12_500_000_000] {
            timeline.ejection(Instant::from_nanos(at), "a-0", &ejection(None));
        }
        let (told, _) = timeline.report();
        let at: Vec<f64> = told.iter().map(|entry| entry.at_s).collect();
        assert_eq!(at, [-7.5, 2.5]);
    }

    #[test]
    fn one_kind_cannot_crowd_out_another() {
        let mut timeline = Timeline::default();
        for i in 0..2_000 {
            let pod = format!("p-{i}");
            let event = PodEvent {
                pod: &pod,
                change: PodChange::Crashed,
            };
            timeline.pod(Instant::from_nanos(i), &event);
        }
        let event = ejection(None);
        timeline.ejection(Instant::from_nanos(5_000), "a-0", &event);
        let (told, omitted) = timeline.report();
        assert_eq!((told.len() as u64, omitted), (KIND_MAX + 1, 1_500));
    }

    #[test]
    fn coming_up_is_no_news_but_coming_back_is() {
        let origin = Instant::from_nanos(10);
        let mut timeline = Timeline::new(origin, Duration::ZERO);
        for (at, change) in [
            (1, PodChange::Started),
            (2, PodChange::Ready),
            (10, PodChange::Crashed),
            (11, PodChange::Ready),
        ] {
            timeline.pod(Instant::from_nanos(at), &PodEvent { pod: "a", change });
        }
        let (told, _) = timeline.report();
        let texts: Vec<&str> = told.iter().map(|entry| entry.text.as_str()).collect();
        assert_eq!(texts, ["crashed", "ready"]);
    }
}
