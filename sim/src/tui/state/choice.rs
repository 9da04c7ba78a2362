//! Which line of a list is chosen, and what it opens.

use super::{Effect, Overlay, Purpose, State, Subject, View};
use crate::tui::film::What;
use crate::tui::{view, wish::WISHES};

/// A screen of a list, when its height is not known.
const PAGE: isize = 15;

impl State {
    /// The chosen request, by its place in the list of those shown.
    pub(crate) fn request_at(&self) -> Option<usize> {
        let rows = &self.film().rows;
        let shown = self.shown().requests.shown();
        self.place(View::Requests, shown, |row| rows[*row as usize].at)
    }

    /// The chosen event, by its place in the list of those shown.
    pub(crate) fn event_at(&self) -> Option<usize> {
        let entries = &self.film().entries;
        let shown = self.shown().events.shown();
        self.place(View::Events, shown, |line| entries[line.first as usize].at)
    }

    /// The place in a list in order of time: what was picked, while the cursor stands on it, or else the last
    /// that is not later than the cursor.
    fn place<T>(&self, view: View, shown: &[T], at: impl Fn(&T) -> u64) -> Option<usize> {
        let picked = self.picked.filter(|picked| picked.0 == view);
        let picked = picked.map(|(_, place)| place).filter(|place| {
            let item = shown.get(*place);
            item.is_some_and(|item| at(item) == self.cursor)
        });
        let last = shown.partition_point(|item| at(item) <= self.cursor);
        picked.or(last.checked_sub(1))
    }

    /// The chosen line of what stands foremost.
    pub(crate) fn foremost(&self) -> Option<usize> {
        match &self.overlay {
            Some(Overlay::Wish { at } | Overlay::Target { at, .. }) => Some(*at),
            Some(_) => None,
            None => self.line(),
        }
    }

    /// The chosen line of the view.
    fn line(&self) -> Option<usize> {
        match self.view {
            View::Requests => self.request_at(),
            View::Events => self.event_at(),
            view => Some(self.chosen[view as usize]),
        }
    }

    /// Chooses the line `by` further down.
    pub(super) fn choose(&mut self, by: isize) {
        match &mut self.overlay {
            Some(Overlay::Wish { at }) => *at = moved(*at, by, WISHES.len()),
            Some(Overlay::Target { targets, at, .. }) => *at = moved(*at, by, targets.len()),
            Some(Overlay::Line(_)) => {}
            Some(Overlay::Help) => self.scroll = self.scroll.saturating_add_signed(by),
            None if self.opened => self.scroll = self.scroll.saturating_add_signed(by),
            // The sources are no list to page through: a wheel's turn is one step too.
            None if self.view == View::Overview => {
                let length = view::list_length(self);
                let at = &mut self.chosen[View::Overview as usize];
                *at = moved(*at, by.signum(), length);
            }
            None => {
                let length = view::list_length(self);
                self.pick(self.line().map_or(0, |at| moved(at, by, length)));
            }
        }
    }

    /// A screen further down: of the list, or of what is told of the chosen edge where that is what is read.
    pub(super) fn page(&mut self, by: isize) {
        match (&self.overlay, self.view) {
            (None, View::Config) => {
                let most = view::config_lines(self).saturating_sub(1);
                self.scroll = self.scroll.saturating_add_signed(by * PAGE / 2).min(most);
            }
            _ => self.choose(by * PAGE),
        }
    }

    /// Chooses a line.
    pub(super) fn pick(&mut self, line: usize) {
        match &mut self.overlay {
            Some(Overlay::Wish { at } | Overlay::Target { at, .. }) => *at = line,
            Some(_) => {}
            None if matches!(self.view, View::Requests | View::Events) => {
                if let Some(instant) = self.instant(line) {
                    self.stop_at(instant);
                    self.picked = Some((self.view, line));
                }
            }
            None => {
                if self.chosen[self.view as usize] != line {
                    self.scroll = 0;
                }
                self.chosen[self.view as usize] = line;
            }
        }
    }

    /// When the request or event on a line of the view was.
    fn instant(&self, line: usize) -> Option<u64> {
        let (side, film) = (self.shown(), self.film());
        match self.view {
            View::Requests => {
                let row = side.requests.shown().get(line)?;
                Some(film.rows.get(*row as usize)?.at)
            }
            View::Events => {
                let line = side.events.shown().get(line)?;
                Some(film.entries.get(line.first as usize)?.at)
            }
            _ => None,
        }
    }

    /// To the end of a list or of the film, or to its beginning.
    pub(super) fn ends(&mut self, end: bool) {
        if self.opened || matches!(self.overlay, Some(Overlay::Help)) {
            self.scroll = 0;
            return;
        }
        match (self.overlay.is_none() && self.view == View::Overview, end) {
            (true, true) => {
                self.playing = false;
                self.seek(u64::MAX);
            }
            (true, false) => self.go(0),
            (false, true) => self.choose(isize::MAX / 2),
            (false, false) => self.choose(isize::MIN / 2),
        }
    }

    /// Opens what is chosen, or takes it.
    pub(super) fn open(&mut self) -> Option<Effect> {
        match self.overlay.take() {
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
        }
    }

    fn open_view(&mut self) {
        let at = self.chosen[self.view as usize];
        match self.view {
            View::Topology => {
                if let Some(subject) = view::topology_subject(self, at) {
                    self.open_detail(subject);
                }
            }
            View::Detail => {
                if let Some(subject) = view::detail_subject(self, at) {
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
                    self.open_detail(subject);
                }
            }
            View::Expectations => {
                let report = self.film().report.as_ref();
                let window = report.and_then(|report| report.expectations.get(at));
                if let Some(from_s) = window.map(|expectation| expectation.window.from_s) {
                    self.stop_at((from_s * 1e9) as u64);
                }
            }
            _ => {}
        }
    }

    fn open_detail(&mut self, subject: Subject) {
        self.subjects = vec![subject];
        self.chosen[View::Detail as usize] = 0;
        self.look(View::Detail);
    }

    /// Back to where it was opened from.
    pub(super) fn back(&mut self) {
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
}

/// What something happened to.
fn subject(what: &What) -> Option<Subject> {
    match what {
        What::Pod { pod, .. } | What::Ejected { pod, .. } | What::Returned { pod, .. } => {
            Some(Subject::Pod(*pod))
        }
        What::Config { pod, .. } | What::Certificate { pod, .. } => pod.map(Subject::Pod),
        What::Opened { edge, .. } | What::Acted { edge, .. } => Some(Subject::Edge(*edge)),
        What::Fault { .. } | What::Told { .. } => None,
    }
}

/// A place in a list of `length`, `by` further on.
fn moved(at: usize, by: isize, length: usize) -> usize {
    at.saturating_add_signed(by).min(length.saturating_sub(1))
}
