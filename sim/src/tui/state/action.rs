//! Keys and clicks → what they mean.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{Purpose, View};
use crate::tui::film::Kind;

/// Kinds that a key jumps to.
const JUMPS: [(char, Kind); 5] = [
    ('f', Kind::Fault),
    ('e', Kind::Ejection),
    ('b', Kind::Breaker),
    ('p', Kind::Pod),
    ('m', Kind::Mechanism),
];

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Leave.
    Quit,
    /// Play, or pause.
    Play,
    /// Change the speed.
    Faster(isize),
    /// Change the scale of time.
    Zoom(i32),
    /// Move by so many two-hundredths of the axis.
    Scrub(i64),
    /// Look at this instant.
    Seek(u64),
    /// To the next of a kind (or the one before).
    Step(Step, bool),
    /// Another view.
    Look(View),
    /// The view after (or before).
    Next(isize),
    /// Further down a list.
    Choose(isize),
    /// The same by screens.
    Page(isize),
    /// This line of the list.
    Pick(usize),
    /// The end of a list or of the film, or its beginning.
    Ends(bool),
    /// Open what is chosen, or take it.
    Open,
    /// Back to where it was opened from.
    Back,
    /// The other film.
    Side,
    /// Where the films part.
    Part,
    /// The keys.
    Help,
    /// The menu of faults.
    Inject,
    /// Type a line.
    Prompt(Purpose),
    /// Write the scenario.
    Save,
    /// A character of a line.
    Type(char),
    /// Take the last one away.
    Erase,
    /// Take all away.
    EraseAll,
    /// Move within the line.
    Caret(isize),
}

/// What to step by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Whatever happened.
    Event,
    /// What happened of this kind.
    Kind(Kind),
    /// Requests.
    Request,
    /// Requests that failed.
    Failure,
}

/// What keys mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A view is looked at.
    Looking,
    /// A text stands over it.
    Reading,
    /// A menu stands over it.
    Choosing,
    /// A line is typed.
    Typing,
}

/// What a key means; `None` when nothing.
pub(crate) fn action(key: KeyEvent, mode: Mode) -> Option<Action> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    if control && key.code == KeyCode::Char('c') {
        return Some(if mode == Mode::Typing {
            Action::Back
        } else {
            Action::Quit
        });
    }
    match mode {
        Mode::Typing => typing(key, control),
        Mode::Reading | Mode::Choosing => match key.code {
            KeyCode::Char('?') if mode == Mode::Reading => Some(Action::Back),
            KeyCode::Char('q') => Some(Action::Back),
            code => list(code, control),
        },
        Mode::Looking => looking(
            key.code,
            control,
            key.modifiers.contains(KeyModifiers::SHIFT),
        )
        .or_else(|| list(key.code, control)),
    }
}

fn typing(key: KeyEvent, control: bool) -> Option<Action> {
    Some(match key.code {
        KeyCode::Enter => Action::Open,
        KeyCode::Esc => Action::Back,
        KeyCode::Backspace => Action::Erase,
        KeyCode::Char('u') if control => Action::EraseAll,
        KeyCode::Left => Action::Caret(-1),
        KeyCode::Right => Action::Caret(1),
        KeyCode::Home => Action::Caret(isize::MIN / 2),
        KeyCode::End => Action::Caret(isize::MAX / 2),
        KeyCode::Char(c) if !control => Action::Type(c),
        _ => return None,
    })
}

/// Keys that move in any list.
fn list(code: KeyCode, control: bool) -> Option<Action> {
    Some(match code {
        KeyCode::Down | KeyCode::Char('j') => Action::Choose(1),
        KeyCode::Up | KeyCode::Char('k') => Action::Choose(-1),
        KeyCode::PageDown => Action::Page(1),
        KeyCode::PageUp => Action::Page(-1),
        KeyCode::Char('d') if control => Action::Page(1),
        KeyCode::Char('u') if control => Action::Page(-1),
        KeyCode::Char('g') => Action::Ends(false),
        KeyCode::Char('G') => Action::Ends(true),
        KeyCode::Enter => Action::Open,
        KeyCode::Esc | KeyCode::Backspace => Action::Back,
        _ => return None,
    })
}

fn looking(code: KeyCode, control: bool, shift: bool) -> Option<Action> {
    if let KeyCode::Char(c) = code
        && !control
    {
        let jump = JUMPS.iter().find(|(key, _)| *key == c.to_ascii_lowercase());
        if let Some((_, kind)) = jump {
            return Some(Action::Step(Step::Kind(*kind), c.is_ascii_lowercase()));
        }
    }
    Some(match code {
        KeyCode::Char('q') => Action::Quit,
        KeyCode::Char('?') | KeyCode::F(1) => Action::Help,
        KeyCode::Char(' ') => Action::Play,
        KeyCode::Char('>') => Action::Faster(1),
        KeyCode::Char('<') => Action::Faster(-1),
        KeyCode::Char('+' | '=') => Action::Zoom(1),
        KeyCode::Char('-') => Action::Zoom(-1),
        KeyCode::Left if shift => Action::Scrub(-20),
        KeyCode::Right if shift => Action::Scrub(20),
        KeyCode::Left | KeyCode::Char('h') => Action::Scrub(-2),
        KeyCode::Right | KeyCode::Char('l') => Action::Scrub(2),
        KeyCode::Char('H') => Action::Scrub(-20),
        KeyCode::Char('L') => Action::Scrub(20),
        KeyCode::Home | KeyCode::Char('0') => Action::Seek(0),
        KeyCode::End | KeyCode::Char('$') => Action::Seek(u64::MAX),
        KeyCode::Char('.') => Action::Step(Step::Event, true),
        KeyCode::Char(',') => Action::Step(Step::Event, false),
        KeyCode::Char('r') => Action::Step(Step::Request, true),
        KeyCode::Char('R') => Action::Step(Step::Request, false),
        KeyCode::Char('x') => Action::Step(Step::Failure, true),
        KeyCode::Char('X') => Action::Step(Step::Failure, false),
        KeyCode::Char(c @ '1'..='7') => Action::Look(View::ALL[c as usize - '1' as usize]),
        KeyCode::Tab => Action::Next(1),
        KeyCode::BackTab => Action::Next(-1),
        KeyCode::Char('/') => Action::Prompt(Purpose::Filter),
        KeyCode::Char(':') => Action::Prompt(Purpose::Command),
        KeyCode::Char('i') => Action::Inject,
        KeyCode::Char('w') => Action::Save,
        KeyCode::Char('c') => Action::Side,
        KeyCode::Char('D') => Action::Part,
        _ => return None,
    })
}
