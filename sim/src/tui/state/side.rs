//! A film and what belongs to it.

use super::events::Events;
use super::requests::Requests;
use crate::plan::Plan;
use crate::tui::film::Film;

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
    pub(super) requests: Requests,
    pub(super) events: Events,
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

    /// The film is recorded again: what it tells of times after `since` holds no longer.
    pub(super) fn forget(&mut self, since: u64) {
        self.film.forget(since);
        self.requests = Requests::default();
        self.events = Events::default();
    }

    /// Another film takes the place of this one.
    pub(crate) fn replace(&mut self, film: Film) {
        self.film = film;
        self.requests = Requests::default();
        self.events = Events::default();
    }
}
