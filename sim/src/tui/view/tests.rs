//! What the screen looks like.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::tui::film::Film;
use crate::tui::film::tests::{TROUBLED, recorded};
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
