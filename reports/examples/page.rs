//! Draws the page of a run from its JSON: `cargo run -p meshquake-reports --example page -- RUN.json REPORT.html`.

use std::{env, fs, process::ExitCode};

use meshquake_reports::{RunReport, report_html};

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let (Some(from), Some(to)) = (args.next(), args.next()) else {
        eprintln!("usage: page RUN.json REPORT.html");
        return ExitCode::from(2);
    };
    match draw(&from, &to) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{from}: {error}");
            ExitCode::from(2)
        }
    }
}

fn draw(from: &str, to: &str) -> Result<(), Box<dyn std::error::Error>> {
    let report: RunReport = serde_json::from_str(&fs::read_to_string(from)?)?;
    let part = format!("{to}.part");
    fs::write(&part, report_html(&report))?;
    fs::rename(part, to)?;
    Ok(())
}
