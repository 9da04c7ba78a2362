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
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("troubled.yaml");
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
