//! Laws of films.

use super::*;
use crate::scenario::Overrides;
use crate::tui::script::Script;
use crate::tui::studio::Recording;

/// A mesh in which pods die, links break and breakers trip, over in a moment.
pub(in crate::tui) const TROUBLED: &str = "\
meshquake: v1
name: troubled
seed: 5
duration: 12s
mesh: { defaults: { retries: 2 } }
topology: { zones: [a, b] }
services:
  web: { ports: [80], replicas: 2, script: [call: api] }
  api: { ports: [80], replicas: 3, service-time: 5ms, workers: 2, queue: 4 }
traffic:
  users: { to: \"http://web/\", rate: poisson(60/s), timeout: 500ms }
faults:
  - { name: dead, at: 3s, for: 3s, crash: { pod: api-1 } }
  - { name: cut, at: 7s, for: 2s, partition: { zone: b } }
expect:
  - { traffic: users, success: \">= 10%\" }
";

/// The film of a scenario, and its script.
pub(in crate::tui) fn recorded(text: &str) -> (Film, Script, Box<crate::plan::Plan>) {
    recorded_with(text, "")
}

/// The same with mesh configuration, in `mesh.yaml` beside it.
pub(in crate::tui) fn recorded_with(
    text: &str,
    mesh: &str,
) -> (Film, Script, Box<crate::plan::Plan>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("troubled.yaml");
    std::fs::write(folder.path().join("mesh.yaml"), mesh).unwrap();
    std::fs::write(&path, text).unwrap();
    let (script, loaded) = Script::open(&path, Overrides::default()).unwrap();
    (record(&loaded.plan), script, Box::new(loaded.plan))
}

fn record(plan: &crate::plan::Plan) -> Film {
    let (mut film, recording) = Recording::start(plan.clone(), String::new()).unwrap();
    recording.develop_all(&mut film);
    assert_eq!(film.broken, None);
    film
}

/// The state of every frame is the fold of everything told before it.
#[test]
fn a_frame_is_the_fold_of_what_came_before() {
    let (film, ..) = recorded(TROUBLED);
    assert!(film.frames.len() > 500, "{} frames", film.frames.len());
    let mut folded = (*film.start).clone();
    let mut next = 0;
    for frame in &film.frames {
        for entry in &film.entries[next..frame.entries] {
            folded.apply(entry.at, &entry.what);
        }
        next = frame.entries;
        assert_eq!(folded, *frame.standing, "at {}", frame.to);
        assert_eq!(film.standing(frame.to), folded);
    }
    assert!(film.entries.is_sorted_by_key(|entry| entry.at));
    assert!(film.rows.is_sorted_by_key(|row| row.at));
    assert!(
        film.frames
            .windows(2)
            .all(|pair| pair[0].to == pair[1].from)
    );
}

#[test]
fn a_film_counts_what_the_record_counts() {
    let (film, ..) = recorded(TROUBLED);
    let report = film.report.as_ref().unwrap();
    let users = &report.traffic["users"];
    let tally = film.tally(&film.frames, None);
    assert_eq!(tally.sent, users.requests);
    assert_eq!(
        (tally.succeeded, tally.failed),
        (users.succeeded, users.failed)
    );
    assert_eq!(film.rows.len() as u64, users.succeeded + users.failed);
    let sums = Film::edge_sums(&film.frames);
    for (edge, cell) in &sums {
        let (from, to) = film.edges[*edge as usize];
        let names = (film.cast.part_name(from), film.cast.part_name(to));
        let told = report
            .edges
            .iter()
            .find(|edge| (&*edge.from, &*edge.to) == names)
            .unwrap();
        assert_eq!(u64::from(cell.requests), told.requests, "{names:?}");
        assert_eq!(u64::from(cell.attempts), told.attempts, "{names:?}");
        assert_eq!(u64::from(cell.failed), told.failed, "{names:?}");
    }
    assert_eq!(sums.len(), report.edges.len());
    assert!(!film.traces.is_empty(), "some requests are told in full");
    let well = film.rows.iter().filter(|row| row.succeeded);
    let slowest = well.max_by_key(|row| row.latency()).unwrap();
    assert!(film.traces.contains_key(&slowest.key()), "the slowest is");
}

#[test]
fn one_seed_is_one_film() {
    let (a, _, plan) = recorded(TROUBLED);
    let b = record(&plan);
    assert_eq!(a.entries, b.entries);
    assert_eq!(a.rows, b.rows);
    assert_eq!(a.frames, b.frames);
}

/// What makes chaos by hand honest: nothing before the cursor changes.
#[test]
fn a_fault_by_hand_changes_nothing_before_it() {
    let (before, script, _) = recorded(TROUBLED);
    let (_, plan) = script
        .with_fault("{ at: 5s, for: 1s, freeze: web-0 }")
        .unwrap_or_else(|e| panic!("{e}"));
    let after = record(&plan);
    let at = 5_000_000_000;
    // Mechanisms are counted by moments: those of a moment that ends later may differ.
    let ended = before.frames_between(0, at - 1).last().unwrap().from;
    let entries = |film: &Film| -> Vec<_> {
        film.entries
            .iter()
            .filter(|e| e.at < at && (e.at < ended || e.what.kind() != Kind::Mechanism))
            .map(|e| (e.at, e.what.tell(film)))
            .collect()
    };
    let rows = |film: &Film| {
        film.rows
            .iter()
            .take_while(|row| row.at < at)
            .copied()
            .collect::<Vec<_>>()
    };
    assert_eq!(entries(&before), entries(&after));
    assert_eq!(rows(&before), rows(&after));
    assert_ne!(before.rows, after.rows, "and something after it");
}

#[test]
fn a_record_is_played_from_what_it_tells() {
    let (live, ..) = recorded(TROUBLED);
    let report = live.report.clone().unwrap();
    let film = Film::of_report(*report);
    assert!(film.is_done() && film.from_record);
    assert_eq!(film.fault_spans().len(), 2);
    let tally = film.tally(&film.frames, None);
    assert_eq!(tally.sent, live.tally(&live.frames, None).sent);
    let dead = film
        .cast
        .pods
        .iter()
        .position(|pod| &*pod.name == "api-1")
        .unwrap();
    assert_eq!(film.standing(4_000_000_000).pods[dead].life, Life::Crashed);
    assert_eq!(film.standing(11_000_000_000).pods[dead].life, Life::Ready);
    assert!(
        !film.rows.is_empty()
            && film
                .rows
                .iter()
                .all(|row| film.traces.contains_key(&row.key()))
    );
}

/// A mechanism's time is that of its first act, and it comes before what followed from it.
#[test]
fn mechanisms_are_told_when_they_act() {
    let limits = "connectionPool: { http: { maxRetries: 4, http2MaxRequests: 8 } }";
    let (film, ..) = recorded_with(OVERLOADED, &breaker(limits));
    assert!(film.entries.is_sorted_by_key(|entry| entry.at));
    let mut next = 0;
    let mut within = 0;
    for frame in &film.frames {
        for entry in &film.entries[next..frame.entries] {
            if let What::Acted { over_ns, count, .. } = entry.what {
                let last = entry.at + over_ns;
                assert!((frame.from..=frame.to).contains(&entry.at) && last <= frame.to);
                assert!(count > 1 || over_ns == 0);
                within += usize::from(entry.at > frame.from && entry.at < frame.to);
            }
        }
        next = frame.entries;
    }
    assert!(within > 100, "{within}");
    let mut opened = 0;
    for (place, entry) in film.entries.iter().enumerate() {
        let What::Opened { edge, .. } = entry.what else {
            continue;
        };
        opened += 1;
        let cause = |e: &Entry| matches!(e.what, What::Acted { mechanism: Mechanism::Overflow, edge: own, .. } if own == edge);
        assert!(
            film.entries[..place].iter().rev().take(200).any(cause),
            "{}",
            entry.at
        );
    }
    assert!(opened > 0);
}

/// One retry at most is two attempts at most, at any instant, live and in a record.
#[test]
fn attempts_for_each_request_are_possible() {
    let slow = TROUBLED
        .replace("retries: 2", "retries: 1")
        .replace("service-time: 5ms", "service-time: 200ms");
    let (live, ..) = recorded(&slow);
    let record = Film::of_report(*live.report.clone().unwrap());
    for film in [&live, &record] {
        let edge = film.most_retried(None).unwrap();
        let mut most: f64 = 0.0;
        for frames in film.frames.windows(3) {
            if let Some(each) = Film::edge_sum(frames, edge).attempts_each() {
                assert!((0.0..=2.0).contains(&each), "{each} at {}", frames[0].from);
                most = most.max(each);
            }
        }
        assert!(most > 1.2, "{most}");
    }
    // As many as the record counts, but for those of requests that have not ended.
    let sums = Film::edge_sums(&live.frames);
    for cell in sums.values() {
        assert!(
            cell.tried <= cell.attempts && cell.attempts - cell.tried < 100,
            "{cell:?}"
        );
    }
}

/// What a source brings along is shown as the record tells it.
#[test]
fn bursts_are_shown_as_faults() {
    let bursts = "rate: poisson(60/s), bursts: [{ at: 4s, for: 2s, times: 4 }], ";
    let text = TROUBLED.replace("rate: poisson(60/s), ", bursts);
    let (live, ..) = recorded(&text);
    let report = live.report.clone().unwrap();
    assert!(report.faults[2].burst, "{:?}", report.faults);
    let record = Film::of_report(*report);
    assert_eq!(&*live.cast.faults[2].name, "burst of users");
    for film in [&live, &record] {
        assert_eq!(film.cast.fault_name(2), "burst of users");
        assert!(
            film.fault_spans()
                .contains(&(2, 4_000_000_000, 6_000_000_000)),
            "{:?}",
            film.fault_spans()
        );
        let active = |at: u64| film.standing(at).faults[2].active;
        assert_eq!(
            [3_999_000_000, 4_000_000_000, 5_000_000_000, 6_100_000_000].map(active),
            [false, true, true, false]
        );
        let sent = film.standing(12_000_000_000).faults[2].requests;
        assert!(sent > 300, "{sent}");
        assert!(film.entries.is_sorted_by_key(|entry| entry.at));
    }
}

/// An app that is too small for its load and dies at times, behind a breaker.
pub(in crate::tui) const OVERLOADED: &str = "\
meshquake: v1
name: overloaded
seed: 5
duration: 12s
mesh: { config: [mesh.yaml] }
topology: { zones: [a] }
services:
  web: { ports: [80], replicas: 2, script: [call: api] }
  api: { ports: [80], replicas: 2, service-time: 20ms, workers: 2, queue: 4 }
traffic:
  few: { to: \"http://web/\", rate: constant(10/s), timeout: 500ms }
  many: { to: \"http://web/\", rate: poisson(250/s), timeout: 500ms }
faults:
  - { name: dead, at: 3s, for: 3s, crash: { pod: api-0 } }
";

/// Its breaker, with this as the limit on retries.
pub(in crate::tui) fn breaker(retries: &str) -> String {
    format!(
        "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{ name: api }}
spec:
  hosts: [api]
  http:
    - retries: {{ attempts: 3, perTryTimeout: 100ms, retryOn: 5xx }}
      route: [{{ destination: {{ host: api }} }}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{ name: api }}
spec:
  host: api
  trafficPolicy:
    {retries}
"
    )
}

/// The film counts the retries in flight as the sidecars' own limiters do.
#[test]
fn retries_in_flight_are_what_the_sidecar_allows() {
    let limits = "connectionPool: { http: { maxRetries: 2, http2MaxRequests: 8 } }";
    let (film, ..) = recorded_with(OVERLOADED, &breaker(limits));
    let edge = film.edges.iter().position(|(from, to)| {
        (film.cast.part_name(*from), film.cast.part_name(*to)) == ("web", "api")
    });
    let edge = edge.unwrap() as EdgeId;
    let own: Vec<_> = film.pools.iter().filter(|pool| pool.edge == edge).collect();
    assert_eq!(own.len(), 2, "each of the two sidecars counts by itself");
    assert!(own.iter().all(|pool| pool.limit == Limit::Fixed(2)));
    let (mut full, mut empty) = (0, 0);
    for frame in &film.frames {
        let cell = frame.edges.iter().find(|(id, _)| *id == edge);
        let refused = cell.map_or(0, |(_, cell)| cell.acts_of(Mechanism::RetryBudgetExhausted));
        let told = film.retries(frame.to, |pool| pool.edge == edge);
        for retries in &told {
            assert!(retries.flight.now <= retries.flight.most);
            assert!(retries.flight.most <= 2, "at {}: {retries:?}", frame.to);
        }
        let at_limit = told.iter().any(|retries| retries.flight.most == 2);
        assert!(
            at_limit || refused == 0,
            "refused at {}: {told:?}",
            frame.to
        );
        full += u32::from(refused > 0);
        empty += u32::from(told.iter().all(|retries| retries.flight.most == 0));
    }
    assert!(full > 20 && empty > 20, "{full} and {empty}");
}

#[test]
fn a_budget_grows_with_the_requests_in_flight() {
    let budget = "retryBudget: { percent: 20, minRetryConcurrency: 1 }";
    let (film, ..) = recorded_with(OVERLOADED, &breaker(budget));
    let budget = Limit::Budget {
        ppm: 200_000,
        least: 1,
    };
    let told = |at: u64| film.retries(at, |pool| pool.limit == budget);
    assert_eq!(told(1).len(), 2);
    let sum = |at: u64| told(at).iter().map(|told| told.active).sum::<u64>();
    let most = film.frames.iter().map(|frame| sum(frame.to)).max();
    assert!(most > Some(10), "{most:?}");
    // Never more than the traffic sources have in flight themselves.
    for frame in film.frames.iter().step_by(10) {
        let began = |row: &&Row| row.intended <= frame.to && row.at >= frame.to;
        let clients = film.rows.iter().filter(began).count() as u64;
        let unended = film.tally(&film.frames, None);
        let unended = unended.sent - unended.succeeded - unended.failed;
        assert!(sum(frame.to) <= clients + unended + 2, "at {}", frame.to);
    }
    let allowed = |at: u64| told(at).iter().filter_map(Retries::allowed).sum::<u64>();
    assert!(film.frames.iter().any(|frame| allowed(frame.to) > 2));
}

/// One entry for each time that a breaker begins to reject, from the moment on in which it does.
#[test]
fn a_breaker_that_opens_is_news() {
    let limits = "connectionPool: { http: { maxRetries: 2, http2MaxRequests: 8 } }";
    let (film, ..) = recorded_with(OVERLOADED, &breaker(limits));
    let opened = |entry: &&Entry| entry.what.kind() == Kind::Breaker;
    let opened: Vec<&Entry> = film.entries.iter().filter(opened).collect();
    let rejects = |frame: &&Frame| {
        let acts = frame
            .edges
            .iter()
            .map(|(_, cell)| cell.acts_of(Mechanism::Overflow));
        acts.sum::<u32>() > 0
    };
    let first = film.frames.iter().find(rejects).unwrap();
    assert!(first.from <= opened[0].at && opened[0].at <= first.to);
    let moments = film.frames.iter().filter(rejects).count();
    assert!(
        opened.len() >= 2 && opened.len() < moments.min(9),
        "{} entries for {moments} moments",
        opened.len()
    );
    let (subject, text) = opened[0].what.tell(&film);
    assert_eq!(subject, "web → api");
    assert!(
        text.starts_with("breaker opens: as many requests in flight"),
        "{text}"
    );
    let (calm, ..) = recorded(TROUBLED);
    assert!(
        calm.entries
            .iter()
            .all(|entry| entry.what.kind() != Kind::Breaker)
    );
}

/// Requests told in full are counted by the kinds that rows have, and no kind is there for nothing.
#[test]
fn kinds_are_those_of_rows() {
    for film in [recorded(TROUBLED).0, recorded(OVERLOADED_PLAIN).0] {
        let mut used: Vec<u16> = film.rows.iter().map(|row| row.kind).collect();
        used.sort_unstable();
        used.dedup();
        for (kind, name) in film.kinds.iter().enumerate().skip(1) {
            assert!(
                used.contains(&(kind as u16)),
                "nothing failed with `{}`",
                &**name
            );
        }
        assert!(used.len() > 1, "something failed");
        let cadence = film.frames[0].to - film.frames[0].from;
        let mut told: BTreeMap<(u16, u64), u32> = BTreeMap::new();
        for row in &film.rows {
            let kind = if row.succeeded { 0 } else { row.kind };
            if film.traces.contains_key(&row.key()) {
                *told.entry((kind, row.intended / cadence)).or_default() += 1;
            }
        }
        assert!(told.values().all(|count| *count <= 8));
        let all = film.traces.keys();
        let rows: std::collections::BTreeSet<_> = film.rows.iter().map(Row::key).collect();
        assert!(
            all.into_iter().all(|key| rows.contains(key)),
            "each has a row"
        );
    }
}

/// Without a sidecar at its source nothing but status and outcome tells how a request failed.
const OVERLOADED_PLAIN: &str = "\
meshquake: v1
name: plain
seed: 5
duration: 6s
topology: { zones: [a] }
services:
  api: { ports: [80], replicas: 2, service-time: 20ms, workers: 1, queue: 2 }
traffic:
  heard: { to: \"http://api/\", rate: poisson(100/s), timeout: 50ms }
  alone: { to: \"http://api/\", rate: poisson(50/s), timeout: 50ms, sidecar: false }
";

/// A scenario that pushes other configuration at 4 s and takes it back at 8 s, to whom `more` says.
fn repushed(more: &str) -> Film {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let limits = |n: u32| format!("connectionPool: {{ http: {{ maxRetries: {n} }} }}");
    file("mesh.yaml", &breaker(&limits(2)));
    file("other.yaml", &breaker(&limits(7)));
    file(
        "shop.yaml",
        &format!("{OVERLOADED}  - {{ at: 4s, for: 4s, config: {{ files: other.yaml{more} }} }}\n"),
    );
    let path = folder.path().join("shop.yaml");
    let (_, loaded) = Script::open(&path, Overrides::default()).unwrap();
    record(&loaded.plan)
}

/// What each of `web`'s sidecars allows at an instant.
fn allowed(film: &Film, at: u64) -> Vec<Option<u64>> {
    let edge = film.edges.iter().position(|(from, to)| {
        (film.cast.part_name(*from), film.cast.part_name(*to)) == ("web", "api")
    });
    let edge = edge.unwrap() as EdgeId;
    let mut told = film.retries(at, |pool| pool.edge == edge);
    told.sort_by_key(|told| told.pool.by);
    told.iter().map(Retries::allowed).collect()
}

const S: u64 = 1_000_000_000;

#[test]
fn limits_on_retries_are_those_that_were_pushed() {
    let film = repushed("");
    assert_eq!(allowed(&film, 3 * S), [Some(2); 2]);
    // Told to the control plane, and not pushed yet: istiod waits 100 ms for more changes (`PILOT_DEBOUNCE_AFTER`).
    assert_eq!(allowed(&film, 4 * S + S / 20), [Some(2); 2]);
    assert_eq!(allowed(&film, 5 * S), [Some(7); 2]);
    assert_eq!(allowed(&film, 7 * S), [Some(7); 2]);
    assert_eq!(allowed(&film, 9 * S), [Some(2); 2], "it is taken back");
    let most = film.frames_between(5 * S, 8 * S);
    let most = most.iter().flat_map(|frame| &frame.retries);
    let most = most.map(|(_, flight)| flight.most).max().unwrap();
    assert!(most > 2 && most <= 7, "{most} were in flight at once");
}

#[test]
fn limits_are_those_of_the_sidecars_that_were_told() {
    let film = repushed(", to: web-1, then-all-after: 2s");
    assert_eq!(allowed(&film, 3 * S), [Some(2), Some(2)]);
    assert_eq!(allowed(&film, 5 * S), [Some(2), Some(7)], "a part of them");
    assert_eq!(allowed(&film, 7 * S), [Some(7), Some(7)], "then all");
    assert_eq!(allowed(&film, 9 * S), [Some(2), Some(2)]);
}

/// A push that is on its way is not in force.
#[test]
fn limits_wait_for_slow_pushes() {
    let film =
        repushed(" } }\n  - { at: 3900ms, for: 8s, slow-push: { delay: 1500ms, service: web");
    assert_eq!(allowed(&film, 5 * S), [Some(2); 2]);
    assert_eq!(allowed(&film, 6 * S), [Some(7); 2]);
    assert_eq!(
        allowed(&film, 9 * S),
        [Some(7); 2],
        "taken back, and still late"
    );
    assert_eq!(allowed(&film, 11 * S), [Some(2); 2]);
}

/// What was recorded up to an instant is untouched by forgetting what came later.
#[test]
fn a_film_forgets_what_will_come_otherwise() {
    let (whole, ..) = recorded(TROUBLED);
    let (mut film, ..) = recorded(TROUBLED);
    let at = 5_003_000_000;
    film.forget(at);
    assert!(!film.is_done(), "how it ended is forgotten too");
    assert_eq!(film.reached, at);
    assert!(film.frames.iter().all(|frame| frame.to <= at));
    assert!(film.entries.iter().all(|entry| entry.at <= at));
    assert!(film.rows.iter().all(|row| row.at <= at));
    assert!(film.rows.len() > 100 && film.rows == whole.rows[..film.rows.len()]);
    let rows: BTreeSet<_> = film.rows.iter().map(Row::key).collect();
    assert!(film.traces.keys().all(|key| rows.contains(key)));
    for then in [0, at / 2, at] {
        assert_eq!(film.standing(then), whole.standing(then));
        assert_eq!(
            film.retries(then / 2, |_| true),
            whole.retries(then / 2, |_| true)
        );
    }
}

/// Attempts for each request are told of the edge whose line pages draw first: one that retries, not the mean.
#[test]
fn attempts_are_those_of_the_edge_that_retries_most() {
    let limits = "connectionPool: { http: { maxRetries: 10 } }";
    let (film, ..) = recorded_with(OVERLOADED, &breaker(limits));
    let edge = film.most_retried(None).unwrap();
    assert_eq!(film.edge_name(edge), "web → api");
    let report = film.report.as_deref().unwrap();
    let told = report.edges.iter().find(|edge| edge.to == "api").unwrap();
    let each = Film::edge_sum(&film.frames, edge).attempts_each().unwrap();
    // A record counts attempts for requests that had not ended, too.
    let recorded = told.attempts as f64 / told.requests as f64;
    assert!(
        each <= recorded && each > 0.99 * recorded,
        "{each} {recorded}"
    );
    let all: u64 = report.edges.iter().map(|edge| edge.attempts).sum();
    let mean = all as f64 / report.edges.iter().map(|edge| edge.requests).sum::<u64>() as f64;
    assert!(each > mean + 0.1, "{each}, and the mean {mean}");
    assert_eq!(film.most_retried(Some(0)), None, "sources do not retry");
    let record = Film::of_report(report.clone());
    let edge = record.most_retried(None).unwrap();
    assert_eq!(record.edge_name(edge), "web → api");
    // The record's windows have what the page's chart has.
    let series = told.series.as_ref().unwrap();
    for (index, frame) in record.frames.iter().enumerate() {
        let each = Film::edge_sum(std::slice::from_ref(frame), edge).attempts_each();
        let (tries, requests) = (series.attempts[index], series.requests[index]);
        assert_eq!(each, (requests > 0).then(|| tries as f64 / requests as f64));
    }
}

/// A window's quantile is the record's, to the nanosecond.
#[test]
fn a_record_has_the_latencies_that_it_tells() {
    let (live, ..) = recorded(TROUBLED);
    let record = Film::of_report(*live.report.unwrap());
    let report = record.report.as_deref().unwrap();
    let (mut told, users) = (0, &report.traffic["users"].series.p99_ms);
    for (frame, p99) in record.frames.iter().zip(users) {
        let p99 = p99.map(|ms| (ms * 1e6).round() as u64);
        assert_eq!(record.tally(std::slice::from_ref(frame), None).p99(), p99);
        told += u32::from(p99.is_some());
    }
    assert!(told > 5);
    for (edge, told) in report.edges.iter().enumerate() {
        for (frame, p99) in record
            .frames
            .iter()
            .zip(&told.series.as_ref().unwrap().p99_ms)
        {
            let p99 = p99.map(|ms| (ms * 1e6).round() as u64);
            let cell = Film::edge_sums(std::slice::from_ref(frame)).remove(&(edge as EdgeId));
            assert_eq!(cell.and_then(|cell| cell.p99()), p99);
        }
    }
}
