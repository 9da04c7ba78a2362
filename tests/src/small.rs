//! Scenarios that are over in an instant, for tests of the commands.

use std::fs;

/// A mesh of two services. It holds.
pub const SMALL: &str = "\
meshquake: v1
name: small
seed: 3
duration: 1s
services:
  web: { ports: [80], script: [call: api] }
  api: { ports: [80], replicas: 2, service-time: exponential(2ms) }
traffic:
  users: { to: \"http://web/\", rate: poisson(40/s), timeout: 1s }
expect:
  - { traffic: users, success: \">= 99%\" }
";

/// A folder with these files.
///
/// # Panics
/// When it cannot be written.
pub fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    for (name, text) in files {
        let path = folder.path().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).expect("folders can be made");
        }
        fs::write(path, text).expect("files can be written");
    }
    folder
}

/// [`SMALL`] under another name, with another demand.
pub fn demanding(name: &str, demand: &str) -> String {
    SMALL
        .replace("name: small", &format!("name: {name}"))
        .replace("success: \">= 99%\"", demand)
}
