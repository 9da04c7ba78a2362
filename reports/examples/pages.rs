//! Draws pages of several runs from their JSON:
//! `cargo run -p meshquake-reports --example pages -- compare A.json B.json [PAIRED.json] PAGE.html`,
//! `… suite SUITE.json PAGE.html`, `… sweep ROWS.csv PAGE.html`.

use std::error::Error;
use std::{env, fs, process::ExitCode};

use meshquake_reports::{Links, comparison_html, suite_html, sweep::read_csv, sweep_html};
use serde::de::DeserializeOwned;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match draw(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!(
                "usage: pages compare A.json B.json [PAIRED.json] PAGE | suite SUITE.json PAGE | sweep ROWS.csv PAGE"
            );
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn read<T: DeserializeOwned>(path: &str) -> Result<T, Box<dyn Error>> {
    Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
}

fn draw(words: &[&str]) -> Result<bool, Box<dyn Error>> {
    let (page, to) = match words {
        ["compare", a, b, to] => (comparison_html(&read(a)?, &read(b)?, None), to),
        ["compare", a, b, paired, to] => (
            comparison_html(&read(a)?, &read(b)?, Some(&read(paired)?)),
            to,
        ),
        ["suite", suite, to] => (suite_html(&read(suite)?, &Links::new()), to),
        ["sweep", rows, to] => {
            let (columns, rows_read) = read_csv(&fs::read_to_string(rows)?)?;
            (sweep_html(rows, "", &columns, &rows_read), to)
        }
        _ => return Ok(false),
    };
    let part = format!("{to}.part");
    fs::write(&part, page)?;
    fs::rename(part, to)?;
    Ok(true)
}
