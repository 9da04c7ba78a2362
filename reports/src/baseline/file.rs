//! The file.

use std::collections::BTreeMap;
use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::record::Verdict;
use crate::suite::{Better, MeasureUnit, ScenarioReport};

/// The version of the file.
pub const BASELINE_SCHEMA: &str = "meshquake.baseline/v1";

/// What was measured before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// [`BASELINE_SCHEMA`].
    pub schema: String,
    /// The version of Meshquake that measured.
    pub meshquake_version: String,
    /// The options that the runs were made with; empty when there were none.
    pub options: String,
    /// By file, relative to the folder of the baseline.
    pub scenarios: BTreeMap<String, BaselineScenario>,
}

/// One scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineScenario {
    /// Which scenario this was.
    pub fingerprint: String,
    /// The seeds, in order.
    pub seeds: Vec<u64>,
    /// What each came to; `None` when Meshquake broke.
    pub verdicts: Vec<Option<Verdict>>,
    /// By name, the values in the order of the seeds.
    pub measures: IndexMap<String, BaselineMeasure>,
}

/// One measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineMeasure {
    /// Its unit.
    pub unit: MeasureUnit,
    /// Which way is better.
    pub better: Better,
    /// The values; `None` where there was nothing to measure.
    pub values: Vec<Option<f64>>,
}

/// Why a file is no baseline.
#[derive(Debug)]
pub struct BaselineError(String);

impl fmt::Display for BaselineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BaselineError {}

impl Baseline {
    /// An empty one.
    pub fn new(meshquake_version: &str, options: &str) -> Self {
        Self {
            schema: BASELINE_SCHEMA.into(),
            meshquake_version: meshquake_version.into(),
            options: options.into(),
            scenarios: BTreeMap::new(),
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// When it is no JSON, of another version, or a row has not one value for each seed.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let wrong = |why: String| BaselineError(format!("it is not a baseline: {why}"));
        let any: serde_json::Value =
            serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        match any["schema"].as_str() {
            Some(BASELINE_SCHEMA) => {}
            Some(other) => {
                return Err(wrong(format!(
                    "its schema is `{other}`, not `{BASELINE_SCHEMA}`"
                )));
            }
            None => {
                return Err(wrong(format!(
                    "it has no `\"schema\": \"{BASELINE_SCHEMA}\"`"
                )));
            }
        }
        let baseline: Self =
            serde_json::from_value(any).map_err(|error| wrong(error.to_string()))?;
        for (file, scenario) in &baseline.scenarios {
            let seeds = scenario.seeds.len();
            let uneven = scenario
                .measures
                .iter()
                .find(|(_, m)| m.values.len() != seeds);
            if let Some((name, measure)) = uneven {
                let (values, what) = (measure.values.len(), format!("`{name}` of `{file}`"));
                return Err(wrong(format!(
                    "{what} has {values} values for {seeds} seeds"
                )));
            }
            if scenario.verdicts.len() != seeds {
                let verdicts = scenario.verdicts.len();
                return Err(wrong(format!(
                    "`{file}` has {verdicts} verdicts for {seeds} seeds"
                )));
            }
        }
        Ok(baseline)
    }

    /// Takes what `scenario` measured, in place of what was there.
    pub fn take(&mut self, name: String, scenario: &ScenarioReport) {
        let mut measures: IndexMap<String, BaselineMeasure> = IndexMap::new();
        for (index, run) in scenario.runs.iter().enumerate() {
            for (name, measured) in &run.measures {
                let measure = measures
                    .entry(name.clone())
                    .or_insert_with(|| BaselineMeasure {
                        unit: measured.unit,
                        better: measured.better,
                        values: vec![None; scenario.runs.len()],
                    });
                measure.values[index] = measured.value;
            }
        }
        let taken = BaselineScenario {
            fingerprint: scenario.fingerprint.clone(),
            seeds: scenario.runs.iter().map(|run| run.seed).collect(),
            verdicts: scenario.runs.iter().map(|run| run.verdict).collect(),
            measures,
        };
        self.scenarios.insert(name, taken);
    }

    /// The file's text: one line per measure.
    ///
    /// # Errors
    /// None that data of these types can cause.
    pub fn to_text(&self) -> serde_json::Result<String> {
        let line = |value: &dyn erased::Line| value.line();
        let mut out = String::from("{\n");
        for (key, value) in [
            ("schema", &self.schema),
            ("meshquake_version", &self.meshquake_version),
            ("options", &self.options),
        ] {
            out.push_str(&format!("  \"{key}\": {},\n", line(value)?));
        }
        out.push_str("  \"scenarios\": {");
        for (index, (file, scenario)) in self.scenarios.iter().enumerate() {
            out.push_str(if index == 0 { "\n" } else { ",\n" });
            out.push_str(&format!("    {}: {{\n", line(file)?));
            out.push_str(&format!(
                "      \"fingerprint\": {},\n",
                line(&scenario.fingerprint)?
            ));
            out.push_str(&format!("      \"seeds\": {},\n", line(&scenario.seeds)?));
            out.push_str(&format!(
                "      \"verdicts\": {},\n",
                line(&scenario.verdicts)?
            ));
            out.push_str("      \"measures\": {");
            for (index, (name, measure)) in scenario.measures.iter().enumerate() {
                out.push_str(if index == 0 { "\n" } else { ",\n" });
                out.push_str(&format!("        {}: {}", line(name)?, line(measure)?));
            }
            out.push_str("\n      }\n    }");
        }
        out.push_str("\n  }\n}\n");
        Ok(out)
    }
}

/// Anything that fits a line of JSON.
mod erased {
    use serde::Serialize;

    pub(super) trait Line {
        fn line(&self) -> serde_json::Result<String>;
    }

    impl<T: Serialize> Line for T {
        fn line(&self) -> serde_json::Result<String> {
            serde_json::to_string(self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Baseline {
        let mut baseline = Baseline::new("0.1.0", "--duration 2s");
        let measure = BaselineMeasure {
            unit: MeasureUnit::Ms,
            better: Better::Lower,
            values: vec![Some(12.5), None],
        };
        let scenario = BaselineScenario {
            fingerprint: "f".into(),
            seeds: vec![7, 1],
            verdicts: vec![Some(Verdict::Held), Some(Verdict::Failed)],
            measures: IndexMap::from([("users.p99_ms".into(), measure)]),
        };
        baseline.scenarios.insert("a \"b\".yaml".into(), scenario);
        baseline
    }

    #[test]
    fn one_line_per_measure_and_back() {
        let text = sample().to_text().unwrap();
        let line = r#"        "users.p99_ms": {"unit":"ms","better":"lower","values":[12.5,null]}"#;
        assert!(text.lines().any(|l| l == line), "{text}");
        assert_eq!(Baseline::parse(&text).unwrap(), sample());
        let empty = Baseline::new("0.1.0", "");
        assert_eq!(Baseline::parse(&empty.to_text().unwrap()).unwrap(), empty);
    }

    #[test]
    fn what_is_no_baseline_is_told() {
        let why = |text: &str| Baseline::parse(text).unwrap_err().to_string();
        assert!(why("nothing").contains("it is not a baseline"));
        assert!(why("{}").contains("meshquake.baseline/v1"));
        assert!(why(r#"{"schema":"meshquake.run/v1"}"#).contains("meshquake.run/v1"));
        let short = sample().to_text().unwrap().replace("[12.5,null]", "[12.5]");
        assert!(
            why(&short).contains("1 values for 2 seeds"),
            "{}",
            why(&short)
        );
    }
}
