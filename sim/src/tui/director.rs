//! What a [`State`] asks of the world outside: recording films, changing scenarios, writing files.

use std::path::{Path, PathBuf};

use mesh_core::document::Diagnostic;
use meshquake_reports::RunReport;

use super::film::Film;
use super::script::Script;
use super::state::{Effect, Side, State};
use super::studio::Recording;
use crate::plan::Plan;
use crate::record::nanos;
use crate::scenario::Overrides;

/// What is said begins so while something is recorded again.
const AGAIN: &str = "recording again";

/// Who records the films of the sides.
pub(crate) struct Director {
    sides: Vec<Crew>,
}

/// Behind one side.
struct Crew {
    script: Option<Script>,
    /// What adds to the film that is shown.
    recording: Option<Recording>,
    /// The film that will take its place, and who records it.
    retake: Option<(Film, Recording)>,
}

/// What a side is made from.
pub(crate) enum Feature {
    /// A scenario.
    Live {
        /// Its file's name.
        file: String,
        /// Its text.
        script: Box<Script>,
        /// What runs.
        plan: Box<Plan>,
    },
    /// The record of a run.
    Recorded {
        /// Its file's name.
        file: String,
        /// Its film.
        film: Box<Film>,
    },
}

impl Director {
    /// Starts everything.
    ///
    /// # Errors
    /// When the machine has no thread left.
    pub(crate) fn start(features: Vec<Feature>) -> std::io::Result<(Self, Vec<Side>)> {
        let mut crews = Vec::new();
        let mut sides = Vec::new();
        for feature in features {
            let (crew, side) = match feature {
                Feature::Live { file, script, plan } => {
                    let reproduce = script.reproduce(plan.seed).unwrap_or_default();
                    let (film, recording) = Recording::start((*plan).clone(), reproduce)?;
                    let crew = Crew {
                        script: Some(*script),
                        recording: Some(recording),
                        retake: None,
                    };
                    (crew, Side::new(file, film, Some(plan)))
                }
                Feature::Recorded { file, film } => {
                    let crew = Crew {
                        script: None,
                        recording: None,
                        retake: None,
                    };
                    (crew, Side::new(file, *film, None))
                }
            };
            crews.push(crew);
            sides.push(side);
        }
        Ok((Self { sides: crews }, sides))
    }

    /// Takes what was recorded since; says whether there was anything.
    pub(crate) fn develop(&mut self, state: &mut State) -> bool {
        let mut any = false;
        for (crew, side) in self.sides.iter_mut().zip(&mut state.sides) {
            if let Some(recording) = &crew.recording {
                any |= recording.develop(&mut side.film);
                if side.film.is_done() {
                    crew.recording = None;
                }
            }
            let Some((film, recording)) = &mut crew.retake else {
                continue;
            };
            any |= recording.develop(film);
            side.retake = Some(film.reached);
            // Up to the cursor it is the same film: nobody notices when it takes the other's place.
            if (film.is_done() || film.reached > state.cursor)
                && let Some((film, recording)) = crew.retake.take()
            {
                side.replace(film);
                side.retake = None;
                crew.recording = Some(recording);
                state.divergence = None;
                any = true;
            }
        }
        if any {
            state.settle();
        }
        if !self.is_busy()
            && let Some(message) = &mut state.message
            && let Some(rest) = message.text.strip_prefix(AGAIN)
        {
            message.text = format!("recorded again{rest}");
            any = true;
        }
        any
    }

    /// Whether something is being recorded.
    pub(crate) fn is_busy(&self) -> bool {
        self.sides
            .iter()
            .any(|crew| crew.recording.is_some() || crew.retake.is_some())
    }

    /// Does what a state asked for; says whether to leave.
    pub(crate) fn perform(&mut self, state: &mut State, effect: Effect) -> bool {
        let side = state.side;
        match effect {
            Effect::Quit => return true,
            Effect::Inject(line) => {
                let changed = self.script(side).map(|script| script.with_fault(&line));
                if self.retake(state, changed, begins) {
                    state.say(format!("{AGAIN} (w saves it) with {line}"));
                }
            }
            Effect::Set(path, value) => {
                let changed = self
                    .script(side)
                    .map(|script| script.with_set(&path, &value));
                if self.retake(state, changed, |_| 0) {
                    state.say(format!("{AGAIN} from the start with {path}={value}"));
                }
            }
            Effect::Seed(seed) => {
                let changed = self.script(side).map(|script| script.with_seed(seed));
                if self.retake(state, changed, |_| 0) {
                    state.say(format!("{AGAIN} with seed {seed}"));
                }
            }
            Effect::Save { path, force } => {
                self.save(state, path.map(PathBuf::from).as_deref(), force)
            }
        }
        false
    }

    fn script(&self, side: usize) -> Option<&Script> {
        self.sides.get(side)?.script.as_ref()
    }

    /// Records again what was changed; `since` says from when on it is another run.
    fn retake(
        &mut self,
        state: &mut State,
        changed: Option<Result<(Script, Plan), String>>,
        since: impl FnOnce(&Plan) -> u64,
    ) -> bool {
        let (script, plan) = match changed {
            None => {
                state.warn("this is the record of a run: only a scenario can be changed by hand");
                return false;
            }
            Some(Err(why)) => {
                state.warn(why);
                return false;
            }
            Some(Ok(changed)) => changed,
        };
        let crew = &mut self.sides[state.side];
        // What is recorded now is not wanted any more; what of it holds still stays on the screen.
        crew.recording = None;
        let reproduce = script.reproduce(plan.seed).unwrap_or_default();
        match Recording::start(plan.clone(), reproduce) {
            Err(error) => {
                state.warn(format!("cannot record: {error}"));
                false
            }
            Ok((film, recording)) => {
                state.rewrite(since(&plan));
                let side = &mut state.sides[state.side];
                side.unsaved = script.unsaved;
                side.plan = Some(Box::new(plan));
                side.retake = Some(0);
                crew.script = Some(script);
                crew.retake = Some((film, recording));
                true
            }
        }
    }

    fn save(&mut self, state: &mut State, path: Option<&Path>, force: bool) {
        let seed = state.film().seed;
        let Some(script) = self
            .sides
            .get_mut(state.side)
            .and_then(|crew| crew.script.as_mut())
        else {
            return state.warn("this is the record of a run: there is no scenario to save");
        };
        if script.unsaved == 0
            && path.is_none()
            && !script.sets()
            && let Some(command) = script.reproduce(seed)
        {
            return state.say(format!("nothing was changed in the file: {command}"));
        }
        match script.save(path, force) {
            Err(error) => state.warn(format!("not saved: {error}")),
            Ok(_) => {
                let command = script.reproduce(seed).unwrap_or_default();
                let beside: Vec<&str> = script.only_in_command().collect();
                let told = match beside.as_slice() {
                    [] => format!("saved: {command}"),
                    beside => {
                        let paths = beside.join(", ");
                        format!("saved, but {paths}: only the command sets it: {command}")
                    }
                };
                let side = &mut state.sides[state.side];
                side.unsaved = 0;
                state.say(told);
            }
        }
    }

    /// The commands that make the runs again that were changed by hand, and what is lost.
    pub(crate) fn farewell(&self, state: &State) -> Vec<String> {
        let mut lines = Vec::new();
        for (crew, side) in self.sides.iter().zip(&state.sides) {
            let Some(script) = &crew.script else {
                continue;
            };
            if script.is_changed()
                && let Some(command) = script.reproduce(side.film.seed)
            {
                lines.push(command);
            }
        }
        lines
    }
}

/// When the last fault of a plan begins; the beginning when only the run can tell.
fn begins(plan: &Plan) -> u64 {
    let last = plan.faults.last();
    last.and_then(|fault| fault.schedule.known_start())
        .map_or(0, nanos)
}

impl Feature {
    /// A scenario.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn live(path: &Path, overrides: &Overrides) -> Result<Self, Vec<Diagnostic>> {
        let (script, loaded) = Script::open(path, overrides.clone())?;
        Ok(Self::Live {
            file: file_name(path),
            script: Box::new(script),
            plan: Box::new(loaded.plan),
        })
    }

    /// The record of a run, from a file.
    pub(crate) fn recorded(path: &Path, run: RunReport) -> Self {
        Self::Recorded {
            file: file_name(path),
            film: Box::new(Film::of_report(run)),
        }
    }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::film::tests::TROUBLED;
    use crate::tui::state::Action;

    /// A scenario, recorded to its end.
    fn recorded() -> (Director, State) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("troubled.yaml");
        std::fs::write(&path, TROUBLED).unwrap();
        let feature = Feature::live(&path, &Overrides::default()).unwrap();
        let (mut director, sides) = Director::start(vec![feature]).unwrap();
        let mut state = State::new(sides, false);
        finish(&mut director, &mut state);
        (director, state)
    }

    fn finish(director: &mut Director, state: &mut State) {
        while director.is_busy() {
            director.develop(state);
            std::thread::yield_now();
        }
        assert_eq!(state.film().broken, None);
    }

    #[test]
    fn nothing_of_the_old_future_stays() {
        let (mut director, mut state) = recorded();
        let at = 5_000_000_000;
        let later = |state: &State| state.film().rows.iter().filter(|row| row.at > at).count();
        assert!(later(&state) > 100);
        state.apply(Action::Seek(at));
        let line = "{ at: 5000ms, for: 1s, freeze: web-0 }";
        director.perform(&mut state, Effect::Inject(line.into()));
        assert_eq!((state.film().reached, state.cursor), (at, at));
        assert_eq!(later(&state), 0);
        assert!(state.film().frames.iter().all(|frame| frame.to <= at));
        assert!(!state.film().is_done(), "nor how it ended");
        let said = |state: &State| state.message.as_ref().unwrap().text.clone();
        assert!(said(&state).starts_with("recording again (w saves it)"));
        finish(&mut director, &mut state);
        assert!(
            said(&state).starts_with("recorded again (w saves it)"),
            "{}",
            said(&state)
        );
        assert!(later(&state) > 100);
        assert_eq!(state.cursor, at);
        assert_eq!(state.film().cast.faults.len(), 3);
    }

    #[test]
    fn a_fault_before_the_cursor_takes_it_along_and_brings_it_back() {
        let (mut director, mut state) = recorded();
        state.apply(Action::Seek(9_000_000_000));
        let line = "{ at: 2s, for: 1s, freeze: web-0 }";
        director.perform(&mut state, Effect::Inject(line.into()));
        assert_eq!(state.film().reached, 2_000_000_000);
        assert_eq!(state.cursor, 2_000_000_000);
        finish(&mut director, &mut state);
        assert_eq!(state.cursor, 9_000_000_000);
    }

    #[test]
    fn of_another_seed_nothing_holds() {
        let (mut director, mut state) = recorded();
        state.apply(Action::Seek(9_000_000_000));
        director.perform(&mut state, Effect::Seed(77));
        assert!(state.film().rows.is_empty() && state.film().frames.is_empty());
        finish(&mut director, &mut state);
        assert_eq!((state.film().seed, state.cursor), (77, 9_000_000_000));
    }

    #[test]
    fn what_cannot_run_changes_nothing() {
        let (mut director, mut state) = recorded();
        state.apply(Action::Seek(5_000_000_000));
        let rows = state.film().rows.len();
        let line = "{ at: 5s, crash: nobody }";
        director.perform(&mut state, Effect::Inject(line.into()));
        assert!(state.message.as_ref().is_some_and(|message| message.wrong));
        assert_eq!(state.film().rows.len(), rows);
        assert!(state.film().is_done());
    }
}
