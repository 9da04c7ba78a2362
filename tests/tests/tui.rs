//! The terminal interface as people use it: the built binary in a pseudo-terminal, keys in, screens out.

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers too")]

use std::fs;
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use meshquake_tests::{binary, meshquake, stderr, stdout};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

const SMALL: &str = "\
meshquake: v1
name: small
seed: 3
duration: 20s
services:
  web: { ports: [80], script: [call: api] }
  api: { ports: [80], replicas: 2, service-time: 2ms }
traffic:
  users: { to: \"http://web/\", rate: poisson(40/s), timeout: 1s }
faults:
  - { name: gone, at: 5s, for: 2s, crash: api-1 }
expect:
  - { traffic: users, success: \">= 50%\" }
";

/// How often the screen is looked at before a test gives up, a tenth of a second apart.
const LOOKS: u32 = 600;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("small.yaml"), SMALL).unwrap();
    folder
}

/// A terminal with `meshquake tui` in it.
struct Session {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    bytes: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    _master: Box<dyn MasterPty + Send>,
}

impl Session {
    fn open(folder: &Path, args: &[&str], columns: u16, rows: u16) -> Self {
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(binary());
        command.arg("tui");
        command.args(args);
        command.cwd(folder);
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (to, bytes) = channel();
        let read = move || {
            let mut buffer = [0; 65_536];
            while let Ok(count) = reader.read(&mut buffer) {
                if count == 0 || to.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        };
        thread::Builder::new().spawn(read).unwrap();
        Self {
            child,
            keys: pair.master.take_writer().unwrap(),
            bytes,
            screen: vt100::Parser::new(
                NonZero::new(rows).unwrap(),
                NonZero::new(columns).unwrap(),
                0,
            ),
            _master: pair.master,
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn contents(&self) -> String {
        self.screen.screen().contents()
    }

    /// Waits until the screen shows `wanted`.
    fn see(&mut self, wanted: &str) {
        for _ in 0..LOOKS {
            if self.contents().contains(wanted) {
                return;
            }
            if let Ok(bytes) = self.bytes.recv_timeout(Duration::from_millis(100)) {
                self.screen.process(&bytes);
            }
        }
        panic!("`{wanted}` was never seen:\n{}", self.contents());
    }

    /// Waits for the end, and for the last byte.
    #[expect(
        clippy::disallowed_methods,
        reason = "a process of the machine's own takes the machine's time to end"
    )]
    fn end(&mut self) -> u32 {
        let mut looks = 0;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            looks += 1;
            assert!(looks < LOOKS, "it did not leave:\n{}", self.contents());
            match self.bytes.recv_timeout(Duration::from_millis(100)) {
                Ok(bytes) => self.screen.process(&bytes),
                // Its end of the terminal is closed; the process itself may take a moment more.
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        };
        while let Ok(bytes) = self.bytes.recv_timeout(Duration::from_millis(500)) {
            self.screen.process(&bytes);
        }
        status.exit_code()
    }

    /// The terminal is the user's again.
    fn is_given_back(&self) {
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen(), "the screen of before");
        assert!(!screen.hide_cursor(), "with its cursor");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    }
}

#[test]
fn it_opens_plays_pauses_helps_and_leaves() {
    let folder = folder();
    let mut session = Session::open(folder.path(), &["small.yaml"], 80, 24);
    session.see("1 Overview");
    session.see("so far");
    assert!(session.screen.screen().alternate_screen());
    session.press(" ");
    session.see("‖ 1×");
    session.press(" ");
    session.see("▶ 1×");
    session.press("?");
    session.see("play, pause");
    session.press("q");
    session.press(" f");
    session.see("5.000 / 20.000");
    session.see("↯ gone");
    session.press("q");
    assert_eq!(session.end(), 0);
    session.is_given_back();
}

/// As `run` does, and as a shell tells of Ctrl-C.
#[test]
fn signals_give_the_terminal_back_and_are_told() {
    let folder = folder();
    for signal in ["-TERM", "-HUP", "-INT"] {
        let mut session = Session::open(folder.path(), &["small.yaml"], 80, 24);
        session.see("1 Overview");
        let pid = session.child.process_id().unwrap().to_string();
        let kill = Command::new("kill").args([signal, &pid]).status();
        assert!(kill.unwrap().success());
        assert_eq!(session.end(), 130, "{signal}");
        session.is_given_back();
    }
}

#[test]
fn ctrl_c_leaves() {
    let folder = folder();
    let mut session = Session::open(folder.path(), &["small.yaml"], 100, 30);
    session.see("1 Overview");
    // It closes what is open, then asks where something would be lost.
    session.press(":nonsense");
    session.see(":nonsense");
    session.press("\u{3}");
    session.see("? help");
    session.press(":12s\r");
    session.see("12.000 / 20.000");
    session.press(":fault crash: api-0\r");
    session.see("w saves it");
    session.press("\u{3}");
    session.see("is not saved");
    session.press("\u{3}");
    assert_eq!(session.end(), 0);
    session.is_given_back();
}

#[test]
fn help_and_manual_tell_the_exit_codes() {
    let folder = folder();
    let help = meshquake(folder.path(), &["tui", "--help"]);
    let manual = include_str!("../../docs/tui.md");
    for code in ["0 left by q", "2 invalid input", "130 ended by SIGTERM"] {
        assert!(stdout(&help).contains(code), "{code}\n{}", stdout(&help));
    }
    for code in [
        "| 0 | left by",
        "| 2 | invalid input",
        "| 130 | ended by SIGTERM",
    ] {
        assert!(manual.contains(code), "{code}");
    }
}

#[test]
fn what_is_no_terminal_is_told_so() {
    let folder = folder();
    let output = meshquake(folder.path(), &["tui", "small.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("needs a terminal"),
        "{}",
        stderr(&output)
    );
    assert!(stdout(&output).is_empty());
}

#[test]
fn what_is_done_by_hand_can_be_run_again() {
    let folder = folder();
    let mut session = Session::open(folder.path(), &["small.yaml"], 120, 40);
    session.see("so far");
    session.press(":12s\r");
    session.see("12.000 / 20.000");
    session.press(":fault name: by hand, for: 3s, crash: api-0\r");
    session.see("w saves it");
    session.press("w");
    session.see("saved: meshquake run small-by-hand.yaml --seed 3");
    session.press("f");
    session.see("↯ by hand");
    session.press("q");
    assert_eq!(session.end(), 0);
    session.is_given_back();
    assert_eq!(
        fs::read_to_string(folder.path().join("small.yaml")).unwrap(),
        SMALL
    );
    let run = meshquake(folder.path(), &["run", "small-by-hand.yaml", "--seed", "3"]);
    assert!(
        stdout(&run).contains("by hand"),
        "{}{}",
        stdout(&run),
        stderr(&run)
    );
}

/// A bare name is beside the scenario, and the printed command makes the run that was seen.
#[test]
fn what_is_set_by_hand_is_saved_where_it_belongs() {
    let folder = folder();
    let at = folder.path();
    fs::create_dir(at.join("shop")).unwrap();
    fs::rename(at.join("small.yaml"), at.join("shop/small.yaml")).unwrap();
    let mut session = Session::open(at, &["shop/small.yaml"], 120, 40);
    session.see("so far");
    session.press(":set services.api.service-time=9ms\r");
    session.see("recorded again from the start");
    session.press(":w mine\r");
    session.see("saved: meshquake run shop/mine.yaml --seed 3");
    session.press("q");
    assert_eq!(session.end(), 0);
    let digest = |args: &[&str]| {
        let run = meshquake(at, args);
        let text = stdout(&run);
        let line = text.lines().find(|line| line.starts_with("digest"));
        line.map_or_else(|| panic!("{text}{}", stderr(&run)), str::to_owned)
    };
    let saved = digest(&["run", "shop/mine.yaml", "--seed", "3"]);
    let set = [
        "run",
        "shop/small.yaml",
        "--set",
        "services.api.service-time=9ms",
    ];
    assert_eq!(saved, digest(&set));
    assert_ne!(saved, digest(&["run", "shop/small.yaml"]));
}

#[test]
fn a_record_is_played_and_compared() {
    let folder = folder();
    let json = meshquake(
        folder.path(),
        &["run", "small.yaml", "--json", "run.json", "--quiet"],
    );
    assert_eq!(json.status.code(), Some(0), "{}", stderr(&json));
    let mut session = Session::open(folder.path(), &["run.json"], 80, 24);
    session.see("record");
    session.press("f");
    session.see("5.000 / 20.000");
    session.press("q");
    session.end();
    // Its run keeps many more requests than it does; none of them is a difference.
    let mut session = Session::open(folder.path(), &["run.json", "small.yaml"], 120, 40);
    session.see("the two runs do not differ");
    session.press("q");
    session.end();
    let other = SMALL.replace("for: 2s", "for: 4s");
    fs::write(folder.path().join("other.yaml"), other).unwrap();
    let mut session = Session::open(folder.path(), &["small.yaml", "other.yaml"], 120, 40);
    session.see("they part at");
    session.press("D");
    session.see("/ 20.000");
    session.press("q");
    session.end();
    session.is_given_back();
}

#[test]
fn a_folder_with_one_run_is_that_run() {
    let folder = folder();
    let run = meshquake(
        folder.path(),
        &["run", "small.yaml", "--out", "out", "--quiet"],
    );
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    let mut session = Session::open(folder.path(), &["out"], 80, 24);
    session.see("record");
    session.press("q");
    assert_eq!(session.end(), 0);
    // So it is for pages.
    fs::remove_file(folder.path().join("out/small.html")).unwrap();
    let report = meshquake(folder.path(), &["report", "out"]);
    assert_eq!(report.status.code(), Some(0), "{}", stderr(&report));
    assert!(folder.path().join("out/small.html").exists());
}

/// Every file that is no run is told by what it is, with a command that takes it.
#[test]
fn what_is_no_run_is_told_with_what_to_do() {
    let folder = folder();
    let at = folder.path();
    let suite = meshquake(
        at,
        &["test", "small.yaml", "--seeds", "2", "--out", "suite"],
    );
    assert_eq!(suite.status.code(), Some(0), "{}", stderr(&suite));
    let sweep = [
        "sweep",
        "small.yaml",
        "--duration",
        "2s",
        "--csv",
        "rows.csv",
    ];
    let sweep = meshquake(at, &sweep);
    assert_eq!(sweep.status.code(), Some(0), "{}", stderr(&sweep));
    let run = ["run", "small.yaml", "--requests", "log.jsonl", "--quiet"];
    assert_eq!(meshquake(at, &run).status.code(), Some(0));
    fs::write(at.join("empty.json"), "").unwrap();
    fs::write(at.join("other.json"), "{\"schema\": \"other/v1\"}").unwrap();
    fs::create_dir(at.join("nothing")).unwrap();
    let told = |command: &str, file: &str, wanted: &[&str]| {
        let output = meshquake(at, &[command, file]);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{command} {file}: {text}");
        for wanted in wanted.iter().chain([&file]) {
            assert!(
                text.contains(wanted),
                "{command} {file}, `{wanted}`: {text}"
            );
        }
        assert!(!text.contains("column"), "no parser speaks: {text}");
    };
    let play = "meshquake tui small.yaml --seed 3";
    for file in ["suite/test.json", "suite"] {
        told(
            "tui",
            file,
            &["a suite", "meshquake report suite/test.json", play],
        );
    }
    told("tui", "rows.csv", &["sweep", "meshquake report rows.csv"]);
    for command in ["tui", "report"] {
        told(command, "suite/index.html", &["a page", "browser"]);
        told(
            command,
            "suite/junit.xml",
            &["JUnit", "meshquake replay suite/junit.xml"],
        );
        told(
            command,
            "empty.json",
            &["is empty", "meshquake run SCENARIO --json"],
        );
        told(
            command,
            "other.json",
            &["is `other/v1`, not ", "meshquake run"],
        );
        told(command, "log.jsonl", &["a log"]);
        told(
            command,
            "nothing",
            &["folder", "meshquake run SCENARIO --out"],
        );
        told(command, ".", &["folder", "meshquake tui ./small.yaml"]);
        told(command, "missing.json", &["cannot read"]);
    }
    told(
        "report",
        "small.yaml",
        &["a scenario", "meshquake run small.yaml --report"],
    );
    let report = meshquake(at, &["report", "suite"]);
    assert_eq!(report.status.code(), Some(0), "{}", stderr(&report));
}

#[test]
fn what_is_wrong_with_a_file_is_told_before_the_terminal_is_taken() {
    let folder = folder();
    fs::write(folder.path().join("bad.json"), "{\"schema\": \"other/v1\"}").unwrap();
    let mut session = Session::open(folder.path(), &["bad.json"], 200, 24);
    session.see("is `other/v1`, not a scenario or the record of a run");
    assert_eq!(session.end(), 2);
    session.is_given_back();
}

#[test]
fn a_bad_scenario_is_told_with_its_line() {
    let folder = folder();
    fs::write(
        folder.path().join("bad.yaml"),
        "meshquake: v1\nservices: { web: { port: 1 } }\n",
    )
    .unwrap();
    let mut session = Session::open(folder.path(), &["bad.yaml"], 120, 24);
    session.see("bad.yaml:2");
    assert_eq!(session.end(), 2);
    session.is_given_back();
}
