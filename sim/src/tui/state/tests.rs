//! Keys, and what becomes of them.

use std::sync::OnceLock;
use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use crate::tui::film::Film;
use crate::tui::film::tests::{OVERLOADED, TROUBLED, breaker, recorded, recorded_with};

/// The film's record, made once.
fn report() -> meshquake_reports::RunReport {
    static REPORT: OnceLock<meshquake_reports::RunReport> = OnceLock::new();
    let made = REPORT.get_or_init(|| *recorded(TROUBLED).0.report.unwrap());
    made.clone()
}

fn state() -> State {
    let side = Side::new("troubled.json".into(), Film::of_report(report()), None);
    State::new(vec![side], false)
}

fn live() -> State {
    let (film, _, plan) = recorded(TROUBLED);
    let side = Side::new("troubled.yaml".into(), film, Some(plan));
    State::new(vec![side], false)
}

/// Presses keys, one for each character; what stands in `<>` is named.
fn press(state: &mut State, keys: &str) -> Option<Effect> {
    let mut effect = None;
    let mut rest = keys;
    while let Some(c) = rest.chars().next() {
        let named = [
            ("<enter>", KeyCode::Enter),
            ("<esc>", KeyCode::Esc),
            ("<tab>", KeyCode::Tab),
            ("<right>", KeyCode::Right),
            ("<left>", KeyCode::Left),
            ("<back>", KeyCode::Backspace),
        ];
        let found = named.iter().find(|(name, _)| rest.starts_with(name));
        let (code, length) = match found {
            Some((name, code)) => (*code, name.len()),
            None => (KeyCode::Char(c), c.len_utf8()),
        };
        rest = &rest[length..];
        let key = KeyEvent::new(code, KeyModifiers::NONE);
        if let Some(action) = action(key, state.mode()) {
            effect = state.apply(action).or(effect);
        }
    }
    effect
}

#[test]
fn time_goes_by_when_it_is_played() {
    let mut state = live();
    assert!(state.playing, "a live run plays");
    assert!(state.advance(Duration::from_millis(100)));
    assert_eq!(state.cursor, 100_000_000);
    press(&mut state, ">");
    state.advance(Duration::from_millis(100));
    assert_eq!(state.cursor, 300_000_000, "at 2×");
    press(&mut state, " ");
    assert!(!state.advance(Duration::from_secs(1)));
    press(&mut state, " >>>>>>>>>");
    state.advance(Duration::from_millis(1));
    assert_eq!(
        (state.cursor, state.playing),
        (12_000_000_000, false),
        "max is the end"
    );
    press(&mut state, " ");
    assert_eq!(
        (state.cursor, state.playing),
        (0, true),
        "from the beginning again"
    );
}

#[test]
fn a_traffic_source_is_chosen() {
    let limits = "connectionPool: { http: { maxRetries: 2 } }";
    let (film, _, plan) = recorded_with(OVERLOADED, &breaker(limits));
    let side = Side::new("overloaded.yaml".into(), film, Some(plan));
    let mut state = State::new(vec![side], false);
    let shown = |state: &State| {
        let mut terminal =
            ratatui::Terminal::new(ratatui::backend::TestBackend::new(100, 30)).unwrap();
        terminal
            .draw(|frame| drop(view::draw(frame, state)))
            .unwrap();
        terminal.backend().to_string()
    };
    let told = |state: &State, source: &str| shown(state).contains(&format!("of {source} (j k)"));
    press(&mut state, "$");
    assert!(told(&state, "all traffic"));
    press(&mut state, "j");
    assert!(told(&state, "few"), "{}", shown(&state));
    press(&mut state, "jjj");
    assert!(told(&state, "many"), "the last is the last");
    press(&mut state, "kkkk");
    assert!(told(&state, "all traffic"));
    // A page is no more than a step, and one source is no choice.
    state.apply(Action::Page(1));
    assert!(told(&state, "few"));
    let mut single = live();
    press(&mut single, "j");
    assert_eq!(single.chosen[View::Overview as usize], 0);
}

#[test]
fn jumps_find_what_they_name() {
    let mut state = live();
    press(&mut state, "f");
    assert_eq!(state.cursor, 3_000_000_000, "the first fault");
    press(&mut state, "ff");
    assert_eq!(
        state.cursor, 7_000_000_000,
        "its end is the second, the next fault the third"
    );
    press(&mut state, "FF");
    assert_eq!(state.cursor, 3_000_000_000);
    press(&mut state, "x");
    let film = state.film();
    let failed = film
        .rows
        .iter()
        .find(|row| !row.succeeded && row.at > 3_000_000_000);
    assert_eq!(Some(state.cursor), failed.map(|row| row.at));
    press(&mut state, "$f");
    assert!(
        state
            .message
            .as_ref()
            .is_some_and(|message| message.text == "no later fault")
    );
}

#[test]
fn going_back_is_as_good_as_never_having_left() {
    let mut state = live();
    press(&mut state, "f");
    let there = state.film().standing(state.cursor);
    press(&mut state, "$");
    press(&mut state, ":3s<enter>");
    assert_eq!(state.film().standing(state.cursor), there);
}

#[test]
fn requests_are_filtered_as_one_types() {
    let mut state = live();
    let all = {
        press(&mut state, "4");
        state.shown().requests().shown().len()
    };
    press(&mut state, "/fail");
    let failed = state.shown().requests().shown().len();
    assert!(failed > 0 && failed < all, "{failed} of {all}");
    press(&mut state, "<enter>g");
    let row = state
        .request_at()
        .and_then(|at| state.shown().requests().shown().get(at));
    let row = state.film().rows[*row.unwrap() as usize];
    assert!(!row.succeeded);
    assert_eq!(
        state.cursor, row.at,
        "the cursor is where the request ended"
    );
    press(&mut state, "<enter>");
    assert!(state.opened);
    press(&mut state, "<esc><esc>");
    assert_eq!(state.request_filter, "");
    press(&mut state, "/status:200 slow:1h<enter>");
    assert!(state.shown().requests().shown().is_empty());
}

#[test]
fn requests_of_one_instant_can_each_be_chosen() {
    let mut film = Film::blank(Default::default(), "ties", 1, 10);
    let row = |sequence| crate::tui::film::Row {
        at: 5,
        intended: 1,
        sequence,
        source: 0,
        status: 200,
        kind: 0,
        succeeded: true,
        outcome: meshquake_reports::RequestOutcome::Answered,
    };
    film.rows = vec![row(0), row(1), row(2)];
    film.reached = 10;
    let mut state = State::new(vec![Side::new("ties".into(), film, None)], false);
    press(&mut state, "4");
    state.go(10);
    assert_eq!(state.request_at(), Some(2));
    press(&mut state, "k");
    assert_eq!(state.request_at(), Some(1));
    press(&mut state, "kk");
    assert_eq!(state.request_at(), Some(0));
    press(&mut state, "j");
    assert_eq!(state.request_at(), Some(1));
}

#[test]
fn a_fault_by_hand_is_a_line_of_the_scenario() {
    let mut state = live();
    press(&mut state, ":4s<enter>i");
    assert!(matches!(state.overlay, Some(Overlay::Wish { at: 0 })));
    press(&mut state, "<enter>");
    let Some(Overlay::Target { targets, .. }) = &state.overlay else {
        panic!("whom?");
    };
    assert_eq!(targets[0].name, "zone a");
    let effect = press(&mut state, "G<enter><enter>");
    let line = "{ at: 4s, for: 10s, crash: { pod: api-2 } }";
    assert_eq!(effect, Some(Effect::Inject(line.into())));
    let effect = press(&mut state, ":fault crash: web-0<enter>");
    assert_eq!(
        effect,
        Some(Effect::Inject("{ at: 4s, crash: web-0 }".into()))
    );
    let effect = press(&mut state, ":set mesh.defaults.retries=0<enter>");
    assert_eq!(
        effect,
        Some(Effect::Set("mesh.defaults.retries".into(), "0".into()))
    );
}

#[test]
fn a_record_is_not_changed() {
    let mut state = super::tests::state();
    press(&mut state, "i");
    assert_eq!(state.overlay, None);
    assert!(state.message.as_ref().is_some_and(|message| message.wrong));
}

#[test]
fn nobody_leaves_unsaved_by_mistake() {
    let mut state = live();
    assert_eq!(press(&mut state, "q"), Some(Effect::Quit));
    state.sides[0].unsaved = 1;
    assert_eq!(press(&mut state, "q"), None);
    assert_eq!(press(&mut state, "q"), Some(Effect::Quit));
    press(&mut state, "qj");
    assert_eq!(
        press(&mut state, "q"),
        None,
        "something else came in between"
    );
    assert_eq!(
        press(&mut state, "?q"),
        None,
        "q closes what stands in front"
    );
}

#[test]
fn one_drills_in_and_comes_back() {
    let mut state = live();
    press(&mut state, "2jj<enter>");
    assert_eq!(state.view, View::Detail);
    assert!(
        matches!(state.subjects[..], [Subject::Part(_)]),
        "{:?}",
        state.subjects
    );
    press(&mut state, "<enter>");
    assert!(matches!(
        state.subjects[..],
        [Subject::Part(_), Subject::Pod(_)]
    ));
    press(&mut state, "<esc>");
    assert_eq!(state.subjects.len(), 1);
    press(&mut state, "<esc>");
    assert_eq!(state.view, View::Topology);
}

#[test]
fn two_films_part_where_they_differ() {
    let same = || Side::new("a".into(), recorded(TROUBLED).0, None);
    let mut state = State::new(vec![same(), same()], false);
    assert_eq!(state.divergence, Some(None));
    press(&mut state, "D");
    assert_eq!(state.cursor, 0);
    let other = recorded(&TROUBLED.replace("for: 3s", "for: 1s")).0;
    let mut state = State::new(vec![same(), Side::new("b".into(), other, None)], false);
    press(&mut state, "D");
    let parted = state.cursor;
    assert!((4_000_000_000..4_100_000_000).contains(&parted), "{parted}");
}

#[test]
fn whatever_is_pressed_nothing_breaks() {
    let mut state = live();
    let keys =
        "1234567\t?jk qGg/x<esc>:<enter>:9999h<enter>ijjjj<enter><esc>hlHL+-+-+++cDrRxXeEmMpP.,<>";
    for round in 0..3 {
        for start in 0..keys.len() {
            press(&mut state, &keys[start..]);
            press(&mut state, &"+".repeat(round));
            assert!(state.cursor <= state.length());
        }
    }
}
