//! What criterion leaves in `target/criterion/*/new/`: `benchmark.json` says what was measured, `estimates.json` what
//! came (criterion 0.8, `src/estimate.rs`: nanoseconds per iteration, with confidence intervals).

use serde::Deserialize;

use super::BenchLine;

#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
}

#[derive(Deserialize)]
struct Estimates {
    mean: Estimate,
    slope: Option<Estimate>,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

/// The line of a benchmark, from the texts of both files.
///
/// # Errors
/// When they are not as criterion writes them.
pub fn criterion(benchmark: &str, estimates: &str) -> serde_json::Result<BenchLine> {
    let what: Benchmark = serde_json::from_str(benchmark)?;
    let estimates: Estimates = serde_json::from_str(estimates)?;
    // As criterion itself prints: the slope, where iterations were timed in growing batches.
    let told = estimates.slope.unwrap_or(estimates.mean);
    let bounds = told.confidence_interval;
    Ok(BenchLine {
        name: what.full_id,
        unit: "µs/iteration".into(),
        value: told.point_estimate / 1e3,
        spread: Some((bounds.lower_bound / 1e3, bounds.upper_bound / 1e3)),
        ratio: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criterions_files_are_read() {
        let benchmark = r#"{"group_id":"page","function_id":"run","value_str":null,"throughput":null,"full_id":"page/run","directory_name":"page/run","title":"page/run"}"#;
        let estimates = r#"{"mean":{"confidence_interval":{"confidence_level":0.95,"lower_bound":1000.0,"upper_bound":3000.0},"point_estimate":2000.0,"standard_error":1.0},"slope":null,"median":null}"#;
        let line = criterion(benchmark, estimates).unwrap();
        assert_eq!(
            (line.name.as_str(), line.value, line.spread),
            ("page/run", 2.0, Some((1.0, 3.0)))
        );
        assert!(criterion("{}", estimates).is_err());
    }
}
