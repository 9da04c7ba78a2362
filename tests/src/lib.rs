//! What the end-to-end tests have in common: finding and running the built
//! binary, meshes built by program, and the queueing theory they are held against.

pub mod chaos;
pub mod mesh;
pub mod small;
pub mod theory;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests crate is a folder of the workspace")
}

/// The `meshquake` binary of the profile under test, built if need be.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build(cfg!(not(debug_assertions))))
}

/// Builds the binary and says where it is.
///
/// # Panics
/// When it does not build.
pub fn build(release: bool) -> PathBuf {
    let mut cargo = cargo();
    // Tests are built with the features that development dependencies ask of shared crates, binaries without, and
    // then everything would be built twice. Cargo unites the two where examples are wanted.
    cargo.args(["build", "--quiet", "--workspace"]);
    cargo.args(["--bin", "meshquake", "--examples"]);
    if release {
        cargo.arg("--release");
    }
    executable(cargo)
}

/// Builds the binary in release, as a user does, and says where it is.
///
/// # Panics
/// When it does not build.
pub fn build_as_users_do() -> PathBuf {
    let mut cargo = cargo();
    cargo.args(["build", "--quiet", "--release", "--bin", "meshquake"]);
    executable(cargo)
}

fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root());
    // What cargo tells a test of its own package, build scripts (ring's) would take for a change of theirs.
    let of_package =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(of_package) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Runs a build and says where its executable is.
fn executable(mut cargo: Command) -> PathBuf {
    cargo.arg("--message-format=json");
    let built = cargo.output().expect("cargo runs");
    let errors = String::from_utf8_lossy(&built.stderr);
    assert!(
        built.status.success(),
        "the binary does not build: {errors}"
    );
    let messages = String::from_utf8_lossy(&built.stdout);
    let mut executable = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let wanted = message["target"]["name"] == "meshquake";
        let executable = message["executable"].as_str().filter(|_| wanted);
        executable.map(PathBuf::from)
    });
    executable.next_back().expect("cargo names the executable")
}

/// Runs `meshquake` with `args` in `folder`.
///
/// # Panics
/// When the process cannot be started.
pub fn meshquake(folder: &Path, args: &[&str]) -> Output {
    Command::new(binary())
        .current_dir(folder)
        .args(args)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .output()
        .expect("the binary starts")
}

/// Standard output as text.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a scenario with more arguments and returns its JSON.
///
/// # Panics
/// When the run comes to no result.
pub fn run_json(folder: &Path, scenario: &str, args: &[&str]) -> serde_json::Value {
    let mut all = vec!["run", scenario, "--json", "-"];
    all.extend(args);
    let output = meshquake(folder, &all);
    let code = output.status.code();
    assert!(
        matches!(code, Some(0 | 1)),
        "exit {code:?}: {}",
        stderr(&output)
    );
    serde_json::from_slice(&output.stdout).expect("the result is JSON")
}
