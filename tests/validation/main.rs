//! Holds the simulator against closed forms and published figures, and writes the comparison as a page.
//!
//! ```sh
//! cargo run -p meshquake-tests --bin validation            # writes docs/validation.md
//! cargo run -p meshquake-tests --bin validation -- --check # also fails when a row is off, or the page is old
//! ```
//!
//! Every row is a scenario, run by the release build of the binary as a user would run it, under several seeds. What
//! is compared is the mean over the seeds; the tolerance is four standard errors of that mean, as measured between the
//! seeds, and a part of the expected value where the theory is a limit (infinitely many servers) that a run is not.
//! Where nothing is random, the two must be equal.

mod amplification;
mod balancing;
mod experiment;
mod page;
mod queues;
mod recovery;
mod resilience;

use std::process::ExitCode;

use experiment::{Row, Runner};

fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    let only = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"));
    let runner = Runner::new();
    let mut rows = Vec::new();
    let experiments = [
        queues::all(),
        balancing::all(),
        amplification::all(),
        recovery::all(),
        resilience::all(),
    ];
    let experiments = experiments.into_iter().flatten();
    let experiments = experiments.filter(|e| only.as_ref().is_none_or(|only| e.row == *only));
    for experiment in experiments {
        let found = runner.run(&experiment);
        for row in &found {
            println!("{}", page::line(row));
        }
        rows.extend(found);
    }
    let off: Vec<&Row> = rows.iter().filter(|row| !row.agrees()).collect();
    println!("{} rows, {} off", rows.len(), off.len());
    let path = meshquake_tests::root().join("docs/validation.md");
    let text = page::text(&rows);
    if check {
        let old = only.is_none() && std::fs::read_to_string(&path).ok().as_deref() != Some(&*text);
        if old {
            println!("docs/validation.md is old: run this without --check");
        }
        return ExitCode::from(u8::from(old || !off.is_empty()));
    }
    if only.is_none() {
        let part = path.with_extension("md.part");
        let written = std::fs::write(&part, &text).and_then(|()| std::fs::rename(&part, &path));
        written.expect("docs/ can be written");
    }
    ExitCode::from(u8::from(!off.is_empty()))
}
