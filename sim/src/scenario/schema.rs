//! The JSON Schema of the format, for editors.

use serde_json::Value;

use super::file::Scenario;

/// The JSON Schema (2020-12) of scenario files, made from the types that read them.
pub fn schema() -> Value {
    schemars::schema_for!(Scenario).to_value()
}
