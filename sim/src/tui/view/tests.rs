//! What the screen looks like.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::tui::film::Film;
use crate::tui::film::tests::{OVERLOADED, TROUBLED, breaker, recorded, recorded_with};
use crate::tui::state::{Overlay, Side};
use crate::tui::text;

fn live() -> State {
    let (film, _, plan) = recorded(TROUBLED);
    let mut state = State::new(
        vec![Side::new("troubled.yaml".into(), film, Some(plan))],
        false,
    );
    state.playing = false;
    state.go(8_000_000_000);
    state
}

fn painted(state: &State, width: u16, height: u16) -> (String, Hits) {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut hits = Hits::new();
    terminal.draw(|frame| hits = draw(frame, state)).unwrap();
    (terminal.backend().to_string(), hits)
}

#[test]
fn overview() {
    insta::assert_snapshot!(painted(&live(), 80, 24).0);
}

#[test]
fn topology() {
    let mut state = live();
    state.apply(Action::Look(View::Topology));
    insta::assert_snapshot!(painted(&state, 80, 16).0);
}

#[test]
fn waterfall() {
    let mut state = live();
    state.apply(Action::Look(View::Requests));
    state.apply(Action::Step(crate::tui::state::Step::Failure, false));
    state.apply(Action::Open);
    insta::assert_snapshot!(painted(&state, 100, 24).0);
}

/// All seven names are read in full at 80 columns.
#[test]
fn tabs_are_not_cut_off() {
    let (screen, hits) = painted(&live(), 80, 24);
    assert!(screen.contains("7 Expectations"), "{screen}");
    let last = |(area, action): &(Rect, Action)| {
        *action == Action::Look(View::Expectations) && area.right() <= 80
    };
    assert!(hits.iter().any(last));
}

/// What a record does not know is no zero, and what it knows is shown.
#[test]
fn a_record_shows_what_it_knows() {
    let limits = "connectionPool: { http: { maxRetries: 4 } }";
    let text = OVERLOADED.replace(
        "api: { ports: [80], replicas: 2,",
        "api: { ports: [80], replicas: 1,",
    );
    let text = text
        .replace("crash: { pod: api-0 }", "freeze: { pod: api-0 }")
        .replace("queue: 4", "queue: 400");
    let (film, _, plan) = recorded_with(&text, &breaker(limits));
    let record = Film::of_report(*film.report.clone().unwrap());
    let at = 8_000_000_000;
    let shown = |film: Film, plan| {
        let mut state = State::new(vec![Side::new("a".into(), film, plan)], false);
        state.playing = false;
        state.go(at);
        let api = state
            .film()
            .cast
            .parts
            .iter()
            .position(|part| &*part.name == "api")
            .unwrap();
        let web = state
            .film()
            .cast
            .parts
            .iter()
            .position(|part| &*part.name == "web")
            .unwrap();
        let edge = state
            .film()
            .edges
            .iter()
            .position(|edge| *edge == (web as u32, api as u32))
            .unwrap();
        state.view = View::Detail;
        let screens = [
            Subject::Part(api as u32),
            Subject::Part(web as u32),
            Subject::Edge(edge as u32),
        ];
        screens.map(|subject| {
            state.subjects = vec![subject];
            painted(&state, 110, 30).0
        })
    };
    let line = |screen: &str, start: &str| {
        let found = screen
            .lines()
            .find(|line| line.trim_matches(['"', ' ']).starts_with(start));
        found
            .unwrap_or_else(|| panic!("{start}: {screen}"))
            .to_owned()
    };
    let queue = |screen: &str| {
        let line = line(screen, "● api-0");
        let words: Vec<&str> = line.split_whitespace().collect();
        // ● api-0 [zone] share attempts errors queue state
        words[words.len()
            - 1
            - words
                .iter()
                .rev()
                .position(|word| *word == "ready")
                .unwrap()
            - 1]
        .replace(',', "")
        .parse::<u32>()
        .unwrap()
    };
    let [own, several, edge] = shown(record, None);
    let [live, ..] = shown(film, Some(plan));
    // Its windows and the moments of a live run do not begin together.
    let (told, counted) = (queue(&own), queue(&live));
    assert!(
        told > 20 && told.abs_diff(counted) < 20,
        "{told} {counted}\n{own}\n{live}"
    );
    assert!(
        line(&own, "● api-0").contains("100%") && own.contains(" queue "),
        "{own}"
    );
    let pod = line(&several, "● web-0");
    assert!(
        !pod.contains("0/s") && !pod.contains("0%") && pod.contains('–'),
        "{pod}"
    );
    assert!(
        line(&edge, "pool, in the whole run").contains(" opened"),
        "{edge}"
    );
    assert!(
        line(&edge, "mechanisms, in the whole run").contains("retry"),
        "{edge}"
    );
}

/// A request that was cut off where many waited says so.
#[test]
fn who_waits_in_line_is_told_so() {
    let text = OVERLOADED
        .replace("queue: 4", "queue: 4000")
        .replace("workers: 2", "workers: 1, cancel: finish");
    let (film, _, plan) = recorded_with(&text, &breaker("connectionPool: {}"));
    let record = Film::of_report(*film.report.clone().unwrap());
    for (film, plan) in [(film, Some(plan)), (record, None)] {
        let mut state = State::new(vec![Side::new("a".into(), film, plan)], false);
        state.playing = false;
        state.go(12_000_000_000);
        state.apply(Action::Look(View::Requests));
        state.request_filter = "fail pod:api".into();
        state.settle();
        state.apply(Action::Ends(true));
        state.apply(Action::Open);
        let (screen, _) = painted(&state, 140, 30);
        assert!(screen.contains(" in line"), "{screen}");
        assert!(
            screen.contains("has up to") && !screen.contains("nothing happened"),
            "{screen}"
        );
    }
}

/// Every line of the list says what was asked for, and numbers are for people.
#[test]
fn requests_are_told_by_what_they_ask_for() {
    let text = TROUBLED.replace(
        "faults:\n",
        "faults:\n  - { name: herd, at: 1s, herd: { traffic: users, requests: 300, over: 1s } }\n",
    );
    let (film, _, plan) = recorded(&text);
    let mut state = State::new(vec![Side::new("a".into(), film, Some(plan))], false);
    state.playing = false;
    state.go(2_000_000_000);
    state.apply(Action::Look(View::Requests));
    let (screen, _) = painted(&state, 120, 30);
    let rows = screen
        .lines()
        .filter(|line| line.contains(" users "))
        .count();
    let told = screen
        .lines()
        .filter(|line| line.contains("GET web:80/"))
        .count();
    assert!(rows > 20 && rows == told, "{screen}");
    assert!(
        screen.contains(" +2") && !screen.contains("28147497"),
        "{screen}"
    );
}

/// A mesh whose apps are too small, at an instant at which much acts on its edges.
fn overloaded() -> State {
    let limits = "connectionPool: { http: { maxRetries: 4, http2MaxRequests: 8 } }";
    let (film, _, plan) = recorded_with(OVERLOADED, &breaker(limits));
    let side = Side::new("overloaded.yaml".into(), film, Some(plan));
    let mut state = State::new(vec![side], false);
    state.playing = false;
    state.go(4_500_000_000);
    state
}

/// What is chosen is told in full below the list, however narrow the screen.
#[test]
fn mechanisms_of_the_chosen_edge_are_not_cut_off() {
    let mut state = overloaded();
    state.apply(Action::Look(View::Topology));
    let line = list_length(&state) - 2;
    state.apply(Action::Pick(line));
    let acts = ["breaker ×", "retry ×", "retry limit ×"];
    let (screen, _) = painted(&state, 80, 24);
    let below = screen.lines().skip(15).collect::<Vec<_>>().join("\n");
    assert!(below.contains("web → api"), "{screen}");
    assert!(acts.iter().any(|act| below.contains(act)), "{screen}");
    state.apply(Action::Open);
    let (screen, _) = painted(&state, 80, 24);
    let told: Vec<&str> = screen.lines().filter(|line| line.contains("(+")).collect();
    assert!(!told.is_empty(), "{screen}");
    assert!(told.iter().all(|line| !line.contains('…')), "{screen}");
}

/// All that is told of an edge can be read on a small screen.
#[test]
fn settings_are_read_on_by_pages() {
    let mut state = live();
    state.apply(Action::Look(View::Config));
    let (screen, _) = painted(&state, 80, 16);
    assert!(screen.contains("more lines: PgDn"), "{screen}");
    let last = |screen: &str| screen.contains("lines above: PgUp");
    let mut pages = 0;
    while !last(&painted(&state, 80, 16).0) {
        state.apply(Action::Page(1));
        pages += 1;
        assert!(pages < 20, "{}", painted(&state, 80, 16).0);
    }
    let (tall, _) = painted(&state, 80, 60);
    assert!(!tall.contains("lines: PgDn"), "all of it: {tall}");
    let end = tall.lines().rfind(|line| line.contains("tls")).unwrap();
    let (screen, _) = painted(&state, 80, 16);
    assert!(
        screen.contains(end.trim_matches(['"', ' '])),
        "{screen}\n{end}"
    );
    // Another edge is read from its beginning.
    state.apply(Action::Choose(1));
    assert_eq!(state.scroll, 0);
}

/// Reasons are folded, not cut.
#[test]
fn why_it_failed_is_read_in_full() {
    let (film, ..) = recorded(&TROUBLED.replace(">= 10%", ">= 99.9%"));
    let report = film.report.as_ref().unwrap();
    let place = report.failures[0].place.clone();
    let place = place.rsplit('/').next().unwrap();
    assert!(report.failures[0].message.contains(">="));
    let mut state = State::new(vec![Side::new("t".into(), film, None)], false);
    state.apply(Action::Look(View::Expectations));
    state.go(12_000_000_000);
    let (screen, _) = painted(&state, 60, 20);
    let below = screen.split("why it failed").nth(1).unwrap();
    assert!(below.contains(place) && !below.contains('…'), "{screen}");
    assert!(below.contains('≥') && !below.contains(">="), "{screen}");
    assert!(
        screen.contains("≥ 99.9%"),
        "as it is printed elsewhere: {screen}"
    );
}

/// A record does not know the load of a single pod, and does not say that there was none.
#[test]
fn what_a_record_does_not_tell_is_a_dash() {
    let report = live().film().report.clone().unwrap();
    let side = Side::new("r".into(), Film::of_report(*report), None);
    let mut state = State::new(vec![side], false);
    state.go(2_000_000_000);
    state.apply(Action::Look(View::Detail));
    let (screen, _) = painted(&state, 80, 24);
    let pod = screen.lines().find(|line| line.contains("web-0")).unwrap();
    assert!(!pod.contains("0/s") && pod.contains('–'), "{pod}");
    assert!(!screen.contains("inject"), "nor can it be changed");
}

/// A line that is typed says what will become of it, where there is room.
#[test]
fn a_typed_line_says_what_becomes_of_it() {
    let mut state = live();
    state.apply(Action::Inject);
    state.apply(Action::Open);
    state.apply(Action::Open);
    assert!(
        painted(&state, 120, 30)
            .0
            .contains("↵ records again with it")
    );
    assert!(painted(&state, 60, 16).0.contains("crash: { zone: a }"));
}

/// Of an edge with long names both ends are told.
#[test]
fn both_ends_of_an_edge_are_told() {
    let text = TROUBLED.replace("  api: ", "  warehouse-far-away: ");
    let text = text.replace("call: api", "call: warehouse-far-away");
    let text = text.replace("pod: api-1", "pod: warehouse-far-away-1");
    let (film, _, plan) = recorded(&text);
    let mut state = State::new(vec![Side::new("long".into(), film, Some(plan))], false);
    state.go(8_000_000_000);
    let (screen, _) = painted(&state, 120, 40);
    assert!(screen.contains("\"  → warehouse"), "{screen}");
}

/// What stands beside each other is drawn to one scale.
#[test]
fn two_runs_have_one_scale() {
    let sides = ["poisson(60/s)", "poisson(15/s)"].map(|rate| {
        let (film, ..) = recorded(&TROUBLED.replace("poisson(60/s)", rate));
        Side::new("two".into(), film, None)
    });
    let mut state = State::new(sides.into(), false);
    state.go(0);
    let (screen, _) = painted(&state, 120, 40);
    let first = screen.lines().position(|line| line.contains("goodput"));
    let chart = screen.lines().skip(first.unwrap()).take(3);
    let blocks = |side: &str| side.contains(|c: char| ('▁'..='█').contains(&c));
    let (mut left, mut right) = (false, false);
    for line in chart {
        let line: Vec<char> = line.chars().collect();
        left |= blocks(&line[..60].iter().collect::<String>());
        right |= blocks(&line[60..].iter().collect::<String>());
    }
    assert!(left && !right, "{screen}");
}

/// Every view at every size, from nothing to a wall.
#[test]
fn no_size_breaks_a_view() {
    let live = live();
    let report = live.film().report.clone().unwrap();
    let record = State::new(
        vec![Side::new("r".into(), Film::of_report(*report), None)],
        true,
    );
    let blank = State::new(vec![Side::new("b".into(), Film::default(), None)], true);
    let two = {
        let sides = [recorded(TROUBLED).0, recorded(TROUBLED).0];
        State::new(
            sides.map(|film| Side::new("two".into(), film, None)).into(),
            true,
        )
    };
    for mut state in [live, record, blank, two] {
        for (width, height) in [
            (1, 1),
            (59, 15),
            (60, 16),
            (80, 24),
            (81, 17),
            (120, 40),
            (200, 60),
        ] {
            for view in View::ALL {
                state.apply(Action::Look(view));
                painted(&state, width, height);
                state.apply(Action::Open);
                painted(&state, width, height);
                state.apply(Action::Back);
            }
            for action in [
                Action::Help,
                Action::Inject,
                Action::Prompt(crate::tui::state::Purpose::Command),
            ] {
                state.apply(action);
                painted(&state, width, height);
                state.apply(Action::Back);
            }
        }
    }
}

#[test]
fn a_small_terminal_is_told_so() {
    let (screen, _) = painted(&live(), 40, 10);
    assert!(screen.contains("needs 60 × 16"), "{screen}");
}

/// What can be clicked lies on the screen, and a click on a tab opens it.
#[test]
fn clicks_hit_what_is_seen() {
    let state = live();
    let (_, hits) = painted(&state, 120, 40);
    let screen = Rect::new(0, 0, 120, 40);
    assert!(
        hits.iter()
            .all(|(area, _)| area.intersection(screen) == *area)
    );
    for view in View::ALL {
        assert!(
            hits.iter()
                .any(|(area, action)| area.y == 1 && *action == Action::Look(view))
        );
    }
}

/// Names that would command a terminal, turn its writing around or fill it do nothing but stand there.
#[test]
fn hostile_names_are_inert() {
    let (film, ..) = recorded(TROUBLED);
    let long = "x".repeat(10_000);
    let hostile = [
        "\u{1b}]0;owned\u{7}\u{1b}[2J",
        "\u{202e}gnp.exe\u{2066}",
        "<script>alert(1)</script>",
        "\u{9b}31mred\r\n\u{8}\u{7f}",
        "日本語\u{200b}\u{fe0f}\u{301}\u{301}\u{301}",
        &long,
    ];
    for name in hostile {
        // Every string of the record that is a name becomes the hostile one.
        let mut json = serde_json::to_value(&**film.report.as_ref().unwrap()).unwrap();
        poison(&mut json, name);
        let report = serde_json::from_value(json).unwrap();
        let side = Side::new(name.into(), Film::of_report(report), None);
        let mut state = State::new(vec![side], true);
        state.say(name);
        state.go(8_000_000_000);
        for view in View::ALL {
            for opened in [false, true] {
                state.apply(Action::Look(view));
                state.say(name);
                state.opened = opened;
                let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
                terminal.draw(|frame| drop(draw(frame, &state))).unwrap();
                for cell in terminal.backend().buffer().content() {
                    assert_eq!(
                        text::inert(cell.symbol()),
                        cell.symbol(),
                        "in {}",
                        view.name()
                    );
                }
            }
        }
        state.overlay = Some(Overlay::Line(crate::tui::state::Line {
            purpose: crate::tui::state::Purpose::Command,
            text: name.into(),
            at: name.chars().count(),
        }));
        let (screen, _) = painted(&state, 80, 24);
        assert!(!screen.contains(['\u{1b}', '\u{202e}', '\u{9b}', '\u{7}']));
    }
}

/// Puts `name` in the place of every name.
fn poison(value: &mut serde_json::Value, name: &str) {
    const NAMES: &[&str] = &[
        "name", "scenario", "service", "pod", "zone", "version", "node", "from", "to", "request",
        "cluster", "peer", "flags", "details", "subject", "text", "message", "place", "value",
        "origin", "measure", "traffic",
    ];
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match value {
                    serde_json::Value::String(text) if NAMES.contains(&key.as_str()) => {
                        *text = name.into()
                    }
                    value => poison(value, name),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| poison(item, name)),
        _ => {}
    }
}
