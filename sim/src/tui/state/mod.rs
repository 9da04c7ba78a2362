//! What the screen shows, and how it changes.
//!
//! Everything that a key can do is a transition of [`State`], without a terminal in sight; what needs the world
//! outside (a file, another run) is handed back as an [`Effect`].

mod action;
mod choice;
mod divergence;
mod events;
mod overlay;
mod requests;
mod sampled;
mod side;
mod time;

#[cfg(test)]
mod tests;

pub(crate) use action::{Action, Mode, Step, action};
pub(crate) use divergence::{Divergence, Parting};
pub(crate) use overlay::{Line, Overlay, Purpose};
pub(crate) use side::Side;
pub(crate) use time::SPEEDS;

use super::film::{EdgeId, Film, PartId, PodId};
use super::view;

/// What can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// How it goes, over time.
    Overview,
    /// Services, pods and edges.
    Topology,
    /// One of them.
    Detail,
    /// Requests.
    Requests,
    /// What happened.
    Events,
    /// What the mesh was told.
    Config,
    /// What is demanded.
    Expectations,
}

impl View {
    /// All, by number.
    pub(crate) const ALL: [Self; 7] = [
        Self::Overview,
        Self::Topology,
        Self::Detail,
        Self::Requests,
        Self::Events,
        Self::Config,
        Self::Expectations,
    ];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Topology => "Topology",
            Self::Detail => "Detail",
            Self::Requests => "Requests",
            Self::Events => "Events",
            Self::Config => "Config",
            Self::Expectations => "Expectations",
        }
    }

    /// The view `by` places further on, in a ring.
    fn next(self, by: isize) -> Self {
        let count = Self::ALL.len() as isize;
        Self::ALL[(self as isize + by).rem_euclid(count) as usize]
    }
}

/// Something that can be looked at by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A service or a traffic source.
    Part(PartId),
    /// A pod.
    Pod(PodId),
    /// An edge.
    Edge(EdgeId),
}

/// What needs the world outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Leave.
    Quit,
    /// Put a fault into the scenario, and record again.
    Inject(String),
    /// Set a value, and record again.
    Set(String, String),
    /// Another seed, and record again.
    Seed(u64),
    /// Write the scenario.
    Save {
        /// Where; `None` beside the scenario.
        path: Option<String>,
        /// Even over a file that is there.
        force: bool,
    },
}

/// What was said last, at the bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// What.
    pub(crate) text: String,
    /// Whether something went wrong.
    pub(crate) wrong: bool,
}

/// Everything that is shown.
pub(crate) struct State {
    /// One film, or two to compare.
    pub(crate) sides: Vec<Side>,
    /// The one that is looked at.
    pub(crate) side: usize,
    /// The instant that is looked at.
    pub(crate) cursor: u64,
    /// Whether it moves by itself.
    pub(crate) playing: bool,
    /// How fast, by its place in [`SPEEDS`].
    pub(crate) speed: usize,
    /// How often the time axis was doubled.
    pub(crate) zoom: u32,
    /// What is looked at.
    pub(crate) view: View,
    /// What stands over it.
    pub(crate) overlay: Option<Overlay>,
    /// What was said last.
    pub(crate) message: Option<Message>,
    /// The chosen line of each view that has a list of its own.
    pub(crate) chosen: [usize; 7],
    /// What the detail view is of, and what it was of before.
    pub(crate) subjects: Vec<Subject>,
    /// The request or event chosen among those of one instant, and the view it was chosen in.
    picked: Option<(View, usize)>,
    /// Whether the chosen request is told in full.
    pub(crate) opened: bool,
    /// Lines scrolled in a text.
    pub(crate) scroll: usize,
    /// Which requests are shown.
    pub(crate) request_filter: String,
    /// Which events are shown.
    pub(crate) event_filter: String,
    /// Whether colours may be used.
    pub(crate) color: bool,
    /// Where two films part.
    pub(crate) divergence: Option<Option<Divergence>>,
    /// An instant to go to as soon as it is recorded.
    wanted: Option<u64>,
    /// A quit was asked for although something is unsaved.
    quitting: bool,
}

impl State {
    /// Shows these films from their beginning.
    pub(crate) fn new(sides: Vec<Side>, color: bool) -> Self {
        let live = sides.iter().any(|side| !side.film.from_record);
        let mut state = Self {
            sides,
            side: 0,
            cursor: 0,
            playing: live,
            speed: time::SPEED_FIRST,
            zoom: 0,
            view: View::Overview,
            overlay: None,
            message: None,
            chosen: [0; 7],
            subjects: Vec::new(),
            picked: None,
            opened: false,
            scroll: 0,
            request_filter: String::new(),
            event_filter: String::new(),
            color,
            divergence: None,
            wanted: None,
            quitting: false,
        };
        state.settle();
        state
    }

    /// The side that is looked at.
    pub(crate) fn shown(&self) -> &Side {
        &self.sides[self.side.min(self.sides.len() - 1)]
    }

    /// The film that is looked at.
    pub(crate) fn film(&self) -> &Film {
        &self.shown().film
    }

    /// What keys mean now.
    pub(crate) fn mode(&self) -> Mode {
        match &self.overlay {
            Some(Overlay::Line(_)) => Mode::Typing,
            Some(Overlay::Help) => Mode::Reading,
            Some(_) => Mode::Choosing,
            None => Mode::Looking,
        }
    }

    /// After anything has changed: brings the lists up to date.
    pub(crate) fn settle(&mut self) {
        if let Some(at) = self.wanted.filter(|at| *at <= self.reached()) {
            self.wanted = None;
            self.go(at);
        }
        for side in &mut self.sides {
            side.requests.update(&side.film, &self.request_filter);
            side.events.update(&side.film, &self.event_filter);
        }
        self.side = self.side.min(self.sides.len() - 1);
        if let [a, b] = self.sides.as_slice()
            && self.divergence.is_none()
            && a.film.is_done()
            && b.film.is_done()
        {
            self.divergence = Some(divergence::first(&a.film, &b.film));
        }
    }

    /// The film that is looked at is recorded again, and will be the same up to `since` only. The rest of it goes, so
    /// that nothing on the screen is of a run that is no more; the cursor is brought back where it was as soon as that
    /// is recorded.
    pub(crate) fn rewrite(&mut self, since: u64) {
        let at = self.cursor;
        let side = self.side.min(self.sides.len() - 1);
        self.sides[side].forget(since);
        self.divergence = None;
        self.seek(at);
        self.settle();
    }

    /// Says something at the bottom.
    pub(crate) fn say(&mut self, text: impl Into<String>) {
        self.message = Some(Message {
            text: text.into(),
            wrong: false,
        });
    }

    /// Says at the bottom that something went wrong.
    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        self.message = Some(Message {
            text: text.into(),
            wrong: true,
        });
    }

    /// What `action` makes of it.
    pub(crate) fn apply(&mut self, action: Action) -> Option<Effect> {
        let quitting = std::mem::take(&mut self.quitting);
        self.message = None;
        self.wanted = None;
        let mut effect = None;
        match action {
            Action::Quit => effect = self.quit(quitting),
            Action::Open => effect = self.open(),
            Action::Save => {
                effect = Some(Effect::Save {
                    path: None,
                    force: false,
                });
            }
            Action::Play => self.play(),
            Action::Faster(by) => self.faster(by),
            Action::Zoom(by) => self.magnify(by),
            Action::Scrub(by) => self.scrub(by),
            Action::Seek(at) => self.seek(at),
            Action::Step(step, forward) => self.step(step, forward),
            Action::Part => self.part(),
            Action::Look(view) => self.look(view),
            Action::Next(by) => self.look(self.view.next(by)),
            Action::Choose(by) => self.choose(by),
            Action::Page(by) => self.page(by),
            Action::Pick(at) => self.pick(at),
            Action::Ends(end) => self.ends(end),
            Action::Back => self.back(),
            Action::Side => self.side = (self.side + 1) % self.sides.len(),
            Action::Help => {
                self.scroll = 0;
                self.overlay = Some(Overlay::Help);
            }
            Action::Inject => self.inject(),
            Action::Prompt(purpose) => self.prompt(purpose),
            Action::Type(c) => self.edit(|line| line.insert(c)),
            Action::Erase => self.edit(Line::erase),
            Action::EraseAll => self.edit(Line::clear),
            Action::Caret(by) => self.edit(|line| line.caret(by)),
        }
        self.settle();
        effect
    }

    /// Leaves; closes instead what stands in front, and asks when something would be lost.
    fn quit(&mut self, again: bool) -> Option<Effect> {
        if self.overlay.is_some() {
            self.overlay = None;
            return None;
        }
        if !again && self.sides.iter().any(|side| side.unsaved > 0) {
            self.quitting = true;
            self.warn("the changed scenario is not saved: w saves it, q again leaves without");
            return None;
        }
        Some(Effect::Quit)
    }

    /// Looks at `view`, at its beginning.
    fn look(&mut self, view: View) {
        self.overlay = None;
        self.scroll = 0;
        self.opened = false;
        self.view = view;
        if view == View::Detail && self.subjects.is_empty() {
            // The first service, or what stands chosen in the topology.
            let at = self.chosen[View::Topology as usize];
            let chosen = view::topology_subject(self, at).filter(|_| at > 0);
            let first = Subject::Part(self.film().cast.sources as PartId);
            self.subjects.push(chosen.unwrap_or(first));
        }
    }
}
