//! Printing and writing, the careful way.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use mesh_core::document::Diagnostic;

/// Prints diagnostics to standard error, in colour on a terminal only.
pub(crate) fn diagnostics(all: &[Diagnostic]) {
    let color = colored(io::stderr().is_terminal());
    for diagnostic in all {
        eprintln!("{}\n", diagnostic.render(color));
    }
}

/// Reports a defect of Meshquake itself.
pub(crate) fn defect(what: &str) {
    eprintln!("meshquake: this is a defect of Meshquake, not of your scenario: {what}");
}

/// Reports a problem that has no place in a file.
pub(crate) fn problem(what: &str) {
    eprintln!("meshquake: {what}");
}

/// Whether to colour what goes to a stream (<https://no-color.org>).
pub(crate) fn colored(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Columns to fill: what `COLUMNS` says, or the terminal; `None` when there is neither.
pub(crate) fn columns(terminal: bool) -> Option<usize> {
    let said = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    let measured = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    said.or(measured.filter(|_| terminal))
}

/// Writes to standard output; a reader that has gone away is no error.
///
/// # Errors
/// When the stream breaks in any other way.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Replaces a file whole: a temporary file beside it, then a rename.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = Pending::begin(path)?;
    file.write_all(bytes)?;
    file.finish()
}

/// Refuses a result that would take the place of what it is made from.
///
/// # Errors
/// A sentence that names the file.
pub(crate) fn spare<'a>(
    inputs: impl IntoIterator<Item = &'a Path>,
    result: Option<&Path>,
) -> Result<(), String> {
    let Some(result) = result else {
        return Ok(());
    };
    let whole = |path: &Path| path.canonicalize().ok();
    let same =
        |input: &Path| input == result || (whole(input).is_some() && whole(input) == whole(result));
    match inputs.into_iter().any(same) {
        true => Err(format!(
            "{} is read, and would be lost: give the result another name",
            result.display()
        )),
        false => Ok(()),
    }
}

/// Why a folder could not be made, where a file may have its name.
pub(crate) fn not_a_folder(path: &Path, error: &io::Error) -> io::Error {
    match path.is_dir() || !path.exists() {
        true => at(path, error),
        false => at(
            path,
            &io::Error::other("it is a file, and this has to be a folder"),
        ),
    }
}

/// Which of the options named `-` as its file, for standard output; `never` is one that has to be a file.
///
/// # Errors
/// A sentence, when `never` did, or more than one.
pub(crate) fn to_stdout<'a>(
    options: &[(&'a str, &Option<PathBuf>)],
    never: &str,
) -> Result<Option<&'a str>, String> {
    let is_stdout = |path: &Option<PathBuf>| path.as_deref() == Some(Path::new("-"));
    let mut named = options.iter().filter(|(_, path)| is_stdout(path));
    match (named.next(), named.next()) {
        (None, _) => Ok(None),
        (Some((one, _)), Some((other, _))) => Err(format!(
            "{one} and {other} both go to standard output: name a file for one of them"
        )),
        (Some((one, _)), None) if *one == never => Err(format!("{one} takes the name of a file")),
        (Some((one, _)), None) => Ok(Some(one)),
    }
}

/// The error, with the path it is about.
pub(crate) fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// A file in the making: it takes its name only when it is finished.
pub(crate) struct Pending {
    temporary: std::path::PathBuf,
    target: std::path::PathBuf,
    out: io::BufWriter<std::fs::File>,
    finished: bool,
}

impl Pending {
    /// Starts the result `target` under a temporary name beside it.
    ///
    /// # Errors
    /// When the folder cannot be written, or a YAML file has that name: it is somebody's scenario, and no result.
    pub(crate) fn create(target: &Path) -> io::Result<Self> {
        let end = target.extension().unwrap_or_default();
        if (end == "yaml" || end == "yml") && target.exists() {
            let why = io::Error::other("it would be lost: no result of Meshquake is YAML");
            return Err(at(target, &why));
        }
        Self::begin(target)
    }

    fn begin(target: &Path) -> io::Result<Self> {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let temporary = target.with_file_name(name);
        let file = std::fs::File::create(&temporary).map_err(|error| at(target, &error))?;
        let out = io::BufWriter::new(file);
        Ok(Self {
            temporary,
            target: target.to_owned(),
            out,
            finished: false,
        })
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// When the disk is full or the folder cannot be written.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        std::fs::rename(&self.temporary, &self.target).map_err(|error| at(&self.target, &error))?;
        self.finished = true;
        Ok(())
    }
}

/// Fills a result that was asked for, and gives it its name; its text is made only then.
///
/// # Errors
/// When the text cannot be made, the disk is full or the folder cannot be written any more.
pub(crate) fn fill<T: AsRef<str>>(
    result: Option<Pending>,
    text: impl FnOnce() -> io::Result<T>,
) -> io::Result<()> {
    let Some(mut result) = result else {
        return Ok(());
    };
    result.write_all(text()?.as_ref().as_bytes())?;
    result.finish()
}

impl io::Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.finished {
            // What was begun and not finished is nobody's file.
            let _removed = std::fs::remove_file(&self.temporary);
        }
    }
}
