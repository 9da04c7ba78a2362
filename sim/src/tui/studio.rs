//! Where films are recorded: a thread for each run.

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use meshquake_reports::RunReport;

use super::film::{Camera, Cast, Film, Piece};
use crate::plan::Plan;
use crate::record::nanos;
use crate::world::{self, RunOptions};

/// A run recurses as deep here as in a process of its own.
const STACK_BYTES: usize = 8 << 20;
/// Pieces taken at once, so that a long run does not hold up the screen.
const PIECES_AT_ONCE: usize = 200;

/// What comes from the thread.
enum Take {
    Piece(Box<Piece>),
    End(Result<Box<RunReport>, String>),
}

impl Take {
    fn add_to(self, film: &mut Film) {
        match self {
            Self::Piece(piece) => film.append(*piece),
            Self::End(Ok(report)) => film.report = Some(report),
            Self::End(Err(why)) => film.broken = Some(why),
        }
    }
}

/// A run that is being recorded. Dropped, it is ended.
pub(crate) struct Recording {
    takes: Receiver<Take>,
    stop: Arc<AtomicBool>,
}

impl Recording {
    /// Starts to record a run of `plan`.
    ///
    /// # Errors
    /// When the machine has no thread left.
    pub(crate) fn start(plan: Plan, reproduce: String) -> io::Result<(Film, Self)> {
        let cast = Cast::of(&plan);
        let length = nanos(plan.duration);
        let film = Film::blank(cast.clone(), &plan.name, plan.seed, length);
        let stop = Arc::new(AtomicBool::new(false));
        let (to, takes) = channel();
        let flag = stop.clone();
        let work = move || {
            // A panic of the run is told on the screen; nothing of the run is looked at afterwards.
            let ended = catch_unwind(AssertUnwindSafe(|| {
                record(&plan, cast, reproduce, flag, &to)
            }));
            let ended = ended.unwrap_or_else(|_| Err("the run panicked".into()));
            // Nobody may be listening any more.
            let _sent = to.send(Take::End(ended));
        };
        let builder = thread::Builder::new().name("film".into());
        builder.stack_size(STACK_BYTES).spawn(work)?;
        Ok((film, Self { takes, stop }))
    }

    /// Adds what was recorded since to `film`; says whether there was anything.
    pub(crate) fn develop(&self, film: &mut Film) -> bool {
        let mut any = false;
        for take in self.takes.try_iter().take(PIECES_AT_ONCE) {
            any = true;
            take.add_to(film);
        }
        any
    }

    /// Adds everything, to the end.
    #[cfg(test)]
    pub(crate) fn develop_all(&self, film: &mut Film) {
        self.takes.iter().for_each(|take| take.add_to(film));
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn record(
    plan: &Plan,
    cast: Cast,
    reproduce: String,
    stop: Arc<AtomicBool>,
    to: &Sender<Take>,
) -> Result<Box<RunReport>, String> {
    let to = to.clone();
    let (watched, unwatched) = (stop.clone(), stop.clone());
    let send = move |piece| {
        if to.send(Take::Piece(Box::new(piece))).is_err() {
            unwatched.store(true, Ordering::Relaxed);
        }
    };
    let camera = Rc::new(RefCell::new(Camera::new(plan, &cast, Box::new(send))));
    let options = RunOptions {
        reproduce,
        stop: watched,
        detail: true,
        listeners: vec![Box::new(camera.clone())],
        ..RunOptions::default()
    };
    let report = world::run(plan, options).map_err(|error| error.to_string())?;
    let detail = report.detail.as_ref();
    let worst = detail.map_or(&[][..], |detail| &detail.worst);
    camera.borrow_mut().wrap(worst);
    Ok(Box::new(report))
}
