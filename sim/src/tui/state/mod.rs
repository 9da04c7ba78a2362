//! What the screen shows, and how it changes.
//!
//! Everything that a key can do is a transition of [`State`], without a terminal in sight; what needs the world
//! outside (a file, another run) is handed back as an [`Effect`].

mod action;
mod divergence;
mod filter;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use action::{Action, Mode, Step, action};
pub(crate) use divergence::Divergence;
pub(crate) use filter::{Events, Requests};

use super::film::{EdgeId, Film, Kind, PartId, PodId, What};
use super::wish::{Target, WISHES};
use crate::plan::Plan;

/// Virtual seconds in a second, to choose from.
pub(crate) const SPEEDS: [f64; 10] = [
    0.1,
    0.25,
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
    30.0,
    100.0,
    f64::INFINITY,
];
/// The speed at which a film begins.
const SPEED_FIRST: usize = 3;
/// A screen of a list, when its height is not known.
const PAGE: isize = 15;
/// Doublings of the time axis at most.
const ZOOM_MAX: u32 = 10;

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

/// What stands over the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Overlay {
    /// The keys.
    Help,
    /// Kinds of fault.
    Wish {
        /// The one that is chosen.
        at: usize,
    },
    /// Whom to do it to.
    Target {
        /// The kind.
        wish: usize,
        /// Whom.
        targets: Vec<Target>,
        /// The one that is chosen.
        at: usize,
    },
    /// A line being typed.
    Line(Line),
}

/// A line being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// What for.
    pub(crate) purpose: Purpose,
    /// The text.
    pub(crate) text: String,
    /// The place of the cursor, in characters.
    pub(crate) at: usize,
}

/// What a line is typed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A command.
    Command,
    /// A fault.
    Fault,
    /// Which requests or events to show.
    Filter,
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

/// A film and what belongs to it.
#[derive(Debug, Default)]
pub(crate) struct Side {
    /// Its file.
    pub(crate) file: String,
    /// What there is of it.
    pub(crate) film: Film,
    /// What runs, when it can be changed.
    pub(crate) plan: Option<Box<Plan>>,
    /// How much of the film that will take its place is recorded, if there is one.
    pub(crate) retake: Option<u64>,
    /// Changes that are in no file.
    pub(crate) unsaved: usize,
    requests: Requests,
    events: Events,
}

impl Side {
    /// Of a film that is recorded from `plan`, or of a record.
    pub(crate) fn new(file: String, film: Film, plan: Option<Box<Plan>>) -> Self {
        Self {
            file,
            film,
            plan,
            ..Self::default()
        }
    }

    /// The requests that are shown.
    pub(crate) fn requests(&self) -> &Requests {
        &self.requests
    }

    /// The events that are shown.
    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    /// Another film takes the place of this one.
    pub(crate) fn replace(&mut self, film: Film) {
        self.film = film;
        self.requests = Requests::default();
        self.events = Events::default();
    }
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
    /// The request chosen among those that ended in one instant.
    picked: Option<usize>,
    /// The event chosen among those of one instant.
    noted: Option<usize>,
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
            speed: SPEED_FIRST,
            zoom: 0,
            view: View::Overview,
            overlay: None,
            message: None,
            chosen: [0; 7],
            subjects: Vec::new(),
            picked: None,
            noted: None,
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

    /// The longest film's length.
    pub(crate) fn length(&self) -> u64 {
        self.sides
            .iter()
            .map(|side| side.film.length)
            .max()
            .unwrap_or(0)
    }

    /// How far all films are recorded.
    fn reached(&self) -> u64 {
        let open = self.sides.iter().filter(|side| !side.film.is_done());
        open.map(|side| side.film.reached)
            .min()
            .unwrap_or_else(|| self.length())
    }

    /// The stretch of time on the axes.
    pub(crate) fn axis(&self) -> (u64, u64) {
        let length = self.length().max(1);
        let shown = (length >> self.zoom).max(1);
        let from = self.cursor.saturating_sub(shown / 2).min(length - shown);
        (from, from + shown)
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

    /// Time goes by on the wall; says whether anything moved.
    pub(crate) fn advance(&mut self, wall: Duration) -> bool {
        if !self.playing || self.overlay.is_some() {
            return false;
        }
        let before = self.cursor;
        let step = wall.as_nanos() as f64 * SPEEDS[self.speed];
        let to = if step.is_finite() {
            self.cursor.saturating_add(step as u64)
        } else {
            u64::MAX
        };
        self.go(to);
        self.playing = self.cursor < self.length();
        self.cursor != before || !self.playing
    }

    /// Looks at `at`, or as near as has been recorded.
    pub(crate) fn go(&mut self, at: u64) {
        self.cursor = at.min(self.reached()).min(self.length());
        self.picked = None;
        self.noted = None;
    }

    /// Looks at `at` now, or as soon as it is recorded.
    fn seek(&mut self, at: u64) {
        let at = at.min(self.length());
        self.go(at);
        self.wanted = (self.cursor < at).then_some(at);
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

    /// The chosen request, by its place in the list of those shown.
    pub(crate) fn request_at(&self) -> Option<usize> {
        let (film, shown) = (self.film(), self.shown().requests.shown());
        let picked = self.picked.filter(|at| {
            let row = shown.get(*at).and_then(|row| film.rows.get(*row as usize));
            row.is_some_and(|row| row.at == self.cursor)
        });
        let last = shown.partition_point(|row| film.rows[*row as usize].at <= self.cursor);
        picked.or(last.checked_sub(1))
    }

    /// The chosen event, by its place in the list of those shown.
    pub(crate) fn event_at(&self) -> Option<usize> {
        let (film, shown) = (self.film(), self.shown().events.shown());
        let noted = self.noted.filter(|at| {
            let line = shown
                .get(*at)
                .and_then(|line| film.entries.get(line.first as usize));
            line.is_some_and(|entry| entry.at == self.cursor)
        });
        let last =
            shown.partition_point(|line| film.entries[line.first as usize].at <= self.cursor);
        noted.or(last.checked_sub(1))
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
        let effect = match action {
            Action::Quit => return self.quit(quitting),
            Action::Play => {
                if !self.playing && self.cursor >= self.length() {
                    self.go(0);
                }
                self.playing = !self.playing;
                None
            }
            Action::Faster(by) => {
                let speed = self.speed.saturating_add_signed(by);
                self.speed = speed.min(SPEEDS.len() - 1);
                None
            }
            Action::Zoom(by) => {
                self.zoom = self.zoom.saturating_add_signed(by).min(ZOOM_MAX);
                None
            }
            Action::Scrub(twohundredths) => {
                let step = ((self.length() >> self.zoom) / 200).max(1);
                let by = step.saturating_mul(twohundredths.unsigned_abs());
                self.playing = false;
                match twohundredths < 0 {
                    true => self.go(self.cursor.saturating_sub(by)),
                    false => self.go(self.cursor.saturating_add(by)),
                }
                None
            }
            Action::Seek(at) => {
                self.seek(at);
                None
            }
            Action::Step(step, forward) => {
                self.playing = false;
                self.step(step, forward);
                None
            }
            Action::Look(view) => {
                self.look(view);
                None
            }
            Action::Next(by) => {
                let at = View::ALL
                    .iter()
                    .position(|view| *view == self.view)
                    .unwrap_or(0);
                let count = View::ALL.len() as isize;
                let next = (at as isize + by).rem_euclid(count) as usize;
                self.look(View::ALL[next]);
                None
            }
            Action::Choose(by) => {
                self.choose(by);
                None
            }
            Action::Page(by) => {
                self.choose(by * PAGE);
                None
            }
            Action::Pick(at) => {
                self.pick(at);
                None
            }
            Action::Ends(end) => {
                self.ends(end);
                None
            }
            Action::Open => return self.open(),
            Action::Back => {
                self.back();
                None
            }
            Action::Side => {
                self.side = (self.side + 1) % self.sides.len();
                None
            }
            Action::Part => {
                self.part();
                None
            }
            Action::Help => {
                self.scroll = 0;
                self.overlay = Some(Overlay::Help);
                None
            }
            Action::Inject => {
                self.inject();
                None
            }
            Action::Prompt(purpose) => {
                let text = match (purpose, self.view) {
                    (Purpose::Filter, View::Events) => self.event_filter.clone(),
                    (Purpose::Filter, _) => {
                        self.look(View::Requests);
                        self.request_filter.clone()
                    }
                    _ => String::new(),
                };
                self.ask(purpose, text);
                None
            }
            Action::Save => Some(Effect::Save {
                path: None,
                force: false,
            }),
            Action::Type(c) => {
                self.edit(|line| {
                    line.insert(c);
                });
                None
            }
            Action::Erase => {
                self.edit(Line::erase);
                None
            }
            Action::EraseAll => {
                self.edit(|line| {
                    line.text.clear();
                    line.at = 0;
                });
                None
            }
            Action::Caret(by) => {
                self.edit(|line| {
                    let length = line.text.chars().count();
                    line.at = line.at.saturating_add_signed(by).min(length);
                });
                None
            }
        };
        self.settle();
        effect
    }

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

    fn look(&mut self, view: View) {
        self.overlay = None;
        self.scroll = 0;
        self.opened = false;
        self.view = view;
        if view == View::Detail && self.subjects.is_empty() {
            // The first service, or what stands chosen in the topology.
            let at = self.chosen[View::Topology as usize];
            let chosen = super::view::topology_subject(self, at).filter(|_| at > 0);
            let first = Subject::Part(self.film().cast.sources as PartId);
            self.subjects.push(chosen.unwrap_or(first));
        }
    }

    fn step(&mut self, step: Step, forward: bool) {
        let film = self.film();
        let now = self.cursor;
        let to = match step {
            Step::Request | Step::Failure => {
                let wanted = |row: &&super::film::Row| step == Step::Request || !row.succeeded;
                match forward {
                    true => {
                        let next = film.rows.partition_point(|row| row.at <= now);
                        film.rows[next..].iter().find(wanted).map(|row| row.at)
                    }
                    false => {
                        let before = film.rows.partition_point(|row| row.at < now);
                        film.rows[..before]
                            .iter()
                            .rev()
                            .find(wanted)
                            .map(|row| row.at)
                    }
                }
            }
            Step::Event | Step::Kind(_) => {
                let wanted = |entry: &&super::film::Entry| match step {
                    Step::Kind(kind) => entry.what.kind() == kind,
                    _ => !entry.what.is_routine(),
                };
                match forward {
                    true => {
                        let next = film.entries.partition_point(|entry| entry.at <= now);
                        film.entries[next..]
                            .iter()
                            .find(wanted)
                            .map(|entry| entry.at)
                    }
                    false => {
                        let before = film.entries.partition_point(|entry| entry.at < now);
                        film.entries[..before]
                            .iter()
                            .rev()
                            .find(wanted)
                            .map(|entry| entry.at)
                    }
                }
            }
        };
        let what = match step {
            Step::Request => "request",
            Step::Failure => "failed request",
            Step::Event => "event",
            Step::Kind(kind) => kind.name(),
        };
        match to {
            Some(at) => self.go(at),
            None => {
                let recording = forward && !film.is_done();
                let which = if forward { "later" } else { "earlier" };
                let so_far = if recording { " yet" } else { "" };
                self.say(format!("no {which} {what}{so_far}"));
            }
        }
    }

    fn list_length(&self) -> usize {
        super::view::list_length(self)
    }

    fn choose(&mut self, by: isize) {
        match &mut self.overlay {
            Some(Overlay::Wish { at }) => *at = moved(*at, by, WISHES.len()),
            Some(Overlay::Target { targets, at, .. }) => *at = moved(*at, by, targets.len()),
            Some(Overlay::Help) => self.scroll = self.scroll.saturating_add_signed(by),
            Some(Overlay::Line(_)) => {}
            None if self.opened => self.scroll = self.scroll.saturating_add_signed(by),
            None => match self.view {
                View::Requests => {
                    let last = self.shown().requests.shown().len();
                    let at = self.request_at().map_or(0, |at| moved(at, by, last));
                    self.pick(at);
                }
                View::Events => {
                    let last = self.shown().events.shown().len();
                    let at = self.event_at().map_or(0, |at| moved(at, by, last));
                    self.pick(at);
                }
                View::Overview => {}
                view => {
                    let length = self.list_length();
                    let at = &mut self.chosen[view as usize];
                    *at = moved(*at, by, length);
                    if view == View::Config {
                        self.scroll = 0;
                    }
                }
            },
        }
    }

    fn pick(&mut self, at: usize) {
        match &mut self.overlay {
            Some(Overlay::Wish { at: chosen } | Overlay::Target { at: chosen, .. }) => *chosen = at,
            Some(_) => {}
            None => match self.view {
                View::Requests => {
                    let row = self.shown().requests.shown().get(at).copied();
                    let row = row.and_then(|row| self.film().rows.get(row as usize));
                    if let Some(instant) = row.map(|row| row.at) {
                        self.playing = false;
                        self.go(instant);
                        self.picked = Some(at);
                    }
                }
                View::Events => {
                    let line = self.shown().events.shown().get(at).copied();
                    let entry = line.and_then(|line| self.film().entries.get(line.first as usize));
                    if let Some(instant) = entry.map(|entry| entry.at) {
                        self.playing = false;
                        self.go(instant);
                        self.noted = Some(at);
                    }
                }
                view => self.chosen[view as usize] = at,
            },
        }
    }

    fn ends(&mut self, end: bool) {
        if self.opened || matches!(self.overlay, Some(Overlay::Help)) {
            self.scroll = 0;
            return;
        }
        match (&mut self.overlay, self.view) {
            (Some(_), _) => self.choose(if end { isize::MAX / 2 } else { isize::MIN / 2 }),
            (None, View::Overview) if end => {
                self.playing = false;
                self.seek(u64::MAX);
            }
            (None, View::Overview) => self.go(0),
            (None, _) => self.choose(if end { isize::MAX / 2 } else { isize::MIN / 2 }),
        }
    }

    fn open(&mut self) -> Option<Effect> {
        let effect = match self.overlay.take() {
            Some(Overlay::Help) => None,
            Some(Overlay::Wish { at }) => {
                self.chosen_wish(at);
                None
            }
            Some(Overlay::Target { wish, targets, at }) => {
                let target = targets.get(at).map_or("", |target| &target.text);
                let text = WISHES[wish].line(self.cursor, target);
                self.ask(Purpose::Fault, text);
                None
            }
            Some(Overlay::Line(line)) => self.enter(line),
            None => {
                self.open_view();
                None
            }
        };
        self.settle();
        effect
    }

    fn open_view(&mut self) {
        let at = self.chosen[self.view as usize];
        match self.view {
            View::Topology => {
                if let Some(subject) = super::view::topology_subject(self, at) {
                    self.subjects = vec![subject];
                    self.chosen[View::Detail as usize] = 0;
                    self.look(View::Detail);
                }
            }
            View::Detail => {
                if let Some(subject) = super::view::detail_subject(self, at) {
                    self.subjects.push(subject);
                    self.chosen[View::Detail as usize] = 0;
                }
            }
            View::Requests if self.request_at().is_some() => {
                self.playing = false;
                self.opened = !self.opened;
                self.scroll = 0;
            }
            View::Events => {
                // To what it happened to.
                let line = self
                    .event_at()
                    .and_then(|at| self.shown().events.shown().get(at));
                let entry = line.and_then(|line| self.film().entries.get(line.first as usize));
                if let Some(subject) = entry.and_then(|entry| subject(&entry.what)) {
                    self.subjects = vec![subject];
                    self.chosen[View::Detail as usize] = 0;
                    self.look(View::Detail);
                }
            }
            View::Expectations => {
                let report = self.film().report.as_ref();
                let window = report.and_then(|report| report.expectations.get(at));
                if let Some(from_s) = window.map(|expectation| expectation.window.from_s) {
                    self.playing = false;
                    self.go((from_s * 1e9) as u64);
                }
            }
            _ => {}
        }
    }

    fn back(&mut self) {
        if self.overlay.take().is_some() {
            return;
        }
        if self.opened {
            self.opened = false;
            self.scroll = 0;
        } else if self.view == View::Detail {
            self.chosen[View::Detail as usize] = 0;
            self.subjects.pop();
            if self.subjects.is_empty() {
                self.look(View::Topology);
            }
        } else if self.view == View::Requests && !self.request_filter.is_empty() {
            self.request_filter.clear();
        } else if self.view == View::Events && !self.event_filter.is_empty() {
            self.event_filter.clear();
        } else {
            self.look(View::Overview);
        }
    }

    fn part(&mut self) {
        match &self.divergence {
            Some(Some(divergence)) => {
                let at = divergence.at;
                self.playing = false;
                self.go(at);
            }
            Some(None) => self.say("the two runs do not differ"),
            None if self.sides.len() < 2 => self.say("there is nothing to compare with"),
            None => self.say("the runs are still being recorded"),
        }
    }

    fn inject(&mut self) {
        if self.shown().plan.is_none() {
            self.warn("this is the record of a run: only a scenario can be changed by hand");
            return;
        }
        self.playing = false;
        self.overlay = Some(Overlay::Wish { at: 0 });
    }

    fn chosen_wish(&mut self, wish: usize) {
        let Some(plan) = &self.shown().plan else {
            return;
        };
        let targets = WISHES[wish].targets(plan);
        if targets.is_empty() {
            let text = WISHES[wish].line(self.cursor, "");
            self.ask(Purpose::Fault, text);
        } else {
            self.overlay = Some(Overlay::Target {
                wish,
                targets,
                at: 0,
            });
        }
    }

    fn ask(&mut self, purpose: Purpose, text: String) {
        let at = text.chars().count();
        self.overlay = Some(Overlay::Line(Line { purpose, text, at }));
    }

    fn edit(&mut self, change: impl FnOnce(&mut Line)) {
        if let Some(Overlay::Line(line)) = &mut self.overlay {
            change(line);
            if line.purpose == Purpose::Filter {
                let text = line.text.clone();
                self.filter(text);
            }
        }
    }

    fn filter(&mut self, text: String) {
        match self.view {
            View::Events => self.event_filter = text,
            _ => self.request_filter = text,
        }
    }

    fn enter(&mut self, line: Line) -> Option<Effect> {
        let text = line.text.trim().to_owned();
        match line.purpose {
            Purpose::Filter => {
                self.filter(text);
                None
            }
            Purpose::Fault => (!text.is_empty()).then_some(Effect::Inject(text)),
            Purpose::Command => self.command(&text),
        }
    }

    fn command(&mut self, text: &str) -> Option<Effect> {
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let path = || (!rest.is_empty()).then(|| rest.to_owned());
        match word {
            "" => None,
            "q" => self.quit(false),
            "q!" => Some(Effect::Quit),
            "w" | "w!" => Some(Effect::Save {
                path: path(),
                force: word == "w!",
            }),
            "set" => match rest.split_once('=') {
                Some((path, value)) if !path.is_empty() => {
                    Some(Effect::Set(path.trim().to_owned(), value.trim().to_owned()))
                }
                _ => {
                    self.warn("write it as `set PATH=VALUE`");
                    None
                }
            },
            "seed" => match rest.parse() {
                Ok(seed) => Some(Effect::Seed(seed)),
                Err(_) => {
                    self.warn("write it as `seed NUMBER`");
                    None
                }
            },
            "fault" => {
                let at = super::wish::instant(self.cursor);
                let text = match rest.starts_with('{') {
                    true => rest.to_owned(),
                    false => format!("{{ at: {at}, {rest} }}"),
                };
                Some(Effect::Inject(text))
            }
            _ => match mesh_core::document::duration::parse_go(word) {
                Ok(at) => {
                    self.playing = false;
                    self.seek(u64::try_from(at.as_nanos()).unwrap_or(u64::MAX));
                    None
                }
                Err(_) => {
                    self.warn("commands: TIME (31.5s), fault KIND: …, set PATH=VALUE, seed N, w [FILE], q");
                    None
                }
            },
        }
    }
}

impl Line {
    fn byte(&self, at: usize) -> usize {
        self.text
            .char_indices()
            .nth(at)
            .map_or(self.text.len(), |(byte, _)| byte)
    }

    fn insert(&mut self, c: char) {
        if self.text.len() < 4_096 {
            let byte = self.byte(self.at);
            self.text.insert(byte, c);
            self.at += 1;
        }
    }

    fn erase(&mut self) {
        if let Some(before) = self.at.checked_sub(1) {
            let byte = self.byte(before);
            self.text.remove(byte);
            self.at = before;
        }
    }
}

/// What something happened to.
fn subject(what: &What) -> Option<Subject> {
    match what {
        What::Pod { pod, .. } | What::Ejected { pod, .. } | What::Returned { pod, .. } => {
            Some(Subject::Pod(*pod))
        }
        What::Config { pod, .. } | What::Certificate { pod, .. } => pod.map(Subject::Pod),
        What::Acted { edge, .. } => Some(Subject::Edge(*edge)),
        What::Fault { .. } | What::Told { .. } => None,
    }
}

/// A place in a list of `length`, `by` further on.
fn moved(at: usize, by: isize, length: usize) -> usize {
    at.saturating_add_signed(by).min(length.saturating_sub(1))
}

/// Kinds that a key jumps to.
pub(crate) const JUMPS: [(char, Kind); 4] = [
    ('f', Kind::Fault),
    ('e', Kind::Ejection),
    ('p', Kind::Pod),
    ('m', Kind::Mechanism),
];
