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
    let entries = |film: &Film| -> Vec<_> {
        film.entries
            .iter()
            .filter(|e| e.at < at)
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
