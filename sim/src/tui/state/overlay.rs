//! What stands over a view: the keys, the menu of faults, a line being typed.

use super::{Effect, State, View};
use crate::record::nanos;
use crate::tui::wish::{Target, WISHES, instant};

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

impl State {
    /// Begins to type a line.
    pub(super) fn prompt(&mut self, purpose: Purpose) {
        let text = match (purpose, self.view) {
            (Purpose::Filter, View::Events) => self.event_filter.clone(),
            (Purpose::Filter, _) => {
                self.look(View::Requests);
                self.request_filter.clone()
            }
            _ => String::new(),
        };
        self.ask(purpose, text);
    }

    /// The menu of faults.
    pub(super) fn inject(&mut self) {
        if self.shown().plan.is_none() {
            self.warn("this is the record of a run: only a scenario can be changed by hand");
            return;
        }
        self.playing = false;
        self.overlay = Some(Overlay::Wish { at: 0 });
    }

    /// Asks whom to do it to, or for the line when that is no question.
    pub(super) fn chosen_wish(&mut self, wish: usize) {
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

    pub(super) fn ask(&mut self, purpose: Purpose, text: String) {
        let at = text.chars().count();
        self.overlay = Some(Overlay::Line(Line { purpose, text, at }));
    }

    pub(super) fn edit(&mut self, change: impl FnOnce(&mut Line)) {
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

    /// What a typed line asks for.
    pub(super) fn enter(&mut self, line: Line) -> Option<Effect> {
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
                let at = instant(self.cursor);
                let text = match rest.starts_with('{') {
                    true => rest.to_owned(),
                    false => format!("{{ at: {at}, {rest} }}"),
                };
                Some(Effect::Inject(text))
            }
            _ => match mesh_core::document::duration::parse_go(word) {
                Ok(at) => {
                    self.playing = false;
                    self.seek(nanos(at));
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

    pub(super) fn insert(&mut self, c: char) {
        if self.text.len() < 4_096 {
            let byte = self.byte(self.at);
            self.text.insert(byte, c);
            self.at += 1;
        }
    }

    pub(super) fn erase(&mut self) {
        if let Some(before) = self.at.checked_sub(1) {
            let byte = self.byte(before);
            self.text.remove(byte);
            self.at = before;
        }
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.at = 0;
    }

    pub(super) fn caret(&mut self, by: isize) {
        let length = self.text.chars().count();
        self.at = self.at.saturating_add_signed(by).min(length);
    }
}
