//! Where a run's results go. Everything is opened before the run, so that a
//! path that cannot be written is told at once and not after an hour, and takes
//! its name at the end.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use meshquake_reports::report_html;
use meshquake_reports::{RunReport, Style};

use super::args::RunArgs;
use super::exports::{ExportArgs, Exports};
use super::output::{Pending, at, fill, not_a_folder};
use crate::plan::Plan;

/// Columns of a summary in a file.
const WIDTH: usize = 100;

/// The files of one scenario's run.
pub(super) struct Files {
    json: Option<Pending>,
    summary: Option<Pending>,
    page: Option<Pending>,
    pub(super) requests: Option<Log>,
    pub(super) access_log: Option<Log>,
    pub(super) exports: Exports,
}

impl Files {
    /// Opens what `args` ask for.
    ///
    /// # Errors
    /// When a file cannot be made, or two are the same.
    pub(super) fn open(args: &RunArgs, scenario: &Path, plan: &Plan) -> io::Result<Self> {
        let paths = Paths::choose(args, scenario, &plan.name)?;
        let log = |path: Option<PathBuf>| path.as_deref().map(Log::create).transpose();
        let file = |path: Option<PathBuf>| path.as_deref().map(Pending::create).transpose();
        Ok(Self {
            json: file(paths.json)?,
            summary: file(paths.summary)?,
            page: file(paths.page)?,
            requests: log(paths.requests)?,
            access_log: log(paths.access_log)?,
            exports: Exports::open(&args.exports, plan)?,
        })
    }

    /// Writes the rest, and gives all files their names.
    ///
    /// # Errors
    /// When the disk is full or a folder cannot be written any more.
    pub(super) fn finish(self, report: &RunReport, json: &str) -> io::Result<()> {
        let style = Style {
            color: false,
            width: WIDTH,
        };
        fill(self.json, || Ok(json))?;
        fill(self.summary, || {
            Ok(meshquake_reports::summary(report, style))
        })?;
        fill(self.page, || Ok(report_html(report)))?;
        self.exports.finish(report)?;
        for log in [self.requests, self.access_log].into_iter().flatten() {
            log.finish()?;
        }
        Ok(())
    }
}

/// Their names.
struct Paths {
    json: Option<PathBuf>,
    summary: Option<PathBuf>,
    page: Option<PathBuf>,
    requests: Option<PathBuf>,
    access_log: Option<PathBuf>,
}

impl Paths {
    /// `name` is the scenario's, for a file that has none.
    fn choose(args: &RunArgs, scenario: &Path, name: &str) -> io::Result<Self> {
        let json = args.json.clone().filter(|path| path.as_os_str() != "-");
        let mut paths = Self {
            json,
            summary: None,
            page: args.report.clone(),
            requests: args.requests.clone(),
            access_log: args.access_log.clone(),
        };
        if let Some(dir) = &args.out {
            std::fs::create_dir_all(dir).map_err(|error| not_a_folder(dir, &error))?;
            let stem = scenario
                .file_stem()
                .map_or_else(|| name.into(), |stem| stem.to_string_lossy());
            let file = |end: &str| dir.join(format!("{stem}.{end}"));
            paths.summary = Some(file("txt"));
            paths.page.get_or_insert_with(|| file("html"));
            paths.json.get_or_insert_with(|| file("json"));
            paths.requests.get_or_insert_with(|| file("requests.jsonl"));
            paths.access_log.get_or_insert_with(|| file("access.log"));
        }
        paths.distinct(&args.exports)?;
        Ok(paths)
    }

    fn distinct(&self, exports: &ExportArgs) -> io::Result<()> {
        let mut seen = BTreeSet::new();
        let all = [
            &self.json,
            &self.summary,
            &self.page,
            &self.requests,
            &self.access_log,
        ];
        let exports = exports.named().map(|(_, path)| path);
        for path in all.into_iter().chain(exports).flatten() {
            if !seen.insert(path) {
                let twice = io::Error::other("named for two different results");
                return Err(at(path, &twice));
            }
        }
        Ok(())
    }
}

/// A file written while the run goes on.
pub(super) struct Log(Rc<RefCell<Option<Pending>>>);

impl Log {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let pending = Pending::create(path)?;
        Ok(Self(Rc::new(RefCell::new(Some(pending)))))
    }

    /// What the run writes to.
    pub(super) fn sink(&self) -> Box<dyn Write> {
        Box::new(LogSink(self.0.clone()))
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.0.take().map_or(Ok(()), Pending::finish)
    }
}

struct LogSink(Rc<RefCell<Option<Pending>>>);

impl Write for LogSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.0.borrow_mut() {
            Some(pending) => pending.write(bytes),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut *self.0.borrow_mut() {
            Some(pending) => pending.flush(),
            None => Ok(()),
        }
    }
}
