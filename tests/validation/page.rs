//! The page.

use crate::experiment::Row;

const HEAD: &str = "\
# Validation

Closed forms and published figures beside what Meshquake simulates. Written by `cargo run -p meshquake-tests --bin validation`; `-- --check` fails when a row is off or this page is old, and CI runs it.

Every row is a scenario under several seeds, run by the release binary: real sidecars with mutual TLS between client and app, no network latency unless it is what is measured. *Tolerance* is four standard errors of the simulated mean, measured between the seeds, and a stated part of the expected value where the theory is a limit that no run is. A tolerance of 0 means: equal.

";

const TAIL: &str = "
## Not simulated

- **Jitter under optimistic concurrency** (AWS, \"Exponential backoff and jitter\"): no app here contends for one row.
- **Linkerd's defaults**, **adaptive throttling** (Google SRE), **retry token buckets** (gRPC A6), **CoDel**: no policy here has them.
- **Little's law** is not a row but an invariant: every run checks it.
";

/// A number with four digits that mean something.
fn told(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 1000.0 => 0,
        v if v >= 100.0 => 1,
        v if v >= 10.0 => 2,
        v if v >= 1.0 => 3,
        v if v >= 0.1 => 4,
        _ => 5,
    };
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A row for a terminal.
pub(crate) fn line(row: &Row) -> String {
    format!(
        "{} {:4} {} · {}: expected {}, simulated {} ± {} ({} seeds)",
        if row.agrees() { "✓" } else { "✗" },
        row.row,
        row.what,
        row.measure,
        told(row.expected),
        told(row.simulated),
        told(row.tolerance),
        row.seeds,
    )
}

/// The page.
pub(crate) fn text(rows: &[Row]) -> String {
    let mut text = HEAD.to_owned();
    let (mut last_row, mut last_source) = ("", "");
    for row in rows {
        let new_row = row.row != last_row;
        if new_row {
            text += &format!("\n## {} {}\n", row.row, title(row.row));
        }
        if new_row || row.source != last_source {
            text += &format!("\nSource: {}\n\n", row.source);
            text += "| | what | measure | expected | simulated | tolerance | seeds | requests |\n";
            text += "|---|---|---|---:|---:|---:|---:|---:|\n";
        }
        (last_row, last_source) = (row.row, row.source);
        text += &format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |\n",
            if row.agrees() { "✓" } else { "✗" },
            row.what,
            row.measure,
            told(row.expected),
            told(row.simulated),
            told(row.tolerance),
            row.seeds,
            row.requests,
        );
    }
    text + TAIL
}

fn title(row: &str) -> &'static str {
    match row {
        "V1" => "One worker: M/M/1 and M/D/1",
        "V2" => "Several workers: Erlang C",
        "V3" => "No queue: Erlang B",
        "V5" => "The shorter of d lines: the supermarket model",
        "V6" => "Balls into bins",
        "V7" => "The tail of a fan-out",
        "V9" => "Retry amplification",
        "V10" => "Metastable overload",
        "V13" => "Maglev: what a lost backend moves",
        "V14" => "Envoy's overprovisioning and panic threshold",
        "V19" => "Losing a zone",
        "V20" => "Caches",
        "V22" => "Exact time",
        _ => "",
    }
}
