//! Which events are shown.

use super::requests::contains;
use crate::tui::film::{Film, Kind};

/// Entries that tell the same news within this time are one line.
const CHORUS_NS: u64 = 1_000_000_000;
/// How far back a line of the same news is looked for.
const CHORUS_DEPTH: usize = 16;

/// Entries that tell one news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventLine {
    /// The first of them, by its place among the film's entries.
    pub(crate) first: u32,
    /// How many more there are.
    pub(crate) more: u32,
}

/// The events that a filter lets through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events {
    filter: String,
    seen: usize,
    shown: Vec<EventLine>,
}

impl Events {
    /// Takes account of what was recorded since, and of another filter.
    pub(super) fn update(&mut self, film: &Film, filter: &str) {
        if self.filter != filter || self.seen > film.entries.len() {
            *self = Self {
                filter: filter.to_owned(),
                ..Self::default()
            };
        }
        let words: Vec<String> = filter.split_whitespace().map(str::to_lowercase).collect();
        let all = words.iter().any(|word| word == "all");
        for index in self.seen..film.entries.len() {
            let entry = &film.entries[index];
            if entry.what.is_routine() && !all {
                continue;
            }
            let mut told = None;
            let admitted = words.iter().filter(|word| *word != "all").all(|word| {
                let of_kind = Kind::ALL.iter().any(|kind| kind.name() == word);
                if of_kind {
                    return entry.what.kind().name() == word;
                }
                let (subject, text) = told.get_or_insert_with(|| entry.what.tell(film));
                contains(subject, word) || contains(text, word)
            });
            if !admitted {
                continue;
            }
            let recent = self.shown.iter_mut().rev().take(CHORUS_DEPTH);
            let chorus = recent.into_iter().find(|line| {
                let first = &film.entries[line.first as usize];
                first.at + CHORUS_NS >= entry.at && first.what.same_news(&entry.what)
            });
            match chorus {
                Some(line) => line.more += 1,
                None => self.shown.push(EventLine {
                    first: index as u32,
                    more: 0,
                }),
            }
        }
        self.seen = film.entries.len();
    }

    /// The lines.
    pub(crate) fn shown(&self) -> &[EventLine] {
        &self.shown
    }
}

impl EventLine {
    /// When, whom, and what.
    pub(crate) fn tell(&self, film: &Film) -> Option<(u64, Kind, String, String)> {
        let entry = film.entries.get(self.first as usize)?;
        let (subject, mut text) = entry.what.tell(film);
        if self.more > 0 {
            text.push_str(&format!(" and {} more", self.more));
        }
        Some((entry.at, entry.what.kind(), subject, text))
    }
}
