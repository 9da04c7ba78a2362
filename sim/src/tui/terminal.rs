//! The terminal: takes it over, gives it back whatever happens, and paints what has changed.

use std::io::{self, Write as _, stdout};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{
    self, DisableMouseCapture, EnableMouseCapture, Event, KeyEventKind, MouseButton, MouseEvent,
    MouseEventKind,
};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, SetTitle, disable_raw_mode, enable_raw_mode,
};

use super::director::Director;
use super::state::{Action, State, action};
use super::view::{self, Hits};

/// Sixty pictures a second at most.
const FRAME: Duration = Duration::from_micros(16_667);
/// How often the world is looked at when nothing moves.
const IDLE: Duration = Duration::from_millis(100);
/// How long leaving may take.
const LEAVE: Duration = Duration::from_secs(1);
/// A machine that was asleep does not make the film jump.
const STEP_MAX: Duration = Duration::from_millis(250);

/// The terminal as ours, and the user's again when dropped.
struct Taken;

impl Taken {
    fn take() -> io::Result<Self> {
        enable_raw_mode()?;
        let taken = Self;
        execute!(
            stdout(),
            EnterAlternateScreen,
            EnableMouseCapture,
            SetTitle("meshquake")
        )?;
        Ok(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

/// Nothing can be done about a terminal that is gone.
fn give_back() {
    let _left = execute!(
        stdout(),
        DisableMouseCapture,
        LeaveAlternateScreen,
        ratatui::crossterm::cursor::Show
    );
    let _cooked = disable_raw_mode();
    let _flushed = stdout().flush();
}

/// Shows `state` until the user leaves, or the process is told to end; says whether it was told to.
///
/// # Errors
/// When the terminal cannot be used.
pub(super) fn run(state: &mut State, director: &mut Director) -> io::Result<bool> {
    // Dropped on the way out.
    let (_inside, outside) = channel();
    let stop = stopped_by_signals(outside);
    mind_panics();
    let taken = Taken::take()?;
    let mut terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
    let ended = watch(&mut terminal, state, director, &stop);
    drop(taken);
    // The hook that gives the terminal back has nothing more to give.
    let _ours = panic::take_hook();
    ended
}

/// SIGTERM, SIGHUP and a Ctrl-C from elsewhere end the show; the terminal is given back on the way out. A show that
/// has not been left in a moment is ended where it stands: crossterm reads a terminal that is gone for ever
/// (its `UnixInternalEventSource::try_read` takes a read of nothing for a reason to read on).
fn stopped_by_signals(outside: Receiver<()>) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let _installed = ctrlc::set_handler(move || {
        flag.store(true, Ordering::Relaxed);
        if outside.recv_timeout(LEAVE) == Err(RecvTimeoutError::Timeout) {
            give_back();
            std::process::exit(130);
        }
    });
    stop
}

/// A panic of this thread is printed on the terminal as it was before; one of a run's is told on the screen.
fn mind_panics() {
    let screen = std::thread::current().id();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == screen {
            give_back();
            before(info);
        }
    }));
}

#[expect(
    clippy::disallowed_methods,
    reason = "how fast a film is played is a matter of the wall clock; no run is touched by it"
)]
fn watch(
    terminal: &mut Terminal<CrosstermBackend<io::Stdout>>,
    state: &mut State,
    director: &mut Director,
    stop: &AtomicBool,
) -> io::Result<bool> {
    let mut hits = Hits::new();
    let mut changed = true;
    let mut last = Instant::now();
    let mut drawn: Option<Instant> = None;
    loop {
        changed |= director.develop(state);
        let now = Instant::now();
        changed |= state.advance((now - last).min(STEP_MAX));
        last = now;
        let due = drawn.map_or(Duration::ZERO, |drawn| FRAME.saturating_sub(now - drawn));
        if changed && due.is_zero() {
            terminal.draw(|frame| hits = view::draw(frame, state))?;
            drawn = Some(now);
            changed = false;
        }
        let moves = changed || state.playing || director.is_busy();
        let wait = if moves {
            due.max(Duration::from_millis(4))
        } else {
            IDLE
        };
        let mut wait = wait.min(IDLE);
        // All that waits is taken before the next picture: a held key must not queue up pictures.
        while event::poll(wait)? {
            wait = Duration::ZERO;
            match meant(&event::read()?, state, &hits) {
                Meant::Nothing => {}
                Meant::Redraw => changed = true,
                Meant::Actions(actions) => {
                    changed = true;
                    for action in actions {
                        let effect = state.apply(action);
                        if let Some(effect) = effect
                            && director.perform(state, effect)
                        {
                            return Ok(false);
                        }
                    }
                }
            }
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(true);
        }
    }
}

/// What an event of the terminal means.
enum Meant {
    Nothing,
    Redraw,
    Actions(Vec<Action>),
}

fn meant(event: &Event, state: &State, hits: &Hits) -> Meant {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => match action(*key, state.mode()) {
            Some(action) => Meant::Actions(vec![action]),
            None => Meant::Nothing,
        },
        Event::Mouse(mouse) => clicked(mouse, state, hits),
        Event::Resize(..) => Meant::Redraw,
        _ => Meant::Nothing,
    }
}

fn clicked(mouse: &MouseEvent, state: &State, hits: &Hits) -> Meant {
    let place = ratatui::layout::Position::new(mouse.column, mouse.row);
    match mouse.kind {
        MouseEventKind::ScrollDown => Meant::Actions(vec![Action::Choose(3)]),
        MouseEventKind::ScrollUp => Meant::Actions(vec![Action::Choose(-3)]),
        MouseEventKind::Down(MouseButton::Left) | MouseEventKind::Drag(MouseButton::Left) => {
            let hit = hits.iter().rev().find(|(area, _)| area.contains(place));
            let Some((_, action)) = hit else {
                return Meant::Nothing;
            };
            // A click on what is chosen already opens it.
            let again = matches!(action, Action::Pick(at) if state.foremost() == Some(*at))
                && matches!(mouse.kind, MouseEventKind::Down(_));
            Meant::Actions(if again {
                vec![Action::Open]
            } else {
                vec![*action]
            })
        }
        _ => Meant::Nothing,
    }
}
